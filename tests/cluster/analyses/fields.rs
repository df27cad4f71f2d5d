//! Specs of runs that use every field of metrics, arguments and providers.

use std::collections::BTreeMap;

use serde_json::{Value, json};

/// One metric of Prometheus, with more fields.
fn metric(name: &str, query: &str, more: Value) -> Value {
    let prometheus = json!({"prometheus": {"address": "URL", "query": query}});
    with(json!({"name": name, "provider": prometheus}), more)
}

fn with(mut metric: Value, more: Value) -> Value {
    let Value::Object(fields) = more else {
        panic!("fields are an object");
    };
    for (field, value) in fields {
        metric[field] = value;
    }
    metric
}

fn one(query: &str, more: Value) -> Value {
    json!({"metrics": [metric("a", query, more)]})
}

/// One metric of the web; `url` is below that of Prometheus, which answers all that is asked here.
fn web(url: &str, part: Value, more: Value) -> Value {
    let part = with(json!({"url": format!("URL{url}")}), part);
    let metric = json!({"name": "a", "consecutiveErrorLimit": 0, "provider": {"web": part}});
    json!({"metrics": [with(metric, more)]})
}

fn with_args(args: &Value, spec: Value) -> Value {
    with(spec, json!({"args": args}))
}

/// Specs by name; `URL` is the Prometheus.
pub(super) fn specs() -> BTreeMap<&'static str, Value> {
    let mut all = BTreeMap::new();
    all.extend(arguments());
    all.extend(rules());
    all.extend(limits());
    all.extend(conditions());
    all.extend(webs());
    all.extend(prometheus());
    all
}

fn secret(name: &str, key: &str) -> Value {
    json!([{"name": "limit", "valueFrom": {"secretKeyRef": {"name": name, "key": key}}}])
}

fn arguments() -> Vec<(&'static str, Value)> {
    let limited = || {
        one(
            "vector(0.98)",
            json!({"successCondition": "result[0] >= {{args.limit}}"}),
        )
    };
    let field =
        json!([{"name": "limit", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}]);
    vec![
        ("secret", with_args(&secret("limits", "rate"), limited())),
        ("secret-gone", with_args(&secret("gone", "rate"), limited())),
        (
            "secret-without-key",
            with_args(&secret("limits", "gone"), limited()),
        ),
        ("field-of-a-run", with_args(&field, limited())),
        (
            "value",
            with_args(&json!([{"name": "limit", "value": "0.99"}]), limited()),
        ),
        (
            "argument-unused-without-value",
            with_args(&json!([{"name": "unused"}]), one("vector(1)", json!({}))),
        ),
    ]
}

fn rules() -> Vec<(&'static str, Value)> {
    let two = |more: Value| {
        with(
            json!({"metrics": [
                metric("rate-a", "vector(1)", json!({"interval": "1s", "count": 3, "successCondition": "result[0] == 1"})),
                metric("rate-b", "vector(1)", json!({"interval": "1s", "count": 2, "failureLimit": 1, "successCondition": "result[0] == 2"})),
            ]}),
            more,
        )
    };
    let dry = |name: &str| two(json!({"dryRun": [{"metricName": name}]}));
    vec![
        ("dry-wildcard", dry("*")),
        ("dry-expression", dry(".*")),
        ("dry-part-of-a-name", dry("-b$")),
        ("dry-nothing", dry("other")),
        ("not-dry", two(json!({}))),
        (
            "retention-of-all",
            two(json!({"dryRun": [{"metricName": "rate"}],
                "measurementRetention": [{"metricName": "rate-.*", "limit": 1}]})),
        ),
        (
            "retention-of-nothing",
            two(json!({"measurementRetention": [{"metricName": "other", "limit": 1}]})),
        ),
        ("terminated", two(json!({"terminate": true}))),
        (
            "kept-for-a-while",
            with(
                one("vector(1)", json!({"successCondition": "true"})),
                json!({"ttlStrategy": {"secondsAfterCompletion": 3600}}),
            ),
        ),
    ]
}

