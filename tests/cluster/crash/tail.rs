//! A journal that lost its end, and one that is not for this version.

use std::time::Duration;

use recant_core::ids::TargetKind;
use recant_core::record::Record;

use super::{Incident, WITHIN};
use crate::agent::{Agent, Options};
use crate::bed::Bed;
use crate::case::run;

/// Kills the agent when `is` is durable, cuts the file in the middle of that record, and starts again.
async fn cut_within(name: &str, is: fn(&Record) -> bool) -> Incident {
    let incident = Incident::begin(name, TargetKind::Deployment, Options::default()).await;
    incident.ship().await;
    let agent = &incident.agent;
    agent.catch_record(name, WITHIN, is).await;
    agent.kill();
    let (begin, length) = incident.place(is).expect("it was just there");
    incident.cut_at(begin + length / 2);
    let kept = agent.journal().len();
    agent.launch_piped();
    agent.wait_ready().await;
    let said = format!(
        "ended in the middle of a record: its last {} bytes were dropped; {kept} whole records are kept",
        length / 2
    );
    assert!(agent.log().contains(&said), "{said}\n{}", agent.log());
    incident
}

#[test]
fn a_step_whose_end_was_cut_off_is_not_carried_out_twice() {
    run(async {
        let incident = cut_within("cut-end", |record| matches!(record, Record::StepEnded(_))).await;
        incident.settled().await;
        incident.assert_whole().await;
        incident.assert_replayed().await;
    });
}

#[test]
fn a_plan_that_was_cut_off_is_finished_or_found_done() {
    run(async {
        let incident =
            cut_within("cut-step", |record| matches!(record, Record::StepBegun(_))).await;
        incident.settled().await;
        incident.assert_whole().await;
        incident.assert_replayed().await;
    });
}

#[test]
fn a_journal_of_a_newer_version_is_refused_and_left_alone() {
    run(async {
        let bed = Bed::get().await;
        let ns = bed.namespace("newer").await;
        ns.deployment("checkout", "v1", 1).await;
        let rules = super::rules(&ns, TargetKind::Deployment);
        let agent = Agent::prepare(&[&ns], &rules, Options::default()).await;
        let text = "recant-journal 9\nwhatever it is by then\n";
        std::fs::write(agent.journal_file(), text).expect("the bed's folder is writable");
        agent.launch_piped();
        let status = agent.wait_end(Duration::from_secs(30)).await;
        assert_eq!(status.code(), Some(2));
        let log = agent.log();
        assert!(log.contains("has format version 9, this Recant knows 2: run a newer Recant, or move the file away"), "{log}");
        let left = std::fs::read_to_string(agent.journal_file()).expect("it is there");
        assert_eq!(left, text);
    });
}
