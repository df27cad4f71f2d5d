//! The recorded answers of the real classes, and how they are compared: numbers to the last bit.

use serde_json::Value;

use crate::kayenta::number::Number;

/// Kayenta's own test tables, with what the real classes answer.
pub(super) fn cases(section: &str) -> Vec<Value> {
    let all: Value = serde_json::from_str(include_str!(
        "../../../../tests/reference/kayenta-cases.json"
    ))
    .expect("a JSON document");
    all[section].as_array().expect("a section").clone()
}

/// Random requests with the answers of the real judge.
pub(super) fn differential() -> Vec<Value> {
    serde_json::from_str(include_str!(
        "../../../../tests/reference/kayenta-differential.json"
    ))
    .expect("a JSON document")
}

/// A number, also where it is written as text.
pub(super) fn number(value: &Value) -> f64 {
    let Number(number) = serde_json::from_value(value.clone()).expect("a number");
    number
}

pub(super) fn numbers(value: &Value) -> Vec<f64> {
    let numbers = value.as_array().expect("a list of numbers");
    numbers.iter().map(number).collect()
}

/// Two numbers as `a, b`.
pub(super) fn pair(value: &Value) -> (f64, f64) {
    let numbers = numbers(value);
    (numbers[0], numbers[1])
}

/// The same bits; NaN is NaN.
pub(super) fn same(a: f64, b: f64) -> bool {
    a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan())
}

/// Within a tolerance; of 0 it is the same bits.
pub(super) fn near(a: f64, b: f64, tolerance: f64) -> bool {
    same(a, b) || (tolerance > 0.0 && (a - b).abs() <= tolerance)
}

/// What differs between two documents, by path.
pub(super) fn differences(path: &str, got: &Value, expected: &Value, found: &mut Vec<String>) {
    match (got, expected) {
        (Value::Object(a), Value::Object(b)) => {
            for key in a.keys().chain(b.keys().filter(|key| !a.contains_key(*key))) {
                let (a, b) = (a.get(key), b.get(key));
                let path = format!("{path}.{key}");
                match (a, b) {
                    (Some(a), Some(b)) => differences(&path, a, b, found),
                    _ => found.push(format!("{path}: {a:?} for {b:?}")),
                }
            }
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            for (place, (a, b)) in a.iter().zip(b).enumerate() {
                differences(&format!("{path}[{place}]"), a, b, found);
            }
        }
        (Value::Number(a), Value::Number(b)) if a.is_f64() && b.is_f64() => {
            let (a, b) = (a.as_f64().expect("one"), b.as_f64().expect("one"));
            if !same(a, b) {
                found.push(format!("{path}: {a:?} for {b:?}"));
            }
        }
        _ if got == expected => {}
        _ => found.push(format!("{path}: {got} for {expected}")),
    }
}
