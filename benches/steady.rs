//! What an agent with a thousand watches costs on a real API server while nothing happens, and how soon it writes when
//! releases turn out bad.
//!
//! Everything is real: etcd, the API server, Prometheus and the release build of `recant run`, started as `tests/cluster`
//! starts them. `cargo bench --workspace --bench steady -- --watches 1000 --seconds 120 --bad 50` prints it.
#![allow(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a bench tells what it measured"
)]

#[path = "compare-argo/counted.rs"]
mod counted;
#[path = "compare-argo/program.rs"]
mod program;
#[path = "compare-argo/workloads.rs"]
mod workloads;

/// The real parts, as the tests on a cluster start them.
#[path = "../tests/cluster"]
#[allow(
    dead_code,
    unused_imports,
    reason = "the tests use all of it, a bench what it needs"
)]
mod parts {
    pub(crate) mod agent;
    pub(crate) mod bed;
    pub(crate) mod case;
    pub(crate) mod cluster_metrics;
    pub(crate) mod local_server;
    pub(crate) mod manifests;
    pub(crate) mod namespace;
    pub(crate) mod prometheus;
    pub(crate) mod receiver;
    pub(crate) mod services;
    pub(crate) mod traffic;
    pub(crate) mod wait;
}

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use parts::{
    agent, bed, case, cluster_metrics, local_server, manifests, namespace, prometheus, receiver,
    services, traffic, wait,
};

use agent::{Agent, Options};
use counted::{Meter, Spent};
use namespace::Namespace;
use program::{number, observed};
use recant_core::record::Record;
use serde_json::json;
use services::Behaviour;
use tokio::time::{Instant, sleep};
use wait::wait_for;
use workloads::name;

/// Nothing that is waited for takes longer with a thousand workloads on a small machine.
const WITHIN: Duration = Duration::from_mins(8);
/// All of it.
const DEADLINE: Duration = Duration::from_mins(40);
/// Requests a second to each release that is bad.
const RATE: f64 = 10.0;

const RULES: &str = r#"
apiVersion: recant.dev/v1alpha1
kind: RuleSet
metadata: {name: steady}
rules:
- name: error-rate
  ratio: {bad: 'http_requests_total{status=~"5.."}', total: http_requests_total}
  max: 5%
- name: latency-p95
  histogram: http_request_duration_seconds
  quantile: 95%
  max: 1s
- name: memory
  gauge: process_resident_memory_bytes
  max: 1GiB
"#;

fn main() {
    let watches = number("--watches", 1000);
    let window = Duration::from_secs(number("--seconds", 120) as u64);
    let bad = number("--bad", 50).min(watches);
    case::seated(1, "steady", DEADLINE, steady(watches, window, bad));
}

async fn steady(watches: usize, window: Duration, bad: usize) {
    let bed = bed::Bed::get().await;
    let ns = &bed.namespace("steady").await;
    workloads::ship(ns, watches, "v1").await;
    let _traffic = workloads::traffic(ns, watches);
    let prometheus = ns.prometheus().await;
    prometheus.wait_scraping_within(watches, WITHIN).await;
    let meter = Meter::new(bed, prometheus.url());
    let idle = meter.idle(window / 2).await;
    let options = Options {
        name: "",
        prometheus: Some(prometheus.url()),
        settings: vec![
            // The defaults: what the harness sets is for impatient tests.
            ("interval", json!("1s")),
            ("lease.duration", json!("15s")),
            // All of them fail at once, and each is to be timed.
            ("guards.actionsPerHour", json!(100_000)),
            ("guards.atOnce", json!("100%")),
            ("guards.manyAtOnce.targets", json!(0)),
        ],
    };
    let agent = Agent::prepare(&[ns], &rules(ns, watches), options).await;
    let begun = Instant::now();
    let mut process = program::launch(ns, &agent);
    let ready = || async { agent.get("/readyz").await };
    wait_for("the agent to be ready", WITHIN, ready).await;
    println!(
        "{watches} watches, each with 3 rules by Prometheus: ready {:.1} s after exec",
        begun.elapsed().as_secs_f64()
    );
    sleep(window / 4).await;
    let measured = || async { observed(&agent, "reading").await };
    let quiet = meter.watch(process.id(), window, measured).await;
    tell(window, &quiet, &idle);
    take_back(ns, &agent, bad).await;
    process.signal("TERM");
    process.wait(WITHIN).await;
}

/// What nothing costs. `idle` is what the parts write a second without the agent.
fn tell(window: Duration, quiet: &Spent, idle: &BTreeMap<String, f64>) {
    let seconds = quiet.lasted.as_secs_f64();
    println!(
        "nothing happens for {} s: {:.1} ms of CPU a second, {:.0} MiB resident ({:.0} at most), {:.2} queries \
         and {:.1} measurements a second",
        window.as_secs(),
        quiet.cpu_seconds / seconds * 1000.0,
        quiet.resident_mib,
        quiet.peak_mib,
        quiet.queries / seconds,
        quiet.measurements / seconds,
    );
    println!("writes an hour, beside those of the parts among themselves:");
    for (resource, count) in &quiet.writes {
        let others = idle.get(resource).copied().unwrap_or_default();
        let an_hour = (count / seconds - others) * 3600.0;
        println!("  {resource}: {an_hour:.0}");
    }
}

/// Ships bad releases at once; from each verdict to the end of the write that takes it back, by the journal.
async fn take_back(ns: &Namespace, agent: &Agent, bad: usize) {
    ns.behave("bad", Behaviour::FAILING);
    workloads::remember(ns, "bad");
    let _traffic: Vec<_> = (0..bad)
        .map(|index| ns.traffic(&name(index), RATE))
        .collect();
    for index in 0..bad {
        ns.set_image(&name(index), "bad").await;
    }
    let took = || async {
        let mut failed = BTreeMap::new();
        let mut took = Vec::new();
        for entry in agent.journal() {
            match entry.record {
                Record::Failed { analysis, .. } => {
                    failed.insert(format!("{analysis}-rollback"), entry.at);
                }
                Record::StepEnded(outcome) if outcome.index == 0 => {
                    let at = failed.get(outcome.plan.as_str());
                    took.extend(at.map(|at| entry.at.duration_since(*at).as_millis()));
                }
                _ => {}
            }
        }
        took
    };
    let all = || async {
        match took().await.len() {
            number if number >= bad => Ok(()),
            number => Err(format!("{number} of {bad}")),
        }
    };
    wait_for("every bad release to be taken back", WITHIN, all).await;
    let mut took = took().await;
    took.sort_unstable();
    let at = |share: usize| took[(took.len() * share / 100).min(took.len() - 1)];
    println!(
        "{} bad releases at once, from verdict to patch: p50 {} ms, p99 {} ms",
        took.len(),
        at(50),
        at(99)
    );
}

fn rules(ns: &Namespace, watches: usize) -> String {
    let namespace = ns.name();
    let mut rules = RULES.to_owned();
    for index in 0..watches {
        let name = name(index);
        write!(
            rules,
            "---\napiVersion: recant.dev/v1alpha1\nkind: Watch\nmetadata: {{name: {name}, namespace: {namespace}}}\n\
             target: {{kind: Deployment, name: {name}}}\nrules: [steady]\nrelease: {{watch: 10m}}\n\
             onFail: [{{rollback: {{}}}}]\n"
        )
        .expect("a String takes everything");
    }
    rules
}
