//! A judge rule of any kind, behind one face: measured ticks go in, a reading comes out.

use serde::{Deserialize, Serialize};

use super::doubt::Doubt;
use super::gauge::{GaugeCompare, GaugeCompareShown, GaugeLimit, GaugeLimitShown};
use super::quantile::{
    QuantileCompare, QuantileCompareShown, QuantileLimit, QuantileLimitBeside,
    QuantileLimitBesideShown, QuantileLimitShown,
};
use super::ratio::{
    RatioCompare, RatioCompareShown, RatioLimit, RatioLimitBeside, RatioLimitBesideShown,
    RatioLimitShown,
};
use super::reading::Reading;

/// An interval is narrow when its ends lie within this factor of the bound.
const NARROW: f64 = 2.0;

/// The evidence of one judge rule.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum JudgeRule {
    RatioLimit(RatioLimit),
    RatioCompare(RatioCompare),
    RatioLimitBeside(RatioLimitBeside),
    QuantileLimit(QuantileLimit),
    QuantileCompare(QuantileCompare),
    QuantileLimitBeside(QuantileLimitBeside),
    GaugeLimit(GaugeLimit),
    GaugeCompare(GaugeCompare),
}

/// What was measured in one tick, as each kind of rule takes it. A number that is missing is NaN.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Measured<'a> {
    /// Events and bad ones of one arm.
    Counts { n: f64, e: f64 },
    /// Of canary and baseline.
    BothCounts {
        n_c: f64,
        e_c: f64,
        n_b: f64,
        e_b: f64,
    },
    /// Events per bucket of one arm.
    Histogram(&'a [f64]),
    /// Of canary and baseline.
    BothHistograms(&'a [f64], &'a [f64]),
    /// A value and its time in seconds.
    Value { at: f64, value: f64 },
    /// A value of canary and baseline.
    BothValues { canary: f64, baseline: f64 },
}

/// What is shown of a rule.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Shown {
    RatioLimit(RatioLimitShown),
    RatioCompare(RatioCompareShown),
    RatioLimitBeside(RatioLimitBesideShown),
    QuantileLimit(QuantileLimitShown),
    QuantileCompare(QuantileCompareShown),
    QuantileLimitBeside(QuantileLimitBesideShown),
    GaugeLimit(GaugeLimitShown),
    GaugeCompare(GaugeCompareShown),
}

impl JudgeRule {
    /// One tick. What does not fit the rule (counts for a gauge) is a tick without traffic.
    pub fn update(&mut self, measured: Measured<'_>) {
        use Measured::{BothCounts, BothHistograms, BothValues, Counts, Histogram, Value};
        let fits = self.fits(measured);
        match (self, measured) {
            (Self::RatioLimit(rule), Counts { n, e }) => rule.update(n, e),
            (Self::RatioCompare(rule), BothCounts { n_c, e_c, n_b, e_b }) => {
                rule.update(n_c, e_c, n_b, e_b);
            }
            (Self::RatioLimitBeside(rule), BothCounts { n_c, e_c, n_b, e_b }) => {
                rule.update(n_c, e_c, n_b, e_b);
            }
            (Self::QuantileLimit(rule), Histogram(counts)) => rule.update(counts),
            (Self::QuantileCompare(rule), BothHistograms(canary, baseline)) => {
                rule.update(canary, baseline);
            }
            (Self::QuantileLimitBeside(rule), BothHistograms(canary, baseline)) => {
                rule.update(canary, baseline);
            }
            (Self::GaugeLimit(rule), Value { at, value }) => rule.update(at, value),
            (Self::GaugeCompare(rule), BothValues { canary, baseline }) => {
                rule.update(canary, baseline);
            }
            (rule, _) => {
                debug_assert!(!fits, "what fits is judged");
                rule.idle();
            }
        }
    }

    /// Whether the rule judges what is measured like this.
    pub fn fits(&self, measured: Measured<'_>) -> bool {
        match self {
            Self::RatioLimit(_) => matches!(measured, Measured::Counts { .. }),
            Self::RatioCompare(_) | Self::RatioLimitBeside(_) => {
                matches!(measured, Measured::BothCounts { .. })
            }
            Self::QuantileLimit(_) => matches!(measured, Measured::Histogram(_)),
            Self::QuantileCompare(_) | Self::QuantileLimitBeside(_) => {
                matches!(measured, Measured::BothHistograms(..))
            }
            Self::GaugeLimit(_) => matches!(measured, Measured::Value { .. }),
            Self::GaugeCompare(_) => matches!(measured, Measured::BothValues { .. }),
        }
    }

    /// A tick without anything: what waits for the other arm grows older.
    pub fn idle(&mut self) {
        match self {
            Self::RatioCompare(rule) => rule.update(0.0, 0.0, 0.0, 0.0),
            Self::RatioLimitBeside(rule) => rule.update(0.0, 0.0, 0.0, 0.0),
            Self::QuantileCompare(rule) => rule.update(&[], &[]),
            Self::QuantileLimitBeside(rule) => rule.update(&[], &[]),
            Self::RatioLimit(_)
            | Self::QuantileLimit(_)
            | Self::GaugeLimit(_)
            | Self::GaugeCompare(_) => {}
        }
    }

