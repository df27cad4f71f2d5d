//! A Deployment that is paused at the first pods of a release until its evidence is in, and always goes on again.
//!
//! Pausing is a race with the controller: what was reached is told. Only a release that was found bad stays paused, for
//! the rollback, or a person.

use std::collections::BTreeMap;

use jiff::SignedDuration;

use super::live::Live;
use super::{Effect, Turn, tell};
use crate::analysis::Analysis;
use crate::guard::{PauseContext, holds_pause};
use crate::ids::{PlanId, TargetId, TargetKind};
use crate::notice::Problem;
use crate::pause::{Course, Pause, PauseEnd, PauseNews, PauseState, Reached};
use crate::plan::{Fence, StepOutcome, StepResult};
use crate::record::Record;
use crate::saga::LOST;
use crate::target::{OwnPause, TargetState};
use crate::time::{elapsed, later};

/// What is left of the watch when the pause ends at the latest: its end may be put off for so long.
const SLACK: SignedDuration = SignedDuration::from_mins(10);
/// A decision to pause that was not carried out by then comes too late.
const TOO_LATE: SignedDuration = SignedDuration::from_secs(60);
/// The controller has made the pods by then that it was making when the pause came.
const SETTLED: SignedDuration = SignedDuration::from_secs(1);
/// The cluster has shown by then what was written.
const SHOWN: SignedDuration = SignedDuration::from_secs(30);

/// Takes the pause of a target as far as it goes now, once a tick.
pub(super) fn tend(turn: &mut Turn<'_>, target: &TargetId, live: &mut Live) {
    if turn.past {
        return;
    }
    let (Some(known), Some(state)) = (turn.known(target), &live.state) else {
        return;
    };
    // Nearly always: nothing is copied for those that have no pause and want none.
    if known.pause.is_none() && live.watch.pause_at.is_none() && state.pause.is_none() {
        return;
    }
    let state = state.clone();
    match known.pause.clone() {
        Some(pause) => go_on(turn, target, live, &pause, &state),
        None => match left_behind(turn, target, &state) {
            Some(pause) => record(turn, target, PauseNews::Found { pause }),
            None => begin(turn, target, live, &state),
        },
    }
}

/// Whether a step was one of a pause.
pub(super) fn owns(turn: &Turn<'_>, outcome: &StepOutcome) -> bool {
    found(turn, outcome).is_some()
}

fn found(turn: &Turn<'_>, outcome: &StepOutcome) -> Option<(TargetId, PauseState)> {
    turn.ledger.targets.iter().find_map(|(target, known)| {
        let pause = known.pause.as_deref()?;
        (pause.pause.id == outcome.plan).then(|| (target.clone(), pause.clone()))
    })
}

/// Takes in what became of a step of a pause.
pub(super) fn step_ended(
    turn: &mut Turn<'_>,
    lives: &mut BTreeMap<TargetId, Live>,
    outcome: &StepOutcome,
) {
    let Some((target, pause)) = found(turn, outcome) else {
        return;
    };
    let live = lives.get_mut(&target);
    // A result that came twice, or late, changes nothing.
    if pause.in_hand.is_none() || pause.index() != Some(outcome.index) {
        return;
    }
    turn.record(Record::StepEnded(outcome.clone()));
    let end = match (&pause.course, &outcome.result) {
        (Course::Pausing, StepResult::Fenced { reason } | StepResult::Refused { reason }) => {
            PauseEnd::NotPaused {
                reason: reason.clone(),
            }
        }
        (
            Course::Resuming { .. },
            StepResult::Done
            | StepResult::Kept { .. }
            | StepResult::Called { .. }
            | StepResult::AlreadyDone,
        ) => PauseEnd::Resumed,
        (
            Course::Resuming { .. },
            StepResult::Fenced { reason }
            | StepResult::Refused { reason }
            | StepResult::Failed { reason },
        ) => {
            if let Some(live) = live {
                stuck(turn, &target, live, &pause, reason);
            }
            return;
        }
        (
            Course::Pausing,
            StepResult::Done
            | StepResult::Kept { .. }
            | StepResult::Called { .. }
            | StepResult::AlreadyDone
            | StepResult::Failed { .. },
        )
        | (Course::Paused, _) => {
            if let Some(live) = live {
                live.news = true;
            }
            return;
        }
    };
    match live {
        Some(live) => ended(turn, &target, live, &pause, end),
        None => record(turn, &target, PauseNews::Ended { end }),
    }
}

/// Deployments that no watch names any more go on: nobody looks at their evidence.
pub(super) fn let_go(turn: &mut Turn<'_>, target: &TargetId, first: bool) {
    let Some(pause) = turn.known(target).and_then(|known| known.pause.clone()) else {
        return;
    };
    let resuming = matches!(pause.course, Course::Resuming { .. });
    if !resuming {
        let reason = format!("no watch names {target} any more");
        record(turn, target, PauseNews::Resuming { reason });
    }
    let Some(pause) = turn.known(target).and_then(|known| known.pause.clone()) else {
        return;
    };
    let waits = pause
        .in_hand
        .is_some_and(|deadline| !first && turn.now < later(deadline, LOST));
    if !waits && pause.not_before.is_none_or(|time| turn.now >= time) {
        hand_out(turn, &pause);
    }
}

