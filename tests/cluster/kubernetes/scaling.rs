//! Scaling on the real API server: what is seen, what is written, and what keeps it from being written, or from being
//! written twice.

use std::sync::Arc;

use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use kube::Client;
use kube::api::{Patch, PatchParams};
use recant::actuate::{Executor, Parts, Permit, Webhooks};
use recant::clock;
use recant::cluster::{Cluster as _, ClusterError};
use recant_core::ids::TargetKind;
use recant_core::plan::{Action, StepCommand, StepResult};
use recant_core::rule::{Scale, ScaleKind, ScaleTarget, ScaleTo};
use recant_core::scaling::{Decided, ScaleChange, ScaleObject, ScaleState, decide, undo};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::wire::Wire;
use super::{WITHIN, Watched, agent, reason, target};
use crate::bed::Bed;
use crate::case::run;
use crate::manifests;
use crate::namespace::Namespace;
use crate::wait::wait_for;

/// Two workers, looked at and written to over a wire of its own.
struct Workers {
    ns: Namespace,
    wire: Arc<Wire>,
    watched: Watched,
}

impl Workers {
    async fn of(name: &str) -> Self {
        let bed = Bed::get().await;
        let ns = bed.namespace(name).await;
        ns.apply(&manifests::deployment("worker", "v1", 2)).await;
        Self::in_namespace(bed, ns).await
    }

    async fn in_namespace(bed: &'static Bed, ns: Namespace) -> Self {
        let wire = Arc::new(Wire::default());
        let client: Client = wire.client(agent(bed, &ns).await);
        let watched = Watched::start(client, target(&ns, TargetKind::Deployment));
        Self { ns, wire, watched }
    }

    fn worker(&self, kind: ScaleKind) -> ScaleTarget {
        ScaleTarget {
            namespace: self.ns.name().to_owned(),
            kind,
            name: "worker".to_owned(),
        }
    }

    async fn state(&self, kind: ScaleKind) -> Option<ScaleState> {
        let state = self.watched.cluster.scale_state(&self.worker(kind)).await;
        state.unwrap_or_else(|error| panic!("{error}"))
    }

    /// What is decided from what is there now.
    async fn decided(&self, kind: ScaleKind, to: ScaleTo) -> Decided {
        let scale = Scale {
            target: self.worker(kind),
            to,
            ceiling: None,
            undo_after: None,
        };
        decide(&scale, self.state(kind).await.as_ref())
    }

    async fn to_five(&self) -> ScaleChange {
        change(
            self.decided(ScaleKind::Deployment, ScaleTo::Replicas(5))
                .await,
        )
    }

    async fn execute(&self, plan: &str, change: &ScaleChange) -> StepResult {
        self.watched.execute(&command(plan, change)).await
    }

    async fn replicas(&self) -> i32 {
        let worker: Deployment = self.ns.api().get("worker").await.expect("it is there");
        worker
            .spec
            .and_then(|spec| spec.replicas)
            .expect("a number")
    }

    async fn autoscaler(&self) -> HorizontalPodAutoscaler {
        self.ns.api().get("worker").await.expect("it is there")
    }

    async fn held_back(&self, change: &ScaleChange, says: &str) {
        let before = self.wire.done();
        let reason = reason(self.execute("p1", change).await);
        assert!(reason.contains(says), "{reason}");
        assert_eq!(self.wire.done(), before, "{reason}");
    }
}

fn change(decided: Decided) -> ScaleChange {
    match decided {
        Decided::Change { change, .. } => change,
        other => panic!("no change: {other:?}"),
    }
}

fn command(plan: &str, change: &ScaleChange) -> StepCommand {
    StepCommand {
        plan: plan.into(),
        index: 0,
        action: Action::Scale(change.clone()),
        deadline: jiff::Timestamp::now() + std::time::Duration::from_mins(1),
        again: false,
    }
}

fn hpa(min: u32, max: u32) -> Value {
    json!({
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "worker"},
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "worker"},
            "minReplicas": min,
            "maxReplicas": max,
            "metrics": [{"type": "Resource", "resource": {
                "name": "cpu", "target": {"type": "Utilization", "averageUtilization": 80},
            }}],
        },
    })
}

