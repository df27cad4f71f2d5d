//! At most so many targets are under rollback at a time (P11): until it is known that one rollback helped.

use super::{Guard, Hold, OfAll, OperationContext};
use crate::wording::plural;

pub(super) fn check(context: &OfAll<'_>) -> Option<Hold> {
    let limit = context.settings.at_once.of(context.watched);
    if context.others_under_way < limit {
        return None;
    }
    let reason = format!(
        "{} under rollback, or not yet seen to be well again, and {limit} at a time may be",
        match context.others_under_way {
            1 => "1 target is".to_owned(),
            number => format!("{} are", plural(number, "target")),
        }
    );
    Some(Hold::action(Guard::BlastRadius, reason, None))
}

/// As many operations at a time as there may be targets under rollback.
pub(super) fn of_operations(context: &OperationContext<'_>) -> Option<Hold> {
    let limit = context.settings.at_once.of(context.watched);
    if context.under_way < limit {
        return None;
    }
    let reason = format!(
        "{} carried out just now, and {limit} at a time may be",
        match context.under_way {
            1 => "1 operation is".to_owned(),
            number => format!("{} are", plural(number, "operation")),
        }
    );
    Some(Hold::action(Guard::BlastRadius, reason, None))
}
