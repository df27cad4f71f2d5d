//! The ops port over real connections, friendly and unfriendly.
#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot go on says so by panicking"
)]

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::routing::get;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::time::timeout;

use recant::http::Ops;
use recant::http::health::{Health, Readiness};
use recant::http::metrics::{ActionOutcome, Metrics};
use recant::http::serve::{Limits, Server};
use recant::http::snapshot::SnapshotCell;
use recant_core::observation::{Cause, Observation, Reading};
use recant_core::rule::SourceKind;

fn loopback() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 0))
}

fn quick() -> Limits {
    Limits {
        connections: 2,
        of_one_address: 2,
        headers: Duration::from_millis(300),
        connection: Duration::from_secs(1),
        shutdown: Duration::from_secs(1),
    }
}

fn ops(metrics: &Metrics) -> Ops {
    Ops {
        health: Arc::new(Health::new(Duration::from_millis(400))),
        readiness: Arc::new(Readiness::default()),
        registry: Arc::new(metrics.registry()),
        snapshot: Arc::new(SnapshotCell::default()),
        finder: Arc::default(),
        view: Arc::default(),
    }
}

async fn start(ops: &Ops) -> Server {
    Server::start(loopback(), ops.clone().router(), quick())
        .await
        .unwrap()
}

/// Sends bytes and reads to the end of the connection.
async fn exchange(address: SocketAddr, request: &[u8]) -> String {
    let read = async {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(request).await.unwrap();
        let mut answer = Vec::new();
        // A server that is not listening to the end may reset; what it said before counts.
        drop(stream.read_to_end(&mut answer).await);
        String::from_utf8(answer).unwrap()
    };
    timeout(Duration::from_secs(10), read)
        .await
        .expect("the connection ends within 10 s")
}

/// Status and body.
async fn ask(server: &Server, path: &str) -> (u16, String) {
    let request = format!("GET {path} HTTP/1.1\r\nhost: recant\r\n\r\n");
    let answer = exchange(server.address(), request.as_bytes()).await;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, body.to_owned())
}

#[tokio::test]
async fn health_follows_the_ticks() {
    let ops = ops(&Metrics::default());
    let server = start(&ops).await;
    let (status, text) = ask(&server, "/healthz").await;
    assert_eq!(status, 200, "{text}");
    let begun = Instant::now();
    let text = loop {
        let (status, text) = ask(&server, "/healthz").await;
        if status == 503 {
            break text;
        }
        assert!(begun.elapsed().as_secs() < 10, "still {status}: {text}");
    };
    assert!(text.contains("the loop is stuck"), "{text}");
    ops.health.ticked();
    assert_eq!(ask(&server, "/healthz").await.0, 200);
}

#[tokio::test]
async fn readiness_names_what_is_missing() {
    let ops = ops(&Metrics::default());
    let server = start(&ops).await;
    let (status, text) = ask(&server, "/readyz").await;
    assert_eq!((status, text.contains("- start: ")), (503, true), "{text}");
    ops.readiness
        .block("prometheus", "no answer yet".to_owned());
    ops.readiness.started();
    let (status, text) = ask(&server, "/readyz").await;
    assert_eq!(status, 503);
    assert_eq!(text, "not ready:\n- prometheus: no answer yet\n");
    ops.readiness.clear("prometheus");
    assert_eq!(ask(&server, "/readyz").await, (200, "ready\n".to_owned()));
}

#[tokio::test]
async fn the_snapshot_is_the_last_one_stored() {
    let ops = ops(&Metrics::default());
    let server = start(&ops).await;
    assert_eq!(ask(&server, "/snapshot").await, (200, "null".to_owned()));
    for number in [1, 2] {
        ops.snapshot.store(Arc::new(json!({"targets": number})));
    }
    let (status, text) = ask(&server, "/snapshot").await;
    assert_eq!((status, text.as_str()), (200, "{\"targets\":2}"));
    let (status, text) = ask(&server, "/").await;
    assert_eq!((status, text.contains("/readyz")), (404, true), "{text}");
}

