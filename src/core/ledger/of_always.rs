//! What lasts about the rules between releases of one target: open incidents, what was scaled, and the evidence.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::ids::{PlanId, RuleName};
use crate::incident::{IncidentState, Scaled, Scaling};
use crate::judge::Continuous;
use crate::measurement::Measurement;
use crate::notice::{Notice, NoticeKind};
use crate::plan::{StepOutcome, StepResult};
use crate::record::Record;
use crate::rule::{Question, ScaleTarget};

/// What lasts about the rules between releases of one target.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AlwaysLedger {
    /// Open incidents, by the rule that is broken.
    pub incidents: BTreeMap<RuleName, IncidentState>,
    /// What was scaled and will be taken back, by the rule that asked for it.
    pub scaled: BTreeMap<RuleName, Scaled>,
    pub checkpoint: Option<Box<AlwaysCheckpoint>>,
    pub without_data: BTreeSet<RuleName>,
}

/// The evidence as it was last recorded.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AlwaysCheckpoint {
    pub at: Timestamp,
    pub evidence: BTreeMap<RuleName, Continuous>,
    pub measurements: Vec<(Arc<Question>, Measurement)>,
}

impl AlwaysLedger {
    /// Whether a scaling of this workload is under way.
    pub fn scales(&self, workload: &ScaleTarget) -> bool {
        let of_incidents = self.incidents.values().filter(|state| state.writes());
        let of_incidents = of_incidents.filter_map(|state| state.scaling.as_ref());
        let undos = self
            .scaled
            .values()
            .filter_map(|scaled| scaled.undo.as_ref());
        of_incidents
            .chain(undos)
            .any(|scaling| scaling.plan.change.target == *workload)
    }

    /// Whether an open incident wants this workload scaled, or has it scaled.
    pub fn wants(&self, workload: &ScaleTarget) -> bool {
        self.incidents.values().any(|state| {
            let scale = state.incident.scale.as_ref();
            scale.is_some_and(|scale| scale.target == *workload)
        })
    }

    /// The scaling that this plan is.
    pub fn scaling(&self, plan: &PlanId) -> Option<&Scaling> {
        let of_incidents = self.incidents.values();
        let of_incidents = of_incidents.filter_map(|state| state.scaling.as_ref());
        let undos = self
            .scaled
            .values()
            .filter_map(|scaled| scaled.undo.as_ref());
        of_incidents
            .chain(undos)
            .find(|scaling| scaling.plan.id == *plan)
    }

    pub(super) fn scaling_mut(&mut self, plan: &PlanId) -> Option<&mut Scaling> {
        let of_incidents = self.incidents.values_mut();
        let of_incidents = of_incidents.filter_map(|state| state.scaling.as_mut());
        let undos = self
            .scaled
            .values_mut()
            .filter_map(|scaled| scaled.undo.as_mut());
        of_incidents
            .chain(undos)
            .find(|scaling| scaling.plan.id == *plan)
    }

    pub(super) fn step_ended(&mut self, at: Timestamp, outcome: &StepOutcome) {
        let Some(scaling) = self.scaling_mut(&outcome.plan) else {
            return;
        };
        scaling.in_hand = None;
        match outcome.result {
            StepResult::Done
            | StepResult::Kept { .. }
            | StepResult::Called { .. }
            | StepResult::AlreadyDone => {}
            StepResult::Fenced { .. } | StepResult::Refused { .. } | StepResult::Failed { .. } => {
                return;
            }
        }
        scaling.written = Some(at);
        let plan = scaling.plan.clone();
        if let (false, Some(undo_after)) = (plan.undo, plan.undo_after) {
            let scaled = Scaled::by(&plan, undo_after, self.scaled.get(&plan.rule));
            self.scaled.insert(plan.rule, scaled);
        }
    }

