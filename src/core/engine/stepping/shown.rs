//! What readers see of a stepped release: its share, its step, and what it waits for.

use jiff::{SignedDuration, Timestamp};

use super::ready;
use crate::engine::live::Live;
use crate::snapshot::TrafficSnapshot;
use crate::stepping::{Stepping, SteppingEnd};
use crate::time::elapsed;
use crate::wording::span;

/// The traffic of the release, as it is stepped now.
pub(in crate::engine) fn shown(
    live: &Live,
    stepping: &Stepping,
    now: Timestamp,
) -> TrafficSnapshot {
    let route = &stepping.stepped.route;
    TrafficSnapshot {
        revision: stepping.canary.clone(),
        route: route.to_string(),
        backend: route.backend(),
        percent: stepping.percent(),
        step: stepping.step(),
        steps: stepping.stepped.steps.clone(),
        next: stepping.next().map(|(_, percent)| percent),
        waits_for: stepping
            .end
            .is_none()
            .then(|| waits_for(live, stepping, now)),
        held: stepping
            .holds
            .latest
            .clone()
            .filter(|_| stepping.end.is_none()),
        ended: stepping.end.as_ref().map(SteppingEnd::in_words),
    }
}

fn waits_for(live: &Live, stepping: &Stepping, now: Timestamp) -> String {
    if stepping.moving.is_some() || stepping.holds.latest.is_some() || stepping.next().is_none() {
        return stepping.waits_for();
    }
    if !ready::pods_are_ready(live, stepping) {
        return format!(
            "pods of revision {} to be ready, and none of another revision to serve",
            stepping.canary
        );
    }
    if stepping.reached.is_none() {
        return stepping.waits_for();
    }
    let each = SignedDuration::try_from(stepping.stepped.each).unwrap_or(SignedDuration::MAX);
    match live.stepping.open {
        None => format!(
            "every rule to be surely kept on fresh data, for {} without a break",
            span(each)
        ),
        Some(since) if elapsed(since, now) < each => format!(
            "{} of passing without a break; it has been passing for {}",
            span(each),
            span(elapsed(since, now).max(SignedDuration::ZERO))
        ),
        Some(_) => "more events at this step: too few for a decision so far".to_owned(),
    }
}
