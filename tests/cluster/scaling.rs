//! Rules between releases with the real agent: a service breaks without any release, workers are scaled once, whoever
//! crashes when, and people are told.

use std::time::Duration;

use k8s_openapi::api::apps::v1::Deployment;
use recant_core::ids::{TargetId, TargetKind};
use recant_core::notice::NoticeKind;
use recant_core::record::Record;

use crate::agent::{Agent, Options};
use crate::bed::Bed;
use crate::case::run;
use crate::rules::{always, error_rate};
use crate::services::Behaviour;
use crate::wait::wait_for;

const WITHIN: Duration = Duration::from_mins(1);

#[test]
fn a_service_that_breaks_without_a_release_has_its_workers_scaled_once_across_a_crash() {
    run(async {
        let bed = Bed::get().await;
        let ns = bed.namespace("always").await;
        ns.deployment("worker", "v1", 1).await;
        ns.deployment("checkout", "v1", 2).await;
        let scale = "{scale: {target: Deployment/worker, replicas: 4, undo: 1h}}";
        let rules = error_rate("5%", "") + &always(&ns, "checkout", scale);
        let agent = Agent::start(&[&ns], &rules, Options::default()).await;
        let traffic = ns.traffic("checkout", 20.0);
        traffic.next(60, WITHIN).await;
        ns.behave("v1", Behaviour::FAILING);
        let replicas = async || {
            let worker: Deployment = ns.api().get("worker").await.expect("it is there");
            let generation = worker.metadata.generation;
            (worker.spec.and_then(|spec| spec.replicas), generation)
        };
        wait_for("four workers to be wanted", WITHIN, || async {
            match replicas().await {
                (Some(4), _) => Ok(()),
                other => Err(format!("{other:?}")),
            }
        })
        .await;
        // Mostly before the journal knows that it was done; whenever it is, it must not be done again.
        agent.kill();
        agent.start_again().await;
        agent
            .wait_record("the end of the scaling", WITHIN, |entry| {
                match &entry.record {
                    Record::ScalingEnded { end, .. } => Some(end.clone()),
                    _ => None,
                }
            })
            .await;
        agent.wait_slack("Scaled Deployment", WITHIN).await;
        assert_eq!(
            replicas().await,
            (Some(4), Some(2)),
            "made, and changed once"
        );
        let count = |wanted: fn(&Record) -> bool| {
            let journal = agent.journal();
            journal.iter().filter(|entry| wanted(&entry.record)).count()
        };
        assert_eq!(
            count(|record| matches!(record, Record::IncidentBegan { .. })),
            1
        );
        assert_eq!(
            count(|record| matches!(record, Record::ScalingBegan { .. })),
            1
        );
        assert_eq!(
            count(|record| matches!(record, Record::PlanBegan { .. })),
            0
        );
        let kinds: Vec<NoticeKind> = agent.notices().iter().map(|notice| notice.kind).collect();
        assert_eq!(kinds, [NoticeKind::IncidentBegan, NoticeKind::Scaled]);
        let target = TargetId {
            namespace: ns.name().to_owned(),
            kind: TargetKind::Deployment,
            name: "checkout".to_owned(),
        };
        let known = agent.ledger();
        let scaled = &known.always[&target].scaled;
        assert_eq!(scaled.len(), 1, "it is to be undone in an hour");
        let snapshot = agent.snapshot().await;
        let always = &snapshot["targets"][0]["always"][0];
        assert_eq!(always["incident"]["scaling"]["to"], 4, "{always:#}");
        let metrics = agent.get("/metrics").await.expect("metrics");
        assert!(
            metrics
                .lines()
                .any(|line| line.starts_with("recant_incidents 1")),
            "{metrics}"
        );
    });
}
