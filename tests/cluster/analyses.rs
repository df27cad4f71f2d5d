//! The same analyses by the real controller of Argo Rollouts and by Recant, against the same Prometheus: same phases,
//! same counts, same messages.

use std::collections::BTreeMap;
use std::time::Duration;

use kube::Api;
use kube::core::{ApiResource, DynamicObject, GroupVersionKind};
use recant::analysis::{Client, Driving, drive};
use recant::clock;
use recant_core::argo::run::Run;
use recant_core::spec::{SourceFile, analyses};
use serde_json::{Value, json};

use crate::bed::Bed;
use crate::case::run;
use crate::wait::wait_for;

/// Specs of runs by name; `URL` is the Prometheus.
fn specs() -> BTreeMap<&'static str, Value> {
    let prometheus = |query: &str| json!({"prometheus": {"address": "URL", "query": query}});
    let metric = |name: &str, query: &str, more: Value| {
        let mut metric = json!({"name": name, "provider": prometheus(query)});
        for (field, value) in more.as_object().expect("fields") {
            metric[field] = value.clone();
        }
        metric
    };
    let one = |query: &str, more: Value| json!({"metrics": [metric("a", query, more)]});
    let web = |path: &str, more: Value| {
        let mut metric = json!({"name": "a", "provider": {"web": {"url": format!("URL{path}"), "jsonPath": "{$.status}"}}});
        for (field, value) in more.as_object().expect("fields") {
            metric[field] = value.clone();
        }
        json!({"metrics": [metric]})
    };
    let acceptance = json!({
        "args": [{"name": "service-name", "value": "checkout"}, {"name": "canary-hash", "value": "abc"}],
        "metrics": [
            metric("success-rate", "sum(irate(istio_requests_total{destination_service_name=\"{{args.service-name}}\",destination_version=\"{{args.canary-hash}}\"}[2m]))",
                json!({"interval": "1s", "count": 5, "successCondition": "result[0] >= 0.95", "failureLimit": 2, "consecutiveErrorLimit": 0})),
            metric("error-rate", "vector(0.01)",
                json!({"interval": "1s", "count": 5, "successCondition": "result[0] <= 0.05", "failureLimit": 2})),
        ],
    });
    BTreeMap::from([
        ("acceptance", acceptance),
        (
            "good",
            one(
                "vector(0.97)",
                json!({"interval": "1s", "count": 3, "successCondition": "result[0] >= 0.95"}),
            ),
        ),
        (
            "bad-at-once",
            one(
                "vector(0.5)",
                json!({"interval": "1s", "count": 3, "successCondition": "result[0] >= 0.95"}),
            ),
        ),
        (
            "bad-over-limit",
            one(
                "vector(0.5)",
                json!({"interval": "1s", "count": 5, "failureLimit": 2, "successCondition": "result[0] >= 0.95"}),
            ),
        ),
        (
            "neither",
            one(
                "vector(0.5)",
                json!({"interval": "1s", "count": 3, "successCondition": "result[0] > 0.9", "failureCondition": "result[0] < 0.1"}),
            ),
        ),
        (
            "inconclusive-allowed",
            one(
                "vector(0.5)",
                json!({"interval": "1s", "count": 3, "inconclusiveLimit": 3, "successCondition": "result[0] > 0.9", "failureCondition": "result[0] < 0.1"}),
            ),
        ),
        (
            "nan",
            one(
                "vector(0) / 0",
                json!({"failureCondition": "result[0] > 0.05"}),
            ),
        ),
        (
            "empty",
            one(
                "nothing_is_called_so",
                json!({"consecutiveErrorLimit": 0, "successCondition": "result[0] >= 0.95"}),
            ),
        ),
        (
            "empty-allowed",
            one(
                "nothing_is_called_so",
                json!({"successCondition": "len(result) == 0 || result[0] >= 0.95"}),
            ),
        ),
        ("no-conditions", one("nothing_is_called_so", json!({}))),
        (
            "scalar",
            one(
                "scalar(vector(5))",
                json!({"successCondition": "result == 5"}),
            ),
        ),
        (
            "wrong-type",
            one(
                "vector(5)",
                json!({"consecutiveErrorLimit": 0, "successCondition": "result == 5"}),
            ),
        ),
        (
            "syntax",
            one(
                "vector(5)",
                json!({"consecutiveErrorLimit": 0, "successCondition": "result[0] >"}),
            ),
        ),
        (
            "bad-query",
            one(
                "sum(",
                json!({"consecutiveErrorLimit": 0, "successCondition": "true"}),
            ),
        ),
        (
            "streak",
            one(
                "vector(1)",
                json!({"interval": "1s", "consecutiveSuccessLimit": 3, "failureLimit": -1, "successCondition": "result[0] == 1"}),
            ),
        ),
        ("invalid", one("vector(1)", json!({"count": 3}))),
        ("no-such-argument", one("vector({{args.gone}})", json!({}))),
        (
            "dry",
            json!({
                "dryRun": [{"metricName": "b"}],
                "metrics": [
                    metric("a", "vector(1)", json!({"interval": "1s", "count": 2, "successCondition": "result[0] == 1"})),
                    metric("b", "vector(1)", json!({"successCondition": "result[0] == 2"})),
                ],
            }),
        ),
        (
            "sibling-ended",
            json!({"metrics": [
                metric("a", "vector(1)", json!({"interval": "60s", "count": 9, "successCondition": "result[0] == 1"})),
                metric("b", "vector(1)", json!({"initialDelay": "2s", "successCondition": "result[0] == 2"})),
            ]}),
        ),
        (
            "range",
            json!({"metrics": [{
                "name": "a",
                "successCondition": "len(result) == 3 && all(result, # == 7)",
                "provider": {"prometheus": {"address": "URL", "query": "vector(7)", "rangeQuery": {
                    "start": "now() - duration(\"2m\")", "end": "now()", "step": "1m"}}},
            }]}),
        ),
        (
            "web-good",
            web(
                "/api/v1/query?query=vector(1)",
                json!({"interval": "1s", "count": 2, "successCondition": "result == \"success\""}),
            ),
        ),
        (
            "web-bad",
            web(
                "/api/v1/query?query=vector(1)",
                json!({"successCondition": "result == \"error\""}),
            ),
        ),
        (
            "web-404",
            web(
                "/api/v9/nothing",
                json!({"consecutiveErrorLimit": 0, "successCondition": "true"}),
            ),
        ),
        (
            "web-html",
            web("/-/ready", json!({"successCondition": "false"})),
        ),
        (
            "retention",
            json!({
                "measurementRetention": [{"metricName": "a", "limit": 2}],
                "metrics": [metric("a", "vector(1)", json!({"interval": "1s", "count": 4, "successCondition": "result[0] == 1"}))],
            }),
        ),
    ])
}

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
        let specs: BTreeMap<&str, Value> = specs()
            .into_iter()
            .map(|(name, spec)| {
                let text = spec.to_string().replace("URL", &prometheus.url());
                (name, serde_json::from_str(&text).expect("JSON"))
            })
            .collect();
        let mut ours = Vec::new();
        for (name, spec) in &specs {
            let document = json!({
                "apiVersion": "argoproj.io/v1alpha1",
                "kind": "AnalysisRun",
                "metadata": {"name": name},
                "spec": spec,
            });
            ns.apply(&document).await;
            let found = analyses(&[SourceFile {
                name: (*name).to_owned(),
                text: document.to_string(),
            }]);
            assert!(!found.has_errors(), "{:?}", found.diagnostics);
            let (_, spec) = found.runs.into_iter().next().expect("a run");
            ours.push((*name, Run::new(spec)));
        }
        let client = Client::new(None).expect("a client");
        let driven = ours.into_iter().map(|(name, mut run)| {
            let client = &client;
            async move {
                let system = clock::system();
                drive(
                    &mut run,
                    &Driving::default(),
                    client,
                    &system,
                    &mut |_, _| {},
                )
                .await;
                let status = recant_core::argo::json::compact(&run.status.to_json());
                (name, serde_json::from_str::<Value>(&status).expect("JSON"))
            }
        });
        let ours: BTreeMap<&str, Value> = futures::future::join_all(driven)
            .await
            .into_iter()
            .collect();
        let mut wrong = Vec::new();
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
            ours.len(),
            wrong.join("\n")
        );
        assert_eq!(ours.len(), 25);
    });
}
