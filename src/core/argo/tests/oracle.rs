//! Reads the recordings.

use serde_json::Value;

use crate::argo::expression::Outcome;
use crate::argo::json::Json;

/// The cases of one set.
pub(super) fn set(name: &str) -> Vec<Value> {
    let text = include_str!("../../../../tests/reference/argo-oracle.json");
    let mut all: Value = serde_json::from_str(text).expect("the recordings are JSON");
    let cases = all[name].take();
    let Value::Array(cases) = cases else {
        panic!("no set `{name}`");
    };
    assert!(!cases.is_empty());
    cases
}

/// A recorded value; numbers that JSON lacks are written as objects.
pub(super) fn json(value: &Value) -> Json {
    match value {
        Value::Null => Json::Null,
        Value::Bool(value) => Json::Bool(*value),
        Value::Number(number) => Json::Number(number.as_f64().expect("a float")),
        Value::String(text) => Json::String(text.clone()),
        Value::Array(items) => Json::Array(items.iter().map(json).collect()),
        Value::Object(fields) => {
            if let Some(Value::String(text)) = fields.get("$float") {
                return Json::Number(match text.as_str() {
                    "NaN" => f64::NAN,
                    "+Inf" => f64::INFINITY,
                    _ => f64::NEG_INFINITY,
                });
            }
            Json::Object(
                fields
                    .iter()
                    .map(|(key, value)| (key.clone(), json(value)))
                    .collect(),
            )
        }
    }
}

/// A recorded result with its Go type.
pub(super) fn outcome(shape: &str, value: &Value) -> Outcome {
    let number = |value: &Json| match value {
        Json::Number(number) => *number,
        other => panic!("{other:?} is no number"),
    };
    match (shape, json(value)) {
        ("float64s", Json::Array(items)) => Outcome::Numbers(items.iter().map(number).collect()),
        ("float64", value) => Outcome::Number(number(&value)),
        ("nil-pointer", _) => Outcome::Nothing,
        ("json", value) => Outcome::Json(value),
        (shape, value) => panic!("{shape}: {value:?}"),
    }
}

/// Prints how many cases of a set have the recorded answer, and fails if not all have.
#[expect(
    clippy::print_stdout,
    reason = "counts are for those who run with --nocapture"
)]
pub(super) fn report(set: &str, cases: usize, wrong: &[String]) {
    println!("{set}: {} of {cases}", cases - wrong.len());
    assert!(
        wrong.is_empty(),
        "{} of {cases} in {set} differ:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}
