//! What people order changed besides a rollback, on the real API server: replicas and a Service's colour, with the exact patch
//! before, the guards in between, and who it was afterwards.

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Service;
use recant_core::ids::TargetKind;
use recant_core::notice::NoticeKind;
use recant_core::operation::OperationEvent;
use recant_core::record::Record;
use serde_json::{Value, json};

use super::{Scene, WITHIN};
use crate::case::run;
use crate::namespace::Namespace;
use crate::stepping::traffic_role;
use crate::wait::wait_for;

async fn replicas(ns: &Namespace, name: &str) -> i32 {
    let found: Deployment = ns.api().get(name).await.expect("it is there");
    found
        .spec
        .and_then(|spec| spec.replicas)
        .expect("it has some")
}

async fn colour(ns: &Namespace) -> String {
    let service: Service = ns.api().get("checkout").await.expect("it is there");
    let selector = service.spec.and_then(|spec| spec.selector);
    selector.expect("it has one")["app"].clone()
}

async fn become_replicas(ns: &Namespace, name: &str, wanted: i32) {
    wait_for("the replicas", WITHIN, || async {
        match replicas(ns, name).await {
            found if found == wanted => Ok(()),
            found => Err(format!("{found}")),
        }
    })
    .await;
}

#[test]
fn people_scale_and_switch_by_the_same_guards_and_the_journal_knows_who() {
    run(async {
        let targets = [
            (TargetKind::Deployment, "green"),
            (TargetKind::Deployment, "blue"),
        ];
        let scene = Scene::begin("changes", &targets).await;
        let ns = &scene.ns;
        traffic_role(ns).await;
        ns.apply(&json!({
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "checkout"},
            "spec": {"selector": {"app": "green"}, "ports": [{"port": 80, "targetPort": 8080}]},
        }))
        .await;

        // The exact patch, against the real object, and nothing is written.
        let scale = [
            "scale",
            "Deployment/green",
            "--replicas=4",
            "--for=2s",
            "--reason=sale",
        ];
        let dry = scene
            .done(&[&scale[..], &["--dry-run", "--json"]].concat())
            .await;
        let dry: Value = serde_json::from_str(&dry).expect("JSON");
        assert_eq!(
            dry["write"]["object"],
            format!("Deployment {}/green", ns.name())
        );
        let patch = &dry["write"]["patch"];
        assert_eq!(patch["spec"], json!({"replicas": 4}));
        assert!(patch["metadata"]["resourceVersion"].is_string(), "{patch}");
        assert_eq!(replicas(ns, "green").await, 2);

        // A freeze holds people too, and the team is told of it.
        scene
            .done(&["freeze", "--scope", ns.name(), "--for=1h"])
            .await;
        scene.agent.wait_slack("is frozen by", WITHIN).await;
        let ran = scene.recant(&scale).await;
        assert_eq!(ran.code, 1, "{}", ran.out);
        assert!(ran.out.contains("--override freeze"), "{}", ran.out);
        scene.done(&["unfreeze", "--scope", ns.name()]).await;
        scene.agent.wait_slack("is frozen no more", WITHIN).await;
        assert_eq!(replicas(ns, "green").await, 2);

        // Once, and back after its time. A retry does nothing twice.
        let scale = [&scale[..], &["--key=one"]].concat();
        let said = scene.done(&scale).await;
        assert!(said.contains("from 2 to 4 replicas"), "{said}");
        assert_eq!(scene.done(&scale).await, said);
        become_replicas(ns, "green", 4).await;
        become_replicas(ns, "green", 2).await;

        // To a colour that is there and ready.
        let switch = [
            "switch",
            "Service/checkout",
            "--to=app=blue",
            "--workload=Deployment/blue",
        ];
        let dry = scene.done(&[&switch[..], &["--dry-run"]].concat()).await;
        assert!(dry.contains("/spec/selector/app"), "{dry}");
        assert_eq!(colour(ns).await, "green");
        scene.done(&switch).await;
        wait_for("the Service to select blue", WITHIN, || async {
            match colour(ns).await.as_str() {
                "blue" => Ok(()),
                other => Err(other.to_owned()),
            }
        })
        .await;
        let nowhere = [
            "switch",
            "Service/checkout",
            "--to=app=red",
            "--workload=Deployment/red",
        ];
        let ran = scene.recant(&nowhere).await;
        assert_eq!(ran.code, 1, "{}", ran.out);
        assert!(ran.out.contains("no Watch has"), "{}", ran.out);

        // Who it was, and why.
        let told = scene
            .agent
            .wait_notice(NoticeKind::OperationBegan, None, WITHIN)
            .await;
        assert!(
            told.sentences
                .concat()
                .contains("`ops` (\"sale\") asked for it"),
            "{told:?}"
        );
        let journal = scene.agent.journal();
        let begun = journal.iter().filter(|entry| {
            matches!(
                &entry.record,
                Record::Operation(OperationEvent::Began { .. })
            )
        });
        assert_eq!(begun.count(), 3, "scaled, taken back, switched");
        let ordered: Vec<String> = journal
            .iter()
            .filter_map(|entry| match &entry.record {
                Record::Commanded { command } => Some(format!("{}: {}", command.by, command.order)),
                _ => None,
            })
            .collect();
        let wanted = format!(
            "`ops`: scale Deployment {}/green to 4 replicas for 2 s",
            ns.name()
        );
        assert!(ordered.contains(&wanted), "{ordered:?}");
    });
}
