//! Plans: actions with no choice left in them, and the fence that each step must pass (P4).

mod change;
mod pause;
mod sync;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::change::{Apply, Change};
use crate::evidence::KeepEvidence;
use crate::git_sync;
use crate::ids::{PlanId, RevisionHash, TargetId, TargetKind};
use crate::scaling::{ScaleChange, ScaleObject, ScaleState, ScaledObject};
use crate::target::TargetState;
use crate::webhook::WebhookCall;

pub use pause::{PauseStep, PauseWrite};
pub use sync::{SyncStep, SyncSwitch};

/// What must still be true of the object when a step runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Fence {
    pub target: TargetId,
    pub uid: String,
    /// The revision that was judged.
    pub judged: RevisionHash,
    /// Its number when the plan was made: who ships it again gives it a higher one. `None`: it was not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number: Option<u64>,
}

/// One step of a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "step")]
pub enum Step {
    /// Replace the Deployment's template by that of an earlier revision, as `kubectl rollout undo` does.
    UndoDeployment { to: RevisionHash },
    /// Apply the template that a `ControllerRevision` of a `StatefulSet` or `DaemonSet` holds, as `kubectl rollout undo`
    /// does.
    ApplyRevision { to: RevisionHash },
    /// Wait until pods of the judged revision are stuck, or none serves.
    AwaitStuck,
    /// Delete the unready pods of the judged revision, so that the controller makes them anew: a `StatefulSet` waits
    /// for them for ever.
    DeleteStuckPods { to: RevisionHash },
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
    #[serde(flatten)]
    pub action: Action,
    /// When the executor gives up retrying.
    pub deadline: Timestamp,
    /// It was handed out before, and what became of that is not known: it may have been carried out.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub again: bool,
}

/// What a step does, with the fence that it must pass.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Action {
    Rollback(RollbackStep),
    Scale(ScaleChange),
    /// One edit of one object.
    Change(Box<Change>),
    Pause(PauseStep),
    /// What pods say before they go.
    Evidence(Box<KeepEvidence>),
    /// A given manifest.
    Apply(Box<Apply>),
    Sync(SyncStep),
    /// A call of somebody outside.
    Webhook(Box<WebhookCall>),
}

/// One step of a rollback.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RollbackStep {
    pub fence: Fence,
    pub step: Step,
}

/// What became of a step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "result")]
pub enum StepResult {
    Done,
    /// It was carried out, and what it kept lies there.
    Kept {
        place: String,
        /// Of what was kept, in hexadecimal.
        sha256: String,
    },
    /// Somebody outside was called, and took it.
    Called {
        /// Of the answer, 200 to 299.
        status: u16,
        /// It may have been called before, with the same key.
        #[serde(default)]
        repeated: bool,
    },
    /// The object shows that this plan's step was carried out before.
    AlreadyDone,
    /// The object is no longer what was judged; nothing was written.
    Fenced {
        reason: String,
    },
    /// It cannot be done, or could not until the deadline; nothing was written.
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
    /// The controller has not caught up with the object yet: nothing can be said now, read again soon.
    NotYet {
        reason: String,
    },
    Fenced {
        reason: String,
    },
}

impl Step {
    /// The engine waits; nothing is carried out.
    pub fn waits(&self) -> bool {
        match self {
            Self::AwaitCurrent { .. } | Self::AwaitStuck | Self::AwaitRestored => true,
            Self::UndoDeployment { .. }
            | Self::ApplyRevision { .. }
            | Self::DeleteStuckPods { .. }
            | Self::AbortRollout
            | Self::UndoRollout { .. }
            | Self::PromoteFull { .. } => false,
        }
    }
}

impl StepResult {
    /// It ended, and surely without a write.
    pub fn wrote_nothing(&self) -> bool {
        match self {
            Self::Fenced { .. } | Self::Refused { .. } => true,
            Self::Done
            | Self::Kept { .. }
            | Self::Called { .. }
            | Self::AlreadyDone
            | Self::Failed { .. } => false,
        }
    }
}

impl StepCommand {
    /// The step as one of a rollback.
    pub fn rollback(&self) -> Option<&RollbackStep> {
        match &self.action {
            Action::Rollback(rollback) => Some(rollback),
            Action::Scale(_)
            | Action::Change(_)
            | Action::Evidence(_)
            | Action::Apply(_)
            | Action::Pause(_)
            | Action::Webhook(_)
            | Action::Sync(_) => None,
        }
    }

    /// What must be true of the target when it is carried out; a scaling has its own.
    pub fn fence(&self) -> Option<&Fence> {
        match &self.action {
            Action::Rollback(rollback) => Some(&rollback.fence),
            Action::Pause(pause) => Some(&pause.fence),
            Action::Sync(sync) => Some(&sync.fence),
            Action::Scale(_)
            | Action::Change(_)
            | Action::Evidence(_)
            | Action::Apply(_)
            | Action::Webhook(_) => None,
        }
    }

