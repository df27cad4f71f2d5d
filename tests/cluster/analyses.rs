//! The same analyses by the real controller of Argo Rollouts and by Recant, against the same Prometheus: same phases,
//! same counts, same messages.

mod fields;
mod rollout;
mod specs;

use std::time::Duration;

use kube::Api;
use kube::core::{ApiResource, DynamicObject, GroupVersionKind};
use recant::analysis::{Client, Driving, drive};
use recant::clock;
use recant_core::argo::argument::Secrets;
use recant_core::argo::run::{Run, RunSpec};
use recant_core::spec::{SourceFile, analyses};
use serde_json::{Value, json};

use crate::bed::Bed;
use crate::case::run;
use crate::wait::wait_for;

/// What both have to agree on. Words of errors differ, so a message counts up to them.
fn told(status: &Value) -> Value {
    let message = status["message"].as_str().unwrap_or_default();
    let message = message
        .split(": \"Error Message")
        .next()
        .unwrap_or_default();
    let metrics: Vec<Value> = status["metricResults"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|result| {
            let number = |name: &str| result[name].as_i64().unwrap_or(0);
            let measurements = result["measurements"].as_array();
            json!({
                "name": result["name"],
                "phase": result["phase"],
                "dryRun": result["dryRun"].as_bool().unwrap_or(false),
                "count": number("count"),
                "successful": number("successful"),
                "failed": number("failed"),
                "inconclusive": number("inconclusive"),
                "error": number("error"),
                "kept": measurements.map_or(0, Vec::len),
                "value": measurements.and_then(|all| all.last()).map(|last| last["value"].clone()),
            })
        })
        .collect();
    let mut metrics = metrics;
    metrics.sort_by_key(|metric| metric["name"].to_string());
    json!({"phase": status["phase"], "message": message, "metrics": metrics})
}

/// What the secret holds that arguments refer to.
const SECRET: &str = "0.97";

fn driving() -> Driving {
    let mut secrets = Secrets::default();
    secrets.insert("limits", "rate", SECRET);
    Driving {
        secrets,
        ..Driving::default()
    }
}

/// The status that Recant comes to.
async fn driven(spec: RunSpec, client: &Client) -> Value {
    let mut run = Run::new(spec);
    let system = clock::system();
    drive(&mut run, &driving(), client, &system, &mut |_, _| {}).await;
    let status = recant_core::argo::json::compact(&run.status.to_json());
    serde_json::from_str(&status).expect("JSON")
}

#[test]
fn the_controller_and_recant_agree_on_every_analysis() {
    run(async {
        let ns = Bed::get().await.namespace("analyses").await;
        ns.bed().rollouts().await;
        let prometheus = ns.prometheus().await;
        let kind = GroupVersionKind::gvk("argoproj.io", "v1alpha1", "AnalysisRun");
        let resource = ApiResource::from_gvk(&kind);
        let runs: Api<DynamicObject> =
            Api::namespaced_with(ns.bed().client(), ns.name(), &resource);
        let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "limits"},
            "stringData": {"rate": SECRET}});
        ns.apply(&secret).await;
        let mut all = specs::specs();
        all.append(&mut fields::specs());
        assert_eq!(all.len(), 62);
        let (mut ours, mut documents) = (Vec::new(), Vec::new());
        for (name, spec) in &all {
            let spec: Value =
                serde_json::from_str(&spec.to_string().replace("URL", &prometheus.url()))
                    .expect("JSON");
            let document = json!({
                "apiVersion": "argoproj.io/v1alpha1",
                "kind": "AnalysisRun",
                "metadata": {"name": name},
                "spec": spec,
            });
            documents.push(document.clone());
            let found = analyses(&[SourceFile {
                name: (*name).to_owned(),
                text: document.to_string(),
            }]);
            assert!(!found.has_errors(), "{:?}", found.diagnostics);
            let (_, spec) = found.runs.into_iter().next().expect("a run");
            ours.push((*name, spec));
        }
        ns.apply(&json!({"apiVersion": "v1", "kind": "List", "items": documents}))
            .await;
        let url = prometheus.url();
        let client = Client::new(None).expect("a client");
        let all = ours.into_iter().map(|(name, spec)| {
            let client = &client;
            async move { (name, driven(spec, client).await) }
        });
        let (ours, of_rollout) = futures::join!(
            futures::future::join_all(all),
            rollout::compare(&ns, &url, &client),
        );
        let mut wrong: Vec<String> = of_rollout.into_iter().collect();
        for (name, status) in &ours {
            let theirs = wait_for(
                &format!("the analysis `{name}` to end"),
                Duration::from_secs(30),
                || async {
                    let run = runs.get(name).await.map_err(|error| error.to_string())?;
                    let status = run.data["status"].clone();
                    match status["phase"].as_str() {
                        Some("Successful" | "Failed" | "Inconclusive" | "Error") => Ok(status),
                        _ => Err(status.to_string()),
                    }
                },
            )
            .await;
            if told(status) != told(&theirs) {
                wrong.push(format!(
                    "{name}:\n  ours   {}\n  theirs {}",
                    told(status),
                    told(&theirs)
                ));
            }
        }
        assert!(
            wrong.is_empty(),
            "{} of {} differ:\n{}",
            wrong.len(),
            ours.len() + 1,
            wrong.join("\n")
        );
    });
}
