//! Releases that wait for their evidence: paused once, never over a person's pause, never let go on when they are bad,
//! and never left paused.

use recant_core::notice::{Notice, NoticeKind};
use recant_core::pause::{Pause, PauseNews};
use recant_core::plan::{PauseStep, PauseWrite, StepCommand};

use super::{Broken, Oracle, broken};
use crate::workload::Workload;

impl Oracle {
    /// News of a pause.
    pub(super) fn pause_news(&self, news: &PauseNews, deciding: bool) -> Result<(), Broken> {
        match news {
            PauseNews::Began { pause } => {
                if !deciding {
                    return broken("P6", format!("{} was decided without the Lease", pause.id));
                }
                if self.pauses.contains_key(&pause.id) {
                    return broken("P4", format!("{} is the second of one release", pause.id));
                }
                Ok(())
            }
            PauseNews::Found { .. }
            | PauseNews::Reached(_)
            | PauseNews::Resuming { .. }
            | PauseNews::Stuck { .. }
            | PauseNews::Ended { .. } => Ok(()),
        }
    }

    /// A step of a pause arrives at a workload, which is as it is before that.
    pub(super) fn pauses(
        &self,
        command: &StepCommand,
        step: &PauseStep,
        object: &Workload,
    ) -> Result<(), Broken> {
        let plan = &command.plan;
        let Some(known) = self.pauses.get(plan) else {
            return broken("P3", format!("{plan} was written before it was durable"));
        };
        if object.uid != known.fence.uid {
            return broken(
                "P6",
                format!("{plan} was written to another object of the same name"),
            );
        }
        if object.kill_switch || self.kill_switch || self.dry_run {
            return broken(
                "P13",
                format!("{plan} was written with the kill switch on, or in a dry run"),
            );
        }
        let judged = &step.fence.judged;
        match &step.write {
            PauseWrite::Pause { .. } if object.paused => broken(
                "P6",
                format!("{plan} was written to what was paused already"),
            ),
            PauseWrite::Pause { .. } if object.current != *judged => broken(
                "P6",
                format!("{plan} paused {}, not {judged}", object.current),
            ),
            PauseWrite::Pause { .. } => Ok(()),
            PauseWrite::Resume if !object.paused_by_recant() => {
                broken("P6", format!("{plan} resumed what it had not paused"))
            }
            PauseWrite::Resume => {
                let version = (object.id.clone(), object.uid.clone(), judged.clone());
                let failed = self.failed.contains(&version) && object.current == *judged;
                if failed {
                    return broken("pause", format!("{plan} let {judged} go on, which failed"));
                }
                Ok(())
            }
        }
    }

    /// Whether it is about a pause that was found on its object: no analysis is known that it could name.
    pub(super) fn is_of_found_pause(&self, notice: &Notice) -> bool {
        let about = matches!(
            notice.kind,
            NoticeKind::Paused | NoticeKind::PauseEnded | NoticeKind::LeftPaused
        );
        let found = |pause: &Pause| {
            pause.analysis.is_none() && Some(&pause.fence.target) == notice.target.as_ref()
        };
        about && self.pauses.values().any(found)
    }

    /// Whether it is paused by Recant, and neither bad nor stopped: then it has to go on, by its deadline at the latest.
    pub(crate) fn has_to_go_on(&self, workload: &Workload) -> bool {
        let judged = &workload.current;
        let version = (workload.id.clone(), workload.uid.clone(), judged.clone());
        workload.paused_by_recant() && !workload.kill_switch && !self.failed.contains(&version)
    }
}
