//! The objects of the API server, with just the fields that are used here.
//!
//! Pod templates stay untyped: an undo must put back every field, those that this program does not know included.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta, Time};
use kube::api::{ApiResource, DynamicObject, GroupVersionKind, Object};
use recant_core::change::ObjectRef;
use recant_core::ids::{RevisionHash, TargetKind};
use recant_core::rule::ScaleKind;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A target: the fields are the same but for what their status says of a release.
pub(super) type Workload = Object<WorkloadSpec, WorkloadStatus>;
/// Its fields lie beside its metadata: `data` and `revision`.
pub(super) type ControllerRevision = DynamicObject;
pub(super) type ReplicaSet = Object<ReplicaSetSpec, ReplicaSetStatus>;
pub(super) type PodObject = Object<PodSpec, PodStatus>;

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct WorkloadSpec {
    pub(super) replicas: Option<i64>,
    pub(super) paused: Option<bool>,
    /// Absent in a Rollout with `workloadRef`.
    pub(super) template: Option<Value>,
    pub(super) selector: Option<LabelSelector>,
    pub(super) workload_ref: Option<Value>,
    /// Of a Rollout: it names its Services.
    pub(super) strategy: Option<Value>,
    pub(super) revision_history_limit: Option<i64>,
    // Of a StatefulSet or a DaemonSet:
    pub(super) update_strategy: Option<UpdateStrategy>,
    pub(super) pod_management_policy: Option<String>,
}

