//! What the executor and the API server do to a workload.

use super::Target;
use crate::git_sync::{self, SyncEdit};
use crate::ids::PlanId;
use crate::plan::{
    Admission, PauseStep, PauseWrite, RollbackStep, Step, StepResult, SyncStep, SyncSwitch,
};
use crate::target::OwnPause;

impl Target {
    /// Carries a step out, as the executor and the API server would; `None`: not yet.
    pub(in crate::engine::tests) fn carry_out(
        &mut self,
        plan: &PlanId,
        rollback: &RollbackStep,
        now: i64,
    ) -> Option<StepResult> {
        if !self.exists {
            return Some(StepResult::Refused {
                reason: "the object does not exist".to_owned(),
            });
        }
        match rollback.admit(plan, &self.state(now)) {
            Admission::AlreadyDone => return Some(StepResult::AlreadyDone),
            Admission::NotYet { .. } => return None,
            Admission::Fenced { reason } => return Some(StepResult::Fenced { reason }),
            Admission::Write => {}
        }
        self.writes.push((now, rollback.step.clone()));
        match &rollback.step {
            Step::UndoDeployment { to } | Step::UndoRollout { to } | Step::ApplyRevision { to } => {
                self.ship(to.as_str(), now);
                self.resume();
                self.shipped_by = self.shipped_by.take().map(|_| "recant".to_owned());
                self.last_plan = Some(plan.clone());
            }
            Step::AbortRollout => {
                self.aborted = true;
                self.changed = now;
            }
            Step::PromoteFull { .. } => self.promote(now),
            // The controller of this target replaces unready pods by itself.
            Step::DeleteStuckPods { .. }
            | Step::AwaitCurrent { .. }
            | Step::AwaitStuck
            | Step::AwaitRestored => {}
        }
        Some(StepResult::Done)
    }

    /// Carries a step of a pause out; `None`: not yet.
    pub(in crate::engine::tests) fn pause(
        &mut self,
        plan: &PlanId,
        step: &PauseStep,
        now: i64,
    ) -> Option<StepResult> {
        match step.admit(plan, &self.state(now)) {
            Admission::AlreadyDone => return Some(StepResult::AlreadyDone),
            Admission::NotYet { .. } => return None,
            Admission::Fenced { reason } => return Some(StepResult::Fenced { reason }),
            Admission::Write => {}
        }
        self.pauses.push((now, step.write.clone()));
        match step.write {
            PauseWrite::Pause { until } => {
                self.pause = Some(OwnPause {
                    plan: plan.clone(),
                    until: Some(until),
                    holds: true,
                    changed: false,
                });
            }
            PauseWrite::Resume => self.resume(),
        }
        Some(StepResult::Done)
    }

    /// Switches the self-heal of its owner, as the executor and the API server would; `None`: not yet.
    pub(in crate::engine::tests) fn sync(
        &mut self,
        plan: &PlanId,
        step: &SyncStep,
        now: i64,
    ) -> Option<StepResult> {
        match step.admit(Some(&self.state(now))) {
            Admission::AlreadyDone => return Some(StepResult::AlreadyDone),
            Admission::NotYet { .. } => return None,
            Admission::Fenced { reason } => return Some(StepResult::Fenced { reason }),
            Admission::Write => {}
        }
        let mut object = serde_json::json!({
            "metadata": {"resourceVersion": "1", "annotations": {}},
            "spec": {"syncPolicy": {"automated": {"selfHeal": self.self_heal}}},
        });
        if let Some(mark) = &self.sync_mark {
            object["metadata"]["annotations"][git_sync::SUSPENDED_ANNOTATION] =
                mark.as_str().into();
        }
        let sync = match step.switch {
            SyncSwitch::Suspend => git_sync::suspend(step.owner.kind, plan, &object),
            SyncSwitch::Resume => git_sync::resume(step.owner.kind, Some(plan), &object),
        };
        Some(match sync {
            SyncEdit::Nothing => StepResult::AlreadyDone,
            SyncEdit::Done => StepResult::Done,
            SyncEdit::Refused { reason } => StepResult::Refused { reason },
            SyncEdit::Write(_) => {
                self.syncs.push((now, step.switch));
                self.self_heal = step.switch == SyncSwitch::Resume;
                self.sync_mark = (step.switch == SyncSwitch::Suspend).then(|| plan.clone());
                StepResult::Done
            }
        })
    }

    /// Goes on, whoever wants that.
    pub(in crate::engine::tests) fn resume(&mut self) {
        self.paused = false;
        if let Some(pause) = &mut self.pause {
            pause.holds = false;
            pause.until = None;
        }
    }

    /// The same by a person: the rolling update begins again from where it is.
    pub(in crate::engine::tests) fn resume_by_hand(&mut self, now: i64) {
        self.resume();
        self.changed = now;
    }
}
