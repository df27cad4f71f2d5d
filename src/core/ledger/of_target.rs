//! What lasts about one target: its revisions and their standing, and what is under way.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::analysis::{Analysis, Ending, WayBack};
use crate::drift::{Drift, DriftNews, Reverted};
use crate::guard::Hold;
use crate::ids::{AnalysisId, PlanId, RevisionHash, RuleName, TargetKind};
use crate::judge::{Evidence, Finding, Phase};
use crate::measurement::Measurement;
use crate::notice::NoticeKind;
use crate::pause::{Course, Pause, PauseNews, PauseState};
use crate::record::{Record, Standing};
use crate::rule::Question;
use crate::saga::PlanState;
use crate::stepping::{Moving, Stepping};
use crate::suspension::{SuspensionNews, SuspensionState};
use crate::target::TargetState;
use crate::verify::Verification;

/// How many revisions with a standing are remembered.
const REMEMBERED: usize = 50;
/// How many rollbacks are remembered.
const ROLLBACKS: usize = 50;

/// What lasts about one target.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TargetLedger {
    pub uid: String,
    /// The revision that the target is at: that of its spec, but for an aborted Rollout the stable one.
    pub current: RevisionHash,
    /// The last revision known good that ran; before there is any, what was stable before the last release.
    pub stable: RevisionHash,
    /// What was stable at first sight, if no pod of it has been seen ready.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub never_ran: Option<RevisionHash>,
    pub standings: BTreeMap<RevisionHash, Standing>,
    /// Revisions whose pods were seen ready, or with traffic.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub ran: BTreeSet<RevisionHash>,
    /// Since when it is watched: what ran before is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seen: Option<Timestamp>,
    /// The analyses that found them bad, of revisions that failed.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub failed_by: BTreeMap<RevisionHash, AnalysisId>,
    /// Revisions of a Rollout whose analysis was superseded, and when: neither good nor bad, and no way back, also if
    /// the Rollout had promoted them by then.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub superseded: BTreeMap<RevisionHash, Timestamp>,
    /// The last analysis that began: what notices of the present incident refer to.
    pub latest: Option<AnalysisId>,
    pub analysis: Option<Analysis>,
    /// Evidence of the last analysis or verification. It stays after the end: what follows a rollback needs it.
    pub checkpoint: Option<Box<Checkpoint>>,
    /// What the last analysis that failed had found.
    pub judged: Option<Judged>,
    pub plan: Option<PlanState>,
    /// The release is paused for its evidence, or on its way there or back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pause: Option<Box<PauseState>>,
    /// A rollback that a `GitOps` tool may revert, within a sync period.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drift: Option<Box<Drift>>,
    /// A `GitOps` tool reverted the last rollback; until a revision passes nothing is rolled back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reverted: Option<Reverted>,
    /// The self-heal of its owner is switched off for a rollback.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suspension: Option<Box<SuspensionState>>,
    /// The last pause that was begun: there is one at most in an analysis.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_pause: Option<PlanId>,
    pub verification: Option<Verification>,
    pub holds: Vec<Hold>,
    /// Holds, by guard and rule, that people were told of during this analysis.
    pub told: Vec<Hold>,
    /// Kinds of notices that were made about the last analysis.
    pub said: BTreeSet<NoticeKind>,
    pub last_action: Option<Timestamp>,
    /// The last rollbacks, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rollbacks: Vec<Timestamp>,
    pub rules_without_data: BTreeSet<RuleName>,
    /// The last analysis that failed, until what its watch asks for besides the rollback has begun.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owes: Option<AnalysisId>,
    /// When an operation last changed its template: the revision that comes of it is no release.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changed: Option<Timestamp>,
    /// The traffic of the last release that was stepped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stepping: Option<Stepping>,
}

/// The evidence as it was last recorded.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Checkpoint {
    pub at: Timestamp,
    pub evidence: BTreeMap<RuleName, Evidence>,
    /// What each rule said then, for people.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<Finding>,
    pub measurements: Vec<(Arc<Question>, Measurement)>,
}