/// Pauses at the first pods of a release, if its watch says so.
fn begin(turn: &mut Turn<'_>, target: &TargetId, live: &mut Live, state: &TargetState) {
    let (Some(at), Some(known)) = (live.watch.pause_at, turn.known(target)) else {
        return;
    };
    let Some(analysis) = known.analysis.clone() else {
        return;
    };
    let id = PlanId(format!("{}-pause", analysis.id));
    let deployment = target.kind == TargetKind::Deployment;
    if !deployment || analysis.failed.is_some() || known.last_pause.as_ref() == Some(&id) {
        return;
    }
    if state.current.as_ref() != Some(&analysis.canary) || state.uid != analysis.uid {
        return;
    }
    let wanted = state.rolling.map_or(1, |rolling| rolling.wanted);
    let asked = at.of(wanted);
    let pods = state.pods_of(&analysis.canary);
    if pods < usize::try_from(asked).unwrap_or(usize::MAX) {
        return;
    }
    let pause = Pause {
        id,
        analysis: Some(analysis.id.clone()),
        fence: Fence {
            target: target.clone(),
            uid: state.uid.clone(),
            judged: analysis.canary.clone(),
            number: None,
        },
        asked,
        until: later(later(turn.now, live.watch_time()), SLACK),
    };
    let not_now = if state.complete {
        Some(format!(
            "revision {} had all its pods already",
            analysis.canary
        ))
    } else if state.paused {
        Some(format!("{target} was paused by somebody else"))
    } else {
        held(turn, live, state)
    };
    record(turn, target, PauseNews::Began { pause });
    let Some(pause) = turn.known(target).and_then(|known| known.pause.clone()) else {
        return;
    };
    if let Some(reason) = not_now {
        ended(turn, target, live, &pause, PauseEnd::NotPaused { reason });
        return;
    }
    live.handed_pause = pause.index();
    hand_out(turn, &pause);
}

/// Why it may not be paused now.
fn held(turn: &Turn<'_>, live: &Live, state: &TargetState) -> Option<String> {
    let hold = holds_pause(&PauseContext {
        now: turn.now,
        settings: &turn.settings.guards,
        watch: &live.watch.name,
        watch_dry_run: live.watch.dry_run,
        state,
        silence: turn.silence_of(Problem::BadRelease, &live.watch.name, &state.id),
        people: (turn.ledger.people).concerning(turn.now, &state.id.namespace, &state.id),
    })?;
    Some(format!("held by guard `{}`: {}", hold.guard, hold.reason))
}

/// A pause of Recant's that this journal does not know of, or knows to be over.
fn left_behind(turn: &Turn<'_>, target: &TargetId, state: &TargetState) -> Option<Pause> {
    let own = state.pause.as_ref().filter(|own| own.holds)?;
    let known = turn.known(target)?;
    let overdue = own.until.is_none_or(|until| turn.now >= until);
    // What the cluster shows lags behind what was written: the pause that ended just now is no leftover.
    if known.last_pause.as_ref() == Some(&own.plan) && !overdue {
        return None;
    }
    let analysis = known.analysis.as_ref();
    Some(Pause {
        id: own.plan.clone(),
        analysis: analysis.map(|analysis| analysis.id.clone()),
        fence: Fence {
            target: target.clone(),
            uid: state.uid.clone(),
            judged: state
                .current
                .clone()
                .unwrap_or_else(|| known.current.clone()),
            number: None,
        },
        asked: 0,
        until: own.until.unwrap_or(turn.now),
    })
}

fn go_on(
    turn: &mut Turn<'_>,
    target: &TargetId,
    live: &mut Live,
    pause: &PauseState,
    state: &TargetState,
) {
    if state.uid != pause.pause.fence.uid {
        let reason = format!("{target} was deleted and created again");
        ended(turn, target, live, pause, PauseEnd::BySomebody { reason });
        return;
    }
    let own = state
        .pause
        .as_ref()
        .filter(|own| own.plan == pause.pause.id);
    match &pause.course {
        Course::Pausing => {
            let analysed = of_analysis(turn, target, pause).is_some();
            if pause.in_hand.is_none() && (!analysed || elapsed(pause.since, turn.now) > TOO_LATE) {
                let reason = "it was too late for that".to_owned();
                ended(turn, target, live, pause, PauseEnd::NotPaused { reason });
                return;
            }
            hand_out_once(turn, live, pause);
        }
        Course::Resuming { .. } => hand_out_once(turn, live, pause),
        Course::Paused => match own.filter(|own| own.holds) {
            Some(own) => wait(turn, target, live, pause, state, own),
            None => gone(turn, target, live, pause, state),
        },
    }
}

