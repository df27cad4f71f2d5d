//! The engine of one shard, from its Lease to its end.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use recant_core::guard::GuardSettings;
use recant_core::rule::RuleBook;
use recant_core::spec::SourceFile;

use super::merge::Merged;
use crate::cli::run::places::{Place, Share, journals};
use crate::cli::run::reloading::Files;
use crate::cli::run::{Changing, parts, work};
use crate::cluster::kubernetes::lease::Term;
use crate::config::rules;
use crate::config::settings::{self, Flags, Settings};
use crate::http::api::kayenta::Kayenta;
use crate::http::approval::Links;
use crate::http::metrics::Metrics;
use crate::journal::acting::Published;

/// What all engines of a process have in common.
#[derive(Clone)]
pub(super) struct Common {
    pub(super) client: kube::Client,
    pub(super) namespace: String,
    pub(super) settings: Settings,
    pub(super) book: RuleBook,
    /// The files that it came from.
    pub(super) good: Vec<SourceFile>,
    pub(super) metrics: Metrics,
    pub(super) merged: Arc<Merged>,
    pub(super) heard: watch::Receiver<Option<Published>>,
    pub(super) guards: Arc<watch::Sender<GuardSettings>>,
    pub(super) files: (Option<PathBuf>, Flags),
    pub(super) hangup: Arc<Notify>,
    pub(super) kayenta: Option<Kayenta>,
    pub(super) links: Option<Links>,
}

impl Common {
    /// Settings and rules as they are now, or as they were when they could last be read.
    fn now(&self) -> (Settings, Vec<SourceFile>, RuleBook) {
        let (config, flags) = &self.files;
        let before = || (self.settings.clone(), self.good.clone(), self.book.clone());
        let Ok(mut settings) = settings::load(config.as_deref(), std::env::vars(), flags) else {
            return before();
        };
        settings.keep_what_needs_a_restart(&self.settings);
        let (texts, loaded) = rules::load_files(&settings.rules);
        match loaded.book {
            Some(book) => (settings, texts, book),
            None => before(),
        }
    }
}

/// Works on a shard for as long as this term lasts, or until it is to stop.
///
/// # Errors
/// Why it ended, where that was neither.
pub(super) async fn run(
    common: Common,
    shard: u32,
    term: Term,
    stop: CancellationToken,
) -> Result<(), String> {
    let (config, flags) = common.files.clone();
    // As the files stand before they are read: what is written to them from now on is seen.
    let mut files = Files::new(config, flags, &common.settings);
    let reading = common.clone();
    let (settings, texts, book) = tokio::task::spawn_blocking(move || reading.now())
        .await
        .map_err(|error| error.to_string())?;
    files.good = texts;
    let share = Share {
        shard,
        shards: settings.shards,
    };
    let book = share.book(book);
    let (ops, reports, orders) = common.merged.begin(shard);
    let place = journals(&settings, &common.namespace)
        .into_iter()
        .nth(shard as usize)
        .ok_or("there is no such shard")?;
    let (said, acting) = watch::channel(None);
    let mut heard = common.heard.clone();
    let telling = tokio::spawn(async move {
        loop {
            let now = heard.borrow_and_update().clone();
            if let Some(published) = now {
                let acting = published.to_shard(shard);
                said.send_if_modified(|before| {
                    let news = before.as_ref() != Some(&acting);
                    *before = Some(acting);
                    news
                });
            }
            if heard.changed().await.is_err() {
                return;
            }
        }
    });
    let _telling = AbortOnDropHandle::new(telling);
    let lease = place.name.clone();
    tracing::info!(
        "holds the Lease `{lease}`: judging {} targets",
        book.watches.len()
    );
    let outside = parts::Outside {
        client: common.client.clone(),
        namespace: common.namespace.clone(),
        term,
        lease,
        place: Place::Shard {
            client: common.client.clone(),
            place,
        },
        acting: Some(acting),
        spans: None,
        reports,
        orders,
        links: common.links.clone(),
    };
    let changing = Changing {
        files,
        share,
        guards: Some(common.guards.clone()),
        hangup: common.hangup.clone(),
        kayenta: common.kayenta.clone(),
    };
    let worked = Box::pin(work(
        &settings,
        &book,
        &common.metrics,
        &ops,
        &stop,
        outside,
        changing,
    ))
    .await;
    common.merged.end(shard);
    match worked {
        Ok(code) if code == ExitCode::SUCCESS => Ok(()),
        // Said already; whoever holds the Lease next goes on from the journal.
        Ok(_) => Ok(()),
        Err(error) => Err(format!("{error:#}")),
    }
}
