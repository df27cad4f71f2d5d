//! Guards that people set: the kill switch, and the dry run. Nothing is written, the reason is everywhere, and lifting
//! it is enough.

use futures::future::join_all;
use recant_core::guard::Guard;
use recant_core::ids::TargetId;
use recant_core::record::Record;
use serde_json::{Value, json};

use super::{TEN_LOOKS, WITHIN, messages, plans, target, template, watch};
use crate::agent::{Agent, Options};
use crate::bed::Bed;
use crate::case::run_waiting;
use crate::namespace::Namespace;
use crate::wait::wait_for;

const SWITCH: &str = "recant.dev/kill-switch";

/// Waits until a hold shows in the journal, the snapshot, the log and a message, and nothing was written.
async fn is_held(agent: &Agent, ns: &Namespace, name: &str, guard: Guard, why: &str) {
    let target = target(ns, name);
    let hold = agent
        .wait_record(
            &format!("a hold by {guard}"),
            WITHIN,
            |entry| match &entry.record {
                Record::HoldBegan { target: held, hold }
                    if *held == target && hold.guard == guard =>
                {
                    Some(hold.clone())
                }
                _ => None,
            },
        )
        .await;
    assert!(hold.reason.contains(why), "{}", hold.reason);
    let message = agent.wait_slack(why, WITHIN).await;
    for word in [guard.as_str(), &target.to_string(), "is bad", "held"] {
        assert!(message.body.contains(word), "`{word}`: {}", message.body);
    }
    wait_for("the hold in the snapshot", WITHIN, || async {
        let snapshot = agent.snapshot().await;
        let targets = snapshot["targets"].as_array().cloned().unwrap_or_default();
        let shown = targets.iter().any(|shown: &Value| {
            shown["target"]["name"] == name && shown["holds"].to_string().contains(why)
        });
        if shown {
            Ok(())
        } else {
            Err(snapshot.to_string())
        }
    })
    .await;
    assert!(agent.log().contains(why), "the log does not say `{why}`");
    let metrics = agent.get("/metrics").await.expect("metrics");
    let label = format!("guard=\"{guard}\"");
    assert!(
        metrics
            .lines()
            .any(|line| line.contains(&label) && !line.ends_with(" 0")),
        "no metric of {guard}: {metrics}"
    );
    untouched(agent, ns, &target).await;
}

/// The template is still the bad one, and no plan began.
async fn untouched(agent: &Agent, ns: &Namespace, target: &TargetId) {
    assert_eq!(plans(agent, target), 0);
    let image = template(ns, &target.name).await;
    assert!(image.ends_with(":v2"), "{image}");
    let object = ns
        .kubectl(&["get", "deployment", &target.name, "-o", "yaml"])
        .await;
    assert!(!object.contains("recant.dev/plan"), "{object}");
}

#[test]
fn a_kill_switch_holds_until_it_is_lifted() {
    run_waiting(async {
        let bed = Bed::get().await;
        let [ns, other] = [bed.namespace("switch").await, bed.namespace("switch").await];
        ns.deployment("checkout", "v1", 2).await;
        other.deployment("cart", "v1", 2).await;
        let traffic = [ns.traffic("checkout", 20.0), other.traffic("cart", 20.0)];
        let rules = [
            watch(&ns, "checkout", "team"),
            watch(&other, "cart", "team"),
        ]
        .concat();
        let settings = vec![("guards.actionsPerHour", json!(100))];
        let options = Options {
            settings,
            ..Options::default()
        };
        let agent = Agent::start(&[&ns, &other], &rules, options).await;
        let on = format!("{SWITCH}=incident-42");
        bed.kubectl(&["annotate", "namespace", ns.name(), &on])
            .await;
        other
            .kubectl(&["annotate", "deployment", "cart", &on])
            .await;
        join_all(traffic.iter().map(|traffic| traffic.next(60, WITHIN))).await;
        ns.set_image("checkout", "v2").await;
        other.set_image("cart", "v2").await;
        let namespace = format!("namespace {}", ns.name());
        let deployment = target(&other, "cart").to_string();
        is_held(&agent, &ns, "checkout", Guard::KillSwitch, &namespace).await;
        is_held(&agent, &other, "cart", Guard::KillSwitch, &deployment).await;
        // It stays, and it is told once.
        join_all(
            traffic
                .iter()
                .map(|traffic| traffic.next(TEN_LOOKS, WITHIN)),
        )
        .await;
        for (ns, name) in [(&ns, "checkout"), (&other, "cart")] {
            let target = target(ns, name);
            untouched(&agent, ns, &target).await;
            let headline = format!("{target}: revision");
            assert_eq!(messages(&agent, 0, &headline), 1, "{target}");
        }
        let off = format!("{SWITCH}-");
        bed.kubectl(&["annotate", "namespace", ns.name(), &off])
            .await;
        other
            .kubectl(&["annotate", "deployment", "cart", &off])
            .await;
        for (ns, name) in [(&ns, "checkout"), (&other, "cart")] {
            ns.wait_template(name, "v1", WITHIN).await;
            assert_eq!(plans(&agent, &target(ns, name)), 1);
        }
    });
}

#[test]
fn a_dry_run_tells_and_writes_nothing() {
    run_waiting(async {
        let bed = Bed::get().await;
        let ns = bed.namespace("dry").await;
        ns.deployment("checkout", "v1", 2).await;
        let traffic = ns.traffic("checkout", 20.0);
        let options = Options {
            settings: vec![("dryRun", json!(true))],
            ..Options::default()
        };
        let agent = Agent::start(&[&ns], &watch(&ns, "checkout", "team"), options).await;
        traffic.next(60, WITHIN).await;
        ns.set_image("checkout", "v2").await;
        is_held(&agent, &ns, "checkout", Guard::DryRun, "dryRun: true").await;
        traffic.next(TEN_LOOKS, WITHIN).await;
        untouched(&agent, &ns, &target(&ns, "checkout")).await;
        assert_eq!(agent.slack().received().len(), 1, "told once");
    });
}