fn budget(min_available: &Value) -> Value {
    json!({
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": {"name": "worker"},
        "spec": {"minAvailable": min_available, "selector": {"matchLabels": {"app": "worker"}}},
    })
}

#[test]
fn replicas_are_written_once_under_a_mark_and_taken_back() {
    run(async {
        let workers = Workers::of("scale").await;
        let up = workers.to_five().await;
        assert_eq!(workers.execute("p1", &up).await, StepResult::Done);
        // At once, as after a crash between the write and the record of it.
        assert_eq!(workers.execute("p1", &up).await, StepResult::AlreadyDone);
        assert_eq!((workers.replicas().await, workers.wire.done()), (5, 1));
        let object: Deployment = workers.ns.api().get("worker").await.expect("it is there");
        let annotations = object.metadata.annotations.expect("annotations");
        assert_eq!(annotations["recant.dev/scaling"], "p1");
        let managers = object.metadata.managed_fields.expect("managed fields");
        assert!(
            managers
                .iter()
                .any(|entry| entry.manager.as_deref() == Some("recant"))
        );
        // Another plan does not take that for its own.
        workers.held_back_by(&up).await;
        wait_for("five workers to be ready", WITHIN, || async {
            match workers.state(ScaleKind::Deployment).await {
                Some(state) if state.ready == 5 => Ok(()),
                other => Err(format!("{other:?}")),
            }
        })
        .await;
        let state = workers.state(ScaleKind::Deployment).await;
        let back = change(undo(&up, state.as_ref()));
        assert_eq!(workers.execute("p1-undo", &back).await, StepResult::Done);
        assert_eq!((workers.replicas().await, workers.wire.done()), (2, 2));
    });
}

impl Workers {
    async fn held_back_by(&self, change: &ScaleChange) {
        let reason = reason(self.execute("p2", change).await);
        assert!(
            reason.contains("somebody else changed it meanwhile"),
            "{reason}"
        );
        assert_eq!(self.wire.done(), 1);
    }
}

#[test]
fn an_autoscaler_s_minimum_is_raised_and_its_replicas_are_left_alone() {
    run(async {
        let workers = Workers::of("scale-hpa").await;
        workers.ns.apply(&hpa(1, 4)).await;
        let up = workers.to_five().await;
        assert_eq!((up.from, up.to), (1, 4), "no more than its maximum");
        assert_eq!(workers.execute("p1", &up).await, StepResult::Done);
        assert_eq!(workers.execute("p1", &up).await, StepResult::AlreadyDone);
        let found = workers.autoscaler().await;
        let spec = found.spec.expect("a spec");
        assert_eq!((spec.min_replicas, spec.max_replicas), (Some(4), 4));
        assert!(
            spec.metrics.is_some_and(|metrics| metrics.len() == 1),
            "untouched"
        );
        assert_eq!(workers.replicas().await, 2, "that is the autoscaler's work");
        assert_eq!(workers.wire.done(), 1);
        let state = workers.state(ScaleKind::Deployment).await;
        let back = change(undo(&up, state.as_ref()));
        assert_eq!(workers.execute("p1-undo", &back).await, StepResult::Done);
        let spec = workers.autoscaler().await.spec.expect("a spec");
        assert_eq!(spec.min_replicas, Some(1));
        // One that another controller owns is set back by that.
        let owner = json!({"metadata": {"ownerReferences": [{
            "apiVersion": "example.org/v1", "kind": "Scaler", "name": "worker", "uid": "1-2-3",
            "controller": true,
        }]}});
        let api = workers.ns.api::<HorizontalPodAutoscaler>();
        api.patch("worker", &PatchParams::default(), &Patch::Merge(owner))
            .await
            .expect("an administrator may");
        let decided = workers
            .decided(ScaleKind::Deployment, ScaleTo::Replicas(3))
            .await;
        assert!(
            matches!(&decided, Decided::Held { why, .. } if why.contains("Scaler `worker`")),
            "{decided:?}"
        );
    });
}

