//! What a rule's evidence says at one look, in numbers and in words.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::ids::RuleName;
use crate::rule::{HistogramMetric, Metric, Rule, Unit};
use crate::wording::{count, digits, latency, percent};

/// What one rule says now.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    pub rule: RuleName,
    pub state: State,
    pub canary: Measured,
    pub baseline: Option<Measured>,
    /// Since when the rule fails.
    pub since: Option<Timestamp>,
    /// One sentence with value, limit or baseline, and how much data.
    pub sentence: String,
}

/// What a rule says of the canary.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum State {
    /// Nothing was measured in the window.
    NoData,
    /// Fewer events than `least`.
    TooLittle,
    Within,
    /// Above what is allowed, but not yet on enough looks in a row.
    Suspected,
    /// Surely above what is allowed.
    Failing,
    /// Above the limit, and the baseline is no better: not the release's fault.
    BaselineAlsoBad,
}

/// One arm within the window.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Measured {
    pub events: f64,
    /// Events that count against the rule.
    pub bad: f64,
    /// Ratio: the share of bad events. Histogram: the quantile, in the unit of its buckets.
    pub value: Option<f64>,
}

/// What a condition allows, for the words.
#[derive(Debug, Clone, Copy)]
pub(super) enum Allowed {
    Limit(f64),
    Worse {
        factor: f64,
        plus: f64,
        before: bool,
    },
}

pub(super) fn sentence(
    rule: &Rule,
    state: State,
    canary: &Measured,
    baseline: Option<&Measured>,
    allowed: Option<Allowed>,
) -> String {
    let name = &rule.name;
    let Some(value) = canary.value else {
        return format!("`{name}`: no data");
    };
    let what = match &rule.metric {
        Metric::Ratio(_) => format!(
            "{} of {} requests were bad",
            percent(value),
            count(canary.events)
        ),
        Metric::Histogram(histogram) => format!(
            "{} was {} over {} requests",
            quantile_name(histogram),
            in_unit(histogram.unit, value),
            count(canary.events)
        ),
    };
    let against = match allowed {
        None => String::new(),
        Some(Allowed::Limit(limit)) => format!(", limit {}", of_metric(&rule.metric, limit)),
        Some(Allowed::Worse {
            factor,
            plus,
            before,
        }) => {
            let side = if before {
                "before the release"
            } else {
                "of the baseline"
            };
            match baseline.and_then(|baseline| baseline.value.map(|value| (baseline, value))) {
                Some((baseline, value)) => format!(
                    ", {} {side} ({} requests), allowed {} times that plus {}",
                    of_metric(&rule.metric, value),
                    count(baseline.events),
                    digits(factor),
                    percent(plus),
                ),
                None => format!(", nothing to compare with {side}"),
            }
        }
    };
    let beside = match (allowed, baseline) {
        (Some(Allowed::Limit(_)), Some(baseline)) => match baseline.value {
            Some(value) => format!(
                ", baseline {} of {}",
                of_metric(&rule.metric, value),
                count(baseline.events)
            ),
            None => String::new(),
        },
        _ => String::new(),
    };
    let why = match state {
        State::TooLittle => format!("; too little to judge, at least {} are needed", rule.least),
        State::BaselineAlsoBad => {
            "; the baseline is no better, so it is not the release".to_owned()
        }
        State::NoData | State::Within | State::Suspected | State::Failing => String::new(),
    };
    format!("`{name}`: {what}{against}{beside}{why}")
}

/// A value or limit of a metric in its unit.
fn of_metric(metric: &Metric, value: f64) -> String {
    match metric {
        Metric::Ratio(_) => percent(value),
        Metric::Histogram(histogram) => in_unit(histogram.unit, value),
    }
}

fn in_unit(unit: Unit, value: f64) -> String {
    match unit {
        Unit::Seconds => latency(value),
        Unit::Milliseconds => latency(value / 1000.0),
    }
}

fn quantile_name(histogram: &HistogramMetric) -> String {
    format!(
        "p{}",
        digits(f64::from(histogram.quantile_millionths) / 1e4)
    )
}
