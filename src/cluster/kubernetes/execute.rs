//! One step on the real object: read, hold the fence against it, write under the lock of that read.

use std::fmt::Debug;

use kube::api::{ApiResource, ListParams, Patch, PatchParams};
use kube::core::{DynamicResourceScope, Selector};
use kube::{Api, Client, Resource};
use recant_core::ids::{PlanId, RevisionHash, TargetId, TargetKind};
use recant_core::plan::{
    Action, Admission, PauseStep, PauseWrite, RollbackStep, Step, StepCommand, StepResult,
    SyncSwitch,
};
use recant_core::target::TargetState;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::api::{Call, namespace_kill_switch};
use super::change::Objects;
use super::evidence;
use super::facts::{RevisionFacts, WorkloadFacts};
use super::objects::{
    ControllerRevision, ReplicaSet, Workload, controlled_by, hash_in, hash_label, history_resource,
    resource_name, workload_resource,
};
use super::state::target_state;
use super::{own_pause, scale, stuck_pods, undo};
use crate::cluster::{ClusterError, NOT_OF_THE_CLUSTER};

/// Under which name our writes stand in `managedFields`.
pub(super) const FIELD_MANAGER: &str = "recant";

pub(super) async fn execute(
    client: &Client,
    objects: &Objects,
    command: &StepCommand,
) -> Result<StepResult, ClusterError> {
    match &command.action {
        Action::Rollback(rollback) => roll_back(client, &command.plan, rollback).await,
        Action::Scale(change) => scale::scale(client, &command.plan, change).await,
        Action::Apply(apply) => objects.apply(&command.plan, command.index, apply).await,
        Action::Evidence(evidence) => evidence::keep(client, &command.plan, evidence).await,
        Action::Change(change) => objects.change(&command.plan, command.index, change).await,
        Action::Webhook(_) => Ok(StepResult::Refused {
            reason: NOT_OF_THE_CLUSTER.to_owned(),
        }),
        Action::Pause(step) => pause(client, &command.plan, step).await,
        Action::Sync(step) => {
            // What was suspended is resumed whatever became of the target.
            let fresh = match step.switch {
                SyncSwitch::Suspend => read(client, &step.fence.target).await?,
                SyncSwitch::Resume => None,
            };
            match step.admit(fresh.as_ref().map(|fresh| &fresh.state)) {
                Admission::Write => objects.sync(&command.plan, step).await,
                Admission::AlreadyDone => Ok(StepResult::AlreadyDone),
                Admission::NotYet { reason } => Err(ClusterError::Unsettled { reason }),
                Admission::Fenced { reason } => Ok(StepResult::Fenced { reason }),
            }
        }
    }
}

/// What the step would write now, for people: the object, how, and the patch itself.
pub(super) async fn preview(
    client: &Client,
    objects: &Objects,
    command: &StepCommand,
) -> Result<Value, ClusterError> {
    let rollback = match &command.action {
        Action::Rollback(rollback) => rollback,
        Action::Scale(change) => return scale::preview(client, &command.plan, change).await,
        Action::Change(change) => {
            return objects.preview(&command.plan, command.index, change).await;
        }
        Action::Apply(_)
        | Action::Evidence(_)
        | Action::Pause(_)
        | Action::Sync(_)
        | Action::Webhook(_) => {
            return Err(ClusterError::Rejected {
                reason: format!("what would be written to {} is not shown", command.object()),
            });
        }
    };
    let target = &rollback.fence.target;
    let (how, patch) = match prepare(client, &command.plan, rollback).await? {
        Prepared::Over(result) => {
            let why = match result {
                StepResult::Done
                | StepResult::Kept { .. }
                | StepResult::Called { .. }
                | StepResult::AlreadyDone => "there is nothing to write any more".to_owned(),
                StepResult::Fenced { reason }
                | StepResult::Refused { reason }
                | StepResult::Failed { reason } => reason,
            };
            return Ok(json!({"object": target.to_string(), "nothing": why}));
        }
        Prepared::StuckPods(_) => {
            let why = format!("the stuck pods of {target} would be deleted");
            return Ok(json!({"object": target.to_string(), "nothing": why}));
        }
        Prepared::Json(patch) => ("application/json-patch+json", patch),
        Prepared::Strategic(patch) => ("application/strategic-merge-patch+json", patch),
        Prepared::Status(patch) => ("application/merge-patch+json", patch),
    };
    Ok(json!({"object": target.to_string(), "contentType": how, "patch": patch}))
}

