//! One schedule, from its seed to its end: time runs as fast as there is nothing to do, and everything is checked.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::messages::SECRET;
use crate::oracle::{Broken, unrest};
use crate::people;
use crate::random::Random;
use crate::replica::{Start, replica};
use crate::rules;
use crate::scenario::{Event, HEALED, Scenario};
use crate::workload::Workload;
use crate::world::{Sim, World};

/// Seconds after which everything must be at rest.
const LONGEST: i64 = 1200;

/// What came of a schedule.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) steps: u64,
    pub(crate) faults: u64,
    pub(crate) processes: u64,
    pub(crate) rollbacks: usize,
    pub(crate) hash: u64,
    pub(crate) violation: Option<(Broken, String)>,
    pub(crate) trace: String,
}

/// Runs the schedule of a seed; `journal` is a file that nobody else uses.
pub(crate) fn run(seed: u64, whole_trace: bool, journal: &Path) -> Outcome {
    drop(std::fs::remove_file(journal));
    // The jitter of retries.
    fastrand::seed(seed);
    let mut random = Random::new(seed);
    let scenario = Scenario::draw(&mut random);
    let mut world = World::new(scenario, random, whole_trace);
    let drawn = format!("{:?}", world.scenario);
    world.trace.line(drawn);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime of one thread");
    let sim = runtime.block_on(async { Arc::new(Sim::new(world)) });
    let ran = catch_unwind(AssertUnwindSafe(|| runtime.block_on(go(&sim, journal))));
    if ran.is_err() {
        panicked(&sim);
    }
    runtime.shutdown_background();
    secret(&sim, journal);
    let mut world = sim.world();
    let (rollbacks, trace) = (world.oracle.rollbacks(), world.trace.text());
    Outcome {
        steps: world.trace.steps,
        faults: world.faults,
        processes: world.processes,
        rollbacks,
        hash: world.trace.hash(),
        violation: world.oracle.first.take(),
        trace,
    }
}

fn panicked(sim: &Sim) {
    let what = "the agent panicked; the message is above".to_owned();
    sim.world().violated(
        0.0,
        Broken {
            promise: "P2",
            what,
        },
    );
}

async fn go(sim: &Arc<Sim>, journal: &Path) {
    let began = Instant::now();
    let (book, replicas) = {
        let world = sim.world();
        (
            rules::book(&world.scenario, world.workloads.keys()),
            world.scenario.replicas,
        )
    };
    sim.second(0);
    let start = Arc::new(Start {
        sim: Arc::clone(sim),
        book,
        journal: journal.to_owned(),
    });
    let mut running = JoinSet::new();
    for index in 0..replicas {
        running.spawn(replica(Arc::clone(&start), index));
    }
    let mut resting = 0;
    for now in 1.. {
        tokio::time::sleep_until(began + Duration::from_secs(now)).await;
        let now = i64::try_from(now).unwrap_or(i64::MAX);
        sim.second(now);
        let events = sim.world().scenario.events.clone();
        for (_, event) in events.iter().filter(|(second, _)| *second == now) {
            happen(sim, *event, now);
        }
        if running.try_join_next().is_some() {
            panicked(sim);
        }
        if now == HEALED {
            sim.world().skew.fill(0);
        }
        let unrest = if now > HEALED {
            unrest_now(sim)
        } else {
            Some(String::new())
        };
        resting = if unrest.is_none() { resting + 1 } else { 0 };
        if resting >= 3 {
            at_rest(sim);
            return;
        }
        if sim.world().oracle.first.is_some() {
            return;
        }
        if now >= LONGEST {
            let what = format!("after {LONGEST} s {}", unrest.unwrap_or_default());
            sim.hold(Err(Broken {
                promise: "liveness",
                what,
            }));
            return;
        }
    }
}

fn unrest_now(sim: &Sim) -> Option<String> {
    let world = sim.world();
    let mut alive = world.alive.iter().flatten();
    let Some(acting) = alive.find(|process| process.holds() && !process.frozen()) else {
        return Some("no agent acts".to_owned());
    };
    if world.unanswered > 0 {
        return Some(format!("{} people wait for an answer", world.unanswered));
    }
    let writes = !world.scenario.kill_switch && !world.scenario.dry_run;
    let mut paused = world.workloads.values();
    if let Some(left) = paused.find(|one| writes && world.oracle.has_to_go_on(one)) {
        return Some(format!("{} is left paused at {}", left.id, left.current));
    }
    let ledger = acting.shadow.lock().unwrap_or_else(PoisonError::into_inner);
    unrest(&ledger, &world.workloads)
}

