//! What a `webhook` action calls.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::SecretRef;

/// One call by POST. What it says is put together when it is decided.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Webhook {
    pub url: WebhookUrl,
    /// Headers by their names in lower case; their values are secrets.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, SecretRef>,
    /// From the name lookup to the last byte of the answer; at most 10 s.
    pub timeout: Duration,
}

/// Where it goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum WebhookUrl {
    /// Without anything secret in it.
    Plain(String),
    /// Whoever knows the URL may call it.
    Secret(SecretRef),
}

impl Webhook {
    /// Every secret that it needs.
    pub fn secrets(&self) -> impl Iterator<Item = &SecretRef> {
        let url = match &self.url {
            WebhookUrl::Plain(_) => None,
            WebhookUrl::Secret(secret) => Some(secret),
        };
        url.into_iter().chain(self.headers.values())
    }

    /// Its Secrets are those of this namespace.
    pub(crate) fn belong_to(&mut self, namespace: &str) {
        let Self { url, headers, .. } = self;
        match url {
            WebhookUrl::Plain(_) => {}
            WebhookUrl::Secret(secret) => secret.belong_to(namespace),
        }
        for secret in headers.values_mut() {
            secret.belong_to(namespace);
        }
    }
}

impl fmt::Display for Webhook {
    /// Scheme and host, or where the URL is: the rest may be worth something to others.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.url {
            WebhookUrl::Plain(url) => {
                let mut parts = url.splitn(4, '/');
                let scheme = parts.next().unwrap_or_default();
                let host = parts.nth(1).unwrap_or_default();
                let host = host.split(['?', '#']).next().unwrap_or_default();
                write!(f, "{scheme}//{host}")
            }
            WebhookUrl::Secret(secret) => write!(f, "the URL in {secret}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_spoken_of_without_path_and_query() {
        for (url, shown) in [
            ("https://hooks.example/a/b?c=d", "https://hooks.example"),
            ("http://10.0.0.1:8080", "http://10.0.0.1:8080"),
            ("https://hooks.example?c=d", "https://hooks.example"),
        ] {
            let webhook = Webhook {
                url: WebhookUrl::Plain(url.to_owned()),
                headers: BTreeMap::new(),
                timeout: Duration::from_secs(5),
            };
            assert_eq!(webhook.to_string(), shown);
        }
    }
}
