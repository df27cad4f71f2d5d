//! The replica that acts is lost in the middle of a rollback: another goes on from the journal in Kubernetes.

use std::time::{Duration, Instant};

use super::{Fleet, WITHIN, is_plan, is_step, is_verified};
use crate::case::{figure, run};
use crate::wait::wait_for;

/// Until another holds the Lease.
pub(crate) async fn taken_over(fleet: &Fleet, from: &str) -> Duration {
    let begun = Instant::now();
    wait_for("another replica to take over", WITHIN, || async {
        let holder = fleet.holder("recant").await.name();
        if holder == from {
            Err("it holds it still".to_owned())
        } else {
            Ok(())
        }
    })
    .await;
    begun.elapsed()
}

pub(crate) async fn settled(fleet: &Fleet) {
    fleet.wait_records("the verification", 1, is_verified).await;
    fleet.ns.wait_serving("checkout", "v1").await;
    assert_eq!(fleet.count(is_plan).await, 1);
}

#[test]
fn a_leader_that_is_killed_in_mid_rollback_is_replaced_and_there_is_one_rollback() {
    run(async {
        let fleet = Fleet::start("three", 1, &["checkout"]).await;
        let observer = fleet.observe("checkout").await;
        let _traffic = fleet.traffic("checkout").await;
        fleet.ns.set_image("checkout", "v2").await;
        fleet.wait_records("a step", 1, is_step).await;
        let leader = fleet.holder("recant").await;
        leader.kill();
        let took = taken_over(&fleet, leader.name()).await;
        figure(&format!(
            "taken over {took:?} after kill -9, with a Lease of 6 s"
        ));
        settled(&fleet).await;
        observer.assert_one_rollback();
    });
}
