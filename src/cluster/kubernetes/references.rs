//! The `ConfigMaps` and Secrets that a pod template cannot do without.

use std::collections::BTreeMap;

use serde_json::Value;

/// Objects that one template names, at most: more are not looked for.
const MOST: usize = 100;

/// Kinds of what a template names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    ConfigMap,
    Secret,
}

impl Kind {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::ConfigMap => "ConfigMap",
            Self::Secret => "Secret",
        }
    }
}

/// Each object with the first place that names it. What is `optional: true` is left out: pods start without it.
pub(super) fn of(template: &Value) -> BTreeMap<(Kind, String), String> {
    let mut found = BTreeMap::new();
    let mut add = |kind: Kind, reference: Option<&Value>, field: &str, place: String| {
        let Some(reference) = reference else { return };
        let optional = reference.get("optional").and_then(Value::as_bool) == Some(true);
        let name = reference.get(field).and_then(Value::as_str);
        if let (false, Some(name)) = (optional || found.len() >= MOST, name) {
            found.entry((kind, name.to_owned())).or_insert(place);
        }
    };
    for volume in list(template, "/spec/volumes") {
        let place = || format!("volume `{}`", name(volume));
        add(Kind::ConfigMap, volume.get("configMap"), "name", place());
        add(Kind::Secret, volume.get("secret"), "secretName", place());
        for source in list(volume, "/projected/sources") {
            add(Kind::ConfigMap, source.get("configMap"), "name", place());
            add(Kind::Secret, source.get("secret"), "name", place());
        }
    }
    let containers = list(template, "/spec/containers").iter();
    for container in containers.chain(list(template, "/spec/initContainers")) {
        let place = || format!("container `{}`", name(container));
        for from in list(container, "/envFrom") {
            add(Kind::ConfigMap, from.get("configMapRef"), "name", place());
            add(Kind::Secret, from.get("secretRef"), "name", place());
        }
        for variable in list(container, "/env") {
            let from = |key: &str| variable.pointer("/valueFrom")?.get(key);
            add(Kind::ConfigMap, from("configMapKeyRef"), "name", place());
            add(Kind::Secret, from("secretKeyRef"), "name", place());
        }
    }
    found
}

fn list<'a>(value: &'a Value, pointer: &str) -> &'a [Value] {
    let items = value.pointer(pointer).and_then(Value::as_array);
    items.map(Vec::as_slice).unwrap_or_default()
}

fn name(value: &Value) -> &str {
    value
        .get("name")
        .and_then(Value::as_str)
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_place_that_names_one_is_found() {
        let template = json!({"spec": {
            "volumes": [
                {"name": "config", "configMap": {"name": "files"}},
                {"name": "keys", "secret": {"secretName": "tls"}},
                {"name": "both", "projected": {"sources": [
                    {"configMap": {"name": "more"}}, {"secret": {"name": "token"}},
                    {"secret": {"name": "extra", "optional": true}}, {"downwardAPI": {}},
                ]}},
                {"name": "maybe", "configMap": {"name": "absent", "optional": true}},
                {"name": "scratch", "emptyDir": {}},
            ],
            "initContainers": [{"name": "init", "envFrom": [{"configMapRef": {"name": "start"}}]}],
            "containers": [{"name": "app",
                "envFrom": [{"secretRef": {"name": "env"}}, {"secretRef": {"name": "no", "optional": true}}],
                "env": [
                    {"name": "A", "valueFrom": {"configMapKeyRef": {"name": "files", "key": "a"}}},
                    {"name": "B", "valueFrom": {"secretKeyRef": {"name": "password", "key": "b"}}},
                    {"name": "C", "value": "c"},
                ]}],
        }});
        let found: Vec<_> = of(&template)
            .into_iter()
            .map(|((kind, name), place)| format!("{} {name}: {place}", kind.as_str()))
            .collect();
        assert_eq!(
            found,
            [
                "ConfigMap files: volume `config`",
                "ConfigMap more: volume `both`",
                "ConfigMap start: container `init`",
                "Secret env: container `app`",
                "Secret password: container `app`",
                "Secret tls: volume `keys`",
                "Secret token: volume `both`",
            ]
        );
        for odd in [
            json!(null),
            json!({"spec": {"volumes": 3, "containers": [1]}}),
        ] {
            assert!(of(&odd).is_empty(), "{odd}");
        }
    }
}
