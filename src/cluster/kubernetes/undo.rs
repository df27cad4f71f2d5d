//! The writes as patches: computed here, sent elsewhere.
//!
//! Every patch carries the `resourceVersion` of the read that the fence was held against, so that the API server answers
//! 409 when somebody wrote in between.

use std::collections::BTreeMap;

use kube::api::ObjectMeta;
use recant_core::ids::{PlanId, TargetKind};
use serde_json::{Value, json};

use super::objects::{ControllerRevision, ReplicaSet, Workload, annotations};
use super::template;
use crate::cluster::{PAUSED_UNTIL_ANNOTATION, PLAN_ANNOTATION};

/// Annotations of the Deployment that an undo leaves as they are: the list of kubectl
/// (`annotationsToSkip` in pkg/polymorphichelpers/rollback.go).
const KEPT: [&str; 6] = [
    "kubectl.kubernetes.io/last-applied-configuration",
    "deployment.kubernetes.io/revision",
    "deployment.kubernetes.io/revision-history",
    "deployment.kubernetes.io/desired-replicas",
    "deployment.kubernetes.io/max-replicas",
    "deprecated.deployment.rollback.to",
];
/// Our own annotations were set on the Deployment on purpose, also since the revision that is put back.
const OURS: &str = "recant.dev/";

/// What `kubectl rollout undo` patches, but for our own annotations and the lock.
pub(super) fn undo_deployment(workload: &Workload, set: &ReplicaSet, plan: &PlanId) -> Value {
    let kept = |key: &str| KEPT.contains(&key) || key.starts_with(OURS);
    let now = annotations(&workload.metadata)
        .iter()
        .filter(|(key, _)| kept(key));
    let then = annotations(&set.metadata)
        .iter()
        .filter(|(key, _)| !kept(key));
    let mut wanted: BTreeMap<_, _> = now.chain(then).collect();
    let mark = PLAN_ANNOTATION.to_owned();
    wanted.insert(&mark, &plan.0);
    // The fence let only our own pause pass: it goes with the bad revision, in the same write.
    let paused = workload.spec.paused.unwrap_or(false);
    if paused {
        wanted.remove(&PAUSED_UNTIL_ANNOTATION.to_owned());
    }
    let mut patch = vec![
        lock(&workload.metadata),
        json!({"op": "replace", "path": "/spec/template", "value": restored(set, TargetKind::Deployment)}),
        json!({"op": "add", "path": "/metadata/annotations", "value": wanted}),
    ];
    if paused {
        patch.push(json!({"op": "remove", "path": "/spec/paused"}));
    }
    Value::Array(patch)
}

/// What `kubectl argo rollouts undo` patches, with our mark and the lock.
pub(super) fn undo_rollout(workload: &Workload, set: &ReplicaSet, plan: &PlanId) -> Value {
    let mut wanted = annotations(&workload.metadata).clone();
    wanted.insert(PLAN_ANNOTATION.to_owned(), plan.0.clone());
    json!([
        lock(&workload.metadata),
        {"op": "replace", "path": "/spec/template", "value": restored(set, TargetKind::Rollout)},
        {"op": "add", "path": "/metadata/annotations", "value": wanted},
    ])
}

/// What `kubectl rollout undo` sends for a `StatefulSet` or `DaemonSet`: the strategic merge patch that a
/// `ControllerRevision` holds, here with our mark and the lock.
///
/// # Errors
/// The revision holds no such patch. A sentence for people.
pub(super) fn apply(
    workload: &Workload,
    revision: &ControllerRevision,
    plan: &PlanId,
) -> Result<Value, String> {
    let template = revision.data.pointer("/data/spec/template");
    let Some(template) = template.filter(|template| template.is_object()) else {
        return Err(format!(
            "ControllerRevision `{}` holds no pod template: undo by hand, or release a good version",
            revision.metadata.name.as_deref().unwrap_or_default()
        ));
    };
    Ok(json!({
        "metadata": {
            "resourceVersion": workload.metadata.resource_version,
            "annotations": {PLAN_ANNOTATION: plan},
        },
        "spec": {"template": template},
    }))
}

/// A merge patch of the Rollout's status, as the commands of Argo Rollouts send it, with the lock.
pub(super) fn status(workload: &Workload, field: &str) -> Value {
    json!({
        "metadata": {"resourceVersion": workload.metadata.resource_version},
        "status": {field: true},
    })
}

fn restored(set: &ReplicaSet, kind: TargetKind) -> Value {
    template::restore(&set.spec.template, annotations(&set.metadata), kind)
}

fn lock(metadata: &ObjectMeta) -> Value {
    json!({"op": "replace", "path": "/metadata/resourceVersion", "value": metadata.resource_version})
}

#[cfg(test)]
mod tests {
    use super::*;

    fn deployment(annotations: &Value) -> Workload {
        serde_json::from_value(json!({
            "metadata": {"name": "checkout", "resourceVersion": "7", "annotations": annotations},
            "spec": {"template": {"spec": {"containers": [{"image": "a:2"}]}}},
        }))
        .expect("a Deployment")
    }

    fn set(annotations: &Value) -> ReplicaSet {
        serde_json::from_value(json!({
            "metadata": {"name": "checkout-1", "annotations": annotations},
            "spec": {"template": {
                "metadata": {"labels": {"app": "a", "pod-template-hash": "1"}},
                "spec": {"containers": [{"image": "a:1", "aFieldOfTheFuture": 1}]},
            }},
        }))
        .expect("a ReplicaSet")
    }

    #[test]
    fn annotations_come_from_the_revision_but_for_those_that_are_kept() {
        let patch = undo_deployment(
            &deployment(&json!({
                "deployment.kubernetes.io/revision": "2",
                "kubectl.kubernetes.io/last-applied-configuration": "{}",
                "recant.dev/kill-switch": "false",
                "recant.dev/plan": "p0",
                "team": "new",
                "only-new": "x",
            })),
            &set(&json!({
                "deployment.kubernetes.io/revision": "1",
                "deployment.kubernetes.io/desired-replicas": "3",
                "recant.dev/kill-switch": "true",
                "team": "old",
            })),
            &"p1".into(),
        );
        assert_eq!(
            patch,
            json!([
                {"op": "replace", "path": "/metadata/resourceVersion", "value": "7"},
                {"op": "replace", "path": "/spec/template", "value": {
                    "metadata": {"labels": {"app": "a"}},
                    "spec": {"containers": [{"image": "a:1", "aFieldOfTheFuture": 1}]},
                }},
                {"op": "add", "path": "/metadata/annotations", "value": {
                    "deployment.kubernetes.io/revision": "2",
                    "kubectl.kubernetes.io/last-applied-configuration": "{}",
                    "recant.dev/kill-switch": "false",
                    "recant.dev/plan": "p1",
                    "team": "old",
                }},
            ])
        );
    }

    #[test]
    fn a_rollout_keeps_its_own_annotations() {
        let patch = undo_rollout(
            &deployment(&json!({"team": "new"})),
            &set(&json!({"team": "old"})),
            &"p1".into(),
        );
        assert_eq!(
            patch.pointer("/2/value"),
            Some(&json!({"recant.dev/plan": "p1", "team": "new"}))
        );
        let none = undo_rollout(&deployment(&Value::Null), &set(&Value::Null), &"p1".into());
        assert_eq!(
            none.pointer("/2/value"),
            Some(&json!({"recant.dev/plan": "p1"}))
        );
    }
}
