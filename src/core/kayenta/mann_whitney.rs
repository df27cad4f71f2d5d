//! The interval and estimate of the shift between two samples by inverting the Mann-Whitney test, as Kayenta does it.
//!
//! The same as R's `wilcox.test(x, y, exact = FALSE, correct = TRUE, conf.int = TRUE)`: always the normal
//! approximation, with correction for continuity and for ties; no p-value is computed. The end points are roots that
//! Brent's method found to 1e-4 in the unit of the metric, whatever that unit is.

use thiserror::Error;

use super::brent::{self, Point};
use super::ranks::{Ranked, Search};

/// Every value is tied at some shift that was tried: there is no interval.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("cannot compute confidence interval when all observations are tied")]
pub struct AllTied;

/// A confidence level for which the real class's quantile was recorded. Kayenta's judge knows only 98 %.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Confidence {
    /// 98 %.
    Percent98,
    /// 95 %, for Kayenta's own test tables.
    Percent95,
}

impl Confidence {
    /// The upper quantile of the standard normal distribution at `(1 - level) / 2`, with the bits that Commons Math's
    /// `NormalDistribution` gives (2.326347874040841 and 1.959963984540054); the last ones depend on its `erfInv`.
    pub fn quantile(self) -> f64 {
        match self {
            Self::Percent98 => f64::from_bits(0x4002_9c5c_4630_ff0f),
            Self::Percent95 => f64::from_bits(0x3fff_5c03_31ee_ff84),
        }
    }
}

/// By how much the experiment lies above the control.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interval {
    /// Its lower end, in the metric's unit.
    pub lower: f64,
    /// Its upper end; where values are few or tiny the ends can even be the wrong way round, as in Kayenta.
    pub upper: f64,
    /// The Hodges-Lehmann estimate of the shift.
    pub estimate: f64,
}

/// The interval of the shift from `control` to `experiment`; neither holds NaN.
///
/// # Errors
/// When all values are tied at some shift (or a side is empty).
pub fn interval(
    experiment: &[f64],
    control: &[f64],
    confidence: Confidence,
) -> Result<Interval, AllTied> {
    between(&Ranked::new(experiment, control), confidence)
}

/// The same for samples that are sorted already.
pub(super) fn between(ranked: &Ranked, confidence: Confidence) -> Result<Interval, AllTied> {
    let mut search = Search::new(ranked).ok_or(AllTied)?;
    let (low, high) = search.ends();
    let quantile = confidence.quantile();
    let (low_value, high_value) = search.at_ends()?;
    let mut solve = |quantile: f64| {
        search.restart();
        let from = Point {
            at: low,
            value: low_value - quantile,
        };
        let to = Point {
            at: high,
            value: high_value - quantile,
        };
        brent::root(from, to, |shift| search.value(shift, quantile))
    };
    // Where even the extreme shift does not reach the quantile, the end of the interval is that extreme: few points
    // that are wholly apart are "significant" by this alone.
    let mut end = |quantile: f64| {
        if low_value - quantile <= 0.0 {
            Ok(low)
        } else if high_value - quantile >= 0.0 {
            Ok(high)
        } else {
            solve(quantile)
        }
    };
    let lower = end(quantile)?;
    let upper = end(-quantile)?;
    Ok(Interval {
        lower,
        upper,
        estimate: solve(0.0)?,
    })
}
