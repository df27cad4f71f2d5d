//! Two agents with one journal: the second waits, takes over, and the first never acts again.

use std::time::{Duration, Instant};

use recant_core::ids::TargetKind;
use recant_core::record::Record;
use serde_json::{Value, json};

use super::{Incident, WITHIN};
use crate::agent::{Agent, Options};
use crate::case::figure;
use crate::case::run;

/// The Lease of the harness, the sixth of it by which its last renewal may be seen late, and the start on a busy machine.
const TAKE_OVER: Duration = Duration::from_secs(6 + 1 + 4);

/// A second agent for the same work, with the same Lease and the same journal, as a new pod has on the same volume.
async fn second(incident: &Incident) -> Agent {
    let journal = ("journal", json!(incident.journal_file()));
    competitor(incident, vec![journal]).await
}

async fn competitor(incident: &Incident, settings: Vec<(&'static str, Value)>) -> Agent {
    let options = Options {
        name: "-second",
        settings,
        ..Options::default()
    };
    let rules = super::rules(&incident.ns, incident.kind);
    let agent = Agent::prepare(&[&incident.ns], &rules, options).await;
    agent.launch_piped();
    agent
}

#[test]
fn the_second_agent_waits_and_takes_over_from_one_that_was_killed() {
    run(async {
        let incident = Incident::begin("heir", TargetKind::Deployment, Options::default()).await;
        let heir = second(&incident).await;
        heir.wait_unready("holds it", WITHIN).await;
        heir.get("/healthz").await.expect("waiting is healthy");
        incident.ship().await;
        let is_step = |record: &Record| matches!(record, Record::StepBegun(_));
        incident.agent.catch_record("a step", WITHIN, is_step).await;
        incident.agent.kill();
        let killed = Instant::now();
        heir.wait_ready().await;
        let took = killed.elapsed();
        figure(&format!(
            "the second agent was ready {took:?} after the first was killed"
        ));
        assert!(took < TAKE_OVER, "{took:?}");
        incident.settled().await;
        incident.assert_whole_with(&[&heir]).await;
    });
}

#[test]
fn an_agent_that_was_stopped_writes_nothing_after_another_took_over() {
    run(async {
        let incident = Incident::begin("stopped", TargetKind::Rollout, Options::default()).await;
        let heir = second(&incident).await;
        heir.wait_unready("holds it", WITHIN).await;
        incident.ship().await;
        let first = &incident.agent;
        let is_step = |record: &Record| matches!(record, Record::StepBegun(_));
        first.catch_record("a step", WITHIN, is_step).await;
        first.signal("STOP");
        // It holds the Lease now, and says what it still lacks.
        heir.wait_unready("is in use by another agent", WITHIN)
            .await;
        heir.get("/healthz").await.expect("waiting is healthy");
        let before = incident.object().await["metadata"]["resourceVersion"].clone();
        let records = first.journal().len();
        first.signal("CONT");
        let status = first.wait_end(Duration::from_secs(15)).await;
        assert_eq!(status.code(), Some(1), "{}", first.log());
        let log = first.log();
        assert!(
            log.contains("was lost: no further step begins here"),
            "{log}"
        );
        let began = first
            .journal()
            .iter()
            .skip(records)
            .take_while(|entry| !matches!(entry.record, Record::Started { .. }))
            .filter(|entry| matches!(entry.record, Record::StepBegun(_)))
            .count();
        figure(&format!(
            "object at {before} when the first went on; it began {began} more steps in the journal"
        ));
        heir.wait_ready().await;
        incident.settled().await;
        incident.assert_whole_with(&[&heir]).await;
    });
}

#[test]
fn an_agent_that_was_stopped_decides_nothing_after_another_took_over() {
    run(async {
        let incident = Incident::begin("apart", TargetKind::Deployment, Options::default()).await;
        // With a journal of its own it knows nothing of this release, and takes what it finds for the way back.
        let heir = competitor(&incident, Vec::new()).await;
        heir.wait_unready("holds it", WITHIN).await;
        let first = &incident.agent;
        incident.ship().await;
        let is_traffic = |record: &Record| matches!(record, Record::FirstTraffic { .. });
        first.catch_record("traffic", WITHIN, is_traffic).await;
        first.signal("STOP");
        let before = first.journal().len();
        heir.wait_ready().await;
        // More than enough for a verdict at its very next look.
        incident.traffic.next(100, WITHIN).await;
        first.signal("CONT");
        let status = first.wait_end(Duration::from_secs(15)).await;
        assert_eq!(status.code(), Some(1), "{}", first.log());
        let decided: Vec<Record> = first
            .journal()
            .into_iter()
            .skip(before)
            .map(|entry| entry.record)
            .filter(|record| {
                matches!(
                    record,
                    Record::PlanBegan { .. } | Record::StepBegun(_) | Record::Noticed(_)
                )
            })
            .collect();
        assert!(
            decided.is_empty(),
            "decided without the Lease: {decided:#?}"
        );
        assert_eq!(incident.plan_on_object().await, None, "nothing was written");
        assert!(first.slack().received().is_empty(), "nor told");
    });
}
