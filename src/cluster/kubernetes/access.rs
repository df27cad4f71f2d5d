//! Whether the service account has every right that will be needed: asked at the start, so that a missing verb is
//! named then and not when a bad release must be taken back.

mod missing;

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use futures::StreamExt as _;
use k8s_openapi::api::authorization::v1::{
    ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec,
};
use kube::api::{ApiResource, PostParams};
use kube::{Api, Client};
use recant_core::change::ObjectRef;
use recant_core::ids::{TargetId, TargetKind};
use recant_core::rule::ScaleTarget;
use recant_core::traffic::{Route, RouteKind};

use self::missing::Role;
use super::api::Call;
use super::objects::{
    autoscaler_resource, budget_resource, config_map_resource, history_resource, job_resource,
    pod_resource, scale_resource, secret_resource, well_known, workload_resource,
};
use crate::cluster::ClusterError;

pub use self::missing::Missing;

/// A right that is there is asked for again after this long.
const FRESH: Duration = Duration::from_mins(1);
/// Questions under way at once.
const AT_ONCE: usize = 8;

/// What a process needs rights for.
#[derive(Debug, Clone, Default)]
pub struct Needs {
    pub targets: Vec<TargetId>,
    /// Namespaces in which stuck pods are deleted.
    pub deletes_pods: BTreeSet<String>,
    /// Secrets that earlier templates name are looked for.
    pub checks_secrets: bool,
    /// Workloads that rules between releases scale.
    pub scales: Vec<ScaleTarget>,
    /// Objects that are changed otherwise.
    pub objects: Vec<ObjectRef>,
    /// Objects that split the traffic of releases.
    pub routes: Vec<Route>,
    /// Steps are carried out: `false` in a dry run of the whole process.
    pub acts: bool,
    /// Namespace and name of the Lease.
    pub lease: Option<(String, String)>,
    /// Namespace and names of the Secrets that channels refer to.
    pub secrets: Vec<(String, String)>,
    /// Tokens of callers are shown to the API server.
    pub reviews_tokens: bool,
    /// Namespace and name of the `ConfigMap` that holds the state of `recant once`.
    pub state: Option<(String, String)>,
    /// Namespace and names of the `ConfigMaps` that several replicas share.
    pub shared: Option<(String, Vec<String>)>,
    /// Names of the Leases that several replicas divide the work with, in the namespace of `shared`.
    pub divided: Vec<String>,
}

/// The rights that are missing, in order.
///
/// # Errors
/// The API server does not answer.
pub async fn missing_access(client: &Client, needs: &Needs) -> Result<Vec<Missing>, ClusterError> {
    missing_of(client, rights(needs)).await
}

/// Rights that were found to be there lately: those of many documents are not asked for again with each change of one.
#[derive(Debug, Default)]
pub struct Granted {
    known: BTreeSet<Missing>,
    since: Option<Instant>,
}

impl Granted {
    /// Like [`missing_access`].
    ///
    /// # Errors
    /// The API server does not answer.
    pub async fn missing(
        &mut self,
        client: &Client,
        needs: &Needs,
    ) -> Result<Vec<Missing>, ClusterError> {
        if self.since.is_none_or(|since| since.elapsed() > FRESH) {
            self.known.clear();
            self.since = Some(Instant::now());
        }
        let mut asked = rights(needs);
        asked.retain(|right| !self.known.contains(right));
        let missing = missing_of(client, asked.clone()).await?;
        asked.retain(|right| !missing.contains(right));
        self.known.extend(asked);
        Ok(missing)
    }
}

impl Needs {
    /// Whether this right is one of those.
    pub fn include(&self, right: &Missing) -> bool {
        rights(self).contains(right)
    }
}

async fn missing_of(
    client: &Client,
    rights: BTreeSet<Missing>,
) -> Result<Vec<Missing>, ClusterError> {
    let api: Api<SelfSubjectAccessReview> = Api::all(client.clone());
    let mut answers = futures::stream::iter(rights)
        .map(|right| {
            let api = &api;
            async move {
                let allowed = allowed(api, &right).await?;
                Ok((!allowed).then_some(right))
            }
        })
        .buffered(AT_ONCE);
    let mut missing = Vec::new();
    while let Some(answer) = answers.next().await {
        missing.extend(answer?);
    }
    Ok(missing)
}

