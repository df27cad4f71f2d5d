//! The acting Lease on the real API server: one holder at a time, and none that acts on after its time.

use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::coordination::v1::Lease as LeaseObject;
use recant::cluster::kubernetes::lease::{Lease, LeaseSettings, LeaseState};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::wire::Wire;
use super::{AGENT, WITHIN, client_of, manifest};
use crate::bed::Bed;
use crate::case::run;
use crate::namespace::Namespace;
use crate::wait::wait_for;

const DURATION: Duration = Duration::from_secs(3);

async fn role(ns: &Namespace) {
    for file in ["agent-role.yaml", "agent-role-binding.yaml"] {
        let path = manifest(file);
        ns.kubectl(&["apply", "-f", path.to_str().expect("a path in UTF-8")])
            .await;
    }
}

fn start(client: kube::Client, ns: &Namespace, identity: &str) -> (Lease, CancellationToken) {
    let stop = CancellationToken::new();
    let settings = LeaseSettings {
        namespace: ns.name().to_owned(),
        name: "recant".to_owned(),
        identity: identity.to_owned(),
        duration: DURATION,
    };
    (Lease::start(client, settings, &stop), stop)
}

async fn held(lease: &Lease) {
    wait_for("the Lease to be held", WITHIN, || async {
        if lease.holds() {
            Ok(())
        } else {
            Err(format!("{:?}", *lease.state().borrow()))
        }
    })
    .await;
}

async fn waits_with(lease: &Lease, says: &str) {
    wait_for("the candidate to say why it waits", WITHIN, || async {
        match &*lease.state().borrow() {
            LeaseState::Waiting { reason } if reason.contains(says) => Ok(()),
            other => Err(format!("{other:?}")),
        }
    })
    .await;
}

#[test]
fn it_is_passed_on_when_given_back() {
    run(async {
        let bed = Bed::get().await;
        let ns = bed.namespace("lease").await;
        role(&ns).await;
        let (first, stop_first) = start(client_of(bed, AGENT).await, &ns, "first");
        held(&first).await;
        let (second, stop_second) = start(client_of(bed, AGENT).await, &ns, "second");
        waits_with(&second, "`first` holds it").await;
        // Renewed over more than its whole duration, a third of it at a time.
        let version = || async {
            let lease: LeaseObject = ns.api().get("recant").await.expect("it is there");
            lease.metadata.resource_version
        };
        let mut versions = vec![version().await];
        let begun = Instant::now();
        while begun.elapsed() < DURATION + DURATION / 3 {
            assert!(first.holds() && !second.holds());
            let now = version().await;
            if versions.last() != Some(&now) {
                versions.push(now);
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        assert!(
            (4..=6).contains(&versions.len()),
            "no write per measurement: {versions:?}"
        );

        let given_back = Instant::now();
        stop_first.cancel();
        first.released().await;
        held(&second).await;
        assert!(
            given_back.elapsed() < DURATION,
            "{:?}",
            given_back.elapsed()
        );
        let lease: LeaseObject = ns.api().get("recant").await.expect("it is there");
        let spec = lease.spec.expect("a spec");
        assert_eq!(spec.holder_identity.as_deref(), Some("second"));
        stop_second.cancel();
        second.released().await;
        let lease: LeaseObject = ns.api().get("recant").await.expect("it is there");
        assert_eq!(
            lease
                .spec
                .and_then(|spec| spec.holder_identity)
                .unwrap_or_default(),
            ""
        );
    });
}

#[test]
fn a_holder_that_is_cut_off_stops_before_another_begins() {
    run(async {
        let bed = Bed::get().await;
        let ns = bed.namespace("cut").await;
        role(&ns).await;
        let wire = Arc::new(Wire::default());
        let (first, _stop_first) = start(wire.client(client_of(bed, AGENT).await), &ns, "first");
        held(&first).await;
        let (second, _stop_second) = start(client_of(bed, AGENT).await, &ns, "second");
        waits_with(&second, "`first` holds it").await;
        wire.set_down(true);
        let cut = Instant::now();
        let stopped = wait_for("the first to stop", WITHIN, || async {
            assert!(!(first.holds() && second.holds()), "two hold it");
            if first.holds() {
                Err("it holds".to_owned())
            } else {
                Ok(Instant::now())
            }
        })
        .await;
        assert!(stopped - cut <= DURATION, "{:?}", stopped - cut);
        waits_with(&first, "the wire is down").await;
        held(&second).await;
        assert!(stopped < Instant::now() && !first.holds());
        // Back on the wire it finds the other.
        wire.set_down(false);
        waits_with(&first, "`second` holds it").await;
    });
}

#[test]
fn a_container_that_starts_again_in_its_pod_goes_on_at_once() {
    run(async {
        let bed = Bed::get().await;
        let ns = bed.namespace("crash").await;
        role(&ns).await;
        let wire = Arc::new(Wire::default());
        let (crashed, _) = start(wire.client(client_of(bed, AGENT).await), &ns, "recant-0_1");
        held(&crashed).await;
        wire.set_down(true);
        let (again, _stop) = start(client_of(bed, AGENT).await, &ns, "recant-0_1");
        let begun = Instant::now();
        held(&again).await;
        assert!(begun.elapsed() < DURATION, "{:?}", begun.elapsed());
    });
}

#[test]
fn a_lease_without_rights_says_what_is_missing() {
    run(async {
        let bed = Bed::get().await;
        let ns = bed.namespace("denied").await;
        let (lease, _stop) = start(
            client_of(bed, "system:serviceaccount:recant:nobody").await,
            &ns,
            "x",
        );
        waits_with(&lease, "not allowed to get leases.coordination.k8s.io").await;
        assert!(!lease.holds());
    });
}
