//! What is seen outside of the agent: attempts, writes, messages, and what the sources answered.

use recant_core::ids::{ChannelName, PlanId, RevisionHash, TargetId, TargetKind};
use recant_core::notice::Notice;
use recant_core::plan::{Action, Step, StepCommand};
use std::collections::BTreeMap;

use super::{Broken, Oracle, broken};
use crate::workload::{SimPod, Workload};

impl Oracle {
    /// The executor begins an attempt: the step is in the journal (P3), and the process holds the Lease (P6).
    pub(crate) fn attempts(&self, command: &StepCommand, held: bool) -> Result<(), Broken> {
        let plan = &command.plan;
        let begun = self.begun.get(&(plan.clone(), command.index));
        if !begun.is_some_and(|begun| begun.contains(command)) {
            return broken(
                "P3",
                format!(
                    "step {} of {plan} was tried before it was durable",
                    command.index
                ),
            );
        }
        if !held {
            return broken(
                "P6",
                format!(
                    "step {} of {plan} was tried without the Lease",
                    command.index
                ),
            );
        }
        Ok(())
    }

    /// A write arrives at an object, which is as it is before that.
    pub(crate) fn writes(
        &mut self,
        command: &StepCommand,
        object: &Workload,
        now: i64,
    ) -> Result<(), Broken> {
        let key = (command.plan.clone(), command.index);
        let writes = self.writes.entry(key).or_default();
        writes.push(now);
        let times = writes.len();
        let plan = &command.plan;
        if times > 1 {
            return broken(
                "P4",
                format!("step {} of {plan} was written {times} times", command.index),
            );
        }
        let rollback = match &command.action {
            Action::Rollback(rollback) => rollback,
            Action::Scale(change) => return self.scales(command, change, object),
            Action::Pause(step) => return self.pauses(command, step, object),
            Action::Change(_)
            | Action::Sync(_)
            | Action::Evidence(_)
            | Action::Webhook(_)
            | Action::Apply(_) => {
                return Ok(());
            }
        };
        let fence = &rollback.fence;
        let Some(known) = self.plans.get(plan) else {
            return broken("P3", format!("{plan} was written before it was durable"));
        };
        if known.fence != *fence || known.steps.get(command.index) != Some(&rollback.step) {
            return broken(
                "P4",
                format!("what was written is not step {} of {plan}", command.index),
            );
        }
        if object.uid != fence.uid {
            return broken(
                "P6",
                format!("{plan} was written to another object of the same name"),
            );
        }
        if object.kill_switch {
            return broken("P13", format!("{plan} was written with the kill switch on"));
        }
        if object.paused && !object.paused_by_recant() {
            return broken(
                "P6",
                format!("{plan} was written to what somebody had paused"),
            );
        }
        let expected = match &rollback.step {
            Step::UndoDeployment { .. }
            | Step::UndoRollout { .. }
            | Step::ApplyRevision { .. }
            | Step::AbortRollout => &fence.judged,
            Step::PromoteFull { of } => of,
            Step::DeleteStuckPods { to } => to,
            Step::AwaitCurrent { .. } | Step::AwaitStuck | Step::AwaitRestored => {
                return broken("P4", format!("a waiting step of {plan} was written"));
            }
        };
        if object.current != *expected {
            return broken(
                "P6",
                format!(
                    "{plan} was written at {}, not at {expected}",
                    object.current
                ),
            );
        }
        match &rollback.step {
            Step::UndoDeployment { to } | Step::UndoRollout { to } | Step::ApplyRevision { to } => {
                let version = (object.id.clone(), object.uid.clone(), to.clone());
                if self.failed.contains(&version) {
                    return broken("P12", format!("{plan} went back to {to}, which failed"));
                }
                if !object.has(to) {
                    return broken("P12", format!("{plan} went back to {to}, which is gone"));
                }
            }
            Step::AbortRollout => {
                if object.id.kind != TargetKind::Rollout || object.stable == fence.judged {
                    return broken("P4", format!("{plan} aborted what cannot be aborted"));
                }
            }
            Step::PromoteFull { .. }
            | Step::DeleteStuckPods { .. }
            | Step::AwaitCurrent { .. }
            | Step::AwaitStuck
            | Step::AwaitRestored => {}
        }
        Ok(())
    }

    /// A step says that it was done, and nobody saw it written: then the object must have been so already.
    pub(super) fn done_without_write(
        &self,
        key: &(PlanId, usize),
        workloads: &BTreeMap<TargetId, Workload>,
    ) -> Result<(), Broken> {
        // A person may have resumed it before.
        if key.1 == 1 && self.pauses.contains_key(&key.0) {
            return Ok(());
        }
        let Some(plan) = self.plans.get(&key.0) else {
            return broken(
                "P3",
                format!("{} is told as done, and nobody wrote it", key.0),
            );
        };
        let workload = workloads.get(&plan.fence.target);
        let so = match (plan.steps.get(key.1), workload) {
            (Some(Step::AbortRollout), Some(object)) => object.aborted || object.touched > 0,
            (Some(Step::PromoteFull { of }), Some(object)) => {
                object.promote_full || object.stable == *of || object.touched > 0
            }
            (Some(Step::UndoDeployment { .. } | Step::UndoRollout { .. }), _) => false,
            _ => true,
        };
        if so {
            return Ok(());
        }
        broken(
            "P4",
            format!(
                "step {} of {} is told as done, and nobody wrote it",
                key.1, key.0
            ),
        )
    }

    /// A message arrives. `repeat`: it may be one, and says so; `sure`: its sender holds the Lease.
    pub(crate) fn told(
        &mut self,
        notice: &Notice,
        channel: &ChannelName,
        repeat: bool,
        sure: bool,
    ) -> Result<(), Broken> {
        let key = (notice.id.clone(), channel.clone());
        let before = self.arrived.get(&key).copied().unwrap_or(0);
        self.arrived.insert(key.clone(), before + 1);
        let id = &notice.id;
        let Some(durable) = self.noticed.get(id) else {
            return broken("P3", format!("{id} was told before it was durable"));
        };
        if durable.headline != notice.headline {
            return broken(
                "P9",
                format!(
                    "{id} was told as {:?}, and decided as {:?}",
                    notice.headline, durable.headline
                ),
            );
        }
        if before > 0 && !repeat {
            return broken(
                "P4",
                format!("{id} was told again to {channel}, and not as a repeat"),
            );
        }
        if sure && self.ended_notices.contains(&key) {
            return broken(
                "P4",
                format!("{id} was told to {channel} after that was written down"),
            );
        }
        Ok(())
    }

    /// An answer about a target leaves the source, with the pods as they were at that time.
    pub(crate) fn measured<'a>(
        &mut self,
        target: &TargetId,
        sampled: i64,
        pods: impl Iterator<Item = &'a SimPod>,
    ) {
        let last = self.measured.entry(target.clone()).or_insert(sampled);
        *last = sampled.max(*last);
        let mut sums: BTreeMap<&RevisionHash, (f64, f64)> = BTreeMap::new();
        for pod in pods {
            let sum = sums.entry(&pod.hash).or_default();
            *sum = (sum.0 + pod.total, sum.1 + pod.bad);
        }
        for (hash, sum) in sums {
            let key: (TargetId, RevisionHash) = (target.clone(), hash.clone());
            let counted = self.counted.entry(key).or_default();
            *counted = (counted.0.max(sum.0), counted.1.max(sum.1));
        }
    }
}
