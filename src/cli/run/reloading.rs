//! Rules and settings that change while the agent runs: read beside the loop, and handed to it when they are good. Bad
//! ones change nothing, and everybody hears of it.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use jiff::Timestamp;
use recant_core::engine::{Loaded, Refused, Reload};
use recant_core::guard::GuardSettings;
use recant_core::rule::RuleBook;
use recant_core::spec::{Diagnostic, Severity, SourceFile};
use recant_core::wording::short;
use sha2::{Digest as _, Sha256};
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

use super::documents::Documents;
use super::parts::{self, Kept};
use super::places::Share;
use super::sources;
use crate::agent::{self, Places, Update};
use crate::cluster::kubernetes::KubernetesCluster;
use crate::config::changes::Changes;
use crate::config::rules;
use crate::config::settings::{self, Flags, Settings};
use crate::http::Ops;
use crate::http::api::kayenta::Kayenta;
use crate::http::metrics::Metrics;
use crate::notify::{notifier, silences};

/// Between two looks at the files.
const EVERY: Duration = Duration::from_secs(1);
/// What is not in the files may mend itself: rights that are granted, an API server that comes back.
const AGAIN: Duration = Duration::from_secs(10);
/// Faults that are kept in the journal and the log, and characters of each.
const MOST_FAULTS: usize = 50;
const LONGEST_FAULT: usize = 500;

/// Where rules and settings come from, and how they stood when they were read last.
pub(super) struct Files {
    pub(super) config: Option<PathBuf>,
    pub(super) flags: Flags,
    pub(super) changes: Changes,
    /// The rule files as they were when they were good.
    pub(super) good: Vec<SourceFile>,
}

impl Files {
    /// Call it before the files are read for the first time.
    pub(super) fn new(config: Option<PathBuf>, flags: Flags, settings: &Settings) -> Self {
        let changes = Changes::since(&paths(config.as_ref(), settings));
        Self {
            config,
            flags,
            changes,
            good: Vec::new(),
        }
    }
}

impl Files {
    /// Where they come from.
    pub(super) fn origin(&self) -> (Option<PathBuf>, Flags) {
        (self.config.clone(), self.flags.clone())
    }
}

fn paths(config: Option<&PathBuf>, settings: &Settings) -> Vec<PathBuf> {
    config
        .into_iter()
        .chain(&settings.rules)
        .chain(&settings.templates)
        .cloned()
        .collect()
}

/// Looks for changes, and makes the agent's next parts ready.
pub(super) struct Reloading {
    pub(super) files: Files,
    /// Which of the watches are this engine's.
    pub(super) share: Share,
    /// Who hears of changed guards.
    pub(super) guards: Option<Arc<watch::Sender<GuardSettings>>>,
    /// What holds now.
    pub(super) settings: Settings,
    pub(super) book: Arc<RuleBook>,
    pub(super) kept: Kept,
    pub(super) client: kube::Client,
    pub(super) cluster: Arc<KubernetesCluster>,
    pub(super) namespace: String,
    pub(super) metrics: Metrics,
    /// SIGHUP came.
    pub(super) hangup: Arc<Notify>,
    /// `None`: there is no API port.
    pub(super) kayenta: Option<Kayenta>,
    /// `None`: custom resources do not count.
    pub(super) documents: Option<Documents>,
    pub(super) ops: Ops,
}

/// What was read, whether or not it can be used.
struct Read {
    digest: String,
    found: Result<(Settings, Vec<SourceFile>, RuleBook), Vec<String>>,
}

