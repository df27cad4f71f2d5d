//! The counters of one arm as Prometheus has them: samples at the scrapes that were read, and increases between them.

use crate::draw::Counted;
use crate::scenario::Rule;

/// Seconds above which a request is slow to the script of the `CronJob`.
const SLOW_TO_CRON: f64 = 1.0;
/// Sums of ticks are off by so little.
const ROUNDING: f64 = 1e-6;

/// How much an event of each bucket counts as bad: to those who know the limit, to the script of the `CronJob`, and to a test
/// of two shares.
#[derive(Debug, Clone)]
pub(super) enum Weights {
    /// Errors are counted as they are.
    Errors,
    /// Within the bucket that holds the limit, as `histogram_quantile` sees it: evenly spread.
    Buckets {
        bad: Vec<f64>,
        worse: Vec<f64>,
        above: Vec<f64>,
    },
}

impl Weights {
    /// `expected`: what the baseline's buckets hold at first.
    pub(super) fn of(rule: &Rule, bounds: &[f64], expected: &[f64]) -> Self {
        match rule {
            Rule::Share { .. } => Self::Errors,
            Rule::Quantile {
                quantile, max_s, ..
            } => {
                let telling = most_telling(*quantile, bounds, expected);
                Self::Buckets {
                    bad: above(*max_s, bounds),
                    worse: above(SLOW_TO_CRON, bounds),
                    above: above(telling, bounds),
                }
            }
        }
    }
}

/// The bound at which the share above lies nearest to that of the quantile.
fn most_telling(quantile: f64, bounds: &[f64], expected: &[f64]) -> f64 {
    let events: f64 = expected.iter().sum();
    let mut best = (f64::INFINITY, 0.0);
    let mut below = 0.0;
    for (bound, events_below) in bounds.iter().zip(expected) {
        below += events_below;
        let distance = ((1.0 - below / events) / (1.0 - quantile)).ln().abs();
        if distance < best.0 {
            best = (distance, *bound);
        }
    }
    best.1
}

/// The part of each bucket that lies above `limit`. The quantile of what lies above all bounds is the last of these.
fn above(limit: f64, bounds: &[f64]) -> Vec<f64> {
    let mut low = 0.0;
    let mut parts: Vec<f64> = Vec::with_capacity(bounds.len() + 1);
    for high in bounds {
        parts.push(((high - limit) / (high - low)).clamp(0.0, 1.0));
        low = *high;
    }
    parts.push(if low > limit { 1.0 } else { 0.0 });
    parts
}

/// Events since the release began, or between two moments.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Events {
    pub(super) all: f64,
    /// Errors, or those slower than the limit.
    pub(super) bad: f64,
    /// Errors, or those slower than a second.
    pub(super) worse: f64,
    /// Errors, or those above the bound that tells most.
    pub(super) above: f64,
}

/// The counter of one arm.
#[derive(Debug)]
pub(super) struct Counter {
    weights: Weights,
    now: Events,
    /// With their times; the first is 0 at 0 seconds.
    samples: Vec<(f64, Events)>,
}

impl Counter {
    pub(super) fn new(weights: Weights) -> Self {
        Self {
            weights,
            now: Events::default(),
            samples: vec![(0.0, Events::default())],
        }
    }

    pub(super) fn count(&mut self, counted: &Counted) {
        self.now.all += counted.n;
        match &self.weights {
            Weights::Errors => {
                self.now.bad += counted.e;
                self.now.worse += counted.e;
                self.now.above += counted.e;
            }
            Weights::Buckets { bad, worse, above } => {
                let weigh = |weights: &[f64]| -> f64 {
                    let pairs = weights.iter().zip(&counted.buckets);
                    pairs.map(|(weight, count)| weight * count).sum()
                };
                self.now.bad += weigh(bad);
                self.now.worse += weigh(worse);
                self.now.above += weigh(above);
            }
        }
    }

    pub(super) fn scrape(&mut self, at: f64) {
        self.samples.push((at, self.now));
    }

    /// The last sample.
    pub(super) fn last(&self) -> Events {
        self.samples
            .last()
            .map_or_else(Events::default, |(_, events)| *events)
    }

    /// What `rate` sees at a moment: the increase between the first and the last sample of a window that is open to the
    /// left. `None` with less than two samples.
    pub(super) fn increase(&self, at: f64, window: f64) -> Option<Events> {
        let until = |time: f64| self.samples.partition_point(|(t, _)| *t <= time + ROUNDING);
        let first = until(at - window);
        let last = until(at).checked_sub(1)?;
        self.between(first, last)
    }

    /// What `irate` sees at a moment: the increase between its last two samples.
    pub(super) fn last_increase(&self, at: f64) -> Option<Events> {
        let last = self
            .samples
            .partition_point(|(t, _)| *t <= at + ROUNDING)
            .checked_sub(1)?;
        self.between(last.checked_sub(1)?, last)
    }

    fn between(&self, first: usize, last: usize) -> Option<Events> {
        if last <= first {
            return None;
        }
        let (_, before) = self.samples.get(first)?;
        let (_, after) = self.samples.get(last)?;
        Some(Events {
            all: after.all - before.all,
            bad: after.bad - before.bad,
            worse: after.worse - before.worse,
            above: after.above - before.above,
        })
    }
}
