//! The real agent by resources alone: a team's bad release is taken back, and what is said about it stands on the objects.

use std::time::Duration;

use k8s_openapi::api::events::v1::Event;
use kube::api::{DeleteParams, ListParams};
use serde_json::{Value, json};

use super::{WITHIN, api, define};
use crate::agent::{Agent, IDENTITY, Options};
use crate::bed::Bed;
use crate::case::{figure, run};
use crate::namespace::Namespace;
use crate::receiver::Receiver;
use crate::wait::wait_for;

const RULES: &str = "
apiVersion: recant.dev/v1alpha1
kind: RuleSet
metadata: {name: shared}
rules:
- {name: error-rate, ratio: {bad: 'http_requests_total{status=~\"5..\"}', total: http_requests_total}, max: 5%}
";

/// How long a rollback may take, from the release on.
pub(super) const ROLLBACK: Duration = Duration::from_secs(90);

async fn agent(own: &Namespace, team: &Namespace) -> Agent {
    agent_with(own, team, Vec::new()).await
}

/// With settings of its own.
pub(super) async fn agent_with(
    own: &Namespace,
    team: &Namespace,
    more: Vec<(&'static str, Value)>,
) -> Agent {
    define(own.bed()).await;
    let mut settings = vec![
        ("resources.enabled", json!(true)),
        ("resources.namespaces", json!([team.name()])),
    ];
    settings.extend(more);
    let options = Options {
        settings,
        ..Options::default()
    };
    Agent::prepare(&[own, team], RULES, options).await
}

pub(super) fn watch(name: &str, more: &Value) -> Value {
    let mut watch = json!({
        "apiVersion": "recant.dev/v1alpha1",
        "kind": "Watch",
        "metadata": {"name": name},
        "target": {"kind": "Deployment", "name": name},
        "rules": ["shared", "team"],
        "onFail": [{"rollback": {}}, {"notify": ["team"]}],
    });
    let fields = watch.as_object_mut().expect("a mapping");
    fields.extend(more.as_object().expect("a mapping").clone());
    watch
}

fn rule_set() -> Value {
    json!({
        "apiVersion": "recant.dev/v1alpha1",
        "kind": "RuleSet",
        "metadata": {"name": "team"},
        "rules": [{"name": "slow", "histogram": "http_request_duration_seconds", "quantile": "95%", "max": "20s"}],
    })
}

pub(super) async fn object(ns: &Namespace, kind: &str, name: &str) -> Value {
    let found = api(ns.bed(), kind, ns.name()).get(name).await;
    serde_json::to_value(found.expect("it is there")).expect("JSON")
}

fn condition<'v>(object: &'v Value, kind: &str) -> &'v Value {
    let conditions = object["status"]["conditions"].as_array();
    let found = conditions.and_then(|all| all.iter().find(|c| c["type"] == kind));
    found.unwrap_or(&Value::Null)
}

/// Waits until a condition has this status and reason, and says its message.
pub(super) async fn wait_condition(
    ns: &Namespace,
    (kind, name): (&str, &str),
    (of, status, reason): (&str, &str, &str),
) -> String {
    let what = format!("{kind} {name} to be {of}={status} for {reason}");
    wait_for(&what, WITHIN, || async {
        let object = object(ns, kind, name).await;
        let found = condition(&object, of);
        if found["status"] == status && found["reason"] == reason {
            assert_eq!(
                found["observedGeneration"],
                object["metadata"]["generation"]
            );
            Ok(found["message"].as_str().unwrap_or_default().to_owned())
        } else {
            Err(object["status"].to_string())
        }
    })
    .await
}

/// Reasons of the events on an object, with how often.
pub(super) async fn events(ns: &Namespace, kind: &str, name: &str) -> Vec<(String, String)> {
    let all = ns
        .api::<Event>()
        .list(&ListParams::default())
        .await
        .expect("events");
    all.items
        .into_iter()
        .filter(|event| {
            let about = event.regarding.as_ref();
            about.is_some_and(|about| {
                about.kind.as_deref() == Some(kind) && about.name.as_deref() == Some(name)
            })
        })
        .filter(|event| event.reporting_controller.as_deref() == Some("recant.dev/agent"))
        .map(|event| {
            (
                event.reason.unwrap_or_default(),
                event.note.unwrap_or_default(),
            )
        })
        .collect()
}

