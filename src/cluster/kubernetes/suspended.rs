//! Objects of `GitOps` tools that Recant has left suspended: found by their mark, and resumed without a journal.

use kube::api::{ApiResource, DynamicObject, GroupVersionKind, ListParams, Patch, PatchParams};
use kube::{Api, Client};
use recant_core::git_sync::{self, SUSPENDED_ANNOTATION, SyncEdit};
use recant_core::target::OwnerKind;
use serde_json::Value;

use super::api::Call;
use super::execute::FIELD_MANAGER;
use super::kill_switch;
use super::leftovers::Resumed;
use super::objects::resource_name;
use crate::cluster::ClusterError;

/// Objects of one kind that are looked at.
const MOST: u32 = 5_000;

/// One that Recant has suspended.
#[derive(Debug, Clone)]
pub struct SuspendedSync {
    kind: OwnerKind,
    resource: ApiResource,
    object: DynamicObject,
}

/// Every one of the namespace, or of all. A cluster that does not know a kind has none.
///
/// # Errors
/// No right to list a kind that is there, or no answer.
pub async fn suspended(
    client: &Client,
    namespace: Option<&str>,
) -> Result<Vec<SuspendedSync>, ClusterError> {
    let mut found = Vec::new();
    for kind in [
        OwnerKind::Application,
        OwnerKind::Kustomization,
        OwnerKind::HelmRelease,
    ] {
        let resource = resource(kind);
        let api: Api<DynamicObject> = match namespace {
            Some(namespace) => Api::namespaced_with(client.clone(), namespace, &resource),
            None => Api::all_with(client.clone(), &resource),
        };
        let call = Call {
            verb: "list",
            resource: resource_name(&resource),
            namespace: namespace.unwrap_or("(all)"),
        };
        let params = ListParams::default().limit(MOST);
        let list = match call.answer(api.list(&params)).await {
            Ok(list) => list,
            // Who may not look at a tool's objects has not suspended any.
            Err(ClusterError::Forbidden { .. }) => None,
            Err(error) => return Err(error),
        };
        let marked = |object: &DynamicObject| {
            let marks = object.metadata.annotations.as_ref();
            marks.is_some_and(|marks| marks.contains_key(SUSPENDED_ANNOTATION))
        };
        let objects = list.into_iter().flat_map(|list| list.items);
        found.extend(objects.filter(marked).map(|object| SuspendedSync {
            kind,
            resource: resource.clone(),
            object,
        }));
    }
    Ok(found)
}

fn resource(kind: OwnerKind) -> ApiResource {
    let (group, version, plural) = match kind {
        OwnerKind::Application => ("argoproj.io", "v1alpha1", "applications"),
        OwnerKind::Kustomization => ("kustomize.toolkit.fluxcd.io", "v1", "kustomizations"),
        OwnerKind::HelmRelease => ("helm.toolkit.fluxcd.io", "v2", "helmreleases"),
    };
    let kind = GroupVersionKind::gvk(group, version, &kind.to_string());
    ApiResource::from_gvk_with_plural(&kind, plural)
}

impl SuspendedSync {
    /// `Application argocd/shop`
    pub fn name(&self) -> String {
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        let metadata = &self.object.metadata;
        let (namespace, name) = (text(&metadata.namespace), text(&metadata.name));
        format!("{} {namespace}/{name}", self.kind)
    }

    /// The write that resumes it; `None`: nothing has to be written.
    pub fn patch(&self) -> Option<Value> {
        let object = serde_json::to_value(&self.object).ok()?;
        match git_sync::resume(self.kind, None, &object) {
            SyncEdit::Write(patch) => Some(patch),
            SyncEdit::Nothing | SyncEdit::Done | SyncEdit::Refused { .. } => None,
        }
    }

    /// Puts it back, if it is still as it was found.
    ///
    /// # Errors
    /// No right, or no answer.
    pub async fn resume(&self, client: &Client) -> Result<Resumed, ClusterError> {
        let metadata = &self.object.metadata;
        if kill_switch::is_on(metadata) {
            return Ok(Resumed::KillSwitch { place: self.name() });
        }
        let Some(patch) = self.patch() else {
            return Ok(Resumed::Done);
        };
        let patch = serde_json::from_value(patch).map_err(|error| ClusterError::Rejected {
            reason: format!("the switch is no valid patch: {error}"),
        })?;
        let namespace = metadata.namespace.as_deref().unwrap_or_default();
        let api: Api<DynamicObject> =
            Api::namespaced_with(client.clone(), namespace, &self.resource);
        let call = Call {
            verb: "patch",
            resource: resource_name(&self.resource),
            namespace,
        };
        let params = PatchParams::apply(FIELD_MANAGER);
        let name = metadata.name.as_deref().unwrap_or_default();
        let written = call
            .answer(api.patch(name, &params, &Patch::Json::<()>(patch)))
            .await;
        match written {
            Ok(Some(_)) => Ok(Resumed::Done),
            Ok(None) | Err(ClusterError::Conflict) => Ok(Resumed::Changed),
            Err(error) => Err(error),
        }
    }
}
