//! Starts the API port, when the settings give it an address.

use std::sync::Arc;

use anyhow::Context as _;
use async_trait::async_trait;
use tokio_util::sync::CancellationToken;

use recant_core::rule::SecretRef;

use super::sources;
use crate::clock;
use crate::config::settings::{ApiSettings, Settings};
use crate::http::Ops;
use crate::http::api::kayenta::{Kayenta, Ranges};
use crate::http::api::{self, Access, Api, Token};
use crate::http::certificate::Certificate;
use crate::http::metrics::Metrics;
use crate::http::reports::Reports;
use crate::http::serve::Server;
use crate::secrets::Secrets;
use crate::source::prometheus::{Prometheus, Series};

/// Listens, until it is shut down. `stop` ends what follows the files of tokens and certificate.
pub(super) async fn start(
    settings: &Settings,
    ops: &Ops,
    reports: Reports,
    metrics: &Metrics,
    stop: &CancellationToken,
) -> anyhow::Result<Option<Server>> {
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
        kayenta_folder,
    } = settings;
    let certificate = match tls {
        Some(files) => {
            let loaded = Certificate::load(files.certificate.clone(), files.key.clone()).await;
            let certificate = Arc::new(loaded.context("the API port")?);
            tokio::spawn(certificate.clone().follow(stop.clone()));
            Some(certificate)
        }
        None => None,
    };
    let access = Access {
        read: token(read_token.as_ref(), "api.readToken", stop).await?,
        hook: token(hook_token.as_ref(), "api.hookToken", stop).await?,
    };
    let scheme = if certificate.is_some() {
        "https"
    } else {
        "http"
    };
    let marker_key = token(marker_key.as_ref(), "api.markerKey", stop).await?;
    let ranges = match prometheus {
        Some(prometheus) => {
            let prometheus = Prometheus::new(sources::options(prometheus)?, clock::system())?;
            Some(Arc::new(Samples(prometheus)) as Arc<dyn Ranges>)
        }
        None => None,
    };
    let kayenta = Kayenta::new(ranges, kayenta_folder.clone())?;
    let api = Api::new(ops, reports, marker_key, kayenta);
    tokio::spawn(api.history().follow(ops.view.clone(), stop.clone()));
    let router = api.router(access, &metrics.api);
    let server = Server::start_with(*address, router, api::limits(), certificate).await?;
    tracing::info!("others may ask on {scheme}://{}", server.address());
    Ok(Some(server))
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
