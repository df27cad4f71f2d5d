//! Everything that can be wrong with a Prometheus: each is an observation with a reason, and none is a reading.

use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use wiremock::matchers::{body_string_contains, method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

use recant::source::prometheus::{Prometheus, PrometheusOptions};
use recant::source::{Query, Source as _};
use recant_core::observation::{Cause, Observation};

use super::fixture::{clock, errors, errors_of, pod, series, target, unavailable};

/// An answer with these elements, evaluated now.
pub(crate) fn vector(rows: &[(Value, &str)]) -> Value {
    vector_at(rows, Timestamp::now())
}

fn vector_at(rows: &[(Value, &str)], evaluated: Timestamp) -> Value {
    let seconds = evaluated.as_millisecond() as f64 / 1000.0;
    let result: Vec<Value> = rows
        .iter()
        .map(|(metric, value)| json!({"metric": metric, "value": [seconds, value]}))
        .collect();
    json!({"status": "success", "data": {"resultType": "vector", "result": result}})
}

fn total(pod: &str) -> Value {
    json!({"namespace": "shop", "pod": pod, "recant": "total"})
}

fn query(question: recant_core::rule::Question) -> Query {
    let server = "127.0.0.1:1".parse().expect("is an address");
    let pods = vec![pod("checkout-1", Timestamp::UNIX_EPOCH, server)];
    Query {
        question,
        targets: vec![target("checkout", pods)],
    }
}

/// Asks a server at this address.
async fn ask(url: &str) -> Observation {
    let options = PrometheusOptions {
        timeout: Duration::from_millis(700),
        ..PrometheusOptions::new(url)
    };
    let source = Prometheus::new(options, clock()).expect("options are good");
    let begun = Instant::now();
    let mut answers = source.read(&[query(errors())]).await;
    assert!(
        begun.elapsed() < Duration::from_secs(3),
        "the deadline was not kept"
    );
    answers.remove(0).remove(0)
}

async fn server_answering(response: ResponseTemplate) -> MockServer {
    let server = MockServer::start().await;
    Mock::given(method("POST"))
        .and(path("/api/v1/query"))
        .respond_with(response)
        .mount(&server)
        .await;
    server
}

/// The answer makes the source say this, and name the server without credentials.
async fn check(response: ResponseTemplate, cause: Cause, said: &str) {
    let server = server_answering(response).await;
    let observation = ask(&server.uri()).await;
    let (was, reason) = unavailable(&observation);
    assert_eq!(was, cause, "{reason}");
    assert!(reason.contains(said), "`{reason}` lacks `{said}`");
    assert!(
        reason.contains(&server.uri()),
        "`{reason}` does not name the server"
    );
}

fn ok() -> ResponseTemplate {
    ResponseTemplate::new(200)
}

#[tokio::test]
async fn error_statuses_are_told_with_what_the_server_says() {
    let error =
        |kind: &str, text: &str| json!({"status": "error", "errorType": kind, "error": text});
    check(
        ResponseTemplate::new(503).set_body_json(error("timeout", "query timed out")),
        Cause::Down,
        "answered 503: \"query timed out\"",
    )
    .await;
    check(
        ResponseTemplate::new(503).set_body_string("<html>upstream connect error</html>"),
        Cause::Down,
        "upstream connect error",
    )
    .await;
    check(
        ResponseTemplate::new(400).set_body_json(error("bad_data", "parse error")),
        Cause::Down,
        "answered 400: \"parse error\"",
    )
    .await;
    check(
        ResponseTemplate::new(422).set_body_json(error("execution", "too many samples")),
        Cause::Down,
        "answered 422",
    )
    .await;
    check(
        ResponseTemplate::new(401),
        Cause::Down,
        "Check the credentials",
    )
    .await;
    check(ResponseTemplate::new(404), Cause::Down, "Check the path").await;
    check(
        ok().set_body_json(error("internal", "boom")),
        Cause::Down,
        "answered with an error (internal): boom",
    )
    .await;
}

#[tokio::test]
async fn garbage_is_no_answer() {
    check(
        ok().set_body_string("\u{0}\u{1}\u{2}"),
        Cause::Malformed,
        "no answer of Prometheus",
    )
    .await;
    check(
        ok().set_body_string("<!doctype html>"),
        Cause::Malformed,
        "<!doctype html>",
    )
    .await;
    check(ok(), Cause::Malformed, "no answer of Prometheus").await;
    check(
        ok().set_body_json(
            json!({"status": "success", "data": {"resultType": "matrix", "result": []}}),
        ),
        Cause::Malformed,
        "a `matrix` where a vector",
    )
    .await;
    check(
        ok().set_body_json(vector(&[(total("checkout-1"), "many")])),
        Cause::Malformed,
        "no number: `many`",
    )
    .await;
}

#[tokio::test]
async fn a_partial_answer_is_no_answer() {
    let mut answer = vector(&[(total("checkout-1"), "7")]);
    answer["warnings"] = json!(["No StoreAPIs matched for this query"]);
    check(
        ok().set_body_json(answer),
        Cause::Partial,
        "No StoreAPIs matched",
    )
    .await;
}

#[tokio::test]
async fn hints_do_not_make_an_answer_partial() {
    let mut answer = vector(&[(total("checkout-1"), "7")]);
    answer["infos"] = json!(["metric might not be a counter"]);
    let server = server_answering(ok().set_body_json(answer)).await;
    assert_eq!(series(&ask(&server.uri()).await).len(), 1);
}

#[tokio::test]
async fn an_answer_that_is_too_large_is_cut_off() {
    let huge = vec![b' '; 17 * 1024 * 1024];
    check(
        ok().set_body_bytes(huge),
        Cause::Malformed,
        "larger than 16 MiB",
    )
    .await;
}

#[tokio::test]
async fn a_redirect_is_told_and_not_followed() {
    let elsewhere =
        server_answering(ok().set_body_json(vector(&[(total("checkout-1"), "7")]))).await;
    let place = format!("{}/api/v1/query?token=hunter2", elsewhere.uri());
    let server =
        server_answering(ResponseTemplate::new(307).insert_header("Location", &*place)).await;
    let observation = ask(&server.uri()).await;
    let (cause, reason) = unavailable(&observation);
    assert_eq!(cause, Cause::Down);
    assert!(
        reason.contains("answered 307 with a redirect to"),
        "{reason}"
    );
    assert!(reason.contains(&elsewhere.uri()), "{reason}");
    assert!(!reason.contains("hunter2"), "{reason}");
    let followed = elsewhere.received_requests().await.expect("are recorded");
    assert!(followed.is_empty(), "{followed:?}");
}

#[tokio::test]
async fn a_clock_that_is_off_decides_nothing() {
    for minutes in [-5, 5] {
        let evaluated = Timestamp::now() + SignedDuration::from_mins(minutes);
        let answer = vector_at(&[(total("checkout-1"), "7")], evaluated);
        let said = if minutes < 0 {
            "behind ours"
        } else {
            "ahead of ours"
        };
        check(ok().set_body_json(answer), Cause::Clock, said).await;
    }
    // An empty answer has no time: then the header tells.
    check(
        ok().set_body_json(vector(&[]))
            .insert_header("Date", "Thu, 01 Jan 2026 00:00:00 GMT"),
        Cause::Clock,
        "behind ours",
    )
    .await;
}

#[tokio::test]
async fn two_series_where_one_is_expected_are_both_named() {
    let rows = [(total("checkout-1"), "3"), (total("checkout-1"), "4")];
    let server = server_answering(ok().set_body_json(vector(&rows))).await;
    let observation = ask(&server.uri()).await;
    let (cause, reason) = unavailable(&observation);
    assert_eq!(cause, Cause::Malformed);
    assert!(
        reason.contains(
            r#"{namespace="shop",pod="checkout-1"} with the value 3, and the same with the value 4"#
        ),
        "{reason}"
    );
}

#[tokio::test]
async fn nothing_and_nan_are_told_apart() {
    let empty = server_answering(ok().set_body_json(vector(&[]))).await;
    assert!(matches!(
        ask(&empty.uri()).await,
        Observation::NoData { .. }
    ));

    let nan = server_answering(ok().set_body_json(vector(&[(total("checkout-1"), "NaN")]))).await;
    // It is a sample; measurement says that it makes no counts.
    assert_eq!(series(&ask(&nan.uri()).await).len(), 1);
}

#[tokio::test]
async fn a_server_that_hangs_ends_with_the_deadline() {
    let slow = ok().set_delay(Duration::from_mins(1));
    check(slow, Cause::Down, "did not answer within 700ms").await;
}

#[tokio::test]
async fn a_server_that_is_not_there_is_told() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("is bound"));
    drop(listener);
    let observation = ask(&url).await;
    let (cause, reason) = unavailable(&observation);
    assert_eq!(cause, Cause::Down);
    assert!(reason.contains("cannot be reached: "), "{reason}");
    assert!(reason.to_lowercase().contains("refused"), "{reason}");
}

