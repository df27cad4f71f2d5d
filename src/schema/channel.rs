//! `Channel` documents, and references to secrets.

use schemars::JsonSchema;

use super::{ApiVersion, Metadata};

/// Always `Channel`.
#[derive(Debug, JsonSchema)]
pub enum Kind {
    Channel,
}

/// A place where notices go: one of `slack`, `webhook`.
#[derive(Debug, JsonSchema)]
#[schemars(rename_all = "camelCase", deny_unknown_fields, extend("minProperties" = 4, "maxProperties" = 4))]
pub struct Channel {
    pub api_version: ApiVersion,
    pub kind: Kind,
    pub metadata: Metadata,
    /// An incoming webhook of Slack.
    pub slack: Option<ChannelUrl>,
    /// JSON by POST.
    pub webhook: Option<ChannelUrl>,
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
