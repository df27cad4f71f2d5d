//! States of objects that a real API server and real controllers wrote.

use serde::Deserialize;
use serde_json::{Value, json};

use recant_core::ids::TargetKind;
use recant_core::target::RolloutStatus;

use super::*;
use crate::cluster::kubernetes::objects::{PodObject, ReplicaSet, Workload};
use crate::cluster::kubernetes::pod::PodFacts;

const COMPLETE: &str =
    include_str!("../../../../tests/recorded/kubernetes/deployment-complete.json");
const ROLLING: &str = include_str!("../../../../tests/recorded/kubernetes/deployment-rolling.json");
const IN_FLIGHT: &str =
    include_str!("../../../../tests/recorded/kubernetes/rollout-in-flight.json");
const ABORTED: &str = include_str!("../../../../tests/recorded/kubernetes/rollout-aborted.json");

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Objects {
    workload: Workload,
    replica_sets: Vec<ReplicaSet>,
    pods: Vec<PodObject>,
}

/// `change` is applied to the recorded JSON first.
fn state(kind: TargetKind, recorded: &str, change: impl FnOnce(&mut Value)) -> TargetState {
    let mut recorded: Value = serde_json::from_str(recorded).expect("recorded JSON");
    change(&mut recorded);
    let objects: Objects = serde_json::from_value(recorded).expect("recorded objects");
    let id = TargetId {
        namespace: "shop".into(),
        kind,
        name: objects.workload.metadata.name.clone().expect("a name"),
    };
    let sets: Vec<_> = objects
        .replica_sets
        .iter()
        .filter_map(RevisionFacts::of_set)
        .collect();
    let pods = objects.pods.iter().filter_map(PodFacts::of);
    target_state(
        &id,
        &WorkloadFacts::of(&objects.workload, kind),
        &sets.iter().collect::<Vec<_>>(),
        pods.map(|pod| pod.seen.pod).collect(),
        false,
    )
}

fn deployment(recorded: &str, change: impl FnOnce(&mut Value)) -> TargetState {
    state(TargetKind::Deployment, recorded, change)
}

fn rollout(recorded: &str, change: impl FnOnce(&mut Value)) -> TargetState {
    state(TargetKind::Rollout, recorded, change)
}

fn as_it_is(_: &mut Value) {}

#[test]
fn a_complete_deployment() {
    let state = deployment(COMPLETE, as_it_is);
    assert_eq!(state.id.to_string(), "Deployment shop/checkout");
    assert_eq!(state.current, Some("89d4947d5".into()));
    assert!(state.complete);
    assert!(!state.paused);
    assert_eq!(state.rollout, None);
    assert_eq!(state.kill_switch, None);
    assert_eq!(state.last_plan, None);
    let revisions: Vec<_> = state
        .revisions
        .iter()
        .map(|r| (r.number, r.hash.as_str(), r.images.join(",")))
        .collect();
    assert_eq!(
        revisions,
        [
            (1, "6cf9db8f56", "shop/checkout:v1".to_owned()),
            (2, "89d4947d5", "shop/checkout:v2".to_owned())
        ]
    );
    assert_eq!(state.pods.len(), 2);
    for pod in &state.pods {
        assert_eq!(pod.hash.as_str(), "89d4947d5");
        assert!(pod.ready && !pod.terminating);
        assert!(pod.ip.is_some_and(|ip| ip.is_loopback()));
        assert_eq!(pod.metrics, Some((8080, "/metrics".into())));
        assert_eq!(pod.unready_reason, None);
    }
}

#[test]
fn a_deployment_on_its_way_with_a_crashing_pod() {
    let state = deployment(ROLLING, as_it_is);
    assert_eq!(state.current, Some("6cf8fbd5d6".into()));
    assert!(!state.complete);
    assert_eq!(state.revisions.len(), 3);
    let crashing: Vec<_> = state.pods.iter().filter(|pod| !pod.ready).collect();
    assert_eq!(crashing.len(), 1);
    assert_eq!(crashing[0].hash.as_str(), "6cf8fbd5d6");
    assert_eq!(
        crashing[0].unready_reason.as_deref(),
        Some("container app: CrashLoopBackOff")
    );
}

#[test]
fn the_current_revision_is_unknown_until_the_controller_saw_the_spec() {
    let state = deployment(COMPLETE, |objects| {
        objects["workload"]["metadata"]["generation"] = json!(99);
    });
    assert_eq!(state.current, None);
    assert!(!state.complete);
    let state = rollout(IN_FLIGHT, |objects| {
        objects["workload"]["metadata"]["generation"] = json!(99);
    });
    assert_eq!(state.current, None);
    let state = rollout(IN_FLIGHT, |objects| {
        objects["workload"]["status"]["observedGeneration"] = json!("no number");
    });
    assert_eq!(state.current, None);
}

