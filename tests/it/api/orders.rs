//! People's orders over a real connection: who may give them, what reaches the engine, what comes back, and what the
//! commands print of it.

use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;
use recant::http::api::{Access, Token};
use recant::http::orders::{Answer, Order};
use recant_core::command::{Command, CommandOutcome, Lasting, Order as Ordered, Reach};
use recant_core::guard::{Guard, Hold};
use secrecy::SecretString;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::bed::{Bed, judged, read};
use crate::program::{Ran, recant};

/// A port to which everybody may order things, and the end of the queue that the agent would hold.
async fn bed() -> (Bed, mpsc::Receiver<Order>) {
    let (bed, orders) = Bed::start_ordering(Access::default()).await;
    bed.show(vec![judged("checkout")]);
    (bed, orders)
}

fn held() -> CommandOutcome {
    let hold = |guard, reason: &str, until: Option<Timestamp>| Hold {
        guard,
        rule: None,
        reason: reason.to_owned(),
        until,
    };
    CommandOutcome::Held {
        holds: vec![
            hold(
                Guard::KillSwitch,
                "the kill switch is on in the settings",
                None,
            ),
            hold(
                Guard::CoolDown,
                "it was rolled back less than 10 min ago",
                Some("2026-01-01T00:10:00Z".parse().expect("a time")),
            ),
        ],
    }
}

fn done(said: &str) -> CommandOutcome {
    CommandOutcome::Done {
        said: said.to_owned(),
        plan: Some("checkout-new-1-command-1".into()),
        overridden: Vec::new(),
    }
}

/// Takes one order and answers it.
async fn engine(
    orders: &mut mpsc::Receiver<Order>,
    outcome: CommandOutcome,
    write: Option<Result<Value, String>>,
) -> (Command, bool) {
    let Order { given, answer } = orders.recv().await.expect("an order");
    answer
        .send(Answer {
            outcome,
            writes: write.into_iter().collect(),
        })
        .expect("somebody waits");
    (given.command, given.dry_run)
}

#[tokio::test]
async fn an_order_reaches_the_engine_whole_and_its_answer_the_caller() {
    let (bed, mut orders) = bed().await;
    let post = async |path: &str, body: Value| {
        let request = bed.http.post(bed.url(&format!("/api/v1/{path}")));
        read(request.header("Idempotency-Key", "k1").json(&body)).await
    };
    let body = json!({"namespace": "shop", "target": "rollout/checkout", "to": "3", "reason": " slow carts ",
        "override": ["cool-down", "actions per hour"]});
    let (answer, (command, dry)) = tokio::join!(
        post("rollback", body),
        engine(&mut orders, done("it goes back"), None)
    );
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(
        answer.json(),
        json!({"outcome": "done", "dryRun": false, "said": "it goes back", "plan": "checkout-new-1-command-1"})
    );
    assert!(!dry);
    assert_eq!(
        (command.key.as_str(), command.by.caller.as_str()),
        ("k1", "anonymous")
    );
    assert_eq!(command.reason, "slow carts");
    assert_eq!(
        command.overrides,
        [Guard::CoolDown, Guard::ActionRate].into()
    );
    assert_eq!(
        command.order.to_string(),
        "roll Rollout shop/checkout back to revision 3"
    );

    let freeze = json!({"namespace": "shop", "for": "90m"});
    let (answer, (command, _)) =
        tokio::join!(post("freeze", freeze), engine(&mut orders, held(), None));
    assert_eq!(answer.status, 409, "{answer:?}");
    insta::assert_json_snapshot!("held_order", answer.json());
    let reach = Reach::Namespace {
        namespace: "shop".to_owned(),
    };
    let lasts = Lasting::Seconds(5400);
    assert_eq!(command.order, Ordered::Freeze { reach, lasts });

    let refused = CommandOutcome::Refused {
        reason: "nothing holds it".to_owned(),
    };
    let resume = json!({"namespace": "shop", "target": "Rollout/checkout", "dryRun": true});
    let (answer, (_, dry)) = tokio::join!(
        post("resume", resume.clone()),
        engine(&mut orders, refused.clone(), None)
    );
    assert!(dry);
    assert_eq!(
        (answer.status, &answer.json()["outcome"]),
        (200, &json!("refused"))
    );
    let mut really = resume;
    really["dryRun"] = json!(false);
    let (answer, _) = tokio::join!(post("resume", really), engine(&mut orders, refused, None));
    assert_eq!(answer.status, 422, "{answer:?}");
}

