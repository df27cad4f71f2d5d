//! Calls of somebody outside: one POST, bounded in time and in what is read of the answer, without redirects, and with
//! errors that say neither address nor secret.
//!
//! What surely was not taken is tried again; what may have been taken is not: only a restart repeats it, with its key.

use std::error::Error as _;
use std::time::Duration;

use recant_core::change::ObjectState;
use recant_core::plan::{StepCommand, StepResult};
use recant_core::rule::{SecretRef, WebhookUrl};
use recant_core::webhook::WebhookCall;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::{StatusCode, Url, redirect};
use secrecy::ExposeSecret as _;

use super::Parts;
use crate::secrets::{SecretError, Secrets};

/// All secrets of one call are read within this time.
const READING: Duration = Duration::from_secs(10);
/// Of an answer; nothing is made of it, but some receivers mind when nobody listens.
const MOST_ANSWER: usize = 4096;
/// The same in every attempt for one step, also after a restart.
const KEY_HEADER: HeaderName = HeaderName::from_static("idempotency-key");

/// Which webhooks may be called.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Allowed {
    /// Without TLS, too.
    pub plain_http: bool,
    /// Only these hosts, as `hooks.example.org` or `*.example.org`; empty: all.
    pub hosts: Vec<String>,
}

/// Calls webhooks.
#[derive(Debug, Clone)]
pub struct Webhooks(Option<Caller>);

#[derive(Debug, Clone)]
struct Caller {
    client: reqwest::Client,
    secrets: Secrets,
    allowed: Allowed,
}

/// What came of one attempt.
#[derive(Debug)]
pub(super) enum Tried {
    Ended(StepResult),
    /// It surely was not taken, and may be next time.
    Again {
        reason: String,
    },
}

impl Webhooks {
    /// Nobody is called: a step that asks for it is refused.
    pub fn none() -> Self {
        Self(None)
    }

    /// Calls what is allowed, with secrets that are read for each call.
    ///
    /// # Errors
    /// When the system's certificates cannot be loaded.
    pub fn new(secrets: Secrets, allowed: Allowed) -> Result<Self, reqwest::Error> {
        crate::tls::install();
        let client = reqwest::Client::builder()
            .user_agent(concat!("recant/", env!("CARGO_PKG_VERSION")))
            .redirect(redirect::Policy::none())
            // A kept connection that is found dead would leave the fate of a call unknown.
            .pool_max_idle_per_host(0)
            .build()?;
        Ok(Self(Some(Caller {
            client,
            secrets,
            allowed,
        })))
    }
}

pub(super) async fn attempt(parts: &Parts, command: &StepCommand, call: &WebhookCall) -> Tried {
    let Some(caller) = &parts.webhooks.0 else {
        return refused("no webhook is called here".to_owned());
    };
    match parts.cluster.object(&call.about).await {
        Ok(found) => {
            if let Some(reason) = fenced(call, found.as_ref()) {
                return Tried::Ended(StepResult::Fenced { reason });
            }
        }
        Err(error) if error.retry() => {
            return Tried::Again {
                reason: error.to_string(),
            };
        }
        Err(error) => return refused(error.to_string()),
    }
    match tokio::time::timeout(READING, caller.ready(call)).await {
        Ok(Ok((url, headers))) => caller.call(command, call, url, headers).await,
        Ok(Err(tried)) => tried,
        Err(_) => Tried::Again {
            reason: "the secrets of the webhook could not be read in time".to_owned(),
        },
    }
}

/// Why nobody is called any more.
fn fenced(call: &WebhookCall, found: Option<&ObjectState>) -> Option<String> {
    let about = &call.about;
    let Some(found) = found else {
        return Some(format!("{about} does not exist any more"));
    };
    if found.uid() != call.uid {
        return Some(format!("{about} was deleted and created again"));
    }
    let place = found.kill_switch.as_ref()?;
    Some(format!(
        "the kill switch is on: annotation `recant.dev/kill-switch` of {place}"
    ))
}

impl Caller {
    /// Where it goes, with its headers, as far as that is allowed.
    async fn ready(&self, call: &WebhookCall) -> Result<(Url, HeaderMap), Tried> {
        let webhook = &call.called;
        let text = match &webhook.url {
            WebhookUrl::Plain(url) => url.clone(),
            WebhookUrl::Secret(secret) => self.read(secret).await?,
        };
        let url = Url::parse(&text)
            .ok()
            .filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
            .ok_or_else(|| refused(format!("{webhook} is no URL that can be called")))?;
        if let Some(reason) = self.allowed.refuses(&url) {
            return Err(refused(format!("{webhook}: {reason}")));
        }
        let mut headers = HeaderMap::new();
        for (name, secret) in &webhook.headers {
            let value = self.read(secret).await?;
            let name = HeaderName::from_bytes(name.as_bytes())
                .map_err(|_| refused(format!("`{name}` is no name of a header")))?;
            let mut value = HeaderValue::from_str(&value)
                .map_err(|_| refused(format!("{secret} cannot stand in the header `{name}`")))?;
            value.set_sensitive(true);
            headers.insert(name, value);
        }
        Ok((url, headers))
    }

