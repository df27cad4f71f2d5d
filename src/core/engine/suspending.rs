//! The policy `gitops: suspend`: what would revert a rollback is switched off before it, and on again when Git shows
//! another version than the bad one, or nothing was rolled back.

use std::collections::BTreeMap;

use jiff::SignedDuration;

use super::live::Live;
use super::{Effect, Turn, tell};
use crate::analysis::Analysis;
use crate::command::Order;
use crate::drift::DriftNews;
use crate::ids::{PlanId, RevisionHash, TargetId};
use crate::plan::{Fence, StepOutcome, StepResult};
use crate::record::Record;
use crate::rule::GitOps;
use crate::saga::LOST;
use crate::suspension::{Suspension, SuspensionCourse, SuspensionNews, SuspensionState};
use crate::target::TargetState;
use crate::time::{elapsed, later};

/// People are reminded this often that a tool is suspended.
const REMIND: SignedDuration = SignedDuration::from_hours(6);

/// Whether a tool keeps the target that is to be suspended before a rollback.
pub(super) fn concerns(turn: &Turn<'_>, live: &Live) -> bool {
    let policy = live.watch.gitops.unwrap_or(turn.settings.guards.gitops);
    let owned = live
        .state
        .as_ref()
        .is_some_and(|state| state.owner.is_some());
    policy == GitOps::Suspend && owned
}

/// Before a rollback, when every guard has let it pass: whether it may begin now, or has to wait for the suspension.
pub(super) fn lets_begin(
    turn: &mut Turn<'_>,
    target: &TargetId,
    live: &mut Live,
    analysis: &Analysis,
    to: Option<&RevisionHash>,
) -> bool {
    let policy = live.watch.gitops.unwrap_or(turn.settings.guards.gitops);
    let (Some(known), Some(state)) = (turn.known(target), live.state.clone()) else {
        return true;
    };
    let Some(owner) = state.owner.clone().filter(|_| policy == GitOps::Suspend) else {
        return true;
    };
    // An abort leaves the spec as it is.
    let stable = state
        .rollout
        .as_ref()
        .and_then(|rollout| rollout.stable.as_ref());
    if stable.is_some() && stable == to {
        return true;
    }
    if let Some(held) = &known.suspension {
        return matches!(held.course, SuspensionCourse::Suspended { .. });
    }
    // Nothing may say what is to be suspended: then it is watched whether the rollback holds.
    let Some(object) = owner.object else {
        return true;
    };
    let suspension = Suspension {
        id: PlanId(format!("{}-sync", analysis.id)),
        analysis: analysis.id.clone(),
        fence: Fence {
            target: target.clone(),
            uid: analysis.uid.clone(),
            judged: analysis.canary.clone(),
            number: None,
        },
        tool: owner.tool,
        owner: object,
    };
    let suspension = Box::new(suspension);
    record(turn, target, SuspensionNews::Began { suspension });
    hand_out_once(turn, target, live);
    false
}

/// Takes a suspension as far as it goes now, once a tick.
pub(super) fn tend(turn: &mut Turn<'_>, target: &TargetId, live: &mut Live) {
    let Some(known) = turn.known(target).filter(|_| !turn.past) else {
        return;
    };
    let (Some(held), Some(state)) = (&known.suspension, &live.state) else {
        return;
    };
    let (held, state) = (held.clone(), state.clone());
    // Of a release that has not failed only a person can have wanted it.
    let mut open = turn.ledger.people.open.iter();
    let ordered = open.any(
        |command| matches!(&command.order, Order::Rollback { target: of, .. } if of == target),
    );
    let analysed = known.analysis.as_ref().is_some_and(|analysis| {
        analysis.id == held.suspension.analysis && analysis.failed.is_some()
    });
    let wanted = analysed || ordered;
    let busy = wanted || known.plan.is_some();
    match held.course {
        SuspensionCourse::Suspending if wanted || held.in_hand.is_some() => {
            hand_out_once(turn, target, live);
        }
        SuspensionCourse::Suspending => {
            let reason = "the release came to an end before".to_owned();
            record(turn, target, SuspensionNews::Ended { reason });
        }
        SuspensionCourse::Refused { reason } => {
            if !busy {
                record(turn, target, SuspensionNews::Ended { reason });
            }
        }
        SuspensionCourse::Suspended { was_on } => {
            if busy {
                return;
            }
            let Some(reason) = over(&held.suspension, &state) else {
                if was_on && elapsed(held.reminded, turn.now) >= REMIND {
                    tell::still_suspended(turn, live, &held.suspension);
                    record(turn, target, SuspensionNews::Reminded);
                }
                return;
            };
            if was_on {
                record(turn, target, SuspensionNews::Resuming { reason });
                hand_out_once(turn, target, live);
            } else {
                record(turn, target, SuspensionNews::Ended { reason });
            }
        }
        SuspensionCourse::Resuming { .. } => hand_out_once(turn, target, live),
    }
}

