//! What was judged must still be what is there. The executor's fence holds the same against a fresh read.

use super::{ActionContext, Guard, Hold};

pub(super) fn check(context: &ActionContext<'_>) -> Option<Hold> {
    let analysis = context.analysis;
    let target = &analysis.target;
    let reason = match context.state {
        None => format!("{target} has not been seen in the cluster since the start"),
        Some(state) if state.uid != analysis.uid => {
            format!("{target} was deleted and created again since it was judged")
        }
        Some(state) => match &state.current {
            None => format!("the controller has not seen the latest spec of {target} yet"),
            Some(current) if *current != analysis.canary => format!(
                "{target} is at revision {current}, and {} was judged",
                analysis.canary
            ),
            Some(_) if state.paused_by_somebody() => {
                format!("{target} was paused by somebody; resume it, or undo it by hand")
            }
            Some(_) => return None,
        },
    };
    Some(Hold::action(Guard::ObjectChanged, reason, None))
}
