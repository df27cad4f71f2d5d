//! Pods: which revision they are of, whether they serve, where they expose metrics.

use std::net::IpAddr;

use jiff::Timestamp;
use recant_core::ids::{PodName, RevisionHash, TargetKind};
use recant_core::target::{Pod, PodStatus};

use super::objects::{
    Condition, ContainerStatus, PodObject, annotations, controlled_by, hash_in, hash_label,
};

/// Longest reason that is told of a pod, in characters.
const REASON_LENGTH: usize = 200;
/// Names of container ports that are taken for metrics, as Prometheus users name them.
const METRICS_PORTS: [&str; 2] = ["metrics", "http-metrics"];

/// What is kept of a pod.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct PodFacts {
    /// Uid of the `ReplicaSet`, `StatefulSet` or `DaemonSet` that controls it.
    pub(super) owner: String,
    pub(super) seen: SeenPod,
}

/// A pod as releases are judged from it, and what its status says besides.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct SeenPod {
    pub(super) pod: Pod,
    pub(super) status: PodStatus,
}

impl PodFacts {
    /// `None`: nothing that a target is made of controls it, or it has no hash.
    pub(super) fn of(object: &PodObject) -> Option<Self> {
        let metadata = &object.metadata;
        let labels = metadata.labels.as_ref()?;
        let (owner, hash) = if let Some(set) = controlled_by(metadata, &["ReplicaSet"]) {
            let hash = [TargetKind::Deployment, TargetKind::Rollout]
                .into_iter()
                .find_map(|kind| labels.get(hash_label(kind)))?;
            (set, RevisionHash(hash.clone()))
        } else {
            let owner = controlled_by(metadata, &["StatefulSet", "DaemonSet"])?;
            (
                owner,
                hash_in(labels.get(hash_label(TargetKind::StatefulSet))?)?,
            )
        };
        let status = object.status.clone().unwrap_or_default();
        let conditions = status.conditions.unwrap_or_default();
        // A pod that failed or was evicted stays as an object; its process is gone like that of a deleted one.
        let over = matches!(status.phase.as_deref(), Some("Failed" | "Succeeded"));
        let ready = !over && condition(&conditions, "Ready").is_some_and(|c| c.status == "True");
        let containers: Vec<_> = status
            .init_container_statuses
            .into_iter()
            .chain(status.container_statuses)
            .flatten()
            .collect();
        let name = PodName(metadata.name.clone()?);
        let created = metadata
            .creation_timestamp
            .as_ref()
            .map_or(Timestamp::UNIX_EPOCH, |time| time.0);
        let of_object = PodStatus {
            name: name.clone(),
            created,
            ready,
            pending: status.phase.as_deref() == Some("Pending"),
            restarts: containers.iter().fold(0, |sum: u32, container| {
                sum.saturating_add(u32::try_from(container.restart_count).unwrap_or(0))
            }),
            out_of_memory: containers.iter().filter_map(out_of_memory).collect(),
        };
        let pod = Pod {
            name,
            hash,
            created,
            ready,
            terminating: over || metadata.deletion_timestamp.is_some(),
            ip: status.pod_ip.and_then(|ip| ip.parse::<IpAddr>().ok()),
            metrics: metrics_endpoint(object),
            unready_reason: (!ready)
                .then(|| unready_reason(status.reason, &containers, &conditions))
                .flatten(),
        };
        Some(Self {
            owner: owner.to_owned(),
            seen: SeenPod {
                pod,
                status: of_object,
            },
        })
    }
}

/// When the container was last killed for want of memory, if that is how it ended.
fn out_of_memory(container: &ContainerStatus) -> Option<Timestamp> {
    [&container.state, &container.last_state]
        .into_iter()
        .filter_map(|state| state.as_ref()?.terminated.as_ref())
        .filter(|ended| ended.reason.as_deref() == Some("OOMKilled"))
        .find_map(|ended| Some(ended.finished_at.as_ref()?.0))
}

