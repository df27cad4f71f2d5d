//! A comparison as a test: with a baseline that runs beside the canary, or with what was before the release.

use super::limit::SHARES;
use super::taken::in_buckets;
use super::{AtBound, Comparison};
use crate::judge::DRIFT;
use crate::judge::release::past::Past;
use crate::measurement::Counts;
use crate::rule::{Compare, CountsCheck, Metric};
use crate::sequential::{
    JudgeRule, QuantileCompare, QuantileTolerance, RatioCompare, RatioLimit, Settings, Tolerance,
    before_limit, most_telling_bounds,
};

/// A comparison before it has a state.
pub(super) struct Comparing {
    compare: Compare,
    /// Of a quantile: which, and the bounds that tell most of it; `None`: as the limit has it.
    quantile: Option<(f64, Option<Vec<usize>>)>,
}

impl Comparing {
    pub(super) fn of(
        check: &CountsCheck,
        compare: Option<Compare>,
        bounds: &[f64],
        past: &Past,
    ) -> Option<Self> {
        let compare = compare?;
        let quantile = match &check.metric {
            Metric::Ratio(_) => None,
            Metric::Histogram(metric) => {
                let q = metric.quantile();
                let used = check.compare.map(|_| {
                    let history = past.sum().and_then(|counts| match counts {
                        Counts::Histogram(histogram) => Some(in_buckets(histogram, bounds)),
                        Counts::Ratio(_) => None,
                    });
                    most_telling_bounds(q, bounds, history.as_deref().unwrap_or(&[]))
                });
                Some((q, used))
            }
        };
        Some(Self { compare, quantile })
    }

    fn psi0(&self) -> f64 {
        1.0 + self.compare.margin
    }

    pub(super) fn ratio_tolerance(&self) -> Tolerance {
        Tolerance {
            psi0: self.psi0(),
            plus: self.compare.plus,
            wait: None,
        }
    }

    pub(super) fn quantile_tolerance(&self) -> QuantileTolerance {
        QuantileTolerance {
            psi0: self.psi0(),
            plus: Some(self.compare.plus),
            wait: None,
            r: 1.0,
            used: self.quantile.as_ref().and_then(|(_, used)| used.clone()),
        }
    }

    pub(super) fn beside(&self, bounds: &[f64], settings: Settings) -> Option<JudgeRule> {
        match &self.quantile {
            None => RatioCompare::new(self.ratio_tolerance(), settings)
                .ok()
                .map(JudgeRule::RatioCompare),
            Some((q, _)) => {
                QuantileCompare::new(*q, bounds.into(), &self.quantile_tolerance(), settings)
                    .ok()
                    .map(JudgeRule::QuantileCompare)
            }
        }
    }

    /// The limits that stand for a baseline: what was before the release, with half of alpha.
    pub(super) fn before(
        &self,
        check: &CountsCheck,
        bounds: &[f64],
        past: &Past,
        settings: Settings,
    ) -> Comparison {
        let Some(sum) = past.sum().filter(|sum| sum.total() > 0.0) else {
            return Comparison::Nothing;
        };
        let at: Vec<Option<usize>> = match &self.quantile {
            None => vec![None],
            Some((_, used)) => used
                .clone()
                .unwrap_or_default()
                .into_iter()
                .map(Some)
                .collect(),
        };
        let halved = Settings {
            alpha: settings.alpha / 2.0,
            ..settings
        };
        let limits: Vec<AtBound> = at
            .into_iter()
            .filter_map(|bound| {
                let mut at = AtBound {
                    bound,
                    limit: RatioLimit::new(0.5, halved).ok()?,
                };
                let (n, e) = at.counts(check, bounds, sum);
                let (psi0, plus) = (self.psi0(), self.compare.plus);
                let p0 = before_limit(n, e, psi0, plus, DRIFT, 1.0, settings.alpha).ok()?;
                let p0 = p0.clamp(*SHARES.start(), *SHARES.end());
                at.limit = RatioLimit::new(p0, halved).ok()?;
                Some(at)
            })
            .collect();
        if limits.is_empty() {
            return Comparison::Nothing;
        }
        Comparison::Before(limits)
    }
}
