//! Quantile against a limit (judge.md 7): for a fail count the surely slow, for a pass the possibly slow.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::sequential::histogram::{check_bounds, next_down, next_up, over, quantile, total};
use crate::sequential::ratio::RatioLimit;
use crate::sequential::reading::Reading;
use crate::sequential::settings::{ParameterError, Settings, within};

/// Evidence that a quantile stays within a limit, or does not.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct QuantileLimit {
    q: f64,
    limit: f64,
    bounds: Arc<[f64]>,
    counts: Vec<f64>,
    sides: Sides,
}

/// The two sides; one when the limit is a bound.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(
    clippy::large_enum_variant,
    reason = "evidence lies in one place: a box would be a jump per tick"
)]
enum Sides {
    /// The limit is this bound.
    On { bound: usize, limit: RatioLimit },
    /// The limit lies between bounds. `surely`: above the next bound up, if there is one. `possibly`: above the next
    /// bound down; all events when there is none.
    Between {
        surely: Option<(usize, RatioLimit)>,
        down: Option<usize>,
        possibly: RatioLimit,
    },
}

/// What is shown of it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct QuantileLimitShown {
    pub log_bad: f64,
    pub log_good: f64,
    pub n: f64,
    pub limit: f64,
    /// Interpolated; `None` without events.
    pub quantile: Option<f64>,
    /// Bound above which events are surely slow; `None` when the limit lies above all bounds.
    pub counted_above: Option<f64>,
    /// Bound above which events are possibly slow; `None` when the limit lies below all bounds.
    pub counted_below: Option<f64>,
    /// Interval of the share of slow events.
    pub low: f64,
    pub high: f64,
}

impl QuantileLimit {
    /// `q`: between 0 and 1. `bounds`: of the histogram, ascending; the limit in the same unit. A limit above the last
    /// bound can never fail.
    pub fn new(
        q: f64,
        limit: f64,
        bounds: Arc<[f64]>,
        settings: Settings,
    ) -> Result<Self, ParameterError> {
        within(q > 0.0 && q < 1.0, "q", q, "above 0 and below 1")?;
        within(limit.is_finite(), "limit", limit, "a finite number")?;
        check_bounds(&bounds)?;
        let share = RatioLimit::new(1.0 - q, settings)?;
        let (up, down) = (next_up(&bounds, limit), next_down(&bounds, limit));
        let sides = match up {
            Some(bound) if up == down => Sides::On {
                bound,
                limit: share,
            },
            Some(_) | None => Sides::Between {
                surely: up.map(|bound| (bound, share.clone())),
                down,
                possibly: share,
            },
        };
        Ok(Self {
            q,
            limit,
            counts: vec![0.0; bounds.len() + 1],
            bounds,
            sides,
        })
    }

    /// One tick: events per bucket. What cannot be counts of this histogram is a tick without traffic.
    pub fn update(&mut self, counts: &[f64]) {
        if self.each_side(counts, RatioLimit::update) {
            for (sum, count) in self.counts.iter_mut().zip(counts) {
                *sum += count;
            }
        }
    }

    /// A tick of history before the first tick: teaches clumping, is no evidence.
    pub fn warm(&mut self, counts: &[f64]) {
        self.each_side(counts, RatioLimit::warm);
    }

    /// Gives each limit all events and those above its bound; false when these cannot be counts of this histogram.
    fn each_side(&mut self, counts: &[f64], take: fn(&mut RatioLimit, f64, f64)) -> bool {
        let Some(n) = total(counts, self.bounds.len()) else {
            return false;
        };
        match &mut self.sides {
            Sides::On { bound, limit } => take(limit, n, over(counts, Some(*bound))),
            Sides::Between {
                surely,
                down,
                possibly,
            } => {
                if let Some((bound, surely)) = surely {
                    take(surely, n, over(counts, Some(*bound)));
                }
                take(possibly, n, over(counts, *down));
            }
        }
        true
    }

    /// The two limits: for what speaks against, and for what speaks for the release.
    fn shares(&self) -> (Option<&RatioLimit>, &RatioLimit) {
        match &self.sides {
            Sides::On { limit, .. } => (Some(limit), limit),
            Sides::Between {
                surely, possibly, ..
            } => (surely.as_ref().map(|(_, surely)| surely), possibly),
        }
    }

    pub fn reading(&self) -> Reading {
        let (surely, possibly) = self.shares();
        Reading::test(surely.map_or(0.0, RatioLimit::log_bad), possibly.log_good())
    }

    pub fn settings(&self) -> &Settings {
        self.shares().1.settings()
    }

    /// The next bound up of the limit.
    pub(super) fn bound_up(&self) -> Option<usize> {
        next_up(&self.bounds, self.limit)
    }

    pub(super) fn bounds(&self) -> &[f64] {
        &self.bounds
    }

    pub fn shown(&self) -> QuantileLimitShown {
        let Reading {
            log_bad, log_good, ..
        } = self.reading();
        let (surely, possibly) = self.shares();
        let bound = |index: Option<usize>| index.and_then(|index| self.bounds.get(index)).copied();
        QuantileLimitShown {
            log_bad,
            log_good,
            n: self.counts.iter().sum(),
            limit: self.limit,
            quantile: quantile(self.q, &self.bounds, &self.counts),
            counted_above: bound(self.bound_up()),
            counted_below: bound(next_down(&self.bounds, self.limit)),
            low: surely.map_or(0.0, |surely| surely.shown().low),
            high: possibly.shown().high,
        }
    }
}
