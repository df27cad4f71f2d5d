//! Jobs that really run. kwok runs no container, so for the pods of Jobs this is the kubelet: it takes each one to a
//! node of its own, runs the container's command as a process with environment, volumes and identity resolved, and
//! writes the pod's status. The job and cronjob controllers of the real control plane do the rest.
//!
//! Simplified, and said so: one container per pod, no init containers, a restart comes after one second and not after
//! ten. A Job's template must not name a node (kwok would let its pod succeed without running anything).

mod container;
mod cronjob;
mod kubelet;
mod status;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::batch::v1::Job;
use tokio_util::sync::{CancellationToken, DropGuard};

pub(crate) use self::cronjob::{USERS_FILE, cronjob_with_command, users_cronjob};
use self::kubelet::Kubelet;
use crate::bed::Bed;
use crate::namespace::Namespace;
use crate::wait::wait_for;

/// The running of one namespace's Jobs. Dropping it kills what runs; when the test fails it prints every run first.
pub(crate) struct Jobs {
    bed: &'static Bed,
    namespace: String,
    book: Arc<Mutex<Book>>,
    names: Arc<AtomicUsize>,
    _stop: DropGuard,
}

/// What happened so far.
#[derive(Debug, Default)]
struct Book {
    /// In the order of their start.
    runs: Vec<Run>,
    /// Pods that this cannot run, and why.
    refused: Vec<String>,
}

/// One run of a Job's container: a pod has several when it restarts, a Job when its pods fail.
#[derive(Debug, Clone)]
pub(crate) struct Run {
    pub(crate) job: String,
    pub(crate) pod: String,
    /// How often the container ran before in this pod.
    pub(crate) restarts: u32,
    pub(crate) started: Timestamp,
    /// When and how it ended, if it did.
    pub(crate) end: Option<End>,
    /// Its output is beside, with endings of their own.
    output: PathBuf,
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct End {
    pub(crate) at: Timestamp,
    /// As a shell says it: 128 and the signal's number for one that was killed.
    pub(crate) exit_code: i32,
}

impl Run {
    /// What it has printed so far.
    pub(crate) fn stdout(&self) -> String {
        self.read("out")
    }

    /// What it has said besides so far.
    pub(crate) fn stderr(&self) -> String {
        self.read("err")
    }

    /// The exit code; panics while it runs.
    pub(crate) fn exit_code(&self) -> i32 {
        self.end.expect("the run has ended").exit_code
    }

    fn read(&self, ending: &str) -> String {
        let bytes = std::fs::read(self.output.with_extension(ending)).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

impl Jobs {
    /// Runs the Jobs of a namespace from now on. A container finds the system's programs on its `PATH`, and `recant`.
    pub(crate) fn start(ns: &Namespace) -> Self {
        Self::start_with_tools(ns, None)
    }

    /// The same, with a folder of programs that are found first, as an image would bring them.
    pub(crate) fn start_with_tools(ns: &Namespace, tools: Option<&Path>) -> Self {
        let bed = ns.bed();
        let stop = CancellationToken::new();
        let book: Arc<Mutex<Book>> = Arc::default();
        let kubelet = Kubelet {
            bed,
            namespace: ns.name().to_owned(),
            tools: tools.map(Path::to_owned),
            folder: bed.folder("jobs"),
            book: Arc::clone(&book),
        };
        tokio::spawn(stop.clone().run_until_cancelled_owned(kubelet.run()));
        Self {
            bed,
            namespace: ns.name().to_owned(),
            book,
            names: Arc::default(),
            _stop: stop.drop_guard(),
        }
    }

    /// All runs, in the order of their start.
    pub(crate) fn runs(&self) -> Vec<Run> {
        lock(&self.book).runs.clone()
    }

    /// Waits until a Job's container has run so many times to its end, and returns the last of these runs.
    pub(crate) async fn wait_run(&self, job: &str, times: usize, within: Duration) -> Run {
        wait_for(&format!("run {times} of Job `{job}`"), within, || async {
            self.must_have_run_all();
            let runs = self.runs();
            let of_job = runs.iter().filter(|run| run.job == job);
            let mut ended = of_job.filter(|run| run.end.is_some());
            match ended.nth(times - 1) {
                Some(run) => Ok(run.clone()),
                None => Err(format!("{runs:?}")),
            }
        })
        .await
    }

    /// Waits until the job controller says that a Job has ended, and returns its condition: `Complete` or `Failed`.
    pub(crate) async fn wait_job(&self, job: &str, within: Duration) -> String {
        let api: kube::Api<Job> = kube::Api::namespaced(self.bed.client(), &self.namespace);
        wait_for(&format!("Job `{job}` to end"), within, || async {
            self.must_have_run_all();
            let job = api.get(job).await.map_err(|error| error.to_string())?;
            let status = job.status.unwrap_or_default();
            let mut conditions = status.conditions.iter().flatten();
            conditions
                .find(|condition| {
                    condition.status == "True"
                        && ["Complete", "Failed"].contains(&condition.type_.as_str())
                })
                .map(|condition| condition.type_.clone())
                .ok_or_else(|| format!("{status:?}"))
        })
        .await
    }

    /// Creates a Job from a `CronJob`, as its schedule would, and returns its name.
    pub(crate) async fn trigger(&self, cronjob: &str) -> String {
        cronjob::trigger(self.bed, &self.namespace, cronjob, &self.names).await
    }

    /// Does so now and once in each period, until the guard is dropped; a period in which a run is still under way is
    /// left out. Nothing in the users' file forbids two at once, but their five minutes, in whose place the period
    /// stands, are longer than any run: on a busy machine runs would pile up as they never do there.
    pub(crate) fn every(&self, cronjob: &str, period: Duration) -> DropGuard {
        let stop = CancellationToken::new();
        let (bed, names, book) = (self.bed, Arc::clone(&self.names), Arc::clone(&self.book));
        let (namespace, cronjob) = (self.namespace.clone(), cronjob.to_owned());
        let schedule = async move {
            let mut ticks = tokio::time::interval(period);
            loop {
                ticks.tick().await;
                let names_given = names.load(Ordering::Relaxed);
                let ended = |book: &Book| book.runs.iter().filter(|run| run.end.is_some()).count();
                if ended(&lock(&book)) < names_given {
                    continue;
                }
                cronjob::trigger(bed, &namespace, &cronjob, &names).await;
            }
        };
        tokio::spawn(stop.clone().run_until_cancelled_owned(schedule));
        stop.drop_guard()
    }

    fn must_have_run_all(&self) {
        let book = lock(&self.book);
        assert!(book.refused.is_empty(), "{}", book.refused.join("\n"));
    }
}

impl Drop for Jobs {
    fn drop(&mut self) {
        if std::thread::panicking() {
            for run in self.runs() {
                show(&run);
            }
        }
    }
}

#[expect(
    clippy::print_stderr,
    reason = "the harness shows what a failing test printed"
)]
fn show(run: &Run) {
    let (out, err) = (run.stdout(), run.stderr());
    eprintln!("--- {run:?}\n--- its stdout\n{out}\n--- its stderr\n{err}");
}

fn lock(book: &Mutex<Book>) -> MutexGuard<'_, Book> {
    book.lock().unwrap_or_else(PoisonError::into_inner)
}
