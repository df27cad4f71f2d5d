//! Applying a given manifest by server-side apply, with a field manager of our own: what others manage is not taken over.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::{CHANGE_ANNOTATION, Change, ObjectRef};
use crate::ids::PlanId;

/// One manifest for one object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Apply {
    pub applied: ObjectRef,
    /// Of the object that was looked at; `None`: there was none, and it is made.
    #[serde(default)]
    pub uid: Option<String>,
    pub manifest: Value,
    /// Where it was read when the rules were loaded, if it does not stand in them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<ManifestFile>,
}

/// The file that a manifest was read from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ManifestFile {
    /// As it stands in the document.
    pub path: String,
    /// Of its bytes when it was read, in hexadecimal: another one on disk is a later change.
    pub sha256: String,
}

impl fmt::Display for ManifestFile {
    /// ``file `a.yaml` (sha256 0a1b2c3d4e5f)``
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let short: String = self.sha256.chars().take(12).collect();
        write!(f, "file `{}` (sha256 {short})", self.path)
    }
}

impl Apply {
    /// What is sent: the manifest with our mark, and with the lock of the read if the object is there.
    pub fn body(&self, plan: &PlanId, index: usize, fresh: Option<&Value>) -> Value {
        let mut body = self.manifest.clone();
        let version = fresh.and_then(|object| object.pointer("/metadata/resourceVersion"));
        let mut more = vec![
            ("name", json!(self.applied.name)),
            ("namespace", json!(self.applied.namespace)),
        ];
        more.extend(version.map(|version| ("resourceVersion", version.clone())));
        if let Some(body) = body.as_object_mut() {
            body.insert("apiVersion".to_owned(), json!(self.applied.api_version));
            body.insert("kind".to_owned(), json!(self.applied.kind));
            let metadata = body.entry("metadata").or_insert_with(|| json!({}));
            if let Some(metadata) = metadata.as_object_mut() {
                for (key, value) in more {
                    metadata.insert(key.to_owned(), value);
                }
                let annotations = metadata
                    .entry("annotations")
                    .or_insert_with(|| Value::Object(Map::new()));
                if let Some(annotations) = annotations.as_object_mut() {
                    let mark = Value::from(Change::mark(plan, index));
                    annotations.insert(CHANGE_ANNOTATION.to_owned(), mark);
                }
            }
        }
        body
    }

    /// What is done, for people: `apply the given manifest to ConfigMap shop/settings`.
    pub fn in_words(&self) -> String {
        let manifest = self.from.as_ref().map_or_else(
            || "the given manifest".to_owned(),
            |file| format!("the manifest of {file}"),
        );
        match &self.uid {
            Some(_) => format!("apply {manifest} to {}", self.applied),
            None => format!("make {} from {manifest}", self.applied),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_manifest_is_sent_with_mark_lock_and_place() {
        let apply = Apply {
            applied: ObjectRef {
                api_version: "v1".into(),
                kind: "ConfigMap".into(),
                namespace: "shop".into(),
                name: "settings".into(),
            },
            uid: None,
            from: None,
            manifest: json!({"data": {"mode": "safe"}, "metadata": {"labels": {"a": "b"}}}),
        };
        let body = apply.body(&"p".into(), 1, None);
        assert_eq!(
            body,
            json!({
                "apiVersion": "v1", "kind": "ConfigMap", "data": {"mode": "safe"},
                "metadata": {
                    "name": "settings", "namespace": "shop", "labels": {"a": "b"},
                    "annotations": {"recant.dev/change": "p/1"},
                },
            })
        );
        let fresh = json!({"metadata": {"resourceVersion": "7"}});
        let body = apply.body(&"p".into(), 1, Some(&fresh));
        assert_eq!(body["metadata"]["resourceVersion"], "7");
    }
}
