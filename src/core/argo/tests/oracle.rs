//! Reads the recordings.

use serde_json::Value;

use crate::argo::argument::{Argument, ValueFrom};
use crate::argo::expression::Outcome;
use crate::argo::json::Json;
use crate::argo::run::Retention;

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

/// Fails if not all cases of a set have the recorded answer.
pub(super) fn report(set: &str, cases: usize, wrong: &[String]) {
    assert!(
        wrong.is_empty(),
        "{} of {cases} in {set} differ:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

/// The other way round, for comparisons.
pub(super) fn json_of(value: &Json) -> Value {
    match value {
        Json::Null => Value::Null,
        Json::Bool(value) => Value::Bool(*value),
        Json::Number(value) => serde_json::json!(value),
        Json::String(text) => Value::String(text.clone()),
        Json::Array(items) => items.iter().map(json_of).collect(),
        Json::Object(fields) => Value::Object(
            fields
                .iter()
                .map(|(key, value)| (key.clone(), json_of(value)))
                .collect(),
        ),
    }
}

/// Arguments as documents write them; bytes that are no text are written in base64, and are none that we can hold.
pub(super) fn argument_list(value: &Value) -> Vec<Argument> {
    let one = |arg: &Value| {
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let secret = &arg["valueFrom"]["secretKeyRef"];
        let field = &arg["valueFrom"]["fieldRef"]["fieldPath"];
        let value_from = match (text(&secret["name"]), text(field)) {
            (Some(name), _) => Some(ValueFrom::SecretKeyRef {
                name,
                key: text(&secret["key"]).unwrap_or_default(),
            }),
            (None, Some(path)) => Some(ValueFrom::FieldRef { path }),
            (None, None) => arg.get("valueFrom").map(|_| ValueFrom::Nothing),
        };
        let not_text = arg.get("valueBase64").map(|_| "\u{1}".to_owned());
        Argument {
            name: text(&arg["name"]).unwrap_or_default(),
            value: text(&arg["value"]).or(not_text),
            value_from,
        }
    };
    value.as_array().into_iter().flatten().map(one).collect()
}

/// Rules of retention as documents write them.
pub(super) fn retention(value: &Value) -> Vec<Retention> {
    let one = |rule: &Value| Retention {
        metric_name: rule["metricName"].as_str().unwrap_or_default().to_owned(),
        limit: rule["limit"].as_i64().unwrap_or_default(),
    };
    value.as_array().into_iter().flatten().map(one).collect()
}

/// Notes a difference; numbers are compared by value, times to the millisecond to which they are recorded.
pub(super) fn differ(what: &str, got: &Value, recorded: &Value, wrong: &mut Vec<String>) {
    if !same(got, recorded) {
        wrong.push(format!("{what}:\n  got      {got}\n  recorded {recorded}"));
    }
}

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
                    .all(|(key, value)| other.get(key).is_some_and(|other| same(value, other)))
        }
        (one, other) => one == other,
    }
}
