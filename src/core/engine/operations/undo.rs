//! Taking an operation back when its time has come: only what is still as it was set, behind the same guards.

use std::collections::BTreeMap;

use super::{Operations, busy};
use crate::engine::live::Live;
use crate::engine::{Turn, tell};
use crate::guard::{Guard, Hold, OperationContext, holds_operation};
use crate::ids::{PlanId, TargetId};
use crate::notice::Problem;
use crate::operation::{Choice, Operation, OperationEvent, OperationState, Step, choose_undo};
use crate::record::Record;
use crate::rule::WhenStuck;
use crate::share::WishedAction;
use crate::wording::short;

pub(super) fn tend(
    operations: &mut Operations,
    turn: &mut Turn<'_>,
    lives: &BTreeMap<TargetId, Live>,
) {
    let due: Vec<OperationState> = turn
        .ledger
        .operations
        .values()
        .filter(|state| state.undo_at().is_some_and(|at| at <= turn.now))
        .filter(|state| {
            let undo = state.operation.undo_id();
            !turn.ledger.operations.contains_key(&undo)
        })
        .cloned()
        .collect();
    for state in due {
        let live = lives.get(&state.operation.target);
        consider(operations, turn, live, &state);
        let latest = turn.ledger.operations.get(&state.operation.id).cloned();
        if let Some(latest) = latest {
            tell::operation_undo_held(turn, live, &latest);
        }
    }
}

fn consider(
    operations: &mut Operations,
    turn: &mut Turn<'_>,
    live: Option<&Live>,
    state: &OperationState,
) {
    let mut steps: Vec<Step> = state.carried_out().cloned().collect();
    // What went after it comes back first.
    let later = turn.ledger.operations.get(&state.operation.down_id());
    steps.extend(
        later
            .into_iter()
            .flat_map(OperationState::carried_out)
            .cloned(),
    );
    if let Some(hold) = hold(turn, live, state, &steps) {
        held(turn, state, hold);
        return;
    }
    for step in &steps {
        operations.glances.want_step(step);
    }
    let choice = match operations.glances.all(turn) {
        None => return,
        Some(Err(why)) => Choice::Held {
            guard: Guard::SourceUnavailable,
            why: short(&why, super::MOST_REASON),
        },
        Some(Ok(looks)) => choose_undo(steps.iter(), &looks),
    };
    operations.glances.use_up();
    match choice {
        Choice::Held { guard, why } => held(turn, state, Hold::action(guard, why, None)),
        Choice::Nothing { notes } => {
            tell::operation_left(turn, live, state, &notes);
            turn.record(Record::Operation(OperationEvent::Closed {
                operation: state.operation.id.clone(),
                target: state.operation.target.clone(),
                reason: "nothing of it is left as it was set".to_owned(),
            }));
        }
        Choice::Act(chosen) => {
            let operation = Operation {
                id: state.operation.undo_id(),
                title: format!("{}, taken back", state.operation.title),
                steps: chosen.steps,
                notes: chosen.notes,
                undo_after: None,
                then_down: None,
                // Each step puts back what it can: the others have nothing to do with it.
                when_stuck: WhenStuck::GoOn,
                undoes: Some(state.operation.id.clone()),
                ..state.operation.clone()
            };
            turn.record(Record::Operation(OperationEvent::Began {
                operation: Box::new(operation),
            }));
        }
    }
}

fn hold(
    turn: &mut Turn<'_>,
    live: Option<&Live>,
    state: &OperationState,
    steps: &[Step],
) -> Option<Hold> {
    let operation = &state.operation;
    let all = turn.of_all();
    let of_settings = holds_operation(&OperationContext {
        now: turn.now,
        settings: &turn.settings.guards,
        actions: &all.actions,
        namespace: &operation.target.namespace,
        watch: &operation.watch,
        watch_dry_run: live.is_some_and(|live| live.watch.dry_run),
        dry_rule: None,
        silence: turn.silence_of(Problem::RuleBroken, &operation.watch, &operation.target),
        under_way: busy::under_way(turn),
        people: (turn.ledger.people).concerning(
            turn.now,
            &operation.target.namespace,
            &operation.target,
        ),
        watched: turn.ledger.targets.len(),
    });
    let hold = of_settings.or_else(|| {
        let busy = steps.iter().find_map(|step| busy::with_step(turn, step))?;
        Some(Hold::action(Guard::UnderWay, busy, None))
    });
    let undo = operation.undo_id();
    hold.or_else(|| turn.permission(&operation.target, WishedAction::Scaling, undo.as_str()))
}

fn held(turn: &mut Turn<'_>, state: &OperationState, hold: Hold) {
    if state.holds.is_new(hold.guard) {
        turn.record(Record::Operation(OperationEvent::Held {
            operation: PlanId::clone(&state.operation.id),
            target: state.operation.target.clone(),
            hold,
        }));
    }
}
