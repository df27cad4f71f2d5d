//! Pod templates: when two are the same, and what of a `ReplicaSet`'s template belongs into the workload.

use std::collections::BTreeMap;

use recant_core::ids::TargetKind;
use serde::Deserialize;
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

use super::objects::hash_label;

/// Where the Rollouts controller notes the metadata that it injected into a `ReplicaSet`'s template.
const EPHEMERAL_METADATA: &str = "rollout.argoproj.io/ephemeral-metadata";

/// Stands for a template without its hash label: equal digests are equal templates.
///
/// As in kubectl and the Deployment controller, equality is of what the API server shows after defaulting; both
/// templates come from the same server, so that defaults are no difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TemplateDigest([u8; 32]);

impl TemplateDigest {
    pub(super) fn of(template: &Value, kind: TargetKind) -> Self {
        let mut template = template.clone();
        drop_label(&mut template, hash_label(kind));
        let mut hash = Sha256::new();
        feed(&mut hash, &template);
        Self(hash.finalize().into())
    }
}

/// Keys in order and nulls left out, so that no way of writing the same template makes a difference.
fn feed(hash: &mut Sha256, value: &Value) {
    match value {
        Value::Object(map) => {
            let sorted: BTreeMap<_, _> = map.iter().filter(|(_, value)| !value.is_null()).collect();
            hash.update(b"{");
            for (key, value) in sorted {
                feed(hash, &Value::String(key.clone()));
                feed(hash, value);
            }
            hash.update(b"}");
        }
        Value::Array(items) => {
            hash.update(b"[");
            for item in items {
                feed(hash, item);
            }
            hash.update(b"]");
        }
        plain => {
            hash.update(plain.to_string());
            hash.update(b",");
        }
    }
}

/// Images of all containers, in order.
pub(super) fn images(template: &Value) -> Vec<String> {
    ["/spec/containers", "/spec/initContainers"]
        .into_iter()
        .filter_map(|place| template.pointer(place)?.as_array())
        .flatten()
        .filter_map(|container| container.get("image")?.as_str())
        .map(str::to_owned)
        .collect()
}

/// The template of a `ReplicaSet` as it stood in the workload: without what the controller put in.
pub(super) fn restore(
    template: &Value,
    annotations: &BTreeMap<String, String>,
    kind: TargetKind,
) -> Value {
    let mut template = template.clone();
    drop_label(&mut template, hash_label(kind));
    if kind == TargetKind::Rollout {
        drop_ephemeral_metadata(&mut template, annotations);
        drop_injected_anti_affinity(&mut template);
    }
    template
}

