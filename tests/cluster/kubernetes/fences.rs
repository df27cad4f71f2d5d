//! What keeps a step from being written, and what keeps it from being written twice.

use std::sync::Arc;

use k8s_openapi::api::apps::v1::Deployment;
use kube::api::{Patch, PatchParams};
use recant::actuate::{Executor, Parts, Permit, Webhooks};
use recant::clock;
use recant::cluster::ClusterError;
use recant_core::ids::TargetKind;
use recant_core::plan::{StepCommand, StepResult};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::wire::Wire;
use super::{WITHIN, Watched, agent, command, hash_of, reason, target, undo};
use crate::bed::Bed;
use crate::case::run;
use crate::manifests;
use crate::namespace::Namespace;

/// A Deployment at v3 that was at v1 before, watched over a wire of its own.
struct Release {
    ns: Namespace,
    wire: Arc<Wire>,
    watched: Watched,
    undo: StepCommand,
}

impl Release {
    async fn of(name: &str) -> Self {
        let bed = Bed::get().await;
        let ns = bed.namespace(name).await;
        ns.deployment("checkout", "v1", 1).await;
        ns.set_image("checkout", "v3").await;
        let wire = Arc::new(Wire::default());
        let client = wire.client(agent(bed, &ns).await);
        let mut watched = Watched::start(client, target(&ns, TargetKind::Deployment));
        let judged = watched.until_complete("v3").await;
        let undo = undo(&judged, "v1");
        Self {
            ns,
            wire,
            watched,
            undo,
        }
    }

    async fn object(&self) -> Deployment {
        self.ns.api().get("checkout").await.expect("it is there")
    }

    async fn image(&self) -> String {
        let template = self.object().await.spec.expect("a spec").template;
        let mut containers = template.spec.expect("a pod spec").containers;
        containers.remove(0).image.expect("an image")
    }

    async fn held_back(&self, says: &str) {
        let reason = reason(self.watched.execute_settled(&self.undo).await);
        assert!(reason.contains(says), "{reason}");
        assert_eq!(self.wire.done() + self.wire.refused(), 0, "{reason}");
    }
}

/// Somebody else's write, past the wire.
fn patched(ns: &Namespace, write: Value) -> impl Future<Output = ()> + Send + 'static {
    let api = ns.api::<Deployment>();
    async move {
        api.patch(
            "checkout",
            &PatchParams::default(),
            &Patch::Strategic(write),
        )
        .await
        .expect("an administrator may patch");
    }
}

#[test]
fn a_release_since_the_verdict_is_left_alone() {
    run(async {
        let release = Release::of("newer").await;
        release.ns.set_image("checkout", "v5").await;
        release.held_back("no longer at").await;
        assert_eq!(release.image().await, "shop/checkout:v5");
    });
}

#[test]
fn an_object_created_again_is_left_alone() {
    run(async {
        let release = Release::of("again").await;
        release
            .ns
            .kubectl(&["delete", "deployment", "checkout"])
            .await;
        release.held_back("does not exist any more").await;
        // The same templates, so the same hashes.
        release.ns.deployment("checkout", "v1", 1).await;
        release.ns.set_image("checkout", "v3").await;
        release.ns.wait_complete("checkout", "v3").await;
        release.held_back("deleted and created again").await;
    });
}

#[test]
fn a_paused_object_is_left_alone() {
    run(async {
        let mut release = Release::of("paused").await;
        release
            .ns
            .kubectl(&["rollout", "pause", "deployment/checkout"])
            .await;
        release
            .watched
            .until("the pause", |state| state.paused)
            .await;
        release.held_back("paused by somebody else").await;
    });
}

#[test]
fn a_person_who_was_quicker_is_told_as_such() {
    run(async {
        let release = Release::of("person").await;
        release
            .ns
            .kubectl(&["rollout", "undo", "deployment/checkout"])
            .await;
        release.held_back("somebody else took").await;
    });
}

#[test]
fn kill_switches_hold_at_the_write_and_not_only_at_the_watch() {
    run(async {
        let release = Release::of("stop").await;
        let ns = release.ns.name();
        let bed = Bed::get().await;
        // At once, before any watch could have shown it.
        bed.kubectl(&["annotate", "namespace", ns, "recant.dev/kill-switch=true"])
            .await;
        release.held_back(&format!("of namespace {ns}")).await;
        bed.kubectl(&["annotate", "namespace", ns, "recant.dev/kill-switch-"])
            .await;
        release
            .ns
            .kubectl(&[
                "annotate",
                "deployment/checkout",
                "recant.dev/kill-switch=yes",
            ])
            .await;
        release.held_back("of Deployment").await;
        release
            .ns
            .kubectl(&[
                "annotate",
                "deployment/checkout",
                "recant.dev/kill-switch=false",
                "--overwrite",
            ])
            .await;
        assert_eq!(
            release.watched.execute_settled(&release.undo).await,
            StepResult::Done
        );
        let kept = release
            .object()
            .await
            .metadata
            .annotations
            .expect("annotations");
        assert_eq!(
            kept["recant.dev/kill-switch"], "false",
            "it was set since that revision"
        );
    });
}

