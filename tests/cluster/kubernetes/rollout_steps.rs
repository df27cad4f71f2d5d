//! Rollouts with the real controller: abort in flight; undo and promoteFull once promoted.

use std::sync::Arc;
use std::time::Duration;

use kube::api::{Patch, PatchParams};
use recant::cluster::ClusterError;
use recant_core::ids::TargetKind;
use recant_core::plan::{Step, StepResult};
use serde_json::{Value, json};

use super::wire::Wire;
use super::{Watched, agent, command, hash_of, reason, target, undo};
use crate::bed::Bed;
use crate::case::run;
use crate::namespace::Namespace;
use crate::wait::wait_for;

/// A person's pause after the first half: nothing goes on by itself.
fn steps() -> Value {
    json!([{"setWeight": 50}, {"pause": {}}])
}

async fn start(name: &str) -> (Namespace, Watched, Arc<Wire>) {
    let bed = Bed::get().await;
    let ns = bed.namespace(name).await;
    ns.rollout("checkout", "v1", 2, &steps()).await;
    let wire = Arc::new(Wire::default());
    let client = wire.client(agent(bed, &ns).await);
    let watched = Watched::start(client, target(&ns, TargetKind::Rollout));
    (ns, watched, wire)
}

async fn status(ns: &Namespace) -> Value {
    ns.rollouts()
        .get("checkout")
        .await
        .expect("it is there")
        .data["status"]
        .clone()
}

#[test]
fn a_canary_in_flight_is_aborted_once() {
    run(async {
        let (ns, mut watched, wire) = start("aborted").await;
        let before = watched.until_complete("v1").await;
        ns.set_rollout_image("checkout", "v3").await;
        let judged = watched
            .until("the canary to be in flight", |state| {
                state.current.is_some()
                    && state.current != before.current
                    && state
                        .rollout
                        .as_ref()
                        .is_some_and(|rollout| rollout.phase == "Paused")
            })
            .await;
        assert!(!judged.paused && !judged.complete);
        assert_eq!(
            judged
                .rollout
                .as_ref()
                .and_then(|rollout| rollout.stable.clone()),
            before.current
        );

        let abort = command("p1", &judged, Step::AbortRollout);
        // The lock holds for a patch of the status too.
        let rollouts = ns.rollouts();
        wire.before_next_patch(async move {
            let note = json!({"metadata": {"annotations": {"note": "x"}}});
            let params = PatchParams::default();
            let noted = rollouts
                .patch("checkout", &params, &Patch::Merge(note))
                .await;
            noted.expect("an administrator may patch");
        });
        let raced = watched.try_execute(&abort).await;
        assert!(matches!(raced, Err(ClusterError::Conflict)), "{raced:?}");
        assert_eq!(watched.execute_settled(&abort).await, StepResult::Done);
        assert_eq!(watched.execute(&abort).await, StepResult::AlreadyDone);
        let bad = judged.current.clone();
        let restored = watched
            .until("no bad pod to be left", |state| {
                state
                    .rollout
                    .as_ref()
                    .is_some_and(|rollout| rollout.aborted)
                    && !state
                        .pods
                        .iter()
                        .any(|pod| Some(&pod.hash) == bad.as_ref() && !pod.terminating)
            })
            .await;
        assert_eq!(
            restored.current, judged.current,
            "an abort leaves the spec as it is"
        );
        ns.wait_serving("checkout", "v1").await;
        assert_eq!(watched.execute(&abort).await, StepResult::AlreadyDone);
        ns.wait_phase("checkout", "Degraded").await;
    });
}