/// As in KEDA's own definition, as far as it is used here: it lets through what it does not know.
fn scaled_object_definition() -> Value {
    json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "scaledobjects.keda.sh"},
        "spec": {
            "group": "keda.sh",
            "names": {"kind": "ScaledObject", "plural": "scaledobjects", "singular": "scaledobject"},
            "scope": "Namespaced",
            "versions": [{
                "name": "v1alpha1", "served": true, "storage": true,
                "schema": {"openAPIV3Schema": {
                    "type": "object", "x-kubernetes-preserve-unknown-fields": true,
                    "properties": {"spec": {
                        "type": "object", "x-kubernetes-preserve-unknown-fields": true,
                        "properties": {
                            "minReplicaCount": {"type": "integer", "format": "int32"},
                            "maxReplicaCount": {"type": "integer", "format": "int32"},
                        },
                    }},
                }},
            }],
        },
    })
}

#[test]
fn where_keda_has_the_autoscaler_its_scaled_object_is_raised() {
    run(async {
        let workers = Workers::of("scale-keda").await;
        workers.ns.apply(&scaled_object_definition()).await;
        let scaled = json!({
            "apiVersion": "keda.sh/v1alpha1", "kind": "ScaledObject", "metadata": {"name": "worker"},
            "spec": {
                "scaleTargetRef": {"name": "worker"}, "minReplicaCount": 1, "maxReplicaCount": 4,
                "triggers": [{"type": "cpu", "metadata": {"value": "80"}}],
            },
        });
        let served = "crd/scaledobjects.keda.sh";
        let wait = [
            "wait",
            "--for=condition=Established",
            served,
            "--timeout=20s",
        ];
        workers.ns.kubectl(&wait).await;
        workers.ns.apply(&scaled).await;
        let kubectl = [
            "get",
            "scaledobject",
            "worker",
            "-o",
            "jsonpath={.metadata.uid}",
        ];
        let uid = workers.ns.kubectl(&kubectl).await;
        let mut autoscaler = hpa(1, 4);
        autoscaler["metadata"]["ownerReferences"] = json!([{
            "apiVersion": "keda.sh/v1alpha1", "kind": "ScaledObject", "name": "worker", "uid": uid,
            "controller": true, "blockOwnerDeletion": true,
        }]);
        workers.ns.apply(&autoscaler).await;

        let up = workers.to_five().await;
        assert_eq!((up.from, up.to), (1, 4), "no more than its maximum");
        assert!(
            up.in_words()
                .contains("`minReplicaCount` of its ScaledObject `worker`")
        );
        assert_eq!(workers.execute("p1", &up).await, StepResult::Done);
        assert_eq!(workers.execute("p1", &up).await, StepResult::AlreadyDone);
        let minimum = [
            "get",
            "scaledobject",
            "worker",
            "-o",
            "jsonpath={.spec.minReplicaCount}",
        ];
        assert_eq!(workers.ns.kubectl(&minimum).await, "4");
        let spec = workers.autoscaler().await.spec.expect("a spec");
        assert_eq!(spec.min_replicas, Some(1), "that is KEDA's work");
        assert_eq!((workers.replicas().await, workers.wire.done()), (2, 1));
        let state = workers.state(ScaleKind::Deployment).await;
        let back = change(undo(&up, state.as_ref()));
        assert_eq!(workers.execute("p1-undo", &back).await, StepResult::Done);
        assert_eq!(workers.ns.kubectl(&minimum).await, "1");

        let down = change(workers.decided(ScaleKind::Deployment, ScaleTo::Zero).await);
        assert_eq!(workers.execute("p2", &down).await, StepResult::Done);
        assert_eq!(workers.execute("p2", &down).await, StepResult::AlreadyDone);
        let paused = [
            "get",
            "scaledobject",
            "worker",
            "-o",
            r"jsonpath={.metadata.annotations.autoscaling\.keda\.sh/paused-replicas}",
        ];
        assert_eq!(workers.ns.kubectl(&paused).await, "0");
        let state = workers.state(ScaleKind::Deployment).await;
        let back = change(undo(&down, state.as_ref()));
        assert_eq!(workers.execute("p2-undo", &back).await, StepResult::Done);
        assert_eq!(workers.ns.kubectl(&paused).await, "", "KEDA goes on");
        assert!(
            matches!(
                workers.execute("p3", &back).await,
                StepResult::Fenced { .. }
            ),
            "it is paused no more"
        );

        let pause = [
            "annotate",
            "scaledobject",
            "worker",
            "autoscaling.keda.sh/paused-replicas=2",
        ];
        workers.ns.kubectl(&pause).await;
        let decided = workers
            .decided(ScaleKind::Deployment, ScaleTo::Replicas(3))
            .await;
        assert!(
            matches!(&decided, Decided::Held { why, .. } if why.contains("is paused by an annotation")),
            "{decided:?}"
        );
    });
}

