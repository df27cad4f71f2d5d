//! The value of the canary beside that of the baseline, as a test: one pair for each tick of the judge (judge.md 8).
//!
//! A tick is as long as lies between two samples, and counts when both arms have a new one. Once the baseline has gone
//! nothing comes in any more, and what was said stays: an e-process that is stopped remains one.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::{Sample, per};
use crate::judge::release::EARLY;
use crate::judge::{BASELINE_IDLE, Pace};
use crate::measurement::apart;
use crate::rule::{LevelCheck, LevelCompare, LevelLimit};
use crate::sequential::{GaugeCompare, Reading};
use crate::time::elapsed;

/// Ticks of a block at least and at most (judge.md 8).
const SHORTEST: u32 = 4;
const LONGEST: u32 = 240;
/// A value further from zero is no measurement: sums of such values would be no numbers.
const MOST: f64 = 1e90;

/// The evidence of a comparison.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Beside {
    test: GaugeCompare,
    tick: Duration,
    canary: Waiting,
    baseline: Waiting,
    /// When a pair was judged last.
    judged: Option<Timestamp>,
    /// Since when only the canary has had new samples.
    lonely: Option<Timestamp>,
    /// It has been so for long: the metric is one that only the new revision has.
    alone: bool,
    /// The baseline has gone.
    over: bool,
    pairs: u64,
    /// Sums over all pairs.
    sums: Sums,
    /// The last pair was worse than allowed.
    worse: bool,
}

/// What came in of one arm since the last pair.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
struct Waiting {
    at: Option<Timestamp>,
    value: f64,
    fresh: bool,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
struct Sums {
    canary: f64,
    baseline: f64,
    allowed: f64,
}

/// How a value compares with that of the baseline beside it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Compared {
    /// The mean over the time that both were measured in; of a rate, per pod.
    pub canary: f64,
    pub baseline: f64,
    /// What the baseline and the tolerance allow, in the mean.
    pub allowed: f64,
    /// Stretches of time that were judged, and those of them in which the canary was worse than allowed.
    pub stretches: u64,
    pub worse: u64,
    /// How much it says against the release and for it, as logarithms.
    pub against: f64,
    pub in_favour: f64,
    /// It may call a release bad; else it is advisory.
    pub decides: bool,
    /// The baseline has gone, and the comparison with it.
    pub over: bool,
    /// The release is called bad by it, whatever the limit says.
    pub fails: bool,
}

impl Waiting {
    fn see(&mut self, sample: Sample) {
        let new = self.at.is_none_or(|at| at < sample.at);
        if new && sample.value.abs() <= MOST {
            self.at = Some(sample.at);
            self.value = sample.value;
            self.fresh = true;
        }
    }

    fn count(&mut self, at: Timestamp, events: f64) {
        if events.abs() <= MOST {
            self.at = Some(at);
            self.value = if self.fresh { self.value } else { 0.0 } + events;
            self.fresh = true;
        }
    }
}

impl Beside {
    /// `None`: a pace with which nothing can be compared.
    pub(super) fn new(pace: Pace) -> Option<Self> {
        // Tolerances are applied before, so that values below zero and a `min` have theirs on the right side.
        let test = GaugeCompare::new(1.0, 0.0, SHORTEST, LONGEST, pace.ticks())
            .ok()?
            .centred();
        Some(Self {
            test,
            tick: pace.tick(),
            canary: Waiting::default(),
            baseline: Waiting::default(),
            judged: None,
            lonely: None,
            alone: false,
            over: false,
            pairs: 0,
            sums: Sums::default(),
            worse: false,
        })
    }

    /// The newest value of each arm.
    pub(super) fn see(&mut self, canary: Option<Sample>, baseline: Option<Sample>) {
        for (waiting, sample) in [(&mut self.canary, canary), (&mut self.baseline, baseline)] {
            if let Some(sample) = sample {
                waiting.see(sample);
            }
        }
    }

    /// What one look counted of a rate, per pod.
    pub(super) fn count(&mut self, at: Timestamp, canary: Option<f64>, baseline: Option<f64>) {
        for (waiting, events) in [(&mut self.canary, canary), (&mut self.baseline, baseline)] {
            if let Some(events) = events {
                waiting.count(at, events);
            }
        }
    }