/// A verdict that a revision is bad, and on what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Judged {
    pub analysis: AnalysisId,
    pub at: Timestamp,
    pub canary: RevisionHash,
    pub baseline: Option<RevisionHash>,
    pub phase: Phase,
    /// The rules by which it failed.
    pub rules: Vec<RuleName>,
    /// What they said, one sentence each.
    pub sentences: Vec<String>,
}

impl TargetLedger {
    pub(super) fn new(uid: String, stable: RevisionHash) -> Self {
        Self {
            uid,
            current: stable.clone(),
            stable,
            never_ran: None,
            ran: BTreeSet::new(),
            seen: None,
            standings: BTreeMap::new(),
            failed_by: BTreeMap::new(),
            superseded: BTreeMap::new(),
            latest: None,
            analysis: None,
            checkpoint: None,
            judged: None,
            plan: None,
            pause: None,
            last_pause: None,
            drift: None,
            suspension: None,
            reverted: None,
            verification: None,
            holds: Vec::new(),
            told: Vec::new(),
            said: BTreeSet::new(),
            last_action: None,
            rollbacks: Vec::new(),
            rules_without_data: BTreeSet::new(),
            owes: None,
            changed: None,
            stepping: None,
        }
    }

    /// Whether a rollback is under way, or is not yet known to have helped.
    pub fn is_under_rollback(&self) -> bool {
        let verification = self.verification.as_ref();
        self.plan.is_some() || verification.is_some_and(|verification| verification.plan.is_some())
    }

    /// Whether an analysis of the revision ended with Pass.
    pub fn known_good(&self, revision: &RevisionHash) -> bool {
        matches!(
            self.standings.get(revision),
            Some(Standing::KnownGood { .. })
        )
    }

    /// Whether an analysis of the revision failed.
    pub fn has_failed(&self, revision: &RevisionHash) -> bool {
        matches!(self.standings.get(revision), Some(Standing::Failed { .. }))
    }

    /// The analysis that found the revision bad; the last one, if a journal of an older version does not say it.
    pub fn failed_by(&self, revision: &RevisionHash) -> Option<&AnalysisId> {
        self.failed_by.get(revision).or(self.latest.as_ref())
    }

    /// Where a rollback from `canary` would go: the last revision known good, else what was stable before (never one
    /// that failed: P12).
    pub fn way_back(&self, canary: &RevisionHash) -> Option<WayBack> {
        let stable = (self.stable != *canary && !self.has_failed(&self.stable)).then(|| WayBack {
            revision: self.stable.clone(),
            known_good: self.known_good(&self.stable),
        });
        if stable.as_ref().is_some_and(|stable| stable.known_good) {
            return stable;
        }
        let known_good = self
            .standings
            .iter()
            .filter_map(|(revision, standing)| match standing {
                Standing::KnownGood { at } if revision != canary => Some((at, revision)),
                Standing::KnownGood { .. }
                | Standing::Failed { .. }
                | Standing::Inconclusive { .. } => None,
            })
            .max();
        match known_good {
            Some((_, revision)) => Some(WayBack {
                revision: revision.clone(),
                known_good: true,
            }),
            None => stable,
        }
    }

    /// Where a rollback from `canary` goes now. While a Rollout is in flight that is its own stable revision, which an
    /// abort always goes back to, unless that one failed, or was superseded before it was judged and there is another
    /// way back.
    pub fn destination(
        &self,
        canary: &RevisionHash,
        state: Option<&TargetState>,
    ) -> Option<WayBack> {
        let rollout = state.and_then(|state| state.rollout.as_ref());
        let stable = rollout
            .and_then(|rollout| rollout.stable.as_ref())
            .filter(|stable| *stable != canary && !self.has_failed(stable));
        let Some(stable) = stable else {
            return self.way_back(canary);
        };
        let other = self
            .way_back(canary)
            .filter(|_| self.superseded.contains_key(stable))
            .filter(|other| exists(state, &other.revision));
        other.or_else(|| {
            Some(WayBack {
                revision: stable.clone(),
                known_good: self.known_good(stable),
            })
        })
    }

