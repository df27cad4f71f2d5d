//! What a source is asked. Rules that differ only in limits or quantile ask the same question, and it is asked once.

use serde::{Deserialize, Serialize};

use super::level::{Level, Sampled};
use super::metric::Metric;
use super::selector::Selector;
use super::{ArmsBy, Check, Rule, SourceKind};

/// A question to a source: which counters or values, told apart by what.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Question {
    pub what: What,
    /// The label that tells the arms apart; `None`: the pod label of the source.
    pub label: Option<String>,
}

/// What a question is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum What {
    /// Counters of events: the counted part and all of them.
    Ratio { part: Selector, total: Selector },
    /// The bucket counters of a histogram.
    Histogram { histogram: Selector },
    /// Values as they stand.
    Level(Level),
}

impl Question {
    /// The question that the rule asks.
    pub fn of(rule: &Rule) -> Self {
        let label = match &rule.arms {
            ArmsBy::Pod => None,
            ArmsBy::HashLabel(label) | ArmsBy::NamedLabel { label, .. } => Some(label.clone()),
        };
        let what = match &rule.check {
            Check::Counts(check) => match &check.metric {
                Metric::Ratio(ratio) => What::Ratio {
                    part: ratio.part.clone(),
                    total: ratio.total.clone(),
                },
                Metric::Histogram(histogram) => What::Histogram {
                    histogram: histogram.histogram.clone(),
                },
            },
            Check::Level(check) => match &check.metric.sampled {
                // A rate is counted exactly, as the part of a ratio is: an absent part beside a present total is 0.
                Sampled::Rate { counter, .. } => What::Ratio {
                    part: counter.clone(),
                    total: counter.shape(),
                },
                Sampled::Level(level) => What::Level(level.clone()),
            },
        };
        Self { what, label }
    }

    /// Whether the past of it can be asked for: what objects, documents and queues say is known of now only.
    pub fn has_past(&self) -> bool {
        match &self.what {
            What::Ratio { .. } | What::Histogram { .. } | What::Level(Level::Gauge(_)) => true,
            What::Level(Level::Promql(promql)) => promql.range.is_none(),
            What::Level(
                Level::Kubernetes(_) | Level::HttpJson(_) | Level::Redis(_) | Level::Alert(_),
            ) => false,
        }
    }

    /// Whether every answer shows the past: a range query.
    pub fn shows_past(&self) -> bool {
        match &self.what {
            What::Level(Level::Promql(promql)) => promql.range.is_some(),
            What::Ratio { .. }
            | What::Histogram { .. }
            | What::Level(
                Level::Gauge(_)
                | Level::Kubernetes(_)
                | Level::HttpJson(_)
                | Level::Redis(_)
                | Level::Alert(_),
            ) => false,
        }
    }

    /// The source that alone can answer; `None`: the one that the watch, or the setting, names.
    pub fn source(&self) -> Option<SourceKind> {
        match &self.what {
            What::Ratio { .. } | What::Histogram { .. } | What::Level(Level::Gauge(_)) => None,
            What::Level(Level::Promql(_)) => Some(SourceKind::Prometheus),
            What::Level(Level::Kubernetes(_)) => Some(SourceKind::Kubernetes),
            What::Level(Level::HttpJson(_)) => Some(SourceKind::HttpJson),
            What::Level(Level::Redis(_)) => Some(SourceKind::Redis),
            What::Level(Level::Alert(_)) => Some(SourceKind::Alerts),
        }
    }
}
