//! The pause that Recant sets on a Deployment, and its mark: read, written, and taken away again.
//!
//! Whose a pause is, is told by `managedFields`: a person who pauses a Deployment that bears our old mark owns the field
//! `spec.paused` then.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ManagedFieldsEntry;
use kube::api::ObjectMeta;
use recant_core::ids::PlanId;
use recant_core::target::OwnPause;
use serde_json::{Value, json};

use super::execute::FIELD_MANAGER;
use super::objects::{Workload, annotations};
use crate::cluster::{PAUSE_ANNOTATION, PAUSED_UNTIL_ANNOTATION};

/// What the object shows of it; whether the template was changed meanwhile is known with its `ReplicaSets` only.
pub(super) fn read(workload: &Workload) -> Option<OwnPause> {
    let metadata = &workload.metadata;
    let plan = annotations(metadata).get(PAUSE_ANNOTATION)?;
    let paused = workload.spec.paused.unwrap_or(false);
    Some(OwnPause {
        plan: PlanId(plan.clone()),
        until: annotations(metadata)
            .get(PAUSED_UNTIL_ANNOTATION)
            .and_then(|until| until.parse().ok()),
        holds: paused && set_by_us(metadata),
        changed: false,
    })
}

fn set_by_us(metadata: &ObjectMeta) -> bool {
    let sets = |entry: &&ManagedFieldsEntry| {
        let fields = entry.fields_v1.as_ref();
        fields.is_some_and(|fields| fields.0.pointer("/f:spec/f:paused").is_some())
    };
    let mut entries = metadata.managed_fields.iter().flatten().filter(sets);
    let ours = |entry: &ManagedFieldsEntry| entry.manager.as_deref() == Some(FIELD_MANAGER);
    entries.next().is_some_and(ours) && entries.all(ours)
}

/// Pauses it, with our mark and under the lock of the read.
pub(super) fn pause(workload: &Workload, plan: &PlanId, until: Timestamp) -> Value {
    json!({
        "metadata": {
            "resourceVersion": workload.metadata.resource_version,
            "annotations": {
                PAUSE_ANNOTATION: plan.0,
                PAUSED_UNTIL_ANNOTATION: format!("{until:.0}"),
            },
        },
        "spec": {"paused": true},
    })
}

/// Resumes it as `kubectl rollout resume` does; the mark of the plan stays.
pub(super) fn resume(workload: &Workload) -> Value {
    json!({
        "metadata": {
            "resourceVersion": workload.metadata.resource_version,
            "annotations": {PAUSED_UNTIL_ANNOTATION: null},
        },
        "spec": {"paused": null},
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn deployment(manager: &str, paused: bool) -> Workload {
        serde_json::from_value(json!({
            "metadata": {
                "name": "checkout",
                "resourceVersion": "7",
                "annotations": {
                    "recant.dev/pause": "p1",
                    "recant.dev/paused-until": "2026-01-01T00:30:00Z",
                },
                "managedFields": [
                    {"manager": "kubectl", "operation": "Apply", "apiVersion": "apps/v1", "fieldsType": "FieldsV1",
                     "fieldsV1": {"f:spec": {"f:replicas": {}}}},
                    {"manager": manager, "operation": "Update", "apiVersion": "apps/v1", "fieldsType": "FieldsV1",
                     "fieldsV1": {"f:spec": {"f:paused": {}}}},
                ],
            },
            "spec": {"paused": paused},
        }))
        .expect("a Deployment")
    }

    #[test]
    fn a_pause_is_ours_only_if_we_own_the_field() {
        let holds = |manager, paused| read(&deployment(manager, paused)).expect("the mark").holds;
        assert!(holds("recant", true));
        assert!(!holds("recant", false), "somebody resumed it");
        assert!(
            !holds("kubectl-rollout", true),
            "somebody resumed it and paused it again"
        );
    }

    #[test]
    fn a_deadline_that_cannot_be_read_is_none() {
        let mut deployment = deployment("recant", true);
        let until = |deployment: &Workload| read(deployment).expect("the mark").until;
        assert_eq!(
            until(&deployment),
            "2026-01-01T00:30:00Z".parse::<Timestamp>().ok()
        );
        let marks = deployment.metadata.annotations.as_mut().expect("marks");
        marks.insert(PAUSED_UNTIL_ANNOTATION.to_owned(), "soon".to_owned());
        assert_eq!(until(&deployment), None);
    }
}
