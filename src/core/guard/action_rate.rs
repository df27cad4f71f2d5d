//! At most so many actions an hour over all targets, whatever the rules say (P11).

use jiff::{SignedDuration, Timestamp};

use super::{Guard, GuardSettings, Hold};
use crate::time::later;
use crate::wording::plural;

const HOUR: SignedDuration = SignedDuration::from_hours(1);

/// Rollbacks and scalings count alike.
pub(super) fn hold(
    now: Timestamp,
    settings: &GuardSettings,
    actions: &[Timestamp],
) -> Option<Hold> {
    let limit = settings.actions_per_hour;
    let recent: Vec<Timestamp> = actions
        .iter()
        .copied()
        .filter(|at| later(*at, HOUR) > now)
        .collect();
    if recent.len() < limit {
        return None;
    }
    // The action that has to become an hour old before the next is allowed; none when the limit is 0.
    let until = recent.get(recent.len() - limit).map(|at| later(*at, HOUR));
    let reason = format!(
        "{} in the last hour over all targets, and {limit} are allowed",
        plural(recent.len(), "action")
    );
    Some(Hold::action(Guard::ActionRate, reason, until))
}
