//! Somebody silenced the target in Alertmanager, and the settings say that nothing is done to it meanwhile.

use super::{GuardSettings, Hold, Silenced};
use crate::silence::Silence;

/// The silence holds as long as it was last known to last, be it that Alertmanager cannot be asked any more; and when
/// nothing is known, nothing is held: an outage there keeps no bad release in service.
pub(super) fn of_settings(settings: &GuardSettings, silence: Option<&Silence>) -> Option<Hold> {
    match settings.silences {
        Silenced::Act => None,
        Silenced::Hold => silence.map(|silence| {
            let reason = format!(
                "it is silenced in Alertmanager {}, and the settings say `silences.actions: hold`",
                silence.in_words()
            );
            Hold::action(super::Guard::Silence, reason, Some(silence.ends))
        }),
    }
}
