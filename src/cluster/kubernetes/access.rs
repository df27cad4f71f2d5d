//! Whether the service account has every right that will be needed: asked at the start, so that a missing verb is
//! named then and not when a bad release must be taken back.

use std::collections::BTreeSet;
use std::fmt;
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

use super::api::Call;
use super::objects::{
    autoscaler_resource, budget_resource, config_map_resource, history_resource, job_resource,
    pod_resource, scale_resource, secret_resource, well_known, workload_resource,
};
use crate::cluster::ClusterError;

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

/// A right that the service account lacks.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Missing {
    pub verb: &'static str,
    /// `deployments.apps`, `rollouts.argoproj.io/status`
    pub resource: String,
    /// Empty: in the whole cluster.
    pub namespace: String,
    /// Name of the one object, where the right is for one object.
    pub name: Option<String>,
    role: Role,
}

/// Which of the shipped Roles holds a right.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Role {
    /// In each namespace with targets.
    Targets,
    /// The same, where traffic is stepped or shifted.
    Traffic,
    /// Where stuck pods are deleted.
    DeletePods,
    /// In the agent's own namespace.
    Agent,
    /// In the agent's own namespace, where there are several replicas.
    Replicas,
    /// Where `recant once` runs.
    Once,
    /// In the whole cluster, where tokens are reviewed.
    TokenReview,
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            verb,
            resource,
            namespace,
            name,
            role,
        } = self;
        let (role, file) = match role {
            Role::Targets => ("recant", "role.yaml"),
            Role::Traffic => ("recant-traffic", "traffic-role.yaml"),
            Role::DeletePods => {
                return write!(
                    f,
                    "`{verb}` on `{resource}` in namespace `{namespace}` is missing: add the Role `recant-delete-pods` and \
                     its binding (charts/manifests/delete-pods-role.yaml), or leave `deleteStuckPods` out"
                );
            }
            Role::Agent => ("recant-agent", "agent-role.yaml"),
            Role::Replicas => ("recant-replicas", "replicas-role.yaml"),
            Role::Once => ("recant-once", "once-role.yaml"),
            Role::TokenReview => {
                return write!(
                    f,
                    "`{verb}` on `{resource}` is missing: add the ClusterRole `recant-token-review` and its binding \
                     (charts/manifests/token-review.yaml), or leave `api.tokenReview` out"
                );
            }
        };
        write!(f, "`{verb}` on `{resource}`")?;
        if let Some(name) = name.as_ref().filter(|name| *name != namespace) {
            write!(f, " `{name}`")?;
        }
        write!(
            f,
            " in namespace `{namespace}` is missing: add it to the Role `{role}` (charts/manifests/{file})"
        )
    }
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
mod tests {
    use recant_core::rule::ScaleKind;

    use super::*;

    fn target(kind: TargetKind, name: &str) -> TargetId {
        TargetId {
            namespace: "shop".into(),
            kind,
            name: name.into(),
        }
    }

    fn asked(needs: &Needs) -> Vec<String> {
        let mut asked: Vec<_> = rights(needs)
            .into_iter()
            .map(|right| format!("{} {}", right.verb, right.resource))
            .collect();
        asked.sort();
        asked
    }

    #[test]
    fn a_process_that_only_looks_needs_no_write() {
        let needs = Needs {
            targets: vec![
                target(TargetKind::Deployment, "a"),
                target(TargetKind::Deployment, "b"),
            ],
            ..Needs::default()
        };
        assert_eq!(
            asked(&needs),
            [
                "get deployments.apps",
                "get namespaces",
                "list deployments.apps",
                "list pods",
                "list replicasets.apps",
                "watch deployments.apps",
                "watch pods",
                "watch replicasets.apps",
            ]
        );
    }

    #[test]
    fn one_that_acts_needs_a_patch_of_what_it_changes() {
        let needs = Needs {
            targets: vec![target(TargetKind::Rollout, "a")],
            acts: true,
            lease: Some(("recant".into(), "recant".into())),
            secrets: vec![("recant".into(), "slack".into())],
            ..Needs::default()
        };
        let asked = asked(&needs);
        for right in [
            "patch rollouts.argoproj.io",
            "patch rollouts.argoproj.io/status",
            "create leases.coordination.k8s.io",
            "update leases.coordination.k8s.io",
            "get secrets",
        ] {
            assert!(
                asked.iter().any(|asked| asked == right),
                "{right}: {asked:?}"
            );
        }
        assert!(
            !asked.iter().any(|right| right.contains("deployments")),
            "{asked:?}"
        );
    }

