//! What the agent decides, as its records say it: analyses, verdicts, plans, steps and notices.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use recant_core::analysis::Analysis;
use recant_core::ids::{AnalysisId, PlanId, RevisionHash, TargetId};
use recant_core::judge::WINDOW;
use recant_core::notice::{Notice, NoticeKind};
use recant_core::plan::{StepCommand, StepResult};
use recant_core::record::Record;
use recant_core::saga::Plan;

use super::{Broken, Oracle, broken};
use crate::workload::Workload;

impl Oracle {
    pub(super) fn analysis_begins(&self, analysis: &Analysis) -> Result<(), Broken> {
        let (id, canary) = (&analysis.id, &analysis.canary);
        let version = (
            analysis.target.clone(),
            analysis.uid.clone(),
            canary.clone(),
        );
        if self.failed.contains(&version) {
            return broken("P12", format!("{id} judges {canary} again, which failed"));
        }
        if self.returned_to.contains(&version) {
            return broken("P12", format!("{id} judges {canary}, a rollback's result"));
        }
        Ok(())
    }

    pub(super) fn plan_begins(
        &self,
        at: Timestamp,
        plan: &Plan,
        workload: Option<&Workload>,
        now: i64,
        deciding: bool,
    ) -> Result<(), Broken> {
        let (id, judged, to) = (&plan.id, &plan.fence.judged, &plan.to.revision);
        let target = &plan.fence.target;
        if !deciding {
            return broken("P6", format!("{id} was decided without the Lease"));
        }
        if self.kill_switch {
            return broken("P13", format!("{id} was decided with the kill switch on"));
        }
        if self.dry_run {
            return broken("P13", format!("{id} was decided in a dry run"));
        }
        let version = |hash: &RevisionHash| (target.clone(), plan.fence.uid.clone(), hash.clone());
        if self.failed.contains(&version(to)) {
            return broken("P12", format!("{id} goes back to {to}, which failed"));
        }
        if to == judged {
            return broken("P12", format!("{id} goes back to what it takes back"));
        }
        let Some(workload) = workload else {
            return broken("P4", format!("{id} is about nothing that is there"));
        };
        if let Some(by) = &plan.by {
            return self.plan_was_ordered(at, plan, by);
        }
        let same = |known: &Plan| known.analysis == plan.analysis;
        if self.plans.values().any(same) {
            return broken("P4", format!("{id} is the second rollback of one analysis"));
        }
        if !self.failed_findings.contains(&plan.analysis) {
            return broken("P9", format!("{id} began without a finding that fails"));
        }
        if self.returned_to.contains(&version(judged)) {
            return broken(
                "P12",
                format!("{id} takes back {judged}, a rollback's result"),
            );
        }
        self.one_more_action(at, id)?;
        self.cooled_down(at, plan)?;
        self.not_held(at, id.as_str(), target)?;
        self.not_frozen(at, id.as_str(), target)?;
        if !workload.bad.contains(judged) {
            return broken(
                "false action",
                format!("{id} takes back {judged}, which is good"),
            );
        }
        self.sighted("P7", &format!("{id} was decided"), target, now)?;
        let counted = self.counted.get(&(target.clone(), judged.clone()));
        if counted.is_none_or(|(total, bad)| *total < 20.0 || *bad <= 0.0) {
            return broken(
                "P7",
                format!("{id} was decided although {judged} was not measured"),
            );
        }
        Ok(())
    }

    /// There were not too many actions within the hour before.
    pub(super) fn one_more_action(&self, at: Timestamp, id: &PlanId) -> Result<(), Broken> {
        let hour = SignedDuration::from_hours(1);
        let recent = |record: &&(Timestamp, Record)| {
            let acts = matches!(
                record.1,
                Record::PlanBegan { .. } | Record::ScalingBegan { .. }
            );
            acts && at.duration_since(record.0) < hour
        };
        if self.records.iter().filter(recent).count() >= self.actions_per_hour {
            return broken("P11", format!("{id} is one action too many within an hour"));
        }
        Ok(())
    }

    /// Something was decided: there must have been an answer of the source not long ago.
    fn sighted(
        &self,
        promise: &'static str,
        what: &str,
        target: &TargetId,
        now: i64,
    ) -> Result<(), Broken> {
        // A clock that leaps forwards makes data older than they are, one that leaps back makes them younger.
        let patience = WINDOW.as_secs() + 3 + self.leapt;
        let measured = self.measured.get(target);
        if measured.is_none_or(|last| now - last > patience) {
            let since = measured.map_or("ever".to_owned(), |last| format!("for {} s", now - last));
            return broken(promise, format!("{what} without an answer {since}"));
        }
        Ok(())
    }

