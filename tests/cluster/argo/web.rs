//! Argo's `web` provider with the real controller and the real agent: a good version is promoted, a bad one aborted, one
//! without a verdict paused; an agent that is killed or slow aborts nothing.

use std::path::Path;
use std::time::Duration;

use futures::future::join_all;
use kube::Api;
use kube::api::{ApiResource, DynamicObject, ListParams};
use serde_json::{Value, json};

use crate::agent::{Agent, Options};
use crate::bed::Bed;
use crate::case::run;
use crate::fault_proxy::{Fault, FaultProxy};
use crate::namespace::Namespace;
use crate::wait::wait_for;

const WITHIN: Duration = Duration::from_mins(1);
const TOKEN: &str = "a-token-of-this-test";

/// A limit alone: a verdict takes no more than some hundred requests.
const RULES: &str = r#"
apiVersion: recant.dev/v1alpha1
kind: RuleSet
metadata: {name: shop}
rules:
- name: error-rate
  ratio: {bad: 'http_requests_total{status=~"5.."}', total: http_requests_total}
  max: 10%
"#;

fn rules(ns: &Namespace, names: &[&str]) -> String {
    let watches = names.iter().map(|name| {
        format!(
            r"
---
apiVersion: recant.dev/v1alpha1
kind: Watch
metadata: {{name: {name}, namespace: {}}}
target: {{kind: Rollout, name: {name}}}
source: scrape
rules: [shop]
# What is done about a verdict is Argo's.
dryRun: true
",
            ns.name()
        )
    });
    RULES.to_owned() + &watches.collect::<String>()
}

/// Rollouts at v1 whose steps ask for a verdict: with what `recant argo-template` prints for their Watches. `asking` says
/// of each where it asks and how long it waits.
async fn rollouts(ns: &Namespace, names: &[&str], asking: impl Fn(&str) -> (String, &'static str)) {
    ns.bed().rollouts().await;
    ns.apply(
        &json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "recant"},
        "stringData": {"token": TOKEN}}),
    )
    .await;
    let folder = ns.bed().folder("template");
    std::fs::write(folder.join("rules.yaml"), rules(ns, names)).expect("the folder is writable");
    join_all(names.iter().map(async |name| {
        let (url, wait) = asking(name);
        template(ns, &folder, name, &url, wait).await;
        ns.rollout(name, "v1", 2, &steps(name)).await;
    }))
    .await;
}

/// Applies what the program prints for a Watch.
async fn template(ns: &Namespace, folder: &Path, name: &str, url: &str, wait: &str) {
    let ran = tokio::process::Command::new(env!("CARGO_BIN_EXE_recant"))
        .current_dir(folder)
        .args([
            "argo-template",
            name,
            "--rules=rules.yaml",
            "--secret=recant",
        ])
        .args(["--interval=1s", "--outage=5m"])
        .args([format!("--address={url}"), format!("--wait={wait}")])
        .output()
        .await
        .expect("the program can be started");
    let said = String::from_utf8_lossy(&ran.stderr);
    assert!(ran.status.success(), "{said}");
    // A slow answer is to be met within the test's time.
    let text = String::from_utf8(ran.stdout).expect("text");
    let text = text.replace("timeoutSeconds: 10", "timeoutSeconds: 2");
    let file = folder.join(format!("{name}.yaml"));
    std::fs::write(&file, text).expect("the folder is writable");
    ns.kubectl(&["apply", "-f", file.to_str().expect("UTF-8")])
        .await;
}

/// An agent that watches them, and asks for a token at its API port.
async fn agent(ns: &Namespace, names: &[&str], address: &str) -> Agent {
    let token = ns.bed().folder("token").join("token");
    std::fs::write(&token, TOKEN).expect("the bed's folder is writable");
    let options = Options {
        settings: vec![
            ("api.address", json!(address)),
            ("api.readToken.file", json!(token)),
        ],
        ..Options::default()
    };
    Agent::start(&[ns], &rules(ns, names), options).await
}

fn steps(name: &str) -> Value {
    json!([
        {"setWeight": 50},
        {"analysis": {
            "templates": [{"templateName": format!("recant-{name}")}],
            "args": [{"name": "hash", "valueFrom": {"podTemplateHashValue": "Latest"}}],
        }},
    ])
}

/// The status of a Rollout's analysis run.
pub(crate) async fn run_of(ns: &Namespace, name: &str) -> Result<Value, String> {
    let resource = ApiResource {
        group: "argoproj.io".to_owned(),
        version: "v1alpha1".to_owned(),
        api_version: "argoproj.io/v1alpha1".to_owned(),
        kind: "AnalysisRun".to_owned(),
        plural: "analysisruns".to_owned(),
    };
    let api: Api<DynamicObject> = Api::namespaced_with(ns.bed().client(), ns.name(), &resource);
    let runs = api
        .list(&ListParams::default())
        .await
        .map_err(|error| error.to_string())?;
    let run = runs.items.iter().find(|run| {
        let owner = run.metadata.owner_references.as_ref();
        owner.is_some_and(|owners| owners.iter().any(|owner| owner.name == name))
    });
    let run = run.ok_or("no analysis run")?;
    Ok(run.data["status"].clone())
}

