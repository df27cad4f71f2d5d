//! Evidence on the real API server: kept once in an object of its own, before all pods go.

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::ConfigMap;
use recant::cluster::Cluster as _;
use recant_core::evidence::KeepEvidence;
use recant_core::ids::TargetKind;
use recant_core::plan::{Action, StepCommand, StepResult};
use recant_core::rule::{Scale, ScaleKind, ScaleTarget, ScaleTo};
use recant_core::scaling::{Decided, decide, undo};

use super::{Watched, agent, target};
use crate::bed::Bed;
use crate::case::run;
use crate::manifests;

fn command(index: usize, action: Action) -> StepCommand {
    StepCommand {
        plan: "p0".into(),
        index,
        action,
        deadline: jiff::Timestamp::now() + std::time::Duration::from_mins(1),
        again: false,
    }
}

#[test]
fn evidence_is_kept_once_and_then_all_pods_go_and_come_back() {
    run(async {
        let bed = Bed::get().await;
        let ns = bed.namespace("evidence").await;
        ns.deployment("checkout", "v1", 2).await;
        ns.apply(&manifests::autoscaler("checkout", 2, 4)).await;
        let watched = Watched::start(agent(bed, &ns).await, target(&ns, TargetKind::Deployment));
        let of = ScaleTarget {
            namespace: ns.name().to_owned(),
            kind: ScaleKind::Deployment,
            name: "checkout".to_owned(),
        };
        let scale = Scale {
            target: of.clone(),
            to: ScaleTo::Zero,
            ceiling: None,
            undo_after: None,
        };
        let state = watched.cluster.scale_state(&of).await.expect("an answer");
        let Decided::Change { change, .. } = decide(&scale, state.as_ref()) else {
            panic!("two pods can go");
        };
        assert_eq!((change.from, change.to), (2, 0));
        let keep = KeepEvidence::new(of.clone(), change.uid.clone(), "p0", 100);
        let first = command(0, Action::Evidence(Box::new(keep.clone())));
        let kept = watched.execute(&first).await;
        let StepResult::Kept { place, sha256 } = &kept else {
            panic!("{kept:?}");
        };
        assert_eq!(
            (place.as_str(), sha256.len()),
            (keep.into.to_string().as_str(), 64)
        );
        assert_eq!(
            watched.execute(&first).await,
            kept,
            "once, as after a crash"
        );
        let found: ConfigMap = ns.api().get(&keep.into.name).await.expect("it is there");
        assert_eq!(found.immutable, Some(true));
        let data = found.data.expect("data");
        let pods: Vec<serde_json::Value> =
            serde_json::from_str(&data["pods.json"]).expect("states are JSON");
        assert_eq!(pods.len(), 2);
        assert!(
            pods.iter().all(|pod| pod["phase"] == "Running"),
            "{pods:#?}"
        );
        // These pods run nothing whose log could be read: that is said in its place, for each container.
        assert_eq!(
            data.keys()
                .filter(|key| key.strip_suffix(".log").is_some())
                .count(),
            2
        );

        let down = command(1, Action::Scale(change.clone()));
        assert_eq!(watched.execute_settled(&down).await, StepResult::Done);
        let replicas = async || {
            let found: Deployment = ns.api().get("checkout").await.expect("it is there");
            found.spec.and_then(|spec| spec.replicas)
        };
        assert_eq!(replicas().await, Some(0));
        let state = watched.cluster.scale_state(&of).await.expect("an answer");
        let Decided::Change { change: back, .. } = undo(&change, state.as_ref()) else {
            panic!("it is as it was set");
        };
        let up = StepCommand {
            plan: "p0-undo".into(),
            ..command(0, Action::Scale(back))
        };
        assert_eq!(watched.execute_settled(&up).await, StepResult::Done);
        assert_eq!(replicas().await, Some(2));
    });
}
