//! On which side of its limit a value has been, and since when.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::Sample;
use crate::time::elapsed;

/// Samples further apart than this, or than half of the time that the rule asks for, say nothing of what lies between.
const LONGEST_GAP: SignedDuration = SignedDuration::from_secs(60);

/// One arm's value over time.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Track {
    last: Option<Sample>,
    /// The first sample of the unbroken run on the side that the last one is on.
    run: Option<Run>,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
enum Run {
    Beyond { since: Timestamp },
    Within { since: Timestamp },
}

impl Track {
    /// Takes a sample; false when it is no number or not newer than the last.
    pub(super) fn see(&mut self, sample: Sample, beyond: bool, lasting: SignedDuration) -> bool {
        if !sample.value.is_finite() || self.last.is_some_and(|last| sample.at <= last.at) {
            return false;
        }
        let gap = (lasting / 2).max(LONGEST_GAP);
        let broken = self
            .last
            .is_some_and(|last| elapsed(last.at, sample.at) > gap);
        let run = self.run.filter(|_| !broken);
        self.run = Some(match (run, beyond) {
            (Some(run @ Run::Beyond { .. }), true) | (Some(run @ Run::Within { .. }), false) => run,
            (Some(Run::Within { .. }) | None, true) => Run::Beyond { since: sample.at },
            (Some(Run::Beyond { .. }) | None, false) => Run::Within { since: sample.at },
        });
        self.last = Some(sample);
        true
    }

    pub(super) fn last(&self) -> Option<Sample> {
        self.last
    }

    /// Since when the value has been beyond the limit, if it is now.
    pub(super) fn beyond_since(&self) -> Option<Timestamp> {
        match self.run? {
            Run::Beyond { since } => Some(since),
            Run::Within { .. } => None,
        }
    }

    /// Since when the value has been within the limit, if it is now.
    pub(super) fn kept_since(&self) -> Option<Timestamp> {
        match self.run? {
            Run::Within { since } => Some(since),
            Run::Beyond { .. } => None,
        }
    }
}
