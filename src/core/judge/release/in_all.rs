//! All that a release has shown of a rule since it began, in words.

use crate::ids::RuleName;
use crate::rule::{CountsCheck, HistogramMetric, Metric, Unit};
use crate::sequential::{RatioCompareShown, RatioLimitShown, Shown};
use crate::wording::{count, latency, percent};

use super::TrialShown;

/// The share of bad events since the release began.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct InAll {
    events: f64,
    /// As measured; of slow events at least so many.
    share: f64,
    allowed: f64,
    /// Events above this are slow.
    bound: Option<f64>,
}

impl InAll {
    /// The one of the tests that says most against the release.
    pub fn of(shown: &TrialShown) -> Option<Self> {
        let limit = shown.limit.as_ref().and_then(of_one);
        let compare = shown.compare.as_ref().and_then(of_one);
        match (limit, compare) {
            (Some(one), Some(other)) => Some(if one.0 >= other.0 { one.1 } else { other.1 }),
            (Some(only), None) | (None, Some(only)) => Some(only.1),
            (None, None) => None,
        }
    }

    /// Without a full stop at the end.
    pub(in crate::judge) fn sentence(&self, name: &RuleName, check: &CountsCheck) -> String {
        let what = match (self.bound, &check.metric) {
            (Some(bound), Metric::Histogram(histogram)) => {
                format!("took longer than {}", in_unit(histogram, bound))
            }
            (Some(_) | None, _) => "were bad".to_owned(),
        };
        format!(
            "`{name}`: {} of the {} requests since the release began {what}, at most {} is allowed",
            percent(self.share),
            count(self.events),
            percent(self.allowed.min(1.0)),
        )
    }
}

fn in_unit(histogram: &HistogramMetric, value: f64) -> String {
    match histogram.unit {
        Unit::Seconds => latency(value),
        Unit::Milliseconds => latency(value / 1000.0),
    }
}

fn of_one(shown: &Shown) -> Option<(f64, InAll)> {
    let limited = |shown: &RatioLimitShown| {
        Some((
            shown.log_bad,
            InAll {
                events: shown.n,
                share: shown.estimate?,
                allowed: shown.limit,
                bound: None,
            },
        ))
    };
    let compared = |log_bad: f64, shown: &RatioCompareShown, bound: Option<f64>| {
        Some((
            log_bad,
            InAll {
                events: shown.n_c,
                share: shown.canary?,
                allowed: shown.allowed?,
                bound,
            },
        ))
    };
    match shown {
        Shown::RatioLimit(shown) => limited(shown),
        Shown::RatioLimitBeside(shown) => limited(&shown.limit),
        Shown::RatioCompare(shown) => compared(shown.log_bad, shown, None),
        Shown::QuantileCompare(shown) => {
            compared(shown.log_bad, shown.worst.as_ref()?, shown.worst_bound)
        }
        Shown::QuantileLimit(_)
        | Shown::QuantileLimitBeside(_)
        | Shown::GaugeLimit(_)
        | Shown::GaugeCompare(_) => None,
    }
}
