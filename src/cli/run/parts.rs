//! Assembles the agent from the settings: sources, executor, outbox, engine.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::Context;
use jiff::SignedDuration;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use recant_core::engine::{Engine, EngineSettings};
use recant_core::rule::{RuleBook, SourceKind};
use recant_core::share::Acting;

use super::opening::Opened;
use super::places::Place;
use super::sources;
use crate::actuate::{self, Allowed, Executor, Gate, Permit, Webhooks};
use crate::agent::{self, Traced, Update, Watching};
use crate::clock;
use crate::cluster::kubernetes::KubernetesCluster;
use crate::cluster::kubernetes::lease::Term;
use crate::config::settings::Settings;
use crate::http::Ops;
use crate::http::approval::Links;
use crate::http::metrics::Metrics;
use crate::http::orders::Order;
use crate::http::reports::Reported;
use crate::notify::client::HttpClient;
use crate::notify::notifier;
use crate::notify::outbox::{Outbox, Patience};
use crate::notify::silences::{self, Askable};
use crate::notify::templates::{TemplateError, Templates};
use crate::secrets::{KubernetesSecrets, Secrets};
use crate::source::Source;
use crate::telemetry::Spans;

/// Plans under way at once.
pub(in crate::cli) const PLANS_AT_ONCE: usize = 4;

/// What the agent reaches the cluster with.
pub(super) struct Outside {
    pub(super) client: kube::Client,
    pub(super) namespace: String,
    pub(super) term: Term,
    /// Its name.
    pub(super) lease: String,
    /// Where the journal is.
    pub(super) place: Place,
    /// What the acting replica says; `None`: this one acts.
    pub(super) acting: Option<watch::Receiver<Option<Acting>>>,
    /// Where traces go.
    pub(super) spans: Option<Spans>,
    /// What others report.
    pub(super) reports: mpsc::Receiver<Reported>,
    /// What people order.
    pub(super) orders: mpsc::Receiver<Order>,
    /// Makes the links that messages carry.
    pub(super) links: Option<Links>,
}

/// What later changes of rules and settings are made ready with.
pub(super) struct Kept {
    pub(super) http: HttpClient,
    pub(super) secrets: Secrets,
    pub(super) templates: Templates,
    pub(super) sources: BTreeMap<SourceKind, Arc<dyn Source>>,
    pub(super) kill_switch: Arc<AtomicBool>,
    pub(super) updates: mpsc::Sender<Update>,
    /// Who is asked for silences.
    pub(super) silences: watch::Sender<Askable>,
}

pub(super) fn assemble(
    settings: &Settings,
    book: &RuleBook,
    metrics: &Metrics,
    ops: &Ops,
    opened: Opened,
    outside: Outside,
    cluster: &Arc<KubernetesCluster>,
) -> anyhow::Result<(agent::Parts, Kept)> {
    let Outside {
        client,
        namespace,
        term,
        lease: _,
        place: _,
        acting,
        spans,
        reports,
        orders,
        links,
    } = outside;
    let Opened {
        journal,
        ledger,
        last: _,
    } = opened;
    let spans = spans.map(|spans| spans.resuming(&ledger));
    let kinds = sources::kinds(book, settings.source);
    for kind in &kinds {
        metrics.source.begin(*kind);
    }
    let clock = clock::system();
    let (outcomes_in, outcomes) = mpsc::unbounded_channel();
    let kill_switch = Arc::new(AtomicBool::new(settings.guards.kill_switch));
    let gate = gate(kill_switch.clone(), term);
    let secrets = Secrets::in_cluster(Arc::new(KubernetesSecrets::new(client, &namespace)));
    let executor = Executor::start(
        actuate::Parts {
            cluster: cluster.clone(),
            gate: gate.clone(),
            webhooks: webhooks(settings, &secrets)?,
            clock: clock.clone(),
            at_once: PLANS_AT_ONCE,
        },
        outcomes_in,
    );
    let http = HttpClient::new().context("making the HTTP client of the channels")?;
    let templates = templates(settings).map_err(|errors| unusable_templates(&errors))?;
    let notifiers = book
        .channels
        .iter()
        .map(|(name, channel)| (name.clone(), notifier(channel, &http, &secrets, &templates)))
        .collect();
    let askable = silences::askable(book.channels.values(), &http, &secrets);
    let (ask_for_silences, silences) = silences::start(askable);
    let (outbox, deliveries) =
        Outbox::start(notifiers, &Patience::default(), metrics.notify.clone());
    let sources = sources::sources(settings, &kinds, &BTreeMap::new(), &secrets, cluster)?;
    // One at a time: the next is made ready when this one was taken up.
    let (updates_in, updates) = mpsc::channel(1);
    let kept = Kept {
        http,
        secrets,
        templates,
        sources: sources.clone(),
        kill_switch,
        updates: updates_in,
        silences: ask_for_silences,
    };
    let mut watching = Watching::new(metrics.clone(), ops.clone());
    let mut engine = Engine::new(book, engine_settings(settings), ledger);
    if acting.is_some() {
        watching = watching.one_of_several();
        engine = engine.among_shards();
    }
    let endpoints = agent::endpoints(engine.watches());
    let parts = agent::Parts {
        engine,
        journal,
        sources,
        endpoints,
        cluster: cluster.clone(),
        executor,
        gate,
        outcomes,
        outbox,
        deliveries,
        updates,
        reports,
        orders,
        links,
        silences,
        acting,
        observer: match spans {
            Some(spans) => Box::new(Traced::new(watching, spans)),
            None => Box::new(watching),
        },
        clock,
        interval: settings.interval.min(Duration::from_secs(1)),
    };
    Ok((parts, kept))
}

