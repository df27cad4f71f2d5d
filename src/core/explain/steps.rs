//! Steps in the words of a journal: what each one does, and what became of it.

use crate::git_sync;
use crate::plan::{Action, PauseWrite, Step, StepResult, SyncSwitch};

pub(super) fn action(action: &Action) -> String {
    match action {
        Action::Rollback(rollback) => step(&rollback.step),
        Action::Scale(change) => format!("scale {}", change.in_words()),
        Action::Change(change) => change.in_words(),
        Action::Sync(step) => {
            let object = git_sync::object_ref(&step.owner);
            match step.switch {
                SyncSwitch::Suspend => format!("suspend the self-heal of {object}"),
                SyncSwitch::Resume => format!("resume the self-heal of {object}"),
            }
        }
        Action::Pause(step) => match step.write {
            PauseWrite::Pause { until } => {
                format!("pause {} until {until:.0}", step.fence.target)
            }
            PauseWrite::Resume => format!("resume {}", step.fence.target),
        },
        Action::Evidence(evidence) => evidence.in_words(),
        Action::Apply(apply) => apply.in_words(),
        Action::Webhook(call) => call.in_words(),
    }
}

/// What a step does, for people: `undo the Deployment to revision 5d4f`.
pub fn step(step: &Step) -> String {
    match step {
        Step::UndoDeployment { to } => format!("undo the Deployment to revision {to}"),
        Step::ApplyRevision { to } => format!("put the template of revision {to} back"),
        Step::AwaitStuck => {
            "wait until no pod of the bad revision serves, or one is stuck".to_owned()
        }
        Step::DeleteStuckPods { .. } => {
            "delete the unready pods of the bad revision, which block the way back".to_owned()
        }
        Step::AbortRollout => "abort the Rollout".to_owned(),
        Step::UndoRollout { to } => format!("undo the Rollout to revision {to}"),
        Step::AwaitCurrent { hash } => {
            format!("wait until the controller works on revision {hash}")
        }
        Step::PromoteFull { of } => format!("promote revision {of} in full"),
        Step::AwaitRestored => "wait until no pod of the bad revision serves".to_owned(),
    }
}

pub(super) fn result(result: &StepResult) -> String {
    match result {
        StepResult::Done => "done".to_owned(),
        StepResult::Kept { place, sha256 } => format!("kept in {place}, sha256 {sha256}"),
        StepResult::Called { status, repeated } => {
            let again = if *repeated {
                "; it may have been called before, with the same key"
            } else {
                ""
            };
            format!("done, answered {status}{again}")
        }
        StepResult::AlreadyDone => "had been done before".to_owned(),
        StepResult::Fenced { reason } => format!("was stopped by its fence: {reason}"),
        StepResult::Refused { reason } => format!("is not possible: {reason}"),
        StepResult::Failed { reason } => format!("failed: {reason}"),
    }
}
