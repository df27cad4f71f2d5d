//! Somebody said that nothing is to be done to a target: `recant hold`.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Guard, Hold};
use crate::wording::short;

/// Characters of the reason that a hold shows.
const SHOWN: usize = 200;

/// What somebody ordered, and that holds until it ends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Ordered {
    /// Who, for people.
    pub by: String,
    /// Why, in their words; may be empty.
    pub reason: String,
    pub since: Timestamp,
    /// `None`: until somebody ends it.
    pub until: Option<Timestamp>,
}

impl Ordered {
    /// Whether it holds at `now`.
    pub fn is_on(&self, now: Timestamp) -> bool {
        self.until.is_none_or(|until| now < until)
    }

    /// ``by `ops` since 09:00 ("the database is being moved")``
    pub(super) fn in_words(&self) -> String {
        let reason = match self.reason.as_str() {
            "" => String::new(),
            reason => format!(" (\"{}\")", short(reason, SHOWN)),
        };
        format!("by {} since {:.0}{reason}", self.by, self.since)
    }
}

/// Rollbacks and scalings are held alike.
pub(super) fn hold(now: Timestamp, ordered: Option<&Ordered>) -> Option<Hold> {
    let ordered = ordered.filter(|ordered| ordered.is_on(now))?;
    let reason = format!(
        "it is held {}; `recant resume` ends that",
        ordered.in_words()
    );
    Some(Hold::action(Guard::HeldByPerson, reason, ordered.until))
}