#[test]
fn a_promoted_release_is_undone_without_walking_through_the_steps() {
    run(async {
        let (ns, mut watched, wire) = start("promoted").await;
        watched.until_complete("v1").await;
        ns.set_rollout_image("checkout", "v3").await;
        ns.wait_phase("checkout", "Paused").await;
        // A person promotes it.
        ns.kubectl(&[
            "patch",
            "rollout",
            "checkout",
            "--subresource=status",
            "--type=merge",
            "-p",
            r#"{"status":{"pauseConditions":null,"currentStepIndex":2}}"#,
        ])
        .await;
        let judged = watched.until_complete("v3").await;
        let good = hash_of(&judged, "v1").expect("it is there");

        let late = reason(
            watched
                .execute(&command("p1", &judged, Step::AbortRollout))
                .await,
        );
        assert!(late.contains("has been promoted"), "{late}");
        let early = command("p1", &judged, Step::PromoteFull { of: good.clone() });
        let said = reason(watched.execute(&early).await);
        assert!(said.contains("no longer at"), "{said}");

        let back = undo(&judged, "v1");
        assert_eq!(watched.execute_settled(&back).await, StepResult::Done);
        assert_eq!(watched.execute(&back).await, StepResult::AlreadyDone);
        let at_good = watched
            .until("the controller to be at v1", |state| {
                state.current.as_ref() == Some(&good)
            })
            .await;
        assert_eq!(at_good.last_plan, Some("p1".into()));
        let promote = command("p1", &judged, Step::PromoteFull { of: good.clone() });
        assert_eq!(watched.execute_settled(&promote).await, StepResult::Done);
        let restored = watched.until_complete("v1").await;
        assert_eq!(
            restored.current,
            Some(good),
            "the old revision, not a third one"
        );
        assert_eq!(restored.revisions.len(), 2);
        ns.wait_phase("checkout", "Healthy").await;
        ns.wait_serving("checkout", "v1").await;
        assert_eq!(watched.execute(&promote).await, StepResult::AlreadyDone);
        assert_eq!(watched.execute(&back).await, StepResult::AlreadyDone);
        assert_eq!(wire.done(), 2, "one undo and one promotion");
    });
}

#[test]
fn a_rollout_that_a_person_paused_is_left_alone() {
    run(async {
        let (ns, mut watched, _wire) = start("held").await;
        let before = watched.until_complete("v1").await;
        ns.set_rollout_image("checkout", "v3").await;
        let judged = watched
            .until("the canary to be in flight", |state| {
                state.current.is_some() && state.current != before.current
            })
            .await;
        ns.kubectl(&[
            "patch",
            "rollout",
            "checkout",
            "--type=merge",
            "-p",
            r#"{"spec":{"paused":true}}"#,
        ])
        .await;
        watched.until("the pause", |state| state.paused).await;
        let held = reason(
            watched
                .execute_settled(&command("p1", &judged, Step::AbortRollout))
                .await,
        );
        assert!(held.contains("paused by somebody else"), "{held}");
        assert_eq!(status(&ns).await.get("abort"), None);
    });
}

#[test]
fn a_template_in_another_object_is_not_ours_to_change() {
    run(async {
        let bed = Bed::get().await;
        let ns = bed.namespace("ref").await;
        bed.rollouts().await;
        let mut rollout = crate::manifests::rollout("checkout", "v1", 1, &steps());
        let template = rollout["spec"]
            .as_object_mut()
            .expect("a spec")
            .remove("template");
        rollout["spec"]["workloadRef"] =
            json!({"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"});
        ns.apply(&json!({
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"},
            "spec": {"replicas": 0, "selector": rollout["spec"]["selector"], "template": template},
        }))
        .await;
        ns.apply(&rollout).await;
        ns.wait_phase("checkout", "Healthy").await;
        let mut watched = Watched::start(agent(bed, &ns).await, target(&ns, TargetKind::Rollout));
        let judged = watched
            .until("the Rollout to be known", |state| state.current.is_some())
            .await;
        assert!(
            judged
                .rollout
                .as_ref()
                .is_some_and(|rollout| rollout.workload_ref)
        );
        let step = command(
            "p1",
            &judged,
            Step::UndoRollout {
                to: "before".into(),
            },
        );
        let result = watched.execute_settled(&step).await;
        assert!(matches!(result, StepResult::Refused { .. }), "{result:?}");
        let refused = reason(result);
        assert!(refused.contains("workloadRef"), "{refused}");
        // The Deployment is as it was.
        wait_for(
            "the template to be as it was",
            Duration::from_secs(5),
            || async {
                ns.kubectl(&[
                    "get",
                    "deployment",
                    "web",
                    "-o",
                    "jsonpath={.spec.template.spec.containers[0].image}",
                ])
                .await
                .ends_with(":v1")
                .then_some(())
                .ok_or_else(|| "another image".to_owned())
            },
        )
        .await;
    });
}
