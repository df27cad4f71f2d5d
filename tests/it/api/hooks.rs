//! What others report: alerts and markers, taken once they are durable, once each, and never lost without a word.

use std::fmt::Write as _;
use std::sync::{Arc, Mutex};

use hmac::{Hmac, KeyInit as _, Mac as _};
use recant::http::api::{Access, Token};
use recant::http::reports::{NotTaken, Reported};
use recant_core::hook::{Hook, MOST_ALERTS};
use secrecy::SecretString;
use serde_json::{Value, json};
use sha2::Sha256;
use tokio::sync::mpsc;

use super::bed::{Answer, Bed, judged, read};

const ALERTS: &str = "/alertmanager/v1/webhook";
const KEY: &str = "the key of CI";

fn token(text: &str) -> Arc<Token> {
    Arc::new(Token::fixed(SecretString::from(text)))
}

/// A port with a queue that is emptied as the agent does: what was taken.
async fn taking(access: Access) -> (Bed, Arc<Mutex<Vec<Hook>>>) {
    let (bed, mut queue) = Bed::start_with(access, Some(token(KEY))).await;
    let taken = Arc::new(Mutex::new(Vec::new()));
    let into = taken.clone();
    tokio::spawn(async move {
        while let Some(Reported { hooks, durable }) = queue.recv().await {
            into.lock().expect("nobody panics").extend(hooks);
            durable.send(Ok(())).expect("somebody waits");
        }
    });
    bed.show(vec![judged("checkout")]);
    (bed, taken)
}

/// A delivery as Alertmanager 0.28 sends it, with this many alerts.
fn delivery(status: &str, alerts: usize) -> Value {
    let alert = |number: usize| {
        json!({
            "status": status,
            "labels": {"alertname": "HighErrorRate", "namespace": "shop", "number": number.to_string()},
            "annotations": {"summary": "errors are high"},
            "startsAt": "2026-01-01T00:00:00.123Z",
            "endsAt": if status == "firing" { "0001-01-01T00:00:00Z" } else { "2026-01-01T00:05:00Z" },
            "generatorURL": "http://prometheus/graph",
            "fingerprint": format!("{number:016x}"),
        })
    };
    json!({
        "version": "4",
        "groupKey": "{}:{alertname=\"HighErrorRate\"}",
        "truncatedAlerts": 0,
        "status": status,
        "receiver": "recant",
        "groupLabels": {"alertname": "HighErrorRate"},
        "commonLabels": {},
        "commonAnnotations": {},
        "externalURL": "http://alertmanager",
        "notification_reason": "first notification",
        "alerts": (0..alerts).map(alert).collect::<Vec<_>>(),
    })
}

async fn post(bed: &Bed, path: &str, body: &Value) -> Answer {
    read(bed.http.post(bed.url(path)).json(body)).await
}

#[tokio::test]
async fn a_delivery_is_taken_with_all_its_alerts() {
    let (bed, taken) = taking(Access::default()).await;
    for status in ["firing", "resolved"] {
        let answer = post(&bed, ALERTS, &delivery(status, 3)).await;
        assert_eq!(
            (answer.status, answer.json()["taken"].as_u64()),
            (200, Some(3))
        );
    }
    let taken = taken.lock().expect("nobody panics");
    assert_eq!(taken.len(), 6);
    let (Hook::Alert(first), Hook::Alert(last)) = (&taken[0], &taken[5]) else {
        panic!("{taken:?}");
    };
    assert_eq!(first.fingerprint, "0000000000000000");
    assert_eq!(first.labels["namespace"], "shop");
    assert_eq!(first.summary.as_deref(), Some("errors are high"));
    assert_eq!(first.starts.to_string(), "2026-01-01T00:00:00.123Z");
    assert_eq!(first.ended, None);
    assert_eq!(
        last.ended.map(|ended| ended.to_string()).as_deref(),
        Some("2026-01-01T00:05:00Z")
    );
}

