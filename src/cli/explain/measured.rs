//! What the tests of a rule have measured since the release began: value, interval, baseline and what is allowed.

use serde::Serialize;

use recant_core::judge::ReleaseEvidence;
use recant_core::sequential::{QuantileLimitShown, RatioCompareShown, RatioLimitShown, Shown};
use recant_core::wording::{count, digits, percent};

/// One test of a rule.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Test {
    pub(super) against_what: AgainstWhat,
    pub(super) measure: Measure,
    pub(super) events: f64,
    /// Those of them that were bad, or slower than `bound`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) bad: Option<f64>,
    pub(super) canary: Option<f64>,
    /// Interval of the share of bad, or slow, events of the canary.
    pub(super) low: f64,
    pub(super) high: f64,
    pub(super) baseline: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) baseline_low: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) baseline_high: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) baseline_events: Option<f64>,
    pub(super) allowed: Option<f64>,
    /// Slow is what took longer than this, in the unit of the histogram's buckets.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) bound: Option<f64>,
    /// Of a limit beside a baseline: whether the canary is surely worse than that, so that the limit may speak.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) open: Option<bool>,
}

/// What the canary is held against.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum AgainstWhat {
    Limit,
    Baseline,
}

/// What the values are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Measure {
    /// A share of events, 0..=1.
    Share,
    /// A quantile in the unit of the histogram's buckets.
    Quantile,
}

/// The tests that stand behind the evidence; none before the first counts.
pub(super) fn tests(evidence: &ReleaseEvidence) -> Vec<Test> {
    let Some(shown) = evidence.shown() else {
        return Vec::new();
    };
    [shown.limit, shown.compare]
        .iter()
        .flatten()
        .filter_map(of)
        .collect()
}

fn of(shown: &Shown) -> Option<Test> {
    match shown {
        Shown::RatioLimit(shown) => Some(limited(shown)),
        Shown::RatioLimitBeside(shown) => Some(Test {
            baseline: shown.baseline,
            open: Some(shown.open),
            ..limited(&shown.limit)
        }),
        Shown::RatioCompare(shown) => Some(compared(shown, None)),
        Shown::QuantileLimit(shown) => Some(slow(shown)),
        Shown::QuantileLimitBeside(shown) => Some(Test {
            baseline: shown.baseline,
            open: Some(shown.open),
            ..slow(&shown.limit)
        }),
        Shown::QuantileCompare(shown) => shown
            .worst
            .as_ref()
            .map(|worst| compared(worst, shown.worst_bound)),
        // A value has no tests: it is a condition.
        Shown::GaugeLimit(_) | Shown::GaugeCompare(_) => None,
    }
}

fn limited(shown: &RatioLimitShown) -> Test {
    Test {
        against_what: AgainstWhat::Limit,
        measure: Measure::Share,
        events: shown.n,
        bad: Some(shown.e),
        canary: shown.estimate,
        low: shown.low,
        high: shown.high,
        baseline: None,
        baseline_low: None,
        baseline_high: None,
        baseline_events: None,
        allowed: Some(shown.limit),
        bound: None,
        open: None,
    }
}

fn slow(shown: &QuantileLimitShown) -> Test {
    Test {
        against_what: AgainstWhat::Limit,
        measure: Measure::Quantile,
        events: shown.n,
        bad: None,
        canary: shown.quantile,
        low: shown.low,
        high: shown.high,
        baseline: None,
        baseline_low: None,
        baseline_high: None,
        baseline_events: None,
        allowed: Some(shown.limit),
        bound: shown.counted_above,
        open: None,
    }
}

fn compared(shown: &RatioCompareShown, bound: Option<f64>) -> Test {
    Test {
        against_what: AgainstWhat::Baseline,
        measure: Measure::Share,
        events: shown.n_c,
        bad: Some(shown.e_c),
        canary: shown.canary,
        low: shown.canary_low,
        high: shown.canary_high,
        baseline: shown.baseline,
        baseline_low: Some(shown.baseline_low),
        baseline_high: Some(shown.baseline_high),
        baseline_events: Some(shown.n_b),
        allowed: shown.allowed,
        bound,
        open: None,
    }
}

impl Test {
    /// Lines of label and text.
    pub(super) fn lines(&self) -> Vec<(&'static str, String)> {
        let Some(canary) = self.canary else {
            return vec![("canary", "nothing was measured yet".to_owned())];
        };
        let mut lines = vec![("canary", self.of_canary(canary))];
        if let Some(baseline) = self.baseline {
            lines.push(("baseline", self.of_baseline(baseline)));
        }
        if let Some(allowed) = self.allowed {
            lines.push(("allowed", self.what_is_allowed(allowed)));
        }
        lines
    }

    fn of_canary(&self, canary: f64) -> String {
        let interval = format!("{} to {}", percent(self.low), percent(self.high));
        match (self.measure, self.bound) {
            (Measure::Share, bound) => {
                let bad = bound.map_or_else(
                    || "bad".to_owned(),
                    |bound| format!("above {}", digits(bound)),
                );
                format!(
                    "{} of {} events {bad}, surely within {interval}",
                    percent(canary),
                    count(self.events)
                )
            }
            (Measure::Quantile, Some(bound)) => format!(
                "{} over {} events; {interval} of them are above {}",
                digits(canary),
                count(self.events),
                digits(bound)
            ),
            (Measure::Quantile, None) => {
                format!("{} over {} events", digits(canary), count(self.events))
            }
        }
    }

    fn of_baseline(&self, baseline: f64) -> String {
        match self.measure {
            Measure::Quantile => digits(baseline),
            Measure::Share => {
                let events = self.baseline_events.map_or_else(String::new, |events| {
                    format!(" of {} events", count(events))
                });
                let within = match (self.baseline_low, self.baseline_high) {
                    (Some(low), Some(high)) => {
                        format!(", surely within {} to {}", percent(low), percent(high))
                    }
                    (Some(_) | None, _) => String::new(),
                };
                format!("{}{events}{within}", percent(baseline))
            }
        }
    }

    fn what_is_allowed(&self, allowed: f64) -> String {
        let most = match self.measure {
            Measure::Share => percent(allowed.min(1.0)),
            Measure::Quantile => digits(allowed),
        };
        match (self.against_what, self.open) {
            (AgainstWhat::Baseline, _) => format!("{most}, by the baseline and the tolerance"),
            (AgainstWhat::Limit, Some(false)) => {
                format!(
                    "{most}; it speaks once the canary is surely worse than the baseline, and it is not"
                )
            }
            (AgainstWhat::Limit, Some(true)) => {
                format!("{most}; the canary is surely worse than the baseline, so the limit speaks")
            }
            (AgainstWhat::Limit, None) => most,
        }
    }
}
