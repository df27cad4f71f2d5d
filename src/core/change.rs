//! A change: one edit of one Kubernetes object, which knows what was there before and what shall be there.
//!
//! Everything about an [`Edit`] is a pure function over the object's JSON, so the real cluster and the one in memory
//! carry out every edit in the same way, and a new kind of edit is one more file here. Who carries it out reads the
//! object, asks [`Change::admit`] (in `plan`), and writes [`Change::patch`] under the lock of that read.

mod annotation;
mod apply;
mod environment;
mod json;
mod traffic;

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

pub use annotation::Annotation;
pub use apply::{Apply, ManifestFile};
pub use environment::Environment;
pub use json::{annotation as annotation_of, is_on, pod_template, pointer_token};

use crate::ids::{PlanId, TargetId, TargetKind};
use crate::traffic::{Backing, CanaryWeight, IngressBackend, Route, Selector, Weights};

/// On an object: the last change that was carried out on it, as `<plan>/<index of the step>`.
pub const CHANGE_ANNOTATION: &str = "recant.dev/change";
/// On an object or its namespace: nothing is written to it while this is set.
pub const KILL_SWITCH_ANNOTATION: &str = "recant.dev/kill-switch";

/// Which object, in the words of the API server. It always lies in a namespace.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ObjectRef {
    /// `apps/v1`, `v1`
    pub api_version: String,
    /// `Deployment`
    pub kind: String,
    pub namespace: String,
    pub name: String,
}

/// One edit of one object, with no choice left in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Change {
    pub object: ObjectRef,
    /// `metadata.uid` of the object that was looked at.
    pub uid: String,
    pub edit: Edit,
}

/// What is written. Each kind knows what was there (`from`) and what shall be there (`to`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "edit")]
pub enum Edit {
    /// An environment variable of a container, in the pod template of a workload.
    Environment(Environment),
    /// An annotation of the object itself.
    Annotation(Annotation),
    /// The weights of two backends of a route.
    Weights(Weights),
    /// The weight of a canary Ingress.
    CanaryWeight(CanaryWeight),
    /// The Service behind a path of an Ingress.
    IngressBackend(IngressBackend),
    /// Labels of the selector of a Service.
    Selector(Selector),
}

/// Which pods get traffic by an edit that had none, or less, before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Feeds {
    /// Those behind a backend; of the object's namespace, if the backend names none.
    Backing(Backing),
    /// Those with all of these labels, in the object's namespace.
    Labels(BTreeMap<String, String>),
}

/// An object as it was read just now.
#[derive(Debug, Clone, PartialEq)]
pub struct ObjectState {
    /// The whole object, as the API server shows it.
    pub object: Value,
    /// Where the kill switch annotation was found (`namespace shop`, `Deployment shop/checkout`), if anywhere.
    pub kill_switch: Option<String>,
}

/// What an object shows in the place that an edit is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seen {
    /// What was there when it was decided.
    From,
    /// What shall be there.
    To,
    /// Something else, which somebody wrote meanwhile: a part of a sentence, as `is set to "b"`.
    Other { now: String },
    /// The edit is not possible on this object (any more), and why.
    Impossible { reason: String },
}

impl ObjectState {
    /// An object that was read, with what its namespace says.
    pub fn new(of: &ObjectRef, object: Value, namespace_stopped: bool) -> Self {
        let stopped = annotation_of(&object, KILL_SWITCH_ANNOTATION).is_some_and(is_on);
        let kill_switch = if namespace_stopped {
            Some(format!("namespace {}", of.namespace))
        } else {
            stopped.then(|| of.to_string())
        };
        Self {
            object,
            kill_switch,
        }
    }

    /// `metadata.uid`; empty where there is none.
    pub fn uid(&self) -> &str {
        let uid = self.object.pointer("/metadata/uid");
        uid.and_then(Value::as_str).unwrap_or_default()
    }
}