fn limits() -> Vec<(&'static str, Value)> {
    let bad = |more: Value| {
        let fields = with(
            json!({"interval": "1s", "successCondition": "result[0] == 1"}),
            more,
        );
        one("vector(2)", fields)
    };
    let unclear = |more: Value| {
        let fields = with(
            json!({"interval": "1s", "successCondition": "result[0] == 1", "failureCondition": "result[0] == 3"}),
            more,
        );
        one("vector(2)", fields)
    };
    vec![
        (
            "count-as-text",
            bad(json!({"count": "3", "failureLimit": "1"})),
        ),
        (
            "count-negative",
            bad(json!({"count": -1, "failureLimit": 1})),
        ),
        (
            "failures-never-count",
            bad(json!({"count": 3, "failureLimit": -1, "consecutiveSuccessLimit": 2})),
        ),
        (
            "no-streak",
            bad(json!({"count": 3, "failureLimit": 1, "consecutiveSuccessLimit": 2})),
        ),
        (
            "inconclusive-over-limit",
            unclear(json!({"count": 4, "inconclusiveLimit": 1})),
        ),
        (
            "inconclusive-below-limit",
            unclear(json!({"count": 2, "inconclusiveLimit": 2})),
        ),
        (
            "errors-in-a-row",
            one(
                "sum(",
                json!({"interval": "1s", "consecutiveErrorLimit": 1, "successCondition": "true"}),
            ),
        ),
        (
            "delayed",
            one(
                "vector(1)",
                json!({"initialDelay": "1s", "interval": "1s", "count": 2, "successCondition": "result[0] == 1"}),
            ),
        ),
        (
            "negative-limit",
            one(
                "vector(1)",
                json!({"failureLimit": -2, "successCondition": "true"}),
            ),
        ),
        (
            "interval-that-is-none",
            one("vector(1)", json!({"interval": "often", "count": 2})),
        ),
    ]
}

fn conditions() -> Vec<(&'static str, Value)> {
    vec![
        (
            "both-hold",
            one(
                "vector(2)",
                json!({"successCondition": "result[0] > 1", "failureCondition": "result[0] > 1"}),
            ),
        ),
        (
            "failure-only",
            one("vector(2)", json!({"failureCondition": "result[0] > 3"})),
        ),
        (
            "functions",
            one(
                "vector(2)",
                json!({"successCondition": "all(result, # > 1) and len(filter(result, # > 3)) == 0 && not isNaN(result[0])"}),
            ),
        ),
        (
            "index-out-of-range",
            one(
                "vector(2)",
                json!({"consecutiveErrorLimit": 0, "successCondition": "result[1] > 1"}),
            ),
        ),
    ]
}

fn webs() -> Vec<(&'static str, Value)> {
    let query = "/api/v1/query?query=vector(7)";
    let form = json!([{"key": "Content-Type", "value": "application/x-www-form-urlencoded"}]);
    let value = "{$.data.result[0].value[1]}";
    vec![
        (
            "web-posts-a-body",
            web(
                "/api/v1/query",
                json!({"method": "POST", "body": "query=vector(8)", "headers": form, "jsonPath": value}),
                json!({"successCondition": "asFloat(result) == 8"}),
            ),
        ),
        (
            "web-posts-json",
            web(
                "/api/v1/query",
                json!({"method": "POST", "jsonBody": {"query": "vector(8)"}, "jsonPath": value}),
                json!({"successCondition": "asFloat(result) == 8"}),
            ),
        ),
        (
            "web-gets-with-a-body",
            web(
                query,
                json!({"body": "x"}),
                json!({"successCondition": "true"}),
            ),
        ),
        (
            "web-with-a-secret-header",
            with_args(
                &secret("limits", "rate"),
                web(
                    query,
                    json!({"headers": [{"key": "Authorization", "value": "Bearer {{args.limit}}"}],
                        "timeoutSeconds": 5, "jsonPath": "{$.data.result[0].metric}"}),
                    json!({"successCondition": "len(result) == 0"}),
                ),
            ),
        ),
        (
            "web-path-to-nowhere",
            web(
                query,
                json!({"jsonPath": "{$.data.gone}"}),
                json!({"successCondition": "true"}),
            ),
        ),
        (
            "web-redirected",
            web(
                "/",
                json!({"jsonPath": "{$.data}"}),
                json!({"successCondition": "false"}),
            ),
        ),
    ]
}

fn prometheus() -> Vec<(&'static str, Value)> {
    let range = |start: &str, condition: &str| {
        json!({"metrics": [{
            "name": "a",
            "consecutiveErrorLimit": 0,
            "successCondition": condition,
            "provider": {"prometheus": {
                "address": "URL", "query": "vector(7)", "timeout": 5,
                "headers": [{"key": "X-Scope-OrgID", "value": "shop"}],
                "rangeQuery": {"start": start, "end": "now()", "step": "30s"},
            }},
        }]})
    };
    vec![
        (
            "text",
            one(
                "\"words\"",
                json!({"consecutiveErrorLimit": 0, "successCondition": "true"}),
            ),
        ),
        (
            "range-of-a-minute",
            range("now() - duration(\"1m\")", "len(result) == 3"),
        ),
    ]
}
