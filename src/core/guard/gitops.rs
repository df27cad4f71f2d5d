//! A workload that a `GitOps` tool keeps as Git says: by policy it is left to Git, and where a rollback was reverted it is
//! not tried again. Recant never fights in a loop.

use super::{ActionContext, Guard, Hold};
use crate::rule::GitOps;

pub(super) fn check(context: &ActionContext<'_>) -> Option<Hold> {
    let state = context.state?;
    let owner = state.owner.as_ref()?;
    let target = &context.analysis.target;
    // An abort leaves the spec as it is: there is no drift that could be reverted.
    let aborts = state.rollout.as_ref().is_some_and(|rollout| {
        let to = context.way_back.map(|to| &to.revision);
        to.is_some() && rollout.stable.as_ref() == to
    });
    if aborts {
        return None;
    }
    let reason = match (context.gitops, context.reverted) {
        (GitOps::Tell, _) => format!(
            "{target} belongs to {owner}, which would write it back, and the policy for that is `tell`: \
             take the release back in Git"
        ),
        (GitOps::Verify | GitOps::Suspend, Some(reverted)) => format!(
            "{target} belongs to {owner}; the last rollback was reverted by `{}` at {:.0}, and is not fought over: \
             take the release back in Git",
            reverted.by, reverted.at
        ),
        (GitOps::Verify | GitOps::Suspend, None) => format!(
            "{target} belongs to {owner}, whose self-heal could not be suspended: {}",
            context.not_suspended?
        ),
    };
    Some(Hold::action(Guard::GitOps, reason, None))
}
