//! Built-in functions on lists and objects, and sorting.

use std::cmp::Ordering;
use std::rc::Rc;

use super::ast::Binary;
use super::error::{Class, ExpressionError};
use super::evaluate::Machine;
use super::members;
use super::operate::{assert_text, compare, equal, same_key};
use super::value::{AnyMapType, ListType, Value, Whole};

fn bad(text: impl Into<String>) -> ExpressionError {
    ExpressionError::run(Class::BadArgument, text)
}

/// The value, or `None` if the function is not one of these.
pub(super) fn apply(
    machine: &mut Machine,
    name: &str,
    given: &[Value],
) -> Result<Option<Value>, ExpressionError> {
    let first = given.first().unwrap_or(&Value::Nil);
    let list = || match first {
        Value::List(items, _) => Ok(items),
        other => Err(bad(format!(
            "`{name}` takes a list, and gets {}",
            other.describe()
        ))),
    };
    Ok(Some(match name {
        // What cannot be picked is nil, whatever it is picked from.
        "first" => picked(first, 0),
        "last" => picked(first, -1),
        "max" => extreme(machine, name, Binary::Less, given)?,
        "min" => extreme(machine, name, Binary::Greater, given)?,
        "mean" => {
            let mut numbers = Vec::new();
            flat_numbers(machine, name, given, &mut numbers)?;
            let sum = nested_sum(given);
            Value::Float(if numbers.is_empty() {
                0.0
            } else {
                sum / numbers.len() as f64
            })
        }
        "median" => {
            let mut numbers = Vec::new();
            flat_numbers(machine, name, given, &mut numbers)?;
            Value::Float(median(&mut numbers))
        }
        "take" => {
            let Value::Int(count, _) = given.get(1).unwrap_or(&Value::Nil) else {
                return Err(bad("`take` takes a whole number of elements"));
            };
            let items = list()?;
            let count = usize::try_from(*count)
                .map_err(|_| bad("`take` cannot take a negative number of elements"))?;
            let part: Vec<Value> = items.iter().take(count).cloned().collect();
            machine.take(part.len())?;
            match first {
                Value::List(_, kind) => Value::List(Rc::new(part), *kind),
                _ => Value::anys(part),
            }
        }
        "keys" | "values" | "toPairs" => entries(name, first)?,
        "fromPairs" => from_pairs(machine, list()?)?,
        "reverse" => {
            let items: Vec<Value> = list()?.iter().rev().cloned().collect();
            machine.grow(items.len())?;
            Value::anys(items)
        }
        "uniq" => {
            let mut kept: Vec<Value> = Vec::new();
            for item in list()?.iter() {
                machine.step(kept.len())?;
                if !kept.iter().any(|known| equal(item, known)) {
                    kept.push(item.clone());
                }
            }
            Value::anys(kept)
        }
        "concat" => {
            let mut all = Vec::new();
            for one in given {
                let Value::List(items, _) = one else {
                    return Err(bad(format!(
                        "`concat` takes lists, and gets {}",
                        one.describe()
                    )));
                };
                machine.grow(items.len())?;
                all.extend(items.iter().cloned());
            }
            Value::anys(all)
        }
        "flatten" => {
            let mut flat = Vec::new();
            flatten(machine, list()?, &mut flat)?;
            machine.grow(flat.len())?;
            Value::anys(flat)
        }
        "sort" => {
            let order = match given.get(1) {
                Some(order) => assert_text(order)?.to_vec(),
                None => b"asc".to_vec(),
            };
            let descending = is_descending(&order)?;
            // What is no list of known elements is sorted to nothing there.
            let Value::List(
                items,
                ListType::Anys
                | ListType::NilAnys
                | ListType::Floats
                | ListType::Ints
                | ListType::Texts,
            ) = first
            else {
                return Ok(Some(Value::List(Rc::new(Vec::new()), ListType::NilAnys)));
            };
            let mut items = items.to_vec();
            machine.step(items.len().saturating_mul(16))?;
            let less = |one: &Value, other: &Value| {
                let (one, other) = if descending {
                    (other, one)
                } else {
                    (one, other)
                };
                compare(Binary::Less, one, other)
            };
            sort(&mut items, &less)?;
            machine.grow(items.len())?;
            Value::anys(items)
        }
        _ => return Ok(None),
    }))
}

