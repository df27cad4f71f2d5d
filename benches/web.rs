//! Argo's `web` provider with a thousand analyses live: requests a second, and how late the answers are.
//!
//! The API port of the agent over real connections on loopback; beside it an engine ticks every second and shows a new
//! picture, as in the agent. Questions come at a fixed rate, whether or not the answers before have come, and the time
//! of each counts from when it was due; then as many as there can be. The clients are in the same process, so all of it
//! is more than the port alone takes.
#![allow(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a bench tells what it measured"
)]

#[path = "fleet.rs"]
mod fleet;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use fleet::{Doing, Fleet};
use recant::http::Ops;
use recant::http::api::kayenta::Kayenta;
use recant::http::api::{self, Access, Api};
use recant::http::health::{Health, Readiness};
use recant::http::metrics::Metrics;
use recant::http::reports::queue;
use recant::http::serve::Server;
use recant::http::snapshot::SnapshotCell;
use tokio::task::JoinSet;

/// Requests a second.
const RATE: u32 = 500;
/// That ask as fast as they are answered.
const CLIENTS: usize = 8;

fn main() {
    let measuring = std::env::args().any(|argument| argument == "--bench");
    let (analyses, seconds) = if measuring { (1_000, 20) } else { (20, 1) };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(measure(analyses, seconds));
}

async fn measure(analyses: usize, seconds: u32) {
    recant::tls::install();
    let metrics = Metrics::default();
    let ops = Ops {
        health: Arc::new(Health::new(Duration::from_mins(1))),
        readiness: Arc::new(Readiness::default()),
        registry: Arc::new(metrics.registry()),
        snapshot: Arc::new(SnapshotCell::default()),
        finder: Arc::default(),
        view: Arc::default(),
    };
    let (reports, _queue) = queue();
    let kayenta = Kayenta::new(None, None).expect("there is no folder to read");
    let router = Api::new(&ops, reports, None, kayenta).router(&Access::default(), &metrics.api);
    let loopback = SocketAddr::from(([127, 0, 0, 1], 0));
    let server = Server::start(loopback, router, api::limits())
        .await
        .expect("loopback has a free port");
    let stop = Arc::new(AtomicBool::new(false));
    let engine = tick(analyses, ops, stop.clone()).await;
    let http = reqwest::Client::builder()
        .no_proxy()
        .timeout(Duration::from_secs(10))
        .build()
        .expect("a client");
    let ask = Ask {
        base: format!("http://{}/argo/v1/analysis", server.address()),
        analyses,
        http,
    };

    let total = RATE * seconds;
    let begun = Instant::now();
    let mut asked = JoinSet::new();
    let mut due = tokio::time::interval(Duration::from_secs(1) / RATE);
    for number in 0..total {
        let at = due.tick().await;
        let ask = ask.clone();
        asked.spawn(async move {
            ask.once(number as usize).await;
            at.elapsed()
        });
    }
    let took = asked.join_all().await;
    let rate = f64::from(total) / begun.elapsed().as_secs_f64();
    tell(&format!("at {rate:.0} requests/s"), analyses, took);

    let begun = Instant::now();
    let mut clients = JoinSet::new();
    for client in 0..CLIENTS {
        let (ask, share) = (ask.clone(), total as usize / CLIENTS);
        clients.spawn(async move {
            let mut took = Vec::with_capacity(share);
            for number in 0..share {
                let asked = Instant::now();
                ask.once(client + number * CLIENTS).await;
                took.push(asked.elapsed());
            }
            took
        });
    }
    let took = clients.join_all().await.concat();
    let rate = took.len() as f64 / begun.elapsed().as_secs_f64();
    tell(
        &format!("as fast as {CLIENTS} clients ask, {rate:.0} requests/s"),
        analyses,
        took,
    );
    stop.store(true, Ordering::Relaxed);
    engine.await.expect("the engine ticks on");
}

fn tell(what: &str, analyses: usize, mut took: Vec<Duration>) {
    took.sort_unstable();
    let at = |share: usize| took[(took.len() - 1) * share / 1000];
    println!(
        "WEB {analyses} analyses live, {what}: p50 {:.2?}, p99 {:.2?}, p99.9 {:.2?}, of {} answers",
        at(500),
        at(990),
        at(999),
        took.len()
    );
}

/// An engine with every target's release under watch, that shows a picture every second.
async fn tick(analyses: usize, ops: Ops, stop: Arc<AtomicBool>) -> tokio::task::JoinHandle<()> {
    let (shown, first) = tokio::sync::oneshot::channel();
    let engine = tokio::task::spawn_blocking(move || {
        let mut fleet = Fleet::new(analyses, Doing::Releasing);
        let mut shown = Some(shown);
        while !stop.load(Ordering::Relaxed) {
            let inputs = fleet.answers();
            drop(fleet.tick(inputs));
            ops.view.store(Arc::new(fleet.engine.snapshot(fleet.now())));
            if let Some(shown) = shown.take() {
                shown.send(()).expect("somebody waits");
            }
            std::thread::sleep(Duration::from_secs(1));
        }
    });
    first.await.expect("the engine begins");
    engine
}

/// Asks about one target after the other.
#[derive(Clone)]
struct Ask {
    base: String,
    analyses: usize,
    http: reqwest::Client,
}

impl Ask {
    async fn once(&self, number: usize) {
        let url = format!(
            "{}?namespace=shop&kind=Deployment&name=w{:05}&hash=new",
            self.base,
            number % self.analyses
        );
        let answer = self.http.get(url).send().await.expect("the port answers");
        assert_eq!(answer.status().as_u16(), 200);
        let text = answer.text().await.expect("the whole answer");
        assert!(text.len() < 1024 && text.contains("\"phase\":"), "{text}");
    }
}
