//! Starts the API port, when the settings give it an address.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context as _;
use async_trait::async_trait;
use tokio_util::sync::CancellationToken;

use recant_core::rule::SecretRef;
use secrecy::{ExposeSecret as _, SecretString};

use super::sources;
use crate::clock;
use crate::cluster::kubernetes::{self, token_review};
use crate::config::callers;
use crate::config::settings::{ApiSettings, PrometheusSettings, Settings};
use crate::http::Ops;
use crate::http::api::kayenta::{Kayenta, Ranges};
use crate::http::api::{self, Access, Api, Rates, Reviewed, Reviewer, Reviews, Roster, Token};
use crate::http::approval::Links;
use crate::http::certificate::Certificate;
use crate::http::metrics::Metrics;
use crate::http::orders::Orders;
use crate::http::reports::Reports;
use crate::http::serve::Server;
use crate::secrets::Secrets;
use crate::source::prometheus::{Prometheus, Series};

/// The API port at work.
pub(super) struct Port {
    pub(super) server: Server,
    /// Asks another Prometheus when the settings do.
    pub(super) kayenta: Kayenta,
    /// Makes the links that messages carry.
    pub(super) links: Option<Links>,
}

/// Where the samples of Kayenta's judge come from.
///
/// # Errors
/// The settings of Prometheus cannot be used.
pub(super) fn ranges(
    prometheus: Option<&PrometheusSettings>,
) -> anyhow::Result<Option<Arc<dyn Ranges>>> {
    let Some(prometheus) = prometheus else {
        return Ok(None);
    };
    let prometheus = Prometheus::new(sources::options(prometheus)?, clock::system())?;
    Ok(Some(Arc::new(Samples(prometheus))))
}

/// Listens, until it is shut down. `stop` ends what follows the files of tokens and certificate.
pub(super) async fn start(
    settings: &Settings,
    ops: &Ops,
    (reports, orders): (Reports, Orders),
    metrics: &Metrics,
    stop: &CancellationToken,
) -> anyhow::Result<Option<Port>> {
    let prometheus = settings.prometheus.as_ref();
    let Some(settings) = &settings.api else {
        return Ok(None);
    };
    let ApiSettings {
        address,
        tls,
        read_token,
        hook_token,
        marker_key,
        callers,
        token_review,
        requests_per_second,
        approval,
        kayenta_folder,
    } = settings;
    let certificate = match tls {
        Some(files) => {
            let loaded = Certificate::load_with(
                files.certificate.clone(),
                files.key.clone(),
                files.client_authorities.clone(),
            )
            .await;
            let certificate = Arc::new(loaded.context("the API port")?);
            tokio::spawn(certificate.clone().follow(stop.clone()));
            Some(certificate)
        }
        None => None,
    };
    let access = Access {
        read: token(read_token.as_ref(), "api.readToken", stop).await?,
        hook: token(hook_token.as_ref(), "api.hookToken", stop).await?,
        roster: match callers {
            Some(path) => Some(roster(path.clone(), stop).await?),
            None => None,
        },
        reviews: if *token_review {
            let client = kubernetes::connect().await?;
            Some(Arc::new(Reviews::new(Kubernetes(client))))
        } else {
            None
        },
        rates: Arc::new(Rates::new(*requests_per_second)),
    };
    if certificate.is_none() && !address.ip().is_loopback() {
        tracing::warn!(
            "the API port {address} speaks plain HTTP: tokens can be listened to on the way; set `api.tls`"
        );
    }
    let scheme = if certificate.is_some() {
        "https"
    } else {
        "http"
    };
    let marker_key = token(marker_key.as_ref(), "api.markerKey", stop).await?;
    let links = match approval {
        Some((url, key)) => token(Some(key), "approval.key", stop)
            .await?
            .map(|key| Links::new(key, url)),
        None => None,
    };
    let kayenta = Kayenta::new(ranges(prometheus)?, kayenta_folder.clone())?;
    let api = Api::new(ops, reports, marker_key, kayenta.clone())
        .taking(orders)
        .linked(links.clone());
    tokio::spawn(api.history().follow(ops.view.clone(), stop.clone()));
    let router = api.router(&access, &metrics.api);
    let server = Server::start_with(*address, router, api::limits(), certificate).await?;
    tracing::info!("others may ask on {scheme}://{}", server.address());
    Ok(Some(Port {
        server,
        kayenta,
        links,
    }))
}

/// The Prometheus of the settings, as Kayenta's judge asks it.
#[derive(Debug)]
struct Samples(Prometheus);

#[async_trait]
impl Ranges for Samples {
    async fn range(
        &self,
        promql: &str,
        from: i64,
        to: i64,
        step: i64,
    ) -> Result<Vec<Series>, String> {
        self.0.series(promql, from, to, step).await
    }
}

/// The callers of a file, followed.
async fn roster(path: PathBuf, stop: &CancellationToken) -> anyhow::Result<Arc<Roster>> {
    let load = Arc::new(move || callers::read(&path).map_err(|error| error.to_string()));
    let roster = Roster::follow(load, Secrets::local(), stop.clone()).await;
    roster.map_err(|reason| anyhow::anyhow!("`api.callers`: {reason}"))
}

/// The API server, as the API port asks it.
struct Kubernetes(kube::Client);

impl std::fmt::Debug for Kubernetes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Kubernetes").finish_non_exhaustive()
    }
}

#[async_trait]
impl Reviewer for Kubernetes {
    async fn review(&self, token: &SecretString) -> Result<Reviewed, String> {
        match token_review::review(&self.0, token.expose_secret()).await {
            Ok(Ok(user)) => Ok(Reviewed::User(user)),
            Ok(Err(why)) => Ok(Reviewed::Nobody(why)),
            Err(error) => Err(error.to_string()),
        }
    }
}

async fn token(
    reference: Option<&SecretRef>,
    setting: &str,
    stop: &CancellationToken,
) -> anyhow::Result<Option<Arc<Token>>> {
    let Some(reference) = reference else {
        return Ok(None);
    };
    // Settings name variables and files only: no cluster is needed.
    let token = Token::follow(reference.clone(), Secrets::local(), stop.clone()).await;
    let token = token.with_context(|| format!("the secret of `{setting}`"))?;
    Ok(Some(token))
}