/// It is paused, and the evidence is awaited.
fn wait(
    turn: &mut Turn<'_>,
    target: &TargetId,
    live: &mut Live,
    pause: &PauseState,
    state: &TargetState,
    own: &OwnPause,
) {
    let canary = &pause.pause.fence.judged;
    let settled = state.current.is_some() && elapsed(pause.since, turn.now) >= SETTLED;
    if pause.reached.is_none() && settled {
        let reached = Reached {
            pods: state.pods_of(canary),
            of: state.rolling.map_or(0, |rolling| rolling.wanted),
        };
        record(turn, target, PauseNews::Reached(reached));
        tell::paused(turn, live, pause, reached);
    }
    if own.changed {
        let reason = "another template was shipped meanwhile".to_owned();
        resume(turn, target, live, reason);
        return;
    }
    let Some(known) = turn.known(target) else {
        return;
    };
    // A release that is known to be bad is let out by nobody but a person.
    if known.has_failed(canary) {
        let rolling_back = known.plan.is_some() || known.analysis.is_some();
        if !rolling_back && !pause.told {
            let reason = format!("revision {canary} failed, and was not taken back");
            stuck(turn, target, live, pause, &reason);
        }
        return;
    }
    let analysis = of_analysis(turn, target, pause);
    let reason = match analysis {
        Some(_) if live.opens_gate() && live.sees(turn.now) => {
            format!("every rule is surely kept by revision {canary}")
        }
        _ if turn.now >= pause.pause.until => {
            format!("the time for it is over ({})", pause.pause.until)
        }
        Some(_) => return,
        None if known.known_good(canary) => format!("revision {canary} passed its watch"),
        // Another process judges it, or did: it goes on by its deadline.
        None if pause.pause.analysis.is_none() => return,
        None => format!("the watch of revision {canary} ended without a verdict"),
    };
    resume(turn, target, live, reason);
}

/// It is not paused any more, or not yet as far as the cluster shows.
fn gone(
    turn: &mut Turn<'_>,
    target: &TargetId,
    live: &mut Live,
    pause: &PauseState,
    state: &TargetState,
) {
    if pause.reached.is_none() && elapsed(pause.since, turn.now) < SHOWN {
        return;
    }
    let rollback = pause
        .pause
        .analysis
        .as_ref()
        .map(|analysis| PlanId(format!("{analysis}-rollback")));
    let end = if rollback.is_some() && state.last_plan == rollback {
        PauseEnd::Undone
    } else if state.paused {
        PauseEnd::BySomebody {
            reason: format!("{target} is paused by somebody else now"),
        }
    } else {
        PauseEnd::BySomebody {
            reason: format!("somebody resumed {target}"),
        }
    };
    ended(turn, target, live, pause, end);
}

/// The analysis that the pause is for, while it goes on.
fn of_analysis<'a>(
    turn: &'a Turn<'_>,
    target: &TargetId,
    pause: &PauseState,
) -> Option<&'a Analysis> {
    let analysis = turn.known(target)?.analysis.as_ref()?;
    (Some(&analysis.id) == pause.pause.analysis.as_ref()).then_some(analysis)
}

fn resume(turn: &mut Turn<'_>, target: &TargetId, live: &mut Live, reason: String) {
    record(turn, target, PauseNews::Resuming { reason });
    live.handed_pause = None;
    if let Some(pause) = turn.known(target).and_then(|known| known.pause.clone()) {
        hand_out_once(turn, live, &pause);
    }
}

/// Hands the write out, unless this process has done so and may still have an answer.
fn hand_out_once(turn: &mut Turn<'_>, live: &mut Live, pause: &PauseState) {
    let handed = live.handed_pause == pause.index();
    let waits = pause
        .in_hand
        .is_some_and(|deadline| handed && turn.now < later(deadline, LOST));
    if waits || pause.not_before.is_some_and(|time| turn.now < time) {
        return;
    }
    live.handed_pause = pause.index();
    hand_out(turn, pause);
}

fn hand_out(turn: &mut Turn<'_>, pause: &PauseState) {
    if let Some(command) = pause.command(turn.now) {
        turn.record(Record::StepBegun(command.clone()));
        turn.output.effects.push(Effect::Step(command));
    }
}

fn stuck(
    turn: &mut Turn<'_>,
    target: &TargetId,
    live: &mut Live,
    pause: &PauseState,
    reason: &str,
) {
    if pause.told {
        return;
    }
    tell::left_paused(turn, live, pause, reason);
    let reason = reason.to_owned();
    record(turn, target, PauseNews::Stuck { reason });
}

fn ended(
    turn: &mut Turn<'_>,
    target: &TargetId,
    live: &mut Live,
    pause: &PauseState,
    end: PauseEnd,
) {
    live.handed_pause = None;
    live.news = true;
    tell::pause_ended(turn, live, pause, &end);
    record(turn, target, PauseNews::Ended { end });
}

fn record(turn: &mut Turn<'_>, target: &TargetId, news: PauseNews) {
    turn.record(Record::Pause {
        target: target.clone(),
        news: Box::new(news),
    });
}
