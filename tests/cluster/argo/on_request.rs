//! Rollouts that no Watch names: a Watch on request allows them, and the first question of an analysis of theirs takes
//! them up. They are named by what their templates know: a label, a Service.

use std::time::Duration;

use futures::StreamExt as _;
use recant_core::record::Record;
use serde_json::{Value, json};

use super::{TOKEN, WITHIN, agent, run_of};
use crate::agent::{Agent, Options};
use crate::bed::Bed;
use crate::case::run;
use crate::manifests;
use crate::namespace::Namespace;
use crate::wait::wait_for;

fn rules(ns: &Namespace) -> String {
    let rules = r#"
apiVersion: recant.dev/v1alpha1
kind: RuleSet
metadata: {name: shop}
rules:
- name: error-rate
  ratio: {bad: 'http_requests_total{status=~"5.."}', total: http_requests_total}
  max: 10%
---
apiVersion: recant.dev/v1alpha1
kind: Watch
metadata: {name: asked, namespace: NAMESPACE}
targets: {kinds: [Rollout], onRequest: true}
source: scrape
rules: [shop]
dryRun: true
"#;
    rules.replace("NAMESPACE", ns.name())
}

/// One template for all Rollouts, which says by an argument how they are named.
async fn template(ns: &Namespace, address: &str) {
    let url = format!(
        "http://{address}/argo/v1/analysis?namespace={}&hash={{{{args.hash}}}}&{{{{args.named}}}}",
        ns.name()
    );
    ns.apply(&json!({
        "apiVersion": "argoproj.io/v1alpha1", "kind": "AnalysisTemplate", "metadata": {"name": "recant"},
        "spec": {
            "args": [{"name": "hash"}, {"name": "named"}],
            "metrics": [{
                "name": "recant", "interval": "1s", "count": 60, "consecutiveSuccessLimit": 1, "failureLimit": 0,
                "inconclusiveLimit": 60, "consecutiveErrorLimit": 60,
                "successCondition": "result.phase == \"Successful\"",
                "failureCondition": "result.phase == \"Failed\"",
                "provider": {"web": {
                    "url": url, "timeoutSeconds": 5, "jsonPath": "{$.data}",
                    "headers": [{"key": "Authorization", "value": format!("Bearer {TOKEN}")}],
                }},
            }],
        },
    }))
    .await;
}

async fn rollout(ns: &Namespace, name: &str, named: &str) {
    let steps = json!([
        {"setWeight": 50},
        {"analysis": {"templates": [{"templateName": "recant"}], "args": [
            {"name": "hash", "valueFrom": {"podTemplateHashValue": "Latest"}},
            {"name": "named", "value": named},
        ]}},
    ]);
    let mut rollout = manifests::rollout(name, "v1", 2, &steps);
    for (field, service) in [("canaryService", "canary"), ("stableService", "stable")] {
        let service = format!("{name}-{service}");
        ns.apply(&json!({
            "apiVersion": "v1", "kind": "Service", "metadata": {"name": service},
            "spec": {"selector": {"app": name}, "ports": [{"port": 80, "targetPort": 8080}]},
        }))
        .await;
        rollout["spec"]["strategy"]["canary"][field] = json!(service);
    }
    ns.apply(&rollout).await;
    ns.wait_phase(name, "Healthy").await;
    ns.wait_serving(name, "v1").await;
}

/// Names of what is watched, of which all was taken up.
async fn watched(agent: &Agent) -> Vec<String> {
    let snapshot = agent.snapshot().await;
    let targets = snapshot["targets"].as_array().into_iter().flatten();
    targets
        .map(|target| {
            assert_eq!(target["onRequest"], true, "{target}");
            target["target"]["name"]
                .as_str()
                .unwrap_or_default()
                .to_owned()
        })
        .collect()
}

async fn ask(http: &reqwest::Client, address: &str, query: &str) -> (u16, Value) {
    let answer = http
        .get(format!("http://{address}/argo/v1/analysis?{query}"))
        .bearer_auth(TOKEN)
        .send()
        .await
        .expect("the port answers");
    let status = answer.status().as_u16();
    (status, answer.json().await.expect("JSON"))
}

/// KiB.
fn resident(agent: &Agent) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", agent.id()));
    let status = status.expect("the process is there");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let number = line.and_then(|line| line.trim().strip_suffix(" kB"));
    number
        .and_then(|number| number.parse().ok())
        .expect("a number of KiB")
}

#[test]
fn what_no_watch_names_is_taken_up_by_the_first_question_and_judged() {
    run(async {
        let bed = Bed::get().await;
        bed.rollouts().await;
        let ns = bed.namespace("argo-asked").await;
        let address = format!("127.0.0.1:{}", bed.free_port());
        template(&ns, &address).await;
        tokio::join!(
            rollout(&ns, "good", "label.app=good"),
            rollout(&ns, "bad", "service=bad-canary"),
        );
        let agent = agent(&ns, &rules(&ns), &address, Options::default()).await;
        assert!(watched(&agent).await.is_empty(), "nobody asked yet");
        let _traffic = [ns.traffic("good", 60.0), ns.traffic("bad", 60.0)];
        for (name, tag) in [("good", "v3"), ("bad", "v2")] {
            ns.set_rollout_image(name, tag).await;
        }
        let good = async {
            ns.wait_phase("good", "Healthy").await;
            ns.wait_serving("good", "v3").await;
        };
        let bad = async {
            ns.wait_phase("bad", "Degraded").await;
            ns.wait_serving("bad", "v1").await;
        };
        tokio::join!(good, bad);
        for (name, phase) in [("good", "Successful"), ("bad", "Failed")] {
            let status = run_of(&ns, name).await.expect("its run");
            assert_eq!(status["phase"], phase, "{status}");
        }
        assert_eq!(watched(&agent).await, ["bad", "good"]);

        // Thousands that are not there: an answer each, and nothing is kept of them.
        let http = reqwest::Client::new();
        let before = resident(&agent);
        let strangers = futures::stream::iter(0..2000).map(|number| {
            let query = format!("namespace={}&name=stranger-{number}&hash=h", ns.name());
            let (http, address) = (&http, &address);
            async move { ask(http, address, &query).await }
        });
        let answers: Vec<(u16, Value)> = strangers.buffer_unordered(16).collect().await;
        for (status, answer) in answers {
            assert_eq!((status, &answer["data"]["phase"]), (404, &json!("Error")));
        }
        let grown = resident(&agent).saturating_sub(before);
        assert!(grown < 20_000, "{grown} KiB for 2000 questions");
        let taken = |record: &Record| matches!(record, Record::TakenUp { .. });
        let journal = agent.journal();
        let count = journal.iter().filter(|entry| taken(&entry.record)).count();
        assert_eq!(count, 2);

        // Watched after a restart, before anybody asks again.
        agent.kill();
        agent.start_again().await;
        wait_for("both to be seen again", WITHIN, || async {
            let snapshot = agent.snapshot().await;
            let targets = snapshot["targets"].as_array().into_iter().flatten();
            let seen = targets.filter(|target| target["seen"] == true).count();
            if seen == 2 {
                Ok(())
            } else {
                Err(snapshot.to_string())
            }
        })
        .await;
        assert_eq!(watched(&agent).await, ["bad", "good"]);
        let query = format!("namespace={}&label.app=good&hash=h", ns.name());
        let asked = tokio::time::timeout(Duration::from_secs(5), ask(&http, &address, &query));
        let (status, answer) = asked.await.expect("an answer in time");
        assert_eq!((status, &answer["data"]["phase"]), (200, &json!("Running")));
    });
}
