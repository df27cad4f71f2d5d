//! All recorded expressions: phase, and of errors the condition, step and class.

use jiff::Timestamp;
use serde_json::Value;

use super::oracle::{outcome, report, set};
use crate::argo::Conditions;

fn now() -> Timestamp {
    "2026-01-01T00:00:00Z".parse().expect("a time")
}

#[test]
fn every_recorded_expression_gets_the_recorded_result() {
    let mut wrong = Vec::new();
    let cases = set("expressions");
    for case in &cases {
        let text = |field: &str| case[field].as_str().unwrap_or_default();
        let conditions = Conditions::new(text("successCondition"), text("failureCondition"));
        let result = outcome(text("shape"), &case["result"]);
        let (phase, error) = match conditions.phase(&result, now()) {
            Ok(phase) => (phase.name(), None),
            Err(error) => ("Error", Some(error)),
        };
        let got = error.as_ref().map(|error| {
            let mut parts = vec![
                error.condition.field(),
                error.cause.stage.name(),
                error.class().name(),
            ];
            if error.no_data {
                parts.push(error.cause.class.name());
            }
            parts.join(" ")
        });
        let recorded = case.get("error").map(|error| {
            let mut parts = vec![&error["where"], &error["stage"], &error["class"]];
            if let Some(cause) = error.get("cause") {
                parts.push(&cause["class"]);
            }
            let parts: Vec<&str> = parts.into_iter().filter_map(Value::as_str).collect();
            parts.join(" ")
        });
        if phase != text("phase") || got != recorded {
            wrong.push(format!(
                "{}: {phase} {got:?} ({error:?}), recorded {} {recorded:?}: {case}",
                text("id"),
                text("phase")
            ));
        }
    }
    report("expressions", cases.len(), &wrong);
    assert_eq!(cases.len(), 893);
}
