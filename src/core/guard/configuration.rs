//! What the template of the way back names must still exist: without it its pods could not start.

use super::{Guard, Hold};
use crate::analysis::WayBack;
use crate::preflight::Preflight;
use crate::wording::listed;

/// `None`: nothing is known to be missing.
pub fn check(way_back: &WayBack, seen: &Preflight) -> Option<Hold> {
    if seen.missing.is_empty() {
        return None;
    }
    let reason = format!(
        "revision {} needs what does not exist: {}; create it again, or ship a good version",
        way_back.revision,
        listed(&seen.missing)
    );
    Some(Hold::action(Guard::Configuration, reason, None))
}
