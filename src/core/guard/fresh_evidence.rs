//! An action that was held back needs evidence that is still true when the hold ends: it never acts blind (P7).

use super::{ActionContext, Guard, Hold};
use crate::time::elapsed;
use crate::wording::span;

pub(super) fn check(context: &ActionContext<'_>) -> Option<Hold> {
    let Some(at) = context.evidence_at else {
        return Some(Hold::action(
            Guard::NoData,
            "there are no data since the start of the agent yet".to_owned(),
            None,
        ));
    };
    let age = elapsed(at, context.now);
    if age > context.patience {
        let reason = format!("the last data are {} old", span(age));
        return Some(Hold::action(Guard::NoData, reason, None));
    }
    if context.still_failing {
        return None;
    }
    let reason = "no rule fails on the latest data any more".to_owned();
    Some(Hold::action(Guard::SymptomGone, reason, None))
}