/// Port and path by the `prometheus.io/*` annotations, else by the name of a container port.
fn metrics_endpoint(object: &PodObject) -> Option<(u16, String)> {
    let annotations = annotations(&object.metadata);
    if annotations
        .get("prometheus.io/scrape")
        .is_some_and(|scrape| scrape == "false")
    {
        return None;
    }
    let annotated = annotations
        .get("prometheus.io/port")
        .and_then(|port| port.trim().parse().ok());
    let named = || {
        object
            .spec
            .containers
            .iter()
            .flat_map(|container| container.ports.iter().flatten())
            .find(|port| {
                port.name
                    .as_deref()
                    .is_some_and(|name| METRICS_PORTS.contains(&name))
            })
            .and_then(|port| u16::try_from(port.container_port).ok())
    };
    let port = annotated.or_else(named).filter(|port| *port != 0)?;
    let path = annotations
        .get("prometheus.io/path")
        .map_or("/metrics", |path| path.trim());
    let slash = if path.starts_with('/') { "" } else { "/" };
    Some((port, format!("{slash}{path}")))
}

/// The most telling reason first: a container that cannot start says more than the condition that follows from it.
fn unready_reason(
    status: Option<String>,
    containers: &[ContainerStatus],
    conditions: &[Condition],
) -> Option<String> {
    let of_container = containers.iter().find_map(|container| {
        let state = container.state.as_ref()?;
        // These only say that it starts.
        let waiting = state
            .waiting
            .as_ref()
            .and_then(|waiting| waiting.reason.as_deref())
            .filter(|reason| !matches!(*reason, "ContainerCreating" | "PodInitializing"));
        // An init container that ended well is no reason.
        let ended = || {
            let ended = state.terminated.as_ref().filter(|_| !container.ready)?;
            ended
                .reason
                .as_deref()
                .filter(|reason| *reason != "Completed")
        };
        Some(format!(
            "container {}: {}",
            container.name,
            waiting.or_else(ended)?
        ))
    });
    let of_condition = || {
        ["PodScheduled", "Ready"].into_iter().find_map(|kind| {
            let condition = condition(conditions, kind).filter(|c| c.status != "True")?;
            let reason = condition.reason.as_deref().unwrap_or("not so");
            Some(match condition.message.as_deref() {
                Some(message) if !message.is_empty() => format!("{kind}: {reason}: {message}"),
                _ => format!("{kind}: {reason}"),
            })
        })
    };
    let reason = status
        .filter(|reason| !reason.is_empty())
        .or(of_container)
        .or_else(of_condition)?;
    Some(reason.chars().take(REASON_LENGTH).collect())
}

