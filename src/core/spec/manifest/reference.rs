//! Which other objects an object names, and where.

use super::super::report::Span;
use super::super::tree::Node;
use super::object::{Object, field, find, text};

/// An object by its name, as others refer to it: without a version.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectName {
    /// Empty for the core's.
    pub group: String,
    pub kind: String,
    /// `None`: that of whoever applies the files, or the kind has none.
    pub namespace: Option<String>,
    pub name: String,
}

/// One place where an object is named.
#[derive(Debug)]
pub(super) struct Reference {
    pub(super) to: ObjectName,
    pub(super) span: Span,
    pub(super) file: usize,
    /// For messages: "Rollout `checkout`".
    pub(super) from: String,
}

pub(super) const ARGO: &str = "argoproj.io";
pub(super) const ISTIO: &str = "networking.istio.io";

/// Where pods are described, by kind.
const POD_SPECS: [(&str, &str); 7] = [
    ("Deployment", "spec.template.spec"),
    ("StatefulSet", "spec.template.spec"),
    ("DaemonSet", "spec.template.spec"),
    ("Rollout", "spec.template.spec"),
    ("Job", "spec.template.spec"),
    ("CronJob", "spec.jobTemplate.spec.template.spec"),
    ("Pod", "spec"),
];

/// References by name alone, within the namespace: kind, path of the name, group and kind of what it names.
const NAMES: [(&str, &str, &str, &str); 17] = [
    (
        "Rollout",
        "spec.strategy.canary.canaryService",
        "",
        "Service",
    ),
    (
        "Rollout",
        "spec.strategy.canary.stableService",
        "",
        "Service",
    ),
    (
        "Rollout",
        "spec.strategy.canary.pingPong.pingService",
        "",
        "Service",
    ),
    (
        "Rollout",
        "spec.strategy.canary.pingPong.pongService",
        "",
        "Service",
    ),
    (
        "Rollout",
        "spec.strategy.blueGreen.activeService",
        "",
        "Service",
    ),
    (
        "Rollout",
        "spec.strategy.blueGreen.previewService",
        "",
        "Service",
    ),
    (
        "Rollout",
        "spec.strategy.canary.trafficRouting.istio.destinationRule.name",
        ISTIO,
        "DestinationRule",
    ),
    (
        "Rollout",
        "spec.strategy.canary.trafficRouting.nginx.stableIngress",
        "networking.k8s.io",
        "Ingress",
    ),
    (
        "Rollout",
        "spec.strategy.canary.trafficRouting.nginx.stableIngresses[]",
        "networking.k8s.io",
        "Ingress",
    ),
    (
        "Rollout",
        "spec.strategy.canary.trafficRouting.alb.ingress",
        "networking.k8s.io",
        "Ingress",
    ),
    (
        "Rollout",
        "spec.strategy.canary.trafficRouting.alb.ingresses[]",
        "networking.k8s.io",
        "Ingress",
    ),
    ("StatefulSet", "spec.serviceName", "", "Service"),
    (
        "Ingress",
        "spec.rules[].http.paths[].backend.service.name",
        "",
        "Service",
    ),
    ("Ingress", "spec.defaultBackend.service.name", "", "Service"),
    ("Ingress", "spec.tls[].secretName", "", "Secret"),
    (
        "AnalysisTemplate",
        "spec.args[].valueFrom.secretKeyRef.name",
        "",
        "Secret",
    ),
    ("ServiceAccount", "imagePullSecrets[].name", "", "Secret"),
];

/// Lists of references to analysis templates: kind, path.
const ANALYSES: [(&str, &str); 7] = [
    ("Rollout", "spec.strategy.canary.analysis.templates[]"),
    (
        "Rollout",
        "spec.strategy.canary.steps[].analysis.templates[]",
    ),
    (
        "Rollout",
        "spec.strategy.canary.steps[].experiment.analyses[]",
    ),
    (
        "Rollout",
        "spec.strategy.blueGreen.prePromotionAnalysis.templates[]",
    ),
    (
        "Rollout",
        "spec.strategy.blueGreen.postPromotionAnalysis.templates[]",
    ),
    ("AnalysisTemplate", "spec.templates[]"),
    ("ClusterAnalysisTemplate", "spec.templates[]"),
];

/// Within a pod's description: the mapping that refers, its field with the name, and what it names.
const IN_PODS: [(&str, &str, &str); 8] = [
    ("env[].valueFrom.secretKeyRef", "name", "Secret"),
    ("env[].valueFrom.configMapKeyRef", "name", "ConfigMap"),
    ("envFrom[].secretRef", "name", "Secret"),
    ("envFrom[].configMapRef", "name", "ConfigMap"),
    ("volumes[].secret", "secretName", "Secret"),
    ("volumes[].configMap", "name", "ConfigMap"),
    ("volumes[].projected.sources[].secret", "name", "Secret"),
    (
        "volumes[].projected.sources[].configMap",
        "name",
        "ConfigMap",
    ),
];

/// Where a Rollout names the routes that it shifts traffic with.
pub(super) const VIRTUAL_SERVICES: [&str; 2] = [
    "spec.strategy.canary.trafficRouting.istio.virtualService",
    "spec.strategy.canary.trafficRouting.istio.virtualServices[]",
];

