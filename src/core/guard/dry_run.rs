//! A dry run judges and tells, and writes to nothing: the whole process, or one watch. Rules have their own.

use super::{ActionContext, Guard, GuardSettings, Hold};
use crate::ids::{RuleName, WatchName};

pub(super) fn check(context: &ActionContext<'_>) -> Option<Hold> {
    of_settings(
        context.settings,
        &context.analysis.watch,
        context.watch_dry_run,
    )
}

/// A dry run of the whole process, or of one watch.
pub(super) fn of_settings(settings: &GuardSettings, watch: &WatchName, dry: bool) -> Option<Hold> {
    let reason = if settings.dry_run {
        "the settings say `dryRun: true`".to_owned()
    } else if dry {
        format!("watch `{watch}` says `dryRun: true`")
    } else {
        return None;
    };
    Some(Hold::action(Guard::DryRun, reason, None))
}

/// A rule that only tells.
pub(super) fn of_rule(rule: &RuleName, dry: bool) -> Option<Hold> {
    let reason = format!("rule `{rule}` says `dryRun: true`");
    dry.then(|| Hold::action(Guard::DryRun, reason, None))
}
