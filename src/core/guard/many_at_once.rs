//! Many targets that fail at once share a cause, and that is hardly the release of each: rolling all of them back would
//! change much and help little.

use jiff::Timestamp;

use super::{Guard, GuardSettings, Hold, OfAll};
use crate::ids::TargetId;
use crate::time::later;
use crate::wording::{listed, span};

/// Names that are told.
const NAMED: usize = 3;

pub(super) fn check(context: &OfAll<'_>) -> Option<Hold> {
    hold(context.now, context.settings, context.failures)
}

pub(super) fn hold(
    now: Timestamp,
    settings: &GuardSettings,
    failures: &[(Timestamp, TargetId)],
) -> Option<Hold> {
    let limit = settings.many_at_once;
    let last = failures.iter().map(|(at, _)| *at).max()?;
    let until = later(last, limit.within);
    if limit.number == 0 || now >= until {
        return None;
    }
    // Counted back from the last one: the first must not grow old while others still join.
    let joined = |at| later(at, limit.within) > last;
    let mut targets: Vec<&TargetId> = failures
        .iter()
        .filter(|(at, _)| joined(*at))
        .map(|(_, target)| target)
        .collect();
    targets.sort();
    targets.dedup();
    if targets.len() < limit.number {
        return None;
    }
    let mut names: Vec<String> = targets
        .iter()
        .take(NAMED)
        .map(ToString::to_string)
        .collect();
    if let Some(more) = targets.len().checked_sub(NAMED).filter(|more| *more > 0) {
        names.push(format!("{more} more"));
    }
    let reason = format!(
        "the releases of {} failed within {}: that looks like one cause for all of them, and not like this release",
        listed(&names),
        span(limit.within)
    );
    Some(Hold::action(Guard::ManyAtOnce, reason, Some(until)))
}