async fn roll_back(
    client: &Client,
    plan: &PlanId,
    rollback: &RollbackStep,
) -> Result<StepResult, ClusterError> {
    let fence = &rollback.fence;
    let target = &fence.target;
    let api = workloads(client, target);
    let patch: Patch<Value> = match prepare(client, plan, rollback).await? {
        Prepared::Over(result) => return Ok(result),
        Prepared::StuckPods(workload) => {
            return stuck_pods::delete(client, target, &workload, &fence.judged).await;
        }
        Prepared::Status(patch) => return write_status(&api, target, patch).await,
        Prepared::Json(operations) => json_patch(operations)?,
        Prepared::Strategic(patch) => Patch::Strategic(patch),
    };
    let written = call("patch", target, "")
        .answer(api.patch(&target.name, &PatchParams::apply(FIELD_MANAGER), &patch))
        .await?;
    // Deleted since the read: the next read says so.
    written
        .map(|_| StepResult::Done)
        .ok_or(ClusterError::Conflict)
}

fn json_patch(operations: Value) -> Result<Patch<Value>, ClusterError> {
    let operations = serde_json::from_value(operations);
    operations
        .map(Patch::Json)
        .map_err(|error| ClusterError::Rejected {
            reason: format!("the undo is no valid patch: {error}"),
        })
}

async fn pause(
    client: &Client,
    plan: &PlanId,
    step: &PauseStep,
) -> Result<StepResult, ClusterError> {
    let target = &step.fence.target;
    let Some(fresh) = read(client, target).await? else {
        return Ok(StepResult::Fenced {
            reason: format!("{target} does not exist any more"),
        });
    };
    match step.admit(plan, &fresh.state) {
        Admission::Write => {}
        Admission::AlreadyDone => return Ok(StepResult::AlreadyDone),
        Admission::NotYet { reason } => return Err(ClusterError::Unsettled { reason }),
        Admission::Fenced { reason } => return Ok(StepResult::Fenced { reason }),
    }
    let patch = match &step.write {
        PauseWrite::Pause { until } => own_pause::pause(&fresh.workload, plan, *until),
        PauseWrite::Resume => own_pause::resume(&fresh.workload),
    };
    let written = call("patch", target, "")
        .answer(workloads(client, target).patch(
            &target.name,
            &PatchParams::apply(FIELD_MANAGER),
            &Patch::Merge(patch),
        ))
        .await?;
    // Deleted since the read: the next read says so.
    written
        .map(|_| StepResult::Done)
        .ok_or(ClusterError::Conflict)
}

/// What a step comes to, as the object was read just now.
enum Prepared {
    /// Nothing is to be written.
    Over(StepResult),
    /// Pods of the workload are to be deleted.
    StuckPods(Box<Workload>),
    /// A JSON patch of the object.
    Json(Value),
    /// A strategic merge patch of the object.
    Strategic(Value),
    /// A merge patch of its status.
    Status(Value),
}

