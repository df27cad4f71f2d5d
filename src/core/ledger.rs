//! The lasting state: what a fold over the journal gives (P5). It changes by [`Ledger::apply`] and in no other way,
//! so that the live state and a replayed one cannot differ.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use crate::analysis::{Analysis, Ending, Phase, WayBack, elapsed};
use crate::guard::Hold;
use crate::ids::{ChannelName, NoticeId, PlanId, RevisionHash, RuleName, TargetId};
use crate::notice::Notice;
use crate::record::{Record, Standing};
use crate::rule::SourceKind;
use crate::saga::PlanState;
use crate::verify::Verification;

/// How many revisions with a standing are remembered per target.
const REMEMBERED: usize = 50;

/// Everything that must survive a restart.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Ledger {
    pub targets: BTreeMap<TargetId, TargetLedger>,
    /// Actions of the last hour over all targets, oldest first.
    pub actions: Vec<Timestamp>,
    /// Notices that have not ended, with the channels that are left.
    pub pending: BTreeMap<NoticeId, (Notice, BTreeSet<ChannelName>)>,
    pub lost_sources: BTreeMap<SourceKind, String>,
    /// Notices ever made: the last part of their ids.
    pub notices: u64,
}

/// What lasts about one target.
#[derive(Debug, Clone, PartialEq)]
pub struct TargetLedger {
    pub uid: String,
    /// The revision in the spec.
    pub current: RevisionHash,
    /// The way back: known good, or what was stable before the first release.
    pub stable: RevisionHash,
    pub standings: BTreeMap<RevisionHash, Standing>,
    pub analysis: Option<Analysis>,
    pub plan: Option<PlanState>,
    pub verification: Option<Verification>,
    pub holds: Vec<Hold>,
    /// Holds, by guard, that people were told of during this analysis.
    pub told: Vec<Hold>,
    pub last_action: Option<Timestamp>,
    pub rules_without_data: BTreeSet<RuleName>,
}