    pub(super) fn ran(&mut self, revision: &RevisionHash) {
        self.ran.insert(revision.clone());
        // Which is the oldest is not known: one that nothing else is known of.
        while self.ran.len() > REMEMBERED {
            let known = |other: &RevisionHash| {
                other == revision
                    || *other == self.stable
                    || *other == self.current
                    || self.standings.contains_key(other)
            };
            let dropped = self.ran.iter().find(|other| !known(other));
            let Some(dropped) = dropped.or_else(|| self.ran.first()).cloned() else {
                return;
            };
            self.ran.remove(&dropped);
        }
    }

    fn stand(&mut self, revision: RevisionHash, standing: Standing) {
        self.superseded.remove(&revision);
        self.standings.insert(revision, standing);
        while self.standings.len() > REMEMBERED {
            let oldest = self
                .standings
                .iter()
                .filter(|(revision, _)| **revision != self.stable && **revision != self.current)
                .min_by_key(|(_, standing)| standing.at())
                .map(|(revision, _)| revision.clone());
            let Some(oldest) = oldest else { return };
            self.standings.remove(&oldest);
        }
    }

    pub(super) fn apply(&mut self, at: Timestamp, record: &Record) {
        match record {
            Record::RevisionReturned { revision, .. } => {
                self.current = revision.clone();
                let plan = self.plan.as_ref().map(|state| &state.plan);
                let by_us = plan.is_some_and(|plan| plan.to.revision == *revision);
                if self.known_good(revision) || by_us {
                    self.stable = revision.clone();
                    self.superseded.remove(revision);
                }
            }
            Record::AnalysisBegan { analysis } => {
                self.owes = None;
                self.begin(analysis);
            }
            Record::Ran { revision, .. } => {
                self.never_ran.take_if(|never| never == revision);
                self.ran(revision);
            }
            Record::Promoted { .. } => self.with_analysis(|analysis| analysis.promoted = Some(at)),
            Record::BaselineGone { .. } => {
                self.with_analysis(|analysis| analysis.phase = Phase::Alone);
            }
            Record::FirstTraffic { .. } => {
                self.with_analysis(|analysis| analysis.first_traffic = Some(at));
                let canary = self
                    .analysis
                    .as_ref()
                    .map(|analysis| analysis.canary.clone());
                if let Some(canary) = canary {
                    self.ran(&canary);
                }
            }
            Record::Checkpoint {
                evidence,
                findings,
                measurements,
                ..
            } => {
                self.checkpoint = Some(Box::new(Checkpoint {
                    at,
                    evidence: evidence.clone(),
                    findings: findings.clone(),
                    measurements: measurements.clone(),
                }));
            }
            Record::Failed { findings, .. } => {
                let Some(analysis) = &mut self.analysis else {
                    return;
                };
                analysis.failed = Some(at);
                let failing = || findings.iter().filter(|finding| finding.fails());
                self.judged = Some(Judged {
                    analysis: analysis.id.clone(),
                    at,
                    canary: analysis.canary.clone(),
                    baseline: analysis.baseline.clone(),
                    phase: analysis.phase,
                    rules: failing().map(|finding| finding.rule.clone()).collect(),
                    sentences: failing().map(|finding| finding.sentence.clone()).collect(),
                });
                let canary = analysis.canary.clone();
                self.failed_by.insert(canary.clone(), analysis.id.clone());
                self.stand(canary, Standing::Failed { at });
                self.failed_by
                    .retain(|revision, _| self.standings.contains_key(revision));
            }
            Record::HoldBegan { hold, .. } => {
                self.holds.retain(|held| !held.same(hold));
                self.holds.push(hold.clone());
                if !self.told.iter().any(|told| told.same(hold)) {
                    self.told.push(hold.clone());
                }
            }
            Record::HoldEnded { hold, .. } => self.holds.retain(|held| !held.same(hold)),
            Record::AnalysisEnded {
                target,
                analysis,
                revision,
                ending,
                ..
            } => {
                self.analysis = None;
                self.holds.clear();
                match ending {
                    Ending::Pass => {
                        self.reverted = None;
                        self.ran(revision);
                        self.stable = revision.clone();
                        self.stand(revision.clone(), Standing::KnownGood { at });
                    }
                    Ending::Inconclusive { .. } => {
                        self.stand(revision.clone(), Standing::Inconclusive { at });
                    }
                    // A Fail has its standing since it was found.
                    Ending::Fail => self.owes = Some(analysis.clone()),
                    Ending::Superseded { .. } => match target.kind {
                        TargetKind::Rollout => self.supersede(revision, at),
                        TargetKind::Deployment
                        | TargetKind::StatefulSet
                        | TargetKind::DaemonSet => {}
                    },
                }
            }
            Record::PlanBegan { plan } => {
                // A person's, of a revision that was not being judged, is an incident of its own.
                if self.latest.as_ref() != Some(&plan.analysis) {
                    self.latest = Some(plan.analysis.clone());
                    self.said.clear();
                    self.judged = None;
                }
                self.plan = Some(PlanState::new(Clone::clone(plan), at));
                self.last_action = Some(at);
                if self.rollbacks.len() >= ROLLBACKS {
                    self.rollbacks.remove(0);
                }
                self.rollbacks.push(at);
                self.verification = None;
            }
            Record::PlanEnded { plan, .. } => {
                if self.plan.as_ref().is_some_and(|own| own.plan.id == *plan) {
                    self.plan = None;
                }
            }
            Record::VerificationBegan { verification } => {
                self.verification = Some(Clone::clone(verification));
            }
            Record::VerificationEnded { .. } => self.verification = None,
            Record::Pause { news, .. } => self.paused(at, news),
            Record::Drift { news, .. } => match &**news {
                DriftNews::Began { drift } => self.drift = Some(drift.clone()),
                DriftNews::Suspension { suspension } => self.suspended(at, suspension),
                DriftNews::Held | DriftNews::Over { .. } => self.drift = None,
                DriftNews::Reverted { by } => {
                    self.drift = None;
                    self.reverted = Some(Reverted { at, by: by.clone() });
                }
            },
            Record::RuleWithoutData { rule, .. } => {
                self.rules_without_data.insert(rule.clone());
            }
            Record::Noticed(notice) | Record::NoticeHeld { notice, .. } => {
                if notice.correlation.is_some() && notice.correlation == self.latest {
                    self.said.insert(notice.kind);
                }
                if let Some(stepping) = &mut self.stepping
                    && notice.correlation.as_ref() == Some(&stepping.analysis)
                    && matches!(notice.kind, NoticeKind::Traffic | NoticeKind::TrafficHeld)
                {
                    stepping.told = stepping.news;
                }
            }
            Record::SteppingBegan { stepping } => self.stepping = Some(Clone::clone(stepping)),
            Record::TrafficBegan { plan } => {
                if let Some(stepping) = &mut self.stepping {
                    stepping.begin(plan, at);
                }
            }
            Record::TrafficHeld { hold, .. } => {
                if let Some(stepping) = &mut self.stepping {
                    stepping.hold(hold);
                }
            }
            Record::TrafficReached { reached, .. } => {
                if let Some(stepping) = &mut self.stepping {
                    stepping.reach(reached.clone());
                    if stepping.in_full() {
                        self.in_full(at);
                    }
                }
            }
            Record::SteppingEnded { end, .. } => {
                if let Some(stepping) = &mut self.stepping {
                    stepping.finish(end);
                    self.in_full(at);
                }
            }
            Record::Started { .. }
            | Record::Compacted { .. }
            | Record::Reloaded { .. }
            | Record::ReloadRefused { .. }
            | Record::Alerted { .. }
            | Record::Marked { .. }
            | Record::Silenced { .. }
            | Record::Commanded { .. }
            | Record::ApprovalAsked { .. }
            | Record::CommandEnded { .. }
            | Record::NoticeReleased { .. }
            | Record::TakenUp { .. }
            | Record::LetGo { .. }
            | Record::TargetSeen { .. }
            | Record::TargetGone { .. }
            | Record::StepBegun(_)
            | Record::StepEnded(_)
            | Record::Awaited { .. }
            | Record::Operation(_)
            | Record::SourceLost { .. }
            | Record::SourceBack { .. }
            | Record::NoticeEnded(_)
            | Record::IncidentBegan { .. }
            | Record::IncidentEnded { .. }
            | Record::ScalingBegan { .. }
            | Record::ScalingHeld { .. }
            | Record::ScalingEnded { .. }
            | Record::AlwaysCheckpoint { .. }
            | Record::DataLost { .. }
            | Record::DataBack { .. } => {}
        }
    }

