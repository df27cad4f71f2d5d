//! Real requests at a steady rate to whatever pods are ready, and what came of them.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use jiff::Timestamp;
use tokio::sync::Semaphore;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

/// An answer slower than this is bad: the limit of the demo's latency rule.
pub(super) const SLOW: Duration = Duration::from_millis(300);
/// Requests under way at once, at most.
const AT_ONCE: usize = 256;

/// What the clients of the demo saw.
#[derive(Debug, Clone, Default)]
pub(super) struct Seen {
    pub(super) requests: u64,
    /// Answers with status 5xx, answers slower than [`SLOW`], and requests without an answer.
    pub(super) bad: u64,
    /// The first bad answer of the version that is under test.
    pub(super) first_bad: Option<Timestamp>,
    pub(super) last_bad: Option<Timestamp>,
}

/// Requests that are being sent.
#[derive(Debug, Clone)]
pub(super) struct Traffic {
    seen: Arc<Mutex<Seen>>,
}

impl Traffic {
    /// Sends `rate` requests a second to the ready pods in turn, until the token is cancelled. Bad answers of
    /// `under_test` are dated.
    pub(super) fn start(
        pods: Arc<ArcSwap<Vec<SocketAddr>>>,
        rate: f64,
        under_test: &'static str,
        stop: CancellationToken,
    ) -> Result<Self, reqwest::Error> {
        // A connection of its own for each request: none outlives its pod.
        let client = reqwest::Client::builder()
            .timeout(Duration::from_secs(5))
            .pool_max_idle_per_host(0)
            .redirect(reqwest::redirect::Policy::none())
            .build()?;
        let traffic = Self {
            seen: Arc::default(),
        };
        let sender = traffic.clone();
        tokio::spawn(async move {
            let mut ticks = tokio::time::interval(Duration::from_secs_f64(1.0 / rate));
            ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
            let room = Arc::new(Semaphore::new(AT_ONCE));
            let mut turn = 0_usize;
            loop {
                tokio::select! {
                    () = stop.cancelled() => return,
                    _ = ticks.tick() => {}
                }
                let ready = pods.load_full();
                if ready.is_empty() {
                    continue;
                }
                turn = turn.wrapping_add(1);
                let Some(address) = ready.get(turn % ready.len()).copied() else {
                    continue;
                };
                let Ok(permit) = room.clone().try_acquire_owned() else {
                    continue;
                };
                let (client, sender) = (client.clone(), sender.clone());
                tokio::spawn(async move {
                    sender.request(&client, address, under_test).await;
                    drop(permit);
                });
            }
        });
        Ok(traffic)
    }

    /// What was seen so far.
    pub(super) fn seen(&self) -> Seen {
        self.seen
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    async fn request(&self, client: &reqwest::Client, address: SocketAddr, under_test: &str) {
        let begun = tokio::time::Instant::now();
        let answer = client.get(format!("http://{address}/")).send().await;
        let slow = begun.elapsed() > SLOW;
        let (bad, tested) = match &answer {
            Ok(answer) => {
                let version = answer.headers().get("x-version");
                let tested =
                    version.is_some_and(|version| version.as_bytes() == under_test.as_bytes());
                (answer.status().is_server_error() || slow, tested)
            }
            // A pod that went between the look at the list and the request: bad for the client, but nobody's version.
            Err(_) => (true, false),
        };
        let now = Timestamp::now();
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.requests += 1;
        if bad {
            seen.bad += 1;
            if tested {
                seen.first_bad.get_or_insert(now);
                seen.last_bad = Some(now);
            }
        }
    }
}
