//! With the kill switch on nothing is written to a workload (P13): in the settings, or as an annotation.

use super::{ActionContext, Guard, Hold};

pub(super) fn check(context: &ActionContext<'_>) -> Option<Hold> {
    let place = if context.settings.kill_switch {
        "in the settings (`killSwitch: true`)".to_owned()
    } else {
        let place = context.state?.kill_switch.as_ref()?;
        format!("as annotation `recant.dev/kill-switch` on {place}")
    };
    Some(Hold::action(
        Guard::KillSwitch,
        format!("the kill switch is on {place}"),
        None,
    ))
}
