//! When the next step may come: the pods are there, and the release has been passing on fresh evidence for long enough.

use jiff::{SignedDuration, Timestamp};

use super::lasts;
use crate::engine::Turn;
use crate::engine::live::{Live, LiveRule};
use crate::stepping::Stepping;
use crate::time::elapsed;

/// Takes in whether the release may go on now.
pub(super) fn watch(live: &mut Live, stepping: &Stepping, turn: &Turn<'_>) {
    let holds = turn
        .known(&stepping.target)
        .is_some_and(|known| !known.holds.is_empty());
    let open =
        !holds && live.candidates.is_empty() && live.opens_gate() && is_fresh(live, turn.now);
    let events: Vec<f64> = live
        .rules
        .iter()
        .map(|rule| rule.evidence.events())
        .collect();
    let at_step = stepping.reached.as_ref().map(|reached| reached.at);
    let traffic = &mut live.stepping;
    if traffic
        .counted
        .as_ref()
        .is_none_or(|(moves, _)| *moves != stepping.moves)
    {
        traffic.counted = Some((stepping.moves, events));
        traffic.open = None;
    }
    if open {
        let now = at_step.map_or(turn.now, |at| at.max(turn.now));
        traffic.open.get_or_insert(now);
    } else {
        traffic.open = None;
    }
}

/// Whether the next step may come, as far as the release itself is concerned.
pub(super) fn is_ready(live: &Live, stepping: &Stepping, now: Timestamp) -> bool {
    if !pods_are_ready(live, stepping) {
        return false;
    }
    if stepping.reached.is_none() {
        return true;
    }
    let each = SignedDuration::try_from(stepping.stepped.each).unwrap_or(SignedDuration::MAX);
    lasts(live.stepping.open, now, each) && saw_enough(live)
}

/// Pods of the revision serve, and none of another one.
pub(super) fn pods_are_ready(live: &Live, stepping: &Stepping) -> bool {
    let Some(state) = &live.state else {
        return false;
    };
    let mut serving = state
        .pods
        .iter()
        .filter(|pod| pod.ready && !pod.terminating)
        .peekable();
    serving.peek().is_some() && serving.all(|pod| pod.hash == stepping.canary)
}

/// Every rule that counts and decides has counted at this step what it needs for any decision.
fn saw_enough(live: &Live) -> bool {
    let Some((_, counted)) = &live.stepping.counted else {
        return false;
    };
    live.rules
        .iter()
        .zip(counted)
        .filter(|(rule, _)| decides(rule))
        .all(|(rule, then)| rule.evidence.events() - then >= rule.least().max(1.0))
}

fn is_fresh(live: &Live, now: Timestamp) -> bool {
    let patience = live.freshness();
    live.rules.iter().filter(|rule| decides(rule)).all(|rule| {
        rule.evidence
            .last_data()
            .is_some_and(|at| at > now || elapsed(at, now) <= patience)
    })
}

fn decides(rule: &LiveRule) -> bool {
    !rule.rule.dry_run && !rule.rule.only_accuses()
}
