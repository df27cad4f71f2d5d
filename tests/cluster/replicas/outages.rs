//! The ground itself gives way in the middle of a rollback: a control plane of its own is stopped and started again.

use std::time::Duration;

use super::{Fleet, WITHIN, is_plan, is_step, is_verified};
use crate::bed::Bed;
use crate::case::{figure, run};
use crate::wait::wait_for;

#[test]
fn etcd_stands_still_and_the_api_server_is_restarted_and_each_release_is_taken_back_once() {
    run(async {
        let bed = Bed::own().await;
        let ns = bed.namespace("outage").await;
        let fleet = Fleet::start_in(ns, 1, &["checkout", "cart"], Vec::new()).await;
        let observers = (fleet.observe("checkout").await, fleet.observe("cart").await);
        let _traffic = (fleet.traffic("checkout").await, fleet.traffic("cart").await);

        fleet.ns.set_image("checkout", "v2").await;
        fleet.wait_records("a step", 1, is_step).await;
        bed.control_plane().stop_etcd(Duration::from_secs(20)).await;
        // Nobody could renew: whoever held the Lease has ended, and is started again as its pod would be.
        let revived = fleet.revive();
        figure(&format!(
            "{revived} of 3 replicas ended while etcd stood still for 20 s"
        ));
        fleet
            .wait_records("the first verification", 1, is_verified)
            .await;
        fleet.ns.wait_serving("checkout", "v1").await;

        fleet.ns.set_image("cart", "v2").await;
        fleet.wait_records("another step", 2, is_step).await;
        bed.control_plane().restart_api_server().await;
        wait_for("the second verification", WITHIN, || async {
            fleet.revive();
            match fleet.count(is_verified).await {
                2 => Ok(()),
                number => Err(format!("{number} of 2")),
            }
        })
        .await;
        fleet.ns.wait_serving("cart", "v1").await;
        assert_eq!(fleet.count(is_plan).await, 2);
        observers.0.assert_one_rollback();
        observers.1.assert_one_rollback();
    });
}
