//! One rollback at a time: ours, or that of a person. And none into a promotion, which would take no notice of it.

use super::{ActionContext, Guard, Hold};

pub(super) fn check(context: &ActionContext<'_>) -> Option<Hold> {
    let target = &context.analysis.target;
    let canary = &context.analysis.canary;
    let rollout = context.state.and_then(|state| state.rollout.as_ref());
    let reason = if let Some(plan) = context.plan {
        format!(
            "the rollback of revision {} of {target} is still being carried out",
            plan.plan.fence.judged
        )
    } else if rollout.is_some_and(|rollout| rollout.aborted) {
        format!("{target} was already aborted by somebody")
    } else if rollout
        .is_some_and(|rollout| rollout.promote_full && rollout.stable.as_ref() != Some(canary))
    {
        // The controller ignores an abort after promoteFull (argo-rollouts#4461).
        format!(
            "somebody is promoting revision {canary} of {target} in full; it can be undone after that"
        )
    } else {
        return None;
    };
    Some(Hold::action(Guard::UnderWay, reason, None))
}
