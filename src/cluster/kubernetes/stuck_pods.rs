//! Deletes the unready pods of a failed revision that a `StatefulSet` waits for: it makes them anew, of the good one.
//!
//! Each by its uid and the version that was read: a pod that became ready since, or was made anew, stays.

use kube::api::{DeleteParams, ListParams, Preconditions};
use kube::core::Selector;
use kube::{Api, Client};
use recant_core::ids::{RevisionHash, TargetId};
use recant_core::plan::StepResult;

use super::api::Call;
use super::objects::{PodObject, Workload, pod_resource, resource_name};
use super::pod::PodFacts;
use crate::cluster::ClusterError;

pub(super) async fn delete(
    client: &Client,
    target: &TargetId,
    workload: &Workload,
    judged: &RevisionHash,
) -> Result<StepResult, ClusterError> {
    let (Some(selector), Some(uid)) = (&workload.spec.selector, &workload.metadata.uid) else {
        return Ok(StepResult::AlreadyDone);
    };
    let selector =
        Selector::try_from(selector.clone()).map_err(|error| ClusterError::Rejected {
            reason: format!("the selector of {target} cannot be read: {error}"),
        })?;
    let resource = pod_resource();
    let api: Api<PodObject> = Api::namespaced_with(client.clone(), &target.namespace, &resource);
    let call = |verb| Call {
        verb,
        resource: resource_name(&resource),
        namespace: &target.namespace,
    };
    let list = call("list")
        .answer(api.list(&ListParams::default().labels_from(&selector)))
        .await?;
    let mut result = StepResult::AlreadyDone;
    for object in list.into_iter().flat_map(|list| list.items) {
        let stuck = PodFacts::of(&object).is_some_and(|facts| {
            let pod = facts.seen.pod;
            let ours = facts.owner == *uid && pod.hash == *judged;
            ours && !pod.ready && object.metadata.deletion_timestamp.is_none()
        });
        let Some(name) = object.metadata.name.as_ref().filter(|_| stuck) else {
            continue;
        };
        let parameters = DeleteParams {
            preconditions: Some(Preconditions {
                uid: object.metadata.uid.clone(),
                resource_version: object.metadata.resource_version.clone(),
            }),
            ..DeleteParams::default()
        };
        call("delete").answer(api.delete(name, &parameters)).await?;
        tracing::info!("deleted pod `{name}` of {target}: it blocked the way back");
        result = StepResult::Done;
    }
    Ok(result)
}
