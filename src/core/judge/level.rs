//! Rules about values: CPU, memory, queue depth. A limit that has to be passed for some time (judge.md 8).
//!
//! The limit is a condition, not a test: no probability is claimed. Beside it stands the comparison with the baseline,
//! which is a test.

mod beside;
mod track;
mod trend;
mod window;
mod words;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::finding::{Basis, Measured, Seen, State};
use super::{Pace, Phase, WINDOW};
use crate::rule::{LevelCheck, LevelLimit, Sampled};
use crate::sequential::Reading;
use crate::time::elapsed;

pub use beside::Compared;
pub(super) use words::Said;

use beside::Beside;
use track::Track;
use trend::Trend;
use window::Window;

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
    /// The newest value of each arm as they are compared: the mean over its pods.
    pub means: (Option<Sample>, Option<Sample>),
}

/// What one tick counted of a rate; `None`: there was no new sample of that arm.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RateArms {
    pub at: Timestamp,
    pub canary: Option<f64>,
    pub baseline: Option<f64>,
    /// Pods of canary and baseline that serve: a rate is compared per pod.
    pub pods: (usize, usize),
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
    /// What a rate has counted lately.
    #[serde(default)]
    counted: Counted,
    /// The comparison, of a rule that has one, in a release that began beside a baseline.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    beside: Option<Box<Beside>>,
    /// To keep the limit says nothing: the rule failed by its comparison, which cannot be repeated.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    incomparable: bool,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
struct Counted {
    canary: Window,
    baseline: Window,
}

impl LevelEvidence {
    /// Evidence at the beginning of an analysis; `beyond`: the value was beyond the limit already. `incomparable`: the
    /// rule failed by its comparison before, so that to keep the limit says nothing.
    pub fn new(beyond: bool, incomparable: bool) -> Self {
        Self {
            beyond_before: beyond,
            incomparable,
            ..Self::default()
        }
    }

    /// Begins the comparison of a rule that has one, in a release with a baseline beside it; one that has begun goes on.
    pub(super) fn compare(&mut self, check: &LevelCheck, phase: Phase, pace: Pace) {
        if check.compare.is_some() && phase == Phase::Beside && self.beside.is_none() {
            self.beside = Beside::new(pace).map(Box::new);
        }
    }

    /// Compares what came in, once there is a tick of it.
    pub(super) fn tick(&mut self, check: &LevelCheck, phase: Phase, now: Timestamp) {
        if let (Some(beside), Some(compare)) = (&mut self.beside, check.compare) {
            match phase {
                Phase::Beside => beside.tick(check, compare, now),
                Phase::Alone => beside.end(),
            }
        }
    }

    /// How the value compares with the baseline; `None`: the rule does not ask, or there was none yet.
    pub fn compared(&self, check: &LevelCheck) -> Option<Compared> {
        self.beside.as_ref()?.compared(check.compare?)
    }

    /// What limit and comparison say, if the rule lets the comparison decide; else what the limit says.
    pub(super) fn with_comparison(&self, check: &LevelCheck, limit: Reading) -> Reading {
        let decides = check.compare.is_some_and(|compare| compare.decides);
        match &self.beside {
            Some(beside) if decides => beside.with_limit(limit),
            Some(_) | None => limit,
        }
    }

    /// The canary was worse than the baseline allows when both were measured last.
    pub(super) fn is_worse(&self) -> bool {
        self.beside.as_ref().is_some_and(|beside| beside.is_worse())
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
        if let Some(beside) = &mut self.beside {
            let (canary, baseline) = tick.means;
            beside.see(canary, baseline);
        }
    }

    /// Takes in what was counted of a rate: its value is the sum over the last `per`.
    pub fn count(&mut self, check: &LevelCheck, lasting: std::time::Duration, tick: RateArms) {
        let Some(per) = per(check) else {
            return;
        };
        let RateArms {
            at,
            canary,
            baseline,
            pods,
        } = tick;
        if let Some(beside) = &mut self.beside {
            let of_pod =
                |events: Option<f64>, pods: usize| Some(events? / pods as f64).filter(|_| pods > 0);
            beside.count(at, of_pod(canary, pods.0), of_pod(baseline, pods.1));
        }
        let sample = |window: &mut Window, events: Option<f64>| {
            events.map(|events| Sample {
                at,
                value: window.count(at, events, per),
            })
        };
        let tick = LevelArms {
            canary: sample(&mut self.counted.canary, canary)
                .into_iter()
                .collect(),
            baseline: sample(&mut self.counted.baseline, baseline)
                .into_iter()
                .collect(),
            means: (None, None),
        };
        self.update(check, lasting, &tick);
    }

    /// Says on which side of the limit the service is while nothing of the canary serves yet.
    pub fn see_before(&mut self, beyond: bool) {
        self.beyond_before = beyond;
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
            // A baseline that has fallen silent says nothing of the present.
            Phase::Beside => self
                .baseline
                .last()
                .filter(|beside| elapsed(beside.at, now) < patience),
            Phase::Alone => None,
        };
        let shared = beside.is_some_and(|beside| check.limit.is_beyond(beside.value));
        let counted = per(check).map(|per| self.counted.canary.observed(last.at).min(per));
        let state = match since {
            None if self.counts_too_little(check, last.at) => State::TooLittle,
            None if self.incomparable => State::TooLittle,
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
            proof: None,
            basis: Basis::Level(Said {
                state,
                lasted: since.map(|since| elapsed(since, last.at)),
                shared,
                counted,
                compared: None,
                incomparable: self.incomparable,
                reaches: match state {
                    State::Within => self.trend.reaches(check.limit),
                    State::NoData
                    | State::TooLittle
                    | State::Unsure
                    | State::Suspected
                    | State::Failing
                    | State::BaselineAlsoBad => None,
                },
            }),
        }
    }

    /// Whether a rate has been counted for too short to be called within its limit.
    fn counts_too_little(&self, check: &LevelCheck, at: Timestamp) -> bool {
        per(check).is_some_and(|per| self.counted.canary.observed(at) < per.min(WINDOW))
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
        self.counted.baseline = Window::default();
        if let Some(beside) = &mut self.beside {
            beside.end();
        }
    }

    /// The same with less kept apart, for a record.
    pub(super) fn compact(&self) -> Self {
        Self {
            counted: Counted {
                canary: self.counted.canary.compact(),
                baseline: self.counted.baseline.compact(),
            },
            ..self.clone()
        }
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

/// Over how long a rate is counted; `None`: it is no rate.
fn per(check: &LevelCheck) -> Option<SignedDuration> {
    match &check.metric.sampled {
        Sampled::Rate { per, .. } => Some(signed(*per)),
        Sampled::Level(_) => None,
    }
}

fn signed(duration: std::time::Duration) -> SignedDuration {
    SignedDuration::try_from(duration).unwrap_or(SignedDuration::MAX)
}

#[cfg(test)]
mod tests;
