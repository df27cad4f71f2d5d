//! One replica of the agent: process after process, each of them the real wiring with simulated seams.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use jiff::SignedDuration;
use recant::actuate::{self, Executor, Permit};
use recant::agent::{self, Gathered, Observer, Ticked};
use recant::clock::Clock;
use recant::http::{orders, reports};
use recant::journal::{Journal as _, JournalError};
use recant::notify::Notifier;
use recant::notify::metrics::NotifyMetrics;
use recant::notify::outbox::{Outbox, Patience};
use recant::source::Source;
use recant_core::engine::Engine;
use recant_core::ids::ChannelName;
use recant_core::ledger::Ledger;
use recant_core::record::Record;
use recant_core::rule::{RuleBook, SourceKind};
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;

use crate::cluster::SimCluster;
use crate::incarnation::Incarnation;
use crate::lease;
use crate::messages::SimNotifier;
use crate::oracle::Broken;
use crate::rules;
use crate::source::SimSource;
use crate::world::Sim;
use crate::writing::SimJournal;

/// What all processes of a schedule are started with.
#[derive(Debug)]
pub(crate) struct Start {
    pub(crate) sim: Arc<Sim>,
    pub(crate) book: RuleBook,
    pub(crate) journal: PathBuf,
}

/// Runs one replica for as long as it is polled.
pub(crate) async fn replica(start: Arc<Start>, index: usize) {
    let sim = &start.sim;
    loop {
        let process = {
            let mut world = sim.world();
            world.processes += 1;
            let process = Arc::new(Incarnation::new(index, world.processes));
            world.alive[index] = Some(Arc::clone(&process));
            process
        };
        let competing = lease::compete(Arc::clone(sim), Arc::clone(&process));
        let competing = AbortOnDropHandle::new(tokio::spawn(competing));
        let ended = Box::pin(process.run(live(&start, &process))).await;
        drop(competing);
        if ended.is_some() {
            lease::release(sim, &process);
            sim.note(&format!("{process} ends"));
        }
        process.die();
        let pause = {
            let mut world = sim.world();
            world.alive[index] = None;
            // A container that crashes is started again soon; its clock is right by then.
            world.skew[index] = 0;
            world.random.between(200, 2500)
        };
        tokio::time::sleep(Duration::from_millis(pause)).await;
    }
}

async fn live(start: &Start, process: &Arc<Incarnation>) {
    let term = loop {
        if let Some(term) = process.term() {
            break term;
        }
        if process.stop.is_cancelled() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(400)).await;
    };
    let Some((journal, ledger)) = open(start, process, term).await else {
        return;
    };
    let parts = assemble(start, process, term, journal, ledger);
    let agent = agent::run(parts, process.stop.clone());
    tokio::pin!(agent);
    tokio::select! {
        // The agent comes first: after a stop it goes on before it notices anything.
        biased;
        ended = &mut agent => {
            if let Err(error) = ended {
                start.sim.note(&format!("{process} ends: {error}"));
            }
        }
        () = lost(process, term) => {
            start.sim.note(&format!("{process} has lost the Lease"));
            process.stop.cancel();
            drop(agent.await);
        }
    }
}

