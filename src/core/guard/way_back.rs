//! There must be a revision to go back to: one that did not fail, and that still exists.

use super::{ActionContext, Guard, Hold};

pub(super) fn check(context: &ActionContext<'_>) -> Option<Hold> {
    let target = &context.analysis.target;
    let reason = match (context.way_back, context.state) {
        (None, _) => format!("{target} has no earlier revision that did not fail"),
        (Some(way_back), Some(state))
            if !state
                .revisions
                .iter()
                .any(|revision| revision.hash == way_back.revision) =>
        {
            format!(
                "revision {} of {target} no longer exists (see `revisionHistoryLimit`); ship a good version by hand",
                way_back.revision
            )
        }
        (Some(_), _) => return None,
    };
    Some(Hold::action(Guard::NoWayBack, reason, None))
}
