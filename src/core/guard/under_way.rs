//! One rollback at a time: ours, or that of a person.

use super::{ActionContext, Guard, Hold};

pub(super) fn check(context: &ActionContext<'_>) -> Option<Hold> {
    let target = &context.analysis.target;
    let reason = if let Some(plan) = context.plan {
        format!(
            "plan `{}` is still being carried out on {target}",
            plan.plan.id
        )
    } else if context
        .state
        .and_then(|state| state.rollout.as_ref())?
        .aborted
    {
        format!("{target} was already aborted by somebody")
    } else {
        return None;
    };
    Some(Hold::action(Guard::UnderWay, reason, None))
}
