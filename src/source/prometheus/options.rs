//! How to reach a Prometheus and how its labels are named.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;

/// Gives a secret at the moment when it is needed, so that one that is exchanged is followed. Must not block for long.
/// The error says what is wrong without the secret.
pub type Credential = Arc<dyn Fn() -> Result<SecretString, String> + Send + Sync>;

/// Settings of the Prometheus source.
#[derive(Debug, Clone)]
pub struct PrometheusOptions {
    /// Base address, without `/api/v1` and without credentials: `http://prometheus.monitoring:9090`.
    pub url: String,
    pub auth: Auth,
    /// PEM bundle of the only authorities that are trusted; without it, those of the system.
    pub ca: Option<Vec<u8>>,
    /// Label that names the pod.
    pub pod_label: String,
    /// Label that names the namespace; `None` when the source has no such label.
    pub namespace_label: Option<String>,
    /// By when all answers of one look are here.
    pub timeout: Duration,
    /// Queries asked at once.
    pub concurrency: usize,
}

impl PrometheusOptions {
    /// The defaults for the Prometheus at this address.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            auth: Auth::None,
            ca: None,
            pod_label: "pod".to_owned(),
            namespace_label: Some("namespace".to_owned()),
            timeout: Duration::from_secs(5),
            concurrency: 8,
        }
    }
}

/// How we say who we are.
#[derive(Clone)]
pub enum Auth {
    None,
    Bearer(Credential),
    Basic { user: String, password: Credential },
}

impl fmt::Debug for Auth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "None",
            Self::Bearer(_) => "Bearer(…)",
            Self::Basic { .. } => "Basic(…)",
        })
    }
}

/// Settings with which no Prometheus can be asked.
#[derive(Debug, thiserror::Error)]
pub enum PrometheusOptionsError {
    #[error("`{0}` is no address of a Prometheus: give it as `http://host:port`")]
    Address(String),
    #[error(
        "the address of Prometheus holds a user or password: take them out and give them as credentials"
    )]
    CredentialsInAddress,
    #[error("the certificate authorities for Prometheus are no PEM bundle")]
    Authorities(#[source] reqwest::Error),
    #[error("the HTTP client for Prometheus cannot be built")]
    Client(#[source] reqwest::Error),
}

impl PrometheusOptionsError {
    /// Shows what was given only up to where a secret could begin.
    pub(super) fn address(given: &str) -> Self {
        let shown = if given.contains('@') {
            "…"
        } else {
            given.split(['?', '#']).next().unwrap_or_default()
        };
        Self::Address(shown.to_owned())
    }
}
