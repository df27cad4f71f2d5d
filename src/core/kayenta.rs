//! The judge of Spinnaker's Kayenta (`NetflixACAJudge-v1.0`), to the last bit: for those who come from there, and as a
//! peer to measure ours against.
//!
//! It takes what Kayenta takes for one execution ([`Request`]) and gives what Kayenta gives ([`JudgeResult`]), its
//! weaknesses included: an error of a metric fails open, end points are off by 5e-5 in the metric's unit, infinity
//! passes. Nothing of it is used by Recant's own judge. Sources of formulas are named where they are used; "recorded"
//! means `tests/reference`, where the real classes answered 401 requests.

use std::collections::BTreeMap;

mod brent;
mod classify;
mod config;
mod effect;
mod mann_whitney;
mod mean_inequality;
mod number;
mod outliers;
mod ranks;
mod refused;
mod request;
mod result;
mod round;
mod scala_order;
mod score;
mod setting;
mod summary;
#[cfg(test)]
mod tests;
mod transform;
mod weights;

pub use classify::{Band, Classification, Classifier, Label};
pub use config::{Direction, MetricConfig, NanStrategy, OutlierStrategy};
pub use effect::{Measure, cohens_d, common_language, mean_ratio};
pub use mann_whitney::{AllTied, Confidence, Interval, interval};
pub use mean_inequality::mean_inequality;
pub use outliers::{interquartile, k_sigma};
pub use refused::Refused;
pub use request::{MAX_METRICS, MAX_POINTS, Metric, Request, Thresholds};
pub use result::{GroupScore, JudgeResult, MetricResult, Ratio, Score, Stats};
pub use score::{Scores, score};
pub use setting::Setting;
pub use summary::{Summary, mean, percentile};
pub use transform::{remove_nans, replace_nans};

/// The name that Kayenta gives this judge.
pub const JUDGE_NAME: &str = "NetflixACAJudge-v1.0";

/// Judges one execution.
///
/// The same request always gets the same answer. Where Kayenta's own is random (both sides constant and different,
/// which it breaks by noise), it is what Kayenta's would be with noise so small that it only breaks the ties.
///
/// # Errors
/// Where Kayenta throws instead of answering, and above [`MAX_METRICS`] or [`MAX_POINTS`].
pub fn judge(request: &Request) -> Result<JudgeResult, Refused> {
    request.check_size()?;
    // Kayenta looks settings up by name: of metrics with one name, those of the first count for all.
    let mut configured: BTreeMap<&str, &Metric> = BTreeMap::new();
    for metric in &request.metrics {
        configured.entry(&metric.name).or_insert(metric);
    }
    let results = request
        .metrics
        .iter()
        .enumerate()
        .map(|(place, metric)| {
            let configured = configured.get(metric.name.as_str()).unwrap_or(&metric);
            let config = MetricConfig::read(&metric.name, &configured.analysis)?;
            Ok(result::of(metric, place, configured, &config))
        })
        .collect::<Result<Vec<_>, Refused>>()?;
    let scores = score(&results, request.group_weights.as_ref())?;
    Ok(JudgeResult {
        judge_name: JUDGE_NAME,
        score: scores.classified(request.thresholds),
        group_scores: scores.groups,
        results,
    })
}
