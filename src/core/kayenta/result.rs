//! Kayenta's result document, field for field and in its order.

use indexmap::IndexMap;
use serde::{Serialize, Serializer};

use super::classify::{Classification, Classifier, Label};
use super::config::MetricConfig;
use super::number;
use super::request::Metric;
use super::summary::Summary;
use super::transform::prepared;

/// The answer to one request.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct JudgeResult {
    pub judge_name: &'static str,
    pub results: Vec<MetricResult>,
    pub group_scores: Vec<GroupScore>,
    pub score: Score,
}

/// What became of one metric.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct MetricResult {
    pub name: String,
    pub tags: IndexMap<String, String>,
    pub id: String,
    pub classification: Label,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub classification_reason: Option<String>,
    pub groups: Vec<String>,
    pub experiment_metadata: Stats,
    pub control_metadata: Stats,
    /// Absent after an error.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub result_metadata: Option<Ratio>,
    pub critical: bool,
    pub muted: bool,
}

/// The samples of one side, after their preparation.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Stats {
    pub stats: Summary,
}

/// The ratio of means.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Ratio {
    #[serde(serialize_with = "number::write")]
    pub ratio: f64,
}

/// The score of a group, 0 to 100.
#[derive(Debug, Clone, PartialEq)]
pub struct GroupScore {
    pub name: String,
    pub score: f64,
    /// Nothing of the group could be scored: it is 0 here and counts as 100.
    pub no_data: bool,
}

/// The last two fields are always there and always empty.
impl Serialize for GroupScore {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Written<'a> {
            name: &'a str,
            score: f64,
            classification: &'static str,
            classification_reason: &'static str,
        }
        let Self {
            name,
            score,
            no_data: _,
        } = self;
        Written {
            name,
            score: *score,
            classification: "",
            classification_reason: "",
        }
        .serialize(serializer)
    }
}

/// The score of the canary, with two decimals.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Score {
    #[serde(serialize_with = "number::write")]
    pub score: f64,
    /// `Pass`, `Marginal` or `Fail`.
    pub classification: &'static str,
    /// Empty where there is none.
    pub classification_reason: String,
}

/// Judges one metric, whose settings and groups are those of `configured`.
pub(super) fn of(
    metric: &Metric,
    place: usize,
    configured: &Metric,
    config: &MetricConfig,
) -> MetricResult {
    let experiment = prepared(&metric.experiment, config);
    let control = prepared(&metric.control, config);
    let Classification {
        label,
        reason,
        ratio,
        critical,
    } = Classifier::of_judge(config).classify(&metric.name, &experiment, &control);
    MetricResult {
        name: metric.name.clone(),
        tags: metric.tags.clone(),
        id: metric.id.clone().unwrap_or_else(|| format!("p{place}")),
        classification: label,
        classification_reason: reason,
        groups: configured.groups.clone(),
        experiment_metadata: Stats {
            stats: Summary::of(&experiment),
        },
        control_metadata: Stats {
            stats: Summary::of(&control),
        },
        result_metadata: ratio.map(|ratio| Ratio { ratio }),
        critical,
        muted: config.muted,
    }
}
