//! What a rule about counts says, in words.

use super::decision::{Against, Decision, Says};
use crate::ids::RuleName;
use crate::judge::Measured;
use crate::rule::{CountsCheck, HistogramMetric, Metric, Part, RatioMetric, Unit};
use crate::wording::{count, digits, latency, percent};

/// What a sentence is made from.
pub(in crate::judge) struct Words<'a> {
    pub(in crate::judge) name: &'a RuleName,
    pub(in crate::judge) rule: &'a CountsCheck,
    pub(in crate::judge) decision: Decision,
    pub(in crate::judge) canary: &'a Measured,
    pub(in crate::judge) baseline: Option<&'a Measured>,
    /// Nothing runs beside the canary.
    pub(in crate::judge) before: bool,
}

impl Words<'_> {
    /// Without a full stop at the end.
    pub(in crate::judge) fn sentence(&self) -> String {
        let name = self.name;
        if self.canary.events <= 0.0 {
            return format!("`{name}`: there were no {} yet", self.noun());
        }
        format!("`{name}`: {}{}", self.measured(), self.reservation())
    }

    /// What was measured against what.
    fn measured(&self) -> String {
        let noun = self.noun();
        match self.decision.against {
            Against::Nothing => self.value(self.canary, noun),
            Against::Limit(limit) => {
                let limit = match &self.rule.metric {
                    Metric::Ratio(ratio) if ratio.part_is == Part::Good => {
                        format!("at least {} must be", percent(limit))
                    }
                    Metric::Ratio(_) => format!("the limit is {}", percent(limit)),
                    Metric::Histogram(histogram) => {
                        format!("the limit is {}", in_unit(histogram.unit, limit))
                    }
                };
                let beside = match self.baseline {
                    Some(baseline) if baseline.events > 0.0 => {
                        format!("; {} {}", self.other(), self.shortly(baseline))
                    }
                    Some(_) | None => String::new(),
                };
                format!("{}, {limit}{beside}", self.value(self.canary, noun))
            }
            Against::Compared {
                canary,
                baseline,
                allowed,
                bound,
                ..
            } => {
                let what = match (bound, &self.rule.metric) {
                    (Some(bound), Metric::Histogram(histogram)) => {
                        format!("took longer than {}", in_unit(histogram.unit, bound))
                    }
                    _ => "were bad".to_owned(),
                };
                let quantiles = match &self.rule.metric {
                    Metric::Histogram(histogram) => format!(
                        " ({} is {}, and was {})",
                        quantile_name(histogram),
                        quantile_value(histogram, self.canary),
                        self.baseline
                            .map_or_else(String::new, |baseline| quantile_value(
                                histogram, baseline
                            ))
                    ),
                    Metric::Ratio(_) => String::new(),
                };
                format!(
                    "{} of {} {noun} {what}; {} {} of {}, so at most {} is allowed{quantiles}",
                    percent(canary.value().unwrap_or_default()),
                    count(canary.events),
                    self.other(),
                    percent(baseline.value().unwrap_or_default()),
                    count(baseline.events),
                    percent(allowed.min(1.0)),
                )
            }
        }
    }

    /// Why the numbers lead to no verdict.
    fn reservation(&self) -> String {
        let least = self.rule.least;
        let noun = self.noun();
        match self.decision.says {
            Says::TooFew => {
                format!("; that is too little to judge: at least {least} {noun} are needed")
            }
            Says::TooFewBeside if self.before => {
                "; there is nothing to compare with: the service was not measured before the release"
                    .to_owned()
            }
            Says::TooFewBeside => format!(
                "; too little of the baseline to compare with, at least {least} {noun} are needed"
            ),
            Says::NotSurelyWorse if self.before => {
                "; too little to say that it is worse than before".to_owned()
            }
            Says::NotSurelyWorse => {
                "; too little to say that it is worse than the baseline".to_owned()
            }
            Says::BaselineAlsoBad if self.before => {
                "; that was above the limit already, so it is not the release's doing".to_owned()
            }
            Says::BaselineAlsoBad => {
                "; that is above the limit too, so it is not the release's doing".to_owned()
            }
            Says::Unsure => "; that may still be chance".to_owned(),
            Says::Suspected => "; one tick alone decides nothing".to_owned(),
            Says::Within | Says::Failing => String::new(),
        }
    }

    fn other(&self) -> &'static str {
        if self.before {
            "before the release it was"
        } else {
            "the baseline beside it had"
        }
    }

    fn value(&self, measured: &Measured, noun: &str) -> String {
        let events = count(measured.events);
        let noun = if measured.events > 1.0 {
            noun
        } else {
            noun.trim_end_matches('s')
        };
        match (&self.rule.metric, measured.value) {
            (_, None) => format!("nothing can be said of {events} {noun}"),
            (Metric::Ratio(ratio), Some(value)) => {
                let were = if measured.events > 1.0 { "were" } else { "was" };
                format!(
                    "{} of {events} {noun} {were} {}",
                    percent(value),
                    part(ratio)
                )
            }
            (Metric::Histogram(histogram), Some(_)) => format!(
                "{} was {} over {events} {noun}",
                quantile_name(histogram),
                quantile_value(histogram, measured),
            ),
        }
    }

    /// A value beside another: `0.4 % of 480`.
    fn shortly(&self, measured: &Measured) -> String {
        let value = match (&self.rule.metric, measured.value) {
            (_, None) => "nothing".to_owned(),
            (Metric::Ratio(_), Some(value)) => percent(value),
            (Metric::Histogram(histogram), Some(_)) => quantile_value(histogram, measured),
        };
        let over = match &self.rule.metric {
            Metric::Ratio(_) => "of",
            Metric::Histogram(_) => "over",
        };
        format!("{value} {over} {}", count(measured.events))
    }

    /// What is counted: requests, where the metric's name says so.
    fn noun(&self) -> &'static str {
        let metric = match &self.rule.metric {
            Metric::Ratio(ratio) => &ratio.total.metric,
            Metric::Histogram(histogram) => &histogram.histogram.metric,
        };
        if ["request", "http", "grpc", "rpc"]
            .iter()
            .any(|word| metric.contains(word))
        {
            "requests"
        } else {
            "events"
        }
    }
}

fn part(ratio: &RatioMetric) -> &'static str {
    match ratio.part_is {
        Part::Bad => "bad",
        Part::Good => "good",
    }
}

fn quantile_value(histogram: &HistogramMetric, measured: &Measured) -> String {
    let value = in_unit(histogram.unit, measured.value.unwrap_or_default());
    if measured.or_more {
        format!("{value} or more")
    } else {
        value
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
