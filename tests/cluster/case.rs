//! One test: runs its future on the shared runtime, times it, cleans up after it, and when it fails prints what the
//! cluster looked like.

use std::cell::Cell;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::panic::{AssertUnwindSafe, Location, resume_unwind};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures::FutureExt as _;
use tokio::runtime::Runtime;
use tokio::sync::Semaphore;

use crate::bed::Bed;

/// One runtime for all tests: the pods' services and the watch on pods outlive the test that started the bed.
static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    // reqwest and kube are built without a default TLS provider; the first client would panic.
    rustls::crypto::ring::default_provider()
        .install_default()
        .expect("nobody else installs a TLS provider in this process");
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime starts")
});

/// However many threads the harness has: more tests at once and the timings mean nothing on two cores. A test takes as
/// many as it keeps the machine busy.
static SEATS: Semaphore = Semaphore::const_new(18);

/// Nine such tests run at once.
const SEATS_OF_MOST: u32 = 2;

/// Seats of a test that waits for clocks nearly all of its time.
const SEATS_OF_WAITING: u32 = 1;

/// Seats of a test that asserts how long something takes: four others may run beside it.
const SEATS_OF_TIMED: u32 = 10;

/// Nothing in here takes longer, so a test that does is stuck.
const DEADLINE: Duration = Duration::from_mins(5);

tokio::task_local! {
    static CASE: Arc<Case>;
}

/// What belongs to the running test.
#[derive(Debug, Default)]
struct Case {
    namespaces: Mutex<Vec<String>>,
}

/// Notes that `namespace` belongs to the running test: shown when it fails, deleted when it ends.
pub(crate) fn owns(namespace: &str) {
    let noted = CASE.try_with(|case| {
        case.namespaces
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(namespace.to_owned());
    });
    assert!(
        noted.is_ok(),
        "namespaces are made inside of `case::run`, on its own task"
    );
}

/// Runs a test to its end.
#[track_caller]
pub(crate) fn run(test: impl Future<Output = ()>) {
    seated(SEATS_OF_MOST, &name(Location::caller()), DEADLINE, test);
}

/// Runs a test that hardly does anything but wait, beside more others.
#[track_caller]
pub(crate) fn run_waiting(test: impl Future<Output = ()>) {
    seated(SEATS_OF_WAITING, &name(Location::caller()), DEADLINE, test);
}

/// Runs a test that asserts how long something takes, with hardly anything beside it.
#[track_caller]
pub(crate) fn run_timed(test: impl Future<Output = ()>) {
    seated(SEATS_OF_TIMED, &name(Location::caller()), DEADLINE, test);
}

/// Runs what is called `name` beside others as far as `seats` are free, for `deadline` at most.
pub(crate) fn seated(seats: u32, name: &str, deadline: Duration, test: impl Future<Output = ()>) {
    let case = Arc::new(Case::default());
    let seconds = Cell::new(0.0);
    let outcome = RUNTIME.block_on(CASE.scope(Arc::clone(&case), async {
        let _seat = SEATS
            .acquire_many(seats)
            .await
            .expect("the semaphore is never closed");
        let begun = Instant::now();
        let bounded = async {
            let ended = tokio::time::timeout(deadline, test).await;
            assert!(ended.is_ok(), "`{name}` has not ended within {deadline:?}");
        };
        let outcome = AssertUnwindSafe(bounded).catch_unwind().await;
        seconds.set(begun.elapsed().as_secs_f64());
        let namespaces = case
            .namespaces
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        if let Some(bed) = Bed::started() {
            if outcome.is_err() {
                show(&bed.picture(&namespaces).await);
            }
            bed.forget(&namespaces).await;
        }
        outcome
    }));
    note_time(name, seconds.get());
    if let Err(panic) = outcome {
        resume_unwind(panic);
    }
}

/// The harness names its threads after the tests; with one thread there is only the place of the call.
fn name(place: &Location<'_>) -> String {
    match std::thread::current().name() {
        Some(name) if name != "main" => name.to_owned(),
        _ => format!("{}:{}", place.file(), place.line()),
    }
}

#[expect(
    clippy::print_stderr,
    reason = "the harness shows what a failing test printed"
)]
fn show(picture: &str) {
    eprintln!("{picture}");
}

/// Seconds per test, at once to the terminal (past the harness, which hides what passing tests print) and to the file
/// from which `tests/run` takes its ten slowest.
fn note_time(name: &str, seconds: f64) {
    let line = format!("{seconds:7.1} s  {name}\n");
    let shown = std::io::stderr().write_all(line.as_bytes());
    let kept = match std::env::var_os("RECANT_TEST_TIMES") {
        Some(path) => OpenOptions::new()
            .append(true)
            .create(true)
            .open(path)
            .and_then(|mut file| file.write_all(line.as_bytes())),
        None => Ok(()),
    };
    shown
        .and(kept)
        .expect("the time of a test can be written down");
}

/// A measured number, past the harness, which hides what passing tests print.
pub(crate) fn figure(text: &str) {
    let shown = std::io::stderr().write_all(format!("          {text}\n").as_bytes());
    shown.expect("standard error takes a line");
}
