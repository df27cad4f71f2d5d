//! Hazard 12: the watchdog itself fails. A bad reload changes nothing, and of two that take themselves for the acting one
//! only one acts.

use std::time::Duration;

use crate::case::{figure, run};
use crate::replicas::leader::{settled, taken_over};
use crate::replicas::{Fleet, WITHIN, is_step};

#[test]
fn hazard_12_the_watchdog_itself_fails() {
    run(async {
        let fleet = Fleet::start("hazard-12", 1, &["checkout"]).await;
        let observer = fleet.observe("checkout").await;
        let _traffic = fleet.traffic("checkout").await;
        let leader = fleet.holder("recant").await;
        // Somebody breaks the rules: the last good ones hold, and it is told.
        leader.change_rules("kind: Watch\nmetadata: [");
        leader.hang_up();
        leader.wait_slack("rules.yaml", WITHIN).await;
        fleet.ns.set_image("checkout", "v2").await;
        fleet.wait_records("a step", 1, is_step).await;
        // It hangs in the middle of the rollback, another takes over, and it goes on as if nothing had been.
        leader.signal("STOP");
        let took = taken_over(&fleet, leader.name()).await;
        figure(&format!(
            "taken over {took:?} after SIGSTOP, with a Lease of 6 s"
        ));
        leader.signal("CONT");
        let status = leader.wait_end(Duration::from_secs(20)).await;
        assert_eq!(status.code(), Some(1), "{}", leader.log());
        settled(&fleet).await;
        observer.assert_one_rollback();
    });
}