/// Hosts of routes, that may be the names of Services: kind, path.
const HOSTS: [(&str, &str); 5] = [
    ("DestinationRule", "spec.host"),
    ("VirtualService", "spec.http[].route[].destination.host"),
    ("VirtualService", "spec.tcp[].route[].destination.host"),
    ("VirtualService", "spec.tls[].route[].destination.host"),
    ("VirtualService", "spec.http[].mirror.host"),
];

/// Every object that this one names.
pub(super) fn references(object: &Object) -> Vec<Reference> {
    let mut found = routes(object);
    let kind = object.kind.kind.as_str();
    let mut add = |group: &str, to: &str, node: &Node| {
        if let Some(name) = text(node) {
            found.push(reference(object, group, to, name, node));
        }
    };
    for (_, path, group, to) in NAMES.iter().filter(|(from, ..)| *from == kind) {
        for node in find(&object.root, path) {
            add(group, to, node);
        }
    }
    for (_, path) in ANALYSES.iter().filter(|(from, _)| *from == kind) {
        for node in find(&object.root, path) {
            let cluster_wide = kind == "ClusterAnalysisTemplate"
                || field(node, "clusterScope").and_then(text) == Some("true");
            let to = if cluster_wide {
                "ClusterAnalysisTemplate"
            } else {
                "AnalysisTemplate"
            };
            if let Some(name) = field(node, "templateName") {
                add(ARGO, to, name);
            }
        }
    }
    for path in ["spec.scaleTargetRef", "spec.workloadRef"] {
        for node in find(&object.root, path) {
            let group = field(node, "apiVersion").and_then(text).unwrap_or_default();
            let group = group.split_once('/').map_or("", |(group, _)| group);
            if let (Some(to), Some(name)) =
                (field(node, "kind").and_then(text), field(node, "name"))
            {
                add(group, to, name);
            }
        }
    }
    for (_, path) in POD_SPECS.iter().filter(|(from, _)| *from == kind) {
        for pod in find(&object.root, path) {
            in_pod(pod, &mut add);
        }
    }
    found
}

/// References that are more than a name.
fn routes(object: &Object) -> Vec<Reference> {
    let mut found = Vec::new();
    let kind = object.kind.kind.as_str();
    for path in VIRTUAL_SERVICES.iter().filter(|_| kind == "Rollout") {
        for node in find(&object.root, path) {
            if let Some(name) = field(node, "name") {
                found.extend(virtual_service(object, name));
            }
        }
    }
    for (_, path) in HOSTS.iter().filter(|(from, _)| *from == kind) {
        for node in find(&object.root, path) {
            if let Some((name, namespace)) = text(node).and_then(service_of) {
                let mut reference = reference(object, "", "Service", name, node);
                if let Some(namespace) = namespace {
                    reference.to.namespace = Some(namespace.to_owned());
                }
                found.push(reference);
            }
        }
    }
    found
}

fn in_pod(pod: &Node, add: &mut impl FnMut(&str, &str, &Node)) {
    for containers in ["containers[]", "initContainers[]", ""] {
        for part in find(pod, containers) {
            for (path, name, to) in IN_PODS {
                // Volumes are the pod's, variables the containers'.
                if path.starts_with("env") == containers.is_empty() {
                    continue;
                }
                for node in find(part, path) {
                    let optional = field(node, "optional").and_then(text) == Some("true");
                    if let Some(name) = field(node, name).filter(|_| !optional) {
                        add("", to, name);
                    }
                }
            }
        }
    }
    for name in find(pod, "imagePullSecrets[].name") {
        add("", "Secret", name);
    }
}

/// The `VirtualService` that a Rollout names; `name.namespace` is one of another namespace.
pub(super) fn virtual_service(object: &Object, node: &Node) -> Option<Reference> {
    let written = text(node)?;
    let written = written.strip_suffix(".cluster.local").unwrap_or(written);
    let (name, namespace) = match written.rsplit_once('.') {
        Some((name, namespace)) => (name, Some(namespace)),
        None => (written, None),
    };
    let mut reference = reference(object, ISTIO, "VirtualService", name, node);
    if let Some(namespace) = namespace {
        reference.to.namespace = Some(namespace.to_owned());
    }
    Some(reference)
}

fn reference(object: &Object, group: &str, kind: &str, name: &str, node: &Node) -> Reference {
    let cluster_wide = kind == "ClusterAnalysisTemplate";
    Reference {
        to: ObjectName {
            group: group.to_owned(),
            kind: kind.to_owned(),
            namespace: object.namespace.clone().filter(|_| !cluster_wide),
            name: name.to_owned(),
        },
        span: node.span,
        file: object.file,
        from: object.called(),
    }
}

/// The Service that a host of Istio is: `web`, `web.shop`, `web.shop.svc`, `web.shop.svc.cluster.local`.
///
/// `web.shop` may also be a host of the outside: it is left alone.
pub(super) fn service_of(host: &str) -> Option<(&str, Option<&str>)> {
    let mut parts = host.split('.');
    let name = parts.next().filter(|name| !name.is_empty())?;
    if name.contains('*') {
        return None;
    }
    match (parts.next(), parts.next()) {
        (None, _) => Some((name, None)),
        (Some(namespace), Some("svc")) => Some((name, Some(namespace))),
        (Some(_), _) => None,
    }
}
