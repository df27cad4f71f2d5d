//! Channels, and where secrets are found.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::ids::ChannelName;

/// Where notices go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Channel {
    pub name: ChannelName,
    pub kind: ChannelKind,
    pub url: SecretRef,
}

impl Channel {
    /// Every secret that it needs.
    pub fn secrets(&self) -> impl Iterator<Item = &SecretRef> {
        let Self { name: _, kind, url } = self;
        let other = match kind {
            ChannelKind::Slack | ChannelKind::Webhook | ChannelKind::Teams => None,
            ChannelKind::Alertmanager { labels: _, bearer } => bearer.as_ref(),
        };
        std::iter::once(url).chain(other)
    }

    /// Its Secrets are those of this namespace.
    pub(crate) fn belong_to(&mut self, namespace: &str) {
        let Self { name: _, kind, url } = self;
        url.belong_to(namespace);
        match kind {
            ChannelKind::Slack | ChannelKind::Webhook | ChannelKind::Teams => {}
            ChannelKind::Alertmanager { labels: _, bearer } => {
                if let Some(bearer) = bearer {
                    bearer.belong_to(namespace);
                }
            }
        }
    }
}

/// The dialects of channels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChannelKind {
    /// Slack incoming webhook, Block Kit.
    Slack,
    /// JSON by POST.
    Webhook,
    /// Microsoft Teams by a Workflows webhook, Adaptive Card.
    Teams,
    /// Prometheus Alertmanager, API v2. The URL is that of one replica.
    Alertmanager {
        /// On every alert, besides our own.
        labels: BTreeMap<String, String>,
        /// Bearer token, for an Alertmanager behind a proxy that asks for one.
        bearer: Option<SecretRef>,
    },
}

/// Where a secret is found; never the secret itself (P10).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum SecretRef {
    Env(String),
    File(String),
    /// A Kubernetes Secret.
    KubernetesSecret {
        name: String,
        key: String,
        /// That of the document that names it; `None`: the agent's.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        namespace: Option<String>,
    },
}

impl fmt::Display for SecretRef {
    /// Where it is, for people; never what it is.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Env(name) => write!(f, "the environment variable `{name}`"),
            Self::File(path) => write!(f, "the file `{path}`"),
            Self::KubernetesSecret {
                name,
                key,
                namespace,
            } => {
                write!(f, "key `{key}` of the Kubernetes Secret `{name}`")?;
                match namespace {
                    Some(namespace) => write!(f, " in namespace `{namespace}`"),
                    None => Ok(()),
                }
            }
        }
    }
}

impl SecretRef {
    pub(crate) fn belong_to(&mut self, owner: &str) {
        match self {
            Self::KubernetesSecret { namespace, .. } => *namespace = Some(owner.to_owned()),
            Self::Env(_) | Self::File(_) => {}
        }
    }
}
