//! `recant analyse` and `recant eval`, as a user runs them.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use tempfile::TempDir;
use wiremock::matchers::{header, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::program::{Ran, recant};

async fn run(text: &str, arguments: &[&str], environment: &[(&str, &str)]) -> Ran {
    let folder = TempDir::new().expect("a folder");
    fs::write(folder.path().join("analysis.yaml"), text).expect("it is written");
    let mut all = vec!["analyse".to_owned(), "analysis.yaml".to_owned()];
    all.extend(arguments.iter().map(|it| (*it).to_owned()));
    let environment: Vec<(String, String)> = environment
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    let running = tokio::task::spawn_blocking(move || {
        let all: Vec<&str> = all.iter().map(String::as_str).collect();
        let environment: Vec<(&str, &str)> = environment
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        recant(folder.path(), &all, &environment)
    });
    running.await.expect("it runs")
}

const TEMPLATE: &str = "
apiVersion: argoproj.io/v1alpha1
kind: AnalysisTemplate
metadata: {name: scores}
spec:
  args:
  - name: address
  - name: token
    valueFrom: {secretKeyRef: {name: scores, key: token}}
  - {name: limit, value: '0.9'}
  metrics:
  - name: score
    interval: 1s
    count: 2
    successCondition: result.score >= {{args.limit}}
    provider:
      web:
        url: '{{args.address}}/score'
        jsonPath: '{$.data}'
        headers: [{key: Authorization, value: 'Bearer {{args.token}}'}]
";

async fn server() -> MockServer {
    let server = MockServer::start().await;
    Mock::given(path("/score"))
        .and(header("Authorization", "Bearer hush"))
        .respond_with(ResponseTemplate::new(200).set_body_json(json!({"data": {"score": 0.95}})))
        .mount(&server)
        .await;
    server
}

#[tokio::test]
async fn a_template_is_run_to_its_end_without_a_cluster() {
    let server = server().await;
    let address = format!("address={}", server.uri());
    let secret = "scores/token=TOKEN";
    let arguments = ["--arg", &address, "--secret", secret];
    let ran = run(TEMPLATE, &arguments, &[("TOKEN", "hush")]).await;
    assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{}", ran.out);
    assert!(
        ran.out.contains(r#"score: Successful  {"score":0.95}"#),
        "{}",
        ran.out
    );
    assert!(ran.out.ends_with("Successful\n"), "{}", ran.out);
    assert!(!ran.out.contains("hush"), "{}", ran.out);

    let strict = [&arguments[..], &["--arg", "limit=0.99", "--json"]].concat();
    let ran = run(TEMPLATE, &strict, &[("TOKEN", "hush")]).await;
    assert_eq!(ran.code, 1, "{}", ran.err);
    let status: Value = serde_json::from_str(&ran.out).expect("a status");
    assert_eq!(status["phase"], "Failed");
    assert_eq!(status["metricResults"][0]["failed"], 1);
    assert_eq!(
        status["message"],
        "Metric \"score\" assessed Failed due to failed (1) > failureLimit (0)"
    );
}

/// The controller is woken by its own change; so a run that has gone wrong waits for no interval.
#[tokio::test]
async fn a_run_that_has_gone_wrong_does_not_wait_for_its_other_metrics() {
    let server = server().await;
    let metric = |name: &str, more: &str, condition: &str| {
        format!(
            "  - {{name: {name}, {more}, successCondition: 'result.score {condition} 0.5', provider: {{web: {{url: '{}/score', jsonPath: '{{$.data}}', headers: [{{key: Authorization, value: Bearer hush}}]}}}}}}\n",
            server.uri()
        )
    };
    let text = format!(
        "apiVersion: argoproj.io/v1alpha1\nkind: AnalysisRun\nmetadata: {{name: r}}\nspec:\n  metrics:\n{}{}",
        metric("slow", "interval: 50s, count: 9", ">"),
        metric("wrong", "initialDelay: 1s", "<"),
    );
    let begun = std::time::Instant::now();
    let ran = run(&text, &["--json"], &[]).await;
    assert_eq!(ran.code, 1, "{}{}", ran.out, ran.err);
    assert!(begun.elapsed().as_secs() < 20, "{:?}", begun.elapsed());
    let status: Value = serde_json::from_str(&ran.out).expect("a status");
    assert_eq!(status["metricResults"][0]["phase"], "Successful");
    assert_eq!(status["metricResults"][0]["count"], 1);

    let folder = TempDir::new().expect("a folder");
    let script = r#"{"slow": [{"phase": "Successful"}], "wrong": [{"phase": "Failed"}]}"#;
    fs::write(folder.path().join("run.yaml"), &text).expect("it is written");
    fs::write(folder.path().join("script.json"), script).expect("it is written");
    let arguments = ["analyse", "run.yaml", "--replay", "script.json", "--json"];
    let ran = recant(folder.path(), &arguments, &[]);
    let status: Value = serde_json::from_str(&ran.out).expect("a status");
    assert_eq!(
        (&status["phase"], &status["completedAt"]),
        (&json!("Failed"), &json!("2026-01-01T00:00:01Z")),
        "{}",
        ran.out
    );
}

#[tokio::test]
async fn what_is_missing_or_wrong_is_said_before_anything_is_asked() {
    for (text, arguments, code, words) in [
        (
            TEMPLATE,
            &["--secret", "scores/token=TOKEN"][..],
            2,
            "args.address was not resolved",
        ),
        (
            TEMPLATE,
            &[
                "--arg",
                "address=http://127.0.0.1:1",
                "--secret",
                "scores/token=GONE",
            ],
            2,
            "`GONE`",
        ),
        (TEMPLATE, &["--arg", "address"], 2, "NAME=VALUE"),
        (TEMPLATE, &["--template", "gone"], 2, "\"gone\" not found"),
        ("kind: Nothing\n", &[], 2, "holds no AnalysisTemplate"),
        (
            TEMPLATE,
            &["--arg", "address=http://127.0.0.1:1"],
            4,
            "secrets \"scores\" not found",
        ),
    ] {
        let ran = run(text, arguments, &[("TOKEN", "hush")]).await;
        let all = format!("{}{}", ran.out, ran.err);
        assert!(
            ran.code == code && all.contains(words),
            "{arguments:?}: {ran:?}"
        );
    }
}

#[test]
fn all_recorded_expressions_are_answered_line_by_line() {
    let text = include_str!("../reference/argo-oracle.json");
    let all: Value = serde_json::from_str(text).expect("JSON");
    let cases = all["expressions"].as_array().expect("a list");
    let lines: Vec<String> = cases.iter().map(Value::to_string).collect();
    let output = assert_cmd::Command::new(env!("CARGO_BIN_EXE_recant"))
        .args(["eval", "--lines"])
        .write_stdin(lines.join("\n"))
        .output()
        .expect("it runs");
    assert!(output.status.success(), "{output:?}");
    let answers = String::from_utf8(output.stdout).expect("text");
    let answers: Vec<Value> = answers
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    assert_eq!((answers.len(), cases.len()), (893, 893));
    for (case, answer) in cases.iter().zip(&answers) {
        assert_eq!(case["phase"], answer["phase"], "{case}");
        for field in ["where", "stage", "class"] {
            assert_eq!(
                case["error"][field], answer["error"][field],
                "{case} {answer}"
            );
        }
    }
}

#[test]
fn a_condition_can_be_tried() {
    let eval = |arguments: &[&str]| {
        let all = [&["eval"], arguments].concat();
        let ran = recant(Path::new("."), &all, &[]);
        (ran.code, ran.out)
    };
    let good = eval(&["--result", "[0.97]", "--success", "result[0] >= 0.95"]);
    assert_eq!(good, (0, "Successful\n".to_owned()));
    let bad = eval(&["--result", "[0.97]", "--failure", "result[0] >= 0.95"]);
    assert_eq!(bad, (1, "Failed\n".to_owned()));
    let (code, said) = eval(&["--result", "[0.97]", "--success", "result >= 0.95"]);
    assert!(code == 4 && said.contains("a list of numbers"), "{said}");
    let (code, _) = eval(&["--result", "[0.97", "--success", "true"]);
    assert_eq!(code, 2);
}
