//! After a switch: what had the traffic before goes to no replicas, when the switch has proved itself. It is wished for like
//! everything else, behind the same guards; what takes the switch back brings it up again first.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Operations, Wish};
use crate::change::{Change, Seen};
use crate::engine::live::Live;
use crate::engine::{Turn, tell};
use crate::ids::TargetId;
use crate::operation::{OperationEvent, OperationState, Step, ThenDown};
use crate::record::Record;
use crate::rule::{Runbook, Scale, ScaleTo, Task, WhenStuck};

pub(super) fn tend(
    operations: &mut Operations,
    turn: &mut Turn<'_>,
    lives: &BTreeMap<TargetId, Live>,
) {
    let due: Vec<OperationState> = turn
        .ledger
        .operations
        .values()
        .filter(|state| state.down_at().is_some_and(|at| at <= turn.now))
        .filter(|state| {
            let later = [state.operation.down_id(), state.operation.undo_id()];
            later
                .iter()
                .all(|id| !turn.ledger.operations.contains_key(id))
        })
        .cloned()
        .collect();
    for state in due {
        let Some(then) = state.operation.then_down.clone() else {
            continue;
        };
        match lives.get(&state.operation.target) {
            None => settle(
                turn,
                &state,
                "no watch names its target any more".to_owned(),
            ),
            Some(live) if proves(turn, live) => {
                consider(operations, turn, live, &state, &then);
            }
            Some(_) => {}
        }
    }
}

/// Nothing is broken that the switch may have to be taken back for.
fn proves(turn: &Turn<'_>, live: &Live) -> bool {
    let target = &live.watch.target;
    let incidents = turn.ledger.always.get(target);
    let broken = incidents.is_some_and(|always| !always.incidents.is_empty());
    let analysis = turn.known(target).and_then(|known| known.analysis.as_ref());
    !broken && analysis.is_none_or(|analysis| analysis.failed.is_none())
}

fn consider(
    operations: &mut Operations,
    turn: &mut Turn<'_>,
    live: &Live,
    state: &OperationState,
    then: &ThenDown,
) {
    let led: Vec<Change> = state.carried_out().filter_map(leading).collect();
    for change in &led {
        operations.glances.want_object(&change.object);
    }
    let Some(Ok(looks)) = operations.glances.all(turn) else {
        return;
    };
    let gone = led.iter().find_map(|change| {
        let found = looks.objects.get(&change.object).copied().flatten();
        match found {
            None => Some(format!("{} does not exist any more", change.object)),
            Some(found) => match change.edit.seen(&found.object) {
                Seen::To => None,
                Seen::From | Seen::Other { .. } | Seen::Impossible { .. } => Some(format!(
                    "the traffic of {} was led elsewhere meanwhile",
                    change.object
                )),
            },
        }
    });
    if let Some(reason) = gone {
        let note = format!("{} is not scaled down: {reason}", then.target);
        tell::operation_left(turn, Some(live), state, &[note]);
        settle(turn, state, reason);
        return;
    }
    let scale = Scale {
        target: then.target.clone(),
        to: ScaleTo::Zero,
        ceiling: None,
        undo_after: None,
    };
    turn.wish(Wish {
        id: state.operation.down_id(),
        target: state.operation.target.clone(),
        cause: state.operation.cause.clone(),
        runbook: Arc::new(Runbook {
            name: format!("{}, and what had the traffic goes", state.operation.title),
            steps: vec![Task::Scale {
                scale,
                ready: None,
                evidence: None,
            }],
            undo_after: None,
            when_stuck: WhenStuck::Stop,
        }),
        dry_rule: None,
        follows: Some(state.operation.id.clone()),
    });
}

fn leading(step: &Step) -> Option<Change> {
    match step {
        Step::Change { change } if step.leads_traffic() => Some(Change::clone(change)),
        Step::Change { .. }
        | Step::Scale { .. }
        | Step::Apply { .. }
        | Step::Evidence { .. }
        | Step::Ready { .. }
        | Step::Webhook { .. } => None,
    }
}

fn settle(turn: &mut Turn<'_>, state: &OperationState, reason: String) {
    turn.record(Record::Operation(OperationEvent::Settled {
        operation: state.operation.down_id(),
        target: state.operation.target.clone(),
        cause: state.operation.cause.clone(),
        reason,
    }));
}
