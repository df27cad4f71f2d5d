//! How far an operation is, and what it needs next. No choices are left here (P4).

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Cause, Operation, OperationEnd, STEP_TIME, Step, due, went_well};
use crate::ids::IncidentId;
use crate::incident::Holds;
use crate::notice::NoticeKind;
use crate::plan::{StepCommand, StepOutcome, StepResult};
use crate::rule::WhenStuck;
use crate::saga::{LOST, WAIT_TIME};
use crate::time::{elapsed, later};
use crate::wording::span;

/// How far an operation is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OperationState {
    pub operation: Operation,
    pub began: Timestamp,
    /// What became of the steps so far; the next one, or that in hand, comes behind them.
    pub done: Vec<StepDone>,
    /// That step was handed to the executor and has not come back: its deadline.
    pub in_hand: Option<Timestamp>,
    /// When the present step became the next one.
    pub step_began: Timestamp,
    pub ended: Option<OperationEnd>,
    pub ended_at: Option<Timestamp>,
    /// When it ended; later, when the incident that it was begun by was over.
    pub undo_from: Option<Timestamp>,
    /// Guards that hold its undo back.
    #[serde(default)]
    pub holds: Holds,
    /// Kinds of notices that were made about it.
    #[serde(default)]
    pub said: BTreeSet<NoticeKind>,
    /// What had the traffic is gone, or stays.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub down: bool,
}

/// What became of one step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StepDone {
    pub at: Timestamp,
    pub result: StepResult,
}

/// What an operation needs now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next<'a> {
    /// Hand this step to the executor.
    Execute(Box<StepCommand>),
    /// Look whether so many pods are ready.
    Look(&'a Step),
    /// Nothing to do until something comes.
    Wait,
    End(OperationEnd),
    /// It has ended.
    Rest,
}

impl OperationState {
    /// An operation that begins now.
    pub fn new(operation: Operation, now: Timestamp) -> Self {
        Self {
            operation,
            began: now,
            done: Vec::new(),
            in_hand: None,
            step_began: now,
            ended: None,
            ended_at: None,
            undo_from: None,
            holds: Holds::default(),
            said: BTreeSet::new(),
            down: false,
        }
    }

    /// Index of the step that is next, or in hand.
    pub fn next(&self) -> usize {
        self.done.len()
    }

    /// Whether it is carried out now.
    pub fn runs(&self) -> bool {
        self.ended.is_none()
    }

    /// The steps that were carried out.
    pub fn carried_out(&self) -> impl DoubleEndedIterator<Item = &Step> {
        self.operation
            .steps
            .iter()
            .zip(&self.done)
            .filter(|(_, done)| went_well(&done.result))
            .map(|(step, _)| step)
    }

    /// Whether anything of it may have to be taken back: now, later, or when its incident is over.
    pub fn may_be_undone(&self) -> bool {
        let wrote = self.carried_out().any(|step| step.object().is_some());
        let wanted = match (&self.ended, self.operation.when_stuck) {
            (Some(OperationEnd::Partly { .. }), WhenStuck::Undo) => true,
            (Some(OperationEnd::NotDone { .. }), _) => false,
            (None | Some(OperationEnd::Done | OperationEnd::Partly { .. }), _) => {
                self.operation.undo_after.is_some()
            }
        };
        wrote && wanted && self.operation.undoes.is_none()
    }

    /// When it is to be taken back; `None`: never by itself, or its incident is not over.
    pub fn undo_at(&self) -> Option<Timestamp> {
        let (ended, end) = (self.ended_at?, self.ended.as_ref()?);
        if !self.may_be_undone() {
            return None;
        }
        match (end, self.operation.when_stuck) {
            // What is half done is taken back at once, incident or not.
            (OperationEnd::Partly { .. }, WhenStuck::Undo) => Some(ended),
            (
                OperationEnd::Done | OperationEnd::Partly { .. } | OperationEnd::NotDone { .. },
                _,
            ) => Some(due(
                &self.operation.id,
                self.undo_from?,
                self.operation.undo_after?,
            )),
        }
    }

    /// Whether what had the traffic is still to go.
    pub fn may_go_down(&self) -> bool {
        let well = matches!(self.ended, None | Some(OperationEnd::Done));
        self.operation.then_down.is_some() && well && !self.down
    }

