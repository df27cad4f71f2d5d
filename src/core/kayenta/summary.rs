//! Mean, standard deviation and percentiles, with the operations in the order in which Apache Commons Math 3 does them:
//! another order gives other last bits.

use serde::Serialize;

use super::number;

/// What is reported of the samples of one side.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Summary {
    /// Samples.
    pub count: usize,
    /// Their mean, as [`mean`] computes it.
    #[serde(serialize_with = "number::write")]
    pub mean: f64,
    /// The smallest.
    #[serde(serialize_with = "number::write")]
    pub min: f64,
    /// Standard deviation of the sample; 0 for a single one.
    #[serde(serialize_with = "number::write")]
    pub std: f64,
    /// The largest.
    #[serde(serialize_with = "number::write")]
    pub max: f64,
}

impl Summary {
    /// Of no samples at all: zeros, as Kayenta has it.
    pub fn of(values: &[f64]) -> Self {
        let Some(first) = values.first() else {
            return Self {
                count: 0,
                mean: 0.0,
                min: 0.0,
                std: 0.0,
                max: 0.0,
            };
        };
        let mean = mean(values);
        Self {
            count: values.len(),
            mean,
            // Of equal ones the later (`StatUtils.min`): it shows where -0.0 and 0.0 meet.
            min: values
                .iter()
                .fold(*first, |a, b| if a < *b { a } else { *b }),
            std: sample_variance(values, mean).sqrt(),
            max: values
                .iter()
                .fold(*first, |a, b| if a > *b { a } else { *b }),
        }
    }
}

/// The mean in two passes: what the first one lost by rounding is added by the second (`Mean.evaluate`). NaN of nothing.
pub fn mean(values: &[f64]) -> f64 {
    let count = values.len() as f64;
    let first = sum(values.iter().copied()) / count;
    first + sum(values.iter().map(|value| value - first)) / count
}

/// From 0.0 and from left to right; `Iterator::sum` begins with -0.0.
pub(super) fn sum(values: impl Iterator<Item = f64>) -> f64 {
    values.fold(0.0, |sum, value| sum + value)
}

/// The sum of squared deviations, corrected by that of the deviations (`Variance.evaluate`; Chan, Golub and others 1983).
fn squares(values: &[f64], mean: f64) -> f64 {
    let (squares, deviations) = values.iter().fold((0.0, 0.0), |(squares, sum), value| {
        let deviation = value - mean;
        (squares + deviation * deviation, sum + deviation)
    });
    squares - deviations * deviations / values.len() as f64
}

/// The unbiased variance; 0 of a single sample.
pub(super) fn sample_variance(values: &[f64], mean: f64) -> f64 {
    if values.len() < 2 {
        return 0.0;
    }
    squares(values, mean) / (values.len() as f64 - 1.0)
}

/// The variance of a whole population; 0 of a single value.
pub(super) fn population_variance(values: &[f64], mean: f64) -> f64 {
    if values.len() < 2 {
        return 0.0;
    }
    squares(values, mean) / values.len() as f64
}

/// The percentile by estimation type R-7 (Hyndman and Fan 1996, as in `Percentile.EstimationType.R_7`).
///
/// `sorted` ascends, `fraction` is in 0..=1. NaN of nothing; between a finite value and infinity NaN, too.
pub fn percentile(sorted: &[f64], fraction: f64) -> f64 {
    let (Some(first), Some(last)) = (sorted.first(), sorted.last()) else {
        return f64::NAN;
    };
    let count = sorted.len() as f64;
    let position = if fraction <= 0.0 {
        0.0
    } else if fraction >= 1.0 {
        count
    } else {
        1.0 + (count - 1.0) * fraction
    };
    if position < 1.0 {
        return *first;
    }
    if position >= count {
        return *last;
    }
    let floor = position.floor();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "1 <= floor < count"
    )]
    let at = floor as usize;
    match (sorted.get(at - 1), sorted.get(at)) {
        (Some(lower), Some(upper)) => lower + (position - floor) * (upper - lower),
        _ => *last,
    }
}