impl Edit {
    /// What the object shows in the place that this is about.
    pub fn seen(&self, object: &Value) -> Seen {
        match self {
            Self::Environment(edit) => edit.seen(object),
            Self::Annotation(edit) => edit.seen(object),
            Self::Weights(edit) => traffic::managed(object)
                .unwrap_or_else(|| traffic::seen(edit.seen(object), "the weights")),
            Self::CanaryWeight(edit) => traffic::managed(object)
                .unwrap_or_else(|| traffic::seen(edit.seen(object), "the canary weight")),
            Self::IngressBackend(edit) => traffic::managed(object)
                .unwrap_or_else(|| traffic::seen(edit.seen(object), "the backend")),
            Self::Selector(edit) => traffic::managed(object)
                .unwrap_or_else(|| traffic::seen(edit.seen(object), "the selector")),
        }
    }

    /// Which pods must be ready for it: what gets no traffic now, or less, and gets it then. `None`: it feeds none, or
    /// the object does not say which.
    pub fn feeds(&self, object: &Value) -> Option<Feeds> {
        match self {
            Self::Environment(_) | Self::Annotation(_) => None,
            Self::Weights(edit) => {
                let (canary, stable) = edit.route.backing(object).ok()?;
                if edit.to.canary > edit.from.canary {
                    Some(Feeds::Backing(canary))
                } else {
                    stable.map(Feeds::Backing)
                }
            }
            Self::CanaryWeight(edit) => {
                let raises = edit.to > edit.from.unwrap_or(0);
                let service = raises.then(|| CanaryWeight::serves(object)).flatten()?;
                Some(Feeds::Backing(Backing::service(&service)))
            }
            Self::IngressBackend(edit) => Some(Feeds::Backing(Backing::service(&edit.to))),
            Self::Selector(edit) => Some(Feeds::Labels(edit.selects.clone())),
        }
    }

    /// The operations of a JSON patch (RFC 6902) that carry it out on this object.
    ///
    /// Annotations of the object are there when they are applied: the mark comes before them.
    ///
    /// # Errors
    /// It is not possible on this object; a sentence for people.
    pub fn operations(&self, object: &Value) -> Result<Vec<Value>, String> {
        match self {
            Self::Environment(edit) => edit.operations(object),
            Self::Annotation(edit) => Ok(edit.operations(object)),
            Self::Weights(edit) => edit.patch(object),
            Self::CanaryWeight(edit) => edit.patch(object),
            Self::IngressBackend(edit) => edit.patch(object),
            Self::Selector(edit) => edit.patch(object),
        }
    }

    /// Whether it makes a new revision of a workload.
    pub fn is_of_template(&self) -> bool {
        match self {
            Self::Environment(_) => true,
            Self::Annotation(_)
            | Self::Weights(_)
            | Self::CanaryWeight(_)
            | Self::IngressBackend(_)
            | Self::Selector(_) => false,
        }
    }

    /// The edit that takes this one back.
    pub fn undo(&self) -> Self {
        match self {
            Self::Environment(edit) => Self::Environment(edit.undo()),
            Self::Annotation(edit) => Self::Annotation(edit.undo()),
            Self::Weights(edit) => Self::Weights(edit.undo()),
            Self::CanaryWeight(edit) => Self::CanaryWeight(edit.undo()),
            Self::IngressBackend(edit) => Self::IngressBackend(edit.undo()),
            Self::Selector(edit) => Self::Selector(edit.undo()),
        }
    }

    /// Whether all traffic goes elsewhere by it.
    pub fn leads_traffic(&self) -> bool {
        match self {
            Self::IngressBackend(_) | Self::Selector(_) => true,
            Self::Environment(_)
            | Self::Annotation(_)
            | Self::Weights(_)
            | Self::CanaryWeight(_) => false,
        }
    }

