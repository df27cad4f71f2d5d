//! Metrics that are missing: a release that nobody can measure is neither good nor bad, whatever it does. It is told once,
//! and the release ends without a verdict.

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
             target: {{kind: Deployment, name: checkout}}\nrules: [misspelt]\nrelease: {{watch: 50s}}\n\
             onFail: [{{rollback: {{}}}}, {{notify: [team]}}]\nonPass: [{{notify: [team]}}]\n",
            ns.name()
        );
        let agent = Agent::start(&[&ns], &rules, Options::default()).await;
        let traffic = ns.traffic("checkout", 40.0);
        traffic.next(80, WITHIN).await;
        // It errs, and nobody sees it.
        ns.set_image("checkout", "v2").await;
        agent
            .wait_notice(NoticeKind::RuleWithoutData, None, WITHIN)
            .await;
        let ending = agent
            .wait_record("the end", WITHIN, |entry| match &entry.record {
                Record::AnalysisEnded { ending, .. } => Some(ending.clone()),
                _ => None,
            })
            .await;
        assert!(matches!(ending, Ending::Inconclusive { .. }), "{ending:?}");
        let told = agent
            .notices()
            .into_iter()
            .filter(|notice| notice.kind == NoticeKind::RuleWithoutData);
        assert_eq!(told.count(), 1, "told once");
        assert_eq!(image(&ns).await, manifests::image("checkout", "v2"));
        drop(traffic);
    });
}
