//! What happens to samples before they are looked at (`Transforms.scala`): first missing ones, then outliers.

use super::config::{MetricConfig, NanStrategy, OutlierStrategy};
use super::outliers::interquartile;

/// Prepares one side as its metric asks for. Infinity is kept.
pub(super) fn prepared(samples: &[f64], config: &MetricConfig) -> Vec<f64> {
    let values = match config.nan_strategy {
        NanStrategy::Remove => remove_nans(samples),
        NanStrategy::Replace => replace_nans(samples),
    };
    match config.outliers {
        OutlierStrategy::Keep => values,
        OutlierStrategy::Remove => {
            let outliers = interquartile(&values, config.outlier_factor, true);
            without(&values, &outliers)
        }
    }
}

/// Drops missing samples.
pub fn remove_nans(samples: &[f64]) -> Vec<f64> {
    samples
        .iter()
        .copied()
        .filter(|sample| !sample.is_nan())
        .collect()
}

/// Takes 0 for missing samples.
pub fn replace_nans(samples: &[f64]) -> Vec<f64> {
    samples
        .iter()
        .map(|sample| if sample.is_nan() { 0.0 } else { *sample })
        .collect()
}

/// Drops what is marked.
pub(super) fn without(values: &[f64], marked: &[bool]) -> Vec<f64> {
    values
        .iter()
        .zip(marked)
        .filter(|(_, marked)| !**marked)
        .map(|(value, _)| *value)
        .collect()
}
