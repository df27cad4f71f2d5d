//! `recant convert`, as a user runs it: what it prints is checked by the program, and by its schema.

use std::fs;

use insta::assert_snapshot;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::program::{Ran, recant};

const USERS: &str = include_str!("../acceptance/argo-analysis-templates.yaml");

fn convert(text: &str, more: &[&str]) -> Ran {
    let folder = TempDir::new().expect("a folder");
    fs::write(folder.path().join("analysis.yaml"), text).expect("it is written");
    let arguments = [&["convert", "analysis.yaml"], more].concat();
    recant(folder.path(), &arguments, &[])
}

/// What `recant check` says of a text, and each document against the schema.
fn assert_valid(printed: &str) {
    let folder = TempDir::new().expect("a folder");
    fs::write(folder.path().join("rules.yaml"), printed).expect("it is written");
    let checked = recant(folder.path(), &["check", "rules.yaml"], &[]);
    assert_eq!(checked.code, 0, "{}{}\n{printed}", checked.out, checked.err);
    let schema = recant(folder.path(), &["schema"], &[]);
    let schema: Value = serde_json::from_str(&schema.out).expect("a schema");
    let schema = jsonschema::validator_for(&schema).expect("a schema");
    for document in printed.split("---\n") {
        let read: Value = serde_saphyr::from_str(document).expect("YAML");
        if !read.is_null() {
            let errors: Vec<String> = schema.iter_errors(&read).map(|it| it.to_string()).collect();
            assert_eq!(errors, [""; 0], "{document}");
        }
    }
}

