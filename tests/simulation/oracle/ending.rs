//! What must hold when everything works again and has had its time: nothing is left half done, nothing is left untold,
//! and a bad release does not serve in silence.

use std::collections::BTreeMap;

use recant_core::ids::TargetId;
use recant_core::ledger::Ledger;
use recant_core::notice::NoticeKind;
use recant_core::saga::PlanEnd;

use super::{Broken, Oracle, broken};
use crate::workload::Workload;

/// Why a ledger is not at rest; `None`: it is.
pub(crate) fn unrest(ledger: &Ledger, workloads: &BTreeMap<TargetId, Workload>) -> Option<String> {
    for (id, workload) in workloads {
        let Some(known) = ledger.targets.get(id) else {
            return Some(format!("{id} was not seen"));
        };
        if known.current != *workload.at_revision() || known.uid != workload.uid {
            return Some(format!(
                "{id} is at {}, not {}",
                workload.at_revision(),
                known.current
            ));
        }
        let under_way = [
            known
                .analysis
                .as_ref()
                .map(|analysis| format!("analysis {}", analysis.id)),
            known
                .plan
                .as_ref()
                .map(|plan| format!("plan {}", plan.plan.id)),
            known
                .verification
                .as_ref()
                .map(|found| format!("verification of {}", found.revision)),
            // What failed and was not taken back stays paused for a person, who was told.
            known
                .pause
                .as_ref()
                .filter(|pause| !(pause.told && known.has_failed(&pause.pause.fence.judged)))
                .map(|pause| format!("pause {}", pause.pause.id)),
        ];
        if let Some(what) = under_way.into_iter().flatten().next() {
            return Some(format!("{what} of {id} is under way"));
        }
    }
    for (id, always) in &ledger.always {
        if let Some(rule) = always.incidents.keys().next() {
            return Some(format!("the incident of {rule} of {id} is open"));
        }
        let mut scaled = always.scaled.values();
        if let Some(scaling) = scaled.find_map(|scaled| scaled.undo.as_ref()) {
            return Some(format!("{} is under way", scaling.plan.id));
        }
    }
    let pending = ledger.pending.keys().next();
    pending.map(|notice| format!("notice {notice} has not been told"))
}

impl Oracle {
    /// At rest: what did the agent leave behind?
    pub(crate) fn at_rest(
        &self,
        workloads: &BTreeMap<TargetId, Workload>,
        calm: bool,
    ) -> Result<(), Broken> {
        if let Some(plan) = self
            .plans
            .keys()
            .find(|plan| !self.ends.contains_key(*plan))
        {
            return broken("liveness", format!("{plan} has no end"));
        }
        self.orders_are_told()?;
        for (id, workload) in workloads {
            self.bad_release_is_told(id, workload)?;
            if calm && !self.kill_switch && !self.dry_run {
                self.bad_release_is_gone(id, workload)?;
            }
        }
        for (plan, end) in &self.ends {
            let analysis = self.plans.get(plan).map(|plan| &plan.analysis);
            let told = |kind| {
                let mut all = self.noticed.values();
                all.any(|notice| notice.correlation.as_ref() == analysis && notice.kind == kind)
            };
            if !told(NoticeKind::RollingBack) {
                return broken("P9", format!("nobody was told that {plan} began"));
            }
            let failed = match end {
                PlanEnd::Done => false,
                PlanEnd::Fenced { .. } | PlanEnd::Stuck { .. } => true,
            };
            if failed && !told(NoticeKind::RollbackFailed) {
                return broken(
                    "P9",
                    format!("{plan} ended with {end:?}, and nobody was told"),
                );
            }
        }
        Ok(())
    }

    /// Whatever held it: a bad revision that serves was told of after it came.
    fn bad_release_is_told(&self, id: &TargetId, workload: &Workload) -> Result<(), Broken> {
        let serving = workload.at_revision();
        let version = (id.clone(), workload.uid.clone(), serving.clone());
        if !workload.bad.contains(serving) || self.first_seen.contains(&version) {
            return Ok(());
        }
        let told = self.noticed.values().any(|notice| {
            let analysis = notice
                .correlation
                .as_ref()
                .and_then(|id| self.analyses.get(id));
            let about = analysis.is_some_and(|analysis| analysis.canary == *serving);
            // It may be where a rollback went to before any revision was known good: then that it did not help is told.
            let remains = notice.kind == NoticeKind::NotRestored
                && notice.headline.contains(&format!("revision {serving}"));
            notice.target.as_ref() == Some(id)
                && (about || remains || notice.kind == NoticeKind::FailedRevisionBack)
                && notice.kind != NoticeKind::Passed
        });
        if told {
            return Ok(());
        }
        broken(
            "liveness",
            format!("bad revision {serving} of {id} serves, and nobody was told"),
        )
    }

    /// Where nobody interfered and no guard could hold it, a bad release was taken back.
    fn bad_release_is_gone(&self, id: &TargetId, workload: &Workload) -> Result<(), Broken> {
        let serving = workload.at_revision();
        let version = (id.clone(), workload.uid.clone(), serving.clone());
        let excused = self.first_seen.contains(&version) || self.unclear.contains(&version);
        if !workload.bad.contains(serving) || excused {
            return Ok(());
        }
        let ended = self.plans.values().find(|plan| plan.fence.target == *id);
        let ended = ended.and_then(|plan| self.ends.get(&plan.id));
        if matches!(ended, Some(PlanEnd::Fenced { .. } | PlanEnd::Stuck { .. })) {
            // That was told; that it had a reason is checked with each step.
            return Ok(());
        }
        broken(
            "liveness",
            format!("bad revision {serving} of {id} serves, and nothing held its rollback"),
        )
    }
}
