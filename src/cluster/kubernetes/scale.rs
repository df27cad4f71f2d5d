//! Scaling on the real objects: what a decision needs to see, and the one number that is written, under the lock of the
//! read that the fence was held against.

use std::collections::BTreeMap;

use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kube::api::{ApiResource, DynamicObject, GroupVersionKind, ListParams, Patch, PatchParams};
use kube::core::{Selector, SelectorExt as _};
use kube::{Api, Client};
use recant_core::ids::PlanId;
use recant_core::plan::{Admission, StepResult};
use recant_core::rule::ScaleTarget;
use recant_core::scaling::{
    Autoscaler, Budget, PAUSED_REPLICAS, ScaleChange, ScaleObject, ScaleState, ScaledObject,
};
use serde_json::{Value, json};

use super::api::{Call, namespace_kill_switch};
use super::execute::FIELD_MANAGER;
use super::objects::{Workload, annotations, resource_name, scale_resource};
use super::{kill_switch, own_pause};
use crate::cluster::{ClusterError, SCALING_ANNOTATION};

/// A workload as it was read just now, with the autoscalers that have it.
struct Fresh {
    state: ScaleState,
    workload: ObjectMeta,
    autoscalers: Vec<ObjectMeta>,
    /// The `ScaledObjects` that own some of them.
    scaled_objects: Vec<DynamicObject>,
}

/// What a decision is made from; `None`: the workload does not exist.
pub(super) async fn scale_state(
    client: &Client,
    target: &ScaleTarget,
) -> Result<Option<ScaleState>, ClusterError> {
    Ok(read(client, target).await?.map(|fresh| fresh.state))
}

/// Carries a change out: reads, holds the fence against it, writes.
pub(super) async fn scale(
    client: &Client,
    plan: &PlanId,
    change: &ScaleChange,
) -> Result<StepResult, ClusterError> {
    let fresh = read(client, &change.target).await?;
    match change.admit(plan, fresh.as_ref().map(|fresh| &fresh.state)) {
        Admission::Write => {}
        Admission::AlreadyDone => return Ok(StepResult::AlreadyDone),
        Admission::NotYet { reason } => return Err(ClusterError::Unsettled { reason }),
        Admission::Fenced { reason } => return Ok(StepResult::Fenced { reason }),
    }
    // What was admitted was there.
    let fresh = fresh.ok_or(ClusterError::Conflict)?;
    let params = PatchParams::apply(FIELD_MANAGER);
    let namespace = &change.target.namespace;
    let written = match &change.object {
        ScaleObject::Workload => {
            let patch = patch(&fresh.workload, plan, "replicas", change.to);
            let api = workloads(client, &change.target);
            workload_call("patch", &change.target)
                .answer(api.patch(&change.target.name, &params, &Patch::Merge(patch)))
                .await?
                .map(drop)
        }
        ScaleObject::Autoscaler { name, .. } => {
            let metadata = fresh
                .autoscalers
                .iter()
                .find(|metadata| metadata.name.as_ref() == Some(name))
                .ok_or(ClusterError::Conflict)?;
            let patch = patch(metadata, plan, "minReplicas", change.to);
            let api: Api<HorizontalPodAutoscaler> = Api::namespaced(client.clone(), namespace);
            autoscaler_call("patch", namespace)
                .answer(api.patch(name, &params, &Patch::Merge(patch)))
                .await?
                .map(drop)
        }
        ScaleObject::ScaledObject { name, .. } | ScaleObject::PausedScaledObject { name, .. } => {
            let metadata = fresh
                .scaled_objects
                .iter()
                .map(|found| &found.metadata)
                .find(|metadata| metadata.name.as_ref() == Some(name))
                .ok_or(ClusterError::Conflict)?;
            let patch = match &change.object {
                ScaleObject::PausedScaledObject { lift, .. } => {
                    pause(metadata, plan, (!lift).then_some(change.to))
                }
                ScaleObject::Workload
                | ScaleObject::Autoscaler { .. }
                | ScaleObject::ScaledObject { .. } => {
                    patch(metadata, plan, "minReplicaCount", change.to)
                }
            };
            scaled_object_call("patch", namespace)
                .answer(scaled_objects(client, namespace).patch(
                    name,
                    &params,
                    &Patch::Merge(patch),
                ))
                .await?
                .map(drop)
        }
    };
    // Deleted since the read: the next read says so.
    written
        .map(|()| StepResult::Done)
        .ok_or(ClusterError::Conflict)
}

