//! A scaling under way: its one step, and whether its pods get ready.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::{Looked, known};
use crate::engine::live::Live;
use crate::engine::{Effect, Turn, tell};
use crate::guard::Guard;
use crate::ids::TargetId;
use crate::incident::{Scaling, ScalingEnd, ScalingPlan};
use crate::plan::{StepOutcome, StepResult};
use crate::record::Record;
use crate::rule::ScaleTarget;
use crate::saga::{LOST, WAIT_TIME};
use crate::scaling::{Obstacle, ScaleState};
use crate::time::{elapsed, later};
use crate::wording::{short, span};

/// The cluster is asked again about the same workload after this long.
const AGAIN: SignedDuration = SignedDuration::from_secs(10);
/// Pods that are not ready after this long are told.
const READY_TIME: SignedDuration = SignedDuration::from_mins(5);
/// So many looks in a row that could not be made are a reason to tell.
const FAILURES: u32 = 3;
/// Reasons come from outside and end up in records and messages.
const MOST_REASON: usize = 300;

/// What the cluster has just said of the workload; asks it when it has said nothing lately. An error is one that lasts.
pub(super) fn look<'l>(
    turn: &mut Turn<'_>,
    live: &mut Live,
    workload: &ScaleTarget,
    looked: &'l Looked,
) -> Option<Result<Option<&'l ScaleState>, String>> {
    let asking = live.always.asked.entry(workload.clone()).or_default();
    match looked.get(workload) {
        Some(Ok(state)) => {
            asking.failures = 0;
            return Some(Ok(state.as_ref()));
        }
        Some(Err(reason)) => {
            asking.failures = asking.failures.saturating_add(1);
            if asking.failures >= FAILURES {
                let reason = short(reason, MOST_REASON);
                return Some(Err(format!("{workload} could not be read: {reason}")));
            }
        }
        None => {}
    }
    let due = |at: Timestamp| turn.now < at || elapsed(at, turn.now) >= AGAIN;
    if asking.at.is_none_or(due) {
        asking.at = Some(turn.now);
        let look = Effect::LookAtScale {
            target: workload.clone(),
        };
        if !turn.output.effects.contains(&look) {
            turn.output.effects.push(look);
        }
    }
    None
}

pub(super) fn guard(obstacle: Obstacle) -> Guard {
    match obstacle {
        Obstacle::KillSwitch => Guard::KillSwitch,
        Obstacle::Object => Guard::ObjectChanged,
        Obstacle::Autoscaler => Guard::Autoscaler,
    }
}

/// Writes the decision down and hands its step out.
pub(super) fn begin(
    turn: &mut Turn<'_>,
    target: &TargetId,
    live: &mut Live,
    index: usize,
    plan: ScalingPlan,
) {
    let scaling = Scaling::new(plan.clone(), turn.now);
    turn.record(Record::ScalingBegan {
        plan: Box::new(plan),
    });
    advance(turn, target, live, index, &scaling, &Looked::new());
}

/// Takes a scaling as far as it goes now.
pub(super) fn advance(
    turn: &mut Turn<'_>,
    target: &TargetId,
    live: &mut Live,
    index: usize,
    scaling: &Scaling,
    looked: &Looked,
) {
    match scaling.written {
        None => write(turn, target, live, index, scaling, looked),
        Some(_) if scaling.plan.undo => {
            tell::undone(turn, live, index, &scaling.plan, None);
            end(turn, target, &scaling.plan, ScalingEnd::Done);
        }
        Some(written) => {
            tell::scaled(turn, live, index, &scaling.plan);
            verify(turn, target, live, index, scaling, written, looked);
        }
    }
}

fn write(
    turn: &mut Turn<'_>,
    target: &TargetId,
    live: &mut Live,
    index: usize,
    scaling: &Scaling,
    looked: &Looked,
) {
    let plan = &scaling.plan;
    let handed = live.always.handed.contains(&plan.id);
    let waits = |deadline| handed && turn.now < later(deadline, LOST);
    if scaling.in_hand.is_some_and(waits) {
        return;
    }
    let age = elapsed(scaling.began, turn.now);
    if age >= WAIT_TIME {
        // An old decision may only be finished, if it shows on the object: nothing is written.
        let Some(Ok(state)) = look(turn, live, &plan.change.target, looked) else {
            return;
        };
        let seen = state.and_then(|state| plan.change.seen_on(state));
        if seen.is_none_or(|seen| seen.last_scaling != Some(&plan.id)) {
            let reason = format!(
                "the decision is {} old, and it has not been carried out",
                span(age)
            );
            tell::scaling_failed(turn, live, index, plan, &reason);
            end(turn, target, plan, ScalingEnd::Stuck { reason });
            return;
        }
    }
    let command = scaling.command(turn.now);
    live.always.handed.insert(plan.id.clone());
    turn.record(Record::StepBegun(command.clone()));
    turn.output.effects.push(Effect::Step(command));
}