#[tokio::test]
async fn what_is_no_order_is_refused_before_the_engine_with_what_to_send() {
    let (bed, _orders) = bed().await;
    let target = json!({"namespace": "shop", "target": "Rollout/checkout"});
    let with = |field: &str, value: Value| {
        let mut body = target.clone();
        body[field] = value;
        body
    };
    let mut said = Vec::new();
    for (path, key, body) in [
        ("hold", "", target.clone()),
        ("hold", "a b", target.clone()),
        (
            "hold",
            "k",
            json!({"namespace": "shop", "target": "checkout"}),
        ),
        (
            "hold",
            "k",
            json!({"namespace": "shop", "target": "Node/checkout"}),
        ),
        (
            "hold",
            "k",
            json!({"namespace": "", "target": "Rollout/checkout"}),
        ),
        ("hold", "k", with("for", json!("soon"))),
        ("hold", "k", with("for", json!("0s"))),
        ("hold", "k", with("until", json!("tomorrow"))),
        (
            "hold",
            "k",
            json!({"namespace": "shop", "target": "Rollout/checkout", "for": "1h", "until": "2026-01-01T00:00:00Z"}),
        ),
        ("hold", "k", with("reason", json!("x".repeat(501)))),
        ("hold", "k", with("reason", json!("one\ntwo"))),
        ("hold", "k", with("override", json!(["freeze"]))),
        ("rollback", "k", with("override", json!(["everything"]))),
        ("rollback", "k", with("to", json!(3))),
        ("freeze", "k", json!({"target": "Rollout/checkout"})),
        ("freeze", "k", json!([])),
    ] {
        let request = bed
            .http
            .post(bed.url(&format!("/api/v1/{path}")))
            .json(&body);
        let answer = read(request.header("Idempotency-Key", key)).await;
        assert_eq!(answer.status, 400, "{path} {body}: {answer:?}");
        let detail = answer.json()["detail"].as_str().expect("a text").to_owned();
        said.push(format!("{path} {body}\n  {detail}"));
    }
    let said = said.join("\n").replace(&"x".repeat(501), "xxx…");
    insta::assert_snapshot!("no_orders", said);
}

