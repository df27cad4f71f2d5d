//! One round: takes the Lease, takes up the state, judges what passed since the last look, and lets the agent go on
//! until there is nothing left to do.

mod access;
mod live;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, anyhow, bail};
use jiff::Timestamp;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use recant_core::engine::{Engine, EngineSettings};
use recant_core::ids::{TargetId, TargetKind};
use recant_core::rule::RuleBook;

use super::outside::Unusable;
use super::verdict::{Round, of_watches};
use super::watching::Seen;
use super::{Subject, Task};
use crate::agent;
use crate::cli::first_news::{self, Primed};
use crate::cli::past::{self, Past};
use crate::cli::run::{parts, sources};
use crate::cluster::kubernetes::config_map::ConfigMapObject;
use crate::cluster::kubernetes::lease::{self, Lease, LeaseSettings, LeaseState, Term};
use crate::cluster::kubernetes::{self, KubernetesCluster, has_rollout};
use crate::journal::Journal as _;
use crate::journal::config_map::ConfigMapJournal;
use crate::secrets::{KubernetesSecrets, Secrets};
use crate::source::Source;
use live::Ready;

/// A round that does not know what there is cannot look.
const PATIENCE: first_news::Patience = first_news::Patience {
    listed: Duration::from_secs(30),
    observed: Duration::from_secs(10),
};

/// What a round has in hand while it holds the Lease.
struct Desk<'a> {
    task: &'a Task,
    book: RuleBook,
    client: kube::Client,
    namespace: String,
    began: Timestamp,
    deadline: Instant,
    /// SIGTERM, SIGINT.
    signalled: CancellationToken,
}

/// Does the round.
///
/// # Errors
/// It could not look.
pub(super) async fn look(task: &Task) -> anyhow::Result<Round> {
    let began = Timestamp::now();
    let deadline = Instant::now() + task.wait.unwrap_or_default() + task.deadline;
    let signalled = CancellationToken::new();
    let mut terminate = signal(SignalKind::terminate()).context("listening for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("listening for SIGINT")?;
    let signals = signalled.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        signals.cancel();
    });
    let client = kubernetes::connect().await?;
    let own = client.default_namespace().to_owned();
    let namespace = task.settings.lease.namespace.clone().unwrap_or(own);
    let book = match &task.subject {
        Subject::Rules(book) => book.clone(),
        Subject::Environment(profile) => {
            let of_app = profile.namespace.as_ref().unwrap_or(&namespace);
            let kind = match has_rollout(&client, of_app, &profile.rollout()).await {
                Ok(true) => TargetKind::Rollout,
                Ok(false) => TargetKind::Deployment,
                Err(error) => {
                    return Err(anyhow!(error)
                        .context("looking whether the application is a Rollout or a Deployment"));
                }
            };
            profile.book(of_app, kind)?
        }
    };
    let desk = Desk {
        task,
        book,
        client,
        namespace,
        began,
        deadline,
        signalled,
    };
    desk.check_access().await?;
    Box::pin(desk.under_lease()).await
}

