//! Changes of any object that lies in a namespace: read, hold the fence against it, write under the lock of that read.
//!
//! What the API server calls a kind is asked for once and remembered; a kind that goes (its CRD is deleted) is asked for
//! again.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use kube::api::{ApiResource, DynamicObject, ListParams, Patch, PatchParams};
use kube::core::GroupVersionKind;
use kube::discovery::{self, Scope};
use kube::{Api, Client};
use recant_core::change::{Apply, Change, ObjectRef, ObjectState};
use recant_core::git_sync::{self, SyncEdit};
use recant_core::ids::PlanId;
use recant_core::plan::{Admission, StepResult, SyncStep, SyncSwitch};
use serde_json::{Value, json};

use super::api::{Call, namespace_kill_switch};
use super::execute::FIELD_MANAGER;
use super::objects::resource_name;
use crate::cluster::ClusterError;

/// Kinds that are remembered; rules name a handful.
const MOST_KINDS: usize = 256;

/// Objects of all kinds, by what the API server calls them.
#[derive(Clone)]
pub(super) struct Objects {
    client: Client,
    kinds: Arc<Mutex<BTreeMap<(String, String), ApiResource>>>,
}

impl Objects {
    pub(super) fn new(client: Client) -> Self {
        Self {
            client,
            kinds: Arc::default(),
        }
    }

    /// The object with what its namespace says; `None`: it does not exist.
    pub(super) async fn read(
        &self,
        object: &ObjectRef,
    ) -> Result<Option<ObjectState>, ClusterError> {
        let resource = self.resource(object).await?;
        let api = self.api(object, &resource);
        let found = async {
            let call = call("get", object, &resource);
            call.answer(api.get(&object.name)).await
        };
        let (found, stopped) = tokio::try_join!(
            found,
            namespace_kill_switch(&self.client, &object.namespace)
        )?;
        let Some(found) = found else {
            // Perhaps there is no such kind any more.
            self.forget(object);
            return Ok(None);
        };
        let found = serde_json::to_value(found).map_err(|error| ClusterError::Rejected {
            reason: format!("{object} cannot be read: {error}"),
        })?;
        Ok(Some(ObjectState::new(object, found, stopped)))
    }

    /// Carries step `index` of a plan out.
    pub(super) async fn change(
        &self,
        plan: &PlanId,
        index: usize,
        change: &Change,
    ) -> Result<StepResult, ClusterError> {
        let fresh = self.read(&change.object).await?;
        match change.admit(plan, index, fresh.as_ref()) {
            Admission::Write => {}
            Admission::AlreadyDone => return Ok(StepResult::AlreadyDone),
            Admission::NotYet { reason } => return Err(ClusterError::Unsettled { reason }),
            Admission::Fenced { reason } => return Ok(StepResult::Fenced { reason }),
        }
        // What was admitted was there.
        let fresh = fresh.ok_or(ClusterError::Conflict)?;
        // Nothing is led to nobody, whatever was seen when it was decided.
        if let Some(feeds) = change.edit.feeds(&fresh.object)
            && let Some(reason) = self.nobody(&feeds, &change.object.namespace).await?
        {
            return Ok(StepResult::Fenced { reason });
        }
        let patch = match change.patch(plan, index, &fresh.object) {
            Ok(patch) => patch,
            Err(reason) => return Ok(StepResult::Refused { reason }),
        };
        let patch = serde_json::from_value(patch).map_err(|error| ClusterError::Rejected {
            reason: format!("the change is no valid patch: {error}"),
        })?;
        let resource = self.resource(&change.object).await?;
        let api = self.api(&change.object, &resource);
        let params = PatchParams::apply(FIELD_MANAGER);
        let written = call("patch", &change.object, &resource)
            .answer(api.patch(&change.object.name, &params, &Patch::Json::<()>(patch)))
            .await?;
        // Deleted since the read: the next read says so.
        written
            .map(|_| StepResult::Done)
            .ok_or(ClusterError::Conflict)
    }

    /// What step `index` of a plan would write now.
    pub(super) async fn preview(
        &self,
        plan: &PlanId,
        index: usize,
        change: &Change,
    ) -> Result<Value, ClusterError> {
        let named = change.object.to_string();
        let nothing = |why: &str| Ok(json!({"object": named, "nothing": why}));
        let fresh = self.read(&change.object).await?;
        match change.admit(plan, index, fresh.as_ref()) {
            Admission::Write => {}
            Admission::AlreadyDone => return nothing("it is so already"),
            Admission::NotYet { reason } | Admission::Fenced { reason } => return nothing(&reason),
        }
        // What was admitted was there.
        let fresh = fresh.ok_or(ClusterError::Conflict)?;
        match change.patch(plan, index, &fresh.object) {
            Ok(patch) => Ok(json!({
                "object": named,
                "contentType": "application/json-patch+json",
                "patch": patch,
            })),
            Err(reason) => nothing(&reason),
        }
    }

    /// All objects of the kind in the namespace of one; none where the kind is not known.
    pub(super) async fn list(&self, of: &ObjectRef) -> Result<Vec<DynamicObject>, ClusterError> {
        let resource = self.resource(of).await?;
        let found = call("list", of, &resource)
            .answer(self.api(of, &resource).list(&ListParams::default()))
            .await?;
        Ok(found.map(|list| list.items).unwrap_or_default())
    }

    pub(super) fn client(&self) -> Client {
        self.client.clone()
    }