    /// Judges what came in, once a tick is over and both arms have something new.
    pub(super) fn tick(&mut self, check: &LevelCheck, compare: LevelCompare, now: Timestamp) {
        let tick = super::signed(self.tick);
        let due = |last| now < last || elapsed(last, now) >= tick - EARLY;
        if self.over || !self.judged.is_none_or(due) {
            return;
        }
        self.look_for_baseline(now, tick);
        let (Some(canary), Some(baseline)) = (self.canary.at, self.baseline.at) else {
            return;
        };
        if !(self.canary.fresh && self.baseline.fresh) {
            return;
        }
        // What was sampled at another time is not set against it: the older one waits no longer.
        let apart = apart(Some(self.tick));
        if elapsed(canary, baseline) > apart {
            self.canary.fresh = false;
            return;
        }
        if elapsed(baseline, canary) > apart {
            self.baseline.fresh = false;
            return;
        }
        let last = self.judged.replace(now);
        let [canary, baseline] = [&mut self.canary, &mut self.baseline].map(|waiting| {
            waiting.fresh = false;
            waiting.value
        });
        match (per(check), last) {
            (None, _) => self.judge(check.limit, compare, canary, baseline),
            // Over how long the first events were counted is not known.
            (Some(_), None) => {}
            (Some(per), Some(last)) => {
                let times = per.as_secs_f64() / elapsed(last, now).max(tick / 2).as_secs_f64();
                self.judge(check.limit, compare, canary * times, baseline * times);
            }
        }
    }

    fn look_for_baseline(&mut self, now: Timestamp, tick: SignedDuration) {
        if self.baseline.fresh {
            self.lonely = None;
            self.alone = false;
        } else if self.canary.fresh {
            let since = *self.lonely.get_or_insert(now);
            let patience = tick.checked_mul(2).unwrap_or(SignedDuration::MAX);
            self.alone = elapsed(since, now) >= patience.max(BASELINE_IDLE);
        }
    }

    fn judge(&mut self, limit: LevelLimit, compare: LevelCompare, canary: f64, baseline: f64) {
        let LevelCompare { margin, plus, .. } = compare;
        let tolerance = margin * baseline.abs() + plus;
        let allowed = match limit {
            LevelLimit::Max(_) => baseline + tolerance,
            LevelLimit::Min(_) => baseline - tolerance,
        };
        if ![canary, baseline, allowed].iter().all(|it| it.is_finite()) {
            return;
        }
        match limit {
            LevelLimit::Max(_) => self.test.update(canary, allowed),
            LevelLimit::Min(_) => self.test.update(allowed, canary),
        }
        self.worse = match limit {
            LevelLimit::Max(_) => canary > allowed,
            LevelLimit::Min(_) => canary < allowed,
        };
        self.pairs += 1;
        self.sums.canary += canary;
        self.sums.baseline += baseline;
        self.sums.allowed += allowed;
    }

    pub(super) fn end(&mut self) {
        self.over = true;
    }

    /// Limit and comparison together: half of the weight each. For the release both must speak, as long as there is
    /// something beside it.
    pub(super) fn with_limit(&self, limit: Reading) -> Reading {
        let both = Reading::mean(&[limit, self.test.reading()]);
        if self.over || self.alone {
            return Reading {
                log_good: limit.log_good,
                ..both
            };
        }
        both
    }

    /// The canary was worse than allowed when both were measured last.
    pub(super) fn is_worse(&self) -> bool {
        self.worse
    }

    /// For people; `None` before the first pair.
    pub(super) fn compared(&self, compare: LevelCompare) -> Option<Compared> {
        let pairs = self.pairs as f64;
        let shown = self.test.shown();
        (self.pairs > 0).then(|| Compared {
            canary: self.sums.canary / pairs,
            baseline: self.sums.baseline / pairs,
            allowed: self.sums.allowed / pairs,
            stretches: shown.blocks_above + shown.blocks_not_above,
            worse: shown.blocks_above,
            against: shown.log_bad,
            in_favour: shown.log_good,
            decides: compare.decides,
            over: self.over,
            fails: false,
        })
    }
}
