//! What lasts about operations: those under way, those that may be taken back, and what holds others back.

use jiff::Timestamp;

use super::Ledger;
use crate::ids::{IncidentId, PlanId};
use crate::notice::{Notice, NoticeKind};
use crate::operation::{Cause, OperationEvent, OperationState, Step, went_well};
use crate::plan::StepOutcome;

/// Operations that are held back and remembered; far above what rules ask for at a time.
const MOST_HELD: usize = 1000;

/// The id of the operation that an incident begins.
pub fn operation_of(incident: &IncidentId) -> PlanId {
    PlanId(format!("{incident}-run"))
}

impl Ledger {
    pub(super) fn operation(&mut self, at: Timestamp, event: &OperationEvent) {
        match event {
            OperationEvent::Began { operation } => {
                self.acted(at);
                self.held_operations.remove(&operation.id);
                if operation.undoes.is_none() {
                    self.answered(&operation.cause);
                }
                let state = OperationState::new(Clone::clone(operation), at);
                self.operations.insert(operation.id.clone(), state);
            }
            OperationEvent::Held {
                operation, hold, ..
            } => {
                if let Some(state) = self.operations.get_mut(operation) {
                    state.holds.add(hold);
                } else if self.held_operations.len() < MOST_HELD
                    || self.held_operations.contains_key(operation)
                {
                    let holds = self.held_operations.entry(operation.clone()).or_default();
                    holds.add(hold);
                }
            }
            OperationEvent::Settled {
                operation, cause, ..
            } => {
                self.held_operations.remove(operation);
                self.went_down(operation);
                self.answered(cause);
            }
            OperationEvent::Ended { operation, end, .. } => {
                let open = self.operations.get(operation).is_some_and(|state| {
                    matches!(&state.operation.cause, Cause::Incident { incident, .. } if self.is_open(incident))
                });
                if let Some(state) = self.operations.get_mut(operation) {
                    state.end(at, end.clone(), open);
                }
                self.went_down(operation);
            }
            OperationEvent::Closed { operation, .. } => {
                self.operations.remove(operation);
            }
        }
    }

    pub(super) fn step_of_operation(&mut self, at: Timestamp, outcome: &StepOutcome) {
        let Some(state) = self.operations.get_mut(&outcome.plan) else {
            return;
        };
        let changed = state.operation.steps.get(outcome.index);
        let changed = changed.filter(|step| step.is_of_template() && went_well(&outcome.result));
        let changed = changed.and_then(Step::object);
        state.step_ended(at, outcome);
        if let Some(object) = changed {
            let mut targets = self.targets.iter_mut();
            if let Some((_, known)) = targets.find(|(target, _)| object.is(target)) {
                known.changed = Some(at);
            }
        }
    }

    /// It was what comes later of another one.
    fn went_down(&mut self, later: &PlanId) {
        let Some(of) = later.0.strip_suffix("-down") else {
            return;
        };
        if let Some(state) = self.operations.get_mut(&PlanId(of.to_owned())) {
            state.down = true;
        }
    }

    /// What asked for it has its answer.
    fn answered(&mut self, cause: &Cause) {
        match cause {
            Cause::Incident { incident, .. } => {
                let mut incidents = self
                    .always
                    .values_mut()
                    .flat_map(|always| always.incidents.values_mut());
                if let Some(state) = incidents.find(|state| state.incident.id == *incident) {
                    state.operated = true;
                }
            }
            Cause::Release { analysis } => {
                for known in self.targets.values_mut() {
                    if known.owes.as_ref() == Some(analysis) {
                        known.owes = None;
                    }
                }
            }
            Cause::Person { .. } => {}
        }
    }

    fn is_open(&self, incident: &IncidentId) -> bool {
        let mut incidents = self
            .always
            .values()
            .flat_map(|always| always.incidents.values());
        incidents.any(|state| state.incident.id == *incident)
    }

    pub(super) fn said_of_operation(&mut self, notice: &Notice) {
        let Some(correlation) = &notice.correlation else {
            return;
        };
        let id = PlanId(correlation.0.clone());
        if let Some(state) = self.operations.get_mut(&id) {
            state.said.insert(notice.kind);
            if notice.kind == NoticeKind::OperationHeld {
                state.holds.told += 1;
            }
        } else if let Some(holds) = self.held_operations.get_mut(&id)
            && notice.kind == NoticeKind::OperationHeld
        {
            holds.told += 1;
        }
    }
}
