//! Recant acts only where the settings let it: elsewhere it judges and tells.

use std::collections::BTreeMap;

use super::{Guard, GuardSettings, Hold};
use crate::wording::listed;

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

/// What has its labels is acted upon; of what was not seen nothing is known, and other guards say so.
pub(crate) fn of_labels(
    settings: &GuardSettings,
    object: &str,
    labels: &BTreeMap<String, String>,
) -> Option<Hold> {
    let missing: Vec<String> = settings
        .labels
        .iter()
        .filter(|(label, value)| labels.get(label) != Some(value))
        .map(|(label, value)| format!("`{label}={value}`"))
        .collect();
    if missing.is_empty() {
        return None;
    }
    let reason = format!(
        "{object} does not have the label {}, without which nothing is acted upon (`guards.labels`)",
        listed(&missing)
    );
    Some(Hold::action(Guard::Scope, reason, None))
}
