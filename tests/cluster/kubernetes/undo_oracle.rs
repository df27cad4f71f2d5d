//! The same Deployment rolled back by `kubectl rollout undo` and by Recant ends in the same object.

use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet};
use kube::api::ListParams;
use recant_core::ids::TargetKind;
use recant_core::plan::StepResult;
use serde_json::{Value, json};

use super::{Watched, agent, hash_of, target, undo};
use crate::bed::Bed;
use crate::case::run;
use crate::manifests;
use crate::namespace::Namespace;

/// Takes the same Deployment back in two namespaces, once with each; compares what is left.
async fn same_end(name: &str, history: &[Value], back_to: &str) {
    let bed = Bed::get().await;
    let by_kubectl = bed.namespace(&format!("{name}-kubectl")).await;
    let by_recant = bed.namespace(&format!("{name}-recant")).await;
    for ns in [&by_kubectl, &by_recant] {
        for (number, release) in history.iter().enumerate() {
            ns.apply(release).await;
            ns.wait_complete("checkout", &tag(number)).await;
        }
    }
    let number = 1
        + (0..history.len())
            .find(|n| tag(*n) == back_to)
            .expect("a tag of the history");
    let to_revision = format!("--to-revision={number}");
    by_kubectl
        .kubectl(&["rollout", "undo", "deployment/checkout", &to_revision])
        .await;
    by_kubectl.wait_complete("checkout", back_to).await;

    let mut watched = Watched::start(
        agent(bed, &by_recant).await,
        target(&by_recant, TargetKind::Deployment),
    );
    let judged = watched.until_complete(&tag(history.len() - 1)).await;
    let result = watched.execute_settled(&undo(&judged, back_to)).await;
    assert_eq!(result, StepResult::Done);
    let undone = watched.until_complete(back_to).await;
    assert_eq!(
        undone.current,
        hash_of(&judged, back_to),
        "it is the same revision as before"
    );
    assert_eq!(undone.last_plan, Some("p1".into()));
    by_recant.wait_complete("checkout", back_to).await;

    let (theirs, ours) = (end(&by_kubectl).await, end(&by_recant).await);
    assert_eq!(theirs, ours, "\n{theirs:#}\n{ours:#}");
}

fn tag(number: usize) -> String {
    format!("v{}", 2 * number + 1)
}

/// The Deployment and its `ReplicaSets` without uids, versions, times, managedFields and our own annotations.
async fn end(ns: &Namespace) -> Value {
    let deployment = ns
        .api::<Deployment>()
        .get("checkout")
        .await
        .expect("it is there");
    let sets = ns
        .api::<ReplicaSet>()
        .list(&ListParams::default())
        .await
        .expect("an administrator may list");
    let mut objects: Vec<Value> = sets
        .iter()
        .map(|set| serde_json::to_value(set).expect("JSON"))
        .collect();
    objects.push(serde_json::to_value(&deployment).expect("JSON"));
    for object in &mut objects {
        make_comparable(object, ns);
        for condition in object["status"]["conditions"]
            .as_array_mut()
            .into_iter()
            .flatten()
        {
            condition["lastTransitionTime"] = Value::Null;
            condition["lastUpdateTime"] = Value::Null;
        }
        // How often the controllers touched a ReplicaSet depends on their timing.
        if object["kind"] != "Deployment" && object["metadata"].get("ownerReferences").is_some() {
            object["metadata"]["generation"] = Value::Null;
            object["status"]["observedGeneration"] = Value::Null;
        }
    }
    objects.sort_by_key(|object| object["metadata"]["name"].to_string());
    Value::Array(objects)
}

/// Takes away what differs from one namespace to the next, and our own annotations.
pub(super) fn make_comparable(object: &mut Value, ns: &Namespace) {
    let metadata = object["metadata"].as_object_mut().expect("metadata");
    for field in [
        "uid",
        "resourceVersion",
        "creationTimestamp",
        "managedFields",
        "namespace",
    ] {
        metadata.remove(field);
    }
    if let Some(owners) = metadata.get_mut("ownerReferences") {
        owners[0]["uid"] = Value::Null;
    }
    if let Some(Value::Object(annotations)) = metadata.get_mut("annotations") {
        annotations.retain(|name, value| {
            let text = value.as_str().expect("a string");
            // It names the namespace that it was applied in.
            *value = json!(text.replace(ns.name(), "NAMESPACE"));
            !name.starts_with("recant.dev/")
        });
    }
}

#[test]
fn a_changed_image() {
    run(async {
        let history = [0, 1].map(|number| manifests::deployment("checkout", &tag(number), 1));
        same_end("image", &history, "v1").await;
    });
}

#[test]
fn changed_annotations_labels_and_containers() {
    run(async {
        let mut first = manifests::deployment("checkout", "v1", 2);
        first["metadata"]["annotations"] =
            json!({"kubernetes.io/change-cause": "first", "team": "shop", "only-first": "x"});
        let spec = &mut first["spec"]["template"]["spec"];
        spec["containers"][0]["resources"] =
            json!({"requests": {"cpu": "1000m", "memory": "0.5Gi"}});
        spec["containers"][0]["env"] = json!([{"name": "COLOUR", "value": "blue"}]);
        spec["volumes"] = json!([{"name": "scratch", "emptyDir": {}}]);
        let mut second = manifests::deployment("checkout", "v3", 2);
        second["metadata"]["annotations"] =
            json!({"kubernetes.io/change-cause": "second", "team": "pay", "only-second": "y"});
        second["spec"]["template"]["metadata"]["labels"]["tier"] = json!("front");
        second["spec"]["template"]["metadata"]["annotations"]["note"] = json!("more");
        second["spec"]["template"]["spec"]["containers"][0]["env"] =
            json!([{"name": "SHAPE", "value": "round"}]);
        second["spec"]["revisionHistoryLimit"] = json!(5);
        same_end("parts", &[first, second], "v1").await;
    });
}

#[test]
fn over_a_revision_in_between() {
    run(async {
        let history = [0, 1, 2].map(|number| {
            let mut release = manifests::deployment("checkout", &tag(number), 1);
            release["metadata"]["annotations"] = json!({"kubernetes.io/change-cause": tag(number)});
            release
        });
        same_end("between", &history, "v1").await;
    });
}
