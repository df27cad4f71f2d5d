//! The evidence of one rule, whatever it measures: fed tick by tick, judged when asked.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::Phase;
use super::counts::{Arms, CountsEvidence};
use super::finding::Seen;
use super::level::{LevelArms, LevelEvidence, RateArms};
use crate::measurement::Counts;
use crate::rule::{Check, Rule};

/// What has been measured for one rule: of one analysis, or all the time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Evidence {
    Counts(CountsEvidence),
    Level(LevelEvidence),
}

impl Evidence {
    /// Evidence of a rule that nothing has been measured for.
    pub fn new(rule: &Rule) -> Self {
        match &rule.check {
            Check::Counts(_) => Self::Counts(CountsEvidence::default()),
            Check::Level(_) => Self::Level(LevelEvidence::default()),
        }
    }

    /// Evidence at the beginning of an analysis, with what was measured before the release.
    pub fn after(rule: &Rule, before: Before) -> Self {
        match (&rule.check, before) {
            (Check::Counts(_), Before::Counts(counts)) => Self::Counts(CountsEvidence::new(counts)),
            (Check::Level(_), Before::Level { beyond }) => Self::Level(LevelEvidence::new(beyond)),
            (Check::Counts(_), Before::Level { .. }) | (Check::Level(_), Before::Counts(_)) => {
                Self::new(rule)
            }
        }
    }

    /// Whether it is evidence of what the rule measures; recorded evidence may be of an older rule of that name.
    pub fn fits(&self, rule: &Rule) -> bool {
        match (self, &rule.check) {
            (Self::Counts(_), Check::Counts(_)) | (Self::Level(_), Check::Level(_)) => true,
            (Self::Counts(_), Check::Level(_)) | (Self::Level(_), Check::Counts(_)) => false,
        }
    }

    /// Takes in the counts of one tick; those of a rule that counts nothing change nothing.
    pub fn update_counts(&mut self, rule: &Rule, tick: Arms) {
        if let (Self::Counts(evidence), Check::Counts(check)) = (self, &rule.check) {
            evidence.update(check, tick);
        }
    }

    /// Takes in new values; those of a rule that reads none change nothing.
    pub fn update_level(&mut self, rule: &Rule, tick: &LevelArms) {
        if let (Self::Level(evidence), Check::Level(check)) = (self, &rule.check) {
            evidence.update(check, rule.lasting, tick);
        }
    }

    /// Takes in what was counted of a rate; that of a rule that is no rate changes nothing.
    pub fn update_rate(&mut self, rule: &Rule, tick: RateArms) {
        if let (Self::Level(evidence), Check::Level(check)) = (self, &rule.check) {
            evidence.count(check, rule.lasting, tick);
        }
    }

    /// What the evidence says at `now`; without a sample for longer than `patience` it says nothing.
    pub fn judge(
        &mut self,
        rule: &Rule,
        phase: Phase,
        now: Timestamp,
        patience: SignedDuration,
    ) -> Seen {
        match (self, &rule.check) {
            (Self::Counts(evidence), Check::Counts(check)) => evidence
                .judge(check, phase, now, patience)
                .lasting(rule, now),
            (Self::Level(evidence), Check::Level(check)) => {
                evidence.judge(check, rule.lasting, phase, now, patience)
            }
            (Self::Counts(_), Check::Level(_)) | (Self::Level(_), Check::Counts(_)) => Seen::SILENT,
        }
    }

    /// Whether the state may change although nothing new was measured: a rule that has to be broken for some time.
    pub fn waits(&self, rule: &Rule, seen: &Seen) -> bool {
        !rule.lasting.is_zero() && seen.since().is_some()
    }

    /// Whether there was no new sample for longer than `patience`.
    pub fn silent(&self, now: Timestamp, patience: SignedDuration) -> bool {
        match self {
            Self::Counts(evidence) => evidence.silent(now, patience),
            Self::Level(evidence) => evidence.silent(now, patience),
        }
    }

    /// The baseline has gone: what was measured beside it counts no more if it spoke of a shared fault.
    pub fn stand_alone(&mut self, rule: &Rule) {
        match (self, &rule.check) {
            (Self::Counts(evidence), Check::Counts(check)) => evidence.stand_alone(check),
            (Self::Level(evidence), Check::Level(_)) => evidence.stand_alone(),
            (Self::Counts(_), Check::Level(_)) | (Self::Level(_), Check::Counts(_)) => {}
        }
    }

    /// The same evidence with less kept apart, for a record.
    pub fn compact(&self) -> Self {
        match self {
            Self::Counts(evidence) => Self::Counts(evidence.compact()),
            Self::Level(evidence) => Self::Level(evidence.compact()),
        }
    }

    /// Whether all that was ever measured keeps the limit, as it stands.
    pub fn keeps_limit(&self, rule: &Rule) -> bool {
        match (self, &rule.check) {
            (Self::Counts(evidence), Check::Counts(check)) => evidence.keeps_limit(check),
            (Self::Level(evidence), Check::Level(_)) => evidence.keeps_limit(),
            (Self::Counts(_), Check::Level(_)) | (Self::Level(_), Check::Counts(_)) => true,
        }
    }

    /// Events, or samples, of the canary since the beginning.
    pub fn events(&self) -> f64 {
        match self {
            Self::Counts(evidence) => evidence.events,
            Self::Level(evidence) => evidence.samples,
        }
    }

    /// Those of them that count against the rule.
    pub fn bad(&self) -> f64 {
        match self {
            Self::Counts(evidence) => evidence.bad,
            Self::Level(evidence) => evidence.beyond,
        }
    }

    /// When the canary last had new samples, be it of no events.
    pub fn last_sample(&self) -> Option<Timestamp> {
        match self {
            Self::Counts(evidence) => evidence.last_sample,
            Self::Level(evidence) => evidence.last_sample(),
        }
    }

    /// When the canary last had events, or a value.
    pub fn last_data(&self) -> Option<Timestamp> {
        match self {
            Self::Counts(evidence) => evidence.last_data,
            Self::Level(evidence) => evidence.last_sample(),
        }
    }

    /// The counts from before the release, if there were any.
    pub fn before(&self) -> Before {
        match self {
            Self::Counts(evidence) => Before::Counts(evidence.before().cloned()),
            Self::Level(evidence) => Before::Level {
                beyond: evidence.beyond_before(),
            },
        }
    }
}

/// What was measured before the release.
#[derive(Debug, Clone, PartialEq)]
pub enum Before {
    Counts(Option<Counts>),
    /// Whether the value was beyond the limit already.
    Level {
        beyond: bool,
    },
}
