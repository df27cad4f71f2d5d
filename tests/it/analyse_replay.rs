//! `recant analyse --replay`, as a user runs it: recorded measurements in the place of sources.

use std::collections::BTreeMap;
use std::fs;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::program::{Ran, recant};

const RECORDED: &str = include_str!("../reference/argo-oracle.json");

fn replay(recorded: &str) -> (Ran, Vec<Value>) {
    let folder = TempDir::new().expect("a folder");
    fs::write(folder.path().join("recorded.json"), recorded).expect("it is written");
    let ran = recant(
        folder.path(),
        &["analyse", "--replay", "recorded.json"],
        &[],
    );
    let lines = ran.out.lines();
    let lines = lines.map(|line| serde_json::from_str(line).expect("a line of JSON"));
    let answers = lines.collect();
    (ran, answers)
}

/// Recorded times are to the millisecond.
fn same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => {
            let (one, other) = (one.as_f64(), other.as_f64());
            one.zip(other)
                .is_some_and(|(one, other)| (one - other).abs() < 1.5e-3)
        }
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| same(one, other))
        }
        (Value::Object(one), Value::Object(other)) => {
            one.len() == other.len()
                && one
                    .iter()
                    .all(|(key, value)| other.get(key).is_some_and(|it| same(value, it)))
        }
        _ => one == other,
    }
}

/// Words of errors are our own; where the recorded code panics ours is an Error.
fn told(measurement: &Value) -> Value {
    let phase = match measurement["phase"].as_str() {
        Some("PANIC") => "Error",
        Some(phase) => phase,
        None => return Value::Null,
    };
    json!({
        "phase": phase,
        "value": measurement["value"].as_str().unwrap_or_default(),
        "class": measurement["message"]["class"],
        "metadata": measurement["metadata"],
        "resumeAfter": measurement["resumeAfter"],
        "at": measurement["at"],
    })
}

/// What is compared of a recording and of its answer.
fn outcome(set: &str, case: &Value) -> Value {
    match set {
        "phases" => json!({"steps": case["steps"], "startedAt": case["startedAt"]}),
        "assess" => {
            json!({"phase": case["phase"], "limit": case["limit"], "expired": case["expired"].as_bool()})
        }
        "expressions" => {
            let error = &case["error"];
            json!({"phase": case["phase"], "error": [error["where"], error["stage"], error["class"]]})
        }
        "web" | "prometheus" => {
            let asked = case["requests"].as_array().into_iter().flatten();
            let mut asked: Vec<Value> = asked.map(|it| json!([it["method"], it["path"]])).collect();
            // Go repeats what was cut before any answer.
            if case["measurement"]["message"]["class"] == "connection" {
                asked.dedup();
            }
            json!({"measurement": told(&case["measurement"]), "asked": asked})
        }
        "kayenta" => json!({"started": told(&case["started"]), "polled": told(&case["polled"])}),
        other => panic!("{other}"),
    }
}

/// What Recant refuses by name, and what differs from run to run in the controller too.
fn left_out(set: &str, case: &Value) -> bool {
    let oauth2 = case["web"]["authentication"].get("oauth2").is_some();
    set == "web" && (case["unstable"] == true || oauth2 && case["measurement"]["at"].is_null())
}

