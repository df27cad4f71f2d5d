//! Places in an object's JSON that several edits need.

use serde_json::Value;

/// An annotation of the object itself.
pub fn annotation<'a>(object: &'a Value, key: &str) -> Option<&'a str> {
    object
        .get("metadata")?
        .get("annotations")?
        .get(key)?
        .as_str()
}

/// Whether a switch says anything but a clear no: who writes `yes`, `on` or `stop` in a hurry means it.
pub fn is_on(value: &str) -> bool {
    let value = value.trim().to_ascii_lowercase();
    !matches!(value.as_str(), "" | "false" | "off" | "no" | "0")
}

/// Where the pod template of a kind lies, as a JSON pointer; `None`: the kind has none that could be changed.
pub fn pod_template(kind: &str) -> Option<&'static str> {
    match kind {
        "Deployment" | "StatefulSet" | "DaemonSet" | "ReplicaSet" | "Rollout" => {
            Some("/spec/template")
        }
        "CronJob" => Some("/spec/jobTemplate/spec/template"),
        _ => None,
    }
}

/// A name as one part of a JSON pointer (RFC 6901).
pub fn pointer_token(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}
