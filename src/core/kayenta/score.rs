//! From labels to scores (`WeightedSumScorer.scala`, `ScoringHelper.scala`, `ThresholdScoreClassifier.scala`).

use indexmap::IndexMap;

use super::classify::Label;
use super::refused::Refused;
use super::request::Thresholds;
use super::result::{GroupScore, MetricResult, Score};
use super::round::half_up;
use super::scala_order;
use super::weights::weighted;

/// The scores of one canary.
#[derive(Debug, Clone, PartialEq)]
pub struct Scores {
    /// Usually 0 to 100, with two decimals; weights can bring it outside.
    pub summary: f64,
    /// Why it is 0 without looking at groups; else empty.
    pub reason: String,
    pub groups: Vec<GroupScore>,
}

impl Scores {
    /// The summary by thresholds, which are inclusive. With `marginal` above `pass` nothing is marginal.
    pub fn classified(&self, thresholds: Thresholds) -> Score {
        let classification = if self.summary >= thresholds.pass {
            "Pass"
        } else if self.summary >= thresholds.marginal {
            "Marginal"
        } else {
            "Fail"
        };
        Score {
            score: self.summary,
            classification,
            classification_reason: self.reason.clone(),
        }
    }
}

/// Scores the metrics that are not muted.
///
/// # Errors
/// If weights give a sum that is not finite.
pub fn score(
    results: &[MetricResult],
    weights: Option<&IndexMap<String, f64>>,
) -> Result<Scores, Refused> {
    let scored: Vec<&MetricResult> = results.iter().filter(|result| !result.muted).collect();
    let groups = by_group(&scored);
    if let Some(reason) = failing(&scored) {
        return Ok(Scores {
            summary: 0.0,
            reason,
            groups,
        });
    }
    let none = IndexMap::new();
    let sum = weighted(&groups, weights.unwrap_or(&none));
    Ok(Scores {
        summary: half_up(sum).ok_or(Refused::ScoreNotFinite)?,
        reason: String::new(),
        groups,
    })
}

/// Why the canary fails whatever its groups say: a critical metric that did, or too many without data.
fn failing(scored: &[&MetricResult]) -> Option<String> {
    let critical = scored
        .iter()
        .find(|result| result.critical && result.classification != Label::Pass);
    if let Some(critical) = critical {
        let reason = critical.classification_reason.as_deref().unwrap_or("");
        return Some(format!("Canary Failed: {reason}"));
    }
    let without = scored
        .iter()
        .filter(|result| result.classification == Label::Nodata)
        .count();
    // Of no metrics at all it is 0 of 0: NaN, and no failure.
    (without as f64 / scored.len() as f64 * 100.0 >= 50.0)
        .then(|| "Canary Failed: 50% or more metrics returned NODATA".to_owned())
}

/// The score of each group: a metric counts in every group that it names, one without a group nowhere.
fn by_group(scored: &[&MetricResult]) -> Vec<GroupScore> {
    let mut counted: IndexMap<&str, (usize, usize)> = IndexMap::new();
    for result in scored {
        let (passed, scored) = match result.classification {
            Label::Pass => (1, 1),
            Label::High | Label::Low | Label::NodataFailMetric => (0, 1),
            Label::Nodata | Label::Error => (0, 0),
        };
        for group in &result.groups {
            let group = counted.entry(group).or_default();
            group.0 += passed;
            group.1 += scored;
        }
    }
    let mut groups: Vec<GroupScore> = counted
        .into_iter()
        .map(|(name, (passed, scored))| GroupScore {
            name: name.to_owned(),
            score: if scored == 0 {
                0.0
            } else {
                passed as f64 / scored as f64 * 100.0
            },
            no_data: scored == 0,
        })
        .collect();
    scala_order::sort(&mut groups, |group| &group.name);
    groups
}
