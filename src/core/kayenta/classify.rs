//! One metric's label, by the first of Kayenta's steps that holds (`MannWhitneyClassifier.scala`).

use std::fmt;

use serde::{Deserialize, Serialize};

use super::config::{Direction, MetricConfig, NanStrategy};
use super::effect::{Measure, common_language_of, mean_ratio};
use super::mann_whitney::{AllTied, Confidence, Interval, between};
use super::ranks::Ranked;

/// What a metric is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Label {
    Pass,
    /// The experiment is above the control.
    High,
    /// It is below.
    Low,
    /// A side has no samples: not scored, but half of all metrics without data fail the canary.
    Nodata,
    /// A side has no samples, and must have: scored as a failure.
    NodataFailMetric,
    /// It could not be judged: not scored, so that it fails open.
    Error,
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pass => "Pass",
            Self::High => "High",
            Self::Low => "Low",
            Self::Nodata => "Nodata",
            Self::NodataFailMetric => "NodataFailMetric",
            Self::Error => "Error",
        })
    }
}

/// Effect sizes between which a difference does not count.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Band {
    /// A low effect counts from here downwards.
    pub decrease: f64,
    /// A high effect counts from here upwards.
    pub increase: f64,
}

/// A label with its grounds.
#[derive(Debug, Clone, PartialEq)]
pub struct Classification {
    /// What the metric is.
    pub label: Label,
    /// Why, in Kayenta's words; an ordinary pass has none.
    pub reason: Option<String>,
    /// The ratio of means, or 1 where it was not looked at; none after an error.
    pub ratio: Option<f64>,
    /// A failure of the whole canary.
    pub critical: bool,
}

impl Classification {
    fn pass(ratio: f64, reason: Option<&str>) -> Self {
        Self {
            label: Label::Pass,
            reason: reason.map(str::to_owned),
            ratio: Some(ratio),
            critical: false,
        }
    }
}

/// Kayenta's classifier by the Mann-Whitney test, with everything that it can be told.
#[derive(Debug, Clone, PartialEq)]
pub struct Classifier {
    /// The end of the interval must be further from zero than this part of the estimate.
    pub tolerance: f64,
    pub confidence: Confidence,
    pub direction: Direction,
    pub nan_strategy: NanStrategy,
    pub critical: bool,
    pub must_have_data: bool,
    pub measure: Measure,
    pub allowed: Band,
    pub critical_band: Band,
}

impl Classifier {
    /// As the judge has it: tolerance 0.25 and confidence 98 % are fixed.
    pub fn of_judge(config: &MetricConfig) -> Self {
        Self {
            tolerance: 0.25,
            confidence: Confidence::Percent98,
            direction: config.direction,
            nan_strategy: config.nan_strategy,
            critical: config.critical,
            must_have_data: config.must_have_data,
            measure: config.measure,
            allowed: config.allowed,
            critical_band: config.critical_band,
        }
    }

    /// Labels the metric `name` from samples that are prepared: without NaN.
    pub fn classify(&self, name: &str, experiment: &[f64], control: &[f64]) -> Classification {
        if experiment.is_empty() || control.is_empty() {
            return self.without_data(name);
        }
        let ranked = Ranked::new(experiment, control);
        if ranked.same() {
            return Classification::pass(1.0, Some("The Canary and Baseline data are identical"));
        }
        let constants = ranked.constants();
        #[expect(clippy::float_cmp, reason = "one value, or two")]
        if constants.is_some_and(|(experiment, control)| experiment == control) {
            return Classification::pass(1.0, None);
        }
        let Ok(interval) = self.interval(&ranked, constants) else {
            return Classification {
                label: Label::Error,
                reason: Some("Metric Classification Failed".to_owned()),
                ratio: None,
                critical: false,
            };
        };
        let ratio = mean_ratio(experiment, control);
        let effect = match self.measure {
            Measure::MeanRatio => ratio,
            Measure::Cles => common_language_of(&ranked),
        };
        self.of_interval(name, interval, ratio, effect)
    }

    fn without_data(&self, name: &str) -> Classification {
        let (label, critical) = match self.nan_strategy {
            NanStrategy::Replace => return Classification::pass(1.0, None),
            NanStrategy::Remove if self.must_have_data && !self.critical => {
                (Label::NodataFailMetric, false)
            }
            NanStrategy::Remove => (Label::Nodata, self.critical),
        };
        Classification {
            label,
            reason: Some(format!("Missing data for {name}")),
            ratio: Some(1.0),
            critical,
        }
    }

    /// The interval, also of two constant sides.
    ///
    /// To those Kayenta adds noise of a hundred-thousandth of each value, from a generator without a seed, so that its
    /// own numbers differ from run to run. With less and less noise they go to the difference. Noise cannot break the
    /// ties of a single sample, nor those of zeros: there the test fails as it does in Kayenta (among single samples in
    /// 80 to 100 % of its runs; it goes by the rounding of one difference).
    fn interval(
        &self,
        ranked: &Ranked,
        constants: Option<(f64, f64)>,
    ) -> Result<Interval, AllTied> {
        let (n1, n2) = ranked.sizes();
        match constants {
            Some((experiment, control))
                if (n1 > 1.0 && experiment != 0.0) || (n2 > 1.0 && control != 0.0) =>
            {
                let difference = experiment - control;
                Ok(Interval {
                    lower: difference,
                    upper: difference,
                    estimate: difference,
                })
            }
            _ => between(ranked, self.confidence),
        }
    }

    fn of_interval(
        &self,
        name: &str,
        interval: Interval,
        ratio: f64,
        effect: f64,
    ) -> Classification {
        let least = self.tolerance * interval.estimate.abs();
        // An effect that is NaN (a mean of zero) does not speak against the test.
        let above = |limit: f64| effect.is_nan() || effect >= limit;
        let below = |limit: f64| effect.is_nan() || effect <= limit;
        let (label, critical) = if self.direction.counts_increase()
            && interval.lower > least
            && above(self.allowed.increase)
        {
            (Label::High, above(self.critical_band.increase))
        } else if self.direction.counts_decrease()
            && interval.upper < -least
            && below(self.allowed.decrease)
        {
            (Label::Low, below(self.critical_band.decrease))
        } else {
            return Classification::pass(ratio, None);
        };
        let critical = self.critical && critical;
        let reason = if critical {
            format!("The metric {name} was classified as {label} (Critical)")
        } else {
            format!("{name} was classified as {label}")
        };
        Classification {
            label,
            reason: Some(reason),
            ratio: Some(ratio),
            critical,
        }
    }
}