    async fn read(&self, secret: &SecretRef) -> Result<String, Tried> {
        match self.secrets.resolve(secret).await {
            Ok(value) => Ok(value.expose_secret().to_owned()),
            Err(error @ SecretError::Unreadable { .. }) => Err(Tried::Again {
                reason: error.to_string(),
            }),
            Err(
                error @ (SecretError::Missing { .. }
                | SecretError::Empty { .. }
                | SecretError::NotText { .. }
                | SecretError::TooLong { .. }
                | SecretError::NoCluster { .. }),
            ) => Err(refused(error.to_string())),
        }
    }

    async fn call(
        &self,
        command: &StepCommand,
        call: &WebhookCall,
        url: Url,
        mut headers: HeaderMap,
    ) -> Tried {
        let webhook = &call.called;
        let key = WebhookCall::key(&command.plan, command.index);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if let Ok(value) = HeaderValue::from_str(&key) {
            headers.insert(KEY_HEADER, value);
        }
        let request = self
            .client
            .post(url)
            .timeout(webhook.timeout)
            .headers(headers)
            .body(call.body(&key, command.again).to_string());
        let response = match request.send().await {
            Ok(response) => response,
            Err(error) if error.is_connect() || error.is_builder() => {
                let reason = innermost(error);
                return Tried::Again {
                    reason: format!("{webhook} cannot be reached: {reason}"),
                };
            }
            Err(error) => {
                let reason = if error.is_timeout() {
                    format!("{webhook} did not answer within {:?}", webhook.timeout)
                } else {
                    format!("{webhook} gave no answer: {}", innermost(error))
                };
                return failed(&reason, &key);
            }
        };
        let status = response.status();
        listen(response).await;
        judge(call, status, &key, command.again)
    }
}

/// What the status of an answer means.
fn judge(call: &WebhookCall, status: StatusCode, key: &str, repeated: bool) -> Tried {
    let webhook = &call.called;
    let number = status.as_u16();
    match number {
        200..=299 => Tried::Ended(StepResult::Called {
            status: number,
            repeated,
        }),
        300..=399 => refused(format!(
            "{webhook} answered {number}, a redirect, which is not followed: give the address that it leads to"
        )),
        // It says itself that it has not taken it.
        408 | 425 | 429 | 503 => Tried::Again {
            reason: format!("{webhook} answered {number}"),
        },
        500.. => failed(&format!("{webhook} answered {number}"), key),
        _ => refused(format!("{webhook} answered {number}")),
    }
}

fn refused(reason: String) -> Tried {
    Tried::Ended(StepResult::Refused { reason })
}

fn failed(reason: &str, key: &str) -> Tried {
    Tried::Ended(StepResult::Failed {
        reason: format!(
            "{reason}; whether it did what it was asked is not known: ask it for `idempotency-key` {key}"
        ),
    })
}

async fn listen(mut response: reqwest::Response) {
    let mut heard = 0;
    while let Ok(Some(chunk)) = response.chunk().await {
        heard += chunk.len();
        if heard >= MOST_ANSWER {
            return;
        }
    }
}

/// The innermost cause says most, and none of them the address.
fn innermost(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut reason = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        reason = inner.to_string();
        source = inner.source();
    }
    reason
}

impl Allowed {
    fn refuses(&self, url: &Url) -> Option<String> {
        if url.scheme() != "https" && !self.plain_http {
            return Some(
                "it is called without TLS, which the settings do not allow: use `https://`, or set `webhooks.plainHttp: true`"
                    .to_owned(),
            );
        }
        let host = url.host_str().unwrap_or_default();
        let named = |allowed: &String| match allowed.strip_prefix("*.") {
            Some(domain) => host
                .strip_suffix(domain)
                .is_some_and(|rest| rest.ends_with('.')),
            None => host == allowed,
        };
        (!self.hosts.is_empty() && !self.hosts.iter().any(named))
            .then(|| "its host is not among `webhooks.hosts` of the settings".to_owned())
    }
}

#[cfg(test)]
mod tests;