fn picked(from: &Value, index: i64) -> Value {
    match from {
        Value::List(..) | Value::Text(_) => members::element(from, index).unwrap_or(Value::Nil),
        // A map is asked for the key 0, which only a map of anything can have.
        Value::AnyMap(entries, _) => {
            let key = Value::int(index);
            let found = entries.iter().find(|(known, _)| same_key(known, &key));
            found.map_or(Value::Nil, |(_, value)| value.clone())
        }
        _ => Value::Nil,
    }
}

pub(super) fn is_descending(order: &[u8]) -> Result<bool, ExpressionError> {
    match order {
        b"asc" => Ok(false),
        b"desc" => Ok(true),
        _ => Err(bad("the order of sorting is `asc` or `desc`")),
    }
}

fn is_number(value: &Value) -> bool {
    matches!(
        value,
        Value::Float(_) | Value::Int(_, Whole::Int | Whole::Int64 | Whole::Uint8)
    )
}

/// `max` and `min`: the first value wins over a NaN that comes later, and a NaN that comes first over all.
fn extreme(
    machine: &mut Machine,
    name: &str,
    better: Binary,
    given: &[Value],
) -> Result<Value, ExpressionError> {
    machine.step(given.len())?;
    let mut best = Value::Nil;
    let refuse = |value: &Value| {
        Err(bad(format!(
            "`{name}` takes numbers, and gets {}",
            value.describe()
        )))
    };
    for value in given {
        match value {
            Value::List(items, _) => {
                for item in items.iter() {
                    let inner = extreme(machine, name, better, std::slice::from_ref(item))?;
                    if !is_number(&inner) {
                        return refuse(&inner);
                    }
                    if matches!(best, Value::Nil) || compare(better, &best, &inner)? {
                        best = inner;
                    }
                }
            }
            value if is_number(value) || matches!(value, Value::Int(..) | Value::Duration(_)) => {
                if matches!(best, Value::Nil) || compare(better, &best, value)? {
                    best = value.clone();
                }
            }
            // One argument that is no number is given back as it is.
            value if given.len() == 1 => return Ok(value.clone()),
            value => return refuse(value),
        }
    }
    Ok(best)
}

fn flat_numbers(
    machine: &mut Machine,
    name: &str,
    given: &[Value],
    found: &mut Vec<f64>,
) -> Result<(), ExpressionError> {
    machine.step(given.len())?;
    for value in given {
        match value {
            Value::List(items, _) => flat_numbers(machine, name, items, found)?,
            Value::Int(value, _) | Value::Duration(value) => found.push(*value as f64),
            Value::Float(value) => found.push(*value),
            other => {
                return Err(bad(format!(
                    "`{name}` takes numbers, and gets {}",
                    other.describe()
                )));
            }
        }
    }
    Ok(())
}

/// Inner lists are summed before they are added, which decides the last bits.
fn nested_sum(given: &[Value]) -> f64 {
    let mut total = 0.0;
    for value in given {
        match value {
            Value::List(items, _) => {
                for item in items.iter() {
                    total += nested_sum(std::slice::from_ref(item));
                }
            }
            Value::Int(value, _) | Value::Duration(value) => total += *value as f64,
            Value::Float(value) => total += value,
            _ => {}
        }
    }
    total
}

#[expect(
    clippy::manual_midpoint,
    reason = "Go's sum overflows to infinity, and so has ours to"
)]
fn median(numbers: &mut [f64]) -> f64 {
    // NaN comes first, and zeros of both signs are equal.
    numbers.sort_by(|one, other| match (one.is_nan(), other.is_nan()) {
        (true, true) => Ordering::Equal,
        (true, false) => Ordering::Less,
        (false, true) => Ordering::Greater,
        (false, false) => one.partial_cmp(other).unwrap_or(Ordering::Equal),
    });
    let middle = numbers.len() / 2;
    let at = |index: usize| numbers.get(index).copied().unwrap_or(0.0);
    if numbers.is_empty() {
        0.0
    } else if numbers.len() % 2 == 1 {
        at(middle)
    } else {
        (at(middle - 1) + at(middle)) / 2.0
    }
}