/// What a change would write now.
pub(super) async fn preview(
    client: &Client,
    plan: &PlanId,
    change: &ScaleChange,
) -> Result<Value, ClusterError> {
    let fresh = read(client, &change.target).await?;
    let named = change.written();
    let nothing = |why: &str| Ok(json!({"object": named, "nothing": why}));
    match change.admit(plan, fresh.as_ref().map(|fresh| &fresh.state)) {
        Admission::Write => {}
        Admission::AlreadyDone => return nothing("it is so already"),
        Admission::NotYet { reason } | Admission::Fenced { reason } => return nothing(&reason),
    }
    // What was admitted was there.
    let fresh = fresh.ok_or(ClusterError::Conflict)?;
    let named_so = |metadata: &&ObjectMeta, name: &String| metadata.name.as_ref() == Some(name);
    let patch = match &change.object {
        ScaleObject::Workload => Some(patch(&fresh.workload, plan, "replicas", change.to)),
        ScaleObject::Autoscaler { name, .. } => {
            let mut found = fresh.autoscalers.iter();
            let found = found.find(|metadata| named_so(metadata, name));
            found.map(|metadata| patch(metadata, plan, "minReplicas", change.to))
        }
        ScaleObject::ScaledObject { name, .. } => {
            let mut found = fresh.scaled_objects.iter().map(|found| &found.metadata);
            let found = found.find(|metadata| named_so(metadata, name));
            found.map(|metadata| patch(metadata, plan, "minReplicaCount", change.to))
        }
        ScaleObject::PausedScaledObject { name, lift, .. } => {
            let mut found = fresh.scaled_objects.iter().map(|found| &found.metadata);
            let found = found.find(|metadata| named_so(metadata, name));
            found.map(|metadata| pause(metadata, plan, (!lift).then_some(change.to)))
        }
    };
    Ok(json!({
        "object": named,
        "contentType": "application/merge-patch+json",
        "patch": patch.ok_or(ClusterError::Conflict)?,
    }))
}

/// One number and our mark, with the lock.
fn patch(metadata: &ObjectMeta, plan: &PlanId, field: &str, to: u32) -> Value {
    json!({
        "metadata": {
            "resourceVersion": metadata.resource_version,
            "annotations": {SCALING_ANNOTATION: plan.0},
        },
        "spec": {field: to},
    })
}

/// The annotation of KEDA; `None`: it is taken away.
fn pause(metadata: &ObjectMeta, plan: &PlanId, at: Option<u32>) -> Value {
    json!({
        "metadata": {
            "resourceVersion": metadata.resource_version,
            "annotations": {
                SCALING_ANNOTATION: plan.0,
                PAUSED_REPLICAS: at.map(|at| at.to_string()),
            },
        },
    })
}

async fn read(client: &Client, target: &ScaleTarget) -> Result<Option<Fresh>, ClusterError> {
    let Some(workload) = workload_call("get", target)
        .answer(workloads(client, target).get(&target.name))
        .await?
    else {
        return Ok(None);
    };
    let (stopped, autoscalers, budgets) = tokio::try_join!(
        namespace_kill_switch(client, &target.namespace),
        autoscalers(client, target),
        budgets(client, target, &workload),
    )?;
    let scaled_objects = owners(client, &target.namespace, &autoscalers).await?;
    let metadata = &workload.metadata;
    let kill_switch = if stopped {
        Some(format!("namespace {}", target.namespace))
    } else if kill_switch::is_on(metadata) {
        Some(target.to_string())
    } else {
        autoscalers
            .iter()
            .find(|found| kill_switch::is_on(&found.metadata))
            .map(|found| {
                let name = found.metadata.name.as_deref().unwrap_or_default();
                format!("HorizontalPodAutoscaler {}/{name}", target.namespace)
            })
    };
    let status = workload.status.as_ref();
    let state = ScaleState {
        uid: metadata.uid.clone().unwrap_or_default(),
        // The API server's default.
        replicas: number(workload.spec.replicas.unwrap_or(1)),
        ready: number(status.and_then(|status| status.ready_replicas).unwrap_or(0)),
        // Replicas of a Deployment that Recant itself has paused are shared out over its revisions.
        paused: workload.spec.paused.unwrap_or(false)
            && !own_pause::read(&workload).is_some_and(|pause| pause.holds),
        kill_switch,
        last_scaling: last_scaling(metadata),
        labels: labels_of(metadata),
        autoscalers: autoscalers
            .iter()
            .map(|found| Autoscaler {
                keda: keda_of(found).and_then(|owner| {
                    let mut all = scaled_objects.iter();
                    let own = all.find(|one| one.metadata.uid.as_ref() == Some(&owner.uid));
                    own.map(scaled_object)
                }),
                ..autoscaler(found)
            })
            .collect(),
        budgets,
    };
    Ok(Some(Fresh {
        state,
        workload: workload.metadata,
        autoscalers: autoscalers
            .into_iter()
            .map(|found| found.metadata)
            .collect(),
        scaled_objects,
    }))
}