    fn paused(&mut self, at: Timestamp, news: &PauseNews) {
        match news {
            PauseNews::Began { pause } => self.take_pause(pause, Course::Pausing, at),
            PauseNews::Found { pause } => self.take_pause(pause, Course::Paused, at),
            PauseNews::Reached(_) | PauseNews::Resuming { .. } | PauseNews::Stuck { .. } => {
                if let Some(pause) = &mut self.pause {
                    pause.apply(at, news);
                }
            }
            PauseNews::Ended { .. } => self.pause = None,
        }
    }

    fn suspended(&mut self, at: Timestamp, news: &SuspensionNews) {
        match news {
            SuspensionNews::Began { suspension } => {
                let state = SuspensionState::new(Clone::clone(suspension), at);
                self.suspension = Some(Box::new(state));
            }
            SuspensionNews::Reminded
            | SuspensionNews::Resuming { .. }
            | SuspensionNews::Stuck { .. } => {
                if let Some(held) = &mut self.suspension {
                    held.apply(at, news);
                }
            }
            SuspensionNews::Ended { .. } => self.suspension = None,
        }
    }

    fn take_pause(&mut self, pause: &Pause, course: Course, at: Timestamp) {
        self.last_pause = Some(pause.id.clone());
        self.pause = Some(Box::new(PauseState::new(pause.clone(), course, at)));
    }