/// Waits until the metric of the analysis is as wanted.
async fn wait_result(
    ns: &Namespace,
    name: &str,
    what: &str,
    wanted: impl Fn(&Value) -> bool,
) -> Value {
    wait_for(&format!("{what} of `{name}`"), WITHIN, || async {
        let status = run_of(ns, name).await?;
        let metric = &status["metricResults"][0];
        if wanted(metric) {
            Ok(status)
        } else {
            Err(status.to_string())
        }
    })
    .await
}

fn is_running(metric: &Value) -> bool {
    let measurements = metric["measurements"].as_array();
    let last = measurements.and_then(|all| all.last());
    last.is_some_and(|last| {
        last["value"]
            .as_str()
            .is_some_and(|value| value.contains("\"phase\":\"Running\""))
    })
}

#[test]
fn a_good_version_is_promoted_a_bad_one_aborted_and_an_unclear_one_paused() {
    run(async {
        let ns = Bed::get().await.namespace("argo-web").await;
        let names = ["good", "bad", "unclear"];
        let address = format!("127.0.0.1:{}", ns.bed().free_port());
        let asking = |name: &str| {
            let wait = if name == "unclear" { "6s" } else { "1m" };
            (format!("http://{address}"), wait)
        };
        rollouts(&ns, &names, asking).await;
        let _agent = agent(&ns, &names, &address).await;
        let _traffic = [ns.traffic("good", 60.0), ns.traffic("bad", 60.0)];
        for (name, tag) in [("good", "v3"), ("bad", "v2"), ("unclear", "v3")] {
            ns.set_rollout_image(name, tag).await;
        }
        let good = async {
            ns.wait_phase("good", "Healthy").await;
            ns.wait_serving("good", "v3").await;
            let status = run_of(&ns, "good").await.expect("its run");
            assert_eq!(status["phase"], "Successful", "{status}");
            let metric = &status["metricResults"][0];
            // Undecided was asked for, and did not end it; one success did.
            assert_eq!(metric["successful"], 1, "{metric}");
            let value = metric["measurements"].as_array().and_then(|all| all.last());
            let value = value
                .and_then(|last| last["value"].as_str())
                .unwrap_or_default();
            assert!(
                value.len() < 1024 && value.contains("\"phase\":\"Successful\""),
                "{value}"
            );
        };
        let bad = async {
            ns.wait_phase("bad", "Degraded").await;
            ns.wait_serving("bad", "v1").await;
            let status = run_of(&ns, "bad").await.expect("its run");
            assert_eq!(status["phase"], "Failed", "{status}");
            let value = status["metricResults"][0]["measurements"].to_string();
            assert!(value.contains("shop/error-rate"), "it says why: {value}");
        };
        let unclear = async {
            ns.wait_phase("unclear", "Paused").await;
            let status = run_of(&ns, "unclear").await.expect("its run");
            assert_eq!(status["phase"], "Inconclusive", "{status}");
            let rollout = ns.rollouts().get("unclear").await.expect("it is there");
            let reason = &rollout.data["status"]["pauseConditions"][0]["reason"];
            assert_eq!(reason, "InconclusiveAnalysisRun");
        };
        tokio::join!(good, bad, unclear);
    });
}

#[test]
fn an_agent_that_is_killed_or_slow_aborts_nothing() {
    run(async {
        let bed = Bed::get().await;
        let ns = bed.namespace("argo-web-down").await;
        let names = ["killed", "slow"];
        let address = format!("127.0.0.1:{}", bed.free_port());
        let url = format!("http://{address}");
        let proxy = FaultProxy::start(bed, std::slice::from_ref(&url)).await;
        let asking = |name: &str| {
            let url = if name == "slow" { proxy.url() } else { &url };
            (url.to_owned(), "2m")
        };
        rollouts(&ns, &names, asking).await;
        let agent = agent(&ns, &names, &address).await;
        // Without traffic nothing is decided: the analyses go on.
        for name in names {
            ns.set_rollout_image(name, "v3").await;
        }
        for name in names {
            wait_result(&ns, name, "a first answer", is_running).await;
        }
        proxy.set(Fault::Hang);
        agent.kill();
        for name in names {
            wait_result(&ns, name, "an error", |metric| {
                metric["error"].as_u64() > Some(0)
            })
            .await;
        }
        assert!(proxy.questions() > 0, "nobody met the slow answer");
        proxy.set(Fault::None);
        let _traffic = names.map(|name| ns.traffic(name, 60.0));
        agent.start_again().await;
        join_all(names.map(async |name| {
            ns.wait_phase(name, "Healthy").await;
            ns.wait_serving(name, "v3").await;
        }))
        .await;
        for name in names {
            let status = run_of(&ns, name).await.expect("its run");
            assert_eq!(status["phase"], "Successful", "{status}");
        }
    });
}
