//! Rollbacks that fail one after the other show that rolling back does not help here: stop, and let a person look.
//!
//! As with the breakers of networks: after so many failures nothing is tried for a while; then one rollback alone. If that
//! one helps, all is as before; if it fails, the pause begins anew.

use super::{Guard, Hold, OfAll};
use crate::time::later;
use crate::wording::plural;

pub(super) fn check(context: &OfAll<'_>) -> Option<Hold> {
    let limit = context.settings.breaker;
    if limit.number == 0 || context.setbacks.len() < limit.number {
        return None;
    }
    let failed = format!(
        "the last {} did not help, or could not be carried out",
        plural(context.setbacks.len(), "rollback")
    );
    let until = later(*context.setbacks.last()?, limit.within);
    if context.now < until {
        let reason = format!("{failed}: look why before anything else is changed");
        return Some(Hold::action(Guard::CircuitBreaker, reason, Some(until)));
    }
    // One alone is tried.
    (context.others_under_way > 0).then(|| {
        let reason = format!("{failed}: another is being tried, and the rest waits for its end");
        Hold::action(Guard::CircuitBreaker, reason, None)
    })
}