#[tokio::test]
async fn connections_that_break_are_told() {
    let broken: [&[u8]; 4] = [
        // Closed before the answer.
        b"",
        // No HTTP.
        b"SSH-2.0-OpenSSH_9.9\r\n",
        // Closed within the answer.
        b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{\"status\":",
        // Says gzip, sends none.
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nnope",
    ];
    for answer in broken {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("is bound"));
        let server = tokio::spawn(async move {
            loop {
                let (mut connection, _) = listener.accept().await.expect("a connection");
                let mut request = [0; 16 * 1024];
                let read = connection.read(&mut request).await;
                if read.is_ok() {
                    connection.write_all(answer).await.ok();
                }
            }
        });
        let observation = ask(&url).await;
        unavailable(&observation);
        server.abort();
    }
}

#[tokio::test]
async fn one_question_that_fails_does_not_stop_the_others() {
    let server = MockServer::start().await;
    Mock::given(body_string_contains("broken_total"))
        .respond_with(ok().set_delay(Duration::from_mins(1)))
        .mount(&server)
        .await;
    Mock::given(body_string_contains("http_requests_total"))
        .respond_with(ok().set_body_json(vector(&[(total("checkout-1"), "7")])))
        .mount(&server)
        .await;
    let options = PrometheusOptions {
        timeout: Duration::from_millis(700),
        concurrency: 2,
        ..PrometheusOptions::new(server.uri())
    };
    let source = Prometheus::new(options, clock()).expect("options are good");
    let answers = source
        .read(&[
            query(errors_of("broken_total")),
            query(errors()),
            query(errors_of("http_requests_total")),
        ])
        .await;
    assert_eq!(unavailable(&answers[0][0]).0, Cause::Down);
    assert_eq!(series(&answers[1][0]).len(), 1);
    assert_eq!(answers[1], answers[2]);
}
