//! Whether a channel can be reached, without sending a message: its address can be read and is one, its host has a
//! name, takes connections and speaks TLS that we trust.
//!
//! It asks for the root page with HEAD, a method that changes nothing (RFC 9110, 9.2.1), so that proxies and
//! certificates are those of a message. The secret part of the address is not sent. Any answer will do; but an
//! Alertmanager must say its status.

use std::time::Duration;

use reqwest::{Url, redirect};
use secrecy::{ExposeSecret as _, SecretString};

use recant_core::rule::{Channel, ChannelKind, SecretRef};

use super::NotifyError;
use crate::secrets::{Secrets, place};

/// By when the host has answered.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Looks at channels from afar.
#[derive(Debug, Clone)]
pub struct Reach {
    client: reqwest::Client,
    secrets: Secrets,
}

impl Reach {
    /// Reads addresses with `secrets`.
    ///
    /// # Errors
    /// The system's certificates cannot be loaded.
    pub fn new(secrets: Secrets) -> Result<Self, reqwest::Error> {
        crate::tls::install();
        let client = reqwest::Client::builder()
            .user_agent(concat!("recant/", env!("CARGO_PKG_VERSION")))
            .timeout(TIMEOUT)
            .redirect(redirect::Policy::none())
            .build()?;
        Ok(Self { client, secrets })
    }

    /// The host that answered.
    ///
    /// # Errors
    /// The address cannot be read or is none, nobody answers there, or it is no Alertmanager that should be one.
    pub async fn reach(&self, channel: &Channel) -> Result<String, NotifyError> {
        let Channel { name: _, kind, url } = channel;
        let address = self.secrets.resolve(url).await?;
        match kind {
            ChannelKind::Slack | ChannelKind::Webhook | ChannelKind::Teams => {
                // All but the origin may be secret.
                let origin = parse(&address, url)?.origin().ascii_serialization();
                let target = parse(&SecretString::from(origin), url)?;
                self.send(self.client.head(target.clone()), &target)
                    .await
                    .map(|_| host(&target))
            }
            ChannelKind::Alertmanager { labels: _, bearer } => {
                self.alertmanager(&address, url, bearer.as_ref()).await
            }
        }
    }

    /// An Alertmanager can be asked for its status, which tells it from whatever else may answer.
    async fn alertmanager(
        &self,
        address: &SecretString,
        reference: &SecretRef,
        bearer: Option<&SecretRef>,
    ) -> Result<String, NotifyError> {
        let mut target = parse(address, reference)?;
        let path = format!("{}/api/v2/status", target.path().trim_end_matches('/'));
        target.set_path(&path);
        let mut request = self.client.get(target.clone());
        if let Some(bearer) = bearer {
            let token = self.secrets.resolve(bearer).await?;
            request = request.bearer_auth(token.expose_secret());
        }
        let answer = self.send(request, &target).await?;
        let host = host(&target);
        match answer.status().as_u16() {
            200..=299 => Ok(host),
            status @ 300..=399 => Err(NotifyError::Redirected { host, status }),
            status @ 500.. => Err(NotifyError::Failing {
                host,
                status,
                retry_after: None,
            }),
            status => Err(NotifyError::Refused {
                host,
                status,
                answer: "an Alertmanager answers 200 to `GET /api/v2/status`".to_owned(),
            }),
        }
    }

    async fn send(
        &self,
        request: reqwest::RequestBuilder,
        target: &Url,
    ) -> Result<reqwest::Response, NotifyError> {
        request
            .send()
            .await
            .map_err(|error| NotifyError::Unreachable {
                host: host(target),
                reason: super::client::describe(error),
            })
    }
}

fn parse(address: &SecretString, reference: &SecretRef) -> Result<Url, NotifyError> {
    Url::parse(address.expose_secret())
        .ok()
        .filter(|url| matches!(url.scheme(), "http" | "https"))
        .ok_or_else(|| NotifyError::Address {
            place: place(reference),
        })
}

fn host(url: &Url) -> String {
    match (url.host_str(), url.port()) {
        (Some(host), Some(port)) => format!("{host}:{port}"),
        (Some(host), None) => host.to_owned(),
        (None, _) => "the receiver".to_owned(),
    }
}
