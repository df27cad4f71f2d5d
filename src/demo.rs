//! `recant demo`: real services, real traffic, a real bad release, judged and taken back by the real engine. Only the
//! cluster is in memory. Every number shown was measured.

mod pods;
mod screen;
mod service;
mod show;
mod traffic;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, anyhow};
use arc_swap::ArcSwap;
use jiff::{SignedDuration, Timestamp};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use recant_core::engine::{Engine, EngineSettings};
use recant_core::guard::GuardSettings;
use recant_core::ids::TargetId;
use recant_core::ledger::Ledger;
use recant_core::rule::{RuleBook, SourceKind};
use recant_core::spec::{self, SourceFile};

use crate::actuate::{self, Executor, Gate, Permit};
use crate::cluster::memory::MemoryCluster;
use crate::journal::memory::MemoryJournal;
use crate::notify::metrics::NotifyMetrics;
use crate::notify::outbox::{Outbox, Patience};
use crate::source::Source;
use crate::source::scrape::{Scrape, ScrapeOptions};
use crate::{agent, clock};

pub use show::{Outcome, Summary};

use pods::{BAD, Pods};
use show::{Event, Show};
use traffic::Traffic;

/// What is wrong with the release of the demo.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Fault {
    /// 30 % of the requests are answered with status 500.
    Errors,
    /// Everything takes four times as long.
    Latency,
    /// Nothing: the release is good, and has to be left alone.
    None,
}

/// How the demo runs.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    pub fault: Fault,
    pub seed: u64,
    /// Show events as JSON lines.
    pub json: bool,
}

/// Requests per second.
const RATE: f64 = 40.0;
const REPLICAS: usize = 3;
/// Good traffic before the release is shipped.
const WARM_UP: Duration = Duration::from_secs(5);
/// The demo ends by itself.
const LONGEST: Duration = Duration::from_secs(50);
const RULES: &str = include_str!("demo/rules.yaml");

/// Runs the demo to its end.
pub async fn run(options: Options) -> anyhow::Result<Summary> {
    crate::tls::install();
    let book = rule_book()?;
    let target = book
        .watches
        .first()
        .context("the demo's rules hold a watch")?
        .target
        .clone();
    let stop = CancellationToken::new();
    let guard = stop.clone().drop_guard();

    let pods = Arc::new(Pods::new(options.fault, options.seed));
    let cluster = Arc::new(MemoryCluster::new(
        target.clone(),
        "checkout:v1",
        REPLICAS,
        pods,
        Duration::from_millis(700),
    ));
    let addresses = Arc::new(ArcSwap::from_pointee(Vec::new()));
    let roller = tokio::spawn(roll(cluster.clone(), addresses.clone(), stop.clone()));
    let traffic = Traffic::start(addresses, RATE, BAD, stop.clone())?;

    let (events_in, mut events) = mpsc::unbounded_channel();
    let parts = wire(&book, cluster.clone(), events_in)?;
    let agent = tokio::spawn(agent::run(parts, stop.clone()));

    let seen = cluster.clone();
    let serving = Box::new(move || seen.serving().iter().map(|image| version(image)).collect());
    let mut show = Show::new(options, traffic, target, serving);
    let ended = tokio::time::timeout(LONGEST, async {
        show.begin();
        follow(
            &mut show,
            &mut events,
            tokio::time::Instant::now() + WARM_UP,
        )
        .await;
        show.shipped(&cluster.ship("checkout:v2"));
        while let Some(event) = events.recv().await {
            if show.take(event) {
                break;
            }
        }
    });
    let outcome = tokio::select! {
        ended = ended => match ended {
            Ok(()) => show.outcome(),
            Err(_) => Outcome::Undecided,
        },
        signal = tokio::signal::ctrl_c() => {
            signal.context("waiting for Ctrl-C")?;
            Outcome::Undecided
        }
    };
    // Now: what is cut off when everything stops is nobody's bad answer.
    let summary = show.end(outcome);
    drop(guard);
    agent
        .await
        .map_err(|error| anyhow!("the agent of the demo ended badly: {error}"))?
        .context("the agent of the demo lost its journal")?;
    roller
        .await
        .map_err(|error| anyhow!("the cluster of the demo ended badly: {error}"))?;
    Ok(summary)
}

/// `v1` of `checkout:v1`.
fn version(image: &str) -> String {
    image.rsplit(':').next().unwrap_or(image).to_owned()
}

async fn follow(
    show: &mut Show,
    events: &mut mpsc::UnboundedReceiver<Event>,
    until: tokio::time::Instant,
) {
    while let Ok(Some(event)) = tokio::time::timeout_at(until, events.recv()).await {
        if show.take(event) {
            return;
        }
    }
}

async fn roll(
    cluster: Arc<MemoryCluster>,
    addresses: Arc<ArcSwap<Vec<std::net::SocketAddr>>>,
    stop: CancellationToken,
) {
    let publish = async {
        loop {
            addresses.store(Arc::new(cluster.ready()));
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::select! {
        () = cluster.run(stop.clone()) => {}
        () = publish => {}
    }
}

fn rule_book() -> anyhow::Result<RuleBook> {
    let file = SourceFile {
        name: "demo".to_owned(),
        text: RULES.to_owned(),
    };
    let loaded = spec::load(&[file], &[]);
    loaded.book.with_context(|| {
        let found: Vec<String> = loaded.diagnostics.iter().map(ToString::to_string).collect();
        format!("the rules of the demo have errors: {}", found.join("\n"))
    })
}

fn wire(
    book: &RuleBook,
    cluster: Arc<MemoryCluster>,
    events: mpsc::UnboundedSender<Event>,
) -> anyhow::Result<agent::Parts> {
    let clock = clock::system();
    let settings = EngineSettings {
        guards: GuardSettings::only(SignedDuration::from_mins(10), 6),
        source: SourceKind::Scrape,
        interval: SignedDuration::from_secs(1),
        on_request: 0,
        ends_unwatched: true,
    };
    let scrape: Arc<dyn Source> = Arc::new(Scrape::new(ScrapeOptions::default(), clock.clone())?);
    let (outcomes_in, outcomes) = mpsc::unbounded_channel();
    let gate: Arc<dyn Gate> = Arc::new(|| Permit::Act);
    let executor = Executor::start(
        actuate::Parts {
            cluster: cluster.clone(),
            gate: gate.clone(),
            webhooks: actuate::Webhooks::none(),
            clock: clock.clone(),
            at_once: 1,
        },
        outcomes_in,
    );
    let (outbox, deliveries) = Outbox::start(
        BTreeMap::new(),
        &Patience::default(),
        NotifyMetrics::default(),
    );
    Ok(agent::Parts {
        engine: Engine::new(book, settings, Ledger::default()),
        journal: Box::new(MemoryJournal::default()),
        sources: BTreeMap::from([(SourceKind::Scrape, scrape)]),
        endpoints: BTreeMap::<TargetId, _>::new(),
        cluster,
        executor,
        gate,
        outcomes,
        outbox,
        deliveries,
        // The rules of the demo are part of the program.
        updates: mpsc::channel(1).1,
        // Nobody reports to it.
        reports: mpsc::channel(1).1,
        orders: mpsc::channel(1).1,
        links: None,
        silences: mpsc::channel(1).1,
        acting: None,
        observer: Box::new(show::Watching { events }),
        clock,
        interval: Duration::from_secs(1),
    })
}

/// Seconds between two moments, as measured.
fn seconds(from: Timestamp, to: Timestamp) -> f64 {
    to.duration_since(from).as_secs_f64()
}
