//! Stepped releases: the share of the traffic rises as the evidence allows, and goes back to nothing on a Fail.
//!
//! Each edit of the route is decided from a look at it, written down, and carried out by the executor under its fence.
//! A weight that somebody else set ends the stepping: theirs stays.

mod carry;
mod live;
mod ready;
mod shown;

use jiff::SignedDuration;

use super::live::Live;
use super::{Objects, Turn, tell};
use crate::analysis::Analysis;
use crate::change::{Change, Edit, ObjectRef, ObjectState};
use crate::guard::{Guard, Hold, TrafficContext, holds_traffic};
use crate::ids::{PlanId, TargetId};
use crate::notice::Problem;
use crate::record::{Record, Standing};
use crate::stepping::{Aim, Reached, Stepping, SteppingEnd, TrafficPlan};
use crate::time::{elapsed, later};
use crate::traffic::{Route, Shift};

pub(super) use carry::step_ended;
pub(super) use live::SteppingLive;
pub(super) use shown::shown;

/// An edit that ended without a write is decided anew after this long.
const RETRY: SignedDuration = SignedDuration::from_secs(30);
/// Edits of one release, however often they were fenced: the bound keeps a mistake from looping.
const MOST_MOVES: u32 = 60;
/// Percent are compared as counted from weights, whose proportions need not be whole.
const NEARLY: f64 = 0.51;

/// What the release that a stepping belongs to is doing.
enum Release {
    Running,
    Failed,
    Passed,
    Over(String),
}

/// Looks after the traffic of one target.
pub(super) fn tend(turn: &mut Turn<'_>, target: &TargetId, live: &mut Live, looked: &Objects) {
    if turn.past || live.state.is_none() {
        return;
    }
    begin(turn, target, live);
    if let Some(stepping) = active(turn, target) {
        if stepping.moving.is_some() {
            carry::carry(turn, target, live, &stepping, looked);
        } else {
            go_on(turn, target, live, &stepping, looked);
        }
    }
    tell::stepping(turn, target, live);
}

fn known(turn: &Turn<'_>, target: &TargetId) -> Option<Stepping> {
    turn.known(target)?.stepping.clone()
}

fn active(turn: &Turn<'_>, target: &TargetId) -> Option<Stepping> {
    known(turn, target).filter(|stepping| stepping.end.is_none())
}

/// A release that is judged and steps its traffic begins to, when the one before has let go of the route.
fn begin(turn: &mut Turn<'_>, target: &TargetId, live: &mut Live) {
    let analysis = turn.known(target).and_then(|known| known.analysis.as_ref());
    let steps = |found: &&Analysis| found.stepped && found.failed.is_none();
    let Some(analysis) = analysis.filter(steps).cloned() else {
        return;
    };
    if let Some(before) = known(turn, target) {
        if before.analysis == analysis.id || before.moving.is_some() {
            return;
        }
        if before.end.is_none() {
            let reason = format!("revision {} was shipped meanwhile", analysis.canary);
            end(turn, target, SteppingEnd::Over { reason });
            tell::stepping(turn, target, live);
        }
    }
    let Some(stepped) = &live.watch.stepped else {
        return;
    };
    let stepping = Stepping::new(
        &analysis.id,
        &analysis.watch,
        target,
        &analysis.canary,
        stepped,
    );
    live.stepping = SteppingLive::default();
    turn.record(Record::SteppingBegan {
        stepping: Box::new(stepping),
    });
}

