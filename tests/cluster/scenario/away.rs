//! A release that came while nobody looked is judged from when it came, by what was scraped meanwhile.

use std::time::Duration;

use jiff::Timestamp;
use recant_core::ids::TargetKind;
use recant_core::record::Record;

use super::{WITHIN, rules, target, timed};
use crate::agent::{Agent, Options};
use crate::bed::Bed;
use crate::case::run;

#[test]
fn what_was_missed_is_read_and_judged_at_the_times_when_it_happened() {
    run(async {
        let bed = Bed::get().await;
        let ns = bed.namespace("away").await;
        ns.deployment("checkout", "v1", 2).await;
        let prometheus = ns.prometheus().await;
        let traffic = ns.traffic("checkout", 40.0);
        let checkout = target(&ns, TargetKind::Deployment, "checkout");
        let rules = rules([(&checkout, "prometheus")], "release: {watch: 10m}");
        let options = Options {
            prometheus: Some(prometheus.url()),
            ..Options::default()
        };
        let agent = Agent::start(&[&ns], &rules, options).await;
        traffic.next(200, WITHIN).await;
        agent.terminate(Duration::from_secs(10)).await;

        ns.set_image("checkout", "v2").await;
        ns.wait_complete("checkout", "v2").await;
        traffic.next(600, WITHIN).await;
        let back = Timestamp::now();
        agent.launch();
        let patched = ns.wait_template("checkout", "v1", WITHIN).await;
        timed("Deployment, agent away", back, patched, super::PROMISE);
        let journal = agent.journal();
        let began = journal
            .iter()
            .find(|entry| matches!(entry.record, Record::AnalysisBegan { .. }))
            .expect("an analysis");
        assert!(began.at < back, "{began:?}");
        let judged = journal.iter().find_map(|entry| match &entry.record {
            Record::Failed { findings, .. } => Some(findings.clone()),
            _ => None,
        });
        // Nothing of what was served meanwhile is missing, and little was needed from now.
        let events = judged.expect("a verdict")[0].canary.events;
        assert!((500.0..800.0).contains(&events), "{events}");
        ns.wait_complete("checkout", "v1").await;
    });
}
