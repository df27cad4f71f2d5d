//! The lasting state: what a fold over the journal gives (P5). It changes by [`Ledger::apply`] and in no other way,
//! so that the live state and a replayed one cannot differ.

mod of_always;
mod of_operation;
mod of_people;
mod of_target;
mod pairs;

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::analysis::Ending;
use crate::command::{CommandId, CommandOutcome, Order};
use crate::hook::{Alert, Marker, Reported};
use crate::ids::{ChannelName, NoticeId, PlanId, TargetId, WatchName};
use crate::incident::Holds;
use crate::notice::Notice;
use crate::operation::OperationState;
use crate::pause::PauseState;
use crate::record::Record;
use crate::rule::SourceKind;
use crate::saga::{PlanEnd, PlanState, plan_of};
use crate::silence::Silence;
use crate::stepping::Aim;
use crate::suspension::SuspensionState;
use crate::time::elapsed;
use crate::verify::VerificationEnd;

pub use of_always::{AlwaysCheckpoint, AlwaysLedger};
pub use of_operation::operation_of;
pub use of_people::{CommandOver, PeopleLedger};
pub use of_target::{Checkpoint, Judged, TargetLedger};

/// How many failed rollbacks are remembered.
const SETBACKS: usize = 100;

/// Everything that must survive a restart. It is also written as a whole (`recant once`): a field that is added must be
/// readable from a state that has none yet, and a map whose keys are no texts needs `pairs`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Ledger {
    #[serde(with = "pairs")]
    pub targets: BTreeMap<TargetId, TargetLedger>,
    /// The rules between releases, by target.
    #[serde(with = "pairs")]
    pub always: BTreeMap<TargetId, AlwaysLedger>,
    /// Targets that were taken up on request, and by which watch.
    #[serde(with = "pairs")]
    pub taken: BTreeMap<TargetId, WatchName>,
    /// Operations that are carried out, or may be taken back.
    pub operations: BTreeMap<PlanId, OperationState>,
    /// Guards that hold back operations which have not begun.
    pub held_operations: BTreeMap<PlanId, Holds>,
    /// Incidents ever begun: the last part of their ids.
    pub incidents: u64,
    /// Actions of the last hour over all targets, oldest first.
    pub actions: Vec<Timestamp>,
    /// Rollbacks over all targets that failed one after the other, oldest first: since one helped.
    pub setbacks: Vec<Timestamp>,
    /// When a rollback last helped.
    pub helped: Option<Timestamp>,
    /// Releases over all targets that failed in the last hour, oldest first.
    pub failures: Vec<(Timestamp, TargetId)>,
    /// Notices that have not ended, with the channels that are left.
    pub pending: BTreeMap<NoticeId, (Notice, BTreeSet<ChannelName>)>,
    pub lost_sources: BTreeMap<SourceKind, String>,
    /// The digest of changed files that could not be used, while what held before goes on to hold.
    pub refused: Option<String>,
    /// What others reported.
    pub reported: Reported,
    /// What each Alertmanager silences, by the channel that leads to it.
    pub silences: BTreeMap<ChannelName, Vec<Silence>>,
    /// The last notice of each thread that silences hold back.
    pub held: BTreeMap<String, HeldNotice>,
    /// Notices ever made: the last part of their ids.
    pub notices: u64,
    /// Analyses ever begun: the last part of their ids. Two targets in two namespaces may well have the same name,
    /// template hash and second.
    pub analyses: u64,
    /// What people ordered.
    pub people: PeopleLedger,
}

/// A notice that a silence holds back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HeldNotice {
    pub notice: Notice,
    pub silence: Silence,
    /// When the first of its thread was held.
    pub since: Timestamp,
    /// Notices of its thread that were held, this one included.
    pub count: u64,
}

