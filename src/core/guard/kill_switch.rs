//! With the kill switch on nothing is written to a workload (P13): in the settings, or as an annotation.

use super::{ActionContext, Guard, GuardSettings, Hold};
use crate::target::TargetState;

pub(super) fn check(context: &ActionContext<'_>) -> Option<Hold> {
    of_settings(context.settings).or_else(|| of_state(context.state?))
}

/// The annotation on the target or its namespace.
pub(super) fn of_state(state: &TargetState) -> Option<Hold> {
    let place = state.kill_switch.as_ref()?;
    Some(on(&format!(
        "as annotation `recant.dev/kill-switch` on {place}"
    )))
}

/// The switch of the whole process.
pub(super) fn of_settings(settings: &GuardSettings) -> Option<Hold> {
    settings
        .kill_switch
        .then(|| on("in the settings (`killSwitch: true`)"))
}

fn on(place: &str) -> Hold {
    Hold::action(
        Guard::KillSwitch,
        format!("the kill switch is on {place}"),
        None,
    )
}
