//! How long one tick takes and how often it allocates: 1,000 and 10,000 watches of four rules, with recorded answers.
//!
//! `cargo bench --bench tick` measures; `cargo test` runs each once, with few watches. Either way the bounds on
//! allocations are held: they are counts, the same on every machine.

#![allow(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a bench tells what it measured, and takes the time; it lies with the core and is none of it"
)]

mod fleet;

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::Criterion;
use fleet::{Doing, Fleet};
use recant_core::engine::Inputs;

/// Allocations for each watch in a tick in which nothing came.
const MOST_WHEN_IDLE: u64 = 10;
/// Allocations for each rule in a tick in which every question is answered, for six pods.
const MOST_FOR_ANSWERS: u64 = 14;

fn main() {
    let measuring = std::env::args().any(|argument| argument == "--bench");
    let sizes: &[usize] = if measuring { &[1_000, 10_000] } else { &[50] };
    bounds(if measuring { 1_000 } else { 50 });
    for &watches in sizes {
        processor_time(watches, if measuring { 31 } else { 3 });
    }
    let mut criterion = Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_secs(1))
        .measurement_time(Duration::from_secs(3))
        .configure_from_args();
    for &watches in sizes {
        let mut group = criterion.benchmark_group(format!("{watches} watches x 4 rules"));
        for (name, doing, work) in CASES {
            let mut fleet = Fleet::new(watches, *doing);
            group.bench_function(*name, |bencher| {
                bencher.iter_custom(|rounds| (0..rounds).map(|_| work.timed(&mut fleet)).sum());
            });
        }
        group.finish();
    }
    criterion.final_summary();
}

/// What is timed of one second.
#[derive(Debug, Clone, Copy)]
enum Work {
    /// The tick that takes in an answer to every question.
    Answers,
    /// A tick in which nothing came.
    Nothing,
    /// The picture for readers, after a tick with answers.
    Snapshot,
    /// Which questions are due.
    Questions,
}

const CASES: &[(&str, Doing, Work)] = &[
    (
        "all under analysis, all answers",
        Doing::Releasing,
        Work::Answers,
    ),
    (
        "all under analysis, nothing new",
        Doing::Releasing,
        Work::Nothing,
    ),
    (
        "all under analysis, snapshot",
        Doing::Releasing,
        Work::Snapshot,
    ),
    ("all at rest, all answers", Doing::Resting, Work::Answers),
    ("all at rest, nothing new", Doing::Resting, Work::Nothing),
    ("all at rest, questions", Doing::Resting, Work::Questions),
];

impl Work {
    /// What comes before it, in the next second, and what it takes in.
    fn inputs(self, fleet: &mut Fleet) -> Inputs {
        match self {
            Self::Answers => fleet.answers(),
            // A second after answers: long enough for every target to be looked at, too short to be silence.
            Self::Nothing => {
                let inputs = fleet.answers();
                fleet.tick(inputs);
                fleet.nothing()
            }
            Self::Snapshot => {
                let inputs = fleet.answers();
                fleet.tick(inputs);
                Inputs::default()
            }
            Self::Questions => fleet.nothing(),
        }
    }

    fn timed(self, fleet: &mut Fleet) -> Duration {
        let inputs = self.inputs(fleet);
        let begun = Instant::now();
        match self {
            Self::Answers | Self::Nothing => {
                let output = fleet.tick(inputs);
                let took = begun.elapsed();
                black_box(output);
                took
            }
            Self::Snapshot => {
                let snapshot = fleet.engine.snapshot(fleet.now());
                let took = begun.elapsed();
                black_box(snapshot);
                took
            }
            Self::Questions => {
                let asked = fleet.engine.questions(fleet.now());
                let took = begun.elapsed();
                black_box(asked);
                took
            }
        }
    }
}

/// The median over some seconds, in time on the processor: other work on the machine does not count.
fn processor_time(watches: usize, seconds: usize) {
    for (name, doing, work) in CASES {
        let mut fleet = Fleet::new(watches, *doing);
        let mut took: Vec<u64> = (0..seconds)
            .map(|_| {
                let inputs = work.inputs(&mut fleet);
                let now = fleet.now();
                let begun = on_processor();
                match work {
                    Work::Answers | Work::Nothing => drop(black_box(fleet.tick(inputs))),
                    Work::Snapshot => drop(black_box(fleet.engine.snapshot(now))),
                    Work::Questions => drop(black_box(fleet.engine.questions(now))),
                }
                on_processor().saturating_sub(begun)
            })
            .collect();
        took.sort_unstable();
        println!(
            "PROCESSOR {watches} watches x 4 rules, {name}: {:.2} ms",
            took[took.len() / 2] as f64 / 1e6
        );
    }
}

/// Nanoseconds that this thread has run.
fn on_processor() -> u64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    u64::try_from(time.tv_sec * 1_000_000_000 + time.tv_nsec).unwrap_or_default()
}

/// Counts allocations, prints them, and holds the ticks to their bounds.
fn bounds(watches: usize) {
    for (name, doing, work) in CASES {
        let mut fleet = Fleet::new(watches, *doing);
        // The inputs are the sources' allocations, not the tick's.
        let inputs = work.inputs(&mut fleet);
        let now = fleet.now();
        let mut inputs = Some(inputs);
        let counted = allocation_counter::measure(|| match work {
            Work::Answers | Work::Nothing => {
                black_box(fleet.tick(inputs.take().unwrap_or_default()));
            }
            Work::Snapshot => {
                black_box(fleet.engine.snapshot(now));
            }
            Work::Questions => {
                black_box(fleet.engine.questions(now));
            }
        });
        println!(
            "ALLOCATIONS {watches} watches x 4 rules, {name}: {} ({:.2} a rule), {} KiB",
            counted.count_total,
            counted.count_total as f64 / (4 * watches) as f64,
            counted.bytes_total / 1024
        );
        let most = match work {
            Work::Nothing => MOST_WHEN_IDLE * watches as u64,
            Work::Answers => MOST_FOR_ANSWERS * 4 * watches as u64,
            Work::Snapshot | Work::Questions => continue,
        };
        assert!(
            counted.count_total <= most,
            "{name}: a tick allocated {} times, the bound is {most}",
            counted.count_total
        );
    }
}
