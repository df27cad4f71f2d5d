//! Plans: actions with no choice left in them, and the fence that each step must pass (P4).

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::ids::{PlanId, RevisionHash, TargetId};
use crate::target::TargetState;

/// What must still be true of the object when a step runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Fence {
    pub target: TargetId,
    pub uid: String,
    /// The revision that was judged.
    pub judged: RevisionHash,
}

/// One step of a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "step")]
pub enum Step {
    /// Replace the Deployment's template by that of an earlier revision, as `kubectl rollout undo` does.
    UndoDeployment { to: RevisionHash },
    /// Set `status.abort` of a Rollout in flight.
    AbortRollout,
    /// Replace the Rollout's template by that of an earlier revision.
    UndoRollout { to: RevisionHash },
    /// Wait until the controller works on `hash`: promoteFull set earlier would be lost.
    AwaitCurrent { hash: RevisionHash },
    /// Set `status.promoteFull`, so that the undo does not walk through all steps again.
    PromoteFull { of: RevisionHash },
    /// Wait until no pod of the judged revision serves.
    AwaitRestored,
}

/// A step on its way to the executor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StepCommand {
    pub plan: PlanId,
    /// Index within the plan.
    pub index: usize,
    pub fence: Fence,
    pub step: Step,
    /// When the executor gives up retrying.
    pub deadline: Timestamp,
}

/// What became of a step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "result")]
pub enum StepResult {
    Done,
    /// The object shows that this plan's step was carried out before.
    AlreadyDone,
    /// The object is no longer what was judged; nothing was written.
    Fenced {
        reason: String,
    },
    /// It cannot be done, now or later; nothing was written.
    Refused {
        reason: String,
    },
    /// It could not be done until the deadline; whether it was is not known.
    Failed {
        reason: String,
    },
}

/// The result of a step, an input of the next tick.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StepOutcome {
    pub plan: PlanId,
    pub index: usize,
    #[serde(flatten)]
    pub result: StepResult,
}

/// What a step may do to an object that was just read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Admission {
    /// Write, under the lock of the read.
    Write,
    AlreadyDone,
    Fenced {
        reason: String,
    },
}

impl StepCommand {
    /// Holds the step against the object as it was read just before the write.
    ///
    /// Waiting steps are no writes and are always `AlreadyDone` here: the engine waits, not the executor.
    pub fn admit(&self, fresh: &TargetState) -> Admission {
        let Fence {
            target,
            uid,
            judged,
        } = &self.fence;
        if fresh.uid != *uid {
            return fenced(format!("{target} was deleted and created again"));
        }
        let Some(current) = &fresh.current else {
            return fenced(format!(
                "the controller has not seen the latest spec of {target} yet"
            ));
        };
        match &self.step {
            Step::AwaitCurrent { .. } | Step::AwaitRestored => Admission::AlreadyDone,
            Step::UndoDeployment { .. } | Step::UndoRollout { .. } => {
                if fresh.last_plan.as_ref() == Some(&self.plan) {
                    Admission::AlreadyDone
                } else {
                    unchanged(fresh, current, judged)
                }
            }
            Step::AbortRollout => match &fresh.rollout {
                Some(rollout) if current == judged && rollout.aborted => Admission::AlreadyDone,
                Some(rollout) if rollout.stable.as_ref() == Some(judged) => fenced(format!(
                    "revision {judged} of {target} has been promoted since it was judged"
                )),
                _ => unchanged(fresh, current, judged),
            },
            Step::PromoteFull { of } => match &fresh.rollout {
                _ if current != of => fenced(format!(
                    "{target} is at revision {current}, no longer at {of}"
                )),
                Some(rollout) if rollout.promote_full || rollout.stable.as_ref() == Some(of) => {
                    Admission::AlreadyDone
                }
                _ => Admission::Write,
            },
        }
    }
}

fn unchanged(fresh: &TargetState, current: &RevisionHash, judged: &RevisionHash) -> Admission {
    if current != judged {
        return fenced(format!(
            "{} is at revision {current}, no longer at {judged}, which was judged",
            fresh.id
        ));
    }
    if fresh.paused {
        return fenced(format!("{} was paused by somebody else", fresh.id));
    }
    Admission::Write
}

fn fenced(reason: String) -> Admission {
    Admission::Fenced { reason }
}
