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
    /// What runs beside it.
    Baseline,
    /// What was before the release.
    Before,
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
    let limit = shown.limit.as_ref().and_then(of);
    let compare = shown.compare.as_ref().and_then(|compare| {
        let test = of(compare)?;
        // A comparison that is a limit stands for a baseline that is not there any more.
        Some(match test.against_what {
            AgainstWhat::Limit => Test {
                against_what: AgainstWhat::Before,
                ..test
            },
            AgainstWhat::Baseline | AgainstWhat::Before => test,
        })
    });
    limit.into_iter().chain(compare).collect()
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
            return Vec::new();
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

    fn counted(&self) -> &'static str {
        match self.against_what {
            AgainstWhat::Limit | AgainstWhat::Baseline => "bad",
            // Of a histogram these are the slow ones.
            AgainstWhat::Before => "bad or slow",
        }
    }

    fn of_canary(&self, canary: f64) -> String {
        let interval = format!("{} to {}", percent(self.low), percent(self.high));
        match (self.measure, self.bound) {
            (Measure::Share, bound) => {
                let bad = bound.map_or_else(
                    || self.counted().to_owned(),
                    |bound| format!("above {}", digits(bound)),
                );
                format!(
                    "{} of {} events were {bad}, interval {interval}",
                    percent(canary),
                    count(self.events)
                )
            }
            (Measure::Quantile, Some(bound)) => format!(
                "{} (in the unit of the buckets) over {} events; interval of those above {}: {interval}",
                digits(canary),
                count(self.events),
                digits(bound),
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
                        format!(", interval {} to {}", percent(low), percent(high))
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
            (AgainstWhat::Before, _) => {
                format!("{most}, by what was before the release and the tolerance")
            }
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