impl Ledger {
    /// Folds one record into the state.
    pub fn apply(&mut self, at: Timestamp, record: &Record) {
        match record {
            Record::Started { .. } | Record::Compacted { .. } => {}
            Record::Alerted { alert } => self.reported.alert(at, Alert::clone(alert)),
            Record::Marked { marker } => self.reported.marker(Marker::clone(marker)),
            Record::Reloaded { .. } => self.refused = None,
            Record::ReloadRefused { digest, .. } => self.refused = Some(digest.clone()),
            Record::TargetSeen {
                target,
                uid,
                stable,
                unready,
            } => {
                let mut fresh = TargetLedger::new(uid.clone(), stable.clone());
                fresh.never_ran = unready.then(|| stable.clone());
                fresh.seen = Some(at);
                if !unready {
                    fresh.ran(stable);
                }
                self.targets.insert(target.clone(), fresh);
            }
            Record::TakenUp { target, by } => {
                self.taken.insert(target.clone(), by.clone());
            }
            Record::LetGo { target, .. } => {
                self.taken.remove(target);
                self.targets.remove(target);
                self.reported.markers.remove(target);
            }
            Record::TargetGone { target } => {
                self.targets.remove(target);
                self.reported.markers.remove(target);
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
                self.said(at, notice, record);
            }
            Record::Silenced { channel, silences } => {
                if silences.is_empty() {
                    self.silences.remove(channel);
                } else {
                    self.silences.insert(channel.clone(), silences.clone());
                }
            }
            Record::NoticeHeld { notice, silence } => {
                self.notices += 1;
                let thread = notice.thread();
                let before = self.held.remove(&thread);
                let held = HeldNotice {
                    notice: Notice::clone(notice),
                    silence: Silence::clone(silence),
                    since: before.as_ref().map_or(at, |held| held.since),
                    count: before.map_or(1, |held| held.count.saturating_add(1)),
                };
                self.held.insert(thread, held);
                self.said(at, notice, record);
            }
            Record::NoticeReleased { thread, notice } => {
                self.notices += 1;
                self.held.remove(thread);
                let left: BTreeSet<ChannelName> = notice.channels.iter().cloned().collect();
                self.pending
                    .insert(notice.id.clone(), (Notice::clone(notice), left));
            }
            Record::NoticeEnded(delivery) => {
                if let Some((_, left)) = self.pending.get_mut(&delivery.notice) {
                    left.remove(&delivery.channel);
                    if left.is_empty() {
                        self.pending.remove(&delivery.notice);
                    }
                }
            }
            Record::Commanded { command } => self.people.taken(command),
            Record::ApprovalAsked { approval } => self.people.asked(approval),
            Record::CommandEnded { command, outcome } => self.command_ended(at, command, outcome),
            Record::PlanBegan { plan } => {
                self.people.settled(&plan.id, "it was carried out");
                self.acted(at);
                self.on(at, &plan.fence.target, record);
            }
            Record::StepBegun(command) => {
                self.with_plan(&command.plan, |plan| {
                    if plan.next == command.index {
                        plan.in_hand = Some(command.deadline);
                    }
                });
                for held in self.suspensions(&command.plan) {
                    held.step_begun(command.index, command.deadline);
                }
                for pause in self.pauses(&command.plan) {
                    pause.step_begun(command.index, command.deadline);
                }
                if let Some(operation) = self.operations.get_mut(&command.plan) {
                    operation.step_begun(command);
                }
                let mut targets = self.targets.values_mut();
                if let Some(moving) = targets.find_map(|known| known.moving_mut(&command.plan)) {
                    moving.in_hand = Some(command.deadline);
                }
                let mut always = self.always.values_mut();
                if let Some(scaling) = always.find_map(|always| always.scaling_mut(&command.plan)) {
                    scaling.in_hand = Some(command.deadline);
                }
            }
            Record::StepEnded(outcome) => {
                self.with_plan(&outcome.plan, |plan| {
                    if plan.next == outcome.index {
                        plan.in_hand = None;
                        if plan.end_by(&outcome.result).is_none() {
                            plan.next += 1;
                            plan.step_began = at;
                        }
                    }
                });
                for held in self.suspensions(&outcome.plan) {
                    held.step_ended(at, outcome.index, &outcome.result);
                }
                for pause in self.pauses(&outcome.plan) {
                    pause.step_ended(at, outcome.index, &outcome.result);
                }
                self.step_of_operation(at, outcome);
                for always in self.always.values_mut() {
                    always.step_ended(at, outcome);
                }
                let mut targets = self.targets.values_mut();
                if let Some(moving) = targets.find_map(|known| known.moving_mut(&outcome.plan)) {
                    moving.ended(&outcome.result, at);
                }
            }
            Record::SteppingBegan { stepping } => self.on(at, &stepping.target, record),
            Record::TrafficBegan { plan } => {
                if plan.aim == Aim::Back {
                    self.acted(at);
                }
                self.on(at, &plan.target, record);
            }
            Record::ScalingBegan { plan } => {
                self.acted(at);
                self.on_always(at, &plan.target, record);
            }
            Record::IncidentBegan { incident, .. } => {
                self.incidents += 1;
                self.on_always(at, &incident.target, record);
            }
            Record::IncidentEnded {
                target, incident, ..
            } => {
                for operation in self.operations.values_mut() {
                    operation.incident_ended(at, incident);
                }
                self.held_operations.remove(&operation_of(incident));
                self.on_always(at, target, record);
            }
            Record::Operation(event) => self.operation(at, event),
            Record::ScalingHeld { target, .. }
            | Record::ScalingEnded { target, .. }
            | Record::AlwaysCheckpoint { target, .. }
            | Record::DataLost { target, .. }
            | Record::DataBack { target, .. } => self.on_always(at, target, record),
            Record::Awaited { plan, index } => self.with_plan(plan, |plan| {
                if plan.next == *index {
                    plan.next += 1;
                    plan.step_began = at;
                }
            }),
            Record::AnalysisBegan { analysis } => {
                self.analyses += 1;
                self.on(at, &analysis.target, record);
            }
            Record::VerificationBegan { verification } => {
                self.on(at, &verification.target, record);
            }
            Record::RevisionReturned { target, .. }
            | Record::Ran { target, .. }
            | Record::Promoted { target }
            | Record::BaselineGone { target }
            | Record::FirstTraffic { target }
            | Record::Checkpoint { target, .. }
            | Record::HoldBegan { target, .. }
            | Record::HoldEnded { target, .. }
            | Record::TrafficHeld { target, .. }
            | Record::TrafficReached { target, .. }
            | Record::SteppingEnded { target, .. }
            | Record::RuleWithoutData { target, .. }
            | Record::Drift { target, .. }
            | Record::Pause { target, .. } => self.on(at, target, record),
            Record::AnalysisEnded {
                target,
                analysis,
                ending,
                ..
            } => {
                self.people.settled(&plan_of(analysis), why_settled(ending));
                self.on(at, target, record);
            }
            Record::Failed { target, .. } => {
                self.failed(at, target);
                self.on(at, target, record);
            }
            Record::PlanEnded { target, end, .. } => {
                match end {
                    PlanEnd::Stuck { .. } => self.set_back(at),
                    // That it was carried out says nothing of whether it helped; somebody else's change is no failure.
                    PlanEnd::Done | PlanEnd::Fenced { .. } => {}
                }
                self.on(at, target, record);
            }
            Record::VerificationEnded { target, end, .. } => {
                let verification = self
                    .targets
                    .get(target)
                    .and_then(|known| known.verification.as_ref());
                if verification.is_some_and(|verification| verification.plan.is_some()) {
                    match end {
                        VerificationEnd::Gone => {
                            self.setbacks.clear();
                            self.helped = Some(at);
                        }
                        VerificationEnd::Remains { .. } => self.set_back(at),
                        VerificationEnd::Unknown { .. } => {}
                    }
                }
                self.on(at, target, record);
            }
        }
    }

