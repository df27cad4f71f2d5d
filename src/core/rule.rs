//! Rules, watches and channels as the engine uses them: parsed, resolved and valid. Documents become these in `spec`.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::ids::{ChannelName, RuleName, TargetId, WatchName};

/// Everything that was loaded: all watches with their rules resolved, and all channels.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RuleBook {
    pub watches: Vec<Watch>,
    pub channels: BTreeMap<ChannelName, Channel>,
}

/// One target with the rules that judge its releases and what to do then.
#[derive(Debug, Clone, PartialEq)]
pub struct Watch {
    pub name: WatchName,
    pub target: TargetId,
    /// Where its metrics come from; `None` is the setting `source`.
    pub source: Option<SourceKind>,
    pub rules: Vec<Arc<Rule>>,
    /// How long a release is watched from the first traffic of its canary arm (a Rollout: from its promotion).
    pub watch: Duration,
    /// Judges and tells what it would have done, without doing it.
    pub dry_run: bool,
    pub on_fail: OnFail,
    /// Channels told when a revision became known good.
    pub on_pass: Vec<ChannelName>,
    pub scrape: Option<ScrapeEndpoint>,
    /// Links for the notices: dashboard, runbook. Label and URL.
    pub links: Vec<Link>,
}

/// A labelled URL.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    pub label: String,
    pub url: String,
}

/// What follows a Fail.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OnFail {
    pub rollback: bool,
    pub notify: Vec<ChannelName>,
}

/// The sources that can answer typed metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SourceKind {
    Prometheus,
    Scrape,
}

/// Where a pod's metrics are, when the watch says so.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ScrapeEndpoint {
    pub port: u16,
    /// Starts with `/`.
    pub path: String,
}

/// A metric with what must hold of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    pub name: RuleName,
    pub metric: Metric,
    pub arms: ArmsBy,
    /// Fails when above. Ratio: a share 0..=1. Histogram: in the unit of its buckets.
    pub max: Option<f64>,
    /// Fails when below; ratios only. A share 0..=1.
    pub min: Option<f64>,
    pub compare: Option<Compare>,
    /// Events in the window below which nothing is decided.
    pub least: u64,
    pub dry_run: bool,
}

/// Fails when the canary's share is above `baseline * (1 + margin) + plus`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Compare {
    /// Relative tolerance, >= 0: 0.5 is 50 %.
    pub margin: f64,
    /// Absolute tolerance as a share, 0..=1.
    pub plus: f64,
}

/// How series are told apart into arms.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ArmsBy {
    /// By the pod label of the source and the pod's revision. Series without that label are one arm: the service.
    Pod,
    /// By a label whose value is the pod-template hash.
    HashLabel(String),
    /// By a label with one value for each arm.
    NamedLabel {
        label: String,
        canary: String,
        baseline: String,
    },
}

/// What to measure.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Metric {
    Ratio(RatioMetric),
    Histogram(HistogramMetric),
}

impl Metric {
    /// What a source is asked for: rules that differ only in limits or quantile ask the same question.
    pub fn question(&self, arms: &ArmsBy) -> Question {
        let label = match arms {
            ArmsBy::Pod => None,
            ArmsBy::HashLabel(label) | ArmsBy::NamedLabel { label, .. } => Some(label.clone()),
        };
        let what = match self {
            Self::Ratio(ratio) => What::Ratio {
                part: ratio.part.clone(),
                total: ratio.total.clone(),
            },
            Self::Histogram(histogram) => What::Histogram {
                histogram: histogram.histogram.clone(),
            },
        };
        Question { what, label }
    }
}

/// A question to a source: which counters, told apart by what.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Question {
    pub what: What,
    /// The label that tells the arms apart; `None`: the pod label of the source.
    pub label: Option<String>,
}

/// The counters of a question.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum What {
    Ratio { part: Selector, total: Selector },
    Histogram { histogram: Selector },
}

/// A share of events, from two counters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RatioMetric {
    /// The counted part of the events.
    pub part: Selector,
    pub part_is: Part,
    pub total: Selector,
    /// An absent `part` beside a present `total` is 0 although the metric was never seen.
    pub absent_is_zero: bool,
}

/// What the counted part of a ratio is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Part {
    Bad,
    Good,
}

/// A quantile of a classic histogram.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HistogramMetric {
    /// The base name, without `_bucket`.
    pub histogram: Selector,
    /// In millionths, so that the metric can be a key: 950 000 is the 95th percentile. 1..=999 999.
    pub quantile_millionths: u32,
    pub unit: Unit,
}

impl HistogramMetric {
    /// The quantile as a share, in (0, 1).
    pub fn quantile(&self) -> f64 {
        f64::from(self.quantile_millionths) / 1e6
    }
}

/// Unit of a histogram's buckets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Unit {
    Seconds,
    Milliseconds,
}

/// A bare vector selector: a metric name with matchers, sorted by label then value.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Selector {
    pub metric: String,
    pub matchers: Vec<Matcher>,
}

/// One condition on a label.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Matcher {
    pub label: String,
    pub op: MatchOp,
    pub value: String,
}

/// How a matcher compares; regular expressions are fully anchored, as in Prometheus.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum MatchOp {
    Equal,
    NotEqual,
    Regex,
    NotRegex,
}

/// Where notices go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Channel {
    pub name: ChannelName,
    pub kind: ChannelKind,
    pub url: SecretRef,
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
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretRef {
    Env(String),
    File(String),
    /// A Kubernetes Secret in the agent's namespace.
    KubernetesSecret {
        name: String,
        key: String,
    },
}
