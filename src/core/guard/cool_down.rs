//! After an action on a target the next one waits: caches are cold, and two actions in a row are a loop.

use super::{ActionContext, Guard, Hold};
use crate::time::later;

pub(super) fn check(context: &ActionContext<'_>) -> Option<Hold> {
    let until = later(context.last_action?, context.settings.cool_down);
    if context.now >= until {
        return None;
    }
    let reason = format!(
        "{} was rolled back less than {} ago",
        context.analysis.target,
        crate::wording::span(context.settings.cool_down)
    );
    Some(Hold::action(Guard::CoolDown, reason, Some(until)))
}
