//! Scalings: each is written at most once, as it was decided, and never with the kill switch on.

use jiff::Timestamp;
use recant_core::incident::{Incident, ScalingPlan};
use recant_core::plan::StepCommand;
use recant_core::scaling::{ScaleChange, ScaleObject};

use super::{Broken, Oracle, broken};
use crate::workload::Workload;

impl Oracle {
    /// A rule between releases is broken: only what was busy can be the reason.
    pub(super) fn incident_begins(
        &self,
        incident: &Incident,
        workload: Option<&Workload>,
    ) -> Result<(), Broken> {
        let (id, target) = (&incident.id, &incident.target);
        if self.incidents.contains(id.as_str()) {
            return broken("P4", format!("incident {id} begins twice"));
        }
        if workload.is_none_or(|workload| workload.busy_until == 0) {
            return broken(
                "false action",
                format!("{target} was never busy, and incident {id} begins"),
            );
        }
        if !self.measured.contains_key(target) {
            return broken("P7", format!("incident {id} begins without an answer"));
        }
        Ok(())
    }

    /// A scaling is decided.
    pub(super) fn scaling_begins(
        &self,
        at: Timestamp,
        plan: &ScalingPlan,
        deciding: bool,
    ) -> Result<(), Broken> {
        let id = &plan.id;
        if !deciding {
            return broken("P6", format!("{id} was decided without the Lease"));
        }
        if self.kill_switch || self.dry_run {
            return broken(
                "P13",
                format!("{id} was decided with the kill switch on, or in a dry run"),
            );
        }
        if !self.incidents.contains(plan.incident.as_str()) {
            return broken("P9", format!("{id} belongs to no incident"));
        }
        let same = |known: &ScalingPlan| known.incident == plan.incident && known.undo == plan.undo;
        if self.scalings.values().any(same) {
            return broken("P4", format!("{id} is the second scaling of one incident"));
        }
        if plan.undo {
            // What was set is taken back, whatever happened meanwhile.
            return Ok(());
        }
        self.not_held(at, id.as_str(), &plan.target)?;
        self.not_frozen(at, id.as_str(), &plan.target)?;
        self.one_more_action(at, id)
    }

    /// A scaling arrives at a workload, which is as it is before that. That it is the first write was looked at.
    pub(super) fn scales(
        &self,
        command: &StepCommand,
        change: &ScaleChange,
        object: &Workload,
    ) -> Result<(), Broken> {
        let plan = &command.plan;
        let Some(known) = self.scalings.get(plan) else {
            return broken("P3", format!("{plan} was written before it was durable"));
        };
        if known.change != *change {
            return broken("P4", format!("what was written is not what {plan} decided"));
        }
        if object.uid != change.uid {
            return broken(
                "P6",
                format!("{plan} was written to another object of the same name"),
            );
        }
        if object.kill_switch || self.kill_switch {
            return broken("P13", format!("{plan} was written with the kill switch on"));
        }
        if self.dry_run {
            return broken("P13", format!("{plan} was written in a dry run"));
        }
        if object.paused && !object.paused_by_recant() {
            return broken(
                "P6",
                format!("{plan} was written to what somebody had paused"),
            );
        }
        let autoscaler = &object.scaling.autoscaler;
        let now = match (&change.object, autoscaler) {
            (ScaleObject::Workload, None) => object.scaling.replicas,
            (ScaleObject::Autoscaler { .. }, Some(autoscaler)) => autoscaler.min,
            (ScaleObject::Workload, Some(_)) => {
                return broken("P6", format!("{plan} fights an autoscaler"));
            }
            (ScaleObject::Autoscaler { .. }, None)
            | (ScaleObject::ScaledObject { .. } | ScaleObject::PausedScaledObject { .. }, _) => {
                return broken("P6", format!("{plan} writes to an autoscaler that is gone"));
            }
        };
        if now != change.from {
            return broken(
                "P6",
                format!("{plan} was written at {now}, not at {}", change.from),
            );
        }
        if change.to < change.from && !known.undo {
            return broken("P4", format!("{plan} lowers"));
        }
        Ok(())
    }
}
