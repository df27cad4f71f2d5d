//! Recant acts only where the settings let it: elsewhere it judges and tells.

use super::{Guard, GuardSettings, Hold};

/// Whatever is written to in this namespace.
pub(super) fn hold(settings: &GuardSettings, namespace: &str) -> Option<Hold> {
    let allowed = &settings.namespaces;
    if allowed.is_empty() || allowed.iter().any(|allowed| allowed == namespace) {
        return None;
    }
    let reason = format!(
        "namespace `{namespace}` is none of those in which it may act (`guards.namespaces`: {})",
        allowed.join(", ")
    );
    Some(Hold::action(Guard::Scope, reason, None))
}
