//! Scalings: each is written at most once, as it was decided, and never with the kill switch on.

use recant_core::plan::StepCommand;
use recant_core::scaling::{ScaleChange, ScaleObject};

use super::{Broken, Oracle, broken};
use crate::workload::Workload;

impl Oracle {
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
        if object.paused {
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
            (ScaleObject::Autoscaler { .. }, None) | (ScaleObject::ScaledObject { .. }, _) => {
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
