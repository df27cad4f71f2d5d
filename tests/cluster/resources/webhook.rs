//! A webhook that hangs: its deadline, and then it is told on its own watch, while others act in time.

use std::time::{Duration, Instant};

use serde_json::json;

use super::WITHIN;
use super::agent::{ROLLBACK, agent_with, events, wait_condition, wait_event, watch};
use crate::bed::Bed;
use crate::case::{figure, run};
use crate::receiver::{Receiver, Reply};

#[test]
fn a_webhook_that_hangs_fails_on_its_own_watch_and_holds_nobody_up() {
    run(async {
        let bed = Bed::get().await;
        let (own, team) = (bed.namespace("recant").await, bed.namespace("hooks").await);
        team.deployment("checkout", "v1", 2).await;
        team.deployment("payments", "v1", 2).await;
        let settings = vec![("webhooks.plainHttp", json!(true))];
        let agent = agent_with(&own, &team, settings).await;
        let receiver = Receiver::start().await;
        receiver.set(Reply::Hang);
        let url = format!("{}/drain", receiver.url());
        let calls =
            json!({"rules": ["shared"], "onFail": [{"webhook": {"url": url, "timeout": "4s"}}]});
        let undoes = json!({"rules": ["shared"], "onFail": [{"rollback": {}}]});
        team.apply(&watch("checkout", &calls)).await;
        team.apply(&watch("payments", &undoes)).await;
        agent.launch();
        agent.wait_ready().await;
        for name in ["checkout", "payments"] {
            wait_condition(&team, ("Watch", name), ("Ready", "True", "Watching")).await;
        }
        let traffic = [
            team.traffic("checkout", 20.0),
            team.traffic("payments", 20.0),
        ];
        // Both are bad; the one whose webhook hangs comes first.
        team.set_image("checkout", "bad").await;
        let begun = wait_event(&team, ("Deployment", "checkout"), "Acting").await;
        assert!(begun.contains("call the webhook"), "{begun}");
        let called = Instant::now();
        team.set_image("payments", "bad").await;
        let failed = ("Acting", "False", "ActionFailed");
        let message = wait_condition(&team, ("Watch", "checkout"), failed).await;
        figure(&format!(
            "a hanging webhook is given up after {:?}",
            called.elapsed()
        ));
        assert!(
            called.elapsed() < Duration::from_secs(20),
            "{:?}",
            called.elapsed()
        );
        assert!(
            message.contains("did not answer within 4s") && message.contains("is not known"),
            "{message}"
        );
        assert!(!message.contains("/drain"), "{message}");
        wait_event(&team, ("Deployment", "checkout"), "ActionFailed").await;
        team.wait_template("payments", "v1", ROLLBACK).await;
        wait_event(&team, ("Deployment", "payments"), "RolledBack").await;
        let of_others = events(&team, "Deployment", "payments").await;
        assert!(
            of_others.iter().all(|(reason, _)| reason != "ActionFailed"),
            "{of_others:?}"
        );

        // It was called once, with what it has to know, and a key by which it would know a repeat.
        let received = receiver.received();
        assert_eq!(received.len(), 1, "{received:?}");
        let (body, headers) = (received[0].json(), &received[0].headers);
        assert_eq!(
            headers["idempotency-key"],
            body["idempotencyKey"].as_str().expect("a key")
        );
        assert_eq!(body["mayBeRepeat"], false);
        let data = &body["data"];
        assert_eq!(data["verdict"], "fail");
        assert_eq!(data["target"]["name"], "checkout");
        assert_eq!(data["rules"], json!(["shared/error-rate"]));
        assert!(
            data["evidence"][0]
                .as_str()
                .is_some_and(|said| said.contains("% of")),
            "{data:#}"
        );
        assert!(
            data["correlation"]
                .as_str()
                .is_some_and(|id| !id.is_empty()),
            "{data:#}"
        );

        // One that answers: the next release of the same target.
        receiver.set(Reply::Accept);
        team.set_image("checkout", "bad2").await;
        team.behave("bad2", crate::services::Behaviour::FAILING);
        let done = receiver.wait_accepted(1, WITHIN).await;
        assert_ne!(done[0].json()["idempotencyKey"], body["idempotencyKey"]);
        wait_event(&team, ("Deployment", "checkout"), "Acted").await;
        wait_condition(&team, ("Watch", "checkout"), ("Acting", "False", "Idle")).await;
        for traffic in traffic {
            traffic.stop().await;
        }
    });
}
