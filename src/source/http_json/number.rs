//! The number that a path selects in a document: exactly one, and nothing that only looks like one.

use jsonpath_rust::query::js_path_process;
use serde_json::Value;

use crate::json_path::compile;
use crate::source::http::{Fault, excerpt};

/// The one number that a path selects.
pub(super) fn number(document: &Value, path: &str) -> Result<f64, Fault> {
    let query = compile(path).map_err(|reason| {
        Fault::malformed(format!("was given `{path}`, which is no path: {reason}"))
    })?;
    let found = js_path_process(&query, document)
        .map_err(|error| Fault::malformed(format!("cannot be read with `{path}`: {error}")))?;
    match found.as_slice() {
        [] => Err(Fault::malformed(format!(
            "has nothing at `{path}` in its answer"
        ))),
        [one] => match one.clone().val() {
            Value::Number(number) => number
                .as_f64()
                .filter(|number| number.is_finite())
                .ok_or_else(|| {
                    Fault::malformed(format!("has no usable number at `{path}`: {number}"))
                }),
            other => Err(Fault::malformed(format!(
                "has {} at `{path}`, and a number is needed",
                kind(other)
            ))),
        },
        several => Err(Fault::malformed(format!(
            "has {} values at `{path}`, and one is needed: narrow the path",
            several.len()
        ))),
    }
}

fn kind(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(value) => value.to_string(),
        Value::Number(number) => number.to_string(),
        Value::String(text) => format!("the text {:?}", excerpt(text)),
        Value::Array(items) => format!("a list of {}", items.len()),
        Value::Object(fields) => format!("an object of {} fields", fields.len()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(document: &Value, path: &str, expect: Result<f64, &str>) {
        match (number(document, path), expect) {
            (Ok(number), Ok(expect)) => assert!((number - expect).abs() < 1e-12, "{number}"),
            (Err(fault), Err(says)) => assert!(fault.reason.contains(says), "{}", fault.reason),
            (got, expect) => panic!(
                "{path}: {:?}, expected {expect:?}",
                got.map_err(|f| f.reason)
            ),
        }
    }

    #[test]
    fn exactly_one_number_is_taken() {
        let document = json!({
            "queue": {"depth": 12, "name": "in", "old": null, "text": "12"},
            "lanes": [{"id": "a", "depth": 1.5}, {"id": "b", "depth": 2}],
        });
        check(&document, "$.queue.depth", Ok(12.0));
        check(&document, "$.lanes[?@.id=='a'].depth", Ok(1.5));
        check(&document, "$.lanes[1].depth", Ok(2.0));
        check(&document, "$.nothing", Err("nothing at `$.nothing`"));
        check(&document, "$..depth", Err("3 values"));
        check(&document, "$.queue.text", Err("the text \"12\""));
        check(&document, "$.queue.old", Err("null"));
        check(&document, "$.lanes", Err("a list of 2"));
        check(&document, "$.queue", Err("an object of 4 fields"));
        check(&document, "queue.depth", Err("no path"));
    }
}
