//! An analysis that a rollout starts: a template of its namespace and one of the cluster, with arguments that only the
//! rollout knows.

use std::time::Duration;

use recant::analysis::Client;
use recant_core::argo::argument::Argument;
use recant_core::argo::json;
use recant_core::argo::rollout::{Hashes, RolloutArgument, RolloutSource, arguments};
use recant_core::argo::template::{Analysis, TemplateRef, run_spec};
use recant_core::spec::{SourceFile, analyses};
use serde_json::{Value, json};

use super::{driven, told};
use crate::namespace::Namespace;
use crate::wait::wait_for;

const NAME: &str = "analysed";
/// One for all tests of the cluster.
const OF_CLUSTER: &str = "recant-test-analyses";

fn templates(url: &str) -> [Value; 2] {
    let metric = |name: &str, query: &str, condition: &str| {
        json!({
            "name": name, "interval": "1s", "count": 2, "successCondition": condition,
            "provider": {"prometheus": {"address": url, "query": query}},
        })
    };
    let query = "label_replace(vector({{args.replicas}}), \"hash\", \"{{args.hash}}\", \"\", \"\")";
    let document = |kind: &str, name: &str, spec: Value| json!({"apiVersion": "argoproj.io/v1alpha1", "kind": kind, "metadata": {"name": name}, "spec": spec});
    [
        document(
            "AnalysisTemplate",
            "of-namespace",
            json!({
                "args": [{"name": "hash"}, {"name": "replicas", "value": "5"}],
                "metrics": [metric("own", query, "result[0] == 1")],
            }),
        ),
        document(
            "ClusterAnalysisTemplate",
            OF_CLUSTER,
            json!({
                "args": [{"name": "app"}, {"name": "limit", "value": "2"}],
                "dryRun": [{"metricName": "of-.*"}],
                "metrics": [metric("of-cluster", "vector(3)", "\"{{args.app}}\" == \"analysed\" && result[0] < {{args.limit}}")],
            }),
        ),
    ]
}

/// What differs, if anything does.
pub(super) async fn compare(ns: &Namespace, url: &str, client: &Client) -> Option<String> {
    let documents = templates(url);
    for document in &documents {
        ns.apply(document).await;
    }
    let field = |path: &str| json!({"fieldRef": {"fieldPath": path}});
    let steps = json!([
        {"setWeight": 50},
        {"analysis": {
            "templates": [
                {"templateName": OF_CLUSTER, "clusterScope": true},
                {"templateName": "of-namespace"},
            ],
            "args": [
                {"name": "hash", "valueFrom": {"podTemplateHashValue": "Latest"}},
                {"name": "app", "valueFrom": field("metadata.labels['app']")},
                {"name": "replicas", "valueFrom": field("spec.replicas")},
                {"name": "unknown", "value": "dropped"},
            ],
        }},
    ]);
    ns.rollout(NAME, "v1", 1, &steps).await;
    ns.set_rollout_image(NAME, "v2").await;
    let theirs = wait_for(
        "the rollout's analysis to end",
        Duration::from_secs(40),
        || async {
            let found = ns.kubectl(&["get", "analysisruns", "-o", "json"]).await;
            let found: Value = serde_json::from_str(&found).map_err(|error| error.to_string())?;
            let runs = found["items"].as_array().into_iter().flatten();
            let mut of_rollout =
                runs.filter(|run| run["metadata"]["ownerReferences"][0]["name"] == NAME);
            let run = of_rollout.next().ok_or("no analysis run")?;
            match run["status"]["phase"].as_str() {
                Some("Successful" | "Failed" | "Inconclusive" | "Error") => Ok(run.clone()),
                _ => Err(run["status"].to_string()),
            }
        },
    )
    .await;
    let rollout = ns.rollouts().get(NAME).await.expect("the Rollout is there");
    let rollout = serde_json::to_value(&rollout).expect("JSON");
    let hash = |field: &str| {
        rollout["status"][field]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    };
    let hashes = Hashes {
        // It has been promoted by now, and the stable one is no longer asked for.
        stable: hash("stableRS"),
        latest: hash("currentPodHash"),
    };
    let from = |name: &str, from: RolloutSource| RolloutArgument {
        name: name.to_owned(),
        value: String::new(),
        from: Some(from),
    };
    let given = [
        from("hash", RolloutSource::PodTemplateHash("Latest".to_owned())),
        from(
            "app",
            RolloutSource::FieldRef("metadata.labels['app']".to_owned()),
        ),
        from(
            "replicas",
            RolloutSource::FieldRef("spec.replicas".to_owned()),
        ),
        RolloutArgument {
            name: "unknown".to_owned(),
            value: "dropped".to_owned(),
            from: None,
        },
    ];
    let document = json::parse(rollout.to_string().as_bytes()).expect("JSON");
    let args: Vec<Argument> = arguments(&given, &hashes, &document).expect("arguments");
    let found = analyses(&documents.map(|document| SourceFile {
        name: "template".to_owned(),
        text: document.to_string(),
    }));
    assert!(!found.has_errors(), "{:?}", found.diagnostics);
    let named = |name: &str, cluster: bool| TemplateRef {
        name: name.to_owned(),
        cluster,
    };
    let analysis = Analysis {
        templates: vec![named(OF_CLUSTER, true), named("of-namespace", false)],
        args,
        ..Analysis::default()
    };
    let spec = run_spec(&analysis, &found.templates).expect("a run");
    let args = spec.args.iter();
    let args: Value = args
        .map(|arg| json!({"name": arg.name, "value": arg.value}))
        .collect();
    let ours = json!({"args": args, "status": told(&driven(spec, client).await)});
    let theirs = json!({"args": theirs["spec"]["args"], "status": told(&theirs["status"])});
    (ours != theirs).then(|| format!("rollout:\n  ours   {ours}\n  theirs {theirs}"))
}
