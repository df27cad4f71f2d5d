//! Starts traces, where a collector is named: by our settings, or by the variables that all programs know.

use anyhow::Context as _;
use secrecy::SecretString;

use crate::config::settings::OtelSettings;
use crate::telemetry::{Options, Telemetry};

use super::sources::credential;

/// `None`: nothing is traced.
pub(super) fn start(settings: &OtelSettings) -> anyhow::Result<Option<Telemetry>> {
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let named = [
        "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
        "OTEL_EXPORTER_OTLP_ENDPOINT",
    ]
    .into_iter()
    .any(|name| variable(name).is_some());
    let disabled = variable("OTEL_SDK_DISABLED").is_some_and(|value| value == "true");
    if settings.endpoint.is_none() && (!named || disabled) {
        return Ok(None);
    }
    let headers: Option<SecretString> = match &settings.headers {
        None => None,
        Some(reference) => {
            let headers = credential(reference.clone())().map_err(anyhow::Error::msg);
            Some(headers.context("reading `otel.headers`")?)
        }
    };
    let service = settings
        .service_name
        .clone()
        .or_else(|| variable("OTEL_SERVICE_NAME"))
        .unwrap_or_else(|| "recant".to_owned());
    let telemetry = Telemetry::start(Options {
        endpoint: settings.endpoint.clone(),
        service,
        headers,
        ratio: settings.ratio,
    })?;
    Ok(Some(telemetry))
}