#[tokio::test]
async fn changes_are_read_whole_and_refused_with_what_to_send() {
    let (bed, mut orders) = bed().await;
    let post = async |path: &str, body: Value| {
        let request = bed.http.post(bed.url(&format!("/api/v1/{path}")));
        read(request.header("Idempotency-Key", "k1").json(&body)).await
    };
    for (path, body, order) in [
        (
            "scale",
            json!({"namespace": "shop", "target": "deployment/worker", "replicas": 5, "for": "30m"}),
            "scale Deployment shop/worker to 5 replicas for 30 min",
        ),
        (
            "scale",
            json!({"namespace": "shop", "target": "StatefulSet/worker", "factor": "150%"}),
            "scale StatefulSet shop/worker to 150 % of its replicas",
        ),
        (
            "switch",
            json!({"namespace": "shop", "target": "service/checkout", "to": {"color": "blue"},
                "workload": "Deployment/checkout-blue", "present": "Deployment/checkout-green", "min": 3, "wait": "1m"}),
            "switch Service shop/checkout to `color: blue`",
        ),
        (
            "switch",
            json!({"namespace": "shop", "target": "Ingress/api", "host": "api.example.com", "to": {"service": "api-blue"},
                "workload": "Rollout/api-blue"}),
            "switch Ingress shop/api to Service `api-blue`",
        ),
    ] {
        let (answer, (command, _)) =
            tokio::join!(post(path, body), engine(&mut orders, done("begun"), None));
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(command.order.to_string(), order);
        // In the journal and back.
        let text = serde_json::to_string(&command).expect("JSON");
        let again: Command = serde_json::from_str(&text).expect("reads what it wrote");
        assert_eq!(again, command);
    }
    let scale = json!({"namespace": "shop", "target": "Deployment/worker"});
    let switch = json!({"namespace": "shop", "target": "Service/checkout", "to": {"color": "blue"},
        "workload": "Deployment/checkout-blue"});
    let with = |body: &Value, field: &str, value: Value| {
        let mut body = body.clone();
        body[field] = value;
        body
    };
    let mut without = switch.clone();
    without
        .as_object_mut()
        .expect("an object")
        .remove("workload");
    let mut said = Vec::new();
    for (path, body) in [
        ("scale", scale.clone()),
        ("scale", with(&scale, "replicas", json!(0))),
        ("scale", with(&scale, "replicas", json!("5"))),
        ("scale", with(&scale, "factor", json!("1.5"))),
        ("scale", with(&scale, "factor", json!("90%"))),
        (
            "scale",
            with(&with(&scale, "replicas", json!(5)), "factor", json!("150%")),
        ),
        (
            "scale",
            with(
                &with(&scale, "replicas", json!(5)),
                "target",
                json!("DaemonSet/worker"),
            ),
        ),
        (
            "scale",
            with(&with(&scale, "replicas", json!(5)), "for", json!("soon")),
        ),
        ("switch", without),
        (
            "switch",
            with(&switch, "target", json!("Deployment/checkout")),
        ),
        ("switch", with(&switch, "to", json!({}))),
        (
            "switch",
            with(&switch, "to", json!({"color": "light blue"})),
        ),
        ("switch", with(&switch, "path", json!("/"))),
        ("switch", with(&switch, "target", json!("Ingress/api"))),
        ("switch", with(&switch, "min", json!(0))),
        ("switch", with(&switch, "wait", json!("2h"))),
    ] {
        let answer = post(path, body.clone()).await;
        assert_eq!(answer.status, 400, "{path} {body}: {answer:?}");
        let detail = answer.json()["detail"].as_str().expect("a text").to_owned();
        said.push(format!("{path} {body}\n  {detail}"));
    }
    insta::assert_snapshot!("no_changes", said.join("\n"));
}

#[tokio::test]
async fn only_who_may_act_orders_and_the_journal_is_told_who_that_is() {
    let token = |text: &str| Some(Arc::new(Token::fixed(SecretString::from(text))));
    let access = Access {
        read: token("reads"),
        hook: token("reports"),
        ..Access::default()
    };
    let (bed, _orders) = Bed::start_ordering(access).await;
    bed.show(vec![judged("checkout")]);
    let body = json!({"namespace": "shop", "target": "Rollout/checkout"});
    for (token, status) in [(None, 401), (Some("reads"), 403), (Some("reports"), 403)] {
        let mut request = bed.http.post(bed.url("/api/v1/rollback")).json(&body);
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        let answer = read(request.header("Idempotency-Key", "k")).await;
        assert_eq!(answer.status, status, "{answer:?}");
    }
    // A page that somebody else made up cannot send one from a browser: the body must be JSON, and a key be there.
    let answer = read(bed.http.get(bed.url("/api/v1/rollback"))).await;
    assert_eq!(answer.status, 405);
}

