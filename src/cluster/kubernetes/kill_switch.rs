//! The kill switch annotation, on a target or on its namespace.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use recant_core::change;

use super::objects::annotations;
use crate::cluster::KILL_SWITCH_ANNOTATION;

/// Whether the annotation is set to anything but a clear no.
pub(super) fn is_on(metadata: &ObjectMeta) -> bool {
    annotations(metadata)
        .get(KILL_SWITCH_ANNOTATION)
        .is_some_and(|value| change::is_on(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_clear_no_leaves_it_off() {
        let on = |value: &str| {
            is_on(&ObjectMeta {
                annotations: Some([(KILL_SWITCH_ANNOTATION.to_owned(), value.to_owned())].into()),
                ..ObjectMeta::default()
            })
        };
        assert!(!is_on(&ObjectMeta::default()));
        for value in ["", "false", " False ", "off", "no", "0"] {
            assert!(!on(value), "{value}");
        }
        for value in ["true", "TRUE", "on", "yes", "1", "stop everything"] {
            assert!(on(value), "{value}");
        }
    }
}
