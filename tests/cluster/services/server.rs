//! The HTTP service of one pod, on the pod's own address.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use jiff::Timestamp;
use rand::SeedableRng as _;
use rand_pcg::Pcg64;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::behaviour::{Behaviour, Behaviours, Dice};
use super::ledger::{Answer, Ledger};
use super::settable::Settable;

/// How long an address may stay taken by the pod that had it before.
const BIND_ATTEMPTS: u32 = 250;

/// One pod's service, running or gone.
#[derive(Debug)]
pub(crate) struct Service {
    pub(crate) namespace: String,
    pub(crate) pod: String,
    /// The tag of the pod's image.
    pub(crate) tag: String,
    /// The pod-template hash, by which revisions are told apart.
    pub(crate) hash: String,
    /// The name of the Kubernetes Service in front of it: its label `app`.
    app: String,
    pub(crate) address: SocketAddr,
    behaviours: Behaviours,
    settable: Settable,
    ledger: Mutex<Ledger>,
    dice: Mutex<Dice<Pcg64>>,
    listening: AtomicBool,
    exposes: Mutex<Exposes>,
    stop: CancellationToken,
}

/// What a service's `/metrics` says of what it did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exposes {
    Truth,
    /// 5 MB of bytes that are no metrics.
    Garbage,
    /// Histograms without their `+Inf` buckets.
    NoInf,
    /// Every value is NaN.
    NotANumber,
    /// Every value is negative.
    Negative,
}

impl Service {
    pub(super) fn start(
        pod: super::ServedPod,
        address: SocketAddr,
        behaviours: Behaviours,
        settable: Settable,
    ) -> Arc<Self> {
        static SEED: AtomicU64 = AtomicU64::new(1);
        let service = Arc::new(Self {
            namespace: pod.namespace,
            pod: pod.name,
            tag: pod.tag,
            hash: pod.hash,
            app: pod.app,
            address,
            behaviours,
            settable,
            ledger: Mutex::default(),
            dice: Mutex::new(Dice {
                random: Pcg64::seed_from_u64(SEED.fetch_add(1, Ordering::Relaxed)),
                left: 0,
            }),
            listening: AtomicBool::new(false),
            exposes: Mutex::new(Exposes::Truth),
            stop: CancellationToken::new(),
        });
        tokio::spawn(Arc::clone(&service).serve());
        service
    }

    /// Takes no new connection, closes the idle ones, and the others after the answer that is under way: the address
    /// may be the next pod's at once, and a scraper must not go on talking to this one.
    pub(super) fn stop(&self) {
        self.stop.cancel();
    }

    /// Breaks its `/metrics`, or mends it, from the next scrape on.
    pub(crate) fn expose(&self, exposes: Exposes) {
        *self.exposes.lock().unwrap_or_else(PoisonError::into_inner) = exposes;
    }

    /// Whether a request would be answered.
    pub(crate) fn listening(&self) -> bool {
        self.listening.load(Ordering::Relaxed) && !self.stop.is_cancelled()
    }

    /// What it did so far.
    pub(crate) fn ledger(&self) -> Ledger {
        self.book().clone()
    }

    fn book(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn serve(self: Arc<Self>) {
        let Some(listener) = self.bind().await else {
            return;
        };
        let router = Router::new()
            .route("/metrics", get(metrics))
            .fallback(answer)
            .with_state(Arc::clone(&self));
        self.listening.store(true, Ordering::Relaxed);
        let ended = axum::serve(listener, router)
            .with_graceful_shutdown(self.stop.clone().cancelled_owned())
            .await;
        ended.expect("serving a bound socket does not fail");
    }

    async fn bind(&self) -> Option<TcpListener> {
        for _ in 0..BIND_ATTEMPTS {
            match TcpListener::bind(self.address).await {
                Ok(listener) => return Some(listener),
                Err(_) if self.stop.is_cancelled() => return None,
                Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        }
        // It stays out of the set that listens, so a test that needs it says so.
        None
    }
}

async fn metrics(State(service): State<Arc<Service>>) -> Response {
    // Prometheus 3 refuses an answer that does not say its format.
    let format = [(
        header::CONTENT_TYPE,
        "text/plain; version=0.0.4; charset=utf-8",
    )];
    let exposes = *service
        .exposes
        .lock()
        .unwrap_or_else(PoisonError::into_inner);
    let set = service
        .settable
        .exposition(&service.namespace, &service.tag, &service.pod);
    let truth = service.book().exposition(&service.app) + &set;
    let with_values = |change: &dyn Fn(&str) -> String| {
        let lines = truth.lines().map(|line| match line.rsplit_once(' ') {
            Some((series, value)) if !line.starts_with('#') => {
                format!("{series} {}\n", change(value))
            }
            _ => format!("{line}\n"),
        });
        lines.collect::<String>()
    };
    let text = match exposes {
        Exposes::Truth => truth,
        Exposes::Garbage => "\u{1}<garbage \u{7f}>\\{\"\n".repeat(5_000_000 / 16),
        Exposes::NoInf => truth
            .lines()
            .filter(|line| !line.contains("+Inf"))
            .flat_map(|line| [line, "\n"])
            .collect(),
        Exposes::NotANumber => with_values(&|_| "NaN".to_owned()),
        Exposes::Negative => with_values(&|value| format!("-{value}")),
    };
    (format, text).into_response()
}

async fn answer(State(service): State<Arc<Service>>, request: Request) -> StatusCode {
    let begun = Instant::now();
    let behaviour = service.behaviours.get(&service.namespace, &service.tag);
    let (time, failed) = {
        let mut dice = service.dice.lock().unwrap_or_else(PoisonError::into_inner);
        behaviour.draw(&mut dice)
    };
    tokio::time::sleep(time).await;
    let status = if failed {
        StatusCode::INTERNAL_SERVER_ERROR
    } else {
        StatusCode::OK
    };
    let answer = Answer {
        method: request.method().as_str(),
        path: request.uri().path(),
        status: status.as_u16(),
        took: begun.elapsed(),
        slowed: behaviour.slower > Behaviour::GOOD.slower,
    };
    service.book().note(&answer, Timestamp::now());
    status
}
