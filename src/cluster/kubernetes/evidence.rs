//! Keeping what pods say before they go: their last logs and their states, in a `ConfigMap` or a file, of
//! bounded size.
//!
//! A log that cannot be read is noted in its place: what the others say is kept all the same.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use futures::StreamExt as _;
use k8s_openapi::api::core::v1::{ConfigMap, Pod};
use kube::api::{ListParams, LogParams, ObjectMeta, PostParams};
use kube::core::Selector;
use kube::{Api, Client};
use recant_core::change::{CHANGE_ANNOTATION, Change};
use recant_core::evidence::KeepEvidence;
use recant_core::ids::PlanId;
use recant_core::plan::StepResult;
use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::api::Call;
use super::execute::FIELD_MANAGER;
use super::objects::{Workload, annotations, resource_name, scale_resource};
use crate::cluster::ClusterError;

mod folder;

/// The digest of what was kept.
const DIGEST_ANNOTATION: &str = "recant.dev/sha256";
/// Containers whose logs are kept, and pods whose states are.
const MOST: usize = 100;
/// All logs together; an object holds 1 MiB.
const MOST_BYTES: usize = 700_000;
/// The same for a file.
const MOST_BYTES_OF_FILE: usize = 4_000_000;
/// Logs under way at once.
const AT_ONCE: usize = 8;

pub(super) async fn keep(
    client: &Client,
    plan: &PlanId,
    wanted: &KeepEvidence,
) -> Result<StepResult, ClusterError> {
    let mark = Change::mark(plan, 0);
    if let Some(folder) = &wanted.folder {
        return in_folder(client, wanted, folder, mark).await;
    }
    let maps: Api<ConfigMap> = Api::namespaced(client.clone(), &wanted.into.namespace);
    let place = wanted.place();
    if let Some(found) = call(wanted, "get", "configmaps")
        .answer(maps.get(&wanted.into.name))
        .await?
    {
        let known = annotations(&found.metadata);
        return Ok(match known.get(DIGEST_ANNOTATION) {
            Some(sha256) if known.get(CHANGE_ANNOTATION) == Some(&mark) => StepResult::Kept {
                place,
                sha256: sha256.clone(),
            },
            _ => StepResult::Refused {
                reason: format!("{place} is there already, and not ours"),
            },
        });
    }
    let data = match gather(client, wanted, MOST_BYTES).await? {
        Ok(data) => data,
        Err(gone) => return Ok(gone),
    };
    let sha256 = digest(&data);
    let map = ConfigMap {
        metadata: ObjectMeta {
            name: Some(wanted.into.name.clone()),
            annotations: Some(BTreeMap::from([
                (CHANGE_ANNOTATION.to_owned(), mark),
                (DIGEST_ANNOTATION.to_owned(), sha256.clone()),
            ])),
            labels: Some(BTreeMap::from([(
                "app.kubernetes.io/managed-by".to_owned(),
                "recant".to_owned(),
            )])),
            ..ObjectMeta::default()
        },
        data: Some(data),
        immutable: Some(true),
        ..ConfigMap::default()
    };
    let params = PostParams {
        field_manager: Some(FIELD_MANAGER.to_owned()),
        ..PostParams::default()
    };
    call(wanted, "create", "configmaps")
        .answer(maps.create(&params, &map))
        .await?
        .map(|_| StepResult::Kept { place, sha256 })
        // The namespace is on its way out.
        .ok_or(ClusterError::Conflict)
}

/// Of each key and value, so that anybody can check it.
fn digest(data: &BTreeMap<String, String>) -> String {
    let mut hash = Sha256::new();
    for (key, value) in data {
        hash.update(key);
        hash.update([0]);
        hash.update(value);
        hash.update([0]);
    }
    let digest = hash.finalize();
    digest.iter().fold(String::new(), |mut text, byte| {
        // Text takes whatever is written to it.
        write!(text, "{byte:02x}").unwrap_or_default();
        text
    })
}

async fn in_folder(
    client: &Client,
    wanted: &KeepEvidence,
    folder: &str,
    mark: String,
) -> Result<StepResult, ClusterError> {
    let place = folder::Place {
        folder: folder.into(),
        name: wanted.into.name.clone(),
        mark,
    };
    if let Some(result) = place.known().await {
        return Ok(result);
    }
    match gather(client, wanted, MOST_BYTES_OF_FILE).await? {
        Ok(data) => Ok(place.keep(wanted.evidence_of.to_string(), data).await),
        Err(gone) => Ok(gone),
    }
}