fn entries(name: &str, value: &Value) -> Result<Value, ExpressionError> {
    let pairs: Vec<(Value, Value)> = match value {
        Value::Object(fields) => fields
            .iter()
            .map(|(key, value)| (Value::bytes(key.clone()), value.clone()))
            .collect(),
        Value::AnyMap(entries, _) => entries.to_vec(),
        other => {
            return Err(ExpressionError::run(
                if name == "toPairs" {
                    Class::BadArgument
                } else {
                    Class::BadAccess
                },
                format!("`{name}` takes an object, and gets {}", other.describe()),
            ));
        }
    };
    let pairs = pairs.into_iter();
    Ok(match name {
        "keys" => Value::anys(pairs.map(|(key, _)| key).collect()),
        "values" => Value::anys(pairs.map(|(_, value)| value).collect()),
        _ => {
            let pair = |(key, value)| Value::List(Rc::new(vec![key, value]), ListType::Pair);
            Value::List(Rc::new(pairs.map(pair).collect()), ListType::Pairs)
        }
    })
}

fn from_pairs(machine: &mut Machine, items: &[Value]) -> Result<Value, ExpressionError> {
    let mut found: Vec<(Value, Value)> = Vec::new();
    for item in items {
        let Value::List(pair, _) = item else {
            return Err(bad(format!(
                "a pair is needed, and this is {}",
                item.describe()
            )));
        };
        let [key, value] = pair.as_slice() else {
            return Err(bad(format!(
                "a pair has 2 elements, and this one has {}",
                pair.len()
            )));
        };
        machine.step(found.len())?;
        match found.iter_mut().find(|(known, _)| same_key(known, key)) {
            Some((_, known)) => *known = value.clone(),
            None => found.push((key.clone(), value.clone())),
        }
    }
    Ok(Value::AnyMap(Rc::new(found), AnyMapType::Plain))
}

fn flatten(
    machine: &mut Machine,
    items: &[Value],
    flat: &mut Vec<Value>,
) -> Result<(), ExpressionError> {
    machine.step(items.len())?;
    for item in items {
        match item {
            Value::List(inner, _) => flatten(machine, inner, flat)?,
            other => flat.push(other.clone()),
        }
    }
    Ok(())
}

/// Sorts by a comparison that may fail and, with NaN, be no order.
///
/// Up to 12 elements by insertion, which is what Go does and decides where a NaN ends up; more by merging, which differs
/// from Go only in the order of equal elements and in the places of NaN.
pub(super) fn sort<T: Clone>(
    items: &mut Vec<T>,
    less: &dyn Fn(&T, &T) -> Result<bool, ExpressionError>,
) -> Result<(), ExpressionError> {
    if items.len() <= 12 {
        for end in 1..items.len() {
            let mut at = end;
            while at > 0 {
                let (Some(here), Some(before)) = (items.get(at), items.get(at - 1)) else {
                    break;
                };
                if !less(here, before)? {
                    break;
                }
                items.swap(at, at - 1);
                at -= 1;
            }
        }
        return Ok(());
    }
    let mut right = items.split_off(items.len() / 2);
    sort(items, less)?;
    sort(&mut right, less)?;
    let mut merged = Vec::with_capacity(items.len() + right.len());
    let mut left = items.drain(..).peekable();
    let mut right = right.into_iter().peekable();
    loop {
        let take_right = match (left.peek(), right.peek()) {
            (Some(one), Some(other)) => less(other, one)?,
            (Some(_), None) => false,
            (None, Some(_)) => true,
            (None, None) => break,
        };
        merged.extend(if take_right {
            right.next()
        } else {
            left.next()
        });
    }
    drop(left);
    *items = merged;
    Ok(())
}