async fn lost(process: &Incarnation, term: u64) {
    while process.term() == Some(term) {
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

/// Opens the journal, and waits while another process has it; `None`: the Lease was lost meanwhile.
async fn open(
    start: &Start,
    process: &Arc<Incarnation>,
    term: u64,
) -> Option<(SimJournal, Ledger)> {
    let sim = &start.sim;
    loop {
        if process.term() != Some(term) || process.stop.is_cancelled() {
            return None;
        }
        let error = match SimJournal::open(sim, process, &start.journal) {
            Ok((mut journal, ledger)) => {
                let started = Record::Started {
                    version: "simulated".to_owned(),
                };
                match journal.append(clock(sim, process)(), &[started]) {
                    Ok(()) => {
                        process
                            .shadow
                            .lock()
                            .unwrap_or_else(PoisonError::into_inner)
                            .clone_from(&ledger);
                        return Some((journal, ledger));
                    }
                    Err(error) => error,
                }
            }
            Err(error) => error,
        };
        match error {
            JournalError::Locked { .. } => take_away(start, process),
            JournalError::Write { .. } => {}
            JournalError::Read { .. }
            | JournalError::Missing { .. }
            | JournalError::NotAJournal { .. }
            | JournalError::Newer { .. }
            | JournalError::Tampered { .. }
            | JournalError::Unknown { .. }
            | JournalError::Disturbed { .. }
            | JournalError::Unfit { .. } => {
                let what = format!("the journal cannot be opened: {error}");
                sim.hold(Err(Broken {
                    promise: "P5",
                    what,
                }));
            }
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

/// A volume is taken from a machine that does not answer: what its processes write is written nowhere.
fn take_away(start: &Start, process: &Incarnation) {
    let stopped = {
        let world = start.sim.world();
        let mut alive = world.alive.iter().flatten();
        !world.scenario.locks && alive.any(|other| other.frozen())
    };
    if !stopped {
        return;
    }
    start.sim.note(&format!("{process} takes the volume"));
    let moved = std::fs::read(&start.journal).and_then(|bytes| {
        std::fs::remove_file(&start.journal)?;
        std::fs::write(&start.journal, bytes)
    });
    if let Err(error) = moved {
        let what = format!("the volume could not be moved: {error}");
        start.sim.hold(Err(Broken {
            promise: "simulation",
            what,
        }));
    }
}

fn clock(sim: &Arc<Sim>, process: &Arc<Incarnation>) -> Clock {
    let (sim, replica) = (Arc::clone(sim), process.replica);
    Arc::new(move || {
        let skew = sim.world().skew[replica];
        sim.time() + SignedDuration::from_secs(skew)
    })
}

fn assemble(
    start: &Start,
    process: &Arc<Incarnation>,
    term: u64,
    journal: SimJournal,
    ledger: Ledger,
) -> agent::Parts {
    let sim = &start.sim;
    let settings = {
        let world = sim.world();
        rules::settings(&world.scenario)
    };
    let cluster = Arc::new(SimCluster::new(Arc::clone(sim), Arc::clone(process)));
    let (holder, kill_switch) = (Arc::clone(process), settings.guards.kill_switch);
    let gate: Arc<dyn actuate::Gate> = Arc::new(move || {
        if holder.term() != Some(term) || holder.dead() {
            return Permit::Later {
                reason: "the Lease is not held".to_owned(),
            };
        }
        if kill_switch {
            return Permit::Never {
                reason: "the kill switch is on in the settings".to_owned(),
            };
        }
        Permit::Act
    });
    let clock = clock(sim, process);
    let (outcomes_in, outcomes) = mpsc::unbounded_channel();
    let executor = Executor::start(
        actuate::Parts {
            cluster: Arc::clone(&cluster) as _,
            gate: Arc::clone(&gate),
            webhooks: actuate::Webhooks::none(),
            clock: Arc::clone(&clock),
            at_once: 2,
        },
        outcomes_in,
    );
    let notifiers: BTreeMap<ChannelName, Arc<dyn Notifier>> = rules::CHANNELS
        .iter()
        .map(|name| {
            let channel = ChannelName::from(*name);
            let notifier = SimNotifier {
                sim: Arc::clone(sim),
                process: Arc::clone(process),
                channel: channel.clone(),
            };
            (channel, Arc::new(notifier) as _)
        })
        .collect();
    let patience = Patience {
        backoff: (Duration::from_secs(1), Duration::from_secs(8)),
        ..Patience::default()
    };
    let (outbox, deliveries) = Outbox::start(notifiers, &patience, NotifyMetrics::default());
    let source: Arc<dyn Source> = Arc::new(SimSource {
        sim: Arc::clone(sim),
        process: Arc::clone(process),
    });
    let (_, updates) = mpsc::channel(1);
    let (_, reports) = reports::queue();
    let (ordering, orders) = orders::queue();
    process.takes_orders(ordering);
    let (_, silences) = mpsc::channel(1);
    agent::Parts {
        engine: Engine::new(&start.book, settings, ledger),
        journal: Box::new(journal),
        sources: BTreeMap::from([(SourceKind::Prometheus, source)]),
        endpoints: BTreeMap::new(),
        cluster,
        executor,
        gate,
        outcomes,
        outbox,
        deliveries,
        updates,
        reports,
        orders,
        links: None,
        silences,
        acting: None,
        observer: Box::new(SimObserver {
            sim: Arc::clone(sim),
            process: Arc::clone(process),
        }),
        clock,
        interval: Duration::from_secs(1),
    }
}

struct SimObserver {
    sim: Arc<Sim>,
    process: Arc<Incarnation>,
}

impl Observer for SimObserver {
    /// A fold of what was written down is the live state (P5).
    fn ticked(&mut self, tick: &Ticked<'_>) {
        self.sim.world().trace.steps += 1;
        let shadow = self
            .process
            .shadow
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if *shadow != *tick.ledger {
            let what = format!(
                "a fold of the journal is not the live state of {}",
                self.process
            );
            self.sim.hold(Err(Broken {
                promise: "P5",
                what,
            }));
        }
        self.sim.world().snapshot = Some(Arc::clone(tick.snapshot));
    }

    fn gathered(&mut self, _gathered: &Gathered) {}

    fn journal_failing(&mut self, error: &JournalError) {
        if let JournalError::Disturbed { .. } = error {
            self.sim.note(&format!("{}: {error}", self.process));
        }
    }
}