fn at_rest(sim: &Sim) {
    let check = {
        let world = sim.world();
        world
            .oracle
            .at_rest(&world.workloads, world.scenario.calm())
    };
    sim.hold(check);
}

/// A planted secret is nowhere (P10).
fn secret(sim: &Sim, journal: &Path) {
    let bytes = std::fs::read(journal).unwrap_or_default();
    let mut found = String::from_utf8_lossy(&bytes).contains(SECRET);
    let mut world = sim.world();
    let snapshot = world.snapshot.as_deref().map(serde_json::to_string);
    found |= snapshot.is_some_and(|json| json.is_ok_and(|json| json.contains(SECRET)));
    found |= world.oracle.messages_hold(SECRET);
    if found {
        let what = "the address of a channel was written down or told".to_owned();
        world.violated(
            0.0,
            Broken {
                promise: "P10",
                what,
            },
        );
    }
}

fn happen(sim: &Arc<Sim>, event: Event, now: i64) {
    sim.note(&format!("-- {event:?}"));
    let mut world = sim.world();
    match event {
        Event::Ship { target, good } => {
            world.target(target).ship(good, now);
        }
        Event::Undo { target } => {
            let workload = world.target(target);
            let first = "v1".into();
            if workload.has(&first) {
                workload.touched = now;
                workload.go_to(&first, now);
            }
        }
        Event::ShipAgain { target } => {
            let workload = world.target(target);
            let newest = workload.newest();
            if workload.has(&newest) {
                workload.touched = now;
                workload.go_to(&newest, now);
            }
        }
        Event::Pause { target } => world.target(target).set(now, |object| {
            // What is paused already stays the pause of whoever set it.
            object.paused = true;
        }),
        Event::Resume { target } => world.target(target).set(now, Workload::go_on),
        Event::PromoteFull { target } => {
            let workload = world.target(target);
            if workload.in_flight() && !workload.aborted {
                workload.set(now, |object| object.promote_full = true);
            }
        }
        Event::Abort { target } => {
            let workload = world.target(target);
            if workload.in_flight() && !workload.promote_full {
                workload.set(now, |object| object.aborted = true);
            }
        }
        Event::Recreate { target } => world.target(target).recreate(now),
        Event::KillSwitch { target, on } => {
            world
                .target(target)
                .set(now, |object| object.kill_switch = on);
        }
        Event::Busy { target, seconds } => world.target(target).busy_until = now + seconds,
        Event::Replicas { target, replicas } => {
            let workload = world.target(target);
            // What an autoscaler sets lies within its bounds.
            let (least, most) = workload
                .scaling
                .autoscaler
                .as_ref()
                .map_or((1, u32::MAX), |autoscaler| (autoscaler.min, autoscaler.max));
            if !workload.deleted {
                workload.set(now, |object| {
                    object.scaling.replicas = replicas.clamp(least, most);
                });
            }
        }
        Event::Source { mode, seconds } => {
            world.source_is(mode, now + seconds);
        }
        Event::DiskFull { seconds } => world.disk_full_until = now + seconds,
        Event::ClusterDown { seconds } => world.cluster_down_until = now + seconds,
        Event::ChannelsDown { seconds } => world.channels_down_until = now + seconds,
        Event::Partition { replica, seconds } => {
            world.lease.cut_off.push((replica, now + seconds));
        }
        Event::Order {
            target,
            wish,
            twice,
        } => {
            drop(world);
            people::order(sim, target, wish, twice);
            return;
        }
        Event::Leap { replica, seconds } => {
            world.skew[replica] += seconds;
            world.oracle.leapt += seconds.abs();
        }
        Event::Freeze { replica, seconds } => {
            let process = world.alive[replica].clone();
            drop(world);
            if let Some(process) = process {
                sim.freeze(&process, seconds);
            }
            return;
        }
        Event::Kill { replica } => {
            if let Some(process) = &world.alive[replica] {
                process.die();
            }
        }
        Event::Terminate { replica } => {
            if let Some(process) = &world.alive[replica] {
                process.stop.cancel();
            }
        }
    }
    world.faults += 1;
    world.show();
}
