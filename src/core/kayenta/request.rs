//! What one execution is judged from: thresholds, weights of groups, and metrics with the samples of both sides.

use indexmap::IndexMap;
use serde::Deserialize;

use super::number;
use super::refused::Refused;
use super::setting::Setting;

/// Metrics that are judged at once, at most.
pub const MAX_METRICS: usize = 10_000;
/// Samples of one side of a metric, at most.
pub const MAX_POINTS: usize = 1_000_000;

/// One execution. Fields that are not named here are ignored, as Kayenta does.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Request {
    /// What the summary score is compared with.
    pub thresholds: Thresholds,
    /// Weight of each group; those without one share what is left of 100. They are not checked: they may add up to
    /// anything.
    #[serde(default)]
    pub group_weights: Option<IndexMap<String, f64>>,
    /// What is judged, in the order of the results.
    pub metrics: Vec<Metric>,
}

/// The score from which on a canary passes, and from which on it is marginal.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
pub struct Thresholds {
    /// From it on, a pass; usually within 0 to 100.
    #[serde(deserialize_with = "number::read")]
    pub pass: f64,
    /// From it on, marginal.
    #[serde(deserialize_with = "number::read")]
    pub marginal: f64,
}

/// One metric, or one of its sets of tags.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Metric {
    /// Several may have one name: they are the tag sets of one metric.
    pub name: String,
    /// `p` and its place if none is given.
    #[serde(default)]
    pub id: Option<String>,
    /// Shown, and nothing else.
    #[serde(default)]
    pub tags: IndexMap<String, String>,
    /// The groups in which it counts; with none it counts nowhere.
    #[serde(default)]
    pub groups: Vec<String>,
    /// Its settings, below `canary`: see [`MetricConfig`](super::MetricConfig).
    #[serde(default, rename = "analysisConfigurations")]
    pub analysis: Setting,
    /// Samples of the baseline, in order of time; NaN where one is missing.
    #[serde(deserialize_with = "number::read_all")]
    pub control: Vec<f64>,
    /// Samples of the canary.
    #[serde(deserialize_with = "number::read_all")]
    pub experiment: Vec<f64>,
}

impl Request {
    pub(super) fn check_size(&self) -> Result<(), Refused> {
        if self.metrics.len() > MAX_METRICS {
            return Err(Refused::TooManyMetrics {
                found: self.metrics.len(),
                most: MAX_METRICS,
            });
        }
        for metric in &self.metrics {
            let found = metric.control.len().max(metric.experiment.len());
            if found > MAX_POINTS {
                return Err(Refused::TooManySamples {
                    metric: metric.name.clone(),
                    found,
                    most: MAX_POINTS,
                });
            }
        }
        Ok(())
    }
}
