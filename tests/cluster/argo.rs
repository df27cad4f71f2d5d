//! Argo's providers that ask Recant, with the real controller and the real agent; each by the template that
//! `recant argo-template` prints for it.

mod kayenta;
mod polled;
mod prometheus;
mod web;

use std::time::Duration;

use futures::future::join_all;
use kube::Api;
use kube::api::{ApiResource, DynamicObject, ListParams};
use serde_json::{Value, json};

use crate::agent::{Agent, Options};
use crate::namespace::Namespace;

const WITHIN: Duration = Duration::from_mins(1);
const TOKEN: &str = "a-token-of-this-test";

/// Watches of Rollouts of these names, by the rules of one set. What is done about a verdict is Argo's.
fn watches(ns: &Namespace, names: &[&str], rules: &str) -> String {
    let watches = names.iter().map(|name| {
        format!(
            r"
---
apiVersion: recant.dev/v1alpha1
kind: Watch
metadata: {{name: {name}, namespace: {}}}
target: {{kind: Rollout, name: {name}}}
source: scrape
rules: [{rules}]
dryRun: true
",
            ns.name()
        )
    });
    watches.collect()
}

/// Rollouts at v1 whose steps ask for a verdict, by what `recant argo-template` prints for their Watches. `before` are
/// steps that come first; `arguments` says how each asks.
async fn rollouts(
    ns: &Namespace,
    names: &[&str],
    rules: &str,
    before: &[Value],
    arguments: impl Fn(&str) -> Vec<String>,
) {
    ns.bed().rollouts().await;
    ns.apply(
        &json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "recant"},
        "stringData": {"token": TOKEN}}),
    )
    .await;
    let folder = ns.bed().folder("template");
    std::fs::write(folder.join("rules.yaml"), rules).expect("the folder is writable");
    join_all(names.iter().map(async |name| {
        let ran = tokio::process::Command::new(env!("CARGO_BIN_EXE_recant"))
            .current_dir(&folder)
            .args(["argo-template", name, "--rules=rules.yaml"])
            .args(["--secret=recant", "--outage=5m"])
            .args(arguments(name))
            .output()
            .await
            .expect("the program can be started");
        let said = String::from_utf8_lossy(&ran.stderr);
        assert!(ran.status.success(), "{said}");
        // A slow answer is to be met within the test's time.
        let text = String::from_utf8(ran.stdout).expect("text");
        let text = text
            .replace("timeoutSeconds: 10", "timeoutSeconds: 2")
            .replace("timeout: 10", "timeout: 2");
        let hash =
            |name: &str, of: &str| json!({"name": name, "valueFrom": {"podTemplateHashValue": of}});
        let mut hashes = vec![hash("hash", "Latest")];
        if text.contains("- name: stable-hash") {
            hashes.push(hash("stable-hash", "Stable"));
        }
        let file = folder.join(format!("{name}.yaml"));
        std::fs::write(&file, text).expect("the folder is writable");
        ns.kubectl(&["apply", "-f", file.to_str().expect("UTF-8")])
            .await;
        let mut steps = vec![json!({"setWeight": 50})];
        steps.extend_from_slice(before);
        steps.push(json!({"analysis": {
            "templates": [{"templateName": format!("recant-{name}")}],
            "args": hashes,
        }}));
        ns.rollout(name, "v1", 2, &json!(steps)).await;
    }))
    .await;
}

/// An agent that watches them, and asks for a token at its API port.
async fn agent(ns: &Namespace, rules: &str, address: &str, mut options: Options) -> Agent {
    let token = ns.bed().folder("token").join("token");
    std::fs::write(&token, TOKEN).expect("the bed's folder is writable");
    options.settings.extend([
        ("api.address", json!(address)),
        ("api.readToken.file", json!(token)),
    ]);
    Agent::start(&[ns], rules, options).await
}

/// The status of a Rollout's analysis run.
async fn run_of(ns: &Namespace, name: &str) -> Result<Value, String> {
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
