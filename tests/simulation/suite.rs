//! Many schedules on all cores, and the tests that a plain `cargo test` runs.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use crate::arguments::Run;
use crate::contract;
use crate::mutations;
use crate::schedule::{self, Outcome};

/// What a plain `cargo test` runs, with code that is not optimized: `tests/run` runs 20,000 with code that is.
const SCHEDULES: u64 = 400;
/// Violations after which it is no use to go on.
const ENOUGH: usize = 5;

/// A name, and whether it passes.
type Test = (&'static str, fn() -> bool);

/// What came of many schedules.
#[derive(Debug, Default)]
struct Sum {
    schedules: u64,
    steps: u64,
    faults: u64,
    processes: u64,
    rollbacks: usize,
    violations: Vec<u64>,
}

/// Any number of schedules; ends with one line of JSON.
pub(crate) fn schedules(run: &Run) -> ExitCode {
    let sum = many(run);
    let Sum {
        schedules,
        steps,
        violations,
        ..
    } = &sum;
    let line = format!(
        "{{\"schedules\":{schedules},\"steps\":{steps},\"violations\":{}}}",
        violations.len()
    );
    say(&line);
    if violations.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(1)
    }
}

/// All tests of this binary whose names contain one of `filter`.
pub(crate) fn tests(filter: &[String]) -> ExitCode {
    let all: [Test; 4] = [
        ("schedules_break_no_promise", || {
            many(&Run {
                seed: 1,
                schedules: SCHEDULES,
                trace: false,
                first: false,
            })
            .violations
            .is_empty()
        }),
        ("the_same_seed_is_the_same_schedule", same_twice),
        ("the_simulated_cluster_keeps_the_contract", contract::kept),
        (
            "every_mutation_applies_to_the_code",
            || match mutations::check() {
                Ok(()) => true,
                Err(faults) => {
                    say(&faults);
                    false
                }
            },
        ),
    ];
    let (mut passed, mut failed) = (0, 0);
    for (name, test) in all {
        if !filter.is_empty() && !filter.iter().any(|part| name.contains(part.as_str())) {
            continue;
        }
        let begun = Instant::now();
        let good = test();
        let word = if good { "ok" } else { "FAILED" };
        say(&format!(
            "test {name} ... {word} ({:.1} s)",
            begun.elapsed().as_secs_f64()
        ));
        if good { passed += 1 } else { failed += 1 }
    }
    let word = if failed == 0 { "ok" } else { "FAILED" };
    say(&format!(
        "test result: {word}. {passed} passed; {failed} failed; 0 ignored; 0 measured; {} filtered out",
        all.len() - passed - failed
    ));
    if failed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(101)
    }
}

/// The list of deliberate faults, for `tests/mutations`.
pub(crate) fn list_mutations() -> ExitCode {
    let printed = mutations::list().map(|all| {
        for one in all {
            say(&format!(
                "{}\t{}\t{}\t{}",
                one.number, one.caught_by, one.name, one.why
            ));
        }
    });
    ended(printed)
}

/// Puts the deliberate faults into a copy of the code.
pub(crate) fn mutate(folder: &str) -> ExitCode {
    ended(mutations::apply(folder.as_ref()))
}

fn ended(result: Result<(), String>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&error);
            ExitCode::from(2)
        }
    }
}

/// A line on standard output. Nobody may be listening any more.
pub(crate) fn say(line: &str) {
    drop(writeln!(std::io::stdout().lock(), "{line}"));
}

/// A file of our own in memory, where there is such a thing: what is durable is simulated here.
fn journal(worker: u64) -> PathBuf {
    let memory = PathBuf::from("/dev/shm");
    let folder = if memory.is_dir() {
        memory
    } else {
        std::env::temp_dir()
    };
    folder.join(format!("recant-simulate-{}-{worker}", std::process::id()))
}

fn many(run: &Run) -> Sum {
    let begun = Instant::now();
    let workers = std::thread::available_parallelism().map_or(2, |cores| cores.get() as u64);
    let next = AtomicU64::new(run.seed);
    let end = run.seed.saturating_add(run.schedules);
    let sum = Mutex::new(Sum::default());
    std::thread::scope(|scope| {
        for worker in 0..workers {
            let (next, sum) = (&next, &sum);
            scope.spawn(move || {
                let journal = journal(worker);
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    let most = if run.first { 1 } else { ENOUGH };
                    let enough = lock(sum).violations.len() >= most;
                    if seed >= end || enough {
                        break;
                    }
                    let outcome = schedule::run(seed, run.trace, &journal);
                    add(&mut lock(sum), seed, &outcome, run.trace);
                }
                drop(std::fs::remove_file(&journal));
            });
        }
    });
    let sum = sum.into_inner().unwrap_or_else(PoisonError::into_inner);
    say(&format!(
        "{} schedules in {:.1} s: {} processes of the agent, {} faults, {} rollbacks, {} violations",
        sum.schedules,
        begun.elapsed().as_secs_f64(),
        sum.processes,
        sum.faults,
        sum.rollbacks,
        sum.violations.len()
    ));
    sum
}

fn lock(sum: &Mutex<Sum>) -> std::sync::MutexGuard<'_, Sum> {
    sum.lock().unwrap_or_else(PoisonError::into_inner)
}

fn add(sum: &mut Sum, seed: u64, outcome: &Outcome, trace: bool) {
    sum.schedules += 1;
    sum.steps += outcome.steps;
    sum.faults += outcome.faults;
    sum.processes += outcome.processes;
    sum.rollbacks += outcome.rollbacks;
    if trace {
        say(&outcome.trace);
    }
    if let Some((broken, before)) = &outcome.violation {
        sum.violations.push(seed);
        say(&format!(
            "VIOLATION of {} in the schedule of seed {seed}: {}\n{}replay: tests/simulate --seed {seed} --schedules 1 --trace",
            broken.promise,
            broken.what,
            if trace { "" } else { before }
        ));
    }
}

fn same_twice() -> bool {
    let journal = journal(99);
    let differ: Vec<u64> = (1..=50)
        .filter(|seed| {
            let mut twice = (0..2).map(|_| schedule::run(*seed, false, &journal).hash);
            twice.next() != twice.next()
        })
        .collect();
    drop(std::fs::remove_file(&journal));
    if !differ.is_empty() {
        say(&format!(
            "the schedules of these seeds differ from run to run: {differ:?}"
        ));
    }
    differ.is_empty()
}
