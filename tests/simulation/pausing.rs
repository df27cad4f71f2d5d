//! The pause of a simulated Deployment, and whose it is. A change of the template while it is paused waits for its end.

use recant_core::ids::PlanId;
use recant_core::plan::PauseWrite;
use recant_core::target::OwnPause;

use crate::workload::Workload;

impl Workload {
    /// Writes a step of a pause that was admitted.
    pub(crate) fn carry_out_pause(&mut self, plan: &PlanId, write: &PauseWrite) {
        match write {
            PauseWrite::Pause { until } => {
                self.paused = true;
                self.paused_at = Some(self.current.clone());
                self.own_pause = Some(OwnPause {
                    plan: plan.clone(),
                    until: Some(*until),
                    holds: true,
                    changed: false,
                });
            }
            PauseWrite::Resume => self.go_on(),
        }
        self.written();
    }

    /// It is paused no more, whoever wants that; the mark of the plan stays.
    pub(crate) fn go_on(&mut self) {
        self.paused = false;
        if let Some(own) = &mut self.own_pause {
            own.holds = false;
            own.until = None;
            own.changed = false;
        }
    }

    /// Whether Recant has paused it.
    pub(crate) fn paused_by_recant(&self) -> bool {
        self.paused && self.own_pause.as_ref().is_some_and(|own| own.holds)
    }

    /// Whether what is wanted of it is not begun before its pause ends.
    pub(crate) fn waits_for_resume(&self) -> bool {
        self.paused && self.own_pause.as_ref().is_some_and(|own| own.changed)
    }
}