/// What the engine needs to know of the settings.
pub(in crate::cli) fn engine_settings(settings: &Settings) -> EngineSettings {
    EngineSettings {
        guards: settings.guards.clone(),
        source: settings.source,
        interval: span(settings.interval),
        on_request: settings.on_request,
        ends_unwatched: true,
    }
}

/// Calls the webhooks that the settings allow.
pub(in crate::cli) fn webhooks(settings: &Settings, secrets: &Secrets) -> anyhow::Result<Webhooks> {
    let allowed = Allowed {
        plain_http: settings.webhooks.plain_http,
        hosts: settings.webhooks.hosts.clone(),
    };
    Webhooks::new(secrets.clone(), allowed).context("making the HTTP client of the webhooks")
}

/// The shipped message templates, or those of the folder that the settings name.
pub(in crate::cli) fn templates(settings: &Settings) -> Result<Templates, Vec<TemplateError>> {
    match &settings.templates {
        Some(folder) => Templates::load(folder),
        None => Ok(Templates::shipped()),
    }
}

pub(in crate::cli) fn unusable_templates(errors: &[TemplateError]) -> anyhow::Error {
    let lines: Vec<String> = errors.iter().map(|error| format!("\n  {error}")).collect();
    anyhow::anyhow!("the message templates cannot be used:{}", lines.concat())
}

/// Without the Lease nothing is decided either, so that comes first: with the kill switch on it would be.
pub(in crate::cli) fn gate(kill_switch: Arc<AtomicBool>, term: Term) -> Arc<dyn Gate> {
    Arc::new(move || {
        if !term.holds() {
            return Permit::Later {
                reason: "the Lease is not held".to_owned(),
            };
        }
        if kill_switch.load(Ordering::Relaxed) {
            return Permit::Never {
                reason: "the kill switch is on in the settings".to_owned(),
            };
        }
        Permit::Act
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

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;
    use crate::cluster::kubernetes::lease::LeaseState;

    #[tokio::test(start_paused = true)]
    async fn whoever_lost_the_lease_waits_also_with_the_kill_switch_on() {
        let held = LeaseState::Held {
            until: Instant::now() + Duration::from_secs(4),
            term: 1,
        };
        let (_sender, state) = watch::channel(held);
        let term = Term::of(&state).expect("it is held");
        let kill_switch = Arc::new(AtomicBool::new(false));
        let gate = gate(Arc::clone(&kill_switch), term);
        assert!(matches!(gate.permit(), Permit::Act));
        kill_switch.store(true, Ordering::Relaxed);
        assert!(matches!(gate.permit(), Permit::Never { .. }));
        tokio::time::advance(Duration::from_secs(5)).await;
        assert!(matches!(gate.permit(), Permit::Later { .. }));
    }
}
