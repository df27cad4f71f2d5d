//! Old pain: the service was broken before the release. The release is not blamed for it, and people are told why nothing
//! is done.

use recant_core::guard::Guard;
use recant_core::record::Record;

use super::{WITHIN, image, watched_at};
use crate::bed::Bed;
use crate::case::run;
use crate::manifests;
use crate::services::Behaviour;

#[test]
fn hazard_13_a_trouble_of_before_the_release_is_not_blamed_on_it() {
    run(async {
        let bed = Bed::get().await;
        let ns = bed.namespace("hazard-13").await;
        ns.deployment("checkout", "v1", 2).await;
        ns.behave("v1", Behaviour::FAILING);
        ns.behave("v3", Behaviour::FAILING);
        let (agent, traffic) = watched_at(&ns, 100.0).await;
        // What the service was like before is known.
        traffic.next(400, WITHIN).await;
        ns.set_image("checkout", "v3").await;
        let held = agent
            .wait_record("the hold", WITHIN, |entry| match &entry.record {
                Record::HoldBegan { hold, .. } if hold.guard == Guard::BaselineAlsoBad => {
                    Some(hold.reason.clone())
                }
                _ => None,
            })
            .await;
        assert!(held.contains("http/"), "{held}");
        traffic.next(600, WITHIN).await;
        let journal = agent.journal();
        let blamed =
            |record: &Record| matches!(record, Record::Failed { .. } | Record::PlanBegan { .. });
        assert!(!journal.iter().any(|entry| blamed(&entry.record)));
        assert_eq!(image(&ns).await, manifests::image("checkout", "v3"));
        drop(traffic);
    });
}