/// What the pods say; inside, `Err`: the workload is not what it was.
async fn gather(
    client: &Client,
    wanted: &KeepEvidence,
    most_bytes: usize,
) -> Result<Result<BTreeMap<String, String>, StepResult>, ClusterError> {
    let resource = scale_resource(wanted.evidence_of.kind);
    let workloads: Api<Workload> =
        Api::namespaced_with(client.clone(), &wanted.evidence_of.namespace, &resource);
    let workload = call(wanted, "get", &resource_name(&resource))
        .answer(workloads.get(&wanted.evidence_of.name))
        .await?;
    let gone = || StepResult::Fenced {
        reason: format!(
            "{} does not exist any more, or was created again",
            wanted.evidence_of
        ),
    };
    let Some(workload) = workload.filter(|found| found.metadata.uid.as_ref() == Some(&wanted.uid))
    else {
        return Ok(Err(gone()));
    };
    let namespace = &wanted.evidence_of.namespace;
    let selector = workload.spec.selector.clone().unwrap_or_default();
    let selector = Selector::try_from(selector).map_err(|error| ClusterError::Rejected {
        reason: format!(
            "the selector of {} cannot be read: {error}",
            wanted.evidence_of
        ),
    })?;
    let api: Api<Pod> = Api::namespaced(client.clone(), namespace);
    let params = ListParams::default().labels_from(&selector).limit(500);
    let pods = call(wanted, "list", "pods")
        .answer(api.list(&params))
        .await?;
    let pods: Vec<Pod> = pods
        .into_iter()
        .flat_map(|list| list.items)
        .take(MOST)
        .collect();
    let mut data = BTreeMap::from([("pods.json".to_owned(), states(&pods))]);
    let containers: Vec<(String, String)> = pods
        .iter()
        .flat_map(|pod| {
            let name = pod.metadata.name.clone().unwrap_or_default();
            let all = pod.spec.iter().flat_map(|spec| &spec.containers);
            all.map(move |container| (name.clone(), container.name.clone()))
        })
        .take(MOST)
        .collect();
    let most = most_bytes / containers.len().max(1);
    let logs = containers.into_iter().map(|(pod, container)| {
        let api = &api;
        async move {
            let params = LogParams {
                container: Some(container.clone()),
                tail_lines: Some(i64::from(wanted.lines)),
                timestamps: true,
                ..LogParams::default()
            };
            let log = call(wanted, "get", "pods/log")
                .answer(api.logs(&pod, &params))
                .await;
            let text = match log {
                Ok(Some(text)) => last(&text, most).to_owned(),
                Ok(None) => "(the pod is gone)".to_owned(),
                Err(error) => format!("(the log could not be read: {error})"),
            };
            (format!("{pod}.{container}.log"), text)
        }
    });
    let mut logs = futures::stream::iter(logs.collect::<Vec<_>>()).buffered(AT_ONCE);
    while let Some((key, text)) = logs.next().await {
        data.insert(key, text);
    }
    Ok(Ok(data))
}

/// The end of a text, in so many bytes at most.
fn last(text: &str, most: usize) -> &str {
    let mut from = text.len().saturating_sub(most);
    while !text.is_char_boundary(from) {
        from += 1;
    }
    text.get(from..).unwrap_or_default()
}

/// What the pods say of themselves, without what else stands in their specs: variables may be secret.
fn states(pods: &[Pod]) -> String {
    let states: Vec<_> = pods
        .iter()
        .map(|pod| {
            let status = pod.status.clone().unwrap_or_default();
            json!({
                "name": pod.metadata.name,
                "uid": pod.metadata.uid,
                "created": pod.metadata.creation_timestamp,
                "node": pod.spec.as_ref().and_then(|spec| spec.node_name.as_ref()),
                "phase": status.phase,
                "reason": status.reason,
                "message": status.message,
                "conditions": status.conditions,
                "containers": status.container_statuses,
            })
        })
        .collect();
    let text = serde_json::to_string_pretty(&states).unwrap_or_default();
    // It is only cut where pods say more than anybody reads.
    let mut most = text.len().min(200_000);
    while !text.is_char_boundary(most) {
        most -= 1;
    }
    text.get(..most).unwrap_or_default().to_owned()
}

fn call<'a>(wanted: &'a KeepEvidence, verb: &'static str, resource: &str) -> Call<'a> {
    Call {
        verb,
        resource: resource.to_owned(),
        namespace: &wanted.into.namespace,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_log_is_kept_whole_characters_only() {
        assert_eq!(last("abc", 10), "abc");
        assert_eq!(last("abcdef", 2), "ef");
        assert_eq!(last("aéb", 2), "b");
    }

    #[test]
    fn the_digest_is_of_every_key_and_value() {
        let map = |pairs: &[(&str, &str)]| {
            let owned = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
            digest(&pairs.iter().map(owned).collect())
        };
        assert_eq!(map(&[]).len(), 64);
        assert_ne!(map(&[("a", "b")]), map(&[("ab", "")]));
        assert_ne!(map(&[("a", "b"), ("c", "d")]), map(&[("a", "b")]));
    }
}
