//! Comparisons, equality and membership.

use std::cmp::Ordering;
use std::rc::Rc;

use super::ast::Binary;
use super::error::{Class, ExpressionError};
use super::go_regex;
use super::numbers::{Pair, mismatch, numbers};
use super::value::{ListType, Text, Value};

/// `==`: numbers of any type by value, lists by their elements, all else by type and content.
#[expect(clippy::float_cmp, reason = "the language's `==` is exact")]
pub(super) fn equal(left: &Value, right: &Value) -> bool {
    match numbers(left, right) {
        Some(Pair::Ints(left, right)) => return left == right,
        Some(Pair::Floats(left, right)) => return left == right,
        None => {}
    }
    let plain = |list: ListType| !matches!(list, ListType::Pair | ListType::Pairs);
    let any = |list: ListType| matches!(list, ListType::Anys | ListType::NilAnys);
    match (left, right) {
        (Value::List(one, a), Value::List(other, b))
            if plain(*a) && plain(*b) && (any(*a) || any(*b) || a == b) =>
        {
            one.len() == other.len()
                && one
                    .iter()
                    .zip(other.iter())
                    .all(|(one, other)| equal(one, other))
        }
        _ => (left.is_nil() && right.is_nil()) || deeply_equal(left, right),
    }
}

/// `reflect.DeepEqual`: 1 is not 1.0, and a list of ints no list of anything.
#[expect(clippy::float_cmp, reason = "Go's comparison is exact")]
fn deeply_equal(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Nil, Value::Nil) | (Value::Location, Value::Location) => true,
        (Value::Bool(one), Value::Bool(other)) => one == other,
        (Value::Int(one, a), Value::Int(other, b)) => one == other && a == b,
        (Value::Float(one), Value::Float(other)) => one == other,
        (Value::Text(one), Value::Text(other)) => one == other,
        (Value::Duration(one), Value::Duration(other)) => one == other,
        (Value::Time(one), Value::Time(other)) => one.since(other) == 0,
        (Value::List(one, a), Value::List(other, b)) => {
            a == b
                && (Rc::ptr_eq(one, other)
                    || one.len() == other.len()
                        && one
                            .iter()
                            .zip(other.iter())
                            .all(|(one, other)| deeply_equal(one, other)))
        }
        (Value::Object(one), Value::Object(other)) => {
            Rc::ptr_eq(one, other)
                || one.len() == other.len()
                    && one
                        .iter()
                        .zip(other.iter())
                        .all(|(one, other)| one.0 == other.0 && deeply_equal(one.1, other.1))
        }
        (Value::AnyMap(one, a), Value::AnyMap(other, b)) => {
            a == b
                && one.len() == other.len()
                && one.iter().all(|(key, value)| {
                    other
                        .iter()
                        .any(|(k, v)| deeply_equal(key, k) && deeply_equal(value, v))
                })
        }
        _ => false,
    }
}

/// Whether two values are the same key of a map: same type, same value.
pub(super) fn same_key(one: &Value, other: &Value) -> bool {
    deeply_equal(one, other)
}

/// `<`, `>`, `<=`, `>=`.
pub(super) fn compare(
    operator: Binary,
    left: &Value,
    right: &Value,
) -> Result<bool, ExpressionError> {
    let order = match numbers(left, right) {
        Some(Pair::Ints(left, right)) => Some(left.cmp(&right)),
        Some(Pair::Floats(left, right)) => left.partial_cmp(&right),
        None => match (left, right) {
            (Value::Text(left), Value::Text(right)) => Some(left.cmp(right)),
            (Value::Time(left), Value::Time(right)) => Some(left.since(right).cmp(&0)),
            (Value::Duration(left), Value::Duration(right)) => Some(left.cmp(right)),
            _ => return Err(mismatch(operator.text(), left, right)),
        },
    };
    // NaN is in no order: every comparison with it is false.
    Ok(order.is_some_and(|order| match operator {
        Binary::Less => order == Ordering::Less,
        Binary::Greater => order == Ordering::Greater,
        Binary::LessOrEqual => order != Ordering::Greater,
        _ => order != Ordering::Less,
    }))
}

/// `needle in haystack`.
pub(super) fn is_in(needle: &Value, haystack: &Value) -> Result<bool, ExpressionError> {
    match haystack {
        Value::Nil => Ok(false),
        Value::List(items, _) => Ok(items.iter().any(|item| equal(item, needle))),
        Value::Object(fields) => Ok(fields.contains_key(key_of(needle)?.as_slice())),
        Value::AnyMap(entries, _) => Ok(entries.iter().any(|(key, _)| same_key(key, needle))),
        Value::Time(_) | Value::Location => assert_text(needle).map(|_| false),
        other => Err(ExpressionError::run(
            Class::BadArgument,
            format!(
                "nothing can be searched for in {} by `in`",
                other.describe()
            ),
        )),
    }
}

/// A value as the name of a field; Go takes nil for the empty one.
pub(super) fn key_of(value: &Value) -> Result<Text, ExpressionError> {
    match value {
        Value::Text(text) => Ok(Rc::clone(text)),
        Value::Nil => Ok(Rc::new(Vec::new())),
        other => Err(ExpressionError::run(
            Class::BadArgument,
            format!("{} is no name of a field", other.describe()),
        )),
    }
}

pub(super) fn assert_bool(value: &Value) -> Result<bool, ExpressionError> {
    match value {
        Value::Bool(value) => Ok(*value),
        other => Err(needed("true or false", other)),
    }
}

pub(super) fn assert_text(value: &Value) -> Result<&Text, ExpressionError> {
    match value {
        Value::Text(text) => Ok(text),
        other => Err(needed("a text", other)),
    }
}

/// A value of unknown type is not what is needed.
pub(super) fn needed(what: &str, value: &Value) -> ExpressionError {
    ExpressionError::run(
        Class::TypeAssertion,
        format!("{what} is needed here, and this is {}", value.describe()),
    )
}

/// `matches`, `contains`, `startsWith`, `endsWith`: nothing matches nothing.
pub(super) fn text_test(
    operator: Binary,
    left: &Value,
    right: &Value,
) -> Result<bool, ExpressionError> {
    if left.is_nil() || right.is_nil() {
        return Ok(false);
    }
    if operator == Binary::Matches {
        if !matches!(left, Value::Text(_)) {
            return Err(needed("a text", left));
        }
        let pattern = assert_text(right)?;
        let compiled = go_regex::compile(pattern)
            .map_err(|error| ExpressionError::run(Class::BadRegexp, error))?;
        return Ok(compiled.is_match(assert_text(left)?));
    }
    let (left, right) = (assert_text(left)?, assert_text(right)?);
    Ok(match operator {
        Binary::StartsWith => left.starts_with(right),
        Binary::EndsWith => left.ends_with(right),
        _ => find(left, right).is_some(),
    })
}

/// The first place of a piece in a text.
pub(super) fn find(text: &[u8], piece: &[u8]) -> Option<usize> {
    if piece.is_empty() {
        return Some(0);
    }
    text.windows(piece.len()).position(|window| window == piece)
}
