//! Which samples are outliers (`detectors/`): by quartiles, or by standard deviations.

use super::summary::{mean, percentile, population_variance};

/// Marks what lies further than `factor` interquartile ranges outside of the quartiles (`IQRDetector`; Tukey 1977).
///
/// `reduced` lowers the sensitivity: nothing between the 1st and the 99th percentile is an outlier. Kayenta's judge
/// always does so, and its documentation does not say it.
pub fn interquartile(values: &[f64], factor: f64, reduced: bool) -> Vec<bool> {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let (first, third) = (percentile(&sorted, 0.25), percentile(&sorted, 0.75));
    let range = third - first;
    let (mut lower, mut upper) = (first - factor * range, third + factor * range);
    if reduced {
        lower = java_min(percentile(&sorted, 0.01), lower);
        upper = java_max(percentile(&sorted, 0.99), upper);
    }
    values
        .iter()
        .map(|value| *value < lower || *value > upper)
        .collect()
}

/// Marks what lies more than `k` standard deviations of the population from the mean (`KSigmaDetector`). Kayenta has
/// it; its judge never asks for it.
pub fn k_sigma(values: &[f64], k: f64) -> Vec<bool> {
    let mean = mean(values);
    let deviation = population_variance(values, mean).sqrt();
    values
        .iter()
        .map(|value| (value - mean).abs() > deviation * k)
        .collect()
}

/// NaN if either is: with infinite samples there is no limit, and nothing is an outlier. `f64::min` ignores NaN.
fn java_min(a: f64, b: f64) -> f64 {
    if a.is_nan() || b.is_nan() {
        return f64::NAN;
    }
    a.min(b)
}

fn java_max(a: f64, b: f64) -> f64 {
    if a.is_nan() || b.is_nan() {
        return f64::NAN;
    }
    a.max(b)
}