    /// When that is; `None`: never, or its incident is not over.
    pub fn down_at(&self) -> Option<Timestamp> {
        let then = self.operation.then_down.as_ref();
        let then = then.filter(|_| self.ended.is_some() && self.may_go_down())?;
        Some(due(&self.operation.id, self.undo_from?, then.after))
    }

    /// What to do now. `handed` says whether this process handed the step in hand to the executor.
    pub fn advance(&self, now: Timestamp, handed: bool) -> Next<'_> {
        if self.ended.is_some() {
            return Next::Rest;
        }
        let stuck = self
            .done
            .last()
            .and_then(|last| reason_of(&last.result))
            .filter(|_| self.operation.when_stuck != WhenStuck::GoOn)
            .filter(|_| !self.goes_on_without());
        if let Some(reason) = stuck {
            return Next::End(self.stopped(reason));
        }
        let Some(step) = self.operation.steps.get(self.next()) else {
            return Next::End(self.over());
        };
        let Some(action) = step.action() else {
            return Next::Look(step);
        };
        let waits = |deadline| handed && now < later(deadline, LOST);
        if self.in_hand.is_some_and(waits) {
            return Next::Wait;
        }
        let age = elapsed(self.step_began, now);
        // Nothing is written because of what was decided long ago.
        if age >= WAIT_TIME {
            let reason = format!("the decision is {} old", span(age));
            return Next::End(match self.in_hand {
                None => self.stopped(&format!("{reason}, and its step has not been carried out")),
                Some(_) => OperationEnd::Partly {
                    reason: format!(
                        "{reason}; whether this was carried out is not known: {}",
                        step.in_words()
                    ),
                },
            });
        }
        Next::Execute(Box::new(StepCommand {
            plan: self.operation.id.clone(),
            index: self.next(),
            action,
            deadline: later(now, STEP_TIME),
            again: self.in_hand.is_some(),
        }))
    }

    /// The last step is one that the next does not depend on.
    fn goes_on_without(&self) -> bool {
        let last = self.done.len().checked_sub(1);
        let last = last.and_then(|last| self.operation.steps.get(last));
        matches!(
            last,
            Some(Step::Evidence {
                required: false,
                ..
            })
        )
    }

    /// All steps have ended.
    fn over(&self) -> OperationEnd {
        let mut failed = self.done.iter().filter_map(|done| reason_of(&done.result));
        match failed.next_back() {
            None => OperationEnd::Done,
            Some(reason) => self.stopped(reason),
        }
    }

    fn stopped(&self, reason: &str) -> OperationEnd {
        let reason = reason.to_owned();
        let may_have = |done: &StepDone| !done.result.wrote_nothing();
        if self.done.iter().any(may_have) {
            OperationEnd::Partly { reason }
        } else {
            OperationEnd::NotDone { reason }
        }
    }

    /// Folds the hand-out of a step.
    pub fn step_begun(&mut self, command: &StepCommand) {
        if self.next() == command.index && self.runs() {
            self.in_hand = Some(command.deadline);
        }
    }

    /// Folds the end of a step.
    pub fn step_ended(&mut self, at: Timestamp, outcome: &StepOutcome) {
        if self.next() == outcome.index && self.runs() {
            self.in_hand = None;
            self.step_began = at;
            self.done.push(StepDone {
                at,
                result: outcome.result.clone(),
            });
        }
    }

    /// Folds the end.
    pub fn end(&mut self, at: Timestamp, end: OperationEnd, incident_open: bool) {
        self.ended = Some(end);
        self.ended_at = Some(at);
        self.in_hand = None;
        self.undo_from = (!incident_open).then_some(at);
    }

    /// Folds the end of an incident.
    pub fn incident_ended(&mut self, at: Timestamp, ended: &IncidentId) {
        let of_it =
            matches!(&self.operation.cause, Cause::Incident { incident, .. } if incident == ended);
        if of_it && self.ended.is_some() && self.undo_from.is_none() {
            self.undo_from = Some(at);
        }
    }
}

/// Why a step was not carried out.
pub(super) fn reason_of(result: &StepResult) -> Option<&str> {
    match result {
        StepResult::Done
        | StepResult::Kept { .. }
        | StepResult::Called { .. }
        | StepResult::AlreadyDone => None,
        StepResult::Fenced { reason }
        | StepResult::Refused { reason }
        | StepResult::Failed { reason } => Some(reason),
    }
}
