//! An edit of the route under way: handed out once, and again by the next process; what came of it.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::{Objects, active, end, hold, live, reached, retry};
use crate::change::Change;
use crate::engine::live::Live;
use crate::engine::{Effect, Turn};
use crate::guard::Guard;
use crate::ids::TargetId;
use crate::plan::{StepOutcome, StepResult};
use crate::record::Record;
use crate::saga::{LOST, WAIT_TIME};
use crate::stepping::{Stepping, SteppingEnd};
use crate::time::{elapsed, later};
use crate::wording::span;

/// Takes the edit as far as it goes now.
pub(super) fn carry(
    turn: &mut Turn<'_>,
    target: &TargetId,
    live: &mut Live,
    stepping: &Stepping,
    looked: &Objects,
) {
    let Some(moving) = &stepping.moving else {
        return;
    };
    let plan = &moving.plan;
    if moving.written.is_some() {
        let change = &plan.change;
        let back = change.edit.emptied().map(|edit| Change {
            edit,
            ..change.clone()
        });
        reached(turn, target, (plan.aim, plan.percent), &change.uid, back);
        return;
    }
    let handed = live.stepping.handed.contains(&plan.id);
    let waits = |deadline: Timestamp| handed && turn.now < later(deadline, LOST);
    if moving.in_hand.is_some_and(waits) {
        return;
    }
    let age = elapsed(moving.began, turn.now);
    if age >= WAIT_TIME {
        // An old decision may only be finished, if it shows on the object: nothing is written.
        let Some(Ok(found)) = live::look(turn, live, &plan.change.object, looked, true) else {
            return;
        };
        let shows = found
            .as_ref()
            .is_some_and(|found| plan.change.shows_on(&plan.id, 0, &found.object));
        if !shows {
            let reason = format!(
                "the decision is {} old, and it has not been carried out",
                span(age)
            );
            end(turn, target, SteppingEnd::Stuck { reason });
            return;
        }
    }
    let command = moving.command(turn.now);
    live.stepping.handed.insert(plan.id.clone());
    turn.record(Record::StepBegun(command.clone()));
    turn.output.effects.push(Effect::Step(command));
}

/// Takes in what became of an edit; whether it was one of a stepped release.
pub(in crate::engine) fn step_ended(
    turn: &mut Turn<'_>,
    lives: &mut BTreeMap<TargetId, Live>,
    outcome: &StepOutcome,
) -> bool {
    let found = turn.ledger.targets.iter().find_map(|(target, known)| {
        let moving = known.stepping.as_ref()?.moving.as_ref()?;
        (moving.plan.id == outcome.plan).then(|| (target.clone(), moving.in_hand.is_some()))
    });
    let Some((target, in_hand)) = found else {
        return false;
    };
    // A result that came twice changes nothing.
    if !in_hand {
        return true;
    }
    turn.record(Record::StepEnded(outcome.clone()));
    if let Some(live) = lives.get_mut(&target) {
        live.news = true;
        live.stepping.handed.remove(&outcome.plan);
        let (guard, reason) = match &outcome.result {
            StepResult::Done
            | StepResult::Kept { .. }
            | StepResult::Called { .. }
            | StepResult::AlreadyDone => return true,
            StepResult::Fenced { reason } => (Guard::ObjectChanged, reason),
            StepResult::Refused { reason } | StepResult::Failed { reason } => {
                (Guard::SourceUnavailable, reason)
            }
        };
        retry(live, turn);
        if active(turn, &target).is_some() {
            // Always recorded: it ends the edit. Whether it was written shows at the next look.
            turn.record(Record::TrafficHeld {
                target,
                hold: hold(guard, reason.clone()),
            });
        }
    }
    true
}
