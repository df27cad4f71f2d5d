//! What a rule's evidence says at one look, in numbers and in words.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::decision::{Against, Decision, Says};
use crate::ids::RuleName;
use crate::rule::{HistogramMetric, Metric, Part, RatioMetric, Rule, Unit};
use crate::wording::{count, digits, latency, percent};

/// What one rule says now.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    pub rule: RuleName,
    pub state: State,
    /// The rule only tells: nothing is decided by it.
    #[serde(default)]
    pub dry_run: bool,
    pub canary: Measured,
    pub baseline: Option<Measured>,
    /// Since when the rule fails.
    pub since: Option<Timestamp>,
    /// One sentence with value, limit or baseline, and how much data. No full stop at the end.
    pub sentence: String,
}

impl Finding {
    /// Whether the release fails by this rule.
    pub fn fails(&self) -> bool {
        self.state == State::Failing && !self.dry_run
    }
}

/// What a rule says of the canary.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum State {
    /// There was no new sample.
    NoData,
    /// Too few events, of the canary or of what it is compared with.
    TooLittle,
    Within,
    /// Above what is allowed, but that may be chance.
    Unsure,
    /// Surely above what is allowed, but by the events of a single tick.
    Suspected,
    /// Surely above what is allowed.
    Failing,
    /// Above the limit, and the baseline is too: not the release's fault.
    BaselineAlsoBad,
}

/// One arm within the window.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Measured {
    pub events: f64,
    /// Events that count against the rule.
    pub bad: f64,
    /// Ratio: the share of the counted part. Histogram: the quantile, in the unit of its buckets.
    pub value: Option<f64>,
    /// The quantile lies above the histogram's last bound, which is the value.
    #[serde(default)]
    pub or_more: bool,
}

impl Measured {
    pub(super) const NOTHING: Self = Self {
        events: 0.0,
        bad: 0.0,
        value: None,
        or_more: false,
    };
}

/// What one look at a rule saw; words are made of it only where somebody reads them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Seen {
    pub state: State,
    pub canary: Measured,
    pub baseline: Option<Measured>,
    since: Option<Timestamp>,
    decision: Decision,
    /// Nothing runs beside the canary.
    before: bool,
}

impl Seen {
    pub(super) fn silent(before: bool) -> Self {
        Self {
            state: State::NoData,
            canary: Measured::NOTHING,
            baseline: None,
            since: None,
            decision: Decision::NOTHING,
            before,
        }
    }

    pub(super) fn new(
        decision: Decision,
        canary: Measured,
        baseline: Option<Measured>,
        before: bool,
        since: Option<Timestamp>,
    ) -> Self {
        let state = match decision.says {
            Says::Within => State::Within,
            Says::Unsure => State::Unsure,
            Says::TooFew | Says::TooFewBeside | Says::NotSurelyWorse => State::TooLittle,
            Says::BaselineAlsoBad => State::BaselineAlsoBad,
            Says::Suspected => State::Suspected,
            Says::Failing => State::Failing,
        };
        Self {
            state,
            canary,
            baseline,
            since,
            decision,
            before,
        }
    }

    /// The same in numbers and in words.
    pub fn finding(&self, rule: &Rule) -> Finding {
        Finding {
            rule: rule.name.clone(),
            state: self.state,
            dry_run: rule.dry_run,
            canary: self.canary,
            baseline: self.baseline,
            since: self.since.filter(|_| self.state == State::Failing),
            sentence: self.sentence(rule),
        }
    }

    /// One sentence with value, limit or baseline, and how much data. No full stop at the end.
    pub fn sentence(&self, rule: &Rule) -> String {
        let words = Words {
            rule,
            silent: self.state == State::NoData,
            decision: self.decision,
            canary: &self.canary,
            baseline: self.baseline.as_ref(),
            before: self.before,
        };
        words.sentence()
    }
}

/// What a sentence is made from.
struct Words<'a> {
    rule: &'a Rule,
    silent: bool,
    decision: Decision,
    canary: &'a Measured,
    baseline: Option<&'a Measured>,
    /// Nothing runs beside the canary.
    before: bool,
}

impl Words<'_> {
    fn sentence(&self) -> String {
        let name = &self.rule.name;
        if self.silent {
            return format!("`{name}`: there is no new sample");
        }
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