    /// The object that is written to, for people.
    pub fn object(&self) -> String {
        match &self.action {
            Action::Rollback(rollback) => rollback.fence.target.to_string(),
            Action::Scale(change) => change.written(),
            Action::Change(change) => change.object.to_string(),
            Action::Pause(pause) => pause.fence.target.to_string(),
            Action::Evidence(evidence) => evidence.place(),
            Action::Apply(apply) => apply.applied.to_string(),
            Action::Sync(sync) => git_sync::object_ref(&sync.owner).to_string(),
            Action::Webhook(call) => call.called.to_string(),
        }
    }
}

impl RollbackStep {
    /// Holds the step of `plan` against the object as it was read just before the write.
    ///
    /// What shows that this very step was carried out comes first: a step that is repeated after a crash finds the
    /// object changed by itself. Waiting steps are no writes and are always `AlreadyDone` here: the engine waits, not
    /// the executor.
    pub fn admit(&self, plan: &PlanId, fresh: &TargetState) -> Admission {
        let Fence {
            target,
            uid,
            judged,
            number: _,
        } = &self.fence;
        if self.step.waits() {
            return Admission::AlreadyDone;
        }
        if fresh.id != *target {
            return fenced(format!("{} was read in place of {target}", fresh.id));
        }
        if fresh.uid != *uid {
            return fenced(format!("{target} was deleted and created again"));
        }
        if self.shows_on(plan, fresh) {
            return Admission::AlreadyDone;
        }
        if let Some(place) = &fresh.kill_switch {
            return fenced(format!(
                "the kill switch is on: annotation `recant.dev/kill-switch` of {place}"
            ));
        }
        if fresh.paused_by_somebody() {
            return fenced(format!("{target} was paused by somebody else"));
        }
        let Some(current) = &fresh.current else {
            return Admission::NotYet {
                reason: format!("the controller has not seen the latest spec of {target} yet"),
            };
        };
        match &self.step {
            Step::AwaitCurrent { .. } | Step::AwaitStuck | Step::AwaitRestored => {
                Admission::AlreadyDone
            }
            Step::UndoDeployment { to } => match target.kind {
                TargetKind::Deployment => self.admit_undo(current, to),
                TargetKind::Rollout | TargetKind::StatefulSet | TargetKind::DaemonSet => {
                    fenced(format!("{target} is no Deployment"))
                }
            },
            Step::UndoRollout { to } => match target.kind {
                TargetKind::Rollout => self.admit_undo(current, to),
                TargetKind::Deployment | TargetKind::StatefulSet | TargetKind::DaemonSet => {
                    fenced(format!("{target} is no Rollout"))
                }
            },
            Step::ApplyRevision { to } => match target.kind {
                TargetKind::StatefulSet | TargetKind::DaemonSet => self.admit_undo(current, to),
                TargetKind::Deployment | TargetKind::Rollout => {
                    fenced(format!("{target} has no ControllerRevisions"))
                }
            },
            Step::DeleteStuckPods { to } => match target.kind {
                TargetKind::StatefulSet | TargetKind::DaemonSet if current == to => {
                    Admission::Write
                }
                TargetKind::StatefulSet | TargetKind::DaemonSet => fenced(format!(
                    "{target} is at revision {current}, no longer at {to}, to which it was taken back"
                )),
                TargetKind::Deployment | TargetKind::Rollout => fenced(format!(
                    "the controller of {target} replaces unready pods by itself"
                )),
            },
            Step::AbortRollout => match &fresh.rollout {
                None => fenced(format!("{target} is no Rollout")),
                Some(_) if current != judged => self.moved_on(current),
                // An abort leaves no mark of ours: whether it was carried out before, and a person shipped the same
                // revision again since, shows by its number only.
                Some(_) if self.shipped_again(fresh) => fenced(format!(
                    "revision {judged} of {target} was shipped again since it was judged"
                )),
                // The controller drops an abort then, and an undo is another plan.
                Some(rollout) if rollout.stable.as_ref() == Some(judged) => fenced(format!(
                    "revision {judged} of {target} has been promoted since it was judged"
                )),
                // The controller ignores an abort after promoteFull (argo-rollouts#4461).
                Some(rollout) if rollout.promote_full => fenced(format!(
                    "revision {judged} of {target} is being promoted in full by somebody else"
                )),
                Some(rollout) if rollout.stable.is_none() => fenced(format!(
                    "{target} has no stable revision that an abort could go back to"
                )),
                Some(_) => Admission::Write,
            },
            Step::PromoteFull { of } => match &fresh.rollout {
                None => fenced(format!("{target} is no Rollout")),
                Some(_) if current != of => fenced(format!(
                    "{target} is at revision {current}, no longer at {of}"
                )),
                // A change of the template takes an abort away, so this one came after our undo.
                Some(rollout) if rollout.aborted => fenced(format!(
                    "the way back of {target} to revision {of} was aborted by somebody else"
                )),
                Some(_) => Admission::Write,
            },
        }
    }

