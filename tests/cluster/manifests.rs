//! The workloads that tests start from, as values that a test may change before it applies them.

use serde_json::{Value, json};

use crate::bed::NODE;

/// A Deployment of `shop/NAME:TAG`, as its users write them, but quick: no grace period, one step at a time.
pub(crate) fn deployment(name: &str, tag: &str, replicas: u32) -> Value {
    json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "labels": {"app": name}},
        "spec": {
            "replicas": replicas,
            "progressDeadlineSeconds": 30,
            "selector": {"matchLabels": {"app": name}},
            "strategy": {"rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}},
            "template": template(name, tag),
        },
    })
}

/// A Rollout of `shop/NAME:TAG` that goes through these canary steps.
pub(crate) fn rollout(name: &str, tag: &str, replicas: u32, steps: &Value) -> Value {
    json!({
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Rollout",
        "metadata": {"name": name, "labels": {"app": name}},
        "spec": {
            "replicas": replicas,
            "progressDeadlineSeconds": 30,
            "selector": {"matchLabels": {"app": name}},
            "strategy": {"canary": {"maxSurge": 1, "maxUnavailable": 0, "steps": steps}},
            "template": template(name, tag),
        },
    })
}

/// A `StatefulSet` of `shop/NAME:TAG` whose pods come and go one after the other.
pub(crate) fn stateful_set(name: &str, tag: &str, replicas: u32) -> Value {
    json!({
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": {"name": name, "labels": {"app": name}},
        "spec": {
            "replicas": replicas,
            "serviceName": name,
            "selector": {"matchLabels": {"app": name}},
            "template": template(name, tag),
        },
    })
}

/// A `DaemonSet` of `shop/NAME:TAG`; there is one node.
pub(crate) fn daemon_set(name: &str, tag: &str) -> Value {
    let mut template = template(name, tag);
    // Nothing takes the taint of a new node away here.
    template["spec"]["tolerations"] = json!([{"operator": "Exists"}]);
    json!({
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": {"name": name, "labels": {"app": name}},
        "spec": {
            "selector": {"matchLabels": {"app": name}},
            "template": template,
        },
    })
}

/// An autoscaler of a Deployment by its CPU.
pub(crate) fn autoscaler(name: &str, least: u32, most: u32) -> Value {
    json!({
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": name},
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": name},
            "minReplicas": least,
            "maxReplicas": most,
            "metrics": [{"type": "Resource", "resource": {
                "name": "cpu", "target": {"type": "Utilization", "averageUtilization": 70},
            }}],
        },
    })
}

/// The name of a tag's image.
pub(crate) fn image(name: &str, tag: &str) -> String {
    format!("shop/{name}:{tag}")
}

fn template(name: &str, tag: &str) -> Value {
    json!({
        "metadata": {
            "labels": {"app": name},
            "annotations": {"prometheus.io/scrape": "true", "prometheus.io/port": "8080"},
        },
        "spec": {
            "nodeName": NODE,
            "terminationGracePeriodSeconds": 0,
            "containers": [{
                "name": name,
                "image": image(name, tag),
                "ports": [{"name": "http", "containerPort": 8080}],
            }],
        },
    })
}