    /// A tick of history before the first tick, of the baseline where there are two arms: teaches clumping, is no
    /// evidence. False when the rule takes no such history.
    pub fn warm(&mut self, measured: Measured<'_>) -> bool {
        match (self, measured) {
            (Self::RatioLimit(rule), Measured::Counts { n, e }) => rule.warm(n, e),
            (Self::RatioCompare(rule), Measured::Counts { n, e }) => rule.warm(n, e),
            (Self::RatioLimitBeside(rule), Measured::Counts { n, e }) => rule.warm(n, e),
            (Self::QuantileLimit(rule), Measured::Histogram(counts)) => rule.warm(counts),
            (Self::QuantileCompare(rule), Measured::Histogram(counts)) => rule.warm(counts),
            (Self::QuantileLimitBeside(rule), Measured::Histogram(counts)) => rule.warm(counts),
            (_, _) => return false,
        }
        true
    }

    pub fn reading(&self) -> Reading {
        match self {
            Self::RatioLimit(rule) => rule.reading(),
            Self::RatioCompare(rule) => rule.reading(),
            Self::RatioLimitBeside(rule) => rule.reading(),
            Self::QuantileLimit(rule) => rule.reading(),
            Self::QuantileCompare(rule) => rule.reading(),
            Self::QuantileLimitBeside(rule) => rule.reading(),
            Self::GaugeLimit(rule) => rule.reading(),
            Self::GaugeCompare(rule) => rule.reading(),
        }
    }

    /// What the comparison says that a limit beside a baseline keeps; `None` for other rules.
    pub fn beside(&self) -> Option<Reading> {
        match self {
            Self::RatioLimitBeside(rule) => Some(rule.compare().reading()),
            Self::QuantileLimitBeside(rule) => Some(rule.compare().reading()),
            Self::RatioLimit(_)
            | Self::RatioCompare(_)
            | Self::QuantileLimit(_)
            | Self::QuantileCompare(_)
            | Self::GaugeLimit(_)
            | Self::GaugeCompare(_) => None,
        }
    }

    /// In an endless watch: whether it fires. `None` for the watch of a release.
    pub fn fires(&self) -> Option<bool> {
        match self {
            Self::RatioLimit(rule) => rule.fires(),
            Self::RatioCompare(rule) => rule.fires(),
            Self::RatioLimitBeside(_)
            | Self::QuantileLimit(_)
            | Self::QuantileCompare(_)
            | Self::QuantileLimitBeside(_)
            | Self::GaugeLimit(_)
            | Self::GaugeCompare(_) => None,
        }
    }

    pub fn shown(&self) -> Shown {
        match self {
            Self::RatioLimit(rule) => Shown::RatioLimit(rule.shown()),
            Self::RatioCompare(rule) => Shown::RatioCompare(rule.shown()),
            Self::RatioLimitBeside(rule) => Shown::RatioLimitBeside(rule.shown()),
            Self::QuantileLimit(rule) => Shown::QuantileLimit(rule.shown()),
            Self::QuantileCompare(rule) => Shown::QuantileCompare(rule.shown()),
            Self::QuantileLimitBeside(rule) => Shown::QuantileLimitBeside(rule.shown()),
            Self::GaugeLimit(rule) => Shown::GaugeLimit(rule.shown()),
            Self::GaugeCompare(rule) => Shown::GaugeCompare(rule.shown()),
        }
    }

    /// What keeps it from passing at `level`, ln(1/beta); `None` when it passes.
    pub fn doubt(&self, level: f64) -> Option<Doubt> {
        let log_good = self.reading().log_good;
        let also_bad = match self {
            Self::RatioLimitBeside(rule) => rule.baseline_also_bad(),
            Self::QuantileLimitBeside(rule) => rule.baseline_also_bad(),
            Self::RatioLimit(_)
            | Self::RatioCompare(_)
            | Self::QuantileLimit(_)
            | Self::QuantileCompare(_)
            | Self::GaugeLimit(_)
            | Self::GaugeCompare(_) => false,
        };
        if also_bad && log_good < level {
            return Some(Doubt::BaselineAlsoBad);
        }
        let limited = |shown: RatioLimitShown| (shown.n, near(shown.limit, shown.low, shown.high));
        let compared = |shown: RatioCompareShown| {
            let between = shown
                .allowed
                .is_some_and(|allowed| near(allowed, shown.canary_low, shown.canary_high));
            (shown.n_c, between)
        };
        let (events, between) = match self.shown() {
            Shown::RatioLimit(shown) => limited(shown),
            Shown::RatioLimitBeside(shown) => limited(shown.limit),
            Shown::RatioCompare(shown) => compared(shown),
            Shown::QuantileLimit(shown) => (shown.n, false),
            Shown::QuantileLimitBeside(shown) => (shown.limit.n, false),
            Shown::QuantileCompare(shown) => shown.worst.map_or((0.0, false), compared),
            Shown::GaugeLimit(shown) => (f64::from(shown.value.is_some()), true),
            Shown::GaugeCompare(shown) => {
                ((shown.blocks_above + shown.blocks_not_above) as f64, false)
            }
        };
        Doubt::of(events, log_good, level, between)
    }
}

/// Whether an interval is narrow, and the bound in it: more of the same data would hardly decide.
fn near(bound: f64, low: f64, high: f64) -> bool {
    low > bound / NARROW && low < bound && bound < high && high < bound * NARROW
}
