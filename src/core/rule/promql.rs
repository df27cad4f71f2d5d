//! Expressions in `PromQL`: taken as they are, but for placeholders of the target.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::ids::TargetId;

/// An expression that only Prometheus can answer, taken as it is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Promql {
    pub query: String,
    /// Asked as a range query over the last so much, each point a sample; `None`: an instant query.
    pub range: Option<PromqlRange>,
}

/// A range query that ends now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PromqlRange {
    pub range: Duration,
    pub step: Duration,
}

/// What can stand between `${` and `}`.
pub const PLACEHOLDERS: [&str; 2] = ["namespace", "name"];

impl Promql {
    /// Whether it is another expression for each target.
    pub fn names_target(&self) -> bool {
        PLACEHOLDERS
            .iter()
            .any(|name| self.query.contains(&format!("${{{name}}}")))
    }

    /// The expression for a target: `${namespace}` and `${name}` are its own. Both are names of Kubernetes, which
    /// need no escaping in a string of `PromQL`.
    pub fn for_target(&self, target: &TargetId) -> String {
        self.query
            .replace("${namespace}", &target.namespace)
            .replace("${name}", &target.name)
    }
}
