//! Edits of what directs traffic (`traffic`), as changes: what an object shows of them.

use serde_json::Value;

use super::Seen;
use crate::traffic;

/// Puts what a look at traffic found into the words of a change; `what` it is about, for people.
pub(super) fn seen(found: Result<traffic::Seen, String>, what: &str) -> Seen {
    match found {
        Ok(traffic::Seen::Before) => Seen::From,
        Ok(traffic::Seen::After) => Seen::To,
        Ok(traffic::Seen::Other(now)) => Seen::Other {
            now: format!("has {what} {now}"),
        },
        Err(reason) => Seen::Impossible { reason },
    }
}

/// Who else sets the traffic of this object by now.
pub(super) fn managed(object: &Value) -> Option<Seen> {
    traffic::managed_by(object).map(|owner| Seen::Impossible {
        reason: format!("it belongs to {owner}, which would set it back"),
    })
}