#[test]
fn a_revision_that_is_gone_says_why() {
    run(async {
        let bed = Bed::get().await;
        let ns = bed.namespace("limit").await;
        let mut release = manifests::deployment("checkout", "v1", 1);
        ns.apply(&release).await;
        ns.wait_complete("checkout", "v1").await;
        let mut watched =
            Watched::start(agent(bed, &ns).await, target(&ns, TargetKind::Deployment));
        let before = watched.until_complete("v1").await;
        release["spec"]["revisionHistoryLimit"] = json!(0);
        release["spec"]["template"]["spec"]["containers"][0]["image"] = json!("shop/checkout:v3");
        ns.apply(&release).await;
        watched.until_complete("v3").await;
        let judged = watched
            .until("the old ReplicaSet to go", |state| {
                state.revisions.len() == 1
            })
            .await;
        let step = recant_core::plan::Step::UndoDeployment {
            to: hash_of(&before, "v1").expect("it was there"),
        };
        let command = command("p1", &judged, step);
        let result = watched.execute_settled(&command).await;
        assert!(matches!(result, StepResult::Refused { .. }), "{result:?}");
        let reason = reason(result);
        assert!(reason.contains("revisionHistoryLimit"), "{reason}");
    });
}

#[test]
fn a_write_in_between_is_a_conflict_and_the_next_read_sees_it() {
    run(async {
        let release = Release::of("race").await;
        let image = json!([{"name": "checkout", "image": "shop/checkout:v5"}]);
        let write = json!({"spec": {"template": {"spec": {"containers": image}}}});
        release.wire.before_next_patch(patched(&release.ns, write));
        let raced = release.watched.try_execute(&release.undo).await;
        assert!(matches!(raced, Err(ClusterError::Conflict)), "{raced:?}");
        assert_eq!(release.image().await, "shop/checkout:v5");
        let reason = reason(release.watched.execute_settled(&release.undo).await);
        assert!(reason.contains("no longer at"), "{reason}");
        assert_eq!(release.image().await, "shop/checkout:v5");
    });
}

#[test]
fn a_step_that_is_repeated_is_recognised_and_writes_nothing() {
    run(async {
        let mut release = Release::of("repeat").await;
        assert_eq!(
            release.watched.execute_settled(&release.undo).await,
            StepResult::Done
        );
        // At once, while the controller lags: as after a crash between the write and the record of it.
        assert_eq!(
            release.watched.execute(&release.undo).await,
            StepResult::AlreadyDone
        );
        release.watched.until_complete("v1").await;
        let before = release.object().await;
        assert_eq!(
            release.watched.execute(&release.undo).await,
            StepResult::AlreadyDone
        );
        let after = release.object().await;
        assert_eq!(
            before.metadata.resource_version,
            after.metadata.resource_version
        );
        assert_eq!(release.wire.done(), 1);
        // Another plan does not take that for its own.
        let mut other = release.undo.clone();
        other.plan = "p2".into();
        let reason = reason(release.watched.execute(&other).await);
        assert!(reason.contains("somebody else took"), "{reason}");
    });
}

/// The executor's outcome of the undo, on an open gate.
async fn by_executor(watched: Watched, undo: StepCommand) -> StepResult {
    let (sender, mut outcomes) = mpsc::unbounded_channel();
    let parts = Parts {
        cluster: Arc::new(watched.cluster),
        gate: Arc::new(|| Permit::Act),
        webhooks: Webhooks::none(),
        clock: clock::system(),
        at_once: 1,
    };
    let executor = Executor::start(parts, sender);
    executor.submit(undo).expect("it is not full");
    let outcome = tokio::time::timeout(WITHIN, outcomes.recv())
        .await
        .expect("an outcome in time")
        .expect("the executor lives");
    executor.shutdown().await;
    outcome.result
}

/// There was one undo, and it was ours.
async fn undone_once(ns: &Namespace) {
    ns.wait_complete("checkout", "v1").await;
    let object: Deployment = ns.api().get("checkout").await.expect("it is there");
    let annotations = object.metadata.annotations.expect("annotations");
    assert_eq!(annotations["recant.dev/plan"], "p1");
    assert_eq!(annotations["deployment.kubernetes.io/revision"], "3");
}

#[test]
fn the_executor_finds_that_a_write_without_an_answer_arrived() {
    run(async {
        let Release {
            ns,
            wire,
            watched,
            undo,
            ..
        } = Release::of("lost").await;
        wire.lose_next_answer();
        assert_eq!(by_executor(watched, undo).await, StepResult::AlreadyDone);
        assert_eq!(wire.done(), 1);
        undone_once(&ns).await;
    });
}

#[test]
fn the_executor_tries_again_after_a_harmless_write_of_somebody_else() {
    run(async {
        let Release {
            ns,
            wire,
            watched,
            undo,
            ..
        } = Release::of("harmless").await;
        let write = json!({"metadata": {"annotations": {"note": "x"}}});
        wire.before_next_patch(patched(&ns, write));
        assert_eq!(by_executor(watched, undo).await, StepResult::Done);
        assert_eq!(wire.done(), 1);
        assert!(wire.refused() > 0, "the first was a conflict");
        undone_once(&ns).await;
    });
}