fn go_on(
    turn: &mut Turn<'_>,
    target: &TargetId,
    live: &mut Live,
    stepping: &Stepping,
    looked: &Objects,
) {
    // The rules of the watch say by now that nothing is stepped, or something else is.
    if live.watch.stepped.as_ref() != Some(&stepping.stepped) {
        let reason = "`release.traffic` of the watch was changed".to_owned();
        end(turn, target, SteppingEnd::Over { reason });
        return;
    }
    let aim = match release(turn, target, stepping) {
        Release::Running => {
            ready::watch(live, stepping, turn);
            stepping
                .next()
                .map(|(step, percent)| (Aim::Step(step), percent))
        }
        Release::Failed => Some((Aim::Back, 0)),
        Release::Passed if stepping.in_full() => {
            end(turn, target, SteppingEnd::Passed);
            return;
        }
        Release::Passed => {
            let reason = "the release passed before its last step".to_owned();
            end(turn, target, SteppingEnd::Over { reason });
            return;
        }
        Release::Over(reason) => {
            end(turn, target, SteppingEnd::Over { reason });
            return;
        }
    };
    let route = &stepping.stepped.route;
    let due =
        aim.is_some_and(|(aim, _)| aim == Aim::Back || ready::is_ready(live, stepping, turn.now));
    if let (Some((Aim::Back, _)), Some(change)) = (aim, at_once(stepping))
        && of_guards(turn, target, live, Aim::Back).is_none()
    {
        begin_move(turn, target, live, stepping, (Aim::Back, 0), change);
        return;
    }
    let seen = live::look(turn, live, &ObjectRef::from(route), looked, due);
    // As it was found: first whether somebody else has a hand in it.
    if let Some(Ok(found)) = seen
        && let Some(reached) = &stepping.reached
        // What was asked before the write may show what was there before it.
        && live.stepping.asked_after(reached.at)
        && let Some(reason) = taken_over(route, reached, found.as_ref())
    {
        end(turn, target, SteppingEnd::TakenOver { reason });
        return;
    }
    let Some((aim, percent)) = aim else {
        return;
    };
    // What an earlier release left is taken down to the first step at once: new pods must not get all of it.
    let lowers = stepping.reached.is_none()
        && matches!(&seen, Some(Ok(Some(found))) if is_above(route, found, percent));
    if !due && !lowers {
        return;
    }
    if let Some(hold) = of_guards(turn, target, live, aim) {
        held(turn, target, stepping, hold);
        return;
    }
    if live.stepping.retry.is_some_and(|at| turn.now < at) {
        return;
    }
    let Some(seen) = seen else { return };
    match seen {
        Err(reason) => {
            held(
                turn,
                target,
                stepping,
                hold(Guard::SourceUnavailable, reason.clone()),
            );
        }
        Ok(None) => {
            let why = format!("{route} does not exist");
            held(turn, target, stepping, hold(Guard::ObjectChanged, why));
        }
        Ok(Some(found)) => decide(turn, target, live, stepping, (aim, percent), found),
    }
}

/// Decides the edit, or that none is needed.
fn decide(
    turn: &mut Turn<'_>,
    target: &TargetId,
    live: &mut Live,
    stepping: &Stepping,
    (aim, percent): (Aim, u32),
    found: &ObjectState,
) {
    let route = &stepping.stepped.route;
    if let Some(place) = &found.kill_switch {
        let why =
            format!("the kill switch is on as annotation `recant.dev/kill-switch` on {place}");
        held(turn, target, stepping, hold(Guard::KillSwitch, why));
        return;
    }
    let edit = match route.shift(percent, &found.object) {
        Err(reason) => {
            let why = format!("{route} cannot be set: {reason}");
            held(turn, target, stepping, hold(Guard::ObjectChanged, why));
            return;
        }
        Ok(Shift::Nothing) => {
            let back = edit_of(route.shift(0, &found.object));
            let back = back.map(|edit| change_of(route, found.uid(), edit));
            reached(turn, target, (aim, percent), found.uid(), back);
            return;
        }
        found => edit_of(found),
    };
    if let Some(edit) = edit {
        let change = change_of(route, found.uid(), edit);
        begin_move(turn, target, live, stepping, (aim, percent), change);
    }
}

fn edit_of(shift: Result<Shift, String>) -> Option<Edit> {
    match shift {
        Ok(Shift::Weights(edit)) => Some(Edit::Weights(edit)),
        Ok(Shift::CanaryWeight(edit)) => Some(Edit::CanaryWeight(edit)),
        Ok(Shift::Nothing) | Err(_) => None,
    }
}

fn change_of(route: &Route, uid: &str, edit: Edit) -> Change {
    Change {
        object: ObjectRef::from(route),
        uid: uid.to_owned(),
        edit,
    }
}

/// What takes the traffic back without another look: nothing was tried since the last step was reached.
fn at_once(stepping: &Stepping) -> Option<Change> {
    let reached = stepping.reached.as_ref()?;
    let untried = stepping.holds.latest.is_none();
    reached.back.as_deref().filter(|_| untried).cloned()
}

/// Writes the decision down and hands it out.
fn begin_move(
    turn: &mut Turn<'_>,
    target: &TargetId,
    live: &mut Live,
    stepping: &Stepping,
    (aim, percent): (Aim, u32),
    change: Change,
) {
    if stepping.moves >= MOST_MOVES {
        let reason = format!("{} was tried {} times", change.object, stepping.moves);
        end(turn, target, SteppingEnd::Stuck { reason });
        return;
    }
    let plan = TrafficPlan {
        id: PlanId(format!(
            "{}-traffic-{}",
            stepping.analysis,
            stepping.moves + 1
        )),
        target: target.clone(),
        analysis: stepping.analysis.clone(),
        aim,
        percent,
        change,
    };
    turn.record(Record::TrafficBegan {
        plan: Box::new(plan),
    });
    if let Some(stepping) = active(turn, target) {
        carry::carry(turn, target, live, &stepping, &Objects::new());
    }
}

