//! Argo's side: one `AnalysisRun` for each workload, as an `AnalysisTemplate` would make it, run by the real controller.

use futures::{StreamExt as _, stream};
use kube::Api;
use kube::api::{ListParams, PostParams};
use kube::core::{ApiResource, DynamicObject, GroupVersionKind};
use serde_json::{Value, json};

use std::time::Duration;

use crate::counted::{Meter, Spent};
use crate::namespace::Namespace;
use crate::prometheus::Prometheus;
use crate::wait::wait_for;
use crate::workloads::name;
use crate::{INTERVAL, METRICS, WITHIN};

/// The usual queries, and what must hold of their results.
const QUERIES: [(&str, &str, &str); METRICS] = [
    (
        "error-rate",
        r#"sum(rate(http_requests_total{OF,status=~"5.."}[1m])) / sum(rate(http_requests_total{OF}[1m]))"#,
        "len(result) == 0 || isNaN(result[0]) || result[0] <= 0.05",
    ),
    (
        "latency-p95",
        "histogram_quantile(0.95, sum by (le) (rate(http_request_duration_seconds_bucket{OF}[1m])))",
        "len(result) == 0 || isNaN(result[0]) || result[0] <= 1",
    ),
    (
        "mesh-error-rate",
        r#"sum(rate(istio_requests_total{OF,response_code=~"5.."}[1m])) / sum(rate(istio_requests_total{OF}[1m]))"#,
        "len(result) == 0 || isNaN(result[0]) || result[0] <= 0.05",
    ),
    (
        "memory",
        "max(process_resident_memory_bytes{OF})",
        "len(result) == 0 || isNaN(result[0]) || result[0] <= 1073741824",
    ),
];

/// Starts the controller and the runs, and watches them for a window.
pub(crate) async fn measure(
    ns: &Namespace,
    meter: &Meter,
    prometheus: &Prometheus,
    runs: usize,
    window: Duration,
) -> Spent {
    let controller = ns.bed().rollouts().await;
    let kind = GroupVersionKind::gvk("argoproj.io", "v1alpha1", "AnalysisRun");
    let resource = ApiResource::from_gvk(&kind);
    let api: Api<DynamicObject> = Api::namespaced_with(ns.bed().client(), ns.name(), &resource);
    stream::iter(0..runs)
        .for_each_concurrent(16, async |index| {
            let run = run(ns, prometheus, index);
            let run: DynamicObject = serde_json::from_value(run).expect("an object");
            let created = api.create(&PostParams::default(), &run).await;
            created.expect("an administrator may create an AnalysisRun");
        })
        .await;
    wait_for("every metric to be measured twice", WITHIN, || async {
        let (least, _) = measured(&api).await;
        if least >= 2.0 {
            Ok(())
        } else {
            Err(format!("one was measured {least} times"))
        }
    })
    .await;
    let spent = meter
        .watch(controller, window, || async { measured(&api).await.1 })
        .await;
    let list = api.list(&ListParams::default()).await.expect("a list");
    let running = |run: &&DynamicObject| run.data["status"]["phase"] == "Running";
    let still = list.items.iter().filter(running).count();
    assert_eq!(still, runs, "every run goes on to the end of the window");
    spent
}

/// How often the metric that was measured least was measured, and how often all together; errors do not count.
async fn measured(api: &Api<DynamicObject>) -> (f64, f64) {
    let list = api.list(&ListParams::default()).await.expect("a list");
    let (mut least, mut all) = (f64::INFINITY, 0.0);
    for run in &list.items {
        let results = run.data["status"]["metricResults"].as_array();
        let counts = results.into_iter().flatten();
        let counts: Vec<f64> = counts
            .map(|result| result["count"].as_f64().unwrap_or_default())
            .collect();
        let of_run = counts.iter().copied().fold(f64::INFINITY, f64::min);
        least = least.min(if counts.len() < METRICS { 0.0 } else { of_run });
        all += counts.iter().sum::<f64>();
    }
    (least, all)
}

fn run(ns: &Namespace, prometheus: &Prometheus, index: usize) -> Value {
    let of = format!(r#"namespace="{}",pod=~"{}-.*""#, ns.name(), name(index));
    let metrics: Vec<Value> = QUERIES
        .iter()
        .map(|(name, query, condition)| {
            json!({
                "name": name,
                "interval": format!("{}s", INTERVAL.as_secs()),
                "successCondition": condition,
                // A run that ends early measures less.
                "failureLimit": 1000,
                "consecutiveErrorLimit": 1000,
                "provider": {"prometheus": {
                    "address": prometheus.url(),
                    "query": query.replace("OF", &of),
                }},
            })
        })
        .collect();
    json!({
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "AnalysisRun",
        "metadata": {"name": name(index), "namespace": ns.name()},
        "spec": {"metrics": metrics},
    })
}
