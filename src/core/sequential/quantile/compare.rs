//! Quantile against the baseline (judge.md 7): at every bound `x` that is used, the canary's share above `r * x` is at
//! most `psi0` times the baseline's share above `x`, plus a little.
//!
//! The mean of the e-processes of all bounds speaks against the release, their minimum for it.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::sequential::histogram::{check_bounds, next_down, next_up, over, quantile, total};
use crate::sequential::logs::log_sum;
use crate::sequential::ratio::{RatioCompare, RatioCompareShown, Tolerance};
use crate::sequential::reading::Reading;
use crate::sequential::settings::{ParameterError, Settings, within};

/// How much slower than the baseline a canary may be.
#[derive(Debug, Clone, PartialEq)]
pub struct QuantileTolerance {
    /// 1 + margin: how many times more events may be slow.
    pub psi0: f64,
    /// Added to the share; `None`: 0.1 * (1-q).
    pub plus: Option<f64>,
    /// Ticks that counts of one arm wait for the other; `None`: five minutes.
    pub wait: Option<u64>,
    /// Factor by which every event may be slower. 1 is the sensitive choice: see [`crate::sequential::shows`].
    pub r: f64,
    /// Indices of the bounds that are used; `None`: all, or beside a limit its own next bound up alone.
    pub used: Option<Vec<usize>>,
}

impl Default for QuantileTolerance {
    fn default() -> Self {
        Self {
            psi0: 1.5,
            plus: None,
            wait: None,
            r: 1.0,
            used: None,
        }
    }
}

/// Evidence that the canary is no slower than the baseline allows, or is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct QuantileCompare {
    q: f64,
    bounds: Arc<[f64]>,
    at: Vec<AtBound>,
    canary: Vec<f64>,
    baseline: Vec<f64>,
}

/// The comparison at one bound.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct AtBound {
    /// The baseline's bound, and the canary's for a fail and for a pass (`None`: all its events).
    bound: usize,
    up: usize,
    down: Option<usize>,
    surely: RatioCompare,
    /// `None`: `up` and `down` are one bound, and so are the comparisons.
    possibly: Option<RatioCompare>,
}

/// What is shown of it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct QuantileCompareShown {
    pub log_bad: f64,
    pub log_good: f64,
    /// The quantile of each arm, interpolated.
    pub canary: Option<f64>,
    pub baseline: Option<f64>,
    /// The bound at which the evidence against the canary is strongest, and the comparison there.
    pub worst_bound: Option<f64>,
    pub worst: Option<RatioCompareShown>,
}

impl AtBound {
    fn update(&mut self, canary: &[f64], n_c: f64, baseline: &[f64], n_b: f64) {
        let slow = over(baseline, Some(self.bound));
        self.surely
            .update(n_c, over(canary, Some(self.up)), n_b, slow);
        if let Some(possibly) = &mut self.possibly {
            possibly.update(n_c, over(canary, self.down), n_b, slow);
        }
    }

    fn log_good(&self) -> f64 {
        self.possibly.as_ref().unwrap_or(&self.surely).log_good()
    }
}

impl QuantileCompare {
    /// `q`: between 0 and 1; `bounds`: of the histogram of both arms, ascending. Bounds without a bound at or above
    /// `r` times them are left out.
    pub fn new(
        q: f64,
        bounds: Arc<[f64]>,
        tolerance: &QuantileTolerance,
        settings: Settings,
    ) -> Result<Self, ParameterError> {
        within(q > 0.0 && q < 1.0, "q", q, "above 0 and below 1")?;
        check_bounds(&bounds)?;
        let r = tolerance.r;
        within(
            (1e-3..=1e3).contains(&r),
            "r",
            r,
            "0.001 to 1000; usual is 1",
        )?;
        let compare = RatioCompare::new(
            Tolerance {
                psi0: tolerance.psi0,
                plus: tolerance.plus.unwrap_or(0.1 * (1.0 - q)),
                wait: tolerance.wait,
            },
            settings,
        )?;
        let all: Vec<usize> = (0..bounds.len()).collect();
        let mut at = Vec::new();
        for bound in tolerance.used.as_ref().unwrap_or(&all) {
            let Some(x) = bounds.get(*bound) else {
                return Err(ParameterError::NoSuchBound {
                    index: *bound,
                    bounds: bounds.len(),
                });
            };
            let Some(up) = next_up(&bounds, r * x) else {
                continue;
            };
            let down = next_down(&bounds, r * x);
            at.push(AtBound {
                bound: *bound,
                up,
                down,
                surely: compare.clone(),
                possibly: (down != Some(up)).then(|| compare.clone()),
            });
        }
        let empty = vec![0.0; bounds.len() + 1];
        Ok(Self {
            q,
            bounds,
            at,
            canary: empty.clone(),
            baseline: empty,
        })
    }

    /// Once every tick: events per bucket of both arms, zeros when there is nothing. A tick in which either cannot be
    /// counts of this histogram is one without traffic.
    pub fn update(&mut self, canary: &[f64], baseline: &[f64]) {
        let size = self.bounds.len();
        let (Some(n_c), Some(n_b)) = (total(canary, size), total(baseline, size)) else {
            self.idle();
            return;
        };
        for at in &mut self.at {
            at.update(canary, n_c, baseline, n_b);
        }
        let sums = self.canary.iter_mut().zip(canary);
        for (sum, count) in sums.chain(self.baseline.iter_mut().zip(baseline)) {
            *sum += count;
        }
    }

    /// A tick without traffic: what waits grows older.
    pub(super) fn idle(&mut self) {
        for at in &mut self.at {
            at.update(&[], 0.0, &[], 0.0);
        }
    }

    /// A tick of history of the baseline: teaches clumping, is no evidence.
    pub fn warm(&mut self, baseline: &[f64]) {
        let Some(n) = total(baseline, self.bounds.len()) else {
            return;
        };
        for at in &mut self.at {
            let slow = over(baseline, Some(at.bound));
            at.surely.warm(n, slow);
            if let Some(possibly) = &mut at.possibly {
                possibly.warm(n, slow);
            }
        }
    }

    /// Ticks with evidence: the same at every bound.
    pub fn judged(&self) -> u64 {
        self.at.first().map_or(0, |at| at.surely.judged())
    }

    pub fn reading(&self) -> Reading {
        if self.at.is_empty() {
            return Reading::SILENT;
        }
        let sum = log_sum(self.at.iter().map(|at| at.surely.log_bad()));
        let least = self.at.iter().map(AtBound::log_good);
        Reading::test(
            sum - (self.at.len() as f64).ln(),
            least.fold(f64::INFINITY, f64::min),
        )
    }

    pub(super) fn baseline_quantile(&self) -> Option<f64> {
        quantile(self.q, &self.bounds, &self.baseline)
    }

    pub fn shown(&self) -> QuantileCompareShown {
        let Reading {
            log_bad, log_good, ..
        } = self.reading();
        // The first of equals, whatever the order of evaluation.
        let worst = self.at.iter().reduce(|worst, at| {
            if at.surely.log_bad() > worst.surely.log_bad() {
                at
            } else {
                worst
            }
        });
        QuantileCompareShown {
            log_bad,
            log_good,
            canary: quantile(self.q, &self.bounds, &self.canary),
            baseline: self.baseline_quantile(),
            worst_bound: worst.and_then(|at| self.bounds.get(at.bound)).copied(),
            worst: worst.map(|at| at.surely.shown()),
        }
    }
}