    /// For an edit that gives traffic to the canary of a route: what takes all of that back.
    pub fn emptied(&self) -> Option<Self> {
        match self {
            Self::Weights(edit) => Some(Self::Weights(edit.emptied())),
            Self::CanaryWeight(edit) => Some(Self::CanaryWeight(edit.emptied())),
            Self::Environment(_)
            | Self::Annotation(_)
            | Self::IngressBackend(_)
            | Self::Selector(_) => None,
        }
    }

    /// What is done, for people: `set LOG_LEVEL of container app to "DEBUG"`.
    pub fn in_words(&self) -> String {
        match self {
            Self::Environment(edit) => edit.in_words(),
            Self::Annotation(edit) => edit.in_words(),
            Self::Weights(edit) => edit.in_words(),
            Self::CanaryWeight(edit) => edit.in_words(),
            Self::IngressBackend(edit) => edit.in_words(),
            Self::Selector(edit) => edit.in_words(),
        }
    }
}

impl Change {
    /// What stands on the object when step `index` of `plan` has been carried out on it.
    pub fn mark(plan: &PlanId, index: usize) -> String {
        format!("{plan}/{index}")
    }

    /// Whether the object shows that this very step was carried out.
    pub fn shows_on(&self, plan: &PlanId, index: usize, object: &Value) -> bool {
        annotation_of(object, CHANGE_ANNOTATION) == Some(Self::mark(plan, index).as_str())
    }

    /// The whole JSON patch: the lock of the read, our mark, and the edit.
    ///
    /// # Errors
    /// The edit is not possible on this object; a sentence for people.
    pub fn patch(&self, plan: &PlanId, index: usize, object: &Value) -> Result<Value, String> {
        let version = object.pointer("/metadata/resourceVersion");
        let mark = Self::mark(plan, index);
        let marked = if object.pointer("/metadata/annotations").is_some() {
            let path = format!("/metadata/annotations/{}", pointer_token(CHANGE_ANNOTATION));
            json!({"op": "add", "path": path, "value": mark})
        } else {
            json!({"op": "add", "path": "/metadata/annotations", "value": {CHANGE_ANNOTATION: mark}})
        };
        let mut operations = vec![
            json!({"op": "replace", "path": "/metadata/resourceVersion", "value": version}),
            marked,
        ];
        operations.extend(self.edit.operations(object)?);
        Ok(Value::Array(operations))
    }

    /// The change that takes this one back, on the same object.
    pub fn undo(&self) -> Self {
        Self {
            edit: self.edit.undo(),
            ..self.clone()
        }
    }

    /// What is done, for people: `Deployment shop/api: set LOG_LEVEL of container app to "DEBUG"`.
    pub fn in_words(&self) -> String {
        format!("{}: {}", self.object, self.edit.in_words())
    }
}

impl ObjectRef {
    /// Whether it is this target.
    pub fn is(&self, target: &TargetId) -> bool {
        self.kind == target.kind.to_string()
            && self.namespace == target.namespace
            && self.name == target.name
    }

    /// The group without the version; empty for the core group.
    pub fn group(&self) -> &str {
        self.api_version
            .split_once('/')
            .map_or("", |(group, _)| group)
    }
}

impl From<&TargetId> for ObjectRef {
    fn from(target: &TargetId) -> Self {
        let api_version = match target.kind {
            TargetKind::Deployment | TargetKind::StatefulSet | TargetKind::DaemonSet => "apps/v1",
            TargetKind::Rollout => "argoproj.io/v1alpha1",
        };
        Self {
            api_version: api_version.to_owned(),
            kind: target.kind.to_string(),
            namespace: target.namespace.clone(),
            name: target.name.clone(),
        }
    }
}

impl From<&Route> for ObjectRef {
    fn from(route: &Route) -> Self {
        Self {
            api_version: route.kind.api_version().to_owned(),
            kind: route.kind.to_string(),
            namespace: route.namespace.clone(),
            name: route.name.clone(),
        }
    }
}

impl fmt::Display for ObjectRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}/{}", self.kind, self.namespace, self.name)
    }
}

#[cfg(test)]
pub(crate) mod tests;
