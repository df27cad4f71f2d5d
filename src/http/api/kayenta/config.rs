//! A canary config as Kayenta keeps it: the document as it came, and the parts of it that are judged by.

use std::collections::BTreeSet;

use indexmap::IndexMap;
use recant_core::kayenta::JUDGE_NAME;
use recant_core::wording::short;
use serde::Deserialize;
use serde_json::Value;

/// Metrics of one config.
const MOST_METRICS: usize = 200;

/// What is read of a config. Other fields are kept, and ignored as Kayenta does.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct CanaryConfig {
    pub(super) name: String,
    #[serde(default)]
    pub(super) applications: Vec<String>,
    #[serde(default)]
    judge: Option<Judge>,
    pub(super) metrics: Vec<ConfigMetric>,
    #[serde(default)]
    pub(super) templates: IndexMap<String, String>,
    #[serde(default)]
    classifier: Option<Classifier>,
}

#[derive(Debug, Clone, Deserialize)]
struct Judge {
    name: String,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Classifier {
    #[serde(default)]
    group_weights: Option<IndexMap<String, f64>>,
}

/// One metric of a config.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ConfigMetric {
    pub(super) name: String,
    #[serde(default)]
    pub(super) query: Option<Query>,
    #[serde(default)]
    pub(super) groups: Vec<String>,
    #[serde(default)]
    pub(super) analysis_configurations: Value,
    pub(super) scope_name: Option<String>,
}

/// What is asked for a metric, as Kayenta's Prometheus service reads it.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Query {
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) metric_name: Option<String>,
    #[serde(default)]
    pub(super) label_bindings: Option<Vec<String>>,
    #[serde(default)]
    pub(super) group_by_fields: Option<Vec<String>>,
    pub(super) resource_type: Option<String>,
    pub(super) custom_inline_template: Option<String>,
    pub(super) custom_filter_template: Option<String>,
    pub(super) custom_filter: Option<String>,
}

impl CanaryConfig {
    /// Reads a document.
    ///
    /// # Errors
    /// Why Kayenta would refuse it, or what of it cannot be honoured.
    pub(super) fn read(document: &Value) -> Result<Self, String> {
        let config: Self = Self::deserialize(document)
            .map_err(|error| format!("it is no canary config: {error}"))?;
        if let Some(judge) = &config.judge
            && judge.name != JUDGE_NAME
        {
            let name = short(&judge.name, 100);
            return Err(format!(
                "judge `{name}` is not here: there is `{JUDGE_NAME}`"
            ));
        }
        if config.metrics.len() > MOST_METRICS {
            return Err(format!("it holds more than {MOST_METRICS} metrics"));
        }
        Ok(config)
    }

    /// What Kayenta asks of a config besides before it stores it.
    pub(super) fn check_for_storing(&self) -> Result<(), String> {
        let fits = |character: char| character.is_ascii_alphanumeric() || "-_,".contains(character);
        if self.name.is_empty() || !self.name.chars().all(fits) {
            let name = short(&self.name, 100);
            return Err(format!(
                "Canary config cannot be named `{name}`. Names must contain only letters, numbers, dashes (-) and \
                 underscores (_)."
            ));
        }
        if self.applications.is_empty() {
            return Err("A canary config must specify at least one application.".to_owned());
        }
        let mut names = BTreeSet::new();
        match self
            .metrics
            .iter()
            .find(|metric| !names.insert(&metric.name))
        {
            Some(twice) => Err(format!("metric name `{}` stands in it twice", twice.name)),
            None => Ok(()),
        }
    }

    /// The weights of its groups.
    pub(super) fn group_weights(&self) -> Option<IndexMap<String, f64>> {
        self.classifier.as_ref()?.group_weights.clone()
    }
}