    /// Whether the object shows that this step needs no write any more.
    fn shows_on(&self, plan: &PlanId, fresh: &TargetState) -> bool {
        match &self.step {
            Step::AwaitCurrent { .. } | Step::AwaitStuck | Step::AwaitRestored => true,
            Step::UndoDeployment { .. } | Step::UndoRollout { .. } | Step::ApplyRevision { .. } => {
                fresh.last_plan.as_ref() == Some(plan)
            }
            // The pods say it, and they are looked at anew each time.
            Step::DeleteStuckPods { .. } => false,
            Step::AbortRollout => {
                fresh.current.as_ref() == Some(&self.fence.judged)
                    && fresh
                        .rollout
                        .as_ref()
                        .is_some_and(|rollout| rollout.aborted)
            }
            Step::PromoteFull { of } => {
                fresh.current.as_ref() == Some(of)
                    && fresh.rollout.as_ref().is_some_and(|rollout| {
                        rollout.promote_full || rollout.stable.as_ref() == Some(of)
                    })
            }
        }
    }

    fn shipped_again(&self, fresh: &TargetState) -> bool {
        let mut revisions = fresh.revisions.iter();
        let judged = revisions.find(|revision| revision.hash == self.fence.judged);
        judged.is_some_and(|judged| self.fence.number.is_some_and(|then| judged.number > then))
    }

    fn admit_undo(&self, current: &RevisionHash, to: &RevisionHash) -> Admission {
        let Fence { target, judged, .. } = &self.fence;
        if to == judged {
            return fenced(format!(
                "revision {to} of {target} is the one that was judged"
            ));
        }
        if current == to {
            return fenced(format!(
                "{target} is at revision {to} already: somebody else took {judged} back"
            ));
        }
        if current != judged {
            return self.moved_on(current);
        }
        Admission::Write
    }

    fn moved_on(&self, current: &RevisionHash) -> Admission {
        let Fence { target, judged, .. } = &self.fence;
        fenced(format!(
            "{target} is at revision {current}, no longer at {judged}, which was judged"
        ))
    }
}

impl ScaleChange {
    /// Holds the change of `plan` against what was read just before the write; `None`: the workload does not exist.
    ///
    /// As with a rollback, what shows that it was carried out comes first.
    pub fn admit(&self, plan: &PlanId, fresh: Option<&ScaleState>) -> Admission {
        let target = &self.target;
        let Some(fresh) = fresh else {
            return fenced(format!("{target} does not exist any more"));
        };
        if fresh.uid != self.uid {
            return fenced(format!("{target} was deleted and created again"));
        }
        let Some(now) = self.seen_on(fresh) else {
            return fenced(format!(
                "{} does not exist any more, or was created again",
                self.written()
            ));
        };
        if now.last_scaling == Some(plan) {
            return Admission::AlreadyDone;
        }
        if let Some(place) = &fresh.kill_switch {
            return fenced(format!(
                "the kill switch is on: annotation `recant.dev/kill-switch` of {place}"
            ));
        }
        if fresh.paused {
            return fenced(format!("{target} was paused by somebody else"));
        }
        if let ScaleObject::PausedScaledObject { name, uid, lift } = &self.object {
            return self.admit_pause(fresh.scaled_object(name, uid), *lift);
        }
        // At no replicas an autoscaler rests.
        let rests = self.from == 0 || self.to == 0;
        match (&self.object, fresh.autoscalers.as_slice()) {
            (ScaleObject::Workload, _) if rests => {}
            (ScaleObject::Workload, [autoscaler, ..]) => {
                return fenced(format!(
                    "HorizontalPodAutoscaler `{}` scales {target} now",
                    autoscaler.name
                ));
            }
            (ScaleObject::Workload, [])
            | (
                ScaleObject::Autoscaler { .. }
                | ScaleObject::ScaledObject { .. }
                | ScaleObject::PausedScaledObject { .. },
                _,
            ) => {}
        }
        if now.replicas != self.from {
            return fenced(format!(
                "{} is set to {} replicas, no longer to {}: somebody else changed it meanwhile",
                self.written(),
                now.replicas,
                self.from
            ));
        }
        Admission::Write
    }
}

impl ScaleChange {
    /// Replicas come and go while KEDA scales: only its pause counts.
    fn admit_pause(&self, found: Option<&ScaledObject>, lift: bool) -> Admission {
        let written = self.written();
        match found {
            None => fenced(format!("{written} does not exist any more")),
            Some(found) if lift && found.paused_at != Some(self.from) => fenced(format!(
                "{written} is no longer paused at {}: somebody else changed it meanwhile",
                self.from
            )),
            Some(found) if !lift && found.paused => {
                fenced(format!("{written} was paused by somebody else meanwhile"))
            }
            Some(_) => Admission::Write,
        }
    }
}

fn fenced(reason: String) -> Admission {
    Admission::Fenced { reason }
}

#[cfg(test)]
mod tests;
