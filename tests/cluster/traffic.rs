//! A steady stream of requests over the Ready pods of a workload, as a Service would spread it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rand::SeedableRng as _;
use rand::seq::IndexedRandom as _;
use rand_pcg::Pcg64;
use tokio::sync::Semaphore;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use crate::bed::Bed;
use crate::wait::wait_until;

/// More at once means that the services hang: such requests are counted as `dropped`, not queued.
const AT_ONCE: usize = 64;

/// The requests of a small shop, in turn.
const REQUESTS: [(Method, &str); 4] = [
    (Method::Get, "/products"),
    (Method::Get, "/cart"),
    (Method::Get, "/products"),
    (Method::Post, "/orders"),
];

#[derive(Debug, Clone, Copy)]
enum Method {
    Get,
    Post,
}

/// How requests ended, as their sender saw it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Outcomes {
    /// Answered, and not with a 5xx.
    pub(crate) good: u64,
    /// Answered with a 5xx.
    pub(crate) errors: u64,
    /// No answer: refused, cut, or timed out.
    pub(crate) broken: u64,
    /// Not sent: no pod was Ready, or too many requests were under way.
    pub(crate) dropped: u64,
}

impl Outcomes {
    /// All requests that were answered.
    pub(crate) fn answered(self) -> u64 {
        self.good + self.errors
    }

    /// The part of the answers that were a 5xx; 0 without answers.
    pub(crate) fn error_rate(self) -> f64 {
        if self.answered() == 0 {
            return 0.0;
        }
        self.errors as f64 / self.answered() as f64
    }

    /// What happened since `earlier`.
    pub(crate) fn since(self, earlier: Self) -> Self {
        Self {
            good: self.good - earlier.good,
            errors: self.errors - earlier.errors,
            broken: self.broken - earlier.broken,
            dropped: self.dropped - earlier.dropped,
        }
    }
}

/// Running traffic; it stops when this is dropped.
#[derive(Debug)]
pub(crate) struct Traffic {
    outcomes: Arc<Mutex<Outcomes>>,
    under_way: TaskTracker,
    stop: CancellationToken,
    _guard: DropGuard,
}

impl Traffic {
    /// Sends `per_second` requests to pods of `namespace` that carry the labels of `selector`.
    pub(crate) fn start(
        bed: &'static Bed,
        namespace: &str,
        selector: BTreeMap<String, String>,
        per_second: f64,
    ) -> Self {
        let stop = CancellationToken::new();
        let traffic = Self {
            outcomes: Arc::default(),
            under_way: TaskTracker::new(),
            stop: stop.clone(),
            _guard: stop.clone().drop_guard(),
        };
        let (outcomes, tracker) = (Arc::clone(&traffic.outcomes), traffic.under_way.clone());
        let namespace = namespace.to_owned();
        let sender = async move {
            let seats = Arc::new(Semaphore::new(AT_ONCE));
            let mut random = Pcg64::seed_from_u64(0);
            let mut ticks = interval(Duration::from_secs_f64(1.0 / per_second));
            // Catching up would turn a busy machine into a burst of load.
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            for (method, path) in REQUESTS.into_iter().cycle() {
                ticks.tick().await;
                let services = bed.services().ready(&namespace, &selector);
                let chosen = services.choose(&mut random);
                let (Some(service), Ok(seat)) = (chosen, Arc::clone(&seats).try_acquire_owned())
                else {
                    count(&outcomes, |outcomes| outcomes.dropped += 1);
                    continue;
                };
                let url = format!("http://{}{path}", service.address);
                let request = match method {
                    Method::Get => bed.http().get(url),
                    Method::Post => bed.http().post(url),
                };
                let outcomes = Arc::clone(&outcomes);
                tracker.spawn(async move {
                    let answer = request.send().await;
                    count(&outcomes, |outcomes| match answer {
                        Ok(answer) if answer.status().is_server_error() => outcomes.errors += 1,
                        Ok(_) => outcomes.good += 1,
                        Err(_) => outcomes.broken += 1,
                    });
                    drop(seat);
                });
            }
        };
        traffic
            .under_way
            .spawn(stop.run_until_cancelled_owned(sender));
        traffic
    }

    /// How the requests so far ended.
    pub(crate) fn outcomes(&self) -> Outcomes {
        *self.outcomes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for the next `answers` answers and returns how these requests ended.
    pub(crate) async fn next(&self, answers: u64, within: Duration) -> Outcomes {
        let before = self.outcomes();
        let news = || self.outcomes().since(before);
        let look = || Some(news()).filter(|news| news.answered() >= answers);
        let what = format!("{answers} more answers");
        wait_until(&what, within, look, || format!("{:?}", news())).await
    }

    /// Stops sending, waits until every request under way has ended, and returns the totals.
    pub(crate) async fn stop(self) -> Outcomes {
        self.stop.cancel();
        self.under_way.close();
        self.under_way.wait().await;
        self.outcomes()
    }
}

fn count(outcomes: &Mutex<Outcomes>, change: impl FnOnce(&mut Outcomes)) {
    change(&mut outcomes.lock().unwrap_or_else(PoisonError::into_inner));
}
