//! `Channel` documents, and references to secrets.

use std::collections::BTreeMap;

use schemars::JsonSchema;

use super::{ApiVersion, Metadata};

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
    pub metadata: Metadata,
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
    pub env: Option<String>,
    /// Path of a file.
    pub file: Option<String>,
    /// A Kubernetes Secret in the agent's namespace.
    pub secret: Option<SecretKey>,
}

/// A key of a Kubernetes Secret.
#[derive(Debug, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct SecretKey {
    pub name: String,
    pub key: String,
}