/// The autoscalers that name this workload.
async fn autoscalers(
    client: &Client,
    target: &ScaleTarget,
) -> Result<Vec<HorizontalPodAutoscaler>, ClusterError> {
    let api: Api<HorizontalPodAutoscaler> = Api::namespaced(client.clone(), &target.namespace);
    let list = autoscaler_call("list", &target.namespace)
        .answer(api.list(&ListParams::default()))
        .await?;
    let kind = target.kind.to_string();
    let group = scale_resource(target.kind).group;
    Ok(list
        .into_iter()
        .flat_map(|list| list.items)
        .filter(|found| found.metadata.deletion_timestamp.is_none())
        .filter(|found| {
            found.spec.as_ref().is_some_and(|spec| {
                let named = &spec.scale_target_ref;
                let of_group = |version: &String| version.starts_with(&format!("{group}/"));
                named.kind == kind
                    && named.name == target.name
                    && named.api_version.as_ref().is_none_or(of_group)
            })
        })
        .collect())
}

/// As many as of any workload.
fn labels_of(metadata: &ObjectMeta) -> BTreeMap<String, String> {
    let labels = metadata.labels.iter().flatten();
    let labels = labels.take(super::facts::MOST_LABELS);
    labels
        .map(|(label, value)| (label.clone(), value.clone()))
        .collect()
}

fn autoscaler(found: &HorizontalPodAutoscaler) -> Autoscaler {
    let metadata = &found.metadata;
    let owners = metadata.owner_references.as_deref().unwrap_or_default();
    let spec = found.spec.as_ref();
    Autoscaler {
        name: metadata.name.clone().unwrap_or_default(),
        uid: metadata.uid.clone().unwrap_or_default(),
        // The API server's default.
        min: spec
            .and_then(|spec| spec.min_replicas)
            .map_or(1, |min| number(i64::from(min))),
        max: spec.map_or(0, |spec| number(i64::from(spec.max_replicas))),
        owner: owners
            .iter()
            .find(|owner| owner.controller == Some(true) || owner.kind == "ScaledObject")
            .map(|owner| format!("{} `{}`", owner.kind, owner.name)),
        last_scaling: last_scaling(metadata),
        keda: None,
    }
}

/// The `ScaledObject` that owns an autoscaler.
fn keda_of(found: &HorizontalPodAutoscaler) -> Option<&OwnerReference> {
    let owners = found
        .metadata
        .owner_references
        .as_deref()
        .unwrap_or_default();
    owners
        .iter()
        .find(|owner| owner.kind == "ScaledObject" && owner.api_version.starts_with("keda.sh/"))
}

/// The `ScaledObjects` that own these autoscalers, as far as they are there.
async fn owners(
    client: &Client,
    namespace: &str,
    autoscalers: &[HorizontalPodAutoscaler],
) -> Result<Vec<DynamicObject>, ClusterError> {
    let api = scaled_objects(client, namespace);
    let mut found = Vec::new();
    for owner in autoscalers.iter().filter_map(keda_of) {
        let call = scaled_object_call("get", namespace);
        found.extend(call.answer(api.get(&owner.name)).await?);
    }
    Ok(found)
}

