//! Quantile against a limit while a baseline runs beside (judge.md 7): as for shares, with the comparison of quantiles.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::compare::{QuantileCompare, QuantileTolerance};
use super::limit::{QuantileLimit, QuantileLimitShown};
use crate::sequential::gate::{Compared, Gate};
use crate::sequential::histogram::total;
use crate::sequential::reading::Reading;
use crate::sequential::settings::{ParameterError, Settings};

/// A limit of a quantile, the comparison that it keeps, and the gate between them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct QuantileLimitBeside {
    limit: QuantileLimit,
    compare: QuantileCompare,
    gate: Gate,
}

/// What is shown of it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct QuantileLimitBesideShown {
    #[serde(flatten)]
    pub limit: QuantileLimitShown,
    /// Whether the comparison has let the limit speak.
    pub open: bool,
    pub log_bad_limit: f64,
    pub log_good_limit: f64,
    pub log_bad_beside: f64,
    pub log_good_beside: f64,
    /// The baseline's quantile.
    pub baseline: Option<f64>,
}

impl QuantileLimitBeside {
    /// Without `used` bounds (a rule without `compare`) the limit's own next bound up is compared.
    pub fn new(
        q: f64,
        limit: f64,
        bounds: Arc<[f64]>,
        tolerance: QuantileTolerance,
        settings: Settings,
    ) -> Result<Self, ParameterError> {
        let limit = QuantileLimit::new(q, limit, Arc::clone(&bounds), settings)?;
        let used = match tolerance.used {
            Some(used) => used,
            None => limit.bound_up().into_iter().collect(),
        };
        let tolerance = QuantileTolerance {
            used: Some(used),
            ..tolerance
        };
        Ok(Self {
            compare: QuantileCompare::new(q, bounds, &tolerance, settings)?,
            gate: Gate::new(settings.alpha),
            limit,
        })
    }

    /// Once every tick: events per bucket of both arms. An unusable histogram in either arm makes the tick empty for
    /// limit and comparison both.
    pub fn update(&mut self, canary: &[f64], baseline: &[f64]) {
        let before = self.compared();
        let size = self.limit.bounds().len();
        if total(canary, size).is_some() && total(baseline, size).is_some() {
            self.limit.update(canary);
            self.compare.update(canary, baseline);
        } else {
            self.compare.idle();
        }
        self.gate.look(before, self.compared());
    }

    /// A tick of history: teaches clumping to both, is no evidence.
    pub fn warm(&mut self, baseline: &[f64]) {
        self.limit.warm(baseline);
        self.compare.warm(baseline);
    }

    fn compared(&self) -> Compared {
        Compared {
            judged: self.compare.judged(),
            log_bad: self.compare.reading().log_bad,
        }
    }

    pub fn reading(&self) -> Reading {
        self.gate
            .reading(self.limit.reading(), self.compare.reading())
    }

    /// The comparison that it keeps.
    pub fn compare(&self) -> &QuantileCompare {
        &self.compare
    }

    /// The limit by itself, as if there were no baseline.
    pub fn limit(&self) -> &QuantileLimit {
        &self.limit
    }

    /// The limit is surely exceeded, and the canary not surely slower than its baseline allows: both are bad.
    pub fn baseline_also_bad(&self) -> bool {
        !self.gate.is_open() && self.limit.reading().log_bad >= self.limit.settings().bad_level()
    }

    pub fn shown(&self) -> QuantileLimitBesideShown {
        let Reading {
            log_bad, log_good, ..
        } = self.reading();
        let (limit, compare) = (self.limit.reading(), self.compare.reading());
        QuantileLimitBesideShown {
            limit: QuantileLimitShown {
                log_bad,
                log_good,
                ..self.limit.shown()
            },
            open: self.gate.is_open(),
            log_bad_limit: limit.log_bad,
            log_good_limit: limit.log_good,
            log_bad_beside: compare.log_bad,
            log_good_beside: compare.log_good,
            baseline: self.compare.baseline_quantile(),
        }
    }
}
