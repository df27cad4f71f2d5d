//! Values as texts: `%v` for `string()`, and JSON for `toJSON()`.

use super::error::{Class, ExpressionError};
use super::times;
use super::value::{Value, Whole};
use crate::argo::json::{self, Json};

/// Go's `%v`.
pub(super) fn display(value: &Value) -> Vec<u8> {
    match value {
        Value::Text(text) => text.to_vec(),
        Value::List(items, _) => {
            let mut out = b"[".to_vec();
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(b' ');
                }
                out.extend(display(item));
            }
            out.push(b']');
            out
        }
        Value::Object(fields) => {
            let mut out = b"map[".to_vec();
            for (index, (key, value)) in fields.iter().enumerate() {
                if index > 0 {
                    out.push(b' ');
                }
                out.extend_from_slice(key);
                out.push(b':');
                out.extend(display(value));
            }
            out.push(b']');
            out
        }
        Value::AnyMap(entries, _) => {
            let mut texts: Vec<Vec<u8>> = entries
                .iter()
                .map(|(key, value)| [display(key), display(value)].join(&b':'))
                .collect();
            texts.sort();
            [b"map[".as_slice(), &texts.join(&b' '), b"]"].concat()
        }
        Value::Nil => b"<nil>".to_vec(),
        Value::Bool(value) => value.to_string().into_bytes(),
        Value::Int(value, Whole::Month) => times::month_name(*value).as_bytes().to_vec(),
        Value::Int(value, Whole::Weekday) => times::weekday_name(*value).as_bytes().to_vec(),
        Value::Int(value, _) => value.to_string().into_bytes(),
        Value::Float(value) => number(*value).into_bytes(),
        Value::Time(time) => time.display().into_bytes(),
        Value::Duration(duration) => times::duration_text(*duration).into_bytes(),
        Value::Function(..) => b"0x0".to_vec(),
        Value::Location => b"UTC".to_vec(),
    }
}

/// A float as `%v` writes it: with an exponent of two digits below 1e-4 and from 1e21 on.
pub fn number(value: f64) -> String {
    let size = value.abs();
    if !value.is_finite() || size == 0.0 || (1e-4..1e21).contains(&size) {
        let text = if value.is_finite() {
            format!("{value}")
        } else {
            json::number(value)
        };
        return text;
    }
    let text = format!("{value:e}");
    match text.split_once('e') {
        Some((digits, exponent)) => {
            let (sign, exponent) = match exponent.strip_prefix('-') {
                Some(exponent) => ('-', exponent),
                None => ('+', exponent),
            };
            format!("{digits}e{sign}{exponent:0>2}")
        }
        None => text,
    }
}

/// What `json.MarshalIndent` would write.
pub(super) fn to_json(value: &Value) -> Result<Json, ExpressionError> {
    let refused = |what: &str| {
        Err(ExpressionError::run(
            Class::Json,
            format!("JSON has no way to write {what}"),
        ))
    };
    Ok(match value {
        Value::Nil => Json::Null,
        Value::Bool(value) => Json::Bool(*value),
        Value::Int(value, _) => Json::Number(*value as f64),
        Value::Float(value) if value.is_finite() => Json::Number(*value),
        Value::Float(value) => return refused(&json::number(*value)),
        Value::Text(text) => Json::String(String::from_utf8_lossy(text).into_owned()),
        Value::List(items, _) => Json::Array(items.iter().map(to_json).collect::<Result<_, _>>()?),
        Value::Object(fields) => {
            let field = |(key, value): (&Vec<u8>, &Value)| {
                let key = String::from_utf8_lossy(key).into_owned();
                to_json(value).map(|value| (key, value))
            };
            Json::Object(fields.iter().map(field).collect::<Result<_, _>>()?)
        }
        Value::AnyMap(..) => return refused("an object whose keys are not known to be texts"),
        Value::Time(time) => Json::String(time.rfc3339()),
        Value::Duration(duration) => Json::Number(*duration as f64),
        Value::Function(..) => return refused("a function"),
        Value::Location => Json::Object(std::collections::BTreeMap::new()),
    })
}