/// The route is as wanted.
fn reached(
    turn: &mut Turn<'_>,
    target: &TargetId,
    (aim, percent): (Aim, u32),
    uid: &str,
    back: Option<Change>,
) {
    turn.record(Record::TrafficReached {
        target: target.clone(),
        reached: Reached {
            aim,
            percent,
            uid: uid.to_owned(),
            at: turn.now,
            back: back.map(Box::new),
        },
    });
    if aim == Aim::Back {
        end(turn, target, SteppingEnd::Back);
    }
}

fn end(turn: &mut Turn<'_>, target: &TargetId, end: SteppingEnd) {
    turn.record(Record::SteppingEnded {
        target: target.clone(),
        end,
    });
}

fn hold(guard: Guard, reason: String) -> Hold {
    Hold::action(guard, reason, None)
}

fn held(turn: &mut Turn<'_>, target: &TargetId, stepping: &Stepping, hold: Hold) {
    if stepping.holds.is_new(hold.guard) {
        turn.record(Record::TrafficHeld {
            target: target.clone(),
            hold,
        });
    }
}

fn release(turn: &Turn<'_>, target: &TargetId, stepping: &Stepping) -> Release {
    let Some(known) = turn.known(target) else {
        return Release::Over(format!("{target} is gone"));
    };
    let analysis = known.analysis.as_ref();
    if let Some(analysis) = analysis.filter(|analysis| analysis.id == stepping.analysis) {
        return match analysis.failed {
            Some(_) => Release::Failed,
            None => Release::Running,
        };
    }
    let judged = known.judged.as_ref();
    if judged.is_some_and(|judged| judged.analysis == stepping.analysis) {
        return Release::Failed;
    }
    if known.latest.as_ref() != Some(&stepping.analysis) {
        return Release::Over("another release came".to_owned());
    }
    match known.standings.get(&stepping.canary) {
        Some(Standing::KnownGood { .. }) => Release::Passed,
        Some(Standing::Inconclusive { .. }) => {
            Release::Over("the analysis ended without a verdict".to_owned())
        }
        Some(Standing::Failed { .. }) => Release::Failed,
        None => Release::Over(format!(
            "the release of revision {} was superseded",
            stepping.canary
        )),
    }
}

/// Whether the route is not as it was left, and what it is now.
fn taken_over(route: &Route, reached: &Reached, found: Option<&ObjectState>) -> Option<String> {
    let Some(found) = found else {
        return Some(format!("{route} was deleted"));
    };
    if found.uid() != reached.uid {
        return Some(format!("{route} was deleted and created again"));
    }
    match route.percent(&found.object) {
        Err(reason) => Some(format!("{route} was changed: {reason}")),
        Ok(now) if (now - f64::from(reached.percent)).abs() < NEARLY => None,
        Ok(now) => Some(format!(
            "somebody set {} of {route} to {now:.0} %, which Recant had set to {} %",
            route.backend(),
            reached.percent
        )),
    }
}

/// The guards that need no look at the route.
fn of_guards(turn: &Turn<'_>, target: &TargetId, live: &Live, aim: Aim) -> Option<Hold> {
    let problem = Problem::BadRelease;
    let all = turn.of_all();
    holds_traffic(&TrafficContext {
        now: turn.now,
        settings: &turn.settings.guards,
        target,
        watch: &live.watch.name,
        watch_dry_run: live.watch.dry_run,
        state: live.state.as_ref(),
        actions: &all.actions,
        failures: &all.failures,
        back: aim == Aim::Back,
        silence: turn.silence_of(problem, &live.watch.name, target),
        people: (turn.ledger.people).concerning(turn.now, &target.namespace, target),
    })
}

/// Whether the backend has a larger share than that.
fn is_above(route: &Route, found: &ObjectState, percent: u32) -> bool {
    let now = route.percent(&found.object);
    now.is_ok_and(|now| now > f64::from(percent) + NEARLY)
}

/// When an edit that ended without a write may be decided anew.
fn retry(live: &mut Live, turn: &Turn<'_>) {
    live.stepping.retry = Some(later(turn.now, RETRY));
}

/// How long it has been so.
fn lasts(since: Option<jiff::Timestamp>, now: jiff::Timestamp, least: SignedDuration) -> bool {
    since.is_some_and(|since| now >= since && elapsed(since, now) >= least)
}
