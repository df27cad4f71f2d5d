//! A thundering herd on scaling up: whatever a rule asks for, its ceiling holds, and an incident scales once.

use recant_core::notice::NoticeKind;
use recant_core::record::Record;

use super::WITHIN;
use crate::agent::{Agent, Options};
use crate::bed::Bed;
use crate::case::run;
use crate::operations::{replicas, rules};
use crate::services::Behaviour;

#[test]
fn hazard_09_a_tenfold_is_cut_at_the_ceiling_and_asked_for_once() {
    run(async {
        let bed = Bed::get().await;
        let ns = &bed.namespace("hazard-09").await;
        ns.deployment("worker", "v1", 1).await;
        ns.deployment("checkout", "v1", 2).await;
        let scale = "{scale: {target: Deployment/worker, factor: 1000%, ceiling: 3}}";
        let agent = Agent::start(&[ns], &rules(ns, "", scale), Options::default()).await;
        let traffic = ns.traffic("checkout", 20.0);
        traffic.next(60, WITHIN).await;
        ns.behave("v1", Behaviour::FAILING);
        let told = agent.wait_notice(NoticeKind::Scaled, None, WITHIN).await;
        let text = told.sentences.join(" ");
        assert!(
            text.contains("the rule's ceiling is 3") || text.contains("The rule's ceiling is 3"),
            "{text}"
        );
        assert_eq!(replicas(ns, "worker").await, 3);
        // The rule goes on to be broken: that is no reason to go on scaling.
        traffic.next(100, WITHIN).await;
        assert_eq!(replicas(ns, "worker").await, 3);
        let journal = agent.journal();
        let begun = journal
            .iter()
            .filter(|entry| matches!(entry.record, Record::ScalingBegan { .. }));
        assert_eq!(begun.count(), 1);
    });
}
