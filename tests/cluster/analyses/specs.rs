//! Specs of runs: what measurements make of a run.

use std::collections::BTreeMap;

use serde_json::{Value, json};

/// Specs of runs by name; `URL` is the Prometheus.
pub(super) fn specs() -> BTreeMap<&'static str, Value> {
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
