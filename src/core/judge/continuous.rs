//! The evidence of a rule that holds between releases: over the whole target, against a limit, without an end.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::Phase;
use super::counts::WindowedCounts;
use super::finding::Seen;
use super::level::{LevelArms, LevelEvidence, RateArms};
use crate::measurement::Counts;
use crate::rule::{Check, Rule};

/// What has been measured of a whole target for one rule.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Continuous {
    Counts(WindowedCounts),
    Level(LevelEvidence),
}

impl Continuous {
    /// Evidence of a rule that nothing has been measured for.
    pub fn new(rule: &Rule) -> Self {
        match &rule.check {
            Check::Counts(_) => Self::Counts(WindowedCounts::default()),
            Check::Level(_) => Self::Level(LevelEvidence::default()),
        }
    }

    /// Whether it is evidence of what the rule measures; recorded evidence may be of an older rule of that name.
    pub fn fits(&self, rule: &Rule) -> bool {
        match (self, &rule.check) {
            (Self::Counts(_), Check::Counts(_)) | (Self::Level(_), Check::Level(_)) => true,
            (Self::Counts(_), Check::Level(_)) | (Self::Level(_), Check::Counts(_)) => false,
        }
    }

    /// Takes in the counts of one look at the whole target.
    pub fn update_counts(&mut self, rule: &Rule, window: Duration, at: Timestamp, counts: &Counts) {
        if let (Self::Counts(evidence), Check::Counts(check)) = (self, &rule.check) {
            evidence.update(check, signed(window), at, counts);
        }
    }

    /// Judges what came in, once there is a tick of it: samples come every `interval`.
    pub fn tick(&mut self, rule: &Rule, now: Timestamp, interval: SignedDuration) {
        if let (Self::Counts(evidence), Check::Counts(check)) = (self, &rule.check) {
            evidence.tick(check, now, interval);
        }
    }

    /// Takes in new values of the whole target, as those of a canary.
    pub fn update_level(&mut self, rule: &Rule, values: &LevelArms) {
        if let (Self::Level(evidence), Check::Level(check)) = (self, &rule.check) {
            evidence.update(check, rule.lasting, values);
        }
    }

    /// Takes in what one look counted of a rate over the whole target.
    pub fn update_rate(&mut self, rule: &Rule, counted: RateArms) {
        if let (Self::Level(evidence), Check::Level(check)) = (self, &rule.check) {
            evidence.count(check, rule.lasting, counted);
        }
    }

    /// What the evidence says at `now`; without a sample for longer than `patience` it says nothing.
    pub fn judge(
        &mut self,
        rule: &Rule,
        window: Duration,
        now: Timestamp,
        patience: SignedDuration,
    ) -> Seen {
        match (self, &rule.check) {
            (Self::Counts(evidence), Check::Counts(check)) => evidence
                .judge(check, signed(window), now, patience)
                .lasting(rule, now),
            (Self::Level(evidence), Check::Level(check)) => {
                evidence.judge(check, rule.lasting, Phase::Alone, now, patience)
            }
            (Self::Counts(_), Check::Level(_)) | (Self::Level(_), Check::Counts(_)) => Seen::SILENT,
        }
    }

    /// Since when the limit has been kept without a break, if it is now.
    pub fn kept_since(&self) -> Option<Timestamp> {
        match self {
            Self::Counts(evidence) => evidence.kept_since(),
            Self::Level(evidence) => evidence.kept_since(),
        }
    }

    /// Whether there was no new sample for longer than `patience`.
    pub fn silent(&self, now: Timestamp, patience: SignedDuration) -> bool {
        match self {
            Self::Counts(evidence) => evidence.silent(now, patience),
            Self::Level(evidence) => evidence.silent(now, patience),
        }
    }

    /// The same evidence with less kept apart, for a record.
    pub fn compact(&self) -> Self {
        match self {
            Self::Counts(evidence) => Self::Counts(evidence.compact()),
            Self::Level(evidence) => Self::Level(evidence.compact()),
        }
    }
}

fn signed(duration: Duration) -> SignedDuration {
    SignedDuration::try_from(duration).unwrap_or(SignedDuration::MAX)
}