#[tokio::test]
async fn what_is_not_durable_is_answered_with_503() {
    // Nobody takes them: the journal cannot be written, say.
    let (bed, mut queue) = Bed::start_with(Access::default(), None).await;
    let answer = post(&bed, ALERTS, &delivery("firing", 1)).await;
    assert_eq!(answer.status, 503, "not started: {answer:?}");
    bed.show(vec![judged("checkout")]);
    let answer = post(&bed, ALERTS, &delivery("firing", 1)).await;
    assert_eq!(answer.status, 503, "too late: {answer:?}");
    assert!(
        answer.text.contains("could not be written down"),
        "{answer:?}"
    );
    // Who takes it up later sees that nobody waits.
    let late = queue.recv().await.expect("it waits");
    assert!(late.durable.is_closed());
    // The queue is full: there is no waiting then.
    let body = delivery("firing", 1);
    let clients = (0..80).map(|_| post(&bed, ALERTS, &body));
    let answers = futures::future::join_all(clients).await;
    let full = |answer: &&Answer| answer.text.contains("too many reports wait");
    assert_eq!(answers.iter().filter(full).count(), 80 - 64);
    assert!(
        answers.iter().all(|answer| answer.status == 503),
        "{answers:?}"
    );
    // The agent has gone.
    drop(queue);
    assert_eq!(post(&bed, ALERTS, &body).await.status, 503);
}

#[tokio::test]
async fn deliveries_that_cannot_be_used_are_refused_whole() {
    let (bed, taken) = taking(Access::default()).await;
    let broken = |field: &str, value: Value| {
        let mut delivery = delivery("firing", 2);
        delivery["alerts"][1][field] = value;
        delivery
    };
    let labels: serde_json::Map<String, Value> = (0..100)
        .map(|number| (format!("l{number}"), json!("x")))
        .collect();
    let mut versioned = delivery("firing", 1);
    versioned["version"] = json!("5");
    let deep = (0..100).fold(json!(1), |inner, _| json!([inner]));
    let deep = (0..100).fold(deep, |inner, _| json!({"x": inner}));
    let deep = broken("annotations", json!({"summary": deep}));
    for (body, status) in [
        (json!(null), 400),
        (json!({"alerts": "all"}), 400),
        (broken("status", json!("pending")), 400),
        (broken("startsAt", json!("yesterday")), 400),
        (broken("fingerprint", json!("")), 400),
        (broken("labels", json!({"a": "x".repeat(600)})), 400),
        (broken("labels", Value::Object(labels)), 400),
        (versioned, 400),
        (deep, 400),
        (delivery("firing", MOST_ALERTS + 1), 413),
        (json!({"alerts": [], "x": "x".repeat(10 << 20)}), 413),
    ] {
        let answer = post(&bed, ALERTS, &body).await;
        assert_eq!(answer.status, status, "{answer:?}");
        assert_eq!(answer.kind, "application/problem+json");
    }
    assert!(taken.lock().expect("nobody panics").is_empty());
    // A test message without alerts is fine.
    assert_eq!(post(&bed, ALERTS, &delivery("firing", 0)).await.status, 200);
}

#[tokio::test]
async fn who_may_only_read_reports_nothing() {
    let access = Access {
        read: Some(token("reads")),
        hook: Some(token("reports")),
        ..Access::default()
    };
    let (bed, taken) = taking(access).await;
    for path in [ALERTS, "/flagger/event", "/flagger/post-rollout"] {
        let request = || bed.http.post(bed.url(path)).json(&delivery("firing", 1));
        assert_eq!(read(request()).await.status, 401, "{path}");
        assert_eq!(
            read(request().bearer_auth("reads")).await.status,
            403,
            "{path}"
        );
    }
    assert!(taken.lock().expect("nobody panics").is_empty());
    let request = bed.http.post(bed.url(ALERTS)).json(&delivery("firing", 1));
    assert_eq!(read(request.bearer_auth("reports")).await.status, 200);

    let access = Access {
        read: Some(token("reads")),
        ..Access::default()
    };
    let (bed, _) = taking(access).await;
    let request = bed.http.post(bed.url(ALERTS)).json(&delivery("firing", 1));
    let answer = read(request.bearer_auth("reads")).await;
    assert_eq!(answer.status, 403, "{answer:?}");
    assert!(answer.text.contains("api.hookToken"), "{answer:?}");
}