fn drop_label(template: &mut Value, label: &str) {
    if let Some(labels) = object_at(template, "/metadata/labels") {
        labels.remove(label);
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct EphemeralMetadata {
    labels: BTreeMap<String, String>,
    annotations: BTreeMap<String, String>,
}

/// Labels and annotations of `canaryMetadata` and `stableMetadata`: with them the template would be a new revision.
fn drop_ephemeral_metadata(template: &mut Value, annotations: &BTreeMap<String, String>) {
    let injected: EphemeralMetadata = annotations
        .get(EPHEMERAL_METADATA)
        .and_then(|text| serde_json::from_str(text).ok())
        .unwrap_or_default();
    for (place, keys) in [
        ("/metadata/labels", injected.labels),
        ("/metadata/annotations", injected.annotations),
    ] {
        if let Some(map) = object_at(template, place) {
            for key in keys.keys() {
                map.remove(key);
            }
        }
    }
}

/// The rule of `strategy.*.antiAffinity`, told by its label key; what becomes empty by that goes too, as in the
/// controller's `RemoveInjectedAntiAffinityRule`.
fn drop_injected_anti_affinity(template: &mut Value) {
    let injected = |selector: Option<&Value>| {
        selector
            .and_then(|selector| {
                selector
                    .pointer("/labelSelector/matchExpressions")?
                    .as_array()
            })
            .is_some_and(|expressions| {
                expressions.iter().any(|expression| {
                    expression.get("key").and_then(Value::as_str)
                        == Some(hash_label(TargetKind::Rollout))
                })
            })
    };
    let Some(rules) = object_at(template, "/spec/affinity/podAntiAffinity") else {
        return;
    };
    let mut dropped = false;
    for (list, term) in [
        ("requiredDuringSchedulingIgnoredDuringExecution", ""),
        (
            "preferredDuringSchedulingIgnoredDuringExecution",
            "/podAffinityTerm",
        ),
    ] {
        let Some(Value::Array(terms)) = rules.get_mut(list) else {
            continue;
        };
        let before = terms.len();
        terms.retain(|rule| !injected(rule.pointer(term)));
        dropped |= terms.len() != before;
        if terms.is_empty() {
            rules.remove(list);
        }
    }
    if dropped {
        drop_if_empty(template, "/spec/affinity", "podAntiAffinity");
        drop_if_empty(template, "/spec", "affinity");
    }
}

fn drop_if_empty(value: &mut Value, parent: &str, key: &str) {
    if let Some(parent) = object_at(value, parent)
        && parent
            .get(key)
            .and_then(Value::as_object)
            .is_some_and(Map::is_empty)
    {
        parent.remove(key);
    }
}

fn object_at<'a>(value: &'a mut Value, pointer: &str) -> Option<&'a mut Map<String, Value>> {
    value.pointer_mut(pointer)?.as_object_mut()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn digest(template: &Value) -> TemplateDigest {
        TemplateDigest::of(template, TargetKind::Deployment)
    }

    #[test]
    fn the_hash_label_makes_no_difference_and_everything_else_does() {
        let plain = json!({"metadata": {"labels": {"app": "a"}}, "spec": {"x": 1}});
        let hashed = json!({"spec": {"x": 1}, "metadata": {"labels": {"pod-template-hash": "h", "app": "a"}, "creationTimestamp": null}});
        assert_eq!(digest(&plain), digest(&hashed));
        for other in [
            json!({"metadata": {"labels": {"app": "b"}}, "spec": {"x": 1}}),
            json!({"metadata": {"labels": {"app": "a"}}, "spec": {"x": "1"}}),
            json!({"metadata": {"labels": {"app": "a"}}, "spec": {"x": [1]}}),
            json!({"metadata": {"labels": {"app": "a"}}, "spec": {"x": 1, "emptyDir": {}}}),
        ] {
            assert_ne!(digest(&plain), digest(&other), "{other}");
        }
    }

    #[test]
    fn what_the_rollouts_controller_injected_is_not_put_back() {
        let annotations = BTreeMap::from([(
            EPHEMERAL_METADATA.to_owned(),
            r#"{"labels":{"role":"stable"},"annotations":{"note":"x"}}"#.to_owned(),
        )]);
        let template = json!({
            "metadata": {"labels": {"app": "a", "role": "stable", "rollouts-pod-template-hash": "h"},
                         "annotations": {"note": "x", "own": "y"}},
            "spec": {"affinity": {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [
                {"labelSelector": {"matchExpressions": [
                    {"key": "rollouts-pod-template-hash", "operator": "NotIn", "values": ["h"]}]}}]}}}
        });
        assert_eq!(
            restore(&template, &annotations, TargetKind::Rollout),
            json!({"metadata": {"labels": {"app": "a"}, "annotations": {"own": "y"}}, "spec": {}})
        );
    }

    #[test]
    fn anti_affinity_of_the_user_stays() {
        let template = json!({"spec": {"affinity": {"podAntiAffinity": {
            "preferredDuringSchedulingIgnoredDuringExecution": [
                {"weight": 1, "podAffinityTerm": {"labelSelector": {"matchExpressions": [{"key": "app"}]}}},
                {"weight": 1, "podAffinityTerm": {"labelSelector": {"matchExpressions": [{"key": "rollouts-pod-template-hash"}]}}}]}}}});
        let restored = restore(&template, &BTreeMap::new(), TargetKind::Rollout);
        let terms = restored
            .pointer(
                "/spec/affinity/podAntiAffinity/preferredDuringSchedulingIgnoredDuringExecution",
            )
            .and_then(Value::as_array)
            .expect("the user's rule");
        assert_eq!(terms.len(), 1);
        assert_eq!(
            restore(
                &json!({"spec": {"affinity": {}}}),
                &BTreeMap::new(),
                TargetKind::Rollout
            ),
            json!({"spec": {"affinity": {}}})
        );
    }

    #[test]
    fn images_are_listed_in_order() {
        let template =
            json!({"spec": {"containers": [{"image": "a:1"}, {"name": "x"}, {"image": "b:2"}]}});
        assert_eq!(images(&template), ["a:1", "b:2"]);
        assert!(images(&json!({"spec": {"containers": 3}})).is_empty());
    }
}
