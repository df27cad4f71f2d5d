//! Ratio against a limit while a baseline runs beside (judge.md 4): the limit decides once the rule's own comparison has
//! said that the canary is worse than tolerated.

use serde::{Deserialize, Serialize};

use super::compare::{RatioCompare, Tolerance};
use super::limit::{RatioLimit, RatioLimitShown};
use crate::sequential::gate::{Compared, Gate};
use crate::sequential::reading::Reading;
use crate::sequential::settings::{ParameterError, Settings};
use crate::sequential::tally::Tally;

/// A limit, the comparison that it keeps, and the gate between them. A rule with `max` and `compare` is two judge rules
/// with this one comparison: the second is read from [`RatioLimitBeside::compare`] after the update.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RatioLimitBeside {
    limit: RatioLimit,
    compare: RatioCompare,
    gate: Gate,
}

/// What is shown of it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct RatioLimitBesideShown {
    #[serde(flatten)]
    pub limit: RatioLimitShown,
    /// Whether the comparison has let the limit speak.
    pub open: bool,
    pub log_bad_limit: f64,
    pub log_good_limit: f64,
    pub log_bad_beside: f64,
    pub log_good_beside: f64,
    /// The baseline's share of bad events.
    pub baseline: Option<f64>,
}

impl RatioLimitBeside {
    pub fn new(p0: f64, tolerance: Tolerance, settings: Settings) -> Result<Self, ParameterError> {
        Ok(Self {
            limit: RatioLimit::new(p0, settings)?,
            compare: RatioCompare::new(tolerance, settings)?,
            gate: Gate::new(settings.alpha),
        })
    }

    /// Once every tick, with zeros when there is nothing. A tick that is unusable in one of its numbers is empty for
    /// limit and comparison both.
    pub fn update(&mut self, n_c: f64, e_c: f64, n_b: f64, e_b: f64) {
        let before = self.compared();
        match (Tally::read(n_c, e_c), Tally::read(n_b, e_b)) {
            (Some(_), Some(_)) => {
                self.limit.update(n_c, e_c);
                self.compare.update(n_c, e_c, n_b, e_b);
            }
            (Some(_) | None, None) | (None, Some(_)) => self.compare.update(0.0, 0.0, 0.0, 0.0),
        }
        self.gate.look(before, self.compared());
    }

    /// A tick of history: teaches clumping to both, is no evidence.
    pub fn warm(&mut self, n: f64, e: f64) {
        self.limit.warm(n, e);
        self.compare.warm(n, e);
    }

    fn compared(&self) -> Compared {
        Compared {
            judged: self.compare.judged(),
            log_bad: self.compare.log_bad(),
        }
    }

    pub fn reading(&self) -> Reading {
        self.gate
            .reading(self.limit.reading(), self.compare.reading())
    }

    /// The comparison that it keeps.
    pub fn compare(&self) -> &RatioCompare {
        &self.compare
    }

    /// The limit by itself, as if there were no baseline.
    pub fn limit(&self) -> &RatioLimit {
        &self.limit
    }

    /// The limit is surely exceeded, and the canary not surely worse than its baseline allows: both are bad.
    pub fn baseline_also_bad(&self) -> bool {
        !self.gate.is_open() && self.limit.log_bad() >= self.limit.settings().bad_level()
    }

    pub fn shown(&self) -> RatioLimitBesideShown {
        let Reading {
            log_bad, log_good, ..
        } = self.reading();
        RatioLimitBesideShown {
            limit: RatioLimitShown {
                log_bad,
                log_good,
                ..self.limit.shown()
            },
            open: self.gate.is_open(),
            log_bad_limit: self.limit.log_bad(),
            log_good_limit: self.limit.log_good(),
            log_bad_beside: self.compare.log_bad(),
            log_good_beside: self.compare.log_good(),
            baseline: self.compare.baseline_share(),
        }
    }
}
