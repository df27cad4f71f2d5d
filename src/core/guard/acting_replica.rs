//! Of several replicas one lets the others act: until it has, an action that all other guards let through waits.

use super::{Guard, Hold};

/// The hold of what has not been granted; `heard`: the acting replica has been heard of.
pub fn hold(heard: bool) -> Hold {
    let reason = if heard {
        "it waits for the acting replica, which looks at the targets of all replicas together"
    } else {
        "it waits for the acting replica, which has not been heard of yet"
    };
    Hold::action(Guard::ActingReplica, reason.to_owned(), None)
}
