use super::*;
use crate::argo::template::{Analysis, run_spec};

fn read(text: &str) -> Analyses {
    analyses(&[SourceFile {
        name: "analysis.yaml".to_owned(),
        text: text.to_owned(),
    }])
}

/// `line:column severity: message` of each diagnostic.
fn told(found: &Analyses) -> Vec<String> {
    found
        .diagnostics
        .iter()
        .map(|it| {
            let place = it.place.as_ref();
            let (line, column) = place.map_or((0, 0), |place| (place.line, place.column));
            format!("{line}:{column} {}: {}", it.severity, it.message)
        })
        .collect()
}

#[test]
fn the_users_templates_are_read_and_the_field_that_is_none_is_named() {
    let text = include_str!("../../../../tests/acceptance/argo-analysis-templates.yaml");
    let found = read(text);
    assert!(!found.has_errors());
    let told = told(&found);
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(
        told[0].contains("`podTemplateHashValue` is no field"),
        "{told:?}"
    );
    let names: Vec<&str> = found
        .templates
        .iter()
        .map(|template| template.own.name.as_str())
        .collect();
    assert_eq!(names, ["success-rate-analysis", "comprehensive-analysis"]);
    let analysis = Analysis {
        templates: vec![found.templates[0].own.clone()],
        args: vec![
            crate::argo::argument::Argument::with_value("service-name", "checkout"),
            crate::argo::argument::Argument::with_value("canary-hash", "abc"),
        ],
        ..Analysis::default()
    };
    let spec = run_spec(&analysis, &found.templates).expect("a run");
    assert_eq!(spec.metrics.len(), 2);
}

const FAULTY: &str = r#"
apiVersion: argoproj.io/v1alpha1
kind: AnalysisTemplate
metadata: {name: faulty}
spec:
  args:
  - name: a
    value: 5
  - value: "x"
  metrics:
  - name: one
    interval: 10
    count: 1.5
    succesCondition: result > 1
    provider:
      prometheus: {query: up, adress: "http://x", timeout: "5"}
  - name: two
    count: 3
    successCondition: result[0] >
    provider: {web: {url: "http://x", jsonPath: "{.a", timeoutSeconds: 1}}
  - name: two
    provider: {datadog: {query: x}}
  - name: three
    provider:
      web:
        url: http://x
        jsonPath: $.a
        headers: [{key: Authorization, value: hunter2-secret, extra: 1}]
        authentication: {oauth2: {clientSecret: hunter3-secret}}
  - interval: 5m
"#;

#[test]
fn every_fault_is_told_at_once_with_its_place() {
    let found = read(FAULTY);
    let expected = [
        "8:12 error: `value` has to be a text, and is a number",
        "9:5 error: an argument has no `name`",
        "12:15 error: `interval` has to be a text, and is a number",
        "13:12 error: `count` has to be a whole number, or a text, and is a number",
        "14:5 warning: `succesCondition` is no field of a metric: the API server drops it",
        "16:31 warning: `adress` is no field of `prometheus`: the API server drops it",
        "16:60 error: `timeout` has to be a whole number, and is a text",
        "17:5 warning: the metric is invalid: interval must be specified when count > 1",
        "19:23 warning: `successCondition` cannot be read: the expression ends too early (at character 12)",
        "20:49 warning: `jsonPath` cannot be read: unclosed action",
        "21:11 error: two metrics have the name `two`",
        "22:16 error: the provider `datadog` is not supported by Recant",
        "27:19 warning: `jsonPath` has no braces: it is plain text, and the result is that text",
        "28:63 warning: `extra` is no field of a header: the API server drops it",
        "29:25 error: `authentication` is not supported by Recant: it speaks neither OAuth2 nor SigV4",
        "30:5 error: a metric has no `name`",
        "30:5 error: a metric has no `provider`",
    ];
    assert_eq!(told(&found), expected);
    let shown: String = found.diagnostics.iter().map(ToString::to_string).collect();
    assert!(!shown.contains("hunter"), "{shown}");
}

#[test]
fn a_run_document_is_read_whole() {
    let found = read(
        "apiVersion: argoproj.io/v1alpha1\nkind: AnalysisRun\nmetadata: {name: r}\nspec:\n  terminate: true\n  ttlStrategy: {secondsAfterFailure: 60}\n  dryRun: [{metricName: a}]\n  measurementRetention: [{metricName: a, limit: 3}]\n  args: [{name: t, valueFrom: {secretKeyRef: {name: s, key: k}}}]\n  metrics: [{name: a, provider: {web: {url: 'http://x/{{args.t}}'}}}]\n",
    );
    assert_eq!(told(&found), [""; 0]);
    let (name, spec) = &found.runs[0];
    assert_eq!(name, "r");
    assert!(spec.terminate);
    assert_eq!(spec.dry_run, ["a"]);
    assert_eq!(spec.measurement_retention[0].limit, 3);
    assert_eq!(
        spec.ttl_strategy.and_then(|ttl| ttl.after_failure),
        Some(60)
    );
}

#[test]
fn a_file_without_an_analysis_is_refused() {
    let found = read("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\n");
    assert!(found.has_errors());
    let broken = read("apiVersion: argoproj.io/v1alpha1\nkind: AnalysisTemplate\nmetadata: [\n");
    assert!(broken.has_errors());
    let odd = read(
        "apiVersion: argoproj.io/v1alpha1\nkind: AnalysisTemplate\nmetadata: {name: x}\nspec: 5\n",
    );
    assert!(odd.has_errors());
}