fn condition<'a>(conditions: &'a [Condition], kind: &str) -> Option<&'a Condition> {
    conditions.iter().find(|condition| condition.kind == kind)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn pod(annotations: &Value, ports: &Value, status: &Value) -> Pod {
        let object: PodObject = serde_json::from_value(json!({
            "metadata": {"name": "p", "uid": "1", "annotations": annotations,
                "labels": {"pod-template-hash": "h"},
                "ownerReferences": [{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "r", "uid": "rs", "controller": true}]},
            "spec": {"containers": [{"name": "app", "ports": ports}]},
            "status": status,
        }))
        .expect("a pod");
        PodFacts::of(&object)
            .expect("a pod of a ReplicaSet")
            .seen
            .pod
    }

    #[test]
    fn finds_where_metrics_are_exposed() {
        let check = |annotations: Value, ports: Value, expect: Option<(u16, &str)>| {
            let found = pod(&annotations, &ports, &json!({})).metrics;
            assert_eq!(
                found.as_ref().map(|(port, path)| (*port, path.as_str())),
                expect,
                "{annotations} {ports}"
            );
        };
        let named = json!([{"containerPort": 80, "name": "http"}, {"containerPort": 9102, "name": "metrics"}]);
        check(json!({}), json!([]), None);
        check(json!({}), Value::Null, None);
        check(
            json!({}),
            json!([{"containerPort": 80, "name": "http"}]),
            None,
        );
        check(json!({}), named.clone(), Some((9102, "/metrics")));
        check(
            json!({}),
            json!([{"containerPort": 81, "name": "http-metrics"}]),
            Some((81, "/metrics")),
        );
        check(
            json!({"prometheus.io/port": "8080"}),
            named.clone(),
            Some((8080, "/metrics")),
        );
        check(
            json!({"prometheus.io/port": "8080", "prometheus.io/path": "stats"}),
            json!([]),
            Some((8080, "/stats")),
        );
        check(
            json!({"prometheus.io/path": "/stats"}),
            named.clone(),
            Some((9102, "/stats")),
        );
        check(
            json!({"prometheus.io/scrape": "false"}),
            named.clone(),
            None,
        );
        check(
            json!({"prometheus.io/port": "none"}),
            named,
            Some((9102, "/metrics")),
        );
        check(json!({"prometheus.io/port": "0"}), json!([]), None);
        check(json!({"prometheus.io/port": "70000"}), json!([]), None);
        check(
            json!({}),
            json!([{"containerPort": -1, "name": "metrics"}]),
            None,
        );
    }

    #[test]
    fn says_why_a_pod_is_not_ready() {
        let check = |status: Value, expect: Option<&str>| {
            let pod = pod(&json!({}), &json!([]), &status);
            assert!(!pod.ready, "{status}");
            assert_eq!(pod.unready_reason.as_deref(), expect, "{status}");
        };
        let waiting = |reason: &str| {
            json!({"conditions": [{"type": "Ready", "status": "False", "reason": "ContainersNotReady", "message": "unready: [app]"}],
                   "containerStatuses": [{"name": "app", "ready": false, "state": {"waiting": {"reason": reason}}}]})
        };
        check(json!({}), None);
        check(
            waiting("CrashLoopBackOff"),
            Some("container app: CrashLoopBackOff"),
        );
        check(
            waiting("ImagePullBackOff"),
            Some("container app: ImagePullBackOff"),
        );
        check(
            waiting("ContainerCreating"),
            Some("Ready: ContainersNotReady: unready: [app]"),
        );
        check(
            json!({"conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/3 nodes"}]}),
            Some("PodScheduled: Unschedulable: 0/3 nodes"),
        );
        check(
            json!({"containerStatuses": [{"name": "app", "state": {"terminated": {"reason": "OOMKilled"}}}]}),
            Some("container app: OOMKilled"),
        );
        check(
            json!({"initContainerStatuses": [{"name": "init", "ready": true, "state": {"terminated": {"reason": "Completed"}}}],
                   "containerStatuses": [{"name": "app", "state": {"waiting": {"reason": "CreateContainerConfigError"}}}]}),
            Some("container app: CreateContainerConfigError"),
        );
        let evicted = json!({"phase": "Failed", "reason": "Evicted", "conditions": [{"type": "Ready", "status": "True"}]});
        check(evicted.clone(), Some("Evicted"));
        assert!(pod(&json!({}), &json!([]), &evicted).terminating);
    }

    #[test]
    fn a_long_reason_is_cut_between_characters() {
        let status = json!({"conditions": [{"type": "Ready", "status": "False", "reason": "R", "message": "ü".repeat(1000)}]});
        let reason = pod(&json!({}), &json!([]), &status)
            .unready_reason
            .expect("a reason");
        assert_eq!(reason.chars().count(), REASON_LENGTH);
    }

    #[test]
    fn a_pod_of_nobody_is_not_kept() {
        let object: PodObject = serde_json::from_value(json!({
            "metadata": {"name": "p", "labels": {"pod-template-hash": "h"}}, "spec": {"containers": []}
        }))
        .expect("a pod");
        assert_eq!(PodFacts::of(&object), None);
    }
}