/// What the users run today, in a namespace of the test's.
const THEIRS: &str = include_str!("../../acceptance/hpa-pdb.yaml");

#[test]
fn hazard_09_the_users_autoscaler_is_raised_within_its_bounds_and_their_budget_is_seen() {
    run(async {
        let bed = Bed::get().await;
        let ns = bed.namespace("their-hpa").await;
        let name = "claude-orchestrator";
        ns.apply(&manifests::deployment(name, "v1", 5)).await;
        let own = format!("namespace: {}", ns.name());
        let theirs = THEIRS.replace("namespace: claude-ecosystem", &own);
        let file = bed.folder("their-hpa").join("hpa-pdb.yaml");
        std::fs::write(&file, theirs).expect("the bed's folder is writable");
        ns.kubectl(&["apply", "-f", file.to_str().expect("UTF-8")])
            .await;
        let workers = Workers::in_namespace(bed, ns).await;
        let target = ScaleTarget {
            name: name.to_owned(),
            ..workers.worker(ScaleKind::Deployment)
        };
        let decided = async |to| {
            let scale = Scale {
                target: target.clone(),
                to,
                ceiling: None,
                undo_after: None,
            };
            let state = workers.watched.cluster.scale_state(&target).await;
            let state = state.unwrap_or_else(|error| panic!("{error}"));
            (decide(&scale, state.as_ref()), state)
        };
        let (up, state) = decided(ScaleTo::Replicas(10)).await;
        let state = state.expect("it is there");
        assert_eq!(
            state.budgets.iter().map(|budget| budget.needs).max(),
            Some(3)
        );
        let up = change(up);
        assert!(
            matches!(&up.object, ScaleObject::Autoscaler { name, .. } if name == "claude-orchestrator-hpa")
        );
        assert_eq!((up.from, up.to), (5, 10));
        assert_eq!(workers.execute("p1", &up).await, StepResult::Done);
        let found: HorizontalPodAutoscaler = workers
            .ns
            .api()
            .get("claude-orchestrator-hpa")
            .await
            .expect("it is there");
        let spec = found.spec.expect("a spec");
        assert_eq!((spec.min_replicas, spec.max_replicas), (Some(10), 30));
        assert_eq!(
            spec.metrics.map(|metrics| metrics.len()),
            Some(3),
            "untouched"
        );
        assert!(spec.behavior.is_some(), "untouched");
        // More than it allows is asked for: no more than that.
        assert_eq!(change(decided(ScaleTo::Replicas(99)).await.0).to, 30);
        let (_, state) = decided(ScaleTo::Replicas(10)).await;
        let back = change(undo(&up, state.as_ref()));
        assert_eq!((back.from, back.to), (10, 5));
        assert_eq!(workers.execute("p1-undo", &back).await, StepResult::Done);
    });
}

#[test]
fn an_autoscaler_that_came_since_the_decision_is_respected() {
    run(async {
        let workers = Workers::of("scale-late-hpa").await;
        let up = workers.to_five().await;
        workers.ns.apply(&hpa(1, 9)).await;
        workers
            .held_back(&up, "HorizontalPodAutoscaler `worker` scales")
            .await;
        assert_eq!(workers.replicas().await, 2);
    });
}

