//! Several actions done as one: the steps of a `Runbook` document, or the actions of one `onFail`.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Colour, Scale, ScaleUp, Webhook};
use crate::change::{ManifestFile, ObjectRef};
use crate::traffic::Route;

/// Actions that are decided together from one look, and carried out one after the other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Runbook {
    /// What people call it: the name of the document, or `onFail`.
    pub name: String,
    /// At least one.
    pub steps: Vec<Task>,
    /// What was done is taken back after this long; `None`: never by itself.
    #[serde(default)]
    pub undo_after: Option<Duration>,
    #[serde(default)]
    pub when_stuck: WhenStuck,
}

/// What becomes of the steps that are left when one cannot be carried out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum WhenStuck {
    /// They are not carried out: a person has to look.
    #[default]
    Stop,
    /// They are carried out all the same.
    GoOn,
    /// They are not carried out, and what was done is taken back at once.
    Undo,
}

/// What is kept of pods before they go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EvidenceRule {
    /// Of the log of each container, the last lines.
    pub lines: u32,
    /// What cannot be kept within a minute holds the rest up; else that goes on without it.
    pub required: bool,
    /// It goes into a file in this folder of the agent's; `None`: into a `ConfigMap`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub folder: Option<String>,
}

/// One step, as a document asks for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    rename_all = "camelCase",
    rename_all_fields = "camelCase",
    tag = "task"
)]
pub enum Task {
    Scale {
        scale: Scale,
        /// The next step waits until the pods are ready, for this long at most; `None`: it does not wait.
        #[serde(default)]
        ready: Option<Duration>,
        /// What is kept before the pods go.
        #[serde(default)]
        evidence: Option<EvidenceRule>,
    },
    SetEnv {
        object: ObjectRef,
        /// `None`: the only one, or the one that kubectl would take.
        #[serde(default)]
        container: Option<String>,
        name: String,
        value: String,
    },
    Annotate {
        object: ObjectRef,
        key: String,
        /// `None`: it is removed.
        #[serde(default)]
        value: Option<String>,
    },
    Apply {
        object: ObjectRef,
        manifest: Value,
        /// Where it was read, if it does not stand in the document.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        from: Option<ManifestFile>,
    },
    /// The share of a backend.
    Shift {
        route: Route,
        /// 0 to 100.
        percent: u32,
    },
    /// Another colour gets the traffic of a Service or of a path of an Ingress.
    Switch {
        object: ObjectRef,
        to: Colour,
        /// What is scaled up and waited for before.
        #[serde(default)]
        up: Option<ScaleUp>,
    },
    /// Somebody else is asked to do something.
    Webhook { webhook: Webhook },
}

impl Task {
    /// The object that is written to, as far as it is known before the cluster was asked: an autoscaler may stand before
    /// a workload. `None`: nothing in the cluster.
    pub fn object(&self) -> Option<ObjectRef> {
        match self {
            Self::Scale { scale, .. } => Some(scale.target.object()),
            Self::SetEnv { object, .. }
            | Self::Annotate { object, .. }
            | Self::Apply { object, .. }
            | Self::Switch { object, .. } => Some(object.clone()),
            Self::Shift { route, .. } => Some(ObjectRef::from(route)),
            Self::Webhook { .. } => None,
        }
    }

    /// Its Secrets are those of this namespace.
    pub(crate) fn belong_to(&mut self, namespace: &str) {
        match self {
            Self::Webhook { webhook } => webhook.belong_to(namespace),
            Self::Scale { .. }
            | Self::SetEnv { .. }
            | Self::Annotate { .. }
            | Self::Apply { .. }
            | Self::Shift { .. }
            | Self::Switch { .. } => {}
        }
    }
}

impl Task {
    /// The same in a namespace.
    pub fn in_namespace(mut self, namespace: &str) -> Self {
        match &mut self {
            Self::Scale { scale, .. } => namespace.clone_into(&mut scale.target.namespace),
            Self::SetEnv { object, .. }
            | Self::Annotate { object, .. }
            | Self::Apply { object, .. } => {
                namespace.clone_into(&mut object.namespace);
            }
            Self::Shift { route, .. } => namespace.clone_into(&mut route.namespace),
            Self::Webhook { .. } => {}
            Self::Switch { object, up, .. } => {
                namespace.clone_into(&mut object.namespace);
                if let Some(up) = up {
                    namespace.clone_into(&mut up.target.namespace);
                    if let Some(present) = &mut up.present {
                        namespace.clone_into(&mut present.namespace);
                    }
                }
            }
        }
        self
    }

    /// What of the object is set, for people.
    pub fn place(&self) -> String {
        match self {
            Self::Scale { .. } => "the number of replicas".to_owned(),
            Self::SetEnv {
                container: None,
                name,
                ..
            } => format!("variable {name}"),
            Self::SetEnv {
                container: Some(container),
                name,
                ..
            } => format!("variable {name} of container `{container}`"),
            Self::Annotate { key, .. } => format!("annotation `{key}`"),
            Self::Apply { .. } => "the manifest".to_owned(),
            Self::Shift { route, .. } => format!("the share of {}", route.backend()),
            Self::Switch { .. } => "where its traffic goes".to_owned(),
            Self::Webhook { .. } => "a call".to_owned(),
        }
    }

    /// What it is set to, where another value contradicts it: a scaling only ever raises.
    pub fn value(&self) -> Option<String> {
        match self {
            Self::Scale { .. } | Self::Webhook { .. } => None,
            Self::Apply { manifest, .. } => Some(crate::wording::short(&manifest.to_string(), 100)),
            Self::SetEnv { value, .. } => Some(format!("{value:?}")),
            Self::Annotate { value, .. } => Some(match value {
                Some(value) => format!("{value:?}"),
                None => "nothing".to_owned(),
            }),
            Self::Shift { percent, .. } => Some(format!("{percent} %")),
            Self::Switch { to, .. } => Some(to.to_string()),
        }
    }
}

impl fmt::Display for Task {
    /// `set LOG_LEVEL of Deployment shop/api to "DEBUG"`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Scale { scale, .. } => write!(f, "scale {scale}"),
            Self::SetEnv {
                object,
                name,
                value,
                ..
            } => write!(f, "set {name} of {object} to {value:?}"),
            Self::Annotate {
                object,
                key,
                value: Some(value),
            } => write!(f, "set annotation `{key}` of {object} to {value:?}"),
            Self::Apply {
                object,
                from: Some(file),
                ..
            } => write!(f, "apply the manifest of {file} to {object}"),
            Self::Apply { object, .. } => write!(f, "apply the given manifest to {object}"),
            Self::Annotate { object, key, .. } => {
                write!(f, "remove annotation `{key}` of {object}")
            }
            Self::Shift { route, percent } => {
                write!(
                    f,
                    "set the share of {} of {route} to {percent} %",
                    route.backend()
                )
            }
            Self::Switch { object, to, .. } => write!(f, "switch {object} to {to}"),
            Self::Webhook { webhook } => write!(f, "call the webhook {webhook}"),
        }
    }
}
