//! Blue-green Rollouts with the real controller: an abort drops the preview and leaves the active Service alone; what was
//! promoted is undone and promoted in full.

use jiff::Timestamp;
use recant::cluster::Cluster as _;
use recant_core::analysis::{Analysis, WayBack};
use recant_core::ids::{RevisionHash, TargetKind, WatchName};
use recant_core::judge::Phase;
use recant_core::plan::{Step, StepResult};
use recant_core::rule::StuckPods;
use recant_core::saga::{Advance, Plan, PlanState, rollback};
use recant_core::target::TargetState;
use serde_json::{Value, json};

use super::{Watched, agent, hash_of, target};
use crate::bed::Bed;
use crate::case::run;
use crate::manifests;
use crate::namespace::Namespace;

/// A Rollout of `v1` whose previews wait for a person, and stay after an abort.
async fn start(name: &str) -> (Namespace, Watched) {
    let bed = Bed::get().await;
    let ns = bed.namespace(name).await;
    bed.rollouts().await;
    for service in ["active", "preview"] {
        ns.apply(&json!({
            "apiVersion": "v1", "kind": "Service", "metadata": {"name": service},
            "spec": {"selector": {"app": "checkout"}, "ports": [{"port": 80, "targetPort": 8080}]},
        }))
        .await;
    }
    let mut rollout = manifests::rollout("checkout", "v1", 1, &json!([]));
    rollout["spec"]["strategy"] = json!({"blueGreen": {
        "activeService": "active", "previewService": "preview", "autoPromotionEnabled": false,
        "abortScaleDownDelaySeconds": 0, "scaleDownDelaySeconds": 2,
    }});
    ns.apply(&rollout).await;
    ns.wait_phase("checkout", "Healthy").await;
    let watched = Watched::start(agent(bed, &ns).await, target(&ns, TargetKind::Rollout));
    (ns, watched)
}

/// The preview of `v3` is ready, and nothing goes on by itself.
async fn in_flight(ns: &Namespace, watched: &mut Watched) -> TargetState {
    ns.set_rollout_image("checkout", "v3").await;
    watched
        .until("the preview to be ready", |state| {
            let newest = hash_of(state, "v3");
            let paused = state
                .rollout
                .as_ref()
                .is_some_and(|rollout| rollout.phase == "Paused");
            let mut pods = state.pods.iter();
            paused
                && newest.is_some()
                && state.current == newest
                && pods.any(|pod| pod.ready && Some(&pod.hash) == newest.as_ref())
        })
        .await
}

fn plan(judged: &TargetState, to: &RevisionHash) -> Plan {
    let analysis = Analysis {
        id: "a1".into(),
        watch: WatchName {
            namespace: judged.id.namespace.clone(),
            name: "checkout".to_owned(),
        },
        target: judged.id.clone(),
        uid: judged.uid.clone(),
        canary: judged.current.clone().expect("a current revision"),
        baseline: Some(to.clone()),
        phase: Phase::Alone,
        began: Timestamp::UNIX_EPOCH,
        first_traffic: None,
        promoted: None,
        failed: None,
        stepped: false,
        in_full: None,
    };
    let way_back = WayBack {
        revision: to.clone(),
        known_good: true,
    };
    rollback(&analysis, judged, &way_back, StuckPods::Tell)
}

/// Carries the whole plan out, and returns its steps.
async fn carry_out(watched: &mut Watched, plan: Plan) -> Vec<Step> {
    let mut state = PlanState::new(plan, Timestamp::now());
    let steps = state.plan.steps.clone();
    while state.step().is_some() {
        let now = Timestamp::now();
        let seen = watched.look().and_then(Clone::clone);
        match state.advance(now, seen.as_ref(), true) {
            Advance::Execute(command) => {
                let result = watched.execute_settled(&command).await;
                let done = matches!(result, StepResult::Done | StepResult::AlreadyDone);
                assert!(done, "{command:?}: {result:?}");
                state.next += 1;
                state.step_began = now;
            }
            Advance::Awaited => {
                state.next += 1;
                state.step_began = now;
            }
            Advance::Wait => {
                let waited = tokio::time::timeout(super::WITHIN, watched.cluster.changed()).await;
                assert!(waited.is_ok(), "{:?}: {:#?}", state.step(), watched.latest);
            }
            Advance::End(end) => panic!("{end:?}"),
        }
    }
    steps
}

async fn selected(ns: &Namespace, service: &str) -> Value {
    let path = "jsonpath={.spec.selector.rollouts-pod-template-hash}";
    let hash = ns.kubectl(&["get", "service", service, "-o", path]).await;
    json!(hash)
}

#[test]
fn an_abort_in_flight_leaves_the_active_service_alone() {
    run(async {
        let (ns, mut watched) = start("blue-green").await;
        let before = watched.until_complete("v1").await;
        let good = before.current.clone().expect("v1");
        let active = before
            .rollout
            .as_ref()
            .and_then(|rollout| rollout.active.clone());
        assert_eq!(active, Some(good.clone()));
        let judged = in_flight(&ns, &mut watched).await;
        assert_eq!(selected(&ns, "active").await, json!(good));
        assert_eq!(selected(&ns, "preview").await, json!(judged.current));
        let steps = carry_out(&mut watched, plan(&judged, &good)).await;
        assert_eq!(steps, [Step::AbortRollout, Step::AwaitRestored]);
        assert_eq!(selected(&ns, "active").await, json!(good));
        // `abortScaleDownDelaySeconds: 0` keeps the preview's pods, to which no traffic is sent any more.
        ns.wait_phase("checkout", "Degraded").await;
    });
}

#[test]
fn what_was_promoted_is_undone_and_promoted_in_full() {
    run(async {
        let (ns, mut watched) = start("blue-green").await;
        let good = watched.until_complete("v1").await.current.expect("v1");
        let flying = in_flight(&ns, &mut watched).await;
        // A person promotes it: the active Service moves, and the old pods go a little later.
        ns.kubectl(&[
            "patch",
            "rollout",
            "checkout",
            "--subresource=status",
            "--type=merge",
            "-p",
            r#"{"status":{"pauseConditions":null}}"#,
        ])
        .await;
        let judged = watched
            .until("v3 to be promoted and v1 to be scaled down", |state| {
                let rollout = state.rollout.as_ref();
                let mut pods = state.pods.iter();
                rollout.is_some_and(|rollout| rollout.stable == flying.current)
                    && !pods.any(|pod| pod.hash == good && !pod.terminating)
            })
            .await;
        assert_eq!(selected(&ns, "active").await, json!(flying.current));
        let steps = carry_out(&mut watched, plan(&judged, &good)).await;
        assert_eq!(
            steps,
            [
                Step::UndoRollout { to: good.clone() },
                Step::AwaitCurrent { hash: good.clone() },
                Step::PromoteFull { of: good.clone() },
                Step::AwaitRestored,
            ]
        );
        assert_eq!(selected(&ns, "active").await, json!(good));
        ns.wait_phase("checkout", "Healthy").await;
    });
}