async fn prepare(
    client: &Client,
    plan: &PlanId,
    rollback: &RollbackStep,
) -> Result<Prepared, ClusterError> {
    let RollbackStep { fence, step } = rollback;
    let target = &fence.target;
    if step.waits() {
        return Ok(Prepared::Over(StepResult::AlreadyDone));
    }
    let Some(fresh) = read(client, target).await? else {
        return Ok(Prepared::Over(StepResult::Fenced {
            reason: format!("{target} does not exist any more"),
        }));
    };
    match rollback.admit(plan, &fresh.state) {
        Admission::Write => {}
        Admission::AlreadyDone => return Ok(Prepared::Over(StepResult::AlreadyDone)),
        Admission::NotYet { reason } => return Err(ClusterError::Unsettled { reason }),
        Admission::Fenced { reason } => return Ok(Prepared::Over(StepResult::Fenced { reason })),
    }
    let workload = &fresh.workload;
    let prepared = match step {
        Step::AwaitCurrent { .. } | Step::AwaitStuck | Step::AwaitRestored => {
            Ok(Prepared::Over(StepResult::AlreadyDone))
        }
        Step::DeleteStuckPods { .. } => Ok(Prepared::StuckPods(Box::new(fresh.workload))),
        Step::AbortRollout => Ok(Prepared::Status(undo::status(workload, "abort"))),
        Step::PromoteFull { .. } => Ok(Prepared::Status(undo::status(workload, "promoteFull"))),
        Step::UndoDeployment { to } => fresh
            .way_back(target, to)
            .map(|set| Prepared::Json(undo::undo_deployment(workload, set, plan))),
        Step::UndoRollout { to } => fresh
            .way_back(target, to)
            .map(|set| Prepared::Json(undo::undo_rollout(workload, set, plan))),
        Step::ApplyRevision { to } => fresh
            .earlier(target, to)
            .and_then(|revision| undo::apply(workload, revision, plan))
            .map(Prepared::Strategic),
    };
    Ok(prepared.unwrap_or_else(|reason| Prepared::Over(StepResult::Refused { reason })))
}

/// A workload as it was read just now, with what holds its earlier templates.
pub(super) struct Fresh {
    state: TargetState,
    pub(super) workload: Workload,
    history: History,
}

#[derive(Default)]
struct History {
    sets: Vec<ReplicaSet>,
    revisions: Vec<ControllerRevision>,
}

pub(super) async fn read(
    client: &Client,
    target: &TargetId,
) -> Result<Option<Fresh>, ClusterError> {
    let Some(workload) = call("get", target, "")
        .answer(workloads(client, target).get(&target.name))
        .await?
    else {
        return Ok(None);
    };
    let (kill_switch, history) = tokio::try_join!(
        namespace_kill_switch(client, &target.namespace),
        history(client, target, &workload),
    )?;
    let facts = WorkloadFacts::of(&workload, target.kind);
    let sets = history.sets.iter().filter_map(RevisionFacts::of_set);
    let revisions = history.revisions.iter();
    let all: Vec<_> = sets
        .chain(revisions.filter_map(RevisionFacts::of_revision))
        .collect();
    let state = target_state(
        target,
        &facts,
        &all.iter().collect::<Vec<_>>(),
        Vec::new(),
        kill_switch,
    );
    Ok(Some(Fresh {
        state,
        workload,
        history,
    }))
}

async fn history(
    client: &Client,
    target: &TargetId,
    workload: &Workload,
) -> Result<History, ClusterError> {
    Ok(match target.kind {
        TargetKind::Deployment | TargetKind::Rollout => History {
            sets: controlled(client, target, workload).await?,
            ..History::default()
        },
        TargetKind::StatefulSet | TargetKind::DaemonSet => History {
            revisions: controlled(client, target, workload).await?,
            ..History::default()
        },
    })
}

/// What holds earlier templates, matches the selector and is controlled by the workload, as kubectl finds it.
async fn controlled<K>(
    client: &Client,
    target: &TargetId,
    workload: &Workload,
) -> Result<Vec<K>, ClusterError>
where
    K: Resource<DynamicType = ApiResource, Scope = DynamicResourceScope>
        + Clone
        + Debug
        + DeserializeOwned,
{
    // A Rollout with `workloadRef` has no selector, and its template is not ours to change.
    let Some(selector) = workload.spec.selector.clone() else {
        return Ok(Vec::new());
    };
    let selector = Selector::try_from(selector).map_err(|error| ClusterError::Rejected {
        reason: format!("the selector of {target} cannot be read: {error}"),
    })?;
    let resource = history_resource(target.kind);
    let api: Api<K> = Api::namespaced_with(client.clone(), &target.namespace, &resource);
    let list = Call {
        verb: "list",
        resource: resource_name(&resource),
        namespace: &target.namespace,
    }
    .answer(api.list(&ListParams::default().labels_from(&selector)))
    .await?;
    let uid = workload.metadata.uid.as_deref();
    let kind = target.kind.to_string();
    Ok(list
        .into_iter()
        .flat_map(|list| list.items)
        .filter(|object| uid.is_some() && controlled_by(object.meta(), &[&kind]) == uid)
        .collect())
}

