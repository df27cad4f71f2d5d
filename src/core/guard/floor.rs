//! Annotation `recant.dev/floor` on the workload: the revision below which nothing goes back, as after a migration of the
//! database that older code cannot read.

use super::{ActionContext, Guard, Hold};
use crate::target::Revision;

pub(super) fn check(context: &ActionContext<'_>) -> Option<Hold> {
    let (state, way_back) = (context.state?, context.way_back?);
    let floor = state.for_rollback.floor.as_deref()?.trim();
    let target = &context.analysis.target;
    let find = |hash: &str| {
        let mut revisions = state.revisions.iter();
        revisions.find(|revision| revision.hash.as_str() == hash)
    };
    // That it is gone is told by another guard.
    let to = find(way_back.revision.as_str())?;
    let above = match (find(floor), floor.parse::<u64>()) {
        (Some(lowest), _) => is_above(to, lowest),
        (None, Ok(number)) => to.number >= number,
        (None, Err(_)) => {
            let reason = format!(
                "annotation `recant.dev/floor` of {target} is `{}`, which is no revision that it has: give the hash or the \
                 number of the lowest revision that may run",
                crate::wording::short(floor, 80)
            );
            return Some(Hold::action(Guard::Floor, reason, None));
        }
    };
    if above {
        return None;
    }
    let reason = format!(
        "revision {} (number {}) is below the floor `{floor}` that annotation `recant.dev/floor` of {target} sets; ship a \
         good version above it, or take the annotation away if the older one can run",
        to.hash, to.number
    );
    Some(Hold::action(Guard::Floor, reason, None))
}

/// By when they were made: an undo gives an old template a new number.
fn is_above(to: &Revision, lowest: &Revision) -> bool {
    to.hash == lowest.hash || to.created > lowest.created
}