impl Desk<'_> {
    fn targets(&self) -> Vec<TargetId> {
        let watches = self.book.watches.iter();
        watches.map(|watch| watch.target.clone()).collect()
    }

    /// Takes the Lease, so that of overlapping runs one works at a time, and gives it back at the end.
    async fn under_lease(&self) -> anyhow::Result<Round> {
        let stop = CancellationToken::new();
        let lease = Lease::start(
            self.client.clone(),
            LeaseSettings {
                namespace: self.namespace.clone(),
                name: self.task.state.clone(),
                identity: lease::identity(),
                duration: self.task.settings.lease.duration,
            },
            &stop,
        );
        let result = match self.acquired(&lease).await {
            Ok(term) => Box::pin(self.work(&term)).await,
            Err(error) => Err(error),
        };
        stop.cancel();
        lease.released().await;
        result
    }

    async fn acquired(&self, lease: &Lease) -> anyhow::Result<Term> {
        let mut state = lease.state();
        let path = format!("{}/{}", self.namespace, self.task.state);
        let mut said = String::new();
        loop {
            if let Some(term) = Term::of(&state) {
                return Ok(term);
            }
            if let LeaseState::Waiting { reason } = &*state.borrow()
                && *reason != said
            {
                tracing::info!("waits for the Lease `{path}`: {reason}");
                said.clone_from(reason);
            }
            tokio::select! {
                () = self.signalled.cancelled() => bail!("it was told to end before it could begin"),
                () = sleep_until(self.deadline) => bail!(
                    "the Lease `{path}` could not be had within the deadline: {said}. Another run is at work; nothing \
                     was looked at"
                ),
                changed = state.changed() => changed.context("the Lease is not competed for any more")?,
            }
        }
    }

    async fn work(&self, term: &Term) -> anyhow::Result<Round> {
        let object = ConfigMapObject::new(self.client.clone(), &self.namespace, &self.task.state);
        let journal = ConfigMapJournal::open(object).await?;
        let targets = self.targets();
        let cluster_stop = CancellationToken::new();
        let cluster = Arc::new(KubernetesCluster::start(
            self.client.clone(),
            &targets,
            &cluster_stop,
        ));
        let worked = self.judge(term, journal, &cluster, &targets).await;
        cluster_stop.cancel();
        cluster.stopped().await;
        worked
    }

    async fn judge(
        &self,
        term: &Term,
        mut journal: ConfigMapJournal,
        cluster: &Arc<KubernetesCluster>,
        targets: &[TargetId],
    ) -> anyhow::Result<Round> {
        let settings = &self.task.settings;
        let news = tokio::select! {
            () = self.signalled.cancelled() => bail!("it was told to end before it had looked"),
            first = first_news::first_news(cluster, targets, PATIENCE) => match first.incomplete {
                None => first.news,
                Some(reason) => bail!(reason),
            },
        };
        let state = journal.state();
        let looked: BTreeMap<TargetId, Timestamp> = targets
            .iter()
            .filter_map(|target| Some((target.clone(), state.looked(target)?)))
            .collect();
        let mut engine = Engine::new(&self.book, self.engine_settings(), state.ledger);
        let kinds = sources::kinds(&self.book, settings.source);
        let secrets = Secrets::in_cluster(Arc::new(KubernetesSecrets::new(
            self.client.clone(),
            &self.namespace,
        )));
        let mut sources = sources::sources(settings, &kinds, &BTreeMap::new(), &secrets, cluster)?;
        let seen = Seen::new(&self.book);

        let now = Timestamp::now();
        let backs = engine.looks_back(now, &looked, None, &news);
        let mut answered = Past::new();
        let mut unusable = Vec::new();
        for kind in past::sources(&backs) {
            let Some(source) = sources.get(&kind) else {
                continue;
            };
            match past::read(source, kind, &backs, now).await {
                Ok(answers) => {
                    for (at, answers) in answers {
                        answered.entry(at).or_default().extend(answers);
                    }
                }
                Err(error) => {
                    tracing::error!("the time since the last look cannot be read: {error}");
                    let source: Arc<dyn Source> = Arc::new(Unusable::from(error));
                    sources.insert(kind, source);
                    unusable.push(kind);
                }
            }
        }
        let backs = past::without(backs, &unusable);
        if !term.holds() {
            bail!("the Lease was lost while the past was read: nothing was decided");
        }
        let written = engine.look_back(now, backs, answered);
        for (at, records) in &written {
            seen.remember(*at, records);
        }
        journal.append_all(&written)?;
        let ready = Ready {
            journal,
            engine,
            sources,
            secrets: &secrets,
            cluster: Primed::new(cluster.clone(), news),
            seen,
        };
        self.go_on(term, ready).await
    }

    fn conclude(
        &self,
        journal: &ConfigMapJournal,
        seen: &Seen,
        cut: Option<String>,
    ) -> anyhow::Result<Round> {
        if let Some(reason) = seen.journal() {
            bail!("the state could not be written, so nothing was done: {reason}");
        }
        let snapshot = seen.snapshot().filter(|_| seen.looked());
        let Some(snapshot) = snapshot else {
            let why = cut.unwrap_or_else(|| "it ended early".to_owned());
            bail!("nothing was measured: {why}");
        };
        let blind = seen.blind();
        let unseen = |target: &TargetId| {
            let mut targets = snapshot.targets.iter();
            targets.any(|found| found.target == *target && !found.seen)
        };
        // What was not measured this time is read the next time.
        let looked: BTreeSet<TargetId> = self
            .targets()
            .into_iter()
            .filter(|target| !blind.contains_key(target) && !unseen(target))
            .collect();
        let looked: Vec<TargetId> = looked.into_iter().collect();
        if let Err(error) = journal.looked(&looked, self.began) {
            tracing::warn!(
                "when this look was could not be written down, so the next one reads the same time again: {}",
                agent::with_causes(&error)
            );
        }
        Ok(Round {
            began: self.began,
            ended: Timestamp::now(),
            watches: of_watches(&self.book, &snapshot, &seen.records(), &blind),
            cut,
            pending_notices: snapshot.pending_notices,
        })
    }

    fn engine_settings(&self) -> EngineSettings {
        EngineSettings {
            // Other runs of the namespace watch them.
            on_request: 0,
            ends_unwatched: false,
            ..parts::engine_settings(&self.task.settings)
        }
    }
}