#[tokio::test]
async fn a_replica_that_does_not_act_says_which_one_does_and_a_busy_one_what_to_do() {
    let (bed, orders) = bed().await;
    let post = async || {
        let body = json!({"namespace": "shop", "target": "Rollout/checkout"});
        let request = bed.http.post(bed.url("/api/v1/resume")).json(&body);
        read(request.header("Idempotency-Key", "k")).await
    };
    let waits = "waits for the Lease `recant`: `recant-1_7` holds it".to_owned();
    bed.ops.readiness.block("lease", waits);
    let answer = post().await;
    assert_eq!(answer.status, 503);
    assert!(answer.text.contains("`recant-1_7` holds it"), "{answer:?}");
    bed.ops.readiness.clear("lease");
    drop(orders);
    let answer = post().await;
    assert_eq!(answer.status, 503);
    assert!(
        answer.text.contains("send it again with the same"),
        "{answer:?}"
    );
}

async fn run(bed: &Bed, arguments: &[&str]) -> Ran {
    let url = bed.url("");
    let arguments: Vec<String> = arguments.iter().map(|text| (*text).to_owned()).collect();
    let running = tokio::task::spawn_blocking(move || {
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        recant(Path::new("."), &arguments, &[("RECANT_URL", &url)])
    });
    running.await.expect("it runs")
}

#[tokio::test]
async fn commands_print_the_exact_patch_and_the_guards() {
    let (bed, mut orders) = bed().await;
    let patch = json!({"object": "Rollout shop/checkout", "contentType": "application/merge-patch+json",
        "patch": {"metadata": {"resourceVersion": "7"}, "status": {"abort": true}}});
    let arguments = [
        "rollback",
        "Rollout/checkout",
        "-n",
        "shop",
        "--dry-run",
        "--reason",
        "slow",
        "--override",
        "cool-down",
    ];
    let (ran, (command, dry)) = tokio::join!(
        run(&bed, &arguments),
        engine(&mut orders, held(), Some(Ok(patch)))
    );
    assert!(dry);
    assert_eq!(command.reason, "slow");
    assert_eq!(command.overrides, [Guard::CoolDown].into());
    assert_eq!((ran.code, ran.err.as_str()), (1, ""), "{ran:?}");
    insta::assert_snapshot!("dry_rollback", ran.out);
    let (ran, (command, _)) = tokio::join!(
        run(
            &bed,
            &["freeze", "--scope", "shop/Rollout/checkout", "--for", "2h"]
        ),
        engine(&mut orders, done("it is frozen"), None)
    );
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(
        command.order.to_string(),
        "freeze Rollout shop/checkout for 2 h"
    );
    assert!(command.key.len() > 8, "{command:?}");
    let ran = run(&bed, &["hold", "checkout", "-n", "shop"]).await;
    assert_eq!(ran.code, 2, "{ran:?}");
    assert!(ran.err.contains("write KIND/NAME"), "{ran:?}");
}

#[test]
fn without_an_agent_commands_say_so_and_do_nothing() {
    let hold = ["hold", "Deployment/checkout", "-n", "shop"];
    let ran = recant(Path::new("."), &hold, &[]);
    assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{ran:?}");
    assert!(
        ran.err.contains("Without an agent nothing is done"),
        "{ran:?}"
    );
    // Nobody listens there.
    let ran = recant(
        Path::new("."),
        &hold,
        &[("RECANT_URL", "http://127.0.0.1:9")],
    );
    assert_eq!((ran.code, ran.out.as_str()), (4, ""), "{ran:?}");
    assert!(
        ran.err.contains("Nothing is known to have been done"),
        "{ran:?}"
    );
    let (_, key) = ran
        .err
        .split_once("add `--key ")
        .expect("the key of a repeat");
    assert!(
        key.starts_with(|first: char| first.is_ascii_alphanumeric()),
        "{ran:?}"
    );
    // No secret of the address is shown.
    let secret = [("RECANT_URL", "http://anna:hunter2@127.0.0.1:9/x")];
    let ran = recant(Path::new("."), &hold, &secret);
    assert!(!ran.err.contains("hunter2"), "{ran:?}");
}
