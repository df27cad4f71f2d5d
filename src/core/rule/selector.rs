//! Vector selectors: which series of a metric are meant.

use serde::{Deserialize, Serialize};

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

impl Selector {
    /// All series of the same metric that have the labels which the matchers name, with whatever values.
    pub fn shape(&self) -> Self {
        let mut matchers: Vec<Matcher> = self
            .matchers
            .iter()
            .map(|matcher| Matcher {
                label: matcher.label.clone(),
                op: MatchOp::NotEqual,
                value: String::new(),
            })
            .collect();
        matchers.dedup();
        Self {
            metric: self.metric.clone(),
            matchers,
        }
    }
}