impl TargetLedger {
    fn new(uid: String, stable: RevisionHash) -> Self {
        Self {
            uid,
            current: stable.clone(),
            stable,
            standings: BTreeMap::new(),
            analysis: None,
            plan: None,
            verification: None,
            holds: Vec::new(),
            told: Vec::new(),
            last_action: None,
            rules_without_data: BTreeSet::new(),
        }
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

    /// Where a rollback from `canary` would go: the last revision known good, else what was stable (never one that
    /// failed: P12).
    pub fn way_back(&self, canary: &RevisionHash) -> Option<WayBack> {
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
        if let Some((_, revision)) = known_good {
            return Some(WayBack {
                revision: revision.clone(),
                known_good: true,
            });
        }
        (self.stable != *canary && !self.has_failed(&self.stable)).then(|| WayBack {
            revision: self.stable.clone(),
            known_good: false,
        })
    }

    fn stand(&mut self, revision: RevisionHash, standing: Standing) {
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
}

impl Standing {
    /// When the revision got its standing.
    pub fn at(&self) -> Timestamp {
        match self {
            Self::KnownGood { at } | Self::Failed { at } | Self::Inconclusive { at } => *at,
        }
    }
}

impl Ledger {
    /// Folds one record into the state.
    pub fn apply(&mut self, at: Timestamp, record: &Record) {
        match record {
            Record::Started { .. } => {}
            Record::TargetSeen {
                target,
                uid,
                stable,
            } => {
                let fresh = TargetLedger::new(uid.clone(), stable.clone());
                self.targets.insert(target.clone(), fresh);
            }
            Record::TargetGone { target } => {
                self.targets.remove(target);
            }
            Record::SourceLost { source, reason } => {
                self.lost_sources.insert(*source, reason.clone());
            }
            Record::SourceBack { source } => {
                self.lost_sources.remove(source);
            }
            Record::Noticed(notice) => {
                self.notices += 1;
                let left: BTreeSet<ChannelName> = notice.channels.iter().cloned().collect();
                if !left.is_empty() {
                    self.pending
                        .insert(notice.id.clone(), (Notice::clone(notice), left));
                }
            }
            Record::NoticeEnded(delivery) => {
                if let Some((_, left)) = self.pending.get_mut(&delivery.notice) {
                    left.remove(&delivery.channel);
                    if left.is_empty() {
                        self.pending.remove(&delivery.notice);
                    }
                }
            }
            Record::PlanBegan { plan } => {
                self.actions
                    .retain(|action| elapsed(*action, at) < SignedDuration::from_hours(1));
                self.actions.push(at);
                if let Some(ledger) = self.targets.get_mut(&plan.fence.target) {
                    ledger.plan = Some(PlanState::new(Clone::clone(plan), at));
                    ledger.last_action = Some(at);
                    ledger.verification = None;
                }
            }
            Record::StepBegun(command) => self.with_plan(&command.plan, |plan| plan.in_hand = true),
            Record::StepEnded(outcome) => self.with_plan(&outcome.plan, |plan| {
                plan.in_hand = false;
                if plan.next == outcome.index && plan.end_by(&outcome.result).is_none() {
                    plan.next += 1;
                    plan.step_began = at;
                }
            }),
            Record::Awaited { plan, index } => self.with_plan(plan, |plan| {
                if plan.next == *index {
                    plan.next += 1;
                    plan.step_began = at;
                }
            }),
            Record::RevisionReturned { target, .. }
            | Record::Promoted { target }
            | Record::BaselineGone { target }
            | Record::FirstTraffic { target }
            | Record::Checkpoint { target, .. }
            | Record::Failed { target, .. }
            | Record::HoldBegan { target, .. }
            | Record::HoldEnded { target, .. }
            | Record::AnalysisEnded { target, .. }
            | Record::PlanEnded { target, .. }
            | Record::VerificationEnded { target, .. }
            | Record::RuleWithoutData { target, .. } => {
                if let Some(ledger) = self.targets.get_mut(target) {
                    ledger.apply(at, record);
                }
            }
            Record::AnalysisBegan { analysis } => {
                if let Some(ledger) = self.targets.get_mut(&analysis.target) {
                    ledger.apply(at, record);
                }
            }
            Record::VerificationBegan { verification } => {
                if let Some(ledger) = self.targets.get_mut(&verification.target) {
                    ledger.apply(at, record);
                }
            }
        }
    }

    fn with_plan(&mut self, id: &PlanId, change: impl FnOnce(&mut PlanState)) {
        let plans = self
            .targets
            .values_mut()
            .filter_map(|ledger| ledger.plan.as_mut());
        for plan in plans {
            if plan.plan.id == *id {
                change(plan);
                return;
            }
        }
    }
}

impl TargetLedger {
    fn apply(&mut self, at: Timestamp, record: &Record) {
        match record {
            Record::RevisionReturned { revision, .. } => self.current = revision.clone(),
            Record::AnalysisBegan { analysis } => {
                self.current = analysis.canary.clone();
                self.analysis = Some(Clone::clone(analysis));
                self.verification = None;
                self.holds.clear();
                self.told.clear();
                self.rules_without_data.clear();
            }
            Record::Promoted { .. } => self.with_analysis(|analysis| analysis.promoted = Some(at)),
            Record::BaselineGone { .. } => {
                self.with_analysis(|analysis| analysis.phase = Phase::Alone);
            }
            Record::FirstTraffic { .. } => {
                self.with_analysis(|analysis| analysis.first_traffic = Some(at));
            }
            Record::Checkpoint { evidence, .. } => {
                self.with_analysis(|analysis| analysis.evidence.clone_from(evidence));
            }
            Record::Failed { .. } => {
                self.with_analysis(|analysis| analysis.failed = Some(at));
                if let Some(revision) = self.analysis.as_ref().map(|found| found.canary.clone()) {
                    self.stand(revision, Standing::Failed { at });
                }
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
                revision, ending, ..
            } => {
                self.analysis = None;
                self.holds.clear();
                match ending {
                    Ending::Pass => {
                        self.stable = revision.clone();
                        self.stand(revision.clone(), Standing::KnownGood { at });
                    }
                    Ending::Inconclusive { .. } => {
                        self.stand(revision.clone(), Standing::Inconclusive { at });
                    }
                    // A Fail has its standing since it was found.
                    Ending::Fail | Ending::Superseded { .. } => {}
                }
            }
            Record::PlanEnded { .. } => self.plan = None,
            Record::VerificationBegan { verification } => {
                self.verification = Some(Clone::clone(verification));
            }
            Record::VerificationEnded { .. } => self.verification = None,
            Record::RuleWithoutData { rule, .. } => {
                self.rules_without_data.insert(rule.clone());
            }
            Record::Started { .. }
            | Record::TargetSeen { .. }
            | Record::TargetGone { .. }
            | Record::PlanBegan { .. }
            | Record::StepBegun(_)
            | Record::StepEnded(_)
            | Record::Awaited { .. }
            | Record::SourceLost { .. }
            | Record::SourceBack { .. }
            | Record::Noticed(_)
            | Record::NoticeEnded(_) => {}
        }
    }

    fn with_analysis(&mut self, change: impl FnOnce(&mut Analysis)) {
        if let Some(analysis) = &mut self.analysis {
            change(analysis);
        }
    }
}
