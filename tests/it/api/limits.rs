//! Callers that send too much, too slowly, or nonsense: the right status as a problem, and others are served.

use std::sync::Arc;
use std::time::{Duration, Instant};

use recant::http::api::{Access, Token};
use recant::http::serve::{Limits, Server};
use secrecy::SecretString;
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::bed::{Bed, judged, loopback, read};

const PATH: &str = "/argo/v1/analysis?namespace=shop&name=checkout&hash=new";

async fn bed() -> Bed {
    let bed = Bed::start(Access::default()).await;
    bed.show(vec![judged("checkout")]);
    bed
}

/// Sends these bytes, and reads what comes until the end.
async fn raw(bed: &Bed, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(bed.server.address())
        .await
        .expect("it accepts");
    stream.write_all(bytes).await.expect("it is taken");
    let mut answer = Vec::new();
    let ended =
        tokio::time::timeout(Duration::from_secs(30), stream.read_to_end(&mut answer)).await;
    ended.expect("it ends").expect("it can be read");
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn whatever_is_refused_is_a_problem_that_says_what_to_do() {
    let bed = bed().await;
    let head = format!("GET {PATH} HTTP/1.1\r\nhost: r\r\n");
    let many: Vec<String> = (0..110)
        .map(|number| format!("x-{number}: y\r\n"))
        .collect();
    let many = many.concat();
    let long = "x".repeat(9 << 10);
    let kayenta = "GET /kayenta/canary/executions?application=%ff";
    for (bytes, status, says) in [
        (format!("{head}{many}\r\n"), 431, "send fewer"),
        (
            format!("{head}x: {long}\r\ny: {long}\r\n\r\n"),
            431,
            "send fewer",
        ),
        (
            format!("GET {PATH}{long} HTTP/1.1\r\nhost: r\r\n\r\n"),
            414,
            "ask for less",
        ),
        (
            "GET / HTTP/1.1\r\nhost: r\r\n\r\n".to_owned(),
            404,
            "/openapi.json",
        ),
        (
            "POST /argo/v1/analysis HTTP/1.1\r\nhost: r\r\n\r\n".to_owned(),
            405,
            "allow: GET",
        ),
        (
            "GET /argo/v1/analysis HTTP/1.1\r\nhost: r\r\n\r\n".to_owned(),
            400,
            "ask for",
        ),
        (
            "GET /kayenta/canaryConfig/%ff HTTP/1.1\r\nhost: r\r\n\r\n".to_owned(),
            400,
            "openapi",
        ),
        (
            format!("{kayenta}&& HTTP/1.1\r\nhost: r\r\n\r\n"),
            200,
            "[]",
        ),
    ] {
        let answer = raw(&bed, bytes.as_bytes()).await;
        let shown: String = bytes.chars().take(60).collect();
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status} ")),
            "{shown}: {answer}"
        );
        assert!(answer.contains(says), "{shown}: {answer}");
        if status != 200 {
            assert!(
                answer.contains("content-type: application/problem+json"),
                "{shown}: {answer}"
            );
            let (_, body) = answer.split_once("\r\n\r\n").expect("a body");
            let body: Value =
                serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {answer}"));
            assert_eq!(body["status"], status, "{answer}");
        }
    }
    // What is not even read to its end has the status alone.
    let answer = raw(
        &bed,
        format!("{head}x: {}\r\n\r\n", "x".repeat(40 << 10)).as_bytes(),
    )
    .await;
    assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
    assert_eq!(bed.get(PATH).await.status, 200);
}

#[tokio::test]
async fn large_and_deep_bodies_are_refused_by_every_path_that_takes_one() {
    let bed = bed().await;
    let deep = "[".repeat(200_000);
    let paths = [
        ("/alertmanager/v1/webhook", "POST"),
        ("/flagger/rollback", "POST"),
        ("/flagger/event", "POST"),
        ("/kayenta/canaryConfig", "POST"),
        ("/kayenta/canaryConfig/x", "PUT"),
        ("/kayenta/canary", "POST"),
        ("/kayenta/canary/x", "POST"),
        ("/kayenta/metricSetPairList", "POST"),
    ];
    for (path, method) in paths {
        let send = |body: String| {
            let method: reqwest::Method = method.parse().expect("a method");
            bed.http.request(method, bed.url(path)).body(body)
        };
        assert_eq!(read(send("x".repeat(10 << 20))).await.status, 413, "{path}");
        let refused = read(send(deep.clone())).await.status;
        // Larger than this path takes, or too deep.
        assert!([400, 413].contains(&refused), "{path}: {refused}");
        assert_eq!(read(send("[".repeat(1000))).await.status, 400, "{path}");
    }
}

