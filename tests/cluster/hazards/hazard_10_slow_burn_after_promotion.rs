//! A dormant defect: a release passes its watch and turns bad later. The rules between releases find it, say which revision
//! is in force, and only propose to take it back.

use recant_core::ids::RevisionHash;
use recant_core::notice::NoticeKind;
use recant_core::record::Record;

use super::{WITHIN, image, target};
use crate::agent::{Agent, Options};
use crate::bed::Bed;
use crate::case::run;
use crate::manifests;
use crate::services::Behaviour;

#[test]
fn hazard_10_a_late_fault_is_told_with_the_revision_in_force_and_only_proposed() {
    run(async {
        let bed = Bed::get().await;
        let ns = bed.namespace("hazard-10").await;
        ns.deployment("checkout", "v1", 2).await;
        let rules = format!(
            "---\napiVersion: recant.dev/v1alpha1\nkind: Watch\nmetadata: {{name: checkout, namespace: {}}}\n\
             target: {{kind: Deployment, name: checkout}}\nrules: [http/error-rate]\n\
             release: {{watch: 4s, whenUnclear: pass}}\nonFail: [{{rollback: {{}}}}, {{notify: [team]}}]\n\
             onPass: [{{notify: [team]}}]\n\
             always: [{{rule: http/error-rate, window: 30s, onFail: [{{notify: [team]}}]}}]\n",
            ns.name()
        );
        let agent = Agent::start(&[&ns], &rules, Options::default()).await;
        let traffic = ns.traffic("checkout", 100.0);
        traffic.next(80, WITHIN).await;
        ns.set_image("checkout", "v3").await;
        agent.wait_notice(NoticeKind::Passed, None, WITHIN).await;
        let revision: RevisionHash = agent.ledger().targets[&target(&ns)].current.clone();
        ns.behave("v3", Behaviour::FAILING);
        let told = agent
            .wait_notice(NoticeKind::IncidentBegan, None, WITHIN)
            .await;
        let text = told.sentences.concat();
        assert!(
            text.contains(&format!("Revision {revision} is in force")),
            "{text}"
        );
        assert!(text.contains("recant rollback"), "{text}");
        agent.wait_slack("is in force", WITHIN).await;
        let journal = agent.journal();
        let acted = |record: &Record| matches!(record, Record::PlanBegan { .. });
        assert!(!journal.iter().any(|entry| acted(&entry.record)));
        assert_eq!(image(&ns).await, manifests::image("checkout", "v3"));
        drop(traffic);
    });
}