/// How a `StatefulSet` or `DaemonSet` replaces pods.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct UpdateStrategy {
    #[serde(rename = "type")]
    pub(super) kind: Option<String>,
    pub(super) rolling_update: Option<RollingUpdate>,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct RollingUpdate {
    pub(super) partition: Option<i64>,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct WorkloadStatus {
    /// A number in a Deployment, a string in a Rollout.
    pub(super) observed_generation: Option<Value>,
    pub(super) replicas: Option<i64>,
    pub(super) updated_replicas: Option<i64>,
    pub(super) ready_replicas: Option<i64>,
    pub(super) available_replicas: Option<i64>,
    pub(super) conditions: Option<Vec<Condition>>,
    // Of a DaemonSet only:
    pub(super) desired_number_scheduled: Option<i64>,
    pub(super) current_number_scheduled: Option<i64>,
    pub(super) updated_number_scheduled: Option<i64>,
    pub(super) number_ready: Option<i64>,
    pub(super) number_available: Option<i64>,
    /// Of a `StatefulSet`: the name of the `ControllerRevision` that its spec asks for.
    pub(super) update_revision: Option<String>,
    // Of a Rollout only:
    pub(super) current_pod_hash: Option<String>,
    #[serde(rename = "stableRS")]
    pub(super) stable_rs: Option<String>,
    pub(super) blue_green: Option<BlueGreenStatus>,
    pub(super) abort: Option<bool>,
    pub(super) promote_full: Option<bool>,
    pub(super) phase: Option<String>,
    pub(super) message: Option<String>,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct BlueGreenStatus {
    pub(super) active_selector: Option<String>,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct ReplicaSetSpec {
    pub(super) template: Value,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct ReplicaSetStatus {
    pub(super) replicas: Option<i64>,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct PodSpec {
    pub(super) containers: Vec<Container>,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Container {
    pub(super) ports: Option<Vec<ContainerPort>>,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct ContainerPort {
    pub(super) name: Option<String>,
    pub(super) container_port: i64,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct PodStatus {
    pub(super) phase: Option<String>,
    #[serde(rename = "podIP")]
    pub(super) pod_ip: Option<String>,
    pub(super) reason: Option<String>,
    pub(super) conditions: Option<Vec<Condition>>,
    pub(super) init_container_statuses: Option<Vec<ContainerStatus>>,
    pub(super) container_statuses: Option<Vec<ContainerStatus>>,
}

/// A condition of a workload or a pod.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Condition {
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) status: String,
    pub(super) reason: Option<String>,
    pub(super) message: Option<String>,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct ContainerStatus {
    pub(super) name: String,
    pub(super) ready: bool,
    pub(super) restart_count: i64,
    pub(super) state: Option<ContainerState>,
    pub(super) last_state: Option<ContainerState>,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct ContainerState {
    pub(super) waiting: Option<Reason>,
    pub(super) terminated: Option<Terminated>,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Terminated {
    pub(super) reason: Option<String>,
    pub(super) finished_at: Option<Time>,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Reason {
    pub(super) reason: Option<String>,
}

/// What the API server calls a kind of target.
pub(super) fn workload_resource(kind: TargetKind) -> ApiResource {
    match kind {
        TargetKind::Deployment => resource("apps", "v1", "Deployment", "deployments"),
        TargetKind::Rollout => resource("argoproj.io", "v1alpha1", "Rollout", "rollouts"),
        TargetKind::StatefulSet => resource("apps", "v1", "StatefulSet", "statefulsets"),
        TargetKind::DaemonSet => resource("apps", "v1", "DaemonSet", "daemonsets"),
    }
}

/// What holds the earlier templates of a kind of target.
pub(super) fn history_resource(kind: TargetKind) -> ApiResource {
    match kind {
        TargetKind::Deployment | TargetKind::Rollout => replica_set_resource(),
        TargetKind::StatefulSet | TargetKind::DaemonSet => controller_revision_resource(),
    }
}

pub(super) fn controller_revision_resource() -> ApiResource {
    resource("apps", "v1", "ControllerRevision", "controllerrevisions")
}

/// What the API server calls a kind of workload that can be scaled.
pub(super) fn scale_resource(kind: ScaleKind) -> ApiResource {
    match kind {
        ScaleKind::Deployment => workload_resource(TargetKind::Deployment),
        ScaleKind::StatefulSet => workload_resource(TargetKind::StatefulSet),
        ScaleKind::Rollout => workload_resource(TargetKind::Rollout),
    }
}

pub(super) fn replica_set_resource() -> ApiResource {
    resource("apps", "v1", "ReplicaSet", "replicasets")
}

pub(super) fn autoscaler_resource() -> ApiResource {
    resource(
        "autoscaling",
        "v2",
        "HorizontalPodAutoscaler",
        "horizontalpodautoscalers",
    )
}

pub(super) fn budget_resource() -> ApiResource {
    resource(
        "policy",
        "v1",
        "PodDisruptionBudget",
        "poddisruptionbudgets",
    )
}

pub(super) fn config_map_resource() -> ApiResource {
    resource("", "v1", "ConfigMap", "configmaps")
}

pub(super) fn secret_resource() -> ApiResource {
    resource("", "v1", "Secret", "secrets")
}

pub(super) fn job_resource() -> ApiResource {
    resource("batch", "v1", "Job", "jobs")
}

pub(super) fn pod_resource() -> ApiResource {
    resource("", "v1", "Pod", "pods")
}

fn resource(group: &str, version: &str, kind: &str, plural: &str) -> ApiResource {
    ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(group, version, kind), plural)
}

/// What the API server calls a kind that rules name often; `None`: it has to be asked.
pub(super) fn well_known(object: &ObjectRef) -> Option<ApiResource> {
    let plural = match (object.group(), object.kind.as_str()) {
        ("apps", "Deployment") => "deployments",
        ("apps", "StatefulSet") => "statefulsets",
        ("apps", "DaemonSet") => "daemonsets",
        ("argoproj.io", "Rollout") => "rollouts",
        ("batch", "CronJob") => "cronjobs",
        ("", "Service") => "services",
        ("", "ConfigMap") => "configmaps",
        ("networking.k8s.io", "Ingress") => "ingresses",
        ("autoscaling", "HorizontalPodAutoscaler") => "horizontalpodautoscalers",
        _ => return None,
    };
    let version = object.api_version.rsplit('/').next().unwrap_or_default();
    Some(resource(object.group(), version, &object.kind, plural))
}

/// `deployments.apps`, `pods`: as RBAC and kubectl say it.
pub(super) fn resource_name(resource: &ApiResource) -> String {
    if resource.group.is_empty() {
        resource.plural.clone()
    } else {
        format!("{}.{}", resource.plural, resource.group)
    }
}

/// The label that holds the hash of a revision, on its pods and, where it has one, its `ReplicaSet`.
pub(super) fn hash_label(kind: TargetKind) -> &'static str {
    match kind {
        TargetKind::Deployment => "pod-template-hash",
        TargetKind::Rollout => "rollouts-pod-template-hash",
        TargetKind::StatefulSet | TargetKind::DaemonSet => "controller-revision-hash",
    }
}

/// The hash in the name of a `ControllerRevision`, which is `NAME-HASH`. A pod of a `StatefulSet` is labelled with that
/// name, one of a `DaemonSet` with the hash alone, which has no dashes.
pub(super) fn hash_in(name: &str) -> Option<RevisionHash> {
    let hash = name.rsplit('-').next()?;
    (!hash.is_empty()).then(|| RevisionHash(hash.to_owned()))
}

/// The annotation that holds the number of a revision; a `ControllerRevision` has a field for it.
pub(super) fn revision_annotation(kind: TargetKind) -> Option<&'static str> {
    match kind {
        TargetKind::Deployment => Some("deployment.kubernetes.io/revision"),
        TargetKind::Rollout => Some("rollout.argoproj.io/revision"),
        TargetKind::StatefulSet | TargetKind::DaemonSet => None,
    }
}

/// Uid of the object that controls this one, if it is of the given kind.
pub(super) fn controlled_by<'a>(metadata: &'a ObjectMeta, kinds: &[&str]) -> Option<&'a str> {
    metadata
        .owner_references
        .as_deref()?
        .iter()
        .find(|owner| owner.controller == Some(true) && kinds.contains(&owner.kind.as_str()))
        .map(|owner| owner.uid.as_str())
}

/// The annotations, empty if there are none.
pub(super) fn annotations(metadata: &ObjectMeta) -> &BTreeMap<String, String> {
    static NONE: BTreeMap<String, String> = BTreeMap::new();
    metadata.annotations.as_ref().unwrap_or(&NONE)
}
