//! The part of a round that is about now: the ordinary agent, until there is nothing left to do.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use anyhow::Context as _;
use tokio::sync::mpsc;
use tokio::time::sleep_until;
use tokio_util::sync::CancellationToken;

use recant_core::engine::Engine;
use recant_core::rule::SourceKind;

use super::Desk;
use crate::actuate::{self, Executor};
use crate::agent;
use crate::cli::first_news::Primed;
use crate::cli::once::sampled::Sampling;
use crate::cli::once::verdict::Round;
use crate::cli::once::watching::{Seen, Watching};
use crate::cli::run::parts;
use crate::clock;
use crate::cluster::kubernetes::lease::Term;
use crate::http::metrics::Metrics;
use crate::journal::JournalError;
use crate::journal::config_map::ConfigMapJournal;
use crate::notify::client::HttpClient;
use crate::notify::notifier;
use crate::notify::outbox::{Outbox, Patience};
use crate::secrets::Secrets;
use crate::source::Source;

/// What the agent goes on with when the past has been judged.
pub(super) struct Ready<'a> {
    pub(super) journal: ConfigMapJournal,
    pub(super) engine: Engine,
    pub(super) sources: BTreeMap<SourceKind, Arc<dyn Source>>,
    pub(super) secrets: &'a Secrets,
    pub(super) cluster: Primed,
    pub(super) seen: Seen,
}

impl Desk<'_> {
    /// The ordinary agent, until there is nothing left to do.
    pub(super) async fn go_on(&self, term: &Term, ready: Ready<'_>) -> anyhow::Result<Round> {
        let Ready {
            journal,
            engine,
            sources,
            secrets,
            cluster,
            seen,
        } = ready;
        let settings = &self.task.settings;
        let metrics = Metrics::default();
        let clock = clock::system();
        let cluster = Arc::new(cluster);
        let gate = parts::gate(
            Arc::new(AtomicBool::new(settings.guards.kill_switch)),
            term.clone(),
        );
        let (outcomes_in, outcomes) = mpsc::unbounded_channel();
        let executor = Executor::start(
            actuate::Parts {
                cluster: cluster.clone(),
                gate: gate.clone(),
                webhooks: parts::webhooks(settings, secrets)?,
                clock: clock.clone(),
                at_once: parts::PLANS_AT_ONCE,
            },
            outcomes_in,
        );
        let http = HttpClient::new().context("making the HTTP client of the channels")?;
        let templates =
            parts::templates(settings).map_err(|errors| parts::unusable_templates(&errors))?;
        let notifiers = self
            .book
            .channels
            .iter()
            .map(|(name, channel)| (name.clone(), notifier(channel, &http, secrets, &templates)))
            .collect();
        let (outbox, deliveries) =
            Outbox::start(notifiers, &Patience::default(), metrics.notify.clone());
        // Nothing is read again within a round.
        let (_no_updates, updates) = mpsc::channel(1);
        let stop = CancellationToken::new();
        let wait = self.task.wait.map(|_| self.deadline - self.task.deadline);
        let parts = agent::Parts {
            engine,
            journal: Box::new(journal.clone()),
            sources,
            endpoints: BTreeMap::new(),
            cluster,
            executor,
            gate,
            outcomes,
            outbox,
            deliveries,
            updates,
            // Nobody reports to a round.
            reports: mpsc::channel(1).1,
            orders: mpsc::channel(1).1,
            links: None,
            silences: mpsc::channel(1).1,
            acting: None,
            observer: Box::new(Watching::new(
                seen.clone(),
                stop.clone(),
                wait,
                Sampling::new(&self.book),
            )),
            clock,
            interval: settings.interval.min(Duration::from_secs(1)),
        };
        let agent = Box::pin(agent::run(parts, stop.clone()));
        let cut = self.until_done(term, &seen, &stop, agent).await;
        self.conclude(&journal, &seen, cut)
    }

    /// Runs the agent; why it was ended before it was done, if so.
    async fn until_done(
        &self,
        term: &Term,
        seen: &Seen,
        stop: &CancellationToken,
        agent: impl Future<Output = Result<(), JournalError>>,
    ) -> Option<String> {
        tokio::pin!(agent);
        let mut ended = false;
        let cut = tokio::select! {
            result = &mut agent => {
                ended = true;
                result.err().map(|error| agent::with_causes(&error))
            }
            () = self.signalled.cancelled() => Some("it was told to end".to_owned()),
            () = sleep_until(self.deadline) => Some("its deadline came".to_owned()),
            () = term.ended() => Some(format!("the Lease `{}` was lost", self.task.state)),
        };
        if cut.is_some() && !ended {
            stop.cancel();
            // Why it was cut is told.
            drop(agent.await);
        }
        cut.filter(|_| !seen.done())
            .map(|why| format!("{why}; what was left over goes on at the next run"))
    }
}
