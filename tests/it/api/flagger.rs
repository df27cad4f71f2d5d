//! Flagger's webhooks, replayed as it sends them: which answer each hook gets in each state of a release.

use recant::http::api::Access;
use recant_core::ids::TargetKind;
use recant_core::judge::{Finding, Limits, Measured, State};
use recant_core::record::Standing;
use recant_core::snapshot::TargetSnapshot;
use serde_json::{Value, json};

use super::bed::{Answer, Bed, read, with};

/// As `CallWebhook` of Flagger 1.42 writes it.
fn payload(name: &str) -> Value {
    json!({
        "name": name,
        "namespace": "shop",
        "phase": "Progressing",
        "checksum": "85d557f47b",
        "metadata": {"test": "all", "token": "16688eb5e9f289f1991c"},
    })
}

/// As `CallEventWebhook` writes it.
fn event(name: &str) -> Value {
    let mut payload = payload(name);
    payload["metadata"] = json!({
        "eventMessage": "Advance checkout.shop canary weight 20",
        "eventType": "Normal",
        "timestamp": "1767225600123",
    });
    payload
}

async fn post(bed: &Bed, hook: &str, payload: &Value) -> Answer {
    let url = bed.url(&format!("/flagger/{hook}"));
    read(bed.http.post(url).json(payload)).await
}

fn deployment(mut target: TargetSnapshot) -> TargetSnapshot {
    target.target.kind = TargetKind::Deployment;
    target
}

fn shared(name: &str) -> TargetSnapshot {
    let nothing = Measured {
        events: 0.0,
        bad: 0.0,
        value: None,
        or_more: false,
    };
    with(name, |analysis| {
        analysis.passing = true;
        analysis.findings = vec![Finding {
            rule: "http/error-rate".into(),
            state: State::BaselineAlsoBad,
            dry_run: false,
            canary: nothing,
            baseline: None,
            limits: Limits::default(),
            since: None,
            reaches_limit_in: None,
            compared: None,
            proof: None,
            sentence: "`http/error-rate`: both are above 5 %".to_owned(),
        }];
    })
}

const HOOKS: [&str; 6] = [
    "confirm-rollout",
    "pre-rollout",
    "rollout",
    "confirm-traffic-increase",
    "confirm-promotion",
    "rollback",
];

#[tokio::test]
async fn each_hook_has_its_answer_in_each_state() {
    let bed = Bed::start(Access::default()).await;
    let at = "2026-01-01T00:00:00Z".parse().expect("a time");
    let ended = |name: &str, standing| TargetSnapshot {
        analysis: None,
        standing,
        ..with(name, |_| ())
    };
    let mut blind = with("blind", |analysis| analysis.passing = true);
    blind.blind = Some("Prometheus answers 503".to_owned());
    let targets = vec![
        with("undecided", |_| ()),
        with("passing", |analysis| analysis.passing = true),
        with("failed", |analysis| analysis.failed = true),
        shared("shared"),
        blind,
        ended("good", Some(Standing::KnownGood { at })),
        ended("bad", Some(Standing::Failed { at })),
        ended("unclear", Some(Standing::Inconclusive { at })),
    ];
    bed.show(targets.into_iter().map(deployment).collect());
    // In the order of `HOOKS`. 200 of `rollback` takes the release back.
    for (name, statuses) in [
        ("undecided", [200, 200, 200, 200, 403, 403]),
        ("passing", [200, 200, 200, 200, 200, 403]),
        ("good", [200, 200, 200, 200, 200, 403]),
        ("failed", [403, 403, 403, 403, 403, 200]),
        ("bad", [403, 403, 403, 403, 403, 200]),
        ("shared", [200, 200, 200, 403, 403, 403]),
        ("unclear", [200, 200, 200, 403, 403, 403]),
        // What cannot be measured is no failed check, and opens no gate.
        ("blind", [503, 200, 200, 503, 503, 503]),
        ("stranger", [404; 6]),
    ] {
        for (hook, status) in HOOKS.into_iter().zip(statuses) {
            let answer = post(&bed, hook, &payload(name)).await;
            assert_eq!(answer.status, status, "{hook} of {name}: {answer:?}");
            // Flagger shows it to people as it is.
            assert_eq!(answer.kind, "text/plain; charset=utf-8");
            assert!(answer.text.len() > 10, "{answer:?}");
        }
        for hook in ["event", "post-rollout"] {
            let answer = post(&bed, hook, &event(name)).await;
            assert_eq!(answer.status, 200, "{hook} of {name}: {answer:?}");
        }
    }
}

#[tokio::test]
async fn nothing_is_taken_back_while_the_picture_may_be_an_old_one() {
    let bed = Bed::start(Access::default()).await;
    for hook in HOOKS {
        let status = if hook.ends_with("-rollout") && hook != "confirm-rollout" || hook == "rollout"
        {
            200
        } else {
            503
        };
        let answer = post(&bed, hook, &payload("failed")).await;
        assert_eq!(answer.status, status, "{hook}: {answer:?}");
    }
    bed.show(vec![deployment(with("failed", |analysis| {
        analysis.failed = true;
    }))]);
    bed.ops.readiness.block(
        "cluster",
        "deployments in `shop`: the watch broke off".to_owned(),
    );
    let answer = post(&bed, "rollback", &payload("failed")).await;
    assert_eq!(answer.status, 503, "{answer:?}");
    assert!(answer.text.contains("the watch broke off"), "{answer:?}");
    bed.ops.readiness.clear("cluster");
    assert_eq!(post(&bed, "rollback", &payload("failed")).await.status, 200);
}

#[tokio::test]
async fn a_webhook_may_name_another_target() {
    let bed = Bed::start(Access::default()).await;
    bed.show(vec![
        deployment(with("checkout-v2", |analysis| analysis.passing = true)),
        with("rolled", |_| ()),
    ]);
    for (target, status) in [
        ("checkout-v2", 200),
        ("Deployment/checkout-v2", 200),
        ("Rollout/rolled", 403),
        ("Rollout/checkout-v2", 404),
        ("Pod/checkout-v2", 400),
    ] {
        let mut payload = payload("checkout");
        payload["metadata"]["target"] = json!(target);
        let answer = post(&bed, "confirm-promotion", &payload).await;
        assert_eq!(answer.status, status, "{target}: {answer:?}");
    }
}

#[tokio::test]
async fn what_is_no_hook_is_refused() {
    let bed = Bed::start(Access::default()).await;
    bed.show(Vec::new());
    assert_eq!(post(&bed, "rollbck", &payload("a")).await.status, 404);
    assert_eq!(bed.get("/flagger/rollback").await.status, 405);
    let deep = format!("{}{}", "[".repeat(30_000), "]".repeat(30_000));
    for (body, status) in [
        (String::new(), 400),
        ("null".to_owned(), 400),
        ("{\"name\": \"a\"}".to_owned(), 400),
        ("{\"name\": 1, \"namespace\": \"shop\"}".to_owned(), 400),
        (deep, 400),
        (" ".repeat(10 << 20), 413),
        (" ".repeat(20 << 20), 413),
    ] {
        for hook in ["rollback", "rollout", "event"] {
            let request = bed.http.post(bed.url(&format!("/flagger/{hook}")));
            let sent = request.body(body.clone()).send().await;
            match sent {
                Ok(answer) => assert_eq!(answer.status().as_u16(), status, "{hook}"),
                // So much is not read: the connection is closed before all is sent.
                Err(error) => assert!(body.len() > (16 << 20), "{error}"),
            }
        }
    }
}
