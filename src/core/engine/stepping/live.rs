//! What is known of a stepped release since the agent started, and looks at the route.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

use crate::change::{ObjectRef, ObjectState};
use crate::engine::live::Live;
use crate::engine::{Effect, Objects, Turn};
use crate::ids::PlanId;
use crate::time::elapsed;
use crate::wording::short;

/// The cluster is asked again about the route after this long.
const AGAIN: SignedDuration = SignedDuration::from_secs(10);
/// The same, when something is decided from it.
const SOON: SignedDuration = SignedDuration::from_secs(2);
/// So many looks in a row that could not be made are a reason to hold, and to tell.
const FAILURES: u32 = 3;
/// Reasons come from outside and end up in records and messages.
const MOST_REASON: usize = 300;

/// Of one target; what does not last.
#[derive(Debug, Default)]
pub(in crate::engine) struct SteppingLive {
    asked: Option<Timestamp>,
    failures: u32,
    /// Edits that this process handed to the executor.
    pub(super) handed: BTreeSet<PlanId>,
    /// Nothing is decided anew before.
    pub(super) retry: Option<Timestamp>,
    /// Since when the release may go on, without a break.
    pub(super) open: Option<Timestamp>,
    /// For which edit, and what each rule had counted when that was done.
    pub(super) counted: Option<(u32, Vec<f64>)>,
}

impl SteppingLive {
    /// Whether the answer of now is one to a question of later than that.
    pub(super) fn asked_after(&self, at: Timestamp) -> bool {
        self.asked.is_some_and(|asked| asked > at)
    }

    /// Whether it has asked for one of these.
    pub(in crate::engine) fn awaits(&self) -> bool {
        self.asked.is_some()
    }
}

/// What the cluster has just said of the route; asks it when it has said nothing lately. An error is one that lasts.
/// `due`: something is decided from it now.
pub(super) fn look<'l>(
    turn: &mut Turn<'_>,
    live: &mut Live,
    object: &ObjectRef,
    looked: &'l Objects,
    due: bool,
) -> Option<Result<&'l Option<ObjectState>, String>> {
    let stepping = &mut live.stepping;
    match looked.get(object) {
        Some(Ok(found)) => {
            stepping.failures = 0;
            return Some(Ok(found));
        }
        Some(Err(reason)) => {
            stepping.failures = stepping.failures.saturating_add(1);
            if stepping.failures >= FAILURES {
                let reason = short(reason, MOST_REASON);
                return Some(Err(format!("{object} could not be read: {reason}")));
            }
        }
        None => {}
    }
    let again = if due && stepping.retry.is_none_or(|at| turn.now >= at) {
        SOON
    } else {
        AGAIN
    };
    let late = |at: Timestamp| turn.now < at || elapsed(at, turn.now) >= again;
    if stepping.asked.is_none_or(late) {
        stepping.asked = Some(turn.now);
        let look = Effect::LookAtObject {
            object: object.clone(),
        };
        if !turn.output.effects.contains(&look) {
            turn.output.effects.push(look);
        }
    }
    None
}
