//! A workload that is scaled: what the cluster shows of it, and what is written to it.

use std::collections::BTreeMap;

use crate::ids::PlanId;
use crate::plan::{Admission, StepResult};
use crate::rule::{ScaleKind, ScaleTarget};
use crate::scaling::{Autoscaler, ScaleChange, ScaleObject, ScaleState};

/// Somebody else's hand, just before a write.
pub(super) type Meanwhile = fn(&mut ScaleState);

#[derive(Default)]
pub(super) struct Workers {
    /// `None`: there is no such workload.
    pub(super) state: Option<ScaleState>,
    pub(super) writes: Vec<ScaleChange>,
    pub(super) looks: usize,
    /// It cannot be read.
    pub(super) unreadable: bool,
    /// New pods do not get ready.
    pub(super) stuck: bool,
    pub(super) meanwhile: Option<Meanwhile>,
    /// Other workloads.
    pub(super) others: BTreeMap<ScaleTarget, ScaleState>,
}

pub(super) fn worker() -> ScaleTarget {
    ScaleTarget {
        namespace: "shop".to_owned(),
        kind: ScaleKind::Deployment,
        name: "worker".to_owned(),
    }
}

pub(super) fn autoscaler(min: u32, max: u32) -> Autoscaler {
    Autoscaler {
        name: "worker".to_owned(),
        uid: "hpa-1".to_owned(),
        min,
        max,
        owner: None,
        last_scaling: None,
        keda: None,
    }
}

pub(super) fn state(replicas: u32) -> ScaleState {
    ScaleState {
        uid: "worker-1".to_owned(),
        replicas,
        ready: replicas,
        paused: false,
        kill_switch: None,
        last_scaling: None,
        labels: std::collections::BTreeMap::new(),
        autoscalers: Vec::new(),
        budgets: Vec::new(),
    }
}

impl Workers {
    pub(super) fn look(&mut self, target: &ScaleTarget) -> Result<Option<ScaleState>, String> {
        if let Some(other) = self.others.get(target) {
            return Ok(Some(other.clone()));
        }
        assert_eq!(*target, worker());
        self.looks += 1;
        if self.unreadable {
            return Err("the API server did not answer".to_owned());
        }
        Ok(self.state.clone())
    }

    pub(super) fn replicas(&self) -> u32 {
        self.state.as_ref().expect("it is there").replicas
    }

    pub(super) fn carry_out(&mut self, plan: &PlanId, change: &ScaleChange) -> StepResult {
        if let Some(other) = self.others.get_mut(&change.target) {
            match change.admit(plan, Some(other)) {
                Admission::AlreadyDone => return StepResult::AlreadyDone,
                Admission::NotYet { reason } | Admission::Fenced { reason } => {
                    return StepResult::Fenced { reason };
                }
                Admission::Write => {}
            }
            (other.replicas, other.ready) = (change.to, change.to);
            other.last_scaling = Some(plan.clone());
            self.writes.push(change.clone());
            return StepResult::Done;
        }
        if let (Some(state), Some(meanwhile)) = (&mut self.state, self.meanwhile.take()) {
            meanwhile(state);
        }
        match change.admit(plan, self.state.as_ref()) {
            Admission::AlreadyDone => return StepResult::AlreadyDone,
            Admission::NotYet { reason } | Admission::Fenced { reason } => {
                return StepResult::Fenced { reason };
            }
            Admission::Write => {}
        }
        let state = self.state.as_mut().expect("it was admitted");
        match &change.object {
            ScaleObject::Workload => {
                state.replicas = change.to;
                state.last_scaling = Some(plan.clone());
            }
            ScaleObject::Autoscaler { .. }
            | ScaleObject::ScaledObject { .. }
            | ScaleObject::PausedScaledObject { .. } => {
                let autoscaler = &mut state.autoscalers[0];
                autoscaler.min = change.to;
                autoscaler.last_scaling = Some(plan.clone());
                // The autoscaler's own work.
                state.replicas = state.replicas.max(change.to);
            }
        }
        if !self.stuck {
            state.ready = state.replicas;
        }
        self.writes.push(change.clone());
        StepResult::Done
    }
}