#[test]
fn the_users_templates_are_converted_unmodified() {
    let ran = convert(USERS, &["--target", "Deployment/orchestrator"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert_valid(&ran.out);
    insta::with_settings!({omit_expression => true, prepend_module_to_snapshot => false}, {
        assert_snapshot!("convert__users", ran.out);
    });

    // Without a target the watch is there to fill in.
    let ran = convert(USERS, &[]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert_valid(&ran.out);
    assert!(ran.out.contains("# kind: Watch"), "{}", ran.out);
}

const ALL: &str = r#"
apiVersion: argoproj.io/v1alpha1
kind: ClusterAnalysisTemplate
metadata: {name: all-kinds}
spec:
  args:
  - {name: service-name}
  - {name: stable-hash, valueFrom: {podTemplateHashValue: Stable}}
  - {name: limit, value: "0.05"}
  - {name: token, valueFrom: {secretKeyRef: {name: scores, key: header}}}
  - {name: region}
  dryRun: [{metricName: latency}, {metricName: '*'}]
  measurementRetention: [{metricName: errors, limit: 3}]
  metrics:
  - name: errors
    initialDelay: 2m
    interval: 1m
    count: 10
    failureLimit: 3
    failureCondition: result[0] > {{args.limit}}
    provider: {prometheus: {address: http://p:9090, query: '(sum(rate(http_requests_total{app="{{args.service-name}}",code=~"5.."}[5m])) or vector(0)) / sum(rate(http_requests_total{app="{{args.service-name}}"}[5m]))'}}
  - name: success
    successCondition: result[0] >= 99
    provider: {prometheus: {query: '100 * (1 - sum(rate(failed_total{pod=~"{{args.service-name}}-.+"}[1m])) / sum(rate(asked_total[1m])))'}}
  - name: latency
    interval: 30s
    successCondition: 'all(result, # < 0.25)'
    provider: {prometheus: {query: 'histogram_quantile(0.99, sum by (le, path) (rate(request_duration_seconds_bucket[5m])))'}}
  - name: latency-in-ms
    successCondition: result[0] < 250
    provider: {prometheus: {query: '1000 * histogram_quantile(0.5, sum by (le) (rate(request_duration_seconds_bucket[5m])))'}}
  - name: unknown-unit
    successCondition: result[0] < 250
    provider: {prometheus: {query: 'histogram_quantile(0.5, sum by (le) (rate(request_duration_bucket{pod=~"{{args.service-name}}.*"}[5m])))'}}
  - name: Queue Length
    interval: 1m
    count: 3
    failureLimit: 1
    successCondition: result[0] <= 100 && result[0] >= 1
    provider: {prometheus: {query: 'max(queue_length{pod=~"{{args.service-name}}-.*"})'}}
  - name: lag
    successCondition: len(result) == 0 || result[0] < 1000
    provider: {prometheus: {query: 'sum(kafka_lag{group="{{args.service-name}}"})'}}
  - name: by-hash
    consecutiveSuccessLimit: 2
    failureLimit: -1
    interval: 1m
    successCondition: result[0] < 5
    provider: {prometheus: {query: 'max(open_circuits{version="{{args.stable-hash}}"})'}}
  - name: crashes
    consecutiveErrorLimit: 2
    inconclusiveLimit: 2
    count: 3
    interval: 10s
    successCondition: result[0] < 1
    failureCondition: result[0] >= 5
    provider: {prometheus: {query: 'sum(increase(panics_total{app="{{args.service-name}}"}[10m]))'}}
  - name: per-second
    successCondition: result[0] < 2
    provider: {prometheus: {query: 'sum(rate(retries_total[5m]))'}}
  - name: score
    successCondition: result.value >= 90
    provider: {web: {url: 'https://scores/api?of=shop', jsonPath: '{$.data}', headers: [{key: Authorization, value: '{{args.token}}'}]}}
  - name: posted
    successCondition: result > 1
    provider: {web: {method: POST, url: 'https://scores/api', body: x}}
  - name: canary
    provider: {kayenta: {address: http://k, application: a, canaryConfigName: c, metricsAccountName: m, configurationAccountName: c, storageAccountName: s, threshold: {pass: 90, marginal: 75}, scopes: []}}
  - name: dog
    successCondition: result > 1
    provider: {datadog: {query: x}}
  - name: exact
    successCondition: result[0] == 3
    provider: {prometheus: {query: up}}
  - name: words
    successCondition: result == "ok"
    provider: {web: {url: 'https://scores/api', jsonPath: '{$.a}'}}
  - name: nowhere
    successCondition: result[0] > 1
    provider: {prometheus: {query: 'up{region="{{args.region}}"}'}}
  - name: never
    successCondition: result[0] > -1
    provider: {prometheus: {query: 'sum(up{app="x"})'}}
  - name: broken
    successCondition: result[0] > 1
    provider: {prometheus: {query: 'sum('}}
  - name: unjudged
    provider: {prometheus: {query: up}}
"#;

#[test]
fn what_can_be_converted_is_and_the_rest_is_refused_by_name() {
    let ran = convert(ALL, &["--target", "Rollout/shop", "--namespace", "shop"]);
    assert_eq!(ran.code, 1, "{}", ran.err);
    assert_valid(&ran.out);
    insta::with_settings!({omit_expression => true, prepend_module_to_snapshot => false}, {
        assert_snapshot!("convert__all", ran.out);
    });
    let refused: Vec<&str> = ran
        .err
        .lines()
        .filter_map(|line| line.strip_prefix("not converted: metric `"))
        .filter_map(|line| line.split('`').next())
        .collect();
    assert_eq!(
        refused,
        [
            "posted", "canary", "dog", "exact", "words", "nowhere", "never", "broken", "unjudged"
        ]
    );

    let ran = convert(ALL, &["--json", "--arg", "region=eu"]);
    assert_eq!(ran.code, 1, "{}", ran.err);
    let told: Value = serde_json::from_str(&ran.out).expect("JSON");
    let template = &told["templates"][0];
    assert_eq!(template["ruleSet"], "all-kinds-cluster");
    assert_eq!(template["refused"][0]["metric"], "posted");
    let names = template["rules"].as_array().expect("rules").iter();
    assert!(names.clone().any(|rule| rule["name"] == "nowhere"));
    let queue: Vec<&Value> = names
        .filter(|rule| rule["metric"] == "Queue Length")
        .map(|rule| &rule["name"])
        .collect();
    assert_eq!(
        queue,
        [&json!("queue-length-max"), &json!("queue-length-min")]
    );
}

#[test]
fn files_without_a_metric_that_can_be_converted_are_errors() {
    let nothing = "apiVersion: argoproj.io/v1alpha1\nkind: AnalysisTemplate\nmetadata: {name: n}\nspec: {metrics: [{name: a, provider: {job: {}}}]}\n";
    for (text, words) in [
        (
            nothing,
            "its provider `job` is nothing that Recant measures by",
        ),
        ("kind: Nothing\n", "holds no AnalysisTemplate"),
        ("a: [\n", "nothing was converted"),
    ] {
        let ran = convert(text, &[]);
        assert!(ran.code == 2 && ran.err.contains(words), "{text}: {ran:?}");
    }
    let ran = convert(USERS, &["--target", "Pod/x"]);
    assert!(
        ran.code == 2 && ran.err.contains("Deployment/NAME"),
        "{ran:?}"
    );
}

/// Words in a template never become anything but comments and quoted texts.
#[test]
fn no_text_of_a_template_breaks_out_of_the_document() {
    let text = "apiVersion: argoproj.io/v1alpha1\nkind: AnalysisTemplate\nmetadata: {name: \"a\\nkind: Watch\"}\nspec:\n  metrics:\n  - name: \"x'\\n- evil: #\"\n    successCondition: 'result[0] < 1'\n    provider: {prometheus: {query: \"sum(up{a=\\\"it's: '# \\\\\\\\n\\\"})\"}}\n";
    let ran = convert(text, &[]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert_valid(&ran.out);
    let documents: Vec<Value> = ran
        .out
        .split("---\n")
        .map(|document| serde_saphyr::from_str(document).expect("YAML"))
        .collect();
    assert_eq!(
        documents[0]["rules"].as_array().map(Vec::len),
        Some(1),
        "{}",
        ran.out
    );
}
