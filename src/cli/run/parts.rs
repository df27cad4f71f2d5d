//! Assembles the agent from the settings: sources, executor, outbox, engine.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use jiff::SignedDuration;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use recant_core::engine::{Engine, EngineSettings};
use recant_core::guard::GuardSettings;
use recant_core::rule::{RuleBook, SourceKind};

use super::opening::Opened;
use super::sources::sources;
use crate::actuate::{self, Executor, Gate, Permit};
use crate::agent::{self, Watching};
use crate::clock;
use crate::cluster::kubernetes::KubernetesCluster;
use crate::cluster::kubernetes::lease::{self, LeaseState};
use crate::config::settings::Settings;
use crate::http::Ops;
use crate::http::metrics::Metrics;
use crate::notify::client::HttpClient;
use crate::notify::notifier;
use crate::notify::outbox::{Outbox, Patience};
use crate::notify::templates::Templates;
use crate::secrets::{KubernetesSecrets, Secrets};

/// Plans under way at once.
pub(in crate::cli) const PLANS_AT_ONCE: usize = 4;

/// What the agent reaches the cluster with.
pub(super) struct Outside {
    pub(super) client: kube::Client,
    pub(super) namespace: String,
    pub(super) lease: watch::Receiver<LeaseState>,
}

pub(super) fn assemble(
    settings: &Settings,
    book: &RuleBook,
    metrics: &Metrics,
    ops: &Ops,
    opened: Opened,
    outside: Outside,
    cluster: &Arc<KubernetesCluster>,
) -> anyhow::Result<agent::Parts> {
    let Outside {
        client,
        namespace,
        lease,
    } = outside;
    let Opened { journal, ledger } = opened;
    let kinds: BTreeSet<SourceKind> = book
        .watches
        .iter()
        .flat_map(|watch| watch.sources(settings.source))
        .collect();
    for kind in &kinds {
        metrics.source.begin(*kind);
    }
    let clock = clock::system();
    let (outcomes_in, outcomes) = mpsc::unbounded_channel();
    let gate = gate(settings, lease);
    let executor = Executor::start(
        actuate::Parts {
            cluster: cluster.clone(),
            gate: gate.clone(),
            clock: clock.clone(),
            at_once: PLANS_AT_ONCE,
        },
        outcomes_in,
    );
    let http = HttpClient::new().context("making the HTTP client of the channels")?;
    let secrets = Secrets::in_cluster(Arc::new(KubernetesSecrets::new(client, &namespace)));
    let templates = templates(settings)?;
    let notifiers = book
        .channels
        .iter()
        .map(|(name, channel)| (name.clone(), notifier(channel, &http, &secrets, &templates)))
        .collect();
    let (outbox, deliveries) =
        Outbox::start(notifiers, &Patience::default(), metrics.notify.clone());
    let engine_settings = EngineSettings {
        guards: GuardSettings {
            cool_down: span(settings.cool_down),
            actions_per_hour: settings.actions_per_hour,
            dry_run: settings.dry_run,
            kill_switch: settings.kill_switch,
        },
        source: settings.source,
        interval: span(settings.interval),
        ends_unwatched: true,
    };
    Ok(agent::Parts {
        engine: Engine::new(book, engine_settings, ledger),
        journal: Box::new(journal),
        sources: sources(settings, &kinds, &secrets, cluster)?,
        endpoints: book
            .watches
            .iter()
            .filter_map(|watch| Some((watch.target.clone(), watch.scrape.clone()?)))
            .collect(),
        cluster: cluster.clone(),
        executor,
        gate,
        outcomes,
        outbox,
        deliveries,
        observer: Box::new(Watching::new(metrics.clone(), ops.clone())),
        clock,
        interval: settings.interval.min(Duration::from_secs(1)),
    })
}

/// The shipped message templates, or those of the folder that the settings name.
pub(in crate::cli) fn templates(settings: &Settings) -> anyhow::Result<Templates> {
    let Some(folder) = &settings.templates else {
        return Ok(Templates::shipped());
    };
    Templates::load(folder).map_err(|errors| {
        let lines: Vec<String> = errors.iter().map(|error| format!("\n  {error}")).collect();
        anyhow::anyhow!("the message templates cannot be used:{}", lines.concat())
    })
}

pub(in crate::cli) fn gate(
    settings: &Settings,
    lease: watch::Receiver<LeaseState>,
) -> Arc<dyn Gate> {
    let kill_switch = settings.kill_switch;
    Arc::new(move || {
        if kill_switch {
            return Permit::Never {
                reason: "the kill switch is on in the settings".to_owned(),
            };
        }
        if lease::holds(&lease) {
            return Permit::Act;
        }
        Permit::Later {
            reason: "the Lease is not held".to_owned(),
        }
    })
}

pub(in crate::cli) fn span(duration: Duration) -> SignedDuration {
    SignedDuration::try_from(duration).unwrap_or(SignedDuration::MAX)
}

/// Keeps readiness current with what the watches of the cluster say.
pub(super) async fn report_watches(
    cluster: Arc<KubernetesCluster>,
    ops: Ops,
    stop: CancellationToken,
) {
    let mut every = tokio::time::interval(Duration::from_secs(1));
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = every.tick() => {}
        }
        let faults: Vec<String> = cluster
            .watches()
            .into_iter()
            .filter_map(|watch| {
                let problem = match watch.error {
                    Some(error) => error,
                    None if watch.synced => return None,
                    None => "not listed yet".to_owned(),
                };
                Some(format!(
                    "{} in `{}`: {problem}",
                    watch.resource, watch.namespace
                ))
            })
            .collect();
        if faults.is_empty() {
            ops.readiness.clear("cluster");
        } else {
            ops.readiness.block("cluster", faults.join("; "));
        }
    }
}
