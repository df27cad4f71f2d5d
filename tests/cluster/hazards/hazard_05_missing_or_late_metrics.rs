//! Metrics that are missing: a release that nobody can measure is neither good nor bad, whatever it does. The release
//! ends without a verdict, and people are told why.

use recant_core::analysis::Ending;
use recant_core::notice::NoticeKind;
use recant_core::record::Record;

use super::{WITHIN, image};
use crate::agent::{Agent, Options};
use crate::bed::Bed;
use crate::case::run;
use crate::manifests;

#[test]
fn hazard_05_what_cannot_be_measured_is_neither_taken_back_nor_called_good() {
    run(async {
        let bed = Bed::get().await;
        let ns = bed.namespace("hazard-05").await;
        ns.deployment("checkout", "v1", 2).await;
        // The rule is misspelt: no pod exposes such a counter.
        let rules = format!(
            "---\napiVersion: recant.dev/v1alpha1\nkind: RuleSet\nmetadata: {{name: misspelt}}\nrules:\n\
             - name: errors\n  ratio: {{bad: 'http_request_total{{status=~\"5..\"}}', total: http_request_total}}\n  max: 5%\n\
             ---\napiVersion: recant.dev/v1alpha1\nkind: Watch\nmetadata: {{name: checkout, namespace: {}}}\n\
             target: {{kind: Deployment, name: checkout}}\nrules: [misspelt]\nrelease: {{watch: 6s}}\n\
             onFail: [{{rollback: {{}}}}, {{notify: [team]}}]\nonPass: [{{notify: [team]}}]\n",
            ns.name()
        );
        let agent = Agent::start(&[&ns], &rules, Options::default()).await;
        let traffic = ns.traffic("checkout", 40.0);
        traffic.next(80, WITHIN).await;
        // It errs, and nobody sees it.
        ns.set_image("checkout", "v2").await;
        let ending = agent
            .wait_record("the end", WITHIN, |entry| match &entry.record {
                Record::AnalysisEnded { ending, .. } => Some(ending.clone()),
                _ => None,
            })
            .await;
        assert!(matches!(ending, Ending::Inconclusive { .. }), "{ending:?}");
        let told = agent
            .wait_notice(NoticeKind::Inconclusive, None, WITHIN)
            .await;
        let text = told.sentences.concat();
        assert!(text.contains("exposes such a metric"), "{text}");
        let acted =
            |record: &Record| matches!(record, Record::Failed { .. } | Record::PlanBegan { .. });
        assert!(!agent.journal().iter().any(|entry| acted(&entry.record)));
        assert_eq!(image(&ns).await, manifests::image("checkout", "v2"));
        drop(traffic);
    });
}