    pub(super) fn noticed(&mut self, notice: &Notice) {
        let Some(correlation) = &notice.correlation else {
            return;
        };
        let open = self
            .incidents
            .values_mut()
            .find(|state| state.incident.id.0 == correlation.0)
            .map(|state| (&mut state.said, &mut state.holds));
        let found = open.or_else(|| {
            self.scaled
                .values_mut()
                .find(|scaled| scaled.incident.0 == correlation.0)
                .map(|scaled| (&mut scaled.said, &mut scaled.holds))
        });
        let Some((said, holds)) = found else { return };
        said.insert(notice.kind);
        if notice.kind == NoticeKind::ScalingHeld {
            holds.told += 1;
        }
    }

    pub(super) fn apply(&mut self, at: Timestamp, record: &Record) {
        match record {
            Record::IncidentBegan { incident, finding } => {
                let state =
                    IncidentState::new(Clone::clone(incident), at, finding.sentence.clone());
                self.incidents.insert(incident.rule.clone(), state);
            }
            Record::IncidentEnded { rule, .. } => {
                self.incidents.remove(rule);
            }
            Record::ScalingBegan { plan } => {
                let scaling = Scaling::new(Clone::clone(plan), at);
                if plan.undo {
                    if let Some(scaled) = self.scaled.get_mut(&plan.rule) {
                        scaled.undo = Some(scaling);
                    }
                } else if let Some(state) = self.incidents.get_mut(&plan.rule) {
                    state.scaling = Some(scaling);
                }
            }
            Record::ScalingHeld { rule, hold, .. } => {
                if let Some(state) = self.incidents.get_mut(rule) {
                    state.holds.add(hold);
                } else if let Some(scaled) = self.scaled.get_mut(rule) {
                    scaled.holds.add(hold);
                }
            }
            Record::ScalingEnded {
                rule, undo, end, ..
            } => {
                if *undo {
                    self.scaled.remove(rule);
                } else if let Some(state) = self.incidents.get_mut(rule) {
                    state.settled = Some(end.clone());
                }
            }
            Record::AlwaysCheckpoint {
                evidence,
                measurements,
                ..
            } => {
                self.checkpoint = Some(Box::new(AlwaysCheckpoint {
                    at,
                    evidence: evidence.clone(),
                    measurements: measurements.clone(),
                }));
            }
            Record::DataLost { rule, .. } => {
                self.without_data.insert(rule.clone());
            }
            Record::DataBack { rule, .. } => {
                self.without_data.remove(rule);
            }
            // About releases, or taken in by a way of its own.
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
            | Record::NoticeHeld { .. }
            | Record::NoticeReleased { .. }
            | Record::TakenUp { .. }
            | Record::LetGo { .. }
            | Record::TargetSeen { .. }
            | Record::Ran { .. }
            | Record::TargetGone { .. }
            | Record::RevisionReturned { .. }
            | Record::AnalysisBegan { .. }
            | Record::Promoted { .. }
            | Record::BaselineGone { .. }
            | Record::FirstTraffic { .. }
            | Record::Checkpoint { .. }
            | Record::Failed { .. }
            | Record::HoldBegan { .. }
            | Record::HoldEnded { .. }
            | Record::AnalysisEnded { .. }
            | Record::PlanBegan { .. }
            | Record::Operation(_)
            | Record::StepBegun(_)
            | Record::StepEnded(_)
            | Record::Awaited { .. }
            | Record::PlanEnded { .. }
            | Record::Pause { .. }
            | Record::Drift { .. }
            | Record::VerificationBegan { .. }
            | Record::VerificationEnded { .. }
            | Record::SteppingBegan { .. }
            | Record::TrafficBegan { .. }
            | Record::TrafficHeld { .. }
            | Record::TrafficReached { .. }
            | Record::SteppingEnded { .. }
            | Record::SourceLost { .. }
            | Record::SourceBack { .. }
            | Record::RuleWithoutData { .. }
            | Record::Noticed(_)
            | Record::NoticeEnded(_) => {}
        }
    }
}