impl Fresh {
    /// The pod template of a revision, if it is still there.
    pub(super) fn template(&self, target: &TargetId, of: &RevisionHash) -> Option<Value> {
        match target.kind {
            TargetKind::Deployment | TargetKind::Rollout => {
                let set = self.way_back(target, of).ok()?;
                Some(set.spec.template.clone())
            }
            TargetKind::StatefulSet | TargetKind::DaemonSet => {
                let revision = self.earlier(target, of).ok()?;
                revision.data.pointer("/data/spec/template").cloned()
            }
        }
    }

    /// The `ReplicaSet` whose template is put back, or why there is none.
    fn way_back(&self, target: &TargetId, to: &RevisionHash) -> Result<&ReplicaSet, String> {
        if self.workload.spec.workload_ref.is_some() {
            return Err(format!(
                "the template of {target} lives in another object (`spec.workloadRef`): undo that one"
            ));
        }
        let label = hash_label(target.kind);
        self.history
            .sets
            .iter()
            .filter(|set| set.metadata.deletion_timestamp.is_none())
            .find(|set| {
                let labels = set.metadata.labels.as_ref();
                labels.and_then(|labels| labels.get(label)) == Some(&to.0)
            })
            .ok_or_else(|| {
                format!(
                    "revision {to} of {target} is gone: its ReplicaSet was deleted. \
                     `spec.revisionHistoryLimit` says how many old ones are kept; undo by hand, or release a good version"
                )
            })
    }

    /// The `ControllerRevision` that is applied, or why there is none.
    fn earlier(&self, target: &TargetId, to: &RevisionHash) -> Result<&ControllerRevision, String> {
        let named =
            |name: Option<&String>| name.and_then(|name| hash_in(name)).as_ref() == Some(to);
        self.history
            .revisions
            .iter()
            .filter(|revision| revision.metadata.deletion_timestamp.is_none())
            .find(|revision| named(revision.metadata.name.as_ref()))
            .ok_or_else(|| {
                format!(
                    "revision {to} of {target} is gone: its ControllerRevision was deleted. \
                     `spec.revisionHistoryLimit` says how many old ones are kept; undo by hand, or release a good version"
                )
            })
    }
}

/// The main resource stands in where the subresource is not there, as in Argo's own commands.
async fn write_status(
    api: &Api<Workload>,
    target: &TargetId,
    patch: Value,
) -> Result<StepResult, ClusterError> {
    let patch: Patch<Value> = Patch::Merge(patch);
    let params = PatchParams::apply(FIELD_MANAGER);
    let on_status = call("patch", target, "/status")
        .answer(api.patch_status(&target.name, &params, &patch))
        .await?;
    if on_status.is_some() {
        return Ok(StepResult::Done);
    }
    let on_main = call("patch", target, "")
        .answer(api.patch(&target.name, &params, &patch))
        .await?;
    on_main
        .map(|_| StepResult::Done)
        .ok_or(ClusterError::Conflict)
}

fn workloads(client: &Client, target: &TargetId) -> Api<Workload> {
    let resource = workload_resource(target.kind);
    Api::namespaced_with(client.clone(), &target.namespace, &resource)
}

/// `part`: empty, or a subresource with its slash.
fn call<'a>(verb: &'static str, target: &'a TargetId, part: &str) -> Call<'a> {
    Call {
        verb,
        resource: resource_name(&workload_resource(target.kind)) + part,
        namespace: &target.namespace,
    }
}
