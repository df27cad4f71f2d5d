//! What was last judged and last done, of each target: a fold of the journal's records, so that a restart says the same.

use std::collections::BTreeMap;

use jiff::{Timestamp, Unit};
use recant_core::analysis::Ending;
use recant_core::explain::texts;
use recant_core::ids::{PlanId, RevisionHash, RuleName, TargetId};
use recant_core::incident::ScalingEnd;
use recant_core::judge::Finding;
use recant_core::operation::{OperationEnd, OperationEvent};
use recant_core::record::Record;
use recant_core::saga::PlanEnd;
use recant_core::wording::short;

use crate::schema::status::{LastAction, LastVerdict};

const LONGEST: usize = 500;

/// Of all targets.
#[derive(Debug, Default)]
pub struct History {
    verdicts: BTreeMap<TargetId, LastVerdict>,
    actions: BTreeMap<TargetId, LastAction>,
    /// The revision that is under test.
    canaries: BTreeMap<TargetId, RevisionHash>,
    /// The last scaling of each rule.
    scalings: BTreeMap<(TargetId, RuleName), PlanId>,
}

impl History {
    /// The last verdict on a release of this target.
    pub fn verdict(&self, target: &TargetId) -> Option<&LastVerdict> {
        self.verdicts.get(target)
    }

    /// What was done to it last.
    pub fn action(&self, target: &TargetId) -> Option<&LastAction> {
        self.actions.get(target)
    }

    /// Takes in the next record; whether anything changed that a status may say.
    pub fn apply(&mut self, at: Timestamp, record: &Record) -> bool {
        match record {
            Record::AnalysisBegan { analysis } => {
                self.canaries
                    .insert(analysis.target.clone(), analysis.canary.clone());
            }
            Record::Failed {
                target, findings, ..
            } => {
                let revision = self.canaries.get(target).map(ToString::to_string);
                self.judged(
                    at,
                    target,
                    revision.unwrap_or_default(),
                    "Fail",
                    &evidence(findings),
                );
            }
            Record::AnalysisEnded {
                target,
                revision,
                ending,
                findings,
                ..
            } => {
                let (result, message) = match ending {
                    Ending::Pass => ("Pass", evidence(findings)),
                    // It was said when it failed.
                    Ending::Fail => return true,
                    Ending::Inconclusive { reason } => ("Inconclusive", reason.clone()),
                    Ending::Superseded { reason } => ("Superseded", reason.clone()),
                };
                self.judged(at, target, revision.to_string(), result, &message);
            }
            Record::PlanBegan { plan } => {
                self.began(at, &plan.fence.target, "Rollback", &plan.id, record);
            }
            Record::PlanEnded { target, plan, end } => {
                let outcome = match end {
                    PlanEnd::Done => "Done",
                    PlanEnd::Fenced { .. } => "Fenced",
                    PlanEnd::Stuck { .. } => "Failed",
                };
                self.ended(at, target, plan, outcome, record);
            }
            Record::ScalingBegan { plan } => {
                let key = (plan.target.clone(), plan.rule.clone());
                self.scalings.insert(key, plan.id.clone());
                let action = if plan.undo { "UndoScale" } else { "Scale" };
                self.began(at, &plan.target, action, &plan.id, record);
            }
            Record::ScalingEnded {
                target, rule, end, ..
            } => {
                let outcome = match end {
                    ScalingEnd::Done => "Done",
                    ScalingEnd::Nothing { .. } => return false,
                    ScalingEnd::Fenced { .. } => "Fenced",
                    ScalingEnd::NotReady { .. } | ScalingEnd::Stuck { .. } => "Failed",
                };
                let key = (target.clone(), rule.clone());
                let Some(plan) = self.scalings.get(&key).cloned() else {
                    return false;
                };
                self.ended(at, target, &plan, outcome, record);
            }
            Record::Operation(OperationEvent::Began { operation }) => {
                let action = if operation.undoes.is_some() {
                    "UndoActions"
                } else {
                    "Actions"
                };
                self.began(at, &operation.target, action, &operation.id, record);
            }
            Record::Operation(OperationEvent::Ended {
                operation,
                target,
                end,
            }) => {
                let outcome = match end {
                    OperationEnd::Done => "Done",
                    OperationEnd::Partly { .. } | OperationEnd::NotDone { .. } => "Failed",
                };
                self.ended(at, target, operation, outcome, record);
            }
            Record::LetGo { target, .. } => {
                self.verdicts.remove(target);
                self.actions.remove(target);
                self.canaries.remove(target);
                self.scalings.retain(|(of, _), _| of != target);
            }
            // Evidence alone is nothing that a status says.
            Record::Checkpoint { .. }
            | Record::AlwaysCheckpoint { .. }
            | Record::Noticed(_)
            | Record::NoticeEnded(_)
            | Record::NoticeHeld { .. }
            | Record::NoticeReleased { .. }
            | Record::Silenced { .. }
            | Record::Marked { .. }
            | Record::Alerted { .. } => return false,
            _ => {}
        }
        true
    }

    fn judged(
        &mut self,
        at: Timestamp,
        target: &TargetId,
        revision: String,
        result: &str,
        message: &str,
    ) {
        let verdict = LastVerdict {
            result: result.to_owned(),
            revision,
            time: second(at),
            message: short(message, LONGEST),
        };
        self.verdicts.insert(target.clone(), verdict);
    }

    fn began(
        &mut self,
        at: Timestamp,
        target: &TargetId,
        action: &str,
        plan: &PlanId,
        record: &Record,
    ) {
        let action = LastAction {
            action: action.to_owned(),
            outcome: "Running".to_owned(),
            plan: plan.to_string(),
            time: second(at),
            message: sentence(record),
        };
        self.actions.insert(target.clone(), action);
    }

    fn ended(
        &mut self,
        at: Timestamp,
        target: &TargetId,
        plan: &PlanId,
        outcome: &str,
        record: &Record,
    ) {
        if let Some(action) = self.actions.get_mut(target)
            && action.plan == plan.as_str()
        {
            outcome.clone_into(&mut action.outcome);
            action.time = second(at);
            action.message = sentence(record);
        }
    }
}

/// What the rules said, those that fail first.
fn evidence(findings: &[Finding]) -> String {
    let (failing, others): (Vec<&Finding>, Vec<&Finding>) =
        findings.iter().partition(|finding| finding.fails());
    let said = if failing.is_empty() { others } else { failing };
    let sentences: Vec<String> = said
        .into_iter()
        .map(|finding| finding.sentence.clone())
        .collect();
    sentences.join("; ")
}

fn sentence(record: &Record) -> String {
    let first = texts(record).into_iter().next().unwrap_or_default();
    short(&first, LONGEST)
}

/// As everywhere in Kubernetes.
pub(super) fn second(at: Timestamp) -> String {
    at.round(Unit::Second).unwrap_or(at).to_string()
}
