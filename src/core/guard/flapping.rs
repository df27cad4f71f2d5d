//! A target that is rolled back again and again has another trouble than its releases: a person has to look.

use super::{ActionContext, Guard, Hold};
use crate::time::later;
use crate::wording::{plural, span};

pub(super) fn check(context: &ActionContext<'_>) -> Option<Hold> {
    let limit = context.settings.flapping;
    let recent: Vec<_> = context
        .rollbacks
        .iter()
        .filter(|at| later(**at, limit.within) > context.now)
        .collect();
    if limit.number == 0 || recent.len() < limit.number {
        return None;
    }
    // The rollback that has to become old before the next is allowed.
    let until = later(**recent.get(recent.len() - limit.number)?, limit.within);
    let reason = format!(
        "{} was rolled back {} within {} already: something else than its releases may be wrong",
        context.analysis.target,
        plural(recent.len(), "time"),
        span(limit.within)
    );
    Some(Hold::action(Guard::Flapping, reason, Some(until)))
}
