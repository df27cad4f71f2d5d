//! What only a `StatefulSet` does: it waits for pods that are not ready, and keeps those below its partition.

use k8s_openapi::api::apps::v1::StatefulSet;
use kube::api::{Patch, PatchParams};
use recant_core::ids::TargetKind;
use recant_core::plan::{Step, StepResult};
use recant_core::target::TargetState;
use serde_json::json;

use super::{WITHIN, Watched, agent, command, hash_of, target, undo};
use crate::bed::Bed;
use crate::case::run_waiting;
use crate::manifests;
use crate::namespace::Namespace;
use crate::wait::{wait_for, wait_object};

/// A `StatefulSet` whose last pod is of `v2` and not ready, so that the others were not replaced.
async fn stuck(ns: &Namespace, watched: &mut Watched) -> TargetState {
    // A grace period, so that the pod is not gone before its status can be made bad.
    ns.apply(&manifests::stateful_set("checkout", "v1", 2))
        .await;
    watched.until_complete("v1").await;
    let patch = json!({"spec": {
        "minReadySeconds": 10,
        "template": {"spec": {"containers": [
            {"name": "checkout", "image": manifests::image("checkout", "v2")},
        ]}},
    }});
    let api = ns.api::<StatefulSet>();
    api.patch(
        "checkout",
        &PatchParams::default(),
        &Patch::Strategic(patch),
    )
    .await
    .expect("an administrator may patch a StatefulSet");
    let bad = |state: &TargetState| {
        let newest = hash_of(state, "v2");
        let mut pods = state.pods.iter();
        newest.is_some()
            && pods.any(|pod| Some(&pod.hash) == newest.as_ref() && pod.ready && !pod.terminating)
    };
    watched.until("the first pod of v2", bad).await;
    // `minReadySeconds` keeps the controller from going on meanwhile.
    ns.crash_loop("checkout-1", 3).await;
    let judged = watched
        .until("the pod of v2 not to be ready", |state| {
            state.pods.iter().any(|pod| {
                pod.name.as_str() == "checkout-1"
                    && !pod.ready
                    && Some(&pod.hash) == state.current.as_ref()
            })
        })
        .await;
    assert_eq!(judged.current, hash_of(&judged, "v2"));
    judged
}

#[test]
fn an_unready_pod_blocks_the_way_back_until_it_is_deleted() {
    run_waiting(async {
        let bed = Bed::get().await;
        let ns = bed.namespace("sts-stuck").await;
        let mut watched =
            Watched::start(agent(bed, &ns).await, target(&ns, TargetKind::StatefulSet));
        let judged = stuck(&ns, &mut watched).await;
        let to = hash_of(&judged, "v1").expect("v1 is there");
        assert_eq!(
            watched.execute_settled(&undo(&judged, "v1")).await,
            StepResult::Done
        );
        let back = watched
            .until("the controller to have v1", |state| {
                state.current.as_ref() == Some(&to)
            })
            .await;
        // It is what Kubernetes documents: the controller waits for the pod for ever.
        let what = "the controller to have seen the way back";
        wait_object(&ns.api::<StatefulSet>(), "checkout", what, WITHIN, |set| {
            let status = set.status.clone().unwrap_or_default();
            (status.observed_generation == set.metadata.generation)
                .then_some(())
                .ok_or(format!("{status:?}"))
        })
        .await;
        let judged_hash = judged.current.clone().expect("v2");
        let state = watched.until("news", |_| true).await;
        let names: Vec<_> = state
            .stuck(&judged_hash)
            .map(|pod| pod.name.0.clone())
            .collect();
        assert_eq!(names, ["checkout-1"], "{state:#?}");
        let advice = recant_core::saga::by_hand(&state, &judged_hash).expect("advice");
        assert!(
            advice.contains(&format!("kubectl delete pod -n {} checkout-1", ns.name())),
            "{advice}"
        );

        // Without the right to delete pods it says which one is missing.
        let delete = command("p1", &judged, Step::DeleteStuckPods { to: to.clone() });
        let refused = watched
            .try_execute(&delete)
            .await
            .expect_err("no right yet");
        assert!(
            refused.to_string().contains("not allowed to delete pods"),
            "{refused}"
        );
        let manifest = super::manifest("delete-pods-role.yaml");
        ns.kubectl(&["apply", "-f", manifest.to_str().expect("UTF-8")])
            .await;
        let result = wait_for("the right to be in force", WITHIN, || async {
            watched
                .try_execute(&delete)
                .await
                .map_err(|error| error.to_string())
        })
        .await;
        assert_eq!(result, StepResult::Done);
        let restored = watched.until("v1 everywhere", |state| {
            state
                .pods
                .iter()
                .filter(|pod| !pod.terminating && pod.ready)
                .count()
                == 2
                && state
                    .pods
                    .iter()
                    .all(|pod| pod.hash == to || pod.terminating)
        });
        let restored = restored.await;
        assert_eq!(restored.uid, back.uid);
        assert_eq!(
            watched.execute_settled(&delete).await,
            StepResult::AlreadyDone,
            "nothing is stuck any more"
        );
    });
}

