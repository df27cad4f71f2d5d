//! Assembles the agent from the settings: sources, executor, outbox, engine.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use jiff::SignedDuration;
use secrecy::SecretString;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use recant_core::engine::{Engine, EngineSettings};
use recant_core::guard::GuardSettings;
use recant_core::rule::{RuleBook, SecretRef, SourceKind};

use super::opening::Opened;
use crate::actuate::{self, Executor, Gate, Permit};
use crate::agent::{self, Watching};
use crate::clock;
use crate::cluster::kubernetes::KubernetesCluster;
use crate::cluster::kubernetes::lease::{self, LeaseState};
use crate::config::settings::{PrometheusSettings, Settings};
use crate::http::Ops;
use crate::http::metrics::Metrics;
use crate::notify::client::HttpClient;
use crate::notify::notifier;
use crate::notify::outbox::{Outbox, Patience};
use crate::notify::secrets::{KubernetesSecrets, Secrets};
use crate::notify::templates::Templates;
use crate::source::Source;
use crate::source::prometheus::{Auth, Credential, Prometheus, PrometheusOptions};
use crate::source::scrape::{Scrape, ScrapeOptions};

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
    refuse_values(book)?;
    let kinds: BTreeSet<SourceKind> = book
        .watches
        .iter()
        .map(|watch| watch.source.unwrap_or(settings.source))
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
        sources: sources(settings, &kinds)?,
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

/// Rules about values can be written and checked, and cannot be answered yet: better no start than a rule that never
/// decides.
fn refuse_values(book: &RuleBook) -> anyhow::Result<()> {
    for watch in &book.watches {
        let always = watch.always.iter().map(|always| &always.rule);
        let mut rules = watch.rules.iter().chain(always);
        if let Some(rule) = rules.find(|rule| rule.counts().is_none()) {
            anyhow::bail!(
                "watch `{}`: rule `{}` reads a value, and this version judges shares and quantiles only: \
                 leave the rule out",
                watch.name,
                rule.name
            );
        }
    }
    Ok(())
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

pub(in crate::cli) fn sources(
    settings: &Settings,
    kinds: &BTreeSet<SourceKind>,
) -> anyhow::Result<BTreeMap<SourceKind, Arc<dyn Source>>> {
    let mut sources: BTreeMap<SourceKind, Arc<dyn Source>> = BTreeMap::new();
    for kind in kinds {
        let source: Arc<dyn Source> = match kind {
            SourceKind::Prometheus => {
                let prometheus = settings.prometheus.as_ref().context(
                    "a watch says `source: prometheus`, and no address is set: give `prometheus.url`",
                )?;
                Arc::new(Prometheus::new(options(prometheus)?, clock::system())?)
            }
            SourceKind::Scrape => Arc::new(Scrape::new(ScrapeOptions::default(), clock::system())?),
            SourceKind::Kubernetes | SourceKind::HttpJson | SourceKind::Redis => {
                anyhow::bail!(
                    "no source answers the questions of a rule: this is a fault of Recant"
                )
            }
        };
        sources.insert(*kind, source);
    }
    Ok(sources)
}

fn options(settings: &PrometheusSettings) -> anyhow::Result<PrometheusOptions> {
    let PrometheusSettings {
        url,
        timeout,
        pod_label,
        namespace_label,
        ca_file,
        bearer,
        basic,
    } = settings;
    let mut options = PrometheusOptions::new(url.clone());
    options.timeout = *timeout;
    options.pod_label.clone_from(pod_label);
    options.namespace_label.clone_from(namespace_label);
    if let Some(path) = ca_file {
        let pem = std::fs::read(path)
            .with_context(|| format!("reading `prometheus.caFile` {}", path.display()))?;
        options.ca = Some(pem);
    }
    options.auth = match (bearer, basic) {
        (Some(bearer), _) => Auth::Bearer(credential(bearer.clone())),
        (None, Some((user, password))) => Auth::Basic {
            user: user.clone(),
            password: credential(password.clone()),
        },
        (None, None) => Auth::None,
    };
    Ok(options)
}

/// Read anew each time, so that a rotated secret is followed.
fn credential(reference: SecretRef) -> Credential {
    Arc::new(move || {
        let text = match &reference {
            SecretRef::Env(name) => std::env::var(name)
                .map_err(|_| format!("the environment variable `{name}` is not set"))?,
            SecretRef::File(path) => std::fs::read_to_string(path)
                .map_err(|error| format!("the file `{path}` cannot be read: {error}"))?,
            SecretRef::KubernetesSecret { name, key: _ } => {
                return Err(format!("the Secret `{name}` must be mounted as a file"));
            }
        };
        Ok(SecretString::from(
            text.trim_end_matches(['\r', '\n']).to_owned(),
        ))
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
