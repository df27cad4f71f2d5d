//! What a user is promised, shown with the real agent on real parts: a bad release is out within seconds, people have
//! read why, and nothing else was touched.

mod away;
mod bad_release;
mod clumped;
mod deployment;
mod good_release;
mod memory;
mod rollout;
mod same_totals;
mod sequence;
mod untouched;

use std::io::Write as _;
use std::time::Duration;

use jiff::Timestamp;
use recant_core::ids::{TargetId, TargetKind};

use crate::namespace::Namespace;

/// Nothing that is waited for in a scenario takes longer, on a busy machine.
const WITHIN: Duration = Duration::from_mins(1);

/// Answers before a bad release: what a comparison is made with. A service that has run for a day has more.
const BEFORE: u64 = 300;

/// From the first bad answer to the patched spec, at 20 requests a second of which each arm has half, samples every
/// second, and hardly any history. Alone on the machine it is a third of that; it is never alone here.
const PROMISE: Duration = Duration::from_secs(20);

/// The same of errors that begin in the middle of a watch, in a service that never had any: ten bad answers in one second
/// could be one clump, and the judge waits until they are more than that (judge.md 6). With samples every 15 s, or with
/// an hour of history that has errors in it, a few samples are enough (`judge-quality`).
const PROMISE_OF_LATE_ERRORS: Duration = Duration::from_secs(45);

/// A workload of a namespace.
fn target(ns: &Namespace, kind: TargetKind, name: &str) -> TargetId {
    TargetId {
        namespace: ns.name().to_owned(),
        kind,
        name: name.to_owned(),
    }
}

/// What the watches judge by: the shipped set `http` with a latency rule that forgives what a machine full of tests does
/// to the slowest requests of a good version.
const RULES: &str = r#"
apiVersion: recant.dev/v1alpha1
kind: RuleSet
metadata: {name: shop}
rules:
- name: error-rate
  ratio: {bad: 'http_requests_total{status=~"5.."}', total: http_requests_total}
  max: 5%
  compare: {}
- name: latency-p95
  histogram: http_request_duration_seconds
  quantile: 95%
  max: 1s
  compare: {margin: 100%, plus: 5%}
  skip: 0s
"#;

/// The rules, and a watch of each target that takes a bad release back and tells the agent's Slack. `more` are further
/// fields of a watch, one a line.
fn rules<'a>(watches: impl IntoIterator<Item = (&'a TargetId, &'a str)>, more: &str) -> String {
    let watches = watches.into_iter();
    let watches = watches.map(|(target, source)| watch(target, source, more));
    RULES.to_owned() + &watches.collect::<String>()
}

fn watch(target: &TargetId, source: &str, more: &str) -> String {
    let TargetId {
        namespace,
        kind,
        name,
    } = target;
    format!(
        r"
---
apiVersion: recant.dev/v1alpha1
kind: Watch
metadata: {{name: {name}, namespace: {namespace}}}
target: {{kind: {kind}, name: {name}}}
source: {source}
rules: [shop]
onFail: [{{rollback: {{}}}}, {{notify: [team]}}]
{more}
"
    )
}

/// What the first judge took, which knew thresholds and standard errors and no rate of false alarms: seconds, by
/// Prometheus and by scraping, alone on the machine.
const THRESHOLDS_TOOK: [(&str, f64, f64); 8] = [
    ("Deployment errors-first", 1.9, 1.3),
    ("Deployment latency-first", 2.7, 1.7),
    ("Deployment errors-late", 5.1, 3.7),
    ("Deployment latency-late", 2.9, 1.7),
    ("Rollout errors-flight", 3.4, 3.3),
    ("Rollout latency-flight", 3.5, 2.2),
    ("Rollout errors-promoted", 2.5, 2.5),
    ("Rollout latency-promoted", 2.3, 1.4),
];

/// Prints how long it took beside the first judge, past the harness, which hides what passing tests print; fails when it took too long.
fn timed(scenario: &str, first_bad: Timestamp, patched: Timestamp, promise: Duration) {
    let took = patched.duration_since(first_bad);
    let before = THRESHOLDS_TOOK
        .iter()
        .find_map(|(name, prometheus, scrape)| {
            let source = scenario.strip_prefix(name)?;
            Some(if source == "-scrape" {
                scrape
            } else {
                prometheus
            })
        })
        .map_or_else(String::new, |before| format!("; by thresholds {before} s"));
    let line = format!(
        "TIMING {scenario}: {:.1} s from the first bad answer to the patched spec{before}\n",
        took.as_secs_f64()
    );
    std::io::stderr()
        .write_all(line.as_bytes())
        .expect("a line can be printed");
    assert!(
        took.unsigned_abs() < promise,
        "{line}the promise is {promise:?}"
    );
}
