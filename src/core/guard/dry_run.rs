//! A dry run judges and tells, and writes to nothing: the whole process, or one watch. Rules have their own.

use super::{ActionContext, Guard, Hold};

pub(super) fn check(context: &ActionContext<'_>) -> Option<Hold> {
    let reason = if context.settings.dry_run {
        "the settings say `dryRun: true`".to_owned()
    } else if context.watch_dry_run {
        format!("watch `{}` says `dryRun: true`", context.analysis.watch)
    } else {
        return None;
    };
    Some(Hold::action(Guard::DryRun, reason, None))
}