/// Why it may be resumed; `None`: Git still asks for the bad revision, as far as the object shows.
fn over(suspension: &Suspension, state: &TargetState) -> Option<String> {
    let bad = &suspension.fence.judged;
    let current = state.current.as_ref()?;
    if state.uid != suspension.fence.uid {
        return Some("the target was deleted and created again".to_owned());
    }
    let by = state.shipped_by.as_deref()?;
    let agrees = state.owner.as_ref().is_some_and(|owner| owner.agrees);
    let by_tool = agrees || suspension.tool.managers().contains(&by);
    match (current == bad, by_tool) {
        (true, _) => Some(format!("revision {bad} is back, shipped by `{by}`")),
        (false, true) => Some(format!("Git asks for revision {current} now")),
        (false, false) if by != OURS => Some(format!("`{by}` shipped revision {current}")),
        (false, false) => None,
    }
}

/// Under this name our own writes stand in `managedFields`.
const OURS: &str = "recant";

/// Whether a step was one of a suspension.
pub(super) fn owns(turn: &Turn<'_>, outcome: &StepOutcome) -> bool {
    found(turn, outcome).is_some()
}

fn found(turn: &Turn<'_>, outcome: &StepOutcome) -> Option<(TargetId, SuspensionState)> {
    turn.ledger.targets.iter().find_map(|(target, known)| {
        let held = known.suspension.as_deref()?;
        (held.suspension.id == outcome.plan).then(|| (target.clone(), held.clone()))
    })
}

/// Takes in what became of a step.
pub(super) fn step_ended(
    turn: &mut Turn<'_>,
    lives: &mut BTreeMap<TargetId, Live>,
    outcome: &StepOutcome,
) {
    let Some((target, held)) = found(turn, outcome) else {
        return;
    };
    if held.in_hand.is_none() || held.index() != Some(outcome.index) {
        return;
    }
    turn.record(Record::StepEnded(outcome.clone()));
    let live = lives.get_mut(&target);
    match (&held.course, &outcome.result) {
        (
            SuspensionCourse::Resuming { reason },
            StepResult::Done | StepResult::AlreadyDone | StepResult::Kept { .. },
        ) => {
            if let Some(live) = live {
                live.news = true;
                tell::sync_resumed(turn, live, &held.suspension, reason);
            }
            let reason = reason.clone();
            record(turn, &target, SuspensionNews::Ended { reason });
        }
        (
            SuspensionCourse::Resuming { .. },
            StepResult::Fenced { reason }
            | StepResult::Refused { reason }
            | StepResult::Failed { reason },
        ) => {
            if let Some(live) = live.filter(|_| !held.told) {
                tell::not_resumed(turn, live, &held.suspension, reason);
                let reason = reason.clone();
                record(turn, &target, SuspensionNews::Stuck { reason });
            }
        }
        _ => {
            if let Some(live) = live {
                live.news = true;
            }
        }
    }
}

/// Nobody looks at the target any more: what is suspended goes on.
pub(super) fn let_go(turn: &mut Turn<'_>, target: &TargetId, first: bool) {
    let state = |turn: &Turn<'_>| turn.known(target)?.suspension.clone();
    let Some(held) = state(turn) else {
        return;
    };
    if !matches!(held.course, SuspensionCourse::Resuming { .. }) {
        let reason = format!("no watch names {target} any more");
        record(turn, target, SuspensionNews::Resuming { reason });
    }
    let Some(held) = state(turn) else {
        return;
    };
    let waits = held
        .in_hand
        .is_some_and(|deadline| !first && turn.now < later(deadline, LOST));
    if !waits && held.not_before.is_none_or(|time| turn.now >= time) {
        hand_out(turn, &held);
    }
}

/// Hands the write out, unless this process has done so and may still have an answer.
fn hand_out_once(turn: &mut Turn<'_>, target: &TargetId, live: &mut Live) {
    let Some(held) = turn
        .known(target)
        .and_then(|known| known.suspension.clone())
    else {
        return;
    };
    let handed = live.handed_sync == held.index();
    let waits = held
        .in_hand
        .is_some_and(|deadline| handed && turn.now < later(deadline, LOST));
    if waits || held.not_before.is_some_and(|time| turn.now < time) {
        return;
    }
    live.handed_sync = held.index();
    hand_out(turn, &held);
}

fn hand_out(turn: &mut Turn<'_>, held: &SuspensionState) {
    if let Some(command) = held.command(turn.now) {
        turn.record(Record::StepBegun(command.clone()));
        turn.output.effects.push(Effect::Step(command));
    }
}

fn record(turn: &mut Turn<'_>, target: &TargetId, news: SuspensionNews) {
    let news = Box::new(DriftNews::Suspension { suspension: news });
    turn.record(Record::Drift {
        target: target.clone(),
        news,
    });
}
