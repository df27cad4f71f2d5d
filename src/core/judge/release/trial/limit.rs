//! The limit of a rule as a test: alone, or beside a baseline.

use super::comparing::Comparing;
use crate::rule::{CountsCheck, Metric, Part};
use crate::sequential::{
    JudgeRule, QuantileLimit, QuantileLimitBeside, RatioLimit, RatioLimitBeside, Settings,
};

/// A limit that a share can reach and miss.
pub(super) const SHARES: std::ops::RangeInclusive<f64> = 1e-9..=1.0 - 1e-9;

/// The limit of a rule.
pub(super) enum LimitOf {
    /// A share of bad events.
    Share(f64),
    /// A quantile and its limit in the unit of the buckets.
    Quantile { q: f64, max: f64 },
}

pub(super) fn limit_of(check: &CountsCheck) -> Option<LimitOf> {
    match &check.metric {
        Metric::Ratio(metric) => {
            let bad = match metric.part_is {
                Part::Bad => check.max?,
                // A least share of good events is a largest share of bad ones.
                Part::Good => 1.0 - check.min?,
            };
            Some(LimitOf::Share(bad.clamp(*SHARES.start(), *SHARES.end())))
        }
        Metric::Histogram(metric) => Some(LimitOf::Quantile {
            q: metric.quantile(),
            max: check.max?,
        }),
    }
}

impl LimitOf {
    pub(super) fn alone(&self, bounds: &[f64], settings: Settings) -> Option<JudgeRule> {
        match self {
            Self::Share(p0) => RatioLimit::new(*p0, settings)
                .ok()
                .map(JudgeRule::RatioLimit),
            Self::Quantile { q, max } => QuantileLimit::new(*q, *max, bounds.into(), settings)
                .ok()
                .map(JudgeRule::QuantileLimit),
        }
    }

    pub(super) fn beside(
        &self,
        gate: Option<&Comparing>,
        bounds: &[f64],
        settings: Settings,
    ) -> Option<JudgeRule> {
        match (self, gate) {
            (Self::Share(p0), Some(gate)) => {
                RatioLimitBeside::new(*p0, gate.ratio_tolerance(), settings)
                    .ok()
                    .map(JudgeRule::RatioLimitBeside)
            }
            (Self::Quantile { q, max }, Some(gate)) => {
                let tolerance = gate.quantile_tolerance();
                QuantileLimitBeside::new(*q, *max, bounds.into(), tolerance, settings)
                    .ok()
                    .map(JudgeRule::QuantileLimitBeside)
            }
            (_, None) => self.alone(bounds, settings),
        }
    }
}