pub(super) async fn wait_event(ns: &Namespace, (kind, name): (&str, &str), reason: &str) -> String {
    wait_for(
        &format!("an event {reason} on {kind} {name}"),
        WITHIN,
        || async {
            let events = events(ns, kind, name).await;
            let found = events.iter().find(|(found, _)| found == reason);
            found
                .map(|(_, note)| note.clone())
                .ok_or(format!("{events:?}"))
        },
    )
    .await
}

/// What `recant check --cluster` prints with the agent's settings and rights.
async fn check(agent: &Agent) -> String {
    let ran = tokio::process::Command::new(env!("CARGO_BIN_EXE_recant"))
        .args(["check", "--cluster", "--config"])
        .arg(agent.settings_file())
        .env("KUBECONFIG", agent.kubeconfig())
        .env(
            "TEAM_SLACK",
            format!("{}/services/T0/SECRET", agent.slack().url()),
        )
        .kill_on_drop(true)
        .output();
    let ran = tokio::time::timeout(WITHIN, ran).await.expect("it ends");
    let ran = ran.expect("it starts");
    assert_eq!(ran.status.code(), Some(2));
    let text = [ran.stdout, ran.stderr].concat();
    String::from_utf8_lossy(&text).into_owned()
}

/// A channel of the team's own, whose address is in a Secret of its namespace that the agent may read.
async fn channel(team: &Namespace, slack: &Receiver) {
    let url = format!("url={}/services/T/SECRET", slack.url());
    team.kubectl(&[
        "create",
        "secret",
        "generic",
        "slack",
        "--from-literal",
        &url,
    ])
    .await;
    team.apply(&json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": {"name": "slack"},
        "rules": [{"apiGroups": [""], "resources": ["secrets"], "resourceNames": ["slack"], "verbs": ["get"]}],
    }))
    .await;
    team.apply(&json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": {"name": "slack"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "slack"},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": IDENTITY}],
    }))
    .await;
    team.apply(&json!({
        "apiVersion": "recant.dev/v1alpha1", "kind": "Channel", "metadata": {"name": "team"},
        "slack": {"url": {"secret": {"name": "slack", "key": "url"}}},
    }))
    .await;
}

#[test]
fn a_teams_bad_release_is_taken_back_and_its_watch_says_so() {
    run(async {
        let bed = Bed::get().await;
        let (own, team) = (bed.namespace("recant").await, bed.namespace("team").await);
        team.deployment("checkout", "v1", 2).await;
        let slack = Receiver::start().await;
        let agent = agent(&own, &team).await;
        channel(&team, &slack).await;
        team.apply(&rule_set()).await;
        team.apply(&watch("checkout", &json!({}))).await;
        agent.launch();
        agent.wait_ready().await;
        let message =
            wait_condition(&team, ("Watch", "checkout"), ("Ready", "True", "Watching")).await;
        assert_eq!(message, "watching Deployment/checkout");
        wait_condition(&team, ("RuleSet", "team"), ("Ready", "True", "Valid")).await;
        wait_condition(&team, ("Channel", "team"), ("Ready", "True", "Valid")).await;
        let traffic = team.traffic("checkout", 20.0);

        // Nothing happens: nothing is written, also not by an agent that starts again.
        let version = |object: &Value| object["metadata"]["resourceVersion"].clone();
        let before = object(&team, "Watch", "checkout").await;
        tokio::time::sleep(Duration::from_secs(3)).await;
        agent.kill();
        agent.start_again().await;
        tokio::time::sleep(Duration::from_secs(3)).await;
        let after = object(&team, "Watch", "checkout").await;
        assert_eq!(version(&before), version(&after), "{before:#}\n{after:#}");

        team.set_image("checkout", "bad").await;
        let what = "the status to say what was done";
        let said = wait_for(what, ROLLBACK, || async {
            let object = object(&team, "Watch", "checkout").await;
            let done = object["status"]["lastAction"]["outcome"] == "Done";
            done.then_some(object.clone())
                .ok_or(object["status"].to_string())
        })
        .await;
        assert_eq!(said["status"]["lastVerdict"]["result"], "Fail");
        assert_eq!(said["status"]["lastAction"]["action"], "Rollback");
        let evidence = said["status"]["lastVerdict"]["message"]
            .as_str()
            .unwrap_or_default();
        assert!(
            evidence.contains("`shared/error-rate`") && evidence.contains("% of"),
            "{evidence}"
        );
        team.wait_template("checkout", "v1", WITHIN).await;
        for reason in ["JudgingBegan", "ReleaseFailed", "RollingBack", "RolledBack"] {
            wait_event(&team, ("Deployment", "checkout"), reason).await;
        }
        slack.wait_accepted(1, WITHIN).await;
        for arguments in [
            &["get", "watches.recant.dev"][..],
            &["get", "watches.recant.dev", "-o", "wide"],
            &["get", "recant"],
        ] {
            for line in team.kubectl(arguments).await.lines() {
                figure(line);
            }
        }
        let shown = team.kubectl(&["get", "rcw"]).await;
        for word in [
            "TARGET",
            "VERDICT",
            "LAST ACTION",
            "AGE",
            "Deployment/checkout",
            "Fail",
            "Rollback",
            "Done",
        ] {
            assert!(shown.contains(word), "{shown}");
        }
        wait_condition(&team, ("Watch", "checkout"), ("Acting", "False", "Idle")).await;
        wait_condition(
            &team,
            ("Watch", "checkout"),
            ("Healthy", "True", "NothingBroken"),
        )
        .await;
        traffic.stop().await;
    });
}