    /// Applies a manifest; what others manage is not taken over.
    pub(super) async fn apply(
        &self,
        plan: &PlanId,
        index: usize,
        apply: &Apply,
    ) -> Result<StepResult, ClusterError> {
        let object = &apply.applied;
        let fresh = self.read(object).await?;
        let stopped = namespace_kill_switch(&self.client, &object.namespace).await?;
        match apply.admit(plan, index, fresh.as_ref(), stopped) {
            Admission::Write => {}
            Admission::AlreadyDone => return Ok(StepResult::AlreadyDone),
            Admission::NotYet { reason } => return Err(ClusterError::Unsettled { reason }),
            Admission::Fenced { reason } => return Ok(StepResult::Fenced { reason }),
        }
        let body = apply.body(plan, index, fresh.as_ref().map(|fresh| &fresh.object));
        let resource = self.resource(object).await?;
        let api = self.api(object, &resource);
        // Not by force: a conflict names who else manages a field.
        let params = PatchParams::apply(FIELD_MANAGER);
        let taken = Mutex::new(None);
        let sent = async {
            let sent = api.patch(&object.name, &params, &Patch::Apply(body)).await;
            if let Err(kube::Error::Api(status)) = &sent
                && status.code == 409
                && status.message.starts_with("Apply failed")
            {
                *taken.lock().unwrap_or_else(PoisonError::into_inner) =
                    Some(status.message.clone());
            }
            sent
        };
        let written = call("patch", object, &resource).answer(sent).await;
        let taken = taken.into_inner().unwrap_or_else(PoisonError::into_inner);
        if let Some(reason) = taken {
            return Ok(StepResult::Refused {
                reason: format!("others manage what the manifest sets: {reason}"),
            });
        }
        written?
            .map(|_| StepResult::Done)
            .ok_or(ClusterError::Conflict)
    }

    /// Switches the self-heal of a `GitOps` tool off or on.
    pub(super) async fn sync(
        &self,
        plan: &PlanId,
        step: &SyncStep,
    ) -> Result<StepResult, ClusterError> {
        let named = git_sync::object_ref(&step.owner);
        let Some(fresh) = self.read(&named).await? else {
            return Ok(match step.switch {
                SyncSwitch::Suspend => StepResult::Refused {
                    reason: format!("{named} does not exist"),
                },
                // There is nothing left that could be suspended.
                SyncSwitch::Resume => StepResult::AlreadyDone,
            });
        };
        if let Some(place) = &fresh.kill_switch {
            return Ok(StepResult::Fenced {
                reason: format!(
                    "the kill switch is on: annotation `recant.dev/kill-switch` of {place}"
                ),
            });
        }
        let sync = match step.switch {
            SyncSwitch::Suspend => git_sync::suspend(step.owner.kind, plan, &fresh.object),
            SyncSwitch::Resume => git_sync::resume(step.owner.kind, Some(plan), &fresh.object),
        };
        let patch = match sync {
            SyncEdit::Nothing => return Ok(StepResult::AlreadyDone),
            SyncEdit::Done => return Ok(StepResult::Done),
            SyncEdit::Refused { reason } => return Ok(StepResult::Refused { reason }),
            SyncEdit::Write(patch) => patch,
        };
        let patch = serde_json::from_value(patch).map_err(|error| ClusterError::Rejected {
            reason: format!("the switch is no valid patch: {error}"),
        })?;
        let resource = self.resource(&named).await?;
        let params = PatchParams::apply(FIELD_MANAGER);
        let written = call("patch", &named, &resource)
            .answer(self.api(&named, &resource).patch(
                &named.name,
                &params,
                &Patch::Json::<()>(patch),
            ))
            .await?;
        written
            .map(|_| StepResult::Done)
            .ok_or(ClusterError::Conflict)
    }

    fn api(&self, object: &ObjectRef, resource: &ApiResource) -> Api<DynamicObject> {
        Api::namespaced_with(self.client.clone(), &object.namespace, resource)
    }

    /// How the API server calls the kind, in exactly this version.
    async fn resource(&self, object: &ObjectRef) -> Result<ApiResource, ClusterError> {
        let key = (object.api_version.clone(), object.kind.clone());
        let known = self.kinds().get(&key).cloned();
        if let Some(known) = known {
            return Ok(known);
        }
        let version = object.api_version.rsplit('/').next().unwrap_or_default();
        let kind = GroupVersionKind::gvk(object.group(), version, &object.kind);
        let call = Call {
            verb: "get",
            resource: format!("the API `{}`", object.api_version),
            namespace: &object.namespace,
        };
        let found = call
            .answer(async {
                match discovery::pinned_kind(&self.client, &kind).await {
                    Ok(found) => Ok(Some(found)),
                    Err(kube::Error::Discovery(_)) => Ok(None),
                    Err(error) => Err(error),
                }
            })
            .await?;
        let Some((resource, capabilities)) = found.flatten() else {
            return Err(ClusterError::Rejected {
                reason: format!(
                    "the API server knows no {} of `{}`",
                    object.kind, object.api_version
                ),
            });
        };
        if capabilities.scope == Scope::Cluster {
            return Err(ClusterError::Rejected {
                reason: format!(
                    "a {} belongs to no namespace: only what lies in the namespace of a watch is changed",
                    object.kind
                ),
            });
        }
        let mut kinds = self.kinds();
        if kinds.len() < MOST_KINDS {
            kinds.insert(key, resource.clone());
        }
        Ok(resource)
    }

    fn forget(&self, object: &ObjectRef) {
        let key = (object.api_version.clone(), object.kind.clone());
        self.kinds().remove(&key);
    }

    fn kinds(&self) -> std::sync::MutexGuard<'_, BTreeMap<(String, String), ApiResource>> {
        self.kinds.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn call<'a>(verb: &'static str, object: &'a ObjectRef, resource: &ApiResource) -> Call<'a> {
    Call {
        verb,
        resource: resource_name(resource),
        namespace: &object.namespace,
    }
}
