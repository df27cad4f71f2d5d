//! The same rule over either source gives the same counts, live: what the services themselves say they did.

use recant_core::analysis::Ending;
use recant_core::ids::{TargetId, TargetKind};
use recant_core::record::Record;

use super::{WITHIN, target};
use crate::agent::{Agent, Options};
use crate::bed::Bed;
use crate::case::run;
use crate::namespace::Namespace;
use crate::services::Behaviour;

/// Requests of the canary; those of them that were errors; those that took more than 50 ms.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Totals {
    requests: u64,
    errors: u64,
    slow: u64,
}

#[test]
fn both_sources_count_what_the_services_did() {
    run(async {
        let bed = Bed::get().await;
        let (ns, elsewhere) = (bed.namespace("totals").await, bed.namespace("second").await);
        let some_errors = Behaviour {
            errors: 0.04,
            ..Behaviour::GOOD
        };
        ns.behave("v3", some_errors);
        ns.deployment("checkout", "v1", 2).await;
        let target = target(&ns, TargetKind::Deployment, "checkout");
        let prometheus = ns.prometheus().await;
        prometheus.wait_scraping(2).await;
        let queries = Options {
            prometheus: Some(prometheus.url()),
            ..Options::default()
        };
        let rules = rules(&target);
        let namespaces = [&ns];
        // The second agent has its Lease elsewhere.
        let others = [&elsewhere, &ns];
        let (by_prometheus, by_scrape) = tokio::join!(
            Agent::start(&namespaces, &rules, queries),
            Agent::start(&others, &rules, Options::default()),
        );
        let traffic = ns.traffic("checkout", 30.0);
        traffic.next(60, WITHIN).await;
        ns.set_image("checkout", "v3").await;
        ns.wait_complete("checkout", "v3").await;
        traffic.next(250, WITHIN).await;
        let sent = traffic.stop().await;
        assert!(sent.errors > 0, "{sent:?}");

        let truth = truth(&ns, "v3").await;
        assert!(truth.requests >= 250 && truth.errors > 0, "{truth:?}");
        assert!(truth.slow > 0 && truth.slow < truth.requests, "{truth:?}");
        for (source, agent) in [("prometheus", by_prometheus), ("scrape", by_scrape)] {
            let totals = totals(&agent, &target).await;
            assert_eq!(totals, truth, "by {source}");
        }
    });
}

fn rules(target: &TargetId) -> String {
    let TargetId {
        namespace,
        kind,
        name,
    } = target;
    format!(
        r#"
apiVersion: recant.dev/v1alpha1
kind: RuleSet
metadata: {{name: shop}}
rules:
- name: errors
  ratio: {{bad: 'http_requests_total{{status=~"5.."}}', total: http_requests_total}}
  max: 30%
- name: slow
  histogram: http_request_duration_seconds
  quantile: 50%
  max: 50ms
  skip: 0s
---
apiVersion: recant.dev/v1alpha1
kind: Watch
metadata: {{name: {name}, namespace: {namespace}}}
target: {{kind: {kind}, name: {name}}}
rules: [shop]
release: {{watch: 20s}}
onFail: [{{notify: [team]}}]
"#
    )
}

/// What the agent had counted when the watch was over.
async fn totals(agent: &Agent, target: &TargetId) -> Totals {
    let ending = agent
        .wait_record("the analysis to end", WITHIN, |entry| match &entry.record {
            Record::AnalysisEnded { ending, .. } => Some(ending.clone()),
            _ => None,
        })
        .await;
    assert_eq!(ending, Ending::Pass);
    let journal = agent.journal();
    let evidence = journal
        .iter()
        .rev()
        .find_map(|entry| match &entry.record {
            Record::Checkpoint {
                target: of,
                evidence,
                ..
            } if of == target => Some(evidence),
            _ => None,
        })
        .expect("a checkpoint is written at the end");
    let (errors, slow) = (
        &evidence[&"shop/errors".into()],
        &evidence[&"shop/slow".into()],
    );
    assert_eq!(whole(errors.events()), whole(slow.events()));
    Totals {
        requests: whole(errors.events()),
        errors: whole(errors.bad()),
        slow: whole(slow.bad()),
    }
}

/// What the services of a version did: by their own ledgers, and by their histograms.
async fn truth(ns: &Namespace, tag: &str) -> Totals {
    let bed = Bed::get().await;
    let mut totals = Totals::default();
    for service in ns.services().iter().filter(|service| service.tag == tag) {
        let ledger = service.ledger();
        totals.requests += ledger.requests();
        totals.errors += ledger.errors();
        let url = format!("http://{}/metrics", service.address);
        let answer = bed.http().get(url).send().await.expect("it answers");
        let text = answer.text().await.expect("text");
        let quick = r#"le="0.05"}"#;
        let quick: u64 = text
            .lines()
            .filter(|line| line.contains(quick))
            .filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok())
            .sum();
        totals.slow += ledger.requests() - quick;
    }
    totals
}

/// A cast would hide a fraction, and counts of requests have none.
fn whole(value: f64) -> u64 {
    let text = value.to_string();
    text.parse()
        .unwrap_or_else(|_| panic!("a count of requests is whole, not {text}"))
}