/// Its numbers; what is left out has the default of KEDA.
fn scaled_object(found: &DynamicObject) -> ScaledObject {
    let at = |pointer: &str, default: i64| {
        let number = found.data.pointer(pointer).and_then(Value::as_i64);
        self::number(number.unwrap_or(default))
    };
    let paused =
        |key: &String| matches!(key.as_str(), "autoscaling.keda.sh/paused" | PAUSED_REPLICAS);
    let paused_at = annotations(&found.metadata)
        .get(PAUSED_REPLICAS)
        .and_then(|text| text.trim().parse().ok());
    ScaledObject {
        name: found.metadata.name.clone().unwrap_or_default(),
        uid: found.metadata.uid.clone().unwrap_or_default(),
        min: at("/spec/minReplicaCount", 0),
        max: at("/spec/maxReplicaCount", 100),
        last_scaling: last_scaling(&found.metadata),
        paused: annotations(&found.metadata).keys().any(paused),
        paused_at,
    }
}

fn scaled_objects(client: &Client, namespace: &str) -> Api<DynamicObject> {
    let kind = GroupVersionKind::gvk("keda.sh", "v1alpha1", "ScaledObject");
    let resource = ApiResource::from_gvk_with_plural(&kind, "scaledobjects");
    Api::namespaced_with(client.clone(), namespace, &resource)
}

fn scaled_object_call<'a>(verb: &'static str, namespace: &'a str) -> Call<'a> {
    Call {
        verb,
        resource: "scaledobjects.keda.sh".to_owned(),
        namespace,
    }
}

/// The disruption budgets that select the workload's pods.
async fn budgets(
    client: &Client,
    target: &ScaleTarget,
    workload: &Workload,
) -> Result<Vec<Budget>, ClusterError> {
    let api: Api<PodDisruptionBudget> = Api::namespaced(client.clone(), &target.namespace);
    let list = Call {
        verb: "list",
        resource: "poddisruptionbudgets.policy".to_owned(),
        namespace: &target.namespace,
    }
    .answer(api.list(&ListParams::default()))
    .await?;
    let labels = pod_labels(workload);
    let selects = |budget: &PodDisruptionBudget| {
        let selector = budget.spec.as_ref()?.selector.clone()?;
        let selector = Selector::try_from(selector).ok()?;
        Some(selector.matches(&labels))
    };
    Ok(list
        .into_iter()
        .flat_map(|list| list.items)
        .filter(|budget| selects(budget).unwrap_or(false))
        .map(|budget| Budget {
            name: budget.metadata.name.clone().unwrap_or_default(),
            needs: match budget.spec.and_then(|spec| spec.min_available) {
                Some(IntOrString::Int(needs)) => number(i64::from(needs)),
                Some(IntOrString::String(_)) | None => 0,
            },
        })
        .collect())
}

/// Labels of the pods: those of the template, or of the selector where the template lives in another object.
fn pod_labels(workload: &Workload) -> BTreeMap<String, String> {
    let of_template = workload
        .spec
        .template
        .as_ref()
        .and_then(|template| template.pointer("/metadata/labels"))
        .and_then(|labels| serde_json::from_value(labels.clone()).ok());
    let of_selector = || workload.spec.selector.as_ref()?.match_labels.clone();
    of_template.or_else(of_selector).unwrap_or_default()
}

fn last_scaling(metadata: &ObjectMeta) -> Option<PlanId> {
    let mark = annotations(metadata).get(SCALING_ANNOTATION)?;
    Some(PlanId(mark.clone()))
}

fn number(number: i64) -> u32 {
    u32::try_from(number.max(0)).unwrap_or(u32::MAX)
}

fn workloads(client: &Client, target: &ScaleTarget) -> Api<Workload> {
    let resource = scale_resource(target.kind);
    Api::namespaced_with(client.clone(), &target.namespace, &resource)
}

fn workload_call<'a>(verb: &'static str, target: &'a ScaleTarget) -> Call<'a> {
    Call {
        verb,
        resource: resource_name(&scale_resource(target.kind)),
        namespace: &target.namespace,
    }
}

fn autoscaler_call<'a>(verb: &'static str, namespace: &'a str) -> Call<'a> {
    Call {
        verb,
        resource: "horizontalpodautoscalers.autoscaling".to_owned(),
        namespace,
    }
}