/// Looks until the pods are ready, or for long enough.
fn verify(
    turn: &mut Turn<'_>,
    target: &TargetId,
    live: &mut Live,
    index: usize,
    scaling: &Scaling,
    written: Timestamp,
    looked: &Looked,
) {
    let plan = &scaling.plan;
    let change = &plan.change;
    let over = elapsed(written, turn.now) >= READY_TIME;
    let found = match look(turn, live, &change.target, looked) {
        Some(Ok(state)) => state.and_then(|state| Some((state, change.seen_on(state)?))),
        Some(Err(reason)) if over => {
            tell::scaling_failed(turn, live, index, plan, &reason);
            end(turn, target, plan, ScalingEnd::NotReady { reason });
            return;
        }
        Some(Err(_)) | None => return,
    };
    let Some((state, seen)) = found else {
        let reason = format!("{} is not there any more", change.written());
        end(turn, target, plan, ScalingEnd::Nothing { reason });
        return;
    };
    if seen.replicas != change.to {
        let reason = format!(
            "somebody else set {} to {} since",
            change.written(),
            seen.replicas
        );
        end(turn, target, plan, ScalingEnd::Nothing { reason });
    } else if state.ready >= change.to {
        end(turn, target, plan, ScalingEnd::Done);
    } else if over {
        let reason = format!(
            "{} of {} are ready {} after the scaling",
            state.ready,
            change.to,
            span(elapsed(written, turn.now))
        );
        tell::scaling_failed(turn, live, index, plan, &reason);
        end(turn, target, plan, ScalingEnd::NotReady { reason });
    }
}

fn end(turn: &mut Turn<'_>, target: &TargetId, plan: &ScalingPlan, end: ScalingEnd) {
    turn.record(Record::ScalingEnded {
        target: target.clone(),
        rule: plan.rule.clone(),
        undo: plan.undo,
        end,
    });
}

/// Takes in what became of the step of a scaling.
pub(in crate::engine) fn step_ended(
    turn: &mut Turn<'_>,
    lives: &mut BTreeMap<TargetId, Live>,
    outcome: StepOutcome,
) {
    let found = turn.ledger.always.iter().find_map(|(target, always)| {
        let scaling = always.scaling(&outcome.plan)?;
        scaling
            .in_hand
            .is_some()
            .then(|| (target.clone(), scaling.plan.clone()))
    });
    // A result that came twice, or after the end, changes nothing.
    let Some((target, plan)) = found else { return };
    if let Some(live) = lives.get_mut(&target) {
        live.always.handed.remove(&plan.id);
        live.news = true;
    }
    let result = outcome.result.clone();
    turn.record(Record::StepEnded(outcome));
    let ending = match result {
        StepResult::Done
        | StepResult::Kept { .. }
        | StepResult::Called { .. }
        | StepResult::AlreadyDone => return,
        StepResult::Fenced { reason } => ScalingEnd::Fenced { reason },
        StepResult::Refused { reason } | StepResult::Failed { reason } => {
            ScalingEnd::Stuck { reason }
        }
    };
    failed(turn, lives, &target, &plan, ending);
}

fn failed(
    turn: &mut Turn<'_>,
    lives: &mut BTreeMap<TargetId, Live>,
    target: &TargetId,
    plan: &ScalingPlan,
    ending: ScalingEnd,
) {
    if let Some(live) = lives.get_mut(target)
        && let Some(index) = live.always.index_of(&plan.rule)
        && let ScalingEnd::Fenced { reason } | ScalingEnd::Stuck { reason } = &ending
    {
        tell::scaling_failed(turn, live, index, plan, reason);
    }
    if known(turn, target).is_some() {
        end(turn, target, plan, ending);
    }
}