#[test]
fn a_template_without_a_replica_set_is_no_revision_yet() {
    let state = deployment(COMPLETE, |objects| {
        objects["workload"]["spec"]["template"]["spec"]["containers"][0]["image"] = json!("new");
    });
    assert_eq!(state.current, None);
}

#[test]
fn the_oldest_of_two_replica_sets_with_one_template_is_current() {
    // As the Deployment controller takes it, e.g. after a hash collision.
    let state = deployment(COMPLETE, |objects| {
        let sets = objects["replicaSets"].as_array_mut().expect("sets");
        let mut twin = sets
            .iter()
            .find(|set| set["metadata"]["labels"]["pod-template-hash"] == "89d4947d5")
            .expect("the current one")
            .clone();
        twin["metadata"]["uid"] = json!("twin");
        twin["metadata"]["labels"]["pod-template-hash"] = json!("000");
        twin["metadata"]["creationTimestamp"] = json!("2027-01-01T00:00:00Z");
        sets.insert(0, twin);
    });
    assert_eq!(state.current, Some("89d4947d5".into()));
}

#[test]
fn a_deployment_is_complete_only_without_leftovers() {
    let check = |change: fn(&mut Value)| assert!(!deployment(COMPLETE, change).complete);
    check(|objects| objects["workload"]["spec"]["replicas"] = json!(3));
    check(|objects| objects["workload"]["status"]["replicas"] = json!(3));
    check(|objects| objects["workload"]["status"]["availableReplicas"] = json!(1));
    check(|objects| objects["workload"]["status"]["readyReplicas"] = Value::Null);
    check(|objects| {
        for set in objects["replicaSets"].as_array_mut().expect("sets") {
            set["status"]["replicas"] = json!(1);
        }
    });
    check(|objects| {
        objects["pods"][0]["metadata"]["labels"]["pod-template-hash"] = json!("6cf9db8f56");
    });
}

#[test]
fn a_deployment_of_no_replicas_is_complete() {
    let state = deployment(COMPLETE, |objects| {
        objects["workload"]["spec"]["replicas"] = json!(0);
        objects["workload"]["status"] =
            json!({"observedGeneration": objects["workload"]["metadata"]["generation"]});
        objects["pods"] = json!([]);
    });
    assert!(state.complete);
}

#[test]
fn a_rollout_in_flight() {
    let state = rollout(IN_FLIGHT, as_it_is);
    assert_eq!(state.current, Some("7f4fb8ff99".into()));
    assert!(!state.complete);
    // A canary's pause step is no pause of a person.
    assert!(!state.paused);
    assert_eq!(
        state.rollout,
        Some(RolloutStatus {
            stable: Some("7ff4b8c74d".into()),
            aborted: false,
            promote_full: false,
            phase: "Paused".into(),
            message: "CanaryPauseStep".into(),
            workload_ref: false,
            active: None,
        })
    );
    let mut arms: Vec<_> = state.pods.iter().map(|pod| pod.hash.as_str()).collect();
    arms.sort_unstable();
    assert_eq!(arms, ["7f4fb8ff99", "7ff4b8c74d"]);
    assert_eq!(state.pods[0].metrics, Some((9102, "/metrics".into())));
    let paused = rollout(IN_FLIGHT, |objects| {
        objects["workload"]["spec"]["paused"] = json!(true);
    });
    assert!(paused.paused);
}

#[test]
fn an_aborted_rollout_still_has_the_bad_revision_as_current() {
    let state = rollout(ABORTED, as_it_is);
    assert_eq!(state.current, Some("7f4fb8ff99".into()));
    assert!(!state.complete);
    let status = state.rollout.expect("a status");
    assert!(status.aborted);
    assert_eq!(status.phase, "Degraded");
    assert!(
        state
            .pods
            .iter()
            .all(|pod| pod.hash.as_str() == "7ff4b8c74d")
    );
}

#[test]
fn a_rollout_without_a_template_names_it() {
    let state = rollout(IN_FLIGHT, |objects| {
        let spec = objects["workload"]["spec"].as_object_mut().expect("a spec");
        spec.remove("template");
        spec.remove("selector");
        spec.insert(
            "workloadRef".into(),
            json!({"kind": "Deployment", "name": "pay"}),
        );
    });
    assert!(state.rollout.expect("a status").workload_ref);
}

#[test]
fn annotations_of_ours_are_read() {
    let state = deployment(COMPLETE, |objects| {
        objects["workload"]["metadata"]["annotations"]["recant.dev/kill-switch"] = json!("true");
        objects["workload"]["metadata"]["annotations"]["recant.dev/plan"] = json!("p1");
    });
    assert_eq!(
        state.kill_switch.as_deref(),
        Some("Deployment shop/checkout")
    );
    assert_eq!(state.last_plan, Some("p1".into()));
}
