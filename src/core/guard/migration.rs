//! A Job of the release that is running, such as a migration of the database, is not cut off in the middle.

use super::{Guard, Hold};
use crate::preflight::Preflight;
use crate::wording::listed;

/// `None`: none is running.
pub fn check(seen: &Preflight) -> Option<Hold> {
    if seen.jobs.is_empty() {
        return None;
    }
    let reason = format!(
        "{} of this release has not ended yet; delete it if it never will",
        listed(&seen.jobs)
    );
    Some(Hold::action(Guard::Migration, reason, None))
}