#[test]
fn disruption_budgets_and_kill_switches_are_seen() {
    run(async {
        let workers = Workers::of("scale-seen").await;
        let ns = workers.ns.name().to_owned();
        workers.ns.apply(&budget(&json!(4))).await;
        let up = workers
            .decided(ScaleKind::Deployment, ScaleTo::Factor(150))
            .await;
        assert_eq!(change(up).to, 4, "never under the budget");
        workers.ns.apply(&budget(&json!("50%"))).await;
        let up = workers
            .decided(ScaleKind::Deployment, ScaleTo::Factor(150))
            .await;
        let up = change(up);
        assert_eq!(up.to, 3, "a percentage goes by what there is");
        let bed = Bed::get().await;
        // At the write, too, and at once.
        bed.kubectl(&["annotate", "namespace", &ns, "recant.dev/kill-switch=true"])
            .await;
        workers.held_back(&up, &format!("of namespace {ns}")).await;
        bed.kubectl(&["annotate", "namespace", &ns, "recant.dev/kill-switch-"])
            .await;
        let switch = [
            "annotate",
            "deployment/worker",
            "recant.dev/kill-switch=yes",
        ];
        workers.ns.kubectl(&switch).await;
        workers.held_back(&up, "of Deployment").await;
        let switch = ["annotate", "deployment/worker", "recant.dev/kill-switch-"];
        workers.ns.kubectl(&switch).await;
        workers
            .ns
            .kubectl(&["rollout", "pause", "deployment/worker"])
            .await;
        workers.held_back(&up, "paused by somebody else").await;
        workers
            .ns
            .kubectl(&["delete", "deployment", "worker"])
            .await;
        workers.held_back(&up, "does not exist any more").await;
        assert_eq!(workers.state(ScaleKind::Deployment).await, None);
        workers
            .ns
            .apply(&manifests::deployment("worker", "v1", 2))
            .await;
        workers.held_back(&up, "deleted and created again").await;
    });
}

#[test]
fn a_hand_in_between_is_a_conflict_and_the_next_read_sees_it() {
    run(async {
        let workers = Workers::of("scale-race").await;
        let up = workers.to_five().await;
        let api = workers.ns.api::<Deployment>();
        workers.wire.before_next_patch(async move {
            let write = json!({"spec": {"replicas": 3}});
            api.patch("worker", &PatchParams::default(), &Patch::Merge(write))
                .await
                .expect("an administrator may patch");
        });
        let raced = workers.watched.try_execute(&command("p1", &up)).await;
        assert!(matches!(raced, Err(ClusterError::Conflict)), "{raced:?}");
        workers
            .held_back(&up, "set to 3 replicas, no longer to 2")
            .await;
        assert_eq!(workers.replicas().await, 3);
    });
}

#[test]
fn the_executor_finds_that_a_scaling_without_an_answer_arrived() {
    run(async {
        let Workers { ns, wire, watched } = Workers::of("scale-lost").await;
        let workers = Workers { ns, wire, watched };
        let up = workers.to_five().await;
        workers.wire.lose_next_answer();
        let (sender, mut outcomes) = mpsc::unbounded_channel();
        let Workers { ns, wire, watched } = workers;
        let executor = Executor::start(
            Parts {
                cluster: Arc::new(watched.cluster),
                gate: Arc::new(|| Permit::Act),
                webhooks: Webhooks::none(),
                clock: clock::system(),
                at_once: 1,
            },
            sender,
        );
        executor.submit(command("p1", &up)).expect("it is not full");
        let outcome = tokio::time::timeout(WITHIN, outcomes.recv())
            .await
            .expect("an outcome in time")
            .expect("the executor lives");
        executor.shutdown().await;
        assert_eq!(outcome.result, StepResult::AlreadyDone);
        assert_eq!(wire.done(), 1);
        let worker: Deployment = ns.api().get("worker").await.expect("it is there");
        assert_eq!(worker.spec.and_then(|spec| spec.replicas), Some(5));
    });
}

#[test]
fn a_stateful_set_is_scaled_alike() {
    run(async {
        let bed = Bed::get().await;
        let ns = bed.namespace("scale-set").await;
        let mut set = manifests::deployment("worker", "v1", 1);
        set["kind"] = json!("StatefulSet");
        let spec = set["spec"].as_object_mut().expect("a spec");
        spec.remove("strategy");
        spec.remove("progressDeadlineSeconds");
        spec.insert("serviceName".to_owned(), json!("worker"));
        ns.apply(&set).await;
        let workers = Workers::in_namespace(bed, ns).await;
        let up = workers
            .decided(ScaleKind::StatefulSet, ScaleTo::Factor(250))
            .await;
        let up = change(up);
        assert_eq!((up.from, up.to), (1, 3));
        assert_eq!(workers.execute("p1", &up).await, StepResult::Done);
        let set: StatefulSet = workers.ns.api().get("worker").await.expect("it is there");
        assert_eq!(set.spec.and_then(|spec| spec.replicas), Some(3));
    });
}
