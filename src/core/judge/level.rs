//! Rules about values: CPU, memory, queue depth. A limit that has to be passed for some time (judge.md 8).
//!
//! A condition, not a test: no probability is claimed.

mod track;
mod trend;
mod words;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::Phase;
use super::finding::{Basis, Measured, Seen, State};
use crate::rule::{LevelCheck, LevelLimit};
use crate::time::elapsed;

pub(super) use words::Said;

use track::Track;
use trend::Trend;

/// A value at a time.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    pub at: Timestamp,
    pub value: f64,
}

/// The new values of one tick, oldest first: one for each time, whatever the number of pods.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct LevelArms {
    pub canary: Vec<Sample>,
    pub baseline: Vec<Sample>,
}

/// What has been read for one rule.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LevelEvidence {
    canary: Track,
    baseline: Track,
    trend: Trend,
    /// The value was beyond the limit before the release, and has not been within it since.
    beyond_before: bool,
    /// Samples of the canary since the beginning.
    pub samples: f64,
    /// Those of them that were beyond the limit.
    pub beyond: f64,
}

impl LevelEvidence {
    /// Evidence at the beginning of an analysis; `beyond`: the value was beyond the limit already.
    pub fn new(beyond: bool) -> Self {
        Self {
            beyond_before: beyond,
            ..Self::default()
        }
    }

    /// Takes in new samples. What is no number, or not newer than the last, is left out.
    pub fn update(&mut self, check: &LevelCheck, lasting: std::time::Duration, tick: &LevelArms) {
        let lasting = signed(lasting);
        for sample in &tick.canary {
            let beyond = check.limit.is_beyond(sample.value);
            if !self.canary.see(*sample, beyond, lasting) {
                continue;
            }
            self.trend.see(*sample);
            self.samples += 1.0;
            if beyond {
                self.beyond += 1.0;
            } else {
                self.beyond_before = false;
            }
        }
        for sample in &tick.baseline {
            let beyond = check.limit.is_beyond(sample.value);
            self.baseline.see(*sample, beyond, lasting);
        }
    }

    /// What the evidence says at `now`; without a sample for longer than `patience` it says nothing.
    pub fn judge(
        &mut self,
        check: &LevelCheck,
        lasting: std::time::Duration,
        phase: Phase,
        now: Timestamp,
        patience: SignedDuration,
    ) -> Seen {
        let (Some(last), false) = (self.canary.last(), self.silent(now, patience)) else {
            return Seen::SILENT;
        };
        let lasting = signed(lasting);
        let since = self.canary.beyond_since();
        let beside = match phase {
            Phase::Beside => self.baseline.last(),
            Phase::Alone => None,
        };
        let shared = phase == Phase::Beside && self.baseline.beyond_since().is_some();
        let state = match since {
            None => State::Within,
            Some(_) if shared || self.beyond_before => State::BaselineAlsoBad,
            Some(since) if elapsed(since, last.at) >= lasting => State::Failing,
            Some(_) => State::Unsure,
        };
        let measured = |sample: Sample, samples, beyond| Measured {
            events: samples,
            bad: beyond,
            value: Some(sample.value),
            or_more: false,
        };
        Seen {
            state,
            canary: measured(last, self.samples, self.beyond),
            baseline: beside.map(|sample| measured(sample, 1.0, f64::from(u8::from(shared)))),
            since,
            basis: Basis::Level(Said {
                state,
                lasted: since.map(|since| elapsed(since, last.at)),
                shared,
                reaches: self.trend.reaches(check.limit),
            }),
        }
    }

    /// Since when the value has been within the limit without a break, if it is now.
    pub fn kept_since(&self) -> Option<Timestamp> {
        self.canary.kept_since()
    }

    /// Whether the value is beyond the limit now.
    pub fn is_beyond(&self) -> bool {
        self.canary.beyond_since().is_some()
    }

    /// The baseline has gone: what was read of it counts no more.
    pub(super) fn stand_alone(&mut self) {
        self.baseline = Track::default();
    }

    /// Whether there was no new sample for longer than `patience`.
    pub fn silent(&self, now: Timestamp, patience: SignedDuration) -> bool {
        self.last_sample()
            .is_none_or(|last| elapsed(last, now) >= patience)
    }

    /// When the value was last sampled.
    pub fn last_sample(&self) -> Option<Timestamp> {
        self.canary.last().map(|sample| sample.at)
    }

    pub(super) fn keeps_limit(&self) -> bool {
        !self.is_beyond()
    }

    pub(super) fn beyond_before(&self) -> bool {
        self.beyond_before
    }
}

impl LevelLimit {
    /// Whether a value is on the wrong side of the limit.
    pub fn is_beyond(self, value: f64) -> bool {
        match self {
            Self::Max(max) => value > max,
            Self::Min(min) => value < min,
        }
    }

    /// The limit itself.
    pub fn value(self) -> f64 {
        match self {
            Self::Max(limit) | Self::Min(limit) => limit,
        }
    }
}

fn signed(duration: std::time::Duration) -> SignedDuration {
    SignedDuration::try_from(duration).unwrap_or(SignedDuration::MAX)
}
