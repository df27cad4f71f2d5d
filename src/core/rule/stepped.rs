//! A release whose traffic is raised step by step, as the evidence allows it.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::traffic::Route;

/// The steps, and whose share they set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Stepped {
    pub route: Route,
    /// Percent of the traffic, rising, 1 to 100.
    pub steps: Vec<u32>,
    /// At each step the release must be passing on fresh evidence for this long before the next one.
    pub each: Duration,
}