#[test]
fn a_partition_and_on_delete_are_told() {
    run_waiting(async {
        let bed = Bed::get().await;
        let ns = bed.namespace("sts-partition").await;
        let mut watched =
            Watched::start(agent(bed, &ns).await, target(&ns, TargetKind::StatefulSet));
        ns.apply(&manifests::stateful_set("checkout", "v1", 2))
            .await;
        watched.until_complete("v1").await;
        let mut second = manifests::stateful_set("checkout", "v2", 2);
        second["spec"]["updateStrategy"] =
            json!({"type": "RollingUpdate", "rollingUpdate": {"partition": 1}});
        ns.apply(&second).await;
        let of = |state: &TargetState, tag: &str| {
            let hash = hash_of(state, tag);
            let pods = state
                .pods
                .iter()
                .filter(|pod| pod.ready && !pod.terminating);
            pods.filter(|pod| Some(&pod.hash) == hash.as_ref()).count()
        };
        let split = watched
            .until("one pod of each", |state| {
                of(state, "v1") == 1 && of(state, "v2") == 1
            })
            .await;
        assert_eq!(split.for_rollback.replacement.partition, 1);
        let (v1, v2) = (
            hash_of(&split, "v1").expect("v1"),
            hash_of(&split, "v2").expect("v2"),
        );
        assert_eq!(split.current.as_ref(), Some(&v2));
        assert_eq!(split.partitioned(&v2).count(), 0);
        let kept: Vec<_> = split
            .partitioned(&v1)
            .map(|pod| pod.name.0.clone())
            .collect();
        assert_eq!(kept, ["checkout-0"]);
        // The undo brings the pods above the partition back.
        assert_eq!(
            watched.execute_settled(&undo(&split, "v1")).await,
            StepResult::Done
        );
        watched
            .until("both pods of v1", |state| of(state, "v1") == 2)
            .await;

        // With OnDelete the template goes back and the pods stay until somebody deletes them.
        let mut third = manifests::stateful_set("checkout", "v3", 2);
        third["spec"]["updateStrategy"] = json!({"type": "OnDelete"});
        ns.apply(&third).await;
        let state = watched
            .until("v3 in the spec", |state| {
                state.current.is_some() && state.current == hash_of(state, "v3")
            })
            .await;
        assert!(state.for_rollback.replacement.on_delete);
        ns.kubectl(&["delete", "pod", "checkout-1"]).await;
        let state = watched
            .until("one pod of v3", |state| {
                of(state, "v3") == 1 && of(state, "v1") == 1
            })
            .await;
        let v3 = state.current.clone().expect("v3");
        let again = command("p2", &state, Step::ApplyRevision { to: v1.clone() });
        assert_eq!(watched.execute_settled(&again).await, StepResult::Done);
        let back = watched
            .until("v1 in the spec", |state| {
                state.current == hash_of(state, "v1")
            })
            .await;
        let left: Vec<_> = back.stuck(&v3).map(|pod| pod.name.0.clone()).collect();
        assert_eq!(left, ["checkout-1"]);
        let advice = recant_core::saga::by_hand(&back, &v3).expect("advice");
        assert!(
            advice.starts_with("With `updateStrategy: OnDelete`"),
            "{advice}"
        );
    });
}