    #[test]
    fn only_a_watch_that_scales_needs_rights_for_it() {
        let scales = vec![ScaleTarget {
            namespace: "shop".into(),
            kind: ScaleKind::StatefulSet,
            name: "worker".into(),
        }];
        let mut needs = Needs {
            scales,
            acts: true,
            ..Needs::default()
        };
        assert_eq!(
            asked(&needs),
            [
                "get statefulsets.apps",
                "list horizontalpodautoscalers.autoscaling",
                "list poddisruptionbudgets.policy",
                "patch horizontalpodautoscalers.autoscaling",
                "patch statefulsets.apps",
            ]
        );
        needs.acts = false;
        assert!(asked(&needs).is_empty());
    }

    #[test]
    fn only_a_watch_that_steps_its_traffic_needs_rights_for_it() {
        let route = |kind| Route {
            namespace: "shop".into(),
            kind,
            name: "checkout".into(),
            rule: None,
            canary: None,
            stable: None,
        };
        let mut needs = Needs {
            routes: vec![route(RouteKind::Ingress)],
            acts: true,
            ..Needs::default()
        };
        assert_eq!(
            asked(&needs),
            [
                "get ingresses.networking.k8s.io",
                "get services",
                "patch ingresses.networking.k8s.io",
            ]
        );
        needs.routes = vec![route(RouteKind::VirtualService)];
        assert_eq!(
            asked(&needs),
            [
                "get services",
                "get virtualservices.networking.istio.io",
                "list destinationrules.networking.istio.io",
                "patch virtualservices.networking.istio.io",
            ]
        );
        needs.acts = false;
        assert!(asked(&needs).is_empty());
    }

    #[test]
    fn rights_that_most_do_without_are_asked_for_only_where_they_are_used() {
        let mut needs = Needs {
            targets: vec![target(TargetKind::StatefulSet, "a")],
            acts: true,
            ..Needs::default()
        };
        let plain = asked(&needs);
        for right in [
            "get configmaps",
            "list jobs.batch",
            "watch controllerrevisions.apps",
        ] {
            assert!(
                plain.iter().any(|asked| asked == right),
                "{right}: {plain:?}"
            );
        }
        for right in ["get secrets", "delete pods", "list replicasets.apps"] {
            assert!(
                !plain.iter().any(|asked| asked == right),
                "{right}: {plain:?}"
            );
        }
        needs.checks_secrets = true;
        needs.deletes_pods = BTreeSet::from(["shop".to_owned()]);
        let all = asked(&needs);
        let new: Vec<_> = all.iter().filter(|right| !plain.contains(right)).collect();
        assert_eq!(new, ["delete pods", "get secrets"]);
        let texts: Vec<_> = rights(&needs).iter().map(ToString::to_string).collect();
        assert!(
            texts
                .iter()
                .any(|text| text.contains("charts/manifests/delete-pods-role.yaml")),
            "{texts:#?}"
        );
    }

    #[test]
    fn what_is_missing_says_where_to_add_it() {
        let needs = Needs {
            targets: vec![target(TargetKind::Deployment, "a")],
            acts: true,
            lease: Some(("recant".into(), "recant-lock".into())),
            reviews_tokens: true,
            ..Needs::default()
        };
        let texts: Vec<_> = rights(&needs).iter().map(ToString::to_string).collect();
        for text in [
            "`patch` on `deployments.apps` in namespace `shop` is missing: add it to the Role `recant` (charts/manifests/role.yaml)",
            "`get` on `namespaces` in namespace `shop` is missing: add it to the Role `recant` (charts/manifests/role.yaml)",
            "`create` on `tokenreviews.authentication.k8s.io` is missing: add the ClusterRole `recant-token-review` and its binding (charts/manifests/token-review.yaml), or leave `api.tokenReview` out",
            "`update` on `leases.coordination.k8s.io` `recant-lock` in namespace `recant` is missing: add it to the Role `recant-agent` (charts/manifests/agent-role.yaml)",
        ] {
            assert!(
                texts.iter().any(|found| found == text),
                "{text}\n{texts:#?}"
            );
        }
    }
}
