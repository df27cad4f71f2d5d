//! Whether the cluster has objects that files name. Only their metadata is read: of a Secret, nothing else.

use std::collections::{BTreeMap, BTreeSet};

use futures::StreamExt as _;
use kube::api::{ApiResource, DynamicObject};
use kube::discovery::{self, Scope};
use kube::{Api, Client};
use recant_core::spec::{ObjectName, Presence};

use super::api::Call;
use crate::cluster::ClusterError;

/// Questions under way at once.
const AT_ONCE: usize = 8;
/// Objects that are looked up at most.
const MOST: usize = 1000;

/// What the API server says of each object.
///
/// # Errors
/// The API server does not answer.
pub async fn presence(
    client: &Client,
    names: &BTreeSet<ObjectName>,
) -> Result<BTreeMap<ObjectName, Presence>, ClusterError> {
    let wanted: BTreeSet<(&str, &str)> = names
        .iter()
        .map(|name| (name.group.as_str(), name.kind.as_str()))
        .collect();
    let mut kinds: BTreeMap<(&str, &str), Option<(ApiResource, Scope)>> = BTreeMap::new();
    for (group, kind) in wanted {
        kinds.insert((group, kind), resource(client, group, kind).await?);
    }
    let asked: Vec<_> = names
        .iter()
        .enumerate()
        .map(|(number, name)| {
            let key = (name.group.as_str(), name.kind.as_str());
            let kind = kinds.get(&key).cloned().flatten();
            async move {
                let presence = match kind {
                    // Nobody can have made one.
                    None => Presence::Missing,
                    Some(_) if number >= MOST => Presence::Unknown {
                        reason: format!("only {MOST} names are looked up at once"),
                    },
                    Some((resource, scope)) => ask(client, name, &resource, &scope).await?,
                };
                Ok::<_, ClusterError>((name.clone(), presence))
            }
        })
        .collect();
    let mut answers = futures::stream::iter(asked).buffered(AT_ONCE);
    let mut found = BTreeMap::new();
    while let Some(answer) = answers.next().await {
        let (name, presence) = answer?;
        found.insert(name, presence);
    }
    Ok(found)
}

/// The version of the API server: the simplest question that it can be asked.
///
/// # Errors
/// It does not answer.
pub async fn version(client: &Client) -> Result<String, ClusterError> {
    let call = Call {
        verb: "get",
        resource: "/version".to_owned(),
        namespace: client.default_namespace(),
    };
    let version = call.answer(client.apiserver_version()).await?;
    version
        .map(|version| version.git_version)
        .ok_or_else(|| ClusterError::Rejected {
            reason: "there is no page `/version`: is this an API server?".to_owned(),
        })
}

/// How the API server calls a kind, in its preferred version; `None`: it has no such kind.
async fn resource(
    client: &Client,
    group: &str,
    kind: &str,
) -> Result<Option<(ApiResource, Scope)>, ClusterError> {
    let call = Call {
        verb: "get",
        resource: format!("the API group `{group}`"),
        namespace: "",
    };
    let found = call
        .answer(async {
            match discovery::group(client, group).await {
                Ok(group) => Ok(group.recommended_kind(kind)),
                Err(kube::Error::Discovery(_)) => Ok(None),
                Err(error) => Err(error),
            }
        })
        .await?;
    Ok(found
        .flatten()
        .map(|(resource, capabilities)| (resource, capabilities.scope)))
}

async fn ask(
    client: &Client,
    name: &ObjectName,
    resource: &ApiResource,
    scope: &Scope,
) -> Result<Presence, ClusterError> {
    let namespace = name
        .namespace
        .as_deref()
        .unwrap_or_else(|| client.default_namespace());
    let api: Api<DynamicObject> = match scope {
        Scope::Namespaced => Api::namespaced_with(client.clone(), namespace, resource),
        Scope::Cluster => Api::all_with(client.clone(), resource),
    };
    let call = Call {
        verb: "get",
        resource: super::objects::resource_name(resource),
        namespace,
    };
    match call.answer(api.get_metadata(&name.name)).await {
        Ok(Some(_)) => Ok(Presence::Found),
        Ok(None) => Ok(Presence::Missing),
        Err(error @ (ClusterError::Forbidden { .. } | ClusterError::Rejected { .. })) => {
            Ok(Presence::Unknown {
                reason: error.to_string(),
            })
        }
        Err(error) => Err(error),
    }
}