#[tokio::test]
async fn a_large_body_with_a_wrong_token_is_refused_for_the_token() {
    let access = Access {
        read: Some(Arc::new(Token::fixed(SecretString::from("reads")))),
        ..Access::default()
    };
    let bed = Bed::start(access).await;
    bed.show(vec![judged("checkout")]);
    for path in [
        "/alertmanager/v1/webhook",
        "/flagger/rollback",
        "/kayenta/metricSetPairList",
    ] {
        let request = bed.http.post(bed.url(path)).bearer_auth("wrong");
        let answer = read(request.body("x".repeat(10 << 20))).await;
        assert_eq!(answer.status, 401, "{path}: {answer:?}");
    }
}

#[tokio::test]
async fn slow_bodies_are_answered_and_slow_readers_dropped() {
    let bed = bed().await;
    let slow = |path: &str| {
        format!("POST {path} HTTP/1.1\r\nhost: r\r\ncontent-length: 100\r\n\r\n{{").into_bytes()
    };
    let begun = Instant::now();
    let (flagger, alerts, pairs) = (
        slow("/flagger/rollback"),
        slow("/alertmanager/v1/webhook"),
        slow("/kayenta/metricSetPairList"),
    );
    let (flagger, alerts, pairs) =
        tokio::join!(raw(&bed, &flagger), raw(&bed, &alerts), raw(&bed, &pairs));
    assert!(flagger.starts_with("HTTP/1.1 408 "), "{flagger}");
    // It may come again: Alertmanager sends again after 5xx alone.
    assert!(alerts.starts_with("HTTP/1.1 503 "), "{alerts}");
    assert!(pairs.starts_with("HTTP/1.1 408 "), "{pairs}");
    assert!(
        begun.elapsed() < Duration::from_secs(19),
        "{:?}",
        begun.elapsed()
    );
}

#[tokio::test]
async fn who_does_not_read_his_answer_is_dropped_and_one_address_has_not_all_places() {
    // An answer that no buffer of the kernel holds.
    let large = axum::Router::new().route("/", axum::routing::get(async || "x".repeat(64 << 20)));
    let limits = Limits {
        connections: 3,
        of_one_address: 2,
        headers: Duration::from_secs(2),
        connection: Duration::from_secs(2),
        shutdown: Duration::from_secs(1),
    };
    let server = Server::start(loopback(), large, limits)
        .await
        .expect("a port");
    let connect = async || {
        TcpStream::connect(server.address())
            .await
            .expect("it accepts")
    };
    let (mut one, mut other) = (connect().await, connect().await);
    for stream in [&mut one, &mut other] {
        stream
            .write_all(b"GET / HTTP/1.1\r\nhost: r\r\n\r\n")
            .await
            .expect("it is taken");
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    // A third of the same address is closed at once.
    let mut third = connect().await;
    let begun = Instant::now();
    let mut nothing = Vec::new();
    drop(third.read_to_end(&mut nothing).await);
    assert!(nothing.is_empty() && begun.elapsed() < Duration::from_secs(1));
    tokio::time::sleep(Duration::from_secs(3)).await;
    for stream in [&mut one, &mut other] {
        let mut answer = Vec::new();
        let ended =
            tokio::time::timeout(Duration::from_secs(5), stream.read_to_end(&mut answer)).await;
        assert!(ended.is_ok(), "a reader that does nothing was kept");
        assert!(
            answer.len() < 64 << 20,
            "it was all there, so this shows nothing"
        );
    }
    // Both places are free again.
    let (mut one, _other) = (connect().await, connect().await);
    one.write_all(b"HEAD / HTTP/1.1\r\nhost: r\r\n\r\n")
        .await
        .expect("it is taken");
    let mut answer = Vec::new();
    one.read_to_end(&mut answer).await.expect("it answers");
    assert!(String::from_utf8_lossy(&answer).contains("200 OK"));
    server.shutdown().await;
}
