//! Leading traffic to another colour: by the labels that a Service selects, or by the backend of an Ingress.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::ScaleTarget;

/// Where the traffic goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    rename_all = "camelCase",
    rename_all_fields = "camelCase",
    tag = "colour"
)]
pub enum Colour {
    /// To the pods with these labels, in place of those that have others: `color: blue`.
    Labels { labels: BTreeMap<String, String> },
    /// A path of an Ingress leads to this Service.
    Service {
        #[serde(default)]
        host: Option<String>,
        #[serde(default)]
        path: Option<String>,
        service: String,
    },
}

/// The workload of a colour, which has to be as large as the present one before it gets traffic.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ScaleUp {
    pub target: ScaleTarget,
    /// What has the traffic now: the new colour gets as many replicas; `None`: only `least` counts.
    #[serde(default)]
    pub present: Option<ScaleTarget>,
    /// Never fewer than this; at least 1.
    pub least: u32,
    /// How long its pods may take to get ready.
    pub within: Duration,
    /// What has had the traffic goes to no replicas after so long, if the switch has proved itself; `None`: never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub then_down: Option<Duration>,
}

impl fmt::Display for Colour {
    /// `` `color: blue` ``
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Labels { labels } => {
                let labels: Vec<String> = labels
                    .iter()
                    .map(|(key, value)| format!("{key}: {value}"))
                    .collect();
                write!(f, "`{}`", labels.join(", "))
            }
            Self::Service { service, .. } => write!(f, "Service `{service}`"),
        }
    }
}
