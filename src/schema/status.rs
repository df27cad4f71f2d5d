//! The `status` of custom resources, as it is written and read back: nothing here is counted per tick.
//!
//! Times are texts in RFC 3339, to the second, as everywhere in Kubernetes.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What Recant says of a Watch.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WatchStatus {
    /// The generation of the document that all of this is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Kind and name of what is watched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// `Ready`, `Judging`, `Healthy`, `Acting`.
    #[serde(default)]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"], "maxItems" = 8))]
    pub conditions: Vec<Condition>,
    /// What the last release that was judged came to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_verdict: Option<LastVerdict>,
    /// What was done last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_action: Option<LastAction>,
}

/// What Recant says of a `RuleSet` or a Channel.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DocumentStatus {
    /// The generation of the document that all of this is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// `Ready`.
    #[serde(default)]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"], "maxItems" = 8))]
    pub conditions: Vec<Condition>,
}

/// One condition, as Kubernetes' own kinds have them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Condition {
    #[serde(rename = "type")]
    #[schemars(length(max = 316))]
    pub kind: String,
    pub status: Truth,
    /// One word in `CamelCase`, for programs.
    #[schemars(length(min = 1, max = 1024))]
    pub reason: String,
    /// For people.
    #[schemars(length(max = 32768))]
    pub message: String,
    /// When `status` changed last.
    pub last_transition_time: String,
    /// The generation of the document that it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
}

/// Whether a condition holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Truth {
    True,
    False,
    Unknown,
}

/// What an analysis came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LastVerdict {
    /// `Pass`, `Fail`, `Inconclusive` or `Superseded`.
    pub result: String,
    /// The revision that was judged.
    pub revision: String,
    pub time: String,
    /// The evidence, in a sentence.
    pub message: String,
}

/// What was done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LastAction {
    /// `Rollback`, `Scale`, `UndoScale`, `Actions` or `UndoActions`.
    pub action: String,
    /// `Running`, `Done`, `Fenced` or `Failed`.
    pub outcome: String,
    /// By which the journal knows it.
    pub plan: String,
    pub time: String,
    /// What became of it, in a sentence.
    pub message: String,
}