    fn begin(&mut self, analysis: &Analysis) {
        self.current = analysis.canary.clone();
        self.latest = Some(analysis.id.clone());
        let any_known_good = self
            .standings
            .values()
            .any(|standing| matches!(standing, Standing::KnownGood { .. }));
        // As long as none is known good, the way back is what was stable before this release.
        if let Some(baseline) = &analysis.baseline
            && !any_known_good
            && !self.has_failed(baseline)
            && !self.superseded.contains_key(baseline)
        {
            self.stable = baseline.clone();
        }
        self.analysis = Some(analysis.clone());
        self.judged = None;
        self.verification = None;
        self.holds.clear();
        self.told.clear();
        self.said.clear();
        self.rules_without_data.clear();
    }

    /// Its traffic is as high as it gets by steps: the watch of that release counts from here.
    fn in_full(&mut self, at: Timestamp) {
        if let (Some(stepping), Some(analysis)) = (&self.stepping, &mut self.analysis)
            && stepping.analysis == analysis.id
        {
            analysis.in_full.get_or_insert(at);
        }
    }

    /// The edit of the route that belongs to a plan.
    pub(super) fn moving_mut(&mut self, plan: &PlanId) -> Option<&mut Moving> {
        let moving = self.stepping.as_mut()?.moving.as_mut()?;
        (moving.plan.id == *plan).then_some(moving)
    }

    fn supersede(&mut self, revision: &RevisionHash, at: Timestamp) {
        if self.standings.contains_key(revision) || self.stable == *revision {
            return;
        }
        self.superseded.insert(revision.clone(), at);
        if self.superseded.len() > REMEMBERED {
            let oldest = self.superseded.iter().min_by_key(|(_, at)| **at);
            if let Some(oldest) = oldest.map(|(revision, _)| revision.clone()) {
                self.superseded.remove(&oldest);
            }
        }
    }

    fn with_analysis(&mut self, change: impl FnOnce(&mut Analysis)) {
        if let Some(analysis) = &mut self.analysis {
            change(analysis);
        }
    }
}

/// Whether the revision is still there to go back to.
fn exists(state: Option<&TargetState>, revision: &RevisionHash) -> bool {
    let mut revisions = state.iter().flat_map(|state| &state.revisions);
    revisions.any(|known| known.hash == *revision)
}

impl Standing {
    /// When the revision got its standing.
    pub fn at(&self) -> Timestamp {
        match self {
            Self::KnownGood { at } | Self::Failed { at } | Self::Inconclusive { at } => *at,
        }
    }
}
