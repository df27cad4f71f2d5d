//! A real HTTP service per pod, on a loopback port of its own: answers requests, errs or is slow as its version does,
//! and exposes what it counted.

use std::fmt::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// Upper bounds of the latency buckets, in seconds.
const BOUNDS: [f64; 8] = [0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.5, 1.0];

/// How a version of the service behaves.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Behaviour {
    /// Share of requests that are answered with status 500.
    pub(super) errors: f64,
    /// How many times slower than usual it answers.
    pub(super) slower: f64,
}

/// What one pod has counted; the numbers behind its `/metrics`.
#[derive(Debug, Default, Clone)]
struct Counters {
    good: u64,
    bad: u64,
    buckets: [u64; BOUNDS.len()],
    seconds: f64,
}

struct Service {
    version: String,
    behaviour: Behaviour,
    random: Mutex<Pcg64Mcg>,
    counters: Mutex<Counters>,
}

/// Starts the service of one pod; it stops when the token is cancelled.
pub(super) async fn start(
    version: &str,
    behaviour: Behaviour,
    seed: u64,
    stop: CancellationToken,
) -> std::io::Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let address = listener.local_addr()?;
    let service = Arc::new(Service {
        version: version.to_owned(),
        behaviour,
        random: Mutex::new(Pcg64Mcg::seed_from_u64(seed)),
        counters: Mutex::default(),
    });
    let router = Router::new()
        .route("/", get(answer))
        .route("/metrics", get(metrics))
        .with_state(service);
    tokio::spawn(async move {
        let serve = axum::serve(listener, router);
        tokio::select! {
            result = serve => if let Err(error) = result {
                tracing::warn!("a service of the demo ended: {error}");
            },
            () = stop.cancelled() => {}
        }
    });
    Ok(address)
}

async fn answer(State(service): State<Arc<Service>>) -> Response {
    let (fails, seconds) = {
        let mut random = lock(&service.random);
        let fails = random.random::<f64>() < service.behaviour.errors;
        // Mostly 40 to 80 ms, with a tail up to 120 ms: what a busy machine adds to it stays below the limit.
        let spread: f64 = random.random::<f64>().powi(2);
        (fails, (0.040 + 0.080 * spread) * service.behaviour.slower)
    };
    let begun = tokio::time::Instant::now();
    tokio::time::sleep(Duration::from_secs_f64(seconds)).await;
    // What it took, not what was drawn: a busy machine shows.
    let seconds = begun.elapsed().as_secs_f64();
    let mut counters = lock(&service.counters);
    if fails {
        counters.bad += 1;
    } else {
        counters.good += 1;
    }
    counters.seconds += seconds;
    for (bound, bucket) in BOUNDS.iter().zip(&mut counters.buckets) {
        *bucket += u64::from(seconds <= *bound);
    }
    drop(counters);
    let status = if fails {
        StatusCode::INTERNAL_SERVER_ERROR
    } else {
        StatusCode::OK
    };
    (status, [("x-version", service.version.clone())], "").into_response()
}

async fn metrics(State(service): State<Arc<Service>>) -> Response {
    let counters = lock(&service.counters).clone();
    (
        [(header::CONTENT_TYPE, "text/plain; version=0.0.4")],
        exposition(&counters),
    )
        .into_response()
}

fn exposition(counters: &Counters) -> String {
    let mut text = String::from("# TYPE http_requests_total counter\n");
    for (status, count) in [("200", counters.good), ("500", counters.bad)] {
        // As real services do: a series exists from its first event on.
        if count > 0 {
            line(
                &mut text,
                format_args!("http_requests_total{{method=\"GET\",status=\"{status}\"}} {count}"),
            );
        }
    }
    text.push_str("# TYPE http_request_duration_seconds histogram\n");
    let all = counters.good + counters.bad;
    for (bound, count) in BOUNDS.iter().zip(counters.buckets) {
        line(
            &mut text,
            format_args!("http_request_duration_seconds_bucket{{le=\"{bound}\"}} {count}"),
        );
    }
    line(
        &mut text,
        format_args!("http_request_duration_seconds_bucket{{le=\"+Inf\"}} {all}"),
    );
    line(
        &mut text,
        format_args!("http_request_duration_seconds_sum {}", counters.seconds),
    );
    line(
        &mut text,
        format_args!("http_request_duration_seconds_count {all}"),
    );
    text
}

fn line(text: &mut String, arguments: std::fmt::Arguments<'_>) {
    writeln!(text, "{arguments}").expect("writing to a string cannot fail");
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