impl Reloading {
    pub(super) async fn run(mut self, stop: CancellationToken) {
        let mut every = tokio::time::interval(EVERY);
        every.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut again: Option<Instant> = None;
        // Of the last that was handed on: good ones that come again change nothing, and are not said again.
        let mut last = String::new();
        loop {
            let forced = tokio::select! {
                biased;
                () = stop.cancelled() => return,
                () = self.hangup.notified() => true,
                _ = every.tick() => false,
            };
            let due = again.is_some_and(|at| Instant::now() >= at);
            let of_files = self.look().await;
            let of_documents = self.documents_have_changed();
            if !(of_files || of_documents || forced || due) {
                continue;
            }
            if forced {
                tracing::info!("SIGHUP: rules and settings are read again");
            }
            again = None;
            let Some(Read { digest, found }) = self.read().await else {
                continue;
            };
            let before = (self.settings.clone(), Arc::clone(&self.book));
            let ready = match found {
                Ok((settings, files, book)) => {
                    let guards = settings.guards.clone();
                    let ready = self.make_ready(settings, files, book).await;
                    if let (Ok(_), Some(told)) = (&ready, &self.guards) {
                        told.send_replace(guards);
                    }
                    ready
                }
                // Faults in files are no reason to let teams wait for their documents.
                Err(faults) if of_documents => {
                    let (settings, files) = (self.settings.clone(), self.files.good.clone());
                    let book = rules::load_texts(&files).book.unwrap_or_default();
                    again = Some(Instant::now() + AGAIN);
                    tracing::warn!(
                        "documents of the cluster are taken up beside files as they were: {}",
                        faults.join("; ")
                    );
                    self.make_ready(settings, files, book).await
                }
                Err(faults) => Err(NotNow::Refused(faults)),
            };
            let same = before == (self.settings.clone(), Arc::clone(&self.book));
            let (digest, update) = match ready {
                // Documents count by what they come to: one that is refused, or was only written again, changes nothing.
                Ok(update)
                    if same
                        && !update.changes_channels()
                        && (digest == last || !(of_files || forced || due)) =>
                {
                    last = digest;
                    self.metrics.config.loaded(Timestamp::now());
                    continue;
                }
                Ok(mut update) => {
                    self.metrics.config.loaded(Timestamp::now());
                    if let Reload::Loaded(loaded) = &mut update.reload {
                        loaded.digest.clone_from(&digest);
                    }
                    (digest, update)
                }
                Err(NotNow::Later(reason)) => {
                    tracing::warn!("changed rules or settings are not in use yet: {reason:#}");
                    again = Some(Instant::now() + AGAIN);
                    continue;
                }
                Err(NotNow::Lacking(faults)) => {
                    again = Some(Instant::now() + AGAIN);
                    self.refuse(&digest, &faults)
                }
                Err(NotNow::Refused(faults)) => self.refuse(&digest, &faults),
            };
            if digest == last && update.places.is_none() {
                continue;
            }
            last = digest;
            tokio::select! {
                () = stop.cancelled() => return,
                sent = self.kept.updates.send(update) => if sent.is_err() { return },
            }
        }
    }

    fn refuse(&self, digest: &str, faults: &[String]) -> (String, Update) {
        self.metrics.config.refused();
        let total = faults.len();
        let mut faults: Vec<String> = faults
            .iter()
            .take(MOST_FAULTS)
            .map(|fault| short(fault, LONGEST_FAULT))
            .collect();
        if total > faults.len() {
            faults.push(format!("and {} more", total - faults.len()));
        }
        let mut hash = Sha256::new();
        hash.update(digest);
        for fault in &faults {
            hash.update(fault);
        }
        let digest = hex(&hash.finalize());
        let refused = Refused {
            digest: digest.clone(),
            faults,
        };
        let update = Update {
            reload: Reload::Refused(refused),
            places: None,
        };
        (digest, update)
    }

    /// Whether the files have changed; on a thread of its own, for a file system may hang.
    async fn look(&mut self) -> bool {
        let paths = paths(self.files.config.as_ref(), &self.settings);
        let mut changes = std::mem::take(&mut self.files.changes);
        let looked = tokio::task::spawn_blocking(move || {
            let changed = changes.look(&paths);
            (changes, changed)
        });
        match looked.await {
            Ok((changes, changed)) => {
                self.files.changes = changes;
                changed
            }
            Err(_) => false,
        }
    }

    async fn read(&self) -> Option<Read> {
        let (config, flags) = (self.files.config.clone(), self.files.flags.clone());
        tokio::task::spawn_blocking(move || read(config.as_deref(), &flags))
            .await
            .ok()
    }

    fn documents_have_changed(&self) -> bool {
        let Some(documents) = &self.documents else {
            return false;
        };
        documents.report(&self.ops);
        documents.have_changed()
    }