#[test]
fn a_bad_document_is_told_on_itself_and_changes_nothing_else() {
    run(async {
        let bed = Bed::get().await;
        let (own, team) = (bed.namespace("recant").await, bed.namespace("team").await);
        team.deployment("checkout", "v1", 1).await;
        team.deployment("payments", "v1", 1).await;
        let agent = agent(&own, &team).await;
        agent.launch();
        agent.wait_ready().await;
        let silent = json!({"onFail": [{"rollback": {}}], "rules": ["shared"]});
        // While it runs: a document that is new is taken up.
        team.apply(&watch("checkout", &silent)).await;
        wait_condition(&team, ("Watch", "checkout"), ("Ready", "True", "Watching")).await;

        // A name that leads nowhere: the last good form goes on to hold, and the event says why.
        let mut dangling = silent.clone();
        dangling["rules"] = json!(["shard"]);
        team.apply(&watch("checkout", &dangling)).await;
        let refused = ("Ready", "False", "InvalidKeptLast");
        let message = wait_condition(&team, ("Watch", "checkout"), refused).await;
        assert!(
            message.contains("rules[0]: there is no rule set `shard`: did you mean `shared`?"),
            "{message}"
        );
        wait_event(&team, ("Watch", "checkout"), "DocumentRefused").await;

        // A second watch of one target, a target that is not there, a channel that would read the agent's environment.
        let mut second = silent.clone();
        second["target"] = json!({"kind": "Deployment", "name": "checkout"});
        team.apply(&watch("second", &second)).await;
        let invalid = ("Ready", "False", "Invalid");
        let message = wait_condition(&team, ("Watch", "second"), invalid).await;
        let both = format!("Watch {}/checkout", team.name());
        assert!(
            message.contains("two watches have the target") && message.contains(&both),
            "{message}"
        );
        team.apply(&watch("nowhere", &silent)).await;
        wait_condition(
            &team,
            ("Watch", "nowhere"),
            ("Ready", "False", "TargetMissing"),
        )
        .await;
        team.apply(&json!({
            "apiVersion": "recant.dev/v1alpha1", "kind": "Channel", "metadata": {"name": "thief"},
            "slack": {"url": {"env": "HOME"}},
        }))
        .await;
        let message = wait_condition(&team, ("Channel", "thief"), invalid).await;
        assert!(message.contains("slack.url.env"), "{message}");

        // `recant check --cluster` says what the documents are without what was before: `checkout` holds no target.
        let said = check(&agent).await;
        for words in [
            "checkout: rules[0]: there is no rule set `shard`",
            "thief: slack.url.env: `env` is the agent's own",
        ] {
            assert!(said.contains(words), "{said}");
        }

        // The others are not concerned: one that is good is taken up, and the first is still watched as it was.
        team.apply(&watch("payments", &silent)).await;
        wait_condition(&team, ("Watch", "payments"), ("Ready", "True", "Watching")).await;
        let snapshot = agent.snapshot().await;
        let targets = snapshot["targets"].as_array().expect("targets");
        let watched = |name: &str| {
            targets
                .iter()
                .any(|t| t["target"]["name"] == name && t["seen"] == true)
        };
        assert!(watched("checkout") && watched("payments"), "{snapshot:#}");

        // One goes in the middle of its analysis: it is watched no more, and nothing is done.
        let traffic = team.traffic("payments", 20.0);
        team.set_image("payments", "v2-slow-start").await;
        wait_condition(&team, ("Watch", "payments"), ("Judging", "True", "Judging")).await;
        api(bed, "Watch", team.name())
            .delete("payments", &DeleteParams::default())
            .await
            .expect("an administrator may");
        wait_for("it to be watched no more", WITHIN, || async {
            let snapshot = agent.snapshot().await;
            let targets = snapshot["targets"].as_array().expect("targets").clone();
            let there = targets.iter().any(|t| t["target"]["name"] == "payments");
            (!there).then_some(()).ok_or("it is".to_owned())
        })
        .await;
        // Without any finalizer it is gone at once.
        assert!(
            api(bed, "Watch", team.name())
                .get_opt("payments")
                .await
                .expect("an answer")
                .is_none()
        );
        traffic.stop().await;
        let log = agent.log();
        assert!(!log.contains("panicked"), "{log}");
    });
}

