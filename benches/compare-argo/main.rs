//! The same analyses by Argo Rollouts' controller and by Recant, one after the other on this machine: what a measurement
//! costs in processor time, queries to Prometheus and writes to the API server, and how much memory the process takes.
//!
//! Everything is real: etcd, the API server, Prometheus, the controller and the release build of `recant run`, started as
//! `tests/cluster` starts them. `cargo bench --bench compare-argo -- --runs 300 --seconds 60` prints the table.
#![allow(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a bench tells what it measured"
)]

mod agent_side;
mod argo;
mod counted;
mod program;
mod table;
mod workloads;

/// The real parts, as the tests on a cluster start them.
#[path = "../../tests/cluster"]
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

use std::time::Duration;

use parts::{
    agent, bed, case, cluster_metrics, local_server, manifests, namespace, prometheus, receiver,
    services, traffic, wait,
};

use counted::Meter;
use program::number;

/// Metrics of each analysis.
const METRICS: usize = 4;
/// Between two measurements of a metric.
const INTERVAL: Duration = Duration::from_secs(10);
/// Nothing that is waited for takes longer with hundreds of workloads on a small machine.
const WITHIN: Duration = Duration::from_mins(4);
/// All of it.
const DEADLINE: Duration = Duration::from_mins(20);

fn main() {
    let runs = number("--runs", 300);
    let seconds = number("--seconds", 60);
    let window = Duration::from_secs(seconds as u64);
    case::seated(1, "compare-argo", DEADLINE, compare(runs, window));
}

async fn compare(runs: usize, window: Duration) {
    let bed = bed::Bed::get().await;
    let ns = bed.namespace("compare").await;
    let ns = &ns;
    workloads::ship(ns, runs, "v1").await;
    let _traffic = workloads::traffic(ns, runs);
    let prometheus = ns.prometheus().await;
    prometheus.wait_scraping_within(runs, WITHIN).await;
    let meter = Meter::new(bed, prometheus.url());
    let idle = meter.idle(window / 2).await;
    println!("{runs} workloads serve; measuring Recant for {window:?}");
    let ours = agent_side::measure(ns, &meter, &prometheus, runs, window).await;
    println!("measuring the controller of Argo Rollouts for {window:?}");
    let theirs = argo::measure(ns, &meter, &prometheus, runs, window).await;
    table::print(runs, window, &theirs, &ours.spent, &idle);
    for line in ours.starts {
        println!("{line}");
    }
}
