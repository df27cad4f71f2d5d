//! `RuleSet` documents.

use schemars::JsonSchema;

use super::metric::{Alert, Arms, HttpJson, Kubernetes, Over, Promql, Rate, Ratio, Redis, Unit};
use super::pattern::{DURATION, LABEL, PERCENT};
use super::{ApiVersion, SharedMetadata, cel};

/// Always `RuleSet`.
#[derive(Debug, JsonSchema)]
pub enum Kind {
    RuleSet,
}

/// Named rules, which watches refer to.
#[derive(Debug, JsonSchema)]
#[schemars(rename_all = "camelCase", deny_unknown_fields)]
pub struct RuleSet {
    pub api_version: ApiVersion,
    pub kind: Kind,
    pub metadata: SharedMetadata,
    /// What is measured, and what must hold of it.
    #[schemars(length(min = 1))]
    pub rules: Vec<Rule>,
}

/// One metric with what must hold of it: a limit, a comparison with the revision before, or both.
#[derive(Debug, JsonSchema)]
#[schemars(
    rename_all = "camelCase",
    deny_unknown_fields,
    extend(
        "oneOf" = [
            {"required": ["ratio"]},
            {"required": ["histogram"]},
            {"required": ["gauge"]},
            {"required": ["rate"]},
            {"required": ["promql"]},
            {"required": ["kubernetes"]},
            {"required": ["httpJson"]},
            {"required": ["redis"]},
            {"required": ["alert"]},
        ],
        "x-kubernetes-validations" = cel::rule(),
    )
)]
pub struct Rule {
    /// Lower-case letters, digits and `-`; its full name is `<rule set>/<rule>`.
    #[schemars(extend("pattern" = LABEL))]
    pub name: String,
    /// Counted events: which of how many.
    pub ratio: Option<Ratio>,
    /// The name of a histogram, without `_bucket`; with `quantile`.
    pub histogram: Option<String>,
    /// Which quantile of the histogram, such as `95%`.
    #[schemars(extend("pattern" = PERCENT))]
    pub quantile: Option<String>,
    /// The unit of the histogram's buckets, when its name does not say.
    pub unit: Option<Unit>,
    /// A metric that is read as it stands.
    pub gauge: Option<String>,
    /// How many events of a counter there were lately.
    pub rate: Option<Rate>,
    /// An expression that Prometheus evaluates.
    pub promql: Option<Promql>,
    /// What the status of Kubernetes objects says.
    pub kubernetes: Option<Kubernetes>,
    /// A number in a JSON document that an HTTP service gives.
    pub http_json: Option<HttpJson>,
    /// The length of a list or a stream in Redis.
    pub redis: Option<Redis>,
    /// An alert that Alertmanager reports: the rule is broken while it fires.
    pub alert: Option<Alert>,
    /// How the values of several pods become one for the limit. Left out, the worst pod decides.
    pub over: Option<Over>,
    /// Fails when surely above: `5%`, `500ms`, `100`, `512Mi`.
    pub max: Option<Limit>,
    /// Fails when surely below: `99%`, `3`.
    pub min: Option<Limit>,
    /// Fails when surely worse than the revision that it replaces; `{}` for the usual tolerance. Beside the limit of a
    /// value it is advisory.
    pub compare: Option<Compare>,
    /// How long it must be broken without a break before it fails, such as `5m`.
    #[schemars(rename = "for", extend("pattern" = DURATION))]
    pub lasting: Option<String>,
    /// Events below which nothing is decided; 20 when left out.
    #[schemars(range(min = 1))]
    pub least: Option<u64>,
    /// How the revisions are told apart, when not by their pods.
    pub arms: Option<Arms>,
    /// What a pod counts within so long after its start is left out: `30s` for quantiles and `0s` for shares when left
    /// out.
    #[schemars(extend("pattern" = DURATION))]
    pub skip: Option<String>,
    /// Whether a limit, while the old revision runs beside, fails only what is also worse than that; `true` when left
    /// out.
    pub beside: Option<bool>,
    /// Its share of the evidence relative to the other rules; 1 when left out. 0: shown, and never decides.
    #[schemars(range(min = 0, max = 100))]
    pub weight: Option<u64>,
    /// Tells what it would have done, without doing it.
    pub dry_run: Option<bool>,
}

/// A limit: a number, or one with its unit.
#[derive(Debug, JsonSchema)]
#[schemars(untagged)]
pub enum Limit {
    Number(f64),
    Text(String),
}

/// What is allowed beyond the revision that it is compared with.
#[derive(Debug, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Compare {
    /// Relative: `50%` allows one and a half times as much.
    #[schemars(extend("pattern" = PERCENT))]
    pub margin: Option<String>,
    /// Absolute, on top: `0.1%`; of a value in the unit of its limit, such as `100MiB`.
    pub plus: Option<Limit>,
    /// Of a value: whether it may call a release bad, with the weight of the rule. Left out, it is advisory: only shown.
    pub decides: Option<bool>,
}
