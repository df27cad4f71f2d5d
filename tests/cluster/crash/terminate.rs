//! SIGTERM in the middle of a rollback, as a node that is drained sends it.

use std::time::{Duration, Instant};

use recant_core::ids::TargetKind;
use recant_core::record::Record;

use super::{Incident, WITHIN};
use crate::agent::Options;
use crate::case::figure;
use crate::case::run;

#[test]
fn the_step_in_hand_is_finished_and_the_next_start_goes_on() {
    run(async {
        let incident = Incident::begin("terminated", TargetKind::Rollout, Options::default()).await;
        let agent = &incident.agent;
        incident.ship().await;
        let is_step = |record: &Record| matches!(record, Record::StepBegun(_));
        agent.catch_record("a step", WITHIN, is_step).await;
        let begun = Instant::now();
        let status = agent.terminate(Duration::from_secs(10)).await;
        let took = begun.elapsed();
        assert_eq!(status.code(), Some(0), "after {took:?}");
        figure(&format!("it ended {took:?} after SIGTERM"));
        let journal = agent.journal();
        let steps =
            |is: fn(&Record) -> bool| journal.iter().filter(|entry| is(&entry.record)).count();
        let begun = steps(|record| matches!(record, Record::StepBegun(_)));
        let ended = steps(|record| matches!(record, Record::StepEnded(_)));
        assert_eq!((begun, ended), (1, 1), "the step in hand, and no other");
        assert!(
            incident.plan_on_object().await.is_some(),
            "it was carried out"
        );
        // Its Lease was given back: nobody has to wait for it.
        let begun = Instant::now();
        agent.launch_piped();
        agent.wait_ready().await;
        figure(&format!("ready again after {:?}", begun.elapsed()));
        incident.settled().await;
        incident.assert_whole().await;
        incident.assert_replayed().await;
    });
}
