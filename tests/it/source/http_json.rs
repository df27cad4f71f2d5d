//! The source of JSON documents against real HTTP answers: a number, and everything that is none.

use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use wiremock::matchers::{header, method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

use recant::secrets::Secrets;
use recant::source::http_json::HttpJson;
use recant::source::{Query, Source as _};
use recant_core::observation::{Cause, Observation};
use recant_core::rule::{HttpJson as Asked, Level, Question, SecretRef, What};

use super::fixture::{clock, target, unavailable};

const TIMEOUT: Duration = Duration::from_millis(700);

fn query(url: &str, json_path: &str, authorization: Option<SecretRef>) -> Query {
    let asked = Asked {
        url: url.to_owned(),
        path: json_path.to_owned(),
        authorization,
    };
    Query {
        question: Question {
            what: What::Level(Level::HttpJson(asked)),
            label: None,
        },
        targets: vec![target("checkout", Vec::new())],
    }
}

fn source() -> HttpJson {
    HttpJson::with_timeout(Secrets::local(), clock(), TIMEOUT).expect("a client")
}

async fn serving(response: ResponseTemplate) -> (MockServer, String) {
    let server = MockServer::start().await;
    Mock::given(method("GET"))
        .and(path("/queues"))
        .respond_with(response)
        .mount(&server)
        .await;
    let url = format!("{}/queues", server.uri());
    (server, url)
}

async fn ask(response: ResponseTemplate) -> Observation {
    let (_server, url) = serving(response).await;
    let begun = Instant::now();
    let answer = source().read(&[query(&url, "$.waiting", None)]).await;
    assert!(begun.elapsed() < Duration::from_secs(3), "the deadline");
    answer.into_iter().flatten().next().expect("one answer")
}

fn value(observation: &Observation) -> String {
    match observation {
        Observation::Levels(levels) => match levels.readings.as_slice() {
            [one] => one.value.to_string(),
            several => panic!("{several:?}"),
        },
        other => panic!("no value: {other:?}"),
    }
}

async fn check(response: ResponseTemplate, cause: Cause, said: &str) {
    let observation = ask(response).await;
    let (was, reason) = unavailable(&observation);
    assert_eq!(was, cause, "{reason}");
    assert!(reason.contains(said), "`{reason}` lacks `{said}`");
    assert!(reason.contains("http://127.0.0.1"), "who: {reason}");
}

fn ok(body: &serde_json::Value) -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_json(body)
}

#[tokio::test]
async fn one_document_answers_every_number_that_is_asked_of_it() {
    let document = json!({"waiting": 12, "lanes": [{"id": "a", "depth": 1.5}]});
    let (server, url) = serving(ok(&document)).await;
    let queries = [
        query(&url, "$.waiting", None),
        query(&url, "$.lanes[?@.id=='a'].depth", None),
    ];
    let answers = source().read(&queries).await;
    assert_eq!(value(&answers[0][0]), "12");
    assert_eq!(value(&answers[1][0]), "1.5");
    let requests = server.received_requests().await.unwrap_or_default();
    assert_eq!(requests.len(), 1, "fetched once");
}

#[tokio::test]
async fn what_is_no_single_number_is_told() {
    for (document, said) in [
        (json!({"waiting": "12"}), "the text \"12\""),
        (json!({"waiting": null}), "null"),
        (json!({"depth": 12}), "nothing at `$.waiting`"),
        (json!([1, 2]), "nothing at `$.waiting`"),
        (json!({"waiting": {"a": 1}}), "an object of 1 field"),
    ] {
        check(ok(&document), Cause::Malformed, said).await;
    }
    let text = ResponseTemplate::new(200).set_body_string("{\"waiting\": NaN}");
    check(text, Cause::Malformed, "no JSON").await;
    let huge = format!("{{\"waiting\": 1, \"pad\": \"{}\"}}", "x".repeat(2_000_000));
    let huge = ResponseTemplate::new(200).set_body_string(huge);
    let observation = ask(huge).await;
    assert!(
        unavailable(&observation).1.contains("larger than 1 MiB"),
        "{observation:?}"
    );
}

#[tokio::test]
async fn a_service_that_is_down_far_off_or_elsewhere_is_told() {
    check(ResponseTemplate::new(500), Cause::Down, "answered 500").await;
    check(
        ResponseTemplate::new(404),
        Cause::Down,
        "Check the rule's `url`",
    )
    .await;
    check(ResponseTemplate::new(401), Cause::Down, "`authorization`").await;
    let elsewhere = ResponseTemplate::new(302).insert_header("Location", "http://127.0.0.1:1/");
    check(elsewhere, Cause::Down, "redirect").await;
    let slow = ok(&json!({"waiting": 1})).set_delay(Duration::from_secs(10));
    check(slow, Cause::Down, "did not answer within").await;
    let ten_minutes = Timestamp::now() - SignedDuration::from_mins(10);
    let date = jiff::fmt::rfc2822::DateTimePrinter::new()
        .timestamp_to_rfc9110_string(&ten_minutes)
        .expect("a date");
    let old = ok(&json!({"waiting": 1})).insert_header("Date", date.as_str());
    check(old, Cause::Clock, "a clock 6").await;
}

#[tokio::test]
async fn a_secret_is_sent_and_never_shown() {
    let server = MockServer::start().await;
    Mock::given(header("Authorization", "Bearer s3cret"))
        .respond_with(ok(&json!({"waiting": 3})))
        .mount(&server)
        .await;
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("token");
    std::fs::write(&file, "Bearer s3cret\n").expect("it can be written");
    let secret = |name: &std::path::Path| Some(SecretRef::File(name.display().to_string()));
    let queries = [query(&server.uri(), "$.waiting", secret(&file))];
    let answers = source().read(&queries).await;
    assert_eq!(value(&answers[0][0]), "3");

    let missing = folder.path().join("nowhere");
    let queries = [query(&server.uri(), "$.waiting", secret(&missing))];
    let answers = source().read(&queries).await;
    let (_, reason) = unavailable(&answers[0][0]);
    assert!(reason.contains("was not asked"), "{reason}");
    assert!(!reason.contains("s3cret"), "{reason}");
}
