//! `Channel` documents, and references to secrets.

use std::collections::BTreeMap;

use schemars::JsonSchema;

use super::pattern::{SECRET_KEY, SUBDOMAIN, VARIABLE};
use super::{ApiVersion, SharedMetadata};

/// Always `Channel`.
#[derive(Debug, JsonSchema)]
pub enum Kind {
    Channel,
}

/// A place where notices go: one of `slack`, `teams`, `alertmanager`, `webhook`.
#[derive(Debug, JsonSchema)]
#[schemars(rename_all = "camelCase", deny_unknown_fields, extend("minProperties" = 4, "maxProperties" = 4))]
pub struct Channel {
    pub api_version: ApiVersion,
    pub kind: Kind,
    pub metadata: SharedMetadata,
    /// An incoming webhook of Slack.
    pub slack: Option<ChannelUrl>,
    /// A Workflows webhook of Microsoft Teams.
    pub teams: Option<ChannelUrl>,
    /// The API of an Alertmanager.
    pub alertmanager: Option<Alertmanager>,
    /// JSON by POST.
    pub webhook: Option<ChannelUrl>,
}

/// An Alertmanager.
#[derive(Debug, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Alertmanager {
    pub url: SecretRef,
    /// Labels that every alert gets.
    pub labels: Option<BTreeMap<String, String>>,
    /// Where the bearer token is found.
    pub bearer: Option<SecretRef>,
}

/// The URL of a channel, which is a secret.
#[derive(Debug, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct ChannelUrl {
    pub url: SecretRef,
}

/// Where a secret is found: one of `env`, `file`, `secret`. Never the secret itself.
#[derive(Debug, JsonSchema)]
#[schemars(deny_unknown_fields, extend("minProperties" = 1, "maxProperties" = 1))]
pub struct SecretRef {
    /// Name of an environment variable.
    #[schemars(extend("pattern" = VARIABLE))]
    pub env: Option<String>,
    /// Path of a file.
    pub file: Option<String>,
    /// A Kubernetes Secret in the namespace of this document; of one without a namespace, in the agent's.
    pub secret: Option<SecretKey>,
}

/// Where the value of a header is found, in the same way. That it is exactly one is left to the reader: for an API server
/// the sentence would cost too much in so many places.
#[derive(Debug, JsonSchema)]
#[schemars(deny_unknown_fields, extend("maxProperties" = 1))]
pub struct HeaderRef {
    /// Name of an environment variable.
    #[schemars(extend("pattern" = VARIABLE))]
    pub env: Option<String>,
    /// Path of a file.
    pub file: Option<String>,
    /// A Kubernetes Secret in the namespace of this document; of one without a namespace, in the agent's.
    pub secret: Option<SecretKey>,
}

/// A key of a Kubernetes Secret.
#[derive(Debug, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct SecretKey {
    #[schemars(extend("pattern" = SUBDOMAIN))]
    pub name: String,
    #[schemars(extend("pattern" = SECRET_KEY))]
    pub key: String,
}