    pub(super) fn passes(
        &self,
        target: &TargetId,
        revision: &RevisionHash,
        workload: Option<&Workload>,
        now: i64,
    ) -> Result<(), Broken> {
        if workload.is_some_and(|workload| workload.bad.contains(revision)) {
            return broken(
                "P7",
                format!("{revision} of {target} passes, and it is bad"),
            );
        }
        let counted = self.counted.get(&(target.clone(), revision.clone()));
        if counted.is_none_or(|(total, _)| *total < 20.0) {
            return broken("P7", format!("{revision} of {target} passes without data"));
        }
        self.sighted("P7", &format!("{revision} of {target} passes"), target, now)
    }

    pub(super) fn fails(
        &self,
        target: &TargetId,
        analysis: &AnalysisId,
        reasons: bool,
        workloads: &BTreeMap<TargetId, Workload>,
        now: i64,
    ) -> Result<(), Broken> {
        if !reasons {
            return broken("P9", format!("{analysis} failed, and no rule did"));
        }
        let canary = self.analyses.get(analysis).map(|analysis| &analysis.canary);
        let Some(canary) = canary else {
            return broken("P9", format!("{analysis} failed before it began"));
        };
        let bad = workloads
            .get(target)
            .is_some_and(|workload| workload.bad.contains(canary));
        if !bad {
            return broken(
                "false action",
                format!("{canary} of {target} fails, and it is good"),
            );
        }
        self.sighted("P7", &format!("{canary} of {target} fails"), target, now)
    }

    pub(super) fn step_begins(&self, command: &StepCommand, deciding: bool) -> Result<(), Broken> {
        if !deciding {
            return broken(
                "P6",
                format!("a step of {} began without the Lease", command.plan),
            );
        }
        let other = self.pauses.contains_key(&command.plan);
        if other || self.scalings.contains_key(&command.plan) {
            return Ok(());
        }
        let Some(plan) = self.plans.get(&command.plan) else {
            return broken("P3", format!("a step of {} began before it", command.plan));
        };
        if self.ends.contains_key(&plan.id) {
            return broken("P4", format!("a step of {} began after its end", plan.id));
        }
        Ok(())
    }

    /// A step that was carried out must not be told as one that was not, unless a person came in between.
    pub(super) fn step_ends(
        &self,
        key: &(PlanId, usize),
        result: &StepResult,
        workloads: &BTreeMap<TargetId, Workload>,
    ) -> Result<(), Broken> {
        let plan = self.plans.get(&key.0);
        let written = self.writes.get(key).and_then(|writes| writes.first());
        let denied = match result {
            StepResult::Done
            | StepResult::Kept { .. }
            | StepResult::Called { .. }
            | StepResult::AlreadyDone => {
                return match written {
                    Some(_) => Ok(()),
                    None => self.done_without_write(key, workloads),
                };
            }
            StepResult::Fenced { reason } | StepResult::Refused { reason } => reason,
            StepResult::Failed { reason } if reason.contains("nothing was written") => reason,
            StepResult::Failed { .. } => return Ok(()),
        };
        let workload = plan.and_then(|plan| workloads.get(&plan.fence.target));
        let untouched = |since: &i64| workload.is_some_and(|workload| workload.touched < *since);
        if written.is_some_and(untouched) {
            return broken(
                "P4",
                format!(
                    "step {} of {} was written, and ends with: {denied}",
                    key.1, key.0
                ),
            );
        }
        Ok(())
    }

    pub(super) fn notice_is_made(&self, notice: &Notice) -> Result<(), Broken> {
        let id = &notice.id;
        if notice.headline.is_empty() || notice.sentences.is_empty() {
            return broken("P9", format!("notice {id} says nothing"));
        }
        match notice.kind {
            NoticeKind::SourceUnavailable
            | NoticeKind::SourceRecovered
            | NoticeKind::Reloaded
            | NoticeKind::ReloadFailed => return Ok(()),
            NoticeKind::Ordered => return self.order_is_told(notice),
            _ => {}
        }
        if notice.target.is_none() {
            return broken("P9", format!("notice {id} names no target"));
        }
        // A rollback that a person ordered may be of no analysis: the order is its reason.
        let known = |id: &AnalysisId| {
            let mut plans = self.plans.values();
            self.analyses.contains_key(id) || plans.any(|plan| plan.analysis == *id)
        };
        let of_incident = notice
            .correlation
            .as_ref()
            .is_some_and(|id| self.incidents.contains(id.as_str()));
        if self.is_of_found_pause(notice) {
            return Ok(());
        }
        if !of_incident && !notice.correlation.as_ref().is_some_and(known) {
            return broken(
                "P9",
                format!("notice {id} ({:?}) belongs to no analysis", notice.kind),
            );
        }
        let evidence = matches!(notice.kind, NoticeKind::RollingBack | NoticeKind::Restored);
        if evidence && notice.facts.is_empty() {
            return broken("P9", format!("notice {id} carries no evidence"));
        }
        Ok(())
    }
}
