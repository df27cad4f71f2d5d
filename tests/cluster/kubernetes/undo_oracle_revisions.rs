//! The same `StatefulSet`, or `DaemonSet`, rolled back by `kubectl rollout undo` and by Recant ends in the same object.

use k8s_openapi::api::apps::v1::{ControllerRevision, DaemonSet, StatefulSet};
use kube::api::ListParams;
use recant_core::ids::TargetKind;
use recant_core::plan::StepResult;
use recant_core::target::TargetState;
use serde_json::{Value, json};

use super::undo_oracle::make_comparable;
use super::{Watched, agent, hash_of, target, undo};
use crate::bed::Bed;
use crate::case::run;
use crate::manifests;
use crate::namespace::Namespace;

/// Takes the same workload back in two namespaces, once with each; compares what is left.
async fn same_end(name: &str, kind: TargetKind, history: [Value; 3]) {
    let bed = Bed::get().await;
    let by_kubectl = bed.namespace(&format!("{name}-kubectl")).await;
    let by_recant = bed.namespace(&format!("{name}-recant")).await;
    let object = format!("{}/checkout", kind.label());
    for ns in [&by_kubectl, &by_recant] {
        for release in &history {
            ns.apply(release).await;
            ns.kubectl(&["rollout", "status", &object, "--timeout=60s"])
                .await;
        }
    }
    let mut watched = Watched::start(agent(bed, &by_recant).await, target(&by_recant, kind));
    let judged = watched.until_complete("v5").await;
    let numbers: Vec<u64> = judged
        .revisions
        .iter()
        .map(|revision| revision.number)
        .collect();
    assert_eq!(numbers, [1, 2, 3]);
    let running = |state: &TargetState, tag: &str| {
        let mut pods = state.pods.iter().filter(|pod| pod.ready);
        pods.any(|pod| Some(&pod.hash) == hash_of(state, tag).as_ref())
    };
    assert!(running(&judged, "v5"), "{:#?}", judged.pods);

    by_kubectl
        .kubectl(&["rollout", "undo", &object, "--to-revision=1"])
        .await;
    let command = undo(&judged, "v1");
    assert_eq!(watched.execute_settled(&command).await, StepResult::Done);
    for ns in [&by_kubectl, &by_recant] {
        ns.kubectl(&["rollout", "status", &object, "--timeout=60s"])
            .await;
    }
    let undone = watched.until_complete("v1").await;
    assert_eq!(
        undone.current,
        hash_of(&judged, "v1"),
        "it is the same revision as before"
    );
    assert_eq!(undone.last_plan, Some("p1".into()));
    assert!(running(&undone, "v1"), "{:#?}", undone.pods);
    let newest = undone.revisions.last().map(|revision| revision.number);
    assert_eq!(newest, Some(4), "with a new number");

    let (theirs, ours) = (end(&by_kubectl, kind).await, end(&by_recant, kind).await);
    assert_eq!(theirs, ours, "\n{theirs:#}\n{ours:#}");

    // What was done shows on the object: nothing is done twice.
    let again = watched.execute_settled(&command).await;
    assert_eq!(again, StepResult::AlreadyDone);
}

/// The object and its `ControllerRevisions` without uids, versions, times, managedFields and our own annotations.
async fn end(ns: &Namespace, kind: TargetKind) -> Value {
    let object = if kind == TargetKind::StatefulSet {
        let object = ns.api::<StatefulSet>().get("checkout").await;
        serde_json::to_value(object.expect("it is there"))
    } else {
        let object = ns.api::<DaemonSet>().get("checkout").await;
        serde_json::to_value(object.expect("it is there"))
    };
    let revisions = ns
        .api::<ControllerRevision>()
        .list(&ListParams::default())
        .await
        .expect("an administrator may list");
    let mut objects: Vec<Value> = revisions
        .iter()
        .map(|revision| serde_json::to_value(revision).expect("JSON"))
        .collect();
    objects.push(object.expect("JSON"));
    for object in &mut objects {
        make_comparable(object, ns);
    }
    objects.sort_by_key(|object| object["metadata"]["name"].to_string());
    Value::Array(objects)
}

/// Three releases that change more than the image.
fn history(manifest: impl Fn(&str) -> Value) -> [Value; 3] {
    let mut releases = ["v1", "v3", "v5"].map(manifest);
    for (number, release) in releases.iter_mut().enumerate() {
        let colour = json!([{"name": format!("COLOUR_{number}"), "value": "blue"}]);
        let template = &mut release["spec"]["template"];
        template["spec"]["containers"][0]["env"] = colour;
        template["metadata"]["annotations"][format!("only-{number}")] = json!("x");
        template["spec"]["volumes"] =
            json!([{"name": format!("scratch-{number}"), "emptyDir": {}}]);
        release["metadata"]["annotations"] = json!({"team": format!("shop-{number}")});
    }
    releases
}

#[test]
fn a_stateful_set() {
    run(async {
        let history = history(|tag| manifests::stateful_set("checkout", tag, 2));
        same_end("sts", TargetKind::StatefulSet, history).await;
    });
}

#[test]
fn a_daemon_set() {
    run(async {
        let history = history(|tag| manifests::daemon_set("checkout", tag));
        same_end("ds", TargetKind::DaemonSet, history).await;
    });
}