/// Every right that is needed, once.
fn rights(needs: &Needs) -> BTreeSet<Missing> {
    let mut rights = BTreeSet::new();
    let mut need = |verbs: &[&'static str], resource: &ApiResource, part, namespace: &str| {
        for verb in verbs {
            rights.insert(Missing {
                verb,
                resource: super::objects::resource_name(resource) + part,
                namespace: namespace.to_owned(),
                name: None,
                role: Role::Targets,
            });
        }
    };
    for target in &needs.targets {
        let namespace = &target.namespace;
        let workload = workload_resource(target.kind);
        need(&["get", "list", "watch"], &workload, "", namespace);
        need(
            &["list", "watch"],
            &history_resource(target.kind),
            "",
            namespace,
        );
        need(&["list", "watch"], &pod_resource(), "", namespace);
        if needs.acts {
            // What an earlier template names, and what else of the release is running.
            need(&["get"], &config_map_resource(), "", namespace);
            need(&["list"], &job_resource(), "", namespace);
            if needs.checks_secrets {
                need(&["get"], &secret_resource(), "", namespace);
            }
            need(&["patch"], &workload, "", namespace);
            if target.kind == TargetKind::Rollout {
                need(&["patch"], &workload, "/status", namespace);
            }
        }
    }
    // In a dry run of the whole process nothing is looked at that would only lead to a write.
    for scaled in needs.scales.iter().filter(|_| needs.acts) {
        let namespace = &scaled.namespace;
        need(
            &["get", "patch"],
            &scale_resource(scaled.kind),
            "",
            namespace,
        );
        need(&["list", "patch"], &autoscaler_resource(), "", namespace);
        need(&["list"], &budget_resource(), "", namespace);
    }
    // How other kinds are called in RBAC is known when they are looked at: what is missing is said then.
    for object in needs.objects.iter().filter(|_| needs.acts) {
        if let Some(resource) = well_known(object) {
            need(&["get", "patch"], &resource, "", &object.namespace);
        }
    }
    let mut traffic = |verb, resource: &str, namespace: &str| {
        rights.insert(Missing {
            verb,
            resource: resource.to_owned(),
            namespace: namespace.to_owned(),
            name: None,
            role: Role::Traffic,
        });
    };
    for route in needs.routes.iter().filter(|_| needs.acts) {
        let namespace = &route.namespace;
        let resource = match route.kind {
            RouteKind::Ingress => "ingresses.networking.k8s.io",
            RouteKind::HttpRoute => "httproutes.gateway.networking.k8s.io",
            RouteKind::GrpcRoute => "grpcroutes.gateway.networking.k8s.io",
            RouteKind::VirtualService => "virtualservices.networking.istio.io",
        };
        traffic("get", resource, namespace);
        traffic("patch", resource, namespace);
        // What stands behind it: nothing is led to nobody.
        traffic("get", "services", namespace);
        if route.kind == RouteKind::VirtualService {
            traffic("list", "destinationrules.networking.istio.io", namespace);
        }
    }
    for namespace in needs.targets.iter().map(|target| &target.namespace) {
        rights.insert(Missing {
            verb: "get",
            resource: "namespaces".to_owned(),
            namespace: namespace.clone(),
            name: Some(namespace.clone()),
            role: Role::Targets,
        });
    }
    for namespace in needs.deletes_pods.iter().filter(|_| needs.acts) {
        rights.insert(Missing {
            verb: "delete",
            resource: super::objects::resource_name(&pod_resource()),
            namespace: namespace.clone(),
            name: None,
            role: Role::DeletePods,
        });
    }
    if needs.reviews_tokens {
        rights.insert(Missing {
            verb: "create",
            resource: "tokenreviews.authentication.k8s.io".to_owned(),
            namespace: String::new(),
            name: None,
            role: Role::TokenReview,
        });
    }
    if let Some((namespace, names)) = &needs.shared {
        let mut shared = |verb, resource: &str, name: Option<&str>| {
            rights.insert(Missing {
                verb,
                resource: resource.to_owned(),
                namespace: namespace.clone(),
                name: name.map(str::to_owned),
                role: Role::Replicas,
            });
        };
        for name in names {
            shared("get", "configmaps", Some(name));
            shared("update", "configmaps", Some(name));
            if !needs.divided.is_empty() {
                shared("list", "configmaps", Some(name));
                shared("watch", "configmaps", Some(name));
            }
        }
        shared("create", "configmaps", None);
        let leases = "leases.coordination.k8s.io";
        for name in &needs.divided {
            shared("get", leases, Some(name));
            shared("update", leases, Some(name));
        }
        if !needs.divided.is_empty() {
            shared("list", leases, None);
        }
    }
    let mut agent = |verb, resource: &str, namespace: &str, name: Option<&str>| {
        rights.insert(Missing {
            verb,
            resource: resource.to_owned(),
            namespace: namespace.to_owned(),
            name: name.map(str::to_owned),
            role: Role::Agent,
        });
    };
    if let Some((namespace, name)) = &needs.lease {
        let leases = "leases.coordination.k8s.io";
        agent("get", leases, namespace, Some(name));
        agent("update", leases, namespace, Some(name));
        // RBAC cannot restrict a creation to a name.
        agent("create", leases, namespace, None);
    }
    for (namespace, name) in &needs.secrets {
        agent("get", "secrets", namespace, Some(name));
    }
    let Some((namespace, name)) = &needs.state else {
        return rights;
    };
    agent("get", "configmaps", namespace, Some(name));
    agent("update", "configmaps", namespace, Some(name));
    agent("create", "configmaps", namespace, None);
    let of_once = |right| Missing {
        role: Role::Once,
        ..right
    };
    rights.into_iter().map(of_once).collect()
}

async fn allowed(
    api: &Api<SelfSubjectAccessReview>,
    right: &Missing,
) -> Result<bool, ClusterError> {
    let (resource, subresource) = match right.resource.split_once('/') {
        Some((resource, subresource)) => (resource, Some(subresource.to_owned())),
        None => (right.resource.as_str(), None),
    };
    let (resource, group) = resource.split_once('.').unwrap_or((resource, ""));
    let review = SelfSubjectAccessReview {
        spec: SelfSubjectAccessReviewSpec {
            resource_attributes: Some(ResourceAttributes {
                verb: Some(right.verb.to_owned()),
                group: Some(group.to_owned()),
                resource: Some(resource.to_owned()),
                subresource,
                namespace: Some(right.namespace.clone()),
                name: right.name.clone(),
                ..ResourceAttributes::default()
            }),
            ..SelfSubjectAccessReviewSpec::default()
        },
        ..SelfSubjectAccessReview::default()
    };
    let call = Call {
        verb: "create",
        resource: "selfsubjectaccessreviews.authorization.k8s.io".to_owned(),
        namespace: &right.namespace,
    };
    let answer = call
        .answer(api.create(&PostParams::default(), &review))
        .await?
        .ok_or_else(|| ClusterError::Rejected {
            reason: "the API server does not know SelfSubjectAccessReview".to_owned(),
        })?;
    Ok(answer.status.is_some_and(|status| status.allowed))
}

#[cfg(test)]
mod tests;
