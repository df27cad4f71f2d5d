//! The workloads that rules scale, as a test has them: one replica of each, ready at once, with no autoscaler and no
//! disruption budget. What `recant test` shows is that a rule scales, and to what; not how a cluster takes it.

use std::collections::BTreeMap;

use recant_core::engine::ScaleAnswer;
use recant_core::ids::PlanId;
use recant_core::plan::{Admission, StepResult};
use recant_core::rule::ScaleTarget;
use recant_core::scaling::{ScaleChange, ScaleState};

/// All workloads that were ever looked at.
#[derive(Debug, Default)]
pub(super) struct Scaled(BTreeMap<ScaleTarget, ScaleState>);

impl Scaled {
    pub(super) fn look(&mut self, target: ScaleTarget) -> ScaleAnswer {
        let state = self.of(&target).clone();
        ScaleAnswer {
            target,
            state: Ok(Some(state)),
        }
    }

    /// Carries a change out; what it is held against is the same as in a cluster.
    pub(super) fn carry_out(&mut self, change: &ScaleChange, plan: &PlanId) -> StepResult {
        let state = self.of(&change.target);
        match change.admit(plan, Some(state)) {
            Admission::AlreadyDone => StepResult::AlreadyDone,
            Admission::NotYet { reason } | Admission::Fenced { reason } => {
                StepResult::Fenced { reason }
            }
            Admission::Write => {
                state.replicas = change.to;
                state.ready = change.to;
                state.last_scaling = Some(plan.clone());
                StepResult::Done
            }
        }
    }

    fn of(&mut self, target: &ScaleTarget) -> &mut ScaleState {
        self.0.entry(target.clone()).or_insert_with(|| ScaleState {
            uid: target.name.clone(),
            replicas: 1,
            ready: 1,
            paused: false,
            kill_switch: None,
            last_scaling: None,
            labels: std::collections::BTreeMap::new(),
            autoscalers: Vec::new(),
            budgets: Vec::new(),
        })
    }
}
