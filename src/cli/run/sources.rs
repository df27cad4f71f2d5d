//! The sources that the rules ask, made from the settings.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use anyhow::Context;
use secrecy::SecretString;

use recant_core::ids::TargetId;
use recant_core::rule::{RuleBook, SecretRef, SourceKind};

use crate::clock;
use crate::cluster::kubernetes::KubernetesCluster;
use crate::config::settings::{PrometheusSettings, Settings};
use crate::secrets::Secrets;
use crate::source::Source;
use crate::source::http_json::HttpJson;
use crate::source::kubernetes::Kubernetes;
use crate::source::prometheus::{Auth, Credential, Prometheus, PrometheusOptions};
use crate::source::redis::Redis;
use crate::source::scrape::{Scrape, ScrapeOptions};

/// The kinds that some rule asks.
pub(in crate::cli) fn kinds(book: &RuleBook, default: SourceKind) -> BTreeSet<SourceKind> {
    book.every_watch()
        .flat_map(|watch| watch.sources(default))
        .collect()
}

/// One of each kind that some rule asks; those in `there` are taken as they are, with all that they remember.
pub(in crate::cli) fn sources(
    settings: &Settings,
    kinds: &BTreeSet<SourceKind>,
    there: &BTreeMap<SourceKind, Arc<dyn Source>>,
    secrets: &Secrets,
    cluster: &Arc<KubernetesCluster>,
) -> anyhow::Result<BTreeMap<SourceKind, Arc<dyn Source>>> {
    let mut sources: BTreeMap<SourceKind, Arc<dyn Source>> = BTreeMap::new();
    for kind in kinds {
        if let Some(source) = there.get(kind) {
            sources.insert(*kind, source.clone());
            continue;
        }
        let source: Arc<dyn Source> = match kind {
            SourceKind::Prometheus => {
                let prometheus = settings.prometheus.as_ref().context(
                    "a watch says `source: prometheus` or has a `promql` rule, and no address is set: give `prometheus.url`",
                )?;
                Arc::new(Prometheus::new(options(prometheus)?, clock::system())?)
            }
            SourceKind::Scrape => Arc::new(Scrape::new(ScrapeOptions::default(), clock::system())?),
            SourceKind::Kubernetes => {
                let cluster = cluster.clone();
                let status = Arc::new(move |target: &TargetId| cluster.status(target));
                Arc::new(Kubernetes::new(status, clock::system()))
            }
            SourceKind::HttpJson => {
                let source = HttpJson::new(secrets.clone(), clock::system());
                Arc::new(source.context("making the HTTP client of `httpJson` rules")?)
            }
            SourceKind::Redis => Arc::new(Redis::new(secrets.clone(), clock::system())),
            SourceKind::Alerts => {
                hears_alerts(settings)?;
                continue;
            }
        };
        sources.insert(*kind, source);
    }
    Ok(sources)
}

/// Alerts are not asked for: they are reported to the API port.
fn hears_alerts(settings: &Settings) -> anyhow::Result<()> {
    settings.api.as_ref().map(|_| ()).context(
        "a rule is about an `alert`, and nobody can report one: set `api.address`, and make `/alertmanager/v1/webhook` \
         there a receiver of Alertmanager",
    )
}

pub(in crate::cli) fn options(settings: &PrometheusSettings) -> anyhow::Result<PrometheusOptions> {
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
pub(super) fn credential(reference: SecretRef) -> Credential {
    Arc::new(move || {
        let text = match &reference {
            SecretRef::Env(name) => std::env::var(name)
                .map_err(|_| format!("the environment variable `{name}` is not set"))?,
            SecretRef::File(path) => std::fs::read_to_string(path)
                .map_err(|error| format!("the file `{path}` cannot be read: {error}"))?,
            SecretRef::KubernetesSecret { name, .. } => {
                return Err(format!("the Secret `{name}` must be mounted as a file"));
            }
        };
        Ok(SecretString::from(
            text.trim_end_matches(['\r', '\n']).to_owned(),
        ))
    })
}
