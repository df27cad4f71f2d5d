//! The array of a tick, as the kind of rule takes it. Null is a number that is missing.

use serde_json::Value;

use recant_core::sequential::{JudgeRule, Measured};

/// What is done with a tick.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Act {
    Judge,
    /// History, of the baseline where there are two arms.
    Warm,
}

/// Gives the tick to the rule. The error says what a tick of this rule is.
pub(super) fn apply(rule: &mut JudgeRule, tick: &Value, act: Act) -> Result<(), String> {
    let shape = Shape::of(rule, act)?;
    let wrong = || format!("{tick} is no {}: it is {}", act.noun(), shape.usage());
    let items = tick.as_array().ok_or_else(wrong)?;
    match shape {
        Shape::Counts => {
            let [n, e] = numbers(items).ok_or_else(wrong)?;
            give(rule, act, Measured::Counts { n, e });
        }
        Shape::BothCounts => {
            let [n_c, e_c, n_b, e_b] = numbers(items).ok_or_else(wrong)?;
            give(rule, act, Measured::BothCounts { n_c, e_c, n_b, e_b });
        }
        Shape::Histogram => {
            let [counts] = histograms(items).ok_or_else(wrong)?;
            give(rule, act, Measured::Histogram(&counts));
        }
        Shape::BothHistograms => {
            let [canary, baseline] = histograms(items).ok_or_else(wrong)?;
            give(rule, act, Measured::BothHistograms(&canary, &baseline));
        }
        Shape::Value => {
            let [at, value] = numbers(items).ok_or_else(wrong)?;
            give(rule, act, Measured::Value { at, value });
        }
        Shape::BothValues => {
            let [canary, baseline] = numbers(items).ok_or_else(wrong)?;
            give(rule, act, Measured::BothValues { canary, baseline });
        }
    }
    Ok(())
}

fn give(rule: &mut JudgeRule, act: Act, measured: Measured<'_>) {
    match act {
        Act::Judge => rule.update(measured),
        Act::Warm => {
            let taken = rule.warm(measured);
            debug_assert!(taken, "its shape is that of history");
        }
    }
}

impl Act {
    fn noun(self) -> &'static str {
        match self {
            Self::Judge => "tick of this rule",
            Self::Warm => "tick of history of this rule",
        }
    }
}

/// How a tick is written.
#[derive(Debug, Clone, Copy)]
enum Shape {
    Counts,
    BothCounts,
    Histogram,
    BothHistograms,
    Value,
    BothValues,
}

impl Shape {
    fn of(rule: &JudgeRule, act: Act) -> Result<Self, String> {
        Ok(match (rule, act) {
            (JudgeRule::RatioLimit(_), Act::Judge | Act::Warm)
            | (JudgeRule::RatioCompare(_) | JudgeRule::RatioLimitBeside(_), Act::Warm) => {
                Self::Counts
            }
            (JudgeRule::RatioCompare(_) | JudgeRule::RatioLimitBeside(_), Act::Judge) => {
                Self::BothCounts
            }
            (JudgeRule::QuantileLimit(_), Act::Judge | Act::Warm)
            | (JudgeRule::QuantileCompare(_) | JudgeRule::QuantileLimitBeside(_), Act::Warm) => {
                Self::Histogram
            }
            (JudgeRule::QuantileCompare(_) | JudgeRule::QuantileLimitBeside(_), Act::Judge) => {
                Self::BothHistograms
            }
            (JudgeRule::GaugeLimit(_), Act::Judge) => Self::Value,
            (JudgeRule::GaugeCompare(_), Act::Judge) => Self::BothValues,
            (JudgeRule::GaugeLimit(_) | JudgeRule::GaugeCompare(_), Act::Warm) => {
                return Err(
                    "rules about gauges learn nothing from history: leave `warm` out".to_owned(),
                );
            }
        })
    }

    fn usage(self) -> &'static str {
        match self {
            Self::Counts => "[events, bad events]",
            Self::BothCounts => "[events, bad events, events of the baseline, bad ones]",
            Self::Histogram => "[[events per bucket, the last above all bounds]]",
            Self::BothHistograms => "[[events per bucket], [events per bucket of the baseline]]",
            Self::Value => "[time in seconds, value]",
            Self::BothValues => "[value, value of the baseline]",
        }
    }
}

/// A number, or null for one that is missing.
fn number(value: &Value) -> Option<f64> {
    if value.is_null() {
        Some(f64::NAN)
    } else {
        value.as_f64()
    }
}

fn numbers<const N: usize>(items: &[Value]) -> Option<[f64; N]> {
    let numbers: Vec<f64> = items.iter().map(number).collect::<Option<_>>()?;
    numbers.try_into().ok()
}

fn histograms<const N: usize>(items: &[Value]) -> Option<[Vec<f64>; N]> {
    let one = |item: &Value| item.as_array()?.iter().map(number).collect();
    let all: Vec<Vec<f64>> = items.iter().map(one).collect::<Option<_>>()?;
    all.try_into().ok()
}
