//! Prometheus Alertmanager, API v2: a notice that fires becomes an alert, and one that resolves ends it.
//!
//! An alert is the same as long as its labels are, so they name the incident and nothing that changes in its course: no
//! revision, no text, and the severity of the problem instead of that of the message. Alertmanager forgets an alert five
//! minutes after it was last sent, unless it is told an end: ours is a day ahead of the last message about the incident,
//! so it goes on without being sent again, and is gone after a day at the latest. (Alertmanager keeps alerts in memory:
//! one that restarts has forgotten it too.) What only happened, and is at least a warning, becomes an alert that ends by
//! itself after a quarter of an hour; what is less raises none. An end of what never began notifies nobody, so it is sent
//! always: a beginning of unknown fate is ended too.
//!
//! The address is that of one replica. Of several each has to be told, by a channel of its own, and not through a load
//! balancer.

mod alert;
pub mod silences;

use std::collections::BTreeMap;

use async_trait::async_trait;
use jiff::Timestamp;
use reqwest::header::{AUTHORIZATION, HeaderName, HeaderValue};
use secrecy::{ExposeSecret, SecretString};

use recant_core::notice::Notice;
use recant_core::rule::SecretRef;

use super::client::HttpClient;
use super::templates::Templates;
use super::{Attempt, Notifier, NotifyError};
use crate::secrets::{Secrets, place};

pub use alert::render;

/// Where the alerts go, and what they have besides.
#[derive(Debug, Clone)]
pub struct Options {
    /// `http://alertmanager:9093`, with its path if it serves under one.
    pub address: SecretRef,
    pub bearer: Option<SecretRef>,
    pub labels: BTreeMap<String, String>,
}

/// One replica of Alertmanager.
#[derive(Debug)]
pub struct Alertmanager {
    client: HttpClient,
    secrets: Secrets,
    options: Options,
    templates: Templates,
}

impl Alertmanager {
    /// Address and token are read anew for every message.
    pub fn new(
        client: HttpClient,
        secrets: Secrets,
        options: Options,
        templates: Templates,
    ) -> Self {
        Self {
            client,
            secrets,
            options,
            templates,
        }
    }
}

#[async_trait]
impl Notifier for Alertmanager {
    async fn send(&self, notice: &Notice, _: Attempt) -> Result<(), NotifyError> {
        let Options {
            address,
            bearer,
            labels,
        } = &self.options;
        let Some(alert) = render(notice, Timestamp::now(), labels, &self.templates) else {
            return Ok(());
        };
        let base = self.secrets.resolve(address).await?;
        let header = authorization(&self.secrets, bearer.as_ref()).await?;
        let body = serde_json::Value::from(vec![alert])
            .to_string()
            .into_bytes();
        self.client
            .post(&alerts_of(&base), &place(address), header, body)
            .await?
            // What it says may repeat the address, which nobody may see.
            .into_success(|_| "is this the address of an Alertmanager with API v2, such as `http://alertmanager:9093`? Its log has the reason".to_owned())
            .map(drop)
    }
}

/// The header with the token, if one is needed.
async fn authorization(
    secrets: &Secrets,
    bearer: Option<&SecretRef>,
) -> Result<Option<(HeaderName, HeaderValue)>, NotifyError> {
    let Some(reference) = bearer else {
        return Ok(None);
    };
    let token = secrets.resolve(reference).await?;
    let value = HeaderValue::from_str(&format!("Bearer {}", token.expose_secret()));
    let mut value = value.map_err(|_| NotifyError::Token {
        place: place(reference),
    })?;
    value.set_sensitive(true);
    Ok(Some((AUTHORIZATION, value)))
}

/// The address of the alerts, whether or not what is configured says it already.
fn alerts_of(base: &SecretString) -> SecretString {
    const PATH: &str = "/api/v2/alerts";
    let base = base.expose_secret().trim_end_matches('/');
    let base = base.strip_suffix(PATH).unwrap_or(base);
    SecretString::from(format!("{base}{PATH}"))
}

#[cfg(test)]
mod tests;
