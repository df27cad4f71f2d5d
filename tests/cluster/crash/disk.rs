//! A full disk: nothing is done without its record, it is said loudly, and work goes on when there is space.

use std::time::Duration;

use recant_core::ids::TargetKind;
use recant_core::record::Record;

use super::{Incident, WITHIN};
use crate::agent::Options;
use crate::case::run;
use crate::wait::wait_for;

/// So many requests that it was time for a rollback.
const LONG: u64 = 160;

/// The bad version serves, the disk is full, and that is said in all places.
async fn full(name: &str) -> Incident {
    let incident = Incident::begin(name, TargetKind::Deployment, Options::default()).await;
    let agent = &incident.agent;
    let length = || {
        incident
            .journal_file()
            .metadata()
            .expect("it is there")
            .len()
    };
    agent.limit_files(Some(length())).await;
    let before = length();
    incident.ship().await;
    incident.ns.wait_complete("checkout", "v2").await;
    incident.traffic.next(LONG, WITHIN).await;
    agent.wait_unready("writing the journal", WITHIN).await;
    let metrics = agent.get("/metrics").await.expect("it answers");
    let failures = metrics
        .lines()
        .find_map(|line| line.strip_prefix("recant_journal_write_failures_total "));
    let failures: f64 = failures
        .and_then(|text| text.parse().ok())
        .unwrap_or_else(|| panic!("{metrics}"));
    assert!(failures > 1.0, "it tries again: {failures}");
    agent
        .get("/healthz")
        .await
        .expect("a restart would not help");
    let log = agent.log();
    let loud: Vec<&str> = log
        .lines()
        .filter(|line| line.contains("the journal cannot be written"))
        .collect();
    assert!(
        matches!(loud.as_slice(), [line] if line.contains("ERROR")),
        "once, and as an error: {loud:#?}"
    );
    assert_eq!(
        length(),
        before,
        "what did not fit as a whole was taken away"
    );
    let decided = agent.journal().iter().any(|entry| {
        matches!(
            entry.record,
            Record::Failed { .. } | Record::PlanBegan { .. }
        )
    });
    assert!(!decided);
    assert_eq!(
        incident.plan_on_object().await,
        None,
        "no step without its record"
    );
    assert!(
        incident
            .ns
            .ready("checkout")
            .iter()
            .all(|service| service.tag == "v2")
    );
    assert!(agent.slack().received().is_empty(), "nor a message");
    incident
}

#[test]
fn a_full_disk_holds_the_rollback_until_there_is_space() {
    run(async {
        let incident = full("full").await;
        incident.agent.limit_files(None).await;
        incident.settled().await;
        incident.assert_whole().await;
    });
}

#[test]
fn a_start_on_a_full_disk_waits_for_space() {
    run(async {
        let incident = full("full-start").await;
        let agent = &incident.agent;
        let status = agent.terminate(Duration::from_secs(10)).await;
        assert_eq!(status.code(), Some(0), "{}", agent.log());
        agent.launch_piped();
        agent
            .limit_files(Some(
                incident
                    .journal_file()
                    .metadata()
                    .expect("it is there")
                    .len(),
            ))
            .await;
        agent.wait_unready("writing the journal", WITHIN).await;
        agent
            .get("/healthz")
            .await
            .expect("a restart would not help");
        wait_for("the log to say it", WITHIN, || async {
            let log = agent.log();
            if log.contains("nothing is done until the journal can be opened") {
                Ok(())
            } else {
                Err(log)
            }
        })
        .await;
        agent.limit_files(None).await;
        agent.wait_ready().await;
        incident.settled().await;
        incident.assert_whole().await;
    });
}

#[test]
fn a_disk_that_fills_up_in_mid_rollback_holds_the_rest_of_it() {
    run(async {
        let incident =
            Incident::begin("full-midway", TargetKind::Rollout, Options::default()).await;
        let agent = &incident.agent;
        incident.ship().await;
        let is_step = |record: &Record| matches!(record, Record::StepBegun(_));
        agent.catch_record("a step", WITHIN, is_step).await;
        let length = incident
            .journal_file()
            .metadata()
            .expect("it is there")
            .len();
        agent.limit_files(Some(length)).await;
        agent.wait_unready("writing the journal", WITHIN).await;
        agent.limit_files(None).await;
        incident.settled().await;
        incident.assert_whole().await;
    });
}
