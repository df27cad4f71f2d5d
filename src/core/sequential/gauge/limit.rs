//! A gauge against a limit, for a while: a condition, not a test. No probability is claimed, and no alpha covers it
//! (judge.md 8).

use serde::{Deserialize, Serialize};

use crate::sequential::logs::CERTAIN;
use crate::sequential::reading::{Progress, Reading};
use crate::sequential::settings::{ParameterError, within};

/// Seconds of a gap that is never too long.
const GAP: f64 = 60.0;

/// Fails when the value was above the limit at every sample for `hold` seconds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GaugeLimit {
    limit: f64,
    hold: f64,
    gap: f64,
    last: Option<Sample>,
    above_since: Option<f64>,
    fine_since: Option<f64>,
}

/// A value and its time in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Sample {
    at: f64,
    value: f64,
}

/// What is shown of it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct GaugeLimitShown {
    pub log_bad: f64,
    pub log_good: f64,
    /// The last value.
    pub value: Option<f64>,
    pub limit: f64,
    /// Seconds, as the samples have them.
    pub above_since: Option<f64>,
    /// How much of `hold` has passed above the limit, 0 to 1.
    pub progress: f64,
}

impl GaugeLimit {
    /// `hold`: seconds above the limit that fail, 0 or more. `gap`: seconds without a sample after which both sides
    /// begin anew; `None`: half of `hold`, and at least a minute.
    pub fn new(limit: f64, hold: f64, gap: Option<f64>) -> Result<Self, ParameterError> {
        within(limit.is_finite(), "limit", limit, "a finite number")?;
        let sane = (0.0..=1e9).contains(&hold);
        within(sane, "hold", hold, "0 to 1000000000 seconds")?;
        let gap = gap.unwrap_or_else(|| (hold / 2.0).max(GAP));
        within(
            (0.0..=1e9).contains(&gap),
            "gap",
            gap,
            "0 to 1000000000 seconds",
        )?;
        Ok(Self {
            limit,
            hold,
            gap,
            last: None,
            above_since: None,
            fine_since: None,
        })
    }

    /// A sample: its time in seconds, and the value. What is no number, or not newer than the last, is ignored.
    pub fn update(&mut self, at: f64, value: f64) {
        let newer = self.last.is_none_or(|last| at > last.at);
        if !(value.is_finite() && at.is_finite() && newer) {
            return;
        }
        if self.last.is_some_and(|last| at - last.at > self.gap) {
            self.above_since = None;
            self.fine_since = None;
        }
        if value > self.limit {
            self.fine_since = None;
            self.above_since.get_or_insert(at);
        } else {
            self.above_since = None;
            self.fine_since.get_or_insert(at);
        }
        self.last = Some(Sample { at, value });
    }

    /// How much of `hold` has passed on each side; all of it at once when `hold` is 0.
    pub fn progress(&self) -> Progress {
        let part = |since: Option<f64>| match (since, self.last) {
            (Some(since), Some(last)) if self.hold > 0.0 => {
                ((last.at - since) / self.hold).min(1.0)
            }
            (Some(_), Some(_)) => 1.0,
            (None, Some(_) | None) | (Some(_), None) => 0.0,
        };
        Progress {
            bad: part(self.above_since),
            good: part(self.fine_since),
        }
    }

    pub fn reading(&self) -> Reading {
        let progress = self.progress();
        let held = |part: f64| if part >= 1.0 { CERTAIN } else { 0.0 };
        Reading {
            log_bad: held(progress.bad),
            log_good: held(progress.good),
            progress: Some(progress),
        }
    }

    pub fn shown(&self) -> GaugeLimitShown {
        let Reading {
            log_bad, log_good, ..
        } = self.reading();
        GaugeLimitShown {
            log_bad,
            log_good,
            value: self.last.map(|last| last.value),
            limit: self.limit,
            above_since: self.above_since,
            progress: self.progress().bad,
        }
    }
}