#[test]
fn without_the_right_to_write_a_status_releases_are_taken_back_all_the_same() {
    run(async {
        let bed = Bed::get().await;
        let (own, team) = (bed.namespace("recant").await, bed.namespace("team").await);
        team.deployment("checkout", "v1", 2).await;
        let agent = agent(&own, &team).await;
        // The Role of the manifests without what it says back.
        let text = team.kubectl(&["get", "role", "recant", "-o", "json"]).await;
        let mut role: Value = serde_json::from_str(&text).expect("JSON");
        let rules = role["rules"].as_array_mut().expect("rules");
        rules.retain(|rule| {
            let of = rule["resources"].to_string();
            !of.contains("/status") || of.contains("rollouts") || of.contains("events")
        });
        rules.retain(|rule| !rule["resources"].to_string().contains("events"));
        role["metadata"] = json!({"name": "recant"});
        team.apply(&role).await;
        let kubeconfig = bed.kubeconfig_for(IDENTITY);
        let may = [
            "auth",
            "can-i",
            "patch",
            "watches.recant.dev",
            "--subresource=status",
            "-n",
            team.name(),
        ];
        wait_for("the lesser Role to be in force", WITHIN, || async {
            // kubectl says no with an exit code.
            match bed.kubectl_as(&kubeconfig, &may, "").await {
                Ok(yes) => Err(yes),
                Err(_) => Ok(()),
            }
        })
        .await;
        team.apply(&watch(
            "checkout",
            &json!({"onFail": [{"rollback": {}}], "rules": ["shared"]}),
        ))
        .await;
        agent.launch();
        agent.wait_ready().await;
        let traffic = team.traffic("checkout", 20.0);
        team.set_image("checkout", "bad").await;
        team.wait_template("checkout", "bad", WITHIN).await;
        team.wait_template("checkout", "v1", ROLLBACK).await;
        wait_for("the log to say what is lacking", WITHIN, || async {
            let log = agent.log();
            let said = ["`watches.recant.dev/status`", "`events.events.k8s.io`"];
            said.iter()
                .all(|word| log.contains(word))
                .then_some(())
                .ok_or(log)
        })
        .await;
        assert!(object(&team, "Watch", "checkout").await["status"].is_null());
        traffic.stop().await;
    });
}
