//! Fields, elements and parts of values.

use std::rc::Rc;

use super::error::{Class, ExpressionError};
use super::go_text;
use super::nature::Function;
use super::numbers::{Evaluated, to_int};
use super::operate::{key_of, same_key};
use super::times::Method;
use super::value::{AnyMapType, ListType, Value, Whole};

/// `from[by]`, `from.by`.
pub(super) fn fetch(from: &Value, by: &Value) -> Evaluated {
    if let (Some(go), Value::Text(name)) = (from.go(), by)
        && let Some(method) = Method::of(go, &String::from_utf8_lossy(name))
    {
        let receiver = Some(Box::new(from.clone()));
        return Ok(Value::Function(Function::Method(method), receiver));
    }
    let name = || String::from_utf8_lossy(&go_text::display(by)).into_owned();
    match from {
        Value::Nil => Err(ExpressionError::run(
            Class::NilAccess,
            format!("`{}` is asked of nothing (nil)", name()),
        )),
        Value::List(_, _) | Value::Text(_) => {
            let index = to_int(by)?;
            element(from, index).ok_or_else(|| {
                ExpressionError::run(
                    Class::IndexOutOfRange,
                    format!("there is no element {index}: there are {}", length(from)),
                )
            })
        }
        Value::Object(fields) => Ok(fields
            .get(key_of(by)?.as_slice())
            .cloned()
            .unwrap_or(Value::Nil)),
        Value::AnyMap(entries, kind) => Ok(entries
            .iter()
            .find(|(key, _)| same_key(key, by))
            .map_or_else(|| missing(*kind), |(_, value)| value.clone())),
        Value::Bool(_)
        | Value::Int(..)
        | Value::Float(_)
        | Value::Time(_)
        | Value::Duration(_)
        | Value::Function(..)
        | Value::Location => Err(ExpressionError::run(
            Class::BadAccess,
            format!(
                "`{}` is asked of {}, which has no fields",
                name(),
                from.describe()
            ),
        )),
    }
}

fn missing(kind: AnyMapType) -> Value {
    match kind {
        AnyMapType::Plain => Value::Nil,
        AnyMapType::Groups => Value::List(Rc::new(Vec::new()), ListType::NilAnys),
    }
}

/// `get(from, by)`: nil where `from[by]` would fail for what is not there.
pub(super) fn get(from: &Value, by: &Value) -> Evaluated {
    match from {
        Value::List(..) | Value::Text(_) => Ok(element(from, to_int(by)?).unwrap_or(Value::Nil)),
        Value::AnyMap(entries, _) => Ok(entries
            .iter()
            .find(|(key, _)| same_key(key, by))
            .map_or(Value::Nil, |(_, value)| value.clone())),
        Value::Object(_) | Value::Time(_) | Value::Duration(_) => fetch(from, by),
        Value::Nil
        | Value::Bool(_)
        | Value::Int(..)
        | Value::Float(_)
        | Value::Function(..)
        | Value::Location => Ok(Value::Nil),
    }
}

/// Elements of a list, bytes of a text.
pub(super) fn length(value: &Value) -> usize {
    match value {
        Value::List(items, _) => items.len(),
        Value::Text(text) => text.len(),
        Value::Object(fields) => fields.len(),
        Value::AnyMap(entries, _) => entries.len(),
        _ => 0,
    }
}

/// The element at an index; negative ones count from the end.
pub(super) fn element(from: &Value, index: i64) -> Option<Value> {
    let length = i64::try_from(length(from)).unwrap_or(i64::MAX);
    let index = if index < 0 { index + length } else { index };
    let index = usize::try_from(index).ok()?;
    match from {
        Value::List(items, _) => items.get(index).cloned(),
        Value::Text(text) => text
            .get(index)
            .map(|byte| Value::Int(i64::from(*byte), Whole::Uint8)),
        _ => None,
    }
}

/// `base[from:to]`, of bytes for a text. Ends beyond the ends are the ends.
pub(super) fn slice(base: &Value, from: &Value, to: &Value) -> Evaluated {
    let size = length(base);
    let end = |value: i64| {
        let whole = i64::try_from(size).unwrap_or(i64::MAX);
        let value = if value < 0 {
            value.saturating_add(whole)
        } else {
            value
        };
        usize::try_from(value.clamp(0, whole)).unwrap_or(0)
    };
    let cut = |from: i64, to: i64| {
        let to = end(to);
        (end(from).min(to), to)
    };
    match base {
        Value::List(items, kind) => {
            let (from, to) = cut(to_int(from)?, to_int(to)?);
            let part = items.get(from..to).unwrap_or_default().to_vec();
            let kind = match kind {
                ListType::Pair => ListType::Anys,
                kind => *kind,
            };
            Ok(Value::List(Rc::new(part), kind))
        }
        Value::Text(text) => {
            let (from, to) = cut(to_int(from)?, to_int(to)?);
            Ok(Value::bytes(
                text.get(from..to).unwrap_or_default().to_vec(),
            ))
        }
        other => Err(ExpressionError::run(
            Class::BadAccess,
            format!("no part can be cut out of {}", other.describe()),
        )),
    }
}
