//! The replicas of a simulated workload, its autoscaler and its annotations, and the writes to them: they meet the same
//! faults as those of a rollback.

use std::collections::BTreeMap;

use recant_core::change::{Change, ObjectRef, ObjectState};
use recant_core::ids::{PlanId, TargetKind};
use recant_core::rule::{ScaleKind, ScaleTarget};
use recant_core::scaling::{Autoscaler, ScaleChange, ScaleObject, ScaleState};
use serde_json::{Value, json};

use crate::workload::Workload;

/// What is wanted of a workload besides its revision.
#[derive(Debug)]
pub(crate) struct Wanted {
    /// `spec.replicas`.
    pub(crate) replicas: u32,
    pub(crate) last_scaling: Option<PlanId>,
    /// A `HorizontalPodAutoscaler` that has it.
    pub(crate) autoscaler: Option<Autoscaler>,
    pub(crate) annotations: BTreeMap<String, String>,
}

impl Wanted {
    pub(crate) fn new(replicas: u32) -> Self {
        Self {
            replicas,
            last_scaling: None,
            autoscaler: None,
            annotations: BTreeMap::new(),
        }
    }
}

impl Workload {
    /// Whether it is the one that a scaling names.
    pub(crate) fn is_scaled_as(&self, target: &ScaleTarget) -> bool {
        let kind = match self.id.kind {
            TargetKind::Deployment => ScaleKind::Deployment,
            TargetKind::StatefulSet => ScaleKind::StatefulSet,
            TargetKind::Rollout => ScaleKind::Rollout,
            TargetKind::DaemonSet => return false,
        };
        !self.deleted
            && self.id.namespace == target.namespace
            && self.id.name == target.name
            && kind == target.kind
    }

    /// What a scaling is decided from.
    pub(crate) fn scale_state(&self, now: i64) -> ScaleState {
        let ready = self.state(now).pods;
        let ready = ready.iter().filter(|pod| pod.ready && !pod.terminating);
        ScaleState {
            uid: self.uid.clone(),
            replicas: self.scaling.replicas,
            ready: u32::try_from(ready.count()).unwrap_or(u32::MAX),
            // As the real one: what Recant itself has paused may be scaled.
            paused: self.paused && !self.paused_by_recant(),
            kill_switch: self.kill_switch.then(|| self.id.to_string()),
            last_scaling: self.scaling.last_scaling.clone(),
            labels: std::collections::BTreeMap::new(),
            autoscalers: self.scaling.autoscaler.iter().cloned().collect(),
            budgets: Vec::new(),
        }
    }

    /// Writes a scaling that was admitted.
    pub(crate) fn carry_out_scaling(&mut self, plan: &PlanId, change: &ScaleChange) {
        match (&change.object, &mut self.scaling.autoscaler) {
            (ScaleObject::Workload, _) => {
                self.scaling.replicas = change.to;
                self.scaling.last_scaling = Some(plan.clone());
            }
            (ScaleObject::Autoscaler { .. }, Some(autoscaler)) => {
                autoscaler.min = change.to;
                autoscaler.last_scaling = Some(plan.clone());
                self.scaling.replicas = self.scaling.replicas.max(change.to);
            }
            (ScaleObject::Autoscaler { .. }, None)
            | (ScaleObject::ScaledObject { .. } | ScaleObject::PausedScaledObject { .. }, _) => {}
        }
        self.written();
    }

    /// How the API server would call it.
    pub(crate) fn is_named(&self, object: &ObjectRef) -> bool {
        let kind = match self.id.kind {
            TargetKind::Deployment => "Deployment",
            TargetKind::StatefulSet => "StatefulSet",
            TargetKind::DaemonSet => "DaemonSet",
            TargetKind::Rollout => "Rollout",
        };
        !self.deleted
            && object.kind == kind
            && object.namespace == self.id.namespace
            && object.name == self.id.name
    }

    /// The object, as far as changes look at it.
    pub(crate) fn object(&self, named: &ObjectRef) -> ObjectState {
        let mut annotations = self.scaling.annotations.clone();
        if self.kill_switch {
            annotations.insert("recant.dev/kill-switch".to_owned(), "true".to_owned());
        }
        let object = json!({
            "apiVersion": named.api_version,
            "kind": named.kind,
            "metadata": {
                "name": self.id.name,
                "namespace": self.id.namespace,
                "uid": self.uid,
                "resourceVersion": self.version.to_string(),
                "annotations": annotations,
            },
            "spec": {"replicas": self.scaling.replicas, "paused": self.paused},
        });
        ObjectState::new(named, object, false)
    }

    /// Writes a change that was admitted; the error is why it cannot be.
    pub(crate) fn carry_out_change(
        &mut self,
        plan: &PlanId,
        index: usize,
        change: &Change,
    ) -> Result<(), String> {
        let mut object = self.object(&change.object).object;
        let patch = change.patch(plan, index, &object)?;
        for operation in patch.as_array().into_iter().flatten() {
            apply(&mut object, operation)?;
        }
        let annotations = object["metadata"]["annotations"].clone();
        self.scaling.annotations =
            serde_json::from_value(annotations).map_err(|error| error.to_string())?;
        self.scaling.annotations.remove("recant.dev/kill-switch");
        self.written();
        Ok(())
    }
}

/// One operation of a JSON patch; only such as changes of annotations make.
fn apply(object: &mut Value, operation: &Value) -> Result<(), String> {
    let path = operation["path"].as_str().unwrap_or_default();
    let (parent, key) = path.rsplit_once('/').ok_or("a patch without a path")?;
    let key = key.replace("~1", "/").replace("~0", "~");
    let parent = object.pointer_mut(parent).and_then(Value::as_object_mut);
    let parent = parent.ok_or(format!("there is no parent of {path}"))?;
    match operation["op"].as_str() {
        Some("add" | "replace") => {
            parent.insert(key, operation["value"].clone());
        }
        Some("remove") => {
            parent.remove(&key);
        }
        Some("test") if parent.get(&key) == operation.get("value") => {}
        other => return Err(format!("{other:?} of {path} is not possible")),
    }
    Ok(())
}
