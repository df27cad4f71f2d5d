//! The metrics of rules.

use std::collections::BTreeMap;

use schemars::JsonSchema;

use super::channel::SecretRef;
use super::pattern::DURATION;

/// Counted events: `bad` or `good` ones of a `total`.
#[derive(Debug, JsonSchema)]
#[schemars(
    rename_all = "camelCase",
    deny_unknown_fields,
    extend("oneOf" = [{"required": ["bad"]}, {"required": ["good"]}])
)]
pub struct Ratio {
    /// A selector of the counter of bad events, for `max`.
    pub bad: Option<String>,
    /// A selector of the counter of good events, for `min`.
    pub good: Option<String>,
    /// A selector of the counter of all events.
    pub total: String,
    /// `zero`: no series of bad events means that there were none.
    pub absent_bad: Option<AbsentBad>,
}

/// What no series of bad events means.
#[derive(Debug, JsonSchema)]
#[schemars(rename_all = "camelCase")]
pub enum AbsentBad {
    Zero,
}

/// The unit of buckets.
#[derive(Debug, JsonSchema)]
#[schemars(rename_all = "camelCase")]
pub enum Unit {
    Seconds,
    Milliseconds,
}

/// Events of a counter lately.
#[derive(Debug, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Rate {
    /// A selector of the counter.
    pub counter: String,
    /// How long events are counted together, such as `5m`.
    #[schemars(extend("pattern" = DURATION))]
    pub per: String,
}

/// An expression, alone or with a range.
#[derive(Debug, JsonSchema)]
#[schemars(untagged)]
pub enum Promql {
    Text(String),
    Query(PromqlQuery),
}

/// An expression, perhaps over a range of time.
#[derive(Debug, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct PromqlQuery {
    /// `${namespace}` and `${name}` are those of the target.
    pub query: String,
    /// How long ago the first point is, such as `10m`; with `step`.
    #[schemars(extend("pattern" = DURATION))]
    pub range: Option<String>,
    /// How far apart the points are, such as `15s`.
    #[schemars(extend("pattern" = DURATION))]
    pub step: Option<String>,
}

/// A fact, alone or with the time that it is counted over.
#[derive(Debug, JsonSchema)]
#[schemars(untagged)]
pub enum Kubernetes {
    Fact(Fact),
    Counted(KubernetesFact),
}

/// What the status of Kubernetes objects says of the pods of the target, or of itself.
#[derive(Debug, JsonSchema)]
#[schemars(rename_all = "camelCase")]
pub enum Fact {
    Restarts,
    OutOfMemoryKills,
    UnreadyPods,
    PendingPods,
    FailedProgress,
}

/// A fact that is counted over some time.
#[derive(Debug, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct KubernetesFact {
    pub fact: Fact,
    /// How long it is counted together, such as `10m`.
    #[schemars(extend("pattern" = DURATION))]
    pub per: Option<String>,
}

/// A number in a JSON document.
#[derive(Debug, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct HttpJson {
    /// Without user name, password or token.
    pub url: String,
    /// A `JSONPath` (RFC 9535) that selects exactly one number.
    pub path: String,
    /// Where the value of the header `Authorization` is found.
    pub authorization: Option<SecretRef>,
}

/// The length of a list or of a stream.
#[derive(Debug, JsonSchema)]
#[schemars(
    deny_unknown_fields,
    extend("oneOf" = [{"required": ["list"]}, {"required": ["stream"]}])
)]
pub struct Redis {
    /// `host:port`.
    pub address: String,
    /// The key of a list.
    pub list: Option<String>,
    /// The key of a stream.
    pub stream: Option<String>,
    /// 0 when left out.
    pub database: Option<u8>,
    pub username: Option<String>,
    /// Where the password is found.
    pub password: Option<SecretRef>,
}

/// The name of an alert, alone or with what it must say besides.
#[derive(Debug, JsonSchema)]
#[schemars(untagged)]
pub enum Alert {
    Name(String),
    Selector(AlertSelector),
}

/// Which alerts count for a target.
#[derive(Debug, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct AlertSelector {
    /// The label `alertname`.
    pub name: String,
    /// Labels that it must have; `${namespace}` and `${name}` are those of the target.
    #[schemars(extend("maxProperties" = 20))]
    pub labels: Option<BTreeMap<String, String>>,
    /// What ties it to the target; `target` when left out.
    pub scope: Option<AlertScope>,
    /// The `for` of the alerting rule, such as `5m`: what began that much before a release is no symptom of it.
    #[schemars(extend("pattern" = DURATION))]
    pub pending: Option<String>,
}

/// What ties an alert to a target.
#[derive(Debug, JsonSchema)]
#[schemars(rename_all = "camelCase")]
pub enum AlertScope {
    /// It names the target: by a pod, by the label `deployment` or `rollout`, or by a label of the rule with `${name}`.
    Target,
    /// It is of the target's namespace.
    Namespace,
}

/// How the values of several pods become one.
#[derive(Debug, JsonSchema)]
#[schemars(rename_all = "camelCase")]
pub enum Over {
    Max,
    Mean,
    Sum,
    Min,
}

/// A label that tells the revisions apart: its value is the pod-template hash, or one of two given values.
#[derive(Debug, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Arms {
    pub label: String,
    /// Its value for the new revision.
    pub canary: Option<String>,
    /// Its value for the revision that it is compared with.
    pub baseline: Option<String>,
}