#[tokio::test]
async fn metrics_are_openmetrics_with_every_count() {
    let metrics = Metrics::default();
    let server = start(&ops(&metrics)).await;
    metrics.tick.ended(
        "2026-01-01T00:00:00.500Z".parse().unwrap(),
        Duration::from_millis(30),
    );
    metrics.tick.missed(3);
    metrics.source.begin(SourceKind::Prometheus);
    metrics.source.begin(SourceKind::Scrape);
    let down = || Observation::Unavailable {
        cause: Cause::Down,
        reason: "refused".to_owned(),
    };
    let round = [
        Observation::Reading(Reading::default()),
        down(),
        Observation::NoData {
            reason: "empty".to_owned(),
        },
    ];
    metrics.source.answered(SourceKind::Prometheus, 2, &round);
    let round = [down(), down()];
    metrics.source.answered(SourceKind::Scrape, 1, &round);
    metrics.source.answered(SourceKind::Scrape, 0, &[]);
    metrics.work.begin_action("rollback");
    metrics.work.acted("rollback", ActionOutcome::done);
    metrics.work.begin_verdict("fail");
    metrics.work.judged("pass");
    metrics.work.leads();
    metrics.work.set_rules_without_data(2);
    metrics
        .work
        .set_holds(&BTreeMap::from([("cool-down", 1), ("rate", 2)]));
    metrics.work.set_holds(&BTreeMap::from([("rate", 1)]));
    metrics.work.set_analyses(&BTreeMap::from([("alone", 4)]));
    metrics.journal.appended(7);
    metrics.journal.failed();

    let request = b"GET /metrics HTTP/1.1\r\nhost: recant\r\n\r\n";
    let answer = exchange(server.address(), request).await;
    assert!(
        answer.contains("content-type: application/openmetrics-text; version=1.0.0; charset=utf-8"),
        "{answer}"
    );
    assert!(answer.ends_with("# EOF\n"), "{answer}");
    for line in [
        "recant_build_info{version=\"0.1.0\"} 1",
        "recant_ticks_total 1",
        "recant_ticks_missed_total 3",
        "recant_last_tick_timestamp_seconds 1767225600.5",
        "recant_tick_duration_seconds_bucket{le=\"0.1\"} 1",
        "recant_source_queries_total{source=\"prometheus\"} 2",
        "recant_source_failures_total{source=\"prometheus\",cause=\"down\"} 1",
        "recant_source_failures_total{source=\"prometheus\",cause=\"clock\"} 0",
        "recant_observations_total{source=\"prometheus\",result=\"no_data\"} 1",
        "recant_source_up{source=\"prometheus\"} 1",
        "recant_source_up{source=\"scrape\"} 0",
        "recant_actions_total{action=\"rollback\",outcome=\"done\"} 1",
        "recant_actions_total{action=\"rollback\",outcome=\"failed\"} 0",
        "recant_verdicts_total{verdict=\"fail\"} 0",
        "recant_verdicts_total{verdict=\"pass\"} 1",
        "recant_leader 1",
        "recant_rules_without_data 2",
        "recant_holds{guard=\"cool-down\"} 0",
        "recant_holds{guard=\"rate\"} 1",
        "recant_analyses{state=\"alone\"} 4",
        "recant_journal_records_total 7",
        "recant_journal_write_failures_total 1",
    ] {
        assert!(
            answer.lines().any(|found| found == line),
            "`{line}` is missing in\n{answer}"
        );
    }
}

#[tokio::test]
async fn an_address_in_use_is_a_clear_error() {
    let server = start(&ops(&Metrics::default())).await;
    let error = Server::start(server.address(), Router::new(), quick())
        .await
        .expect_err("two on one port");
    let text = error.to_string();
    assert!(
        text.contains(&server.address().to_string()) && text.contains("choose another port"),
        "{text}"
    );
}

#[tokio::test]
async fn slow_and_idle_clients_are_cut_off_and_others_served() {
    let ops = ops(&Metrics::default());
    ops.readiness.started();
    let server = start(&ops).await;
    let mut idle = Vec::new();
    for begun in [
        &b""[..],
        b"GET /readyz HT",
        b"GET /readyz HTTP/1.1\r\nhost: r\r\n",
        b"",
    ] {
        let mut stream = TcpStream::connect(server.address()).await.unwrap();
        stream.write_all(begun).await.unwrap();
        idle.push(stream);
    }
    // Twice as many as it serves at once are in the way.
    assert_eq!(ask(&server, "/readyz").await.0, 200);
    for mut stream in idle {
        let mut answer = Vec::new();
        let end = timeout(Duration::from_secs(5), stream.read_to_end(&mut answer)).await;
        assert!(end.is_ok(), "an idle connection stayed open");
    }
}

#[tokio::test]
async fn endless_headers_and_garbage_are_refused() {
    let server = start(&ops(&Metrics::default())).await;
    let mut request = b"GET /readyz HTTP/1.1\r\nx: ".to_vec();
    request.resize(1_000_000, b'x');
    let answer = exchange(server.address(), &request).await;
    assert!(!answer.contains("200 OK"), "{answer}");
    let answer = exchange(server.address(), &[0xff; 3000]).await;
    assert!(!answer.contains("200 OK"), "{answer}");
    let answer = exchange(
        server.address(),
        b"POST /metrics HTTP/1.1\r\nhost: r\r\ncontent-length: 9\r\n\r\n",
    )
    .await;
    assert!(answer.starts_with("HTTP/1.1 405"), "{answer}");
    assert_eq!(ask(&server, "/healthz").await.0, 200);
}

#[tokio::test]
async fn shutdown_finishes_the_request_at_work_and_frees_the_port() {
    let (entered, leave) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let router = Router::new()
        .route(
            "/slow",
            get({
                let (entered, leave) = (entered.clone(), leave.clone());
                async move || {
                    entered.notify_one();
                    leave.notified().await;
                    "done"
                }
            }),
        )
        .route("/never", get(std::future::pending::<()>));
    let server = Server::start(loopback(), router.clone(), quick())
        .await
        .unwrap();
    let address = server.address();
    let request = tokio::spawn(exchange(address, b"GET /slow HTTP/1.1\r\nhost: r\r\n\r\n"));
    entered.notified().await;
    let stopping = tokio::spawn(server.shutdown());
    // Nobody is let in any more.
    let begun = Instant::now();
    while TcpStream::connect(address).await.is_ok() {
        assert!(begun.elapsed().as_secs() < 5, "it still accepts");
        tokio::task::yield_now().await;
    }
    leave.notify_one();
    assert!(request.await.unwrap().ends_with("done"));
    stopping.await.unwrap();

    let server = Server::start(address, router, quick()).await.unwrap();
    let request = tokio::spawn(exchange(address, b"GET /never HTTP/1.1\r\nhost: r\r\n\r\n"));
    let begun = Instant::now();
    while !request.is_finished() {
        tokio::task::yield_now().await;
        if begun.elapsed() > Duration::from_millis(50) {
            break;
        }
    }
    let begun = Instant::now();
    server.shutdown().await;
    assert!(
        begun.elapsed() < Duration::from_secs(3),
        "{:?}",
        begun.elapsed()
    );
}
