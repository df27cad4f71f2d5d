//! The evidence of one rule, whatever it measures: fed tick by tick, judged when asked.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::Phase;
use super::counts::{Arms, CountsEvidence};
use super::finding::{Seen, State};
use super::level::{Compared, LevelArms, LevelEvidence, RateArms};
use super::release::{Pace, Past, ReleaseEvidence};
use crate::measurement::Counts;
use crate::rule::{Check, Rule};
use crate::sequential::Reading;
use crate::time::elapsed;

/// The evidence of a condition that holds (judge.md 8): more than any test ever says.
const HELD: f64 = 700.0;

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

    /// Evidence at the beginning of an analysis, with what was measured before the release. `release`: a release is
    /// judged, and not only looked at.
    pub fn after(rule: &Rule, before: Before, release: Option<Beginning>) -> Self {
        match (&rule.check, before) {
            (Check::Counts(check), Before::Counts(counts)) => {
                let Some(Beginning { phase, pace, ticks }) = release else {
                    return Self::Counts(CountsEvidence::new(counts));
                };
                let past = Past::new(ticks, counts.clone());
                let tests = ReleaseEvidence::new(check, rule.judging, phase, pace, past);
                Self::Counts(CountsEvidence::new(counts).of_release(tests))
            }
            (
                Check::Level(check),
                Before::Level {
                    beyond,
                    incomparable,
                },
            ) => {
                let mut evidence = LevelEvidence::new(beyond, incomparable);
                if let Some(Beginning { phase, pace, .. }) = release {
                    evidence.compare(check, phase, pace);
                }
                Self::Level(evidence)
            }
            (Check::Counts(_), Before::Level { .. }) | (Check::Level(_), Before::Counts(_)) => {
                Self::new(rule)
            }
        }
    }

    /// Begins the tests of a rule that comes while a release is judged; those that have begun go on.
    pub fn join(&mut self, rule: &Rule, beginning: Option<Beginning>) {
        match (&mut *self, &rule.check, beginning) {
            (Self::Counts(evidence), _, beginning) if evidence.release().is_none() => {
                let before = self.before();
                *self = Self::after(rule, before, beginning);
            }
            (Self::Level(evidence), Check::Level(check), Some(beginning)) => {
                evidence.compare(check, beginning.phase, beginning.pace);
            }
            (Self::Counts(_) | Self::Level(_), _, _) => {}
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
            if let Some(release) = evidence.release_mut() {
                release.take(check, rule.judging, &tick);
            }
            evidence.update(check, tick);
        }
    }

    /// Judges what came in for a release, once there is a tick of it.
    pub fn tick(&mut self, rule: &Rule, phase: Phase, now: Timestamp) {
        match (self, &rule.check) {
            (Self::Counts(evidence), Check::Counts(check)) => {
                if let Some(release) = evidence.release_mut() {
                    release.tick(check, phase, now);
                }
            }
            (Self::Level(evidence), Check::Level(check)) => evidence.tick(check, phase, now),
            (Self::Counts(_), Check::Level(_)) | (Self::Level(_), Check::Counts(_)) => {}
        }
    }

    /// How the value compares with that of the baseline; `None`: the rule does not ask for it, or nothing ran beside.
    pub fn compared(&self, rule: &Rule) -> Option<Compared> {
        match (self, &rule.check) {
            (Self::Level(evidence), Check::Level(check)) => evidence.compared(check),
            (Self::Counts(_), _) | (Self::Level(_), Check::Counts(_)) => None,
        }
    }

    /// Whether a rule that failed did so by the comparison of values, which its limit does not show.
    pub fn failed_by_comparison(&self, rule: &Rule) -> bool {
        match self {
            Self::Level(evidence) => {
                let compared = self.compared(rule);
                compared.is_some_and(|compared| compared.decides) && evidence.keeps_limit()
            }
            Self::Counts(_) => false,
        }
    }

    /// Whether what a comparison of values was last made from is worse than the baseline allows.
    pub fn is_worse(&self) -> bool {
        match self {
            Self::Level(evidence) => evidence.is_worse(),
            Self::Counts(_) => false,
        }
    }

    /// How much is said against a release, and for it. A value that is held against its limit is a condition, not a
    /// test: it says all or nothing (judge.md 8); beside it stands the comparison of a rule that lets that decide. `seen`: what was seen of it at `now`.
    pub fn reading(&self, rule: &Rule, seen: &Seen, now: Timestamp) -> Reading {
        match (self, &rule.check) {
            (Self::Counts(evidence), Check::Counts(check)) => evidence
                .release()
                .map_or(Reading::SILENT, |release| release.reading(check)),
            (Self::Level(evidence), Check::Level(check)) => {
                let held = |yes: bool| if yes { HELD } else { 0.0 };
                let lasting = SignedDuration::try_from(rule.lasting).unwrap_or(SignedDuration::MAX);
                let kept = evidence
                    .kept_since()
                    .is_some_and(|since| elapsed(since, now) >= lasting);
                let limit = Reading::test(
                    held(seen.state == State::Failing),
                    held(seen.state == State::Within && kept),
                );
                evidence.with_comparison(check, limit)
            }
            (Self::Counts(_), Check::Level(_)) | (Self::Level(_), Check::Counts(_)) => {
                Reading::SILENT
            }
        }
    }

    /// The tests of the release.
    pub fn release(&self) -> Option<&ReleaseEvidence> {
        match self {
            Self::Counts(evidence) => evidence.release(),
            Self::Level(_) => None,
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
                incomparable: false,
            },
        }
    }
}

/// How the tests of a release begin.
#[derive(Debug, Clone, PartialEq)]
pub struct Beginning {
    pub phase: Phase,
    pub pace: Pace,
    /// The last ticks before the release, oldest first.
    pub ticks: Vec<Counts>,
}

/// What was measured before the release.
#[derive(Debug, Clone, PartialEq)]
pub enum Before {
    Counts(Option<Counts>),
    Level {
        /// The value was beyond the limit already.
        beyond: bool,
        /// The rule failed by its comparison, and nothing will run beside it to compare with.
        incomparable: bool,
    },
}