#[test]
fn every_recording_is_answered_as_it_was_recorded() {
    let recorded: Value = serde_json::from_str(RECORDED).expect("JSON");
    let (ran, answers) = replay(RECORDED);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    let sets = [
        "phases",
        "assess",
        "expressions",
        "web",
        "prometheus",
        "kayenta",
    ];
    let cases = sets.iter().flat_map(|set| {
        let cases = recorded[*set].as_array().expect("a list");
        cases.iter().map(move |case| (*set, case))
    });
    let cases: Vec<(&str, &Value)> = cases.collect();
    assert_eq!(cases.len(), answers.len());
    let mut wrong = Vec::new();
    let mut compared = BTreeMap::new();
    for ((set, case), answer) in cases.iter().zip(&answers) {
        assert_eq!(case["id"], answer["id"]);
        if left_out(set, case) {
            continue;
        }
        *compared.entry(*set).or_insert(0) += 1;
        let (got, expected) = (outcome(set, answer), outcome(set, case));
        if !same(&got, &expected) {
            wrong.push(format!(
                "{set} {}:\n  got      {got}\n  recorded {expected}",
                case["id"]
            ));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} differ:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    let expected = [
        ("assess", 130),
        ("expressions", 893),
        ("kayenta", 52),
        ("phases", 475),
        ("prometheus", 134),
        ("web", 167),
    ];
    assert_eq!(compared, BTreeMap::from(expected));
}

const TEMPLATE: &str = "
apiVersion: argoproj.io/v1alpha1
kind: AnalysisTemplate
metadata: {name: rates}
spec:
  args: [{name: limit, value: '0.95'}]
  metrics:
  - name: success-rate
    interval: 1m
    count: 5
    failureLimit: 1
    successCondition: result[0] >= {{args.limit}}
    provider: {prometheus: {address: 'http://prometheus:9090', query: up}}
";

fn with_template(recorded: &str, more: &[&str]) -> Ran {
    let folder = TempDir::new().expect("a folder");
    fs::write(folder.path().join("analysis.yaml"), TEMPLATE).expect("it is written");
    fs::write(folder.path().join("recorded.json"), recorded).expect("it is written");
    let arguments = ["analyse", "analysis.yaml", "--replay", "recorded.json"];
    recant(folder.path(), &[&arguments[..], more].concat(), &[])
}

#[test]
fn a_template_is_tried_on_recorded_results() {
    let dip = r#"{"script": {"success-rate": [{"result": [0.97]}, {"result": [0.9]}, {"result": [0.99]}]}}"#;
    let ran = with_template(dip, &[]);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{}", ran.out);
    let lines: Vec<&str> = ran.out.lines().collect();
    assert_eq!(lines.len(), 7, "{}", ran.out);
    assert_eq!(
        lines[1],
        "2026-01-01T00:01:00Z  success-rate: Failed  [0.9]"
    );
    assert_eq!(lines[6], "Successful");

    let ran = with_template(dip, &["--arg", "limit=0.98", "--json"]);
    assert_eq!(ran.code, 1, "{}", ran.err);
    let status: Value = serde_json::from_str(&ran.out).expect("a status");
    assert_eq!(
        (&status["phase"], &status["metricResults"][0]["failed"]),
        (&json!("Failed"), &json!(2))
    );

    // An error is asked again after ten seconds, and five in a row are one too many.
    let gone = r#"{"success-rate": [{"result": []}]}"#;
    let ran = with_template(gone, &["--json"]);
    assert_eq!(ran.code, 4, "{}", ran.out);
    let status: Value = serde_json::from_str(&ran.out).expect("a status");
    assert_eq!(status["metricResults"][0]["error"], 5, "{}", ran.out);
    assert_eq!(status["completedAt"], "2026-01-01T00:00:40Z", "{}", ran.out);
}

#[test]
fn a_metric_without_end_ends_with_its_script() {
    let endless = r#"{"metrics": [{"name": "a", "interval": "1m"}], "script": {"a": [{"phase": "Successful"}, {"phase": "Successful"}]}}"#;
    let (ran, answers) = replay(endless);
    assert_eq!(ran.code, 0, "{}", ran.err);
    let steps = answers[0]["steps"].as_array().expect("steps");
    let last = steps.last().expect("a step");
    assert_eq!(
        (&last["phase"], &last["metrics"]["a"]["n"][0]),
        (&json!("Successful"), &json!(2)),
        "{last}"
    );
}

#[test]
fn what_is_no_recording_is_refused_with_its_place() {
    for (recorded, words) in [
        ("", "holds no recording"),
        ("{\"id\": \"x\"", "is no JSON"),
        (
            "{\"id\": 1, \"result\": [1]}\n{\"id\": 2",
            "line 2 is no JSON",
        ),
        ("{\"id\": \"x\"}", "recording x: it is no recording"),
        (
            "{\"metrics\": [{\"name\": \"a\"}], \"script\": {\"a\": [{}]}}",
            "`script.a[].phase` is missing",
        ),
        (
            "{\"script\": {\"a\": [{\"phase\": \"Good\"}]}}",
            "\"Good\" is no phase",
        ),
        (
            "{\"metrics\": [{\"name\": \"a\"}], \"script\": {}}",
            "`a` is measured, and the script holds nothing for it",
        ),
        (
            "{\"metrics\": [{\"name\": \"a\"}], \"script\": {\"a\": [{\"phase\": \"Failed\", \"latency\": 1e300}]}}",
            "is no time",
        ),
        (
            "{\"result\": {}, \"shape\": \"float64s\"}",
            "the shape `float64s` does not go with an object",
        ),
        ("[5]", "it is no recording"),
    ] {
        let (ran, _) = replay(recorded);
        assert!(
            ran.code == 2 && ran.err.contains(words),
            "{recorded}: {ran:?}"
        );
    }
    let ran = with_template(r#"{"other": [{"phase": "Failed"}]}"#, &[]);
    assert!(
        ran.code == 2 && ran.err.contains("`success-rate` is measured"),
        "{ran:?}"
    );
}