    /// Makes everything that is new or has changed; what holds now is replaced only when all of it is there.
    async fn make_ready(
        &mut self,
        mut new: Settings,
        files: Vec<SourceFile>,
        book: RuleBook,
    ) -> Result<Update, NotNow> {
        let need_restart = new.keep_what_needs_a_restart(&self.settings);
        let missing = super::missing(&self.client, &new, &book, &self.namespace)
            .await
            .map_err(NotNow::Later)?;
        if !missing.is_empty() {
            let faults = missing
                .iter()
                .map(|missing| format!("this agent lacks a right in the cluster: {missing}"))
                .collect();
            return Err(NotNow::Lacking(faults));
        }
        let book = match &mut self.documents {
            Some(documents) => documents.load(&new, &files).await.map_err(NotNow::Later)?,
            None => book,
        };
        let book = self.share.book(book);
        let kinds = sources::kinds(&book, new.source);
        let mut there = self.kept.sources.clone();
        let moved = new.prometheus != self.settings.prometheus;
        if moved {
            there.remove(&recant_core::rule::SourceKind::Prometheus);
        }
        let unusable = |error: anyhow::Error| NotNow::Refused(vec![format!("{error:#}")]);
        let ranges = super::api::ranges(new.prometheus.as_ref()).map_err(unusable)?;
        let sources = sources::sources(&new, &kinds, &there, &self.kept.secrets, &self.cluster)
            .map_err(unusable)?;
        for kind in kinds {
            self.metrics.source.begin(kind);
        }
        // Read anew each time: the files in the folder may have changed, and the setting not.
        let templates = parts::templates(&new)
            .map_err(|errors| NotNow::Refused(errors.iter().map(ToString::to_string).collect()))?;
        let same_templates = templates == self.kept.templates;
        let mut channels = BTreeSet::new();
        let mut notifiers = std::collections::BTreeMap::new();
        for (name, channel) in &book.channels {
            if self.book.channels.get(name) == Some(channel) && same_templates {
                channels.insert(name.clone());
            } else {
                let notifier = notifier(channel, &self.kept.http, &self.kept.secrets, &templates);
                notifiers.insert(name.clone(), notifier);
            }
        }
        self.kept
            .kill_switch
            .store(new.guards.kill_switch, Ordering::Relaxed);
        let askable =
            silences::askable(book.channels.values(), &self.kept.http, &self.kept.secrets);
        self.kept.silences.send_replace(askable);
        if let (true, Some(kayenta)) = (moved, &self.kayenta) {
            kayenta.ask(ranges);
        }
        self.kept.sources.clone_from(&sources);
        self.kept.templates = templates;
        let update = Update {
            reload: Reload::Loaded(Box::new(Loaded {
                book: book.clone(),
                settings: parts::engine_settings(&new),
                digest: String::new(),
                need_restart: need_restart.into_iter().map(str::to_owned).collect(),
            })),
            places: Some(Places {
                sources,
                endpoints: agent::endpoints(book.watches.iter()),
                targets: book
                    .watches
                    .iter()
                    .map(|watch| watch.target.clone())
                    .collect(),
                places: book.places(),
                channels,
                notifiers,
            }),
        };
        self.settings = new;
        self.files.good = files;
        self.book = Arc::new(book);
        Ok(update)
    }
}

/// Why what was read is not taken.
enum NotNow {
    Refused(Vec<String>),
    /// Rights, which may be granted without any file changing.
    Lacking(Vec<String>),
    /// It could not be found out.
    Later(anyhow::Error),
}

fn read(config: Option<&Path>, flags: &Flags) -> Read {
    let mut hash = Sha256::new();
    let settings = match settings::load(config, std::env::vars(), flags) {
        Ok(settings) => settings,
        Err(errors) => {
            let faults: Vec<String> = errors.iter().map(ToString::to_string).collect();
            for fault in &faults {
                hash.update(fault);
            }
            return Read {
                digest: hex(&hash.finalize()),
                found: Err(faults),
            };
        }
    };
    let (files, loaded) = rules::load_files(&settings.rules);
    hash.update(format!("{settings:?}"));
    let mut add = |text: &str| {
        hash.update((text.len() as u64).to_be_bytes());
        hash.update(text);
    };
    for file in &files {
        add(&file.name);
        add(&file.text);
    }
    // What could not be read is only there.
    for diagnostic in &loaded.diagnostics {
        add(&diagnostic.to_string());
    }
    let found = match loaded.book {
        Some(book) if book.watches_nothing() && !settings.resources.enabled => Err(vec![
            "the rules hold no Watch, so there would be nothing to do".to_owned(),
        ]),
        Some(book) => Ok((settings, files, book)),
        None => Err(loaded
            .diagnostics
            .iter()
            .filter(|found| found.severity == Severity::Error)
            .map(in_one_line)
            .collect()),
    };
    Read {
        digest: hex(&hash.finalize()),
        found,
    }
}

/// `rules/a.yaml:3:5: there is no field `maxx`: did you mean `max`?`
fn in_one_line(found: &Diagnostic) -> String {
    let place = found.place.as_ref().map_or_else(String::new, |place| {
        format!(":{}:{}", place.line, place.column)
    });
    let help = found
        .help
        .as_ref()
        .map_or_else(String::new, |help| format!(" ({help})"));
    format!("{}{place}: {}{help}", found.file, found.message)
}

fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        // Text takes whatever is written to it.
        write!(text, "{byte:02x}").unwrap_or_default();
    }
    text
}
