//! Objects whose traffic a controller of releases sets: Argo Rollouts or Flagger would set back what we write.

use serde_json::Value;

use super::annotation;

/// On a Service whose selector a Rollout sets (argo-rollouts, `utils/defaults`: `DefaultServiceManagedBy…`).
const ARGO_SERVICE: &str = "argo-rollouts.argoproj.io/managed-by-rollouts";
/// Prefix of what the controllers of Argo Rollouts put on routes.
const ARGO_PREFIX: &str = "rollouts.argoproj.io/";
const FLAGGER_PREFIX: &str = "flagger.app/";

/// Who sets the traffic of this object, if that can be seen: `Argo Rollout shop/checkout`.
pub fn managed_by(object: &Value) -> Option<String> {
    of_owners(object)
        .or_else(|| of_annotations(object))
        .or_else(|| of_labels(object))
        .or_else(|| of_fields(object))
}

fn of_owners(object: &Value) -> Option<String> {
    let owners = object.pointer("/metadata/ownerReferences")?.as_array()?;
    owners.iter().find_map(|owner| {
        let text = |key: &str| owner.get(key).and_then(Value::as_str).unwrap_or_default();
        let group = text("apiVersion").split('/').next().unwrap_or_default();
        let who = match (group, text("kind")) {
            ("argoproj.io", "Rollout") => "Argo Rollout",
            ("flagger.app", "Canary") => "Flagger's Canary",
            _ => return None,
        };
        Some(format!("{who} `{}`", text("name")))
    })
}

fn of_annotations(object: &Value) -> Option<String> {
    if let Some(name) = annotation(object, ARGO_SERVICE) {
        return Some(format!("Argo Rollout `{name}`"));
    }
    of_keys(object.pointer("/metadata/annotations")?)
}

fn of_labels(object: &Value) -> Option<String> {
    let labels = object.pointer("/metadata/labels")?;
    let by = labels
        .get("app.kubernetes.io/managed-by")
        .and_then(Value::as_str);
    if by == Some("flagger") {
        return Some("Flagger".to_owned());
    }
    of_keys(labels)
}

fn of_keys(map: &Value) -> Option<String> {
    map.as_object()?.keys().find_map(|key| {
        if key.starts_with(ARGO_PREFIX) {
            Some("Argo Rollouts".to_owned())
        } else if key.starts_with(FLAGGER_PREFIX) {
            Some("Flagger".to_owned())
        } else {
            None
        }
    })
}

/// A `VirtualService` that a person wrote and a Rollout names bears no other trace.
fn of_fields(object: &Value) -> Option<String> {
    let managers = object.pointer("/metadata/managedFields")?.as_array()?;
    managers.iter().find_map(|entry| {
        // Without a field of the spec or an annotation it only wrote a status.
        entry
            .get("fieldsV1")?
            .as_object()?
            .keys()
            .find(|key| matches!(key.as_str(), "f:spec" | "f:metadata"))?;
        match entry.get("manager")?.as_str()? {
            "rollouts-controller" | "argo-rollouts" => Some("Argo Rollouts".to_owned()),
            "flagger" => Some("Flagger".to_owned()),
            _ => None,
        }
    })
}