    fn command_ended(&mut self, at: Timestamp, id: &CommandId, outcome: &CommandOutcome) {
        let order = self.people.open.iter().find(|open| open.id() == *id);
        let order = order.map(|open| open.order.clone());
        self.people.ended(at, id, outcome);
        if let (Some(Order::Resume { target }), CommandOutcome::Done { .. }) = (order, outcome) {
            // A person has looked: what is latched until somebody does begins anew.
            self.setbacks.clear();
            if let Some(known) = self.targets.get_mut(&target) {
                known.rollbacks.clear();
            }
        }
    }

    /// What was said of a target is said once, whether or not it was held back.
    fn said(&mut self, at: Timestamp, notice: &Notice, record: &Record) {
        self.people.said(notice);
        if let Some(target) = &notice.target {
            self.on(at, target, record);
            self.said_of_operation(notice);
            if let Some(always) = self.always.get_mut(target) {
                always.noticed(notice);
            }
        }
    }

    fn on(&mut self, at: Timestamp, target: &TargetId, record: &Record) {
        if let Some(ledger) = self.targets.get_mut(target) {
            ledger.apply(at, record);
        }
    }

    fn on_always(&mut self, at: Timestamp, target: &TargetId, record: &Record) {
        let always = self.always.entry(target.clone()).or_default();
        always.apply(at, record);
    }

    fn acted(&mut self, at: Timestamp) {
        self.actions
            .retain(|action| elapsed(*action, at) < SignedDuration::from_hours(1));
        self.actions.push(at);
    }

    fn set_back(&mut self, at: Timestamp) {
        if self.setbacks.len() >= SETBACKS {
            self.setbacks.remove(0);
        }
        self.setbacks.push(at);
    }

    fn failed(&mut self, at: Timestamp, target: &TargetId) {
        self.failures.retain(|(failed, other)| {
            elapsed(*failed, at) < SignedDuration::from_hours(1) && other != target
        });
        self.failures.push((at, target.clone()));
    }

    fn suspensions(&mut self, id: &PlanId) -> impl Iterator<Item = &mut SuspensionState> {
        self.targets
            .values_mut()
            .filter_map(|ledger| ledger.suspension.as_deref_mut())
            .filter(move |held| held.suspension.id == *id)
    }

    fn pauses(&mut self, id: &PlanId) -> impl Iterator<Item = &mut PauseState> {
        self.targets
            .values_mut()
            .filter_map(|ledger| ledger.pause.as_deref_mut())
            .filter(move |state| state.pause.id == *id)
    }

    fn with_plan(&mut self, id: &PlanId, change: impl FnOnce(&mut PlanState)) {
        let plan = self
            .targets
            .values_mut()
            .filter_map(|ledger| ledger.plan.as_mut())
            .find(|plan| plan.plan.id == *id);
        if let Some(plan) = plan {
            change(plan);
        }
    }
}

/// What became of a question about a release whose analysis has ended.
fn why_settled(ending: &Ending) -> &'static str {
    match ending {
        Ending::Superseded { .. } => "another revision came, or somebody took the release back",
        Ending::Pass | Ending::Fail | Ending::Inconclusive { .. } => "its watch is over",
    }
}

#[cfg(test)]
mod tests;
