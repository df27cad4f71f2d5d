//! Counts as the tests of a rule take them: shares of bad events, or events in the buckets that the tests have.

use std::borrow::Cow;

use crate::measurement::{Counts, HistogramCounts};
use crate::rule::{CountsCheck, Metric, Part};
use crate::sequential::{Measured, rebucket};

/// The counts of one arm as its tests take them.
pub(super) enum Taken<'a> {
    Share { n: f64, e: f64 },
    Buckets(Cow<'a, [f64]>),
}

impl<'t> Taken<'t> {
    pub(super) fn of(check: &CountsCheck, bounds: &[f64], counts: Option<&'t Counts>) -> Self {
        match (&check.metric, counts) {
            (Metric::Ratio(metric), Some(Counts::Ratio(counts))) => {
                let bad = match metric.part_is {
                    Part::Bad => counts.part,
                    Part::Good => counts.events - counts.part,
                };
                Self::Share {
                    n: counts.events,
                    e: bad,
                }
            }
            (Metric::Histogram(_), Some(Counts::Histogram(histogram))) => {
                Self::Buckets(in_buckets(histogram, bounds))
            }
            (Metric::Ratio(_), None | Some(Counts::Histogram(_))) => Self::Share { n: 0.0, e: 0.0 },
            (Metric::Histogram(_), None | Some(Counts::Ratio(_))) => {
                Self::Buckets(Cow::Borrowed(&[]))
            }
        }
    }

    pub(super) fn one(&self) -> Measured<'_> {
        match self {
            Self::Share { n, e } => Measured::Counts { n: *n, e: *e },
            Self::Buckets(counts) => Measured::Histogram(counts),
        }
    }

    pub(super) fn both<'a>(canary: &'a Self, baseline: &'a Self) -> Measured<'a> {
        match (canary, baseline) {
            (Self::Share { n: n_c, e: e_c }, Self::Share { n: n_b, e: e_b }) => {
                Measured::BothCounts {
                    n_c: *n_c,
                    e_c: *e_c,
                    n_b: *n_b,
                    e_b: *e_b,
                }
            }
            (Self::Buckets(canary), Self::Buckets(baseline)) => {
                Measured::BothHistograms(canary, baseline)
            }
            (Self::Share { .. }, Self::Buckets(_)) | (Self::Buckets(_), Self::Share { .. }) => {
                Measured::BothHistograms(&[], &[])
            }
        }
    }
}

/// The counts over the buckets that the tests have; none of them when a bound is missing.
pub(super) fn in_buckets<'t>(histogram: &'t HistogramCounts, bounds: &[f64]) -> Cow<'t, [f64]> {
    if *histogram.bounds == *bounds {
        return Cow::Borrowed(&histogram.counts);
    }
    let mut counts = vec![0.0; bounds.len() + 1];
    rebucket(&histogram.bounds, &histogram.counts, bounds, &mut counts);
    Cow::Owned(counts)
}