/// Sends a marker, signed at a time with a key.
async fn mark(bed: &Bed, body: &str, at: i64, key: &str) -> Answer {
    let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).expect("any key will do");
    mac.update(format!("{at}.{body}").as_bytes());
    let mut signature = String::new();
    for byte in mac.finalize().into_bytes() {
        write!(signature, "{byte:02x}").expect("a String takes everything");
    }
    read(
        bed.http
            .post(bed.url("/markers"))
            .header("x-recant-timestamp", at.to_string())
            .header("x-recant-signature", format!("sha256={signature}"))
            .body(body.to_owned()),
    )
    .await
}

const MARKER: &str = r#"{"namespace": "shop", "kind": "Rollout", "name": "checkout", "version": "1.4.2",
    "commit": "4f3a9c1", "time": "2026-01-01T00:00:00Z", "url": "https://ci.example/7"}"#;

#[tokio::test]
async fn a_signed_marker_is_taken_and_its_repeat_is_the_same() {
    let (bed, taken) = taking(Access {
        read: Some(token("reads")),
        ..Access::default()
    })
    .await;
    let now = jiff::Timestamp::now().as_second();
    let first = mark(&bed, MARKER, now, KEY).await;
    assert_eq!(first.status, 200, "{first:?}");
    // CI tries again after a lost answer, with a new signature.
    let again = mark(&bed, MARKER, now + 1, KEY).await;
    assert_eq!(first.json()["id"], again.json()["id"]);
    let other = mark(&bed, &MARKER.replace("1.4.2", "1.4.3"), now, KEY).await;
    assert_ne!(first.json()["id"], other.json()["id"]);
    let taken = taken.lock().expect("nobody panics");
    let Hook::Marker(marker) = &taken[0] else {
        panic!("{taken:?}");
    };
    assert_eq!(
        (&*marker.version, marker.commit.as_deref()),
        ("1.4.2", Some("4f3a9c1"))
    );
    assert_eq!(taken[0], taken[1]);
}

#[tokio::test]
async fn markers_that_nobody_signed_are_not_taken() {
    let (bed, taken) = taking(Access::default()).await;
    let now = jiff::Timestamp::now().as_second();
    let plain = read(bed.http.post(bed.url("/markers")).body(MARKER)).await;
    assert_eq!(plain.status, 401, "{plain:?}");
    for (at, key) in [(now, "another key"), (now - 400, KEY), (now + 400, KEY)] {
        let answer = mark(&bed, MARKER, at, key).await;
        assert_eq!(answer.status, 401, "{answer:?}");
    }
    for (body, status) in [
        (MARKER.replace("checkout", "stranger"), 404),
        (MARKER.replace("Rollout", "Pod"), 400),
        (MARKER.replace("1.4.2", ""), 400),
        (MARKER.replace("1.4.2", "1\\u0007"), 400),
        (MARKER.replace("https://ci.example", "javascript:x"), 400),
        (MARKER.replace("2026-01-01T00:00:00Z", "now"), 400),
        (MARKER.replace("commit", "comit"), 400),
        ("x".repeat(1 << 20), 413),
    ] {
        let answer = mark(&bed, &body, now, KEY).await;
        assert_eq!(answer.status, status, "{answer:?}");
    }
    assert!(taken.lock().expect("nobody panics").is_empty());
    let (without_key, _): (Bed, mpsc::Receiver<Reported>) =
        Bed::start_with(Access::default(), None).await;
    without_key.show(vec![judged("checkout")]);
    let answer = mark(&without_key, MARKER, now, "").await;
    assert_eq!(answer.status, 403, "{answer:?}");
}

#[tokio::test]
async fn alerts_that_cannot_be_kept_are_not_taken() {
    let (bed, mut queue) = Bed::start_with(Access::default(), None).await;
    bed.show(vec![judged("checkout")]);
    tokio::spawn(async move {
        while let Some(Reported { durable, .. }) = queue.recv().await {
            durable.send(Err(NotTaken::NoRoom)).expect("somebody waits");
        }
    });
    // It is sent again then, and nothing is lost.
    let answer = post(&bed, ALERTS, &delivery("firing", 1)).await;
    assert_eq!(answer.status, 503, "{answer:?}");
    assert!(
        answer.text.contains("as many alerts fire as can be kept"),
        "{answer:?}"
    );
}
