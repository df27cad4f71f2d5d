//! Built-in functions that ask something of each element of a collection.

use std::rc::Rc;

use super::ast::{Binary, Builtin, Node};
use super::collections;
use super::error::{Class, ExpressionError};
use super::evaluate::{Machine, Stop, Stopped};
use super::members;
use super::numbers;
use super::operate::{self, assert_bool, assert_text, same_key};
use super::value::{AnyMapType, Value};

/// Lists within each other that a `reduce` may build.
const MOST_NESTING: usize = 300;

/// The collection that a predicate is asked about, and where in it we are.
#[derive(Debug)]
pub(super) struct Scope {
    collection: Value,
    index: usize,
    accumulator: Value,
}

fn wrong(what: &Value) -> ExpressionError {
    ExpressionError::run(
        Class::BadArgument,
        format!("a list is needed here, and this is {}", what.describe()),
    )
}

fn out_of_range() -> ExpressionError {
    ExpressionError::run(
        Class::IndexOutOfRange,
        "there is no such element: the list is empty, or nothing in it fits",
    )
}

impl Machine {
    pub(super) fn pointer(&self, name: &str) -> Result<Value, ExpressionError> {
        let Some(scope) = self.scopes.last() else {
            return Ok(Value::Nil);
        };
        match name {
            "index" => Ok(Value::length(scope.index)),
            "acc" => Ok(scope.accumulator.clone()),
            _ => match &scope.collection {
                Value::Object(_) | Value::AnyMap(..) => Err(wrong(&scope.collection)),
                collection => {
                    let index = i64::try_from(scope.index).unwrap_or(i64::MAX);
                    members::element(collection, index).ok_or_else(out_of_range)
                }
            },
        }
    }

    pub(super) fn loop_builtin(&mut self, builtin: &Builtin) -> Stopped {
        let Some((collection, rest)) = builtin.arguments.split_first() else {
            return Ok(Value::Nil);
        };
        let collection = self.evaluate(collection)?;
        if !matches!(
            collection,
            Value::List(..) | Value::Text(_) | Value::Object(_) | Value::AnyMap(..)
        ) {
            return Err(wrong(&collection).into());
        }
        let length = members::length(&collection);
        self.scopes.push(Scope {
            collection,
            index: 0,
            accumulator: Value::Nil,
        });
        let value = self.over(builtin, rest, length);
        self.scopes.pop();
        value
    }

    fn go_to(&mut self, index: usize) {
        if let Some(scope) = self.scopes.last_mut() {
            scope.index = index;
        }
    }

    /// What is asked of the element that we are at; the element itself if nothing is asked.
    fn ask(&mut self, predicate: Option<&Node>) -> Stopped {
        match predicate {
            Some(predicate) => self.evaluate(predicate),
            None => Ok(self.pointer("")?),
        }
    }

    fn asked(&mut self, predicate: Option<&Node>) -> Result<bool, Stop> {
        let value = self.ask(predicate)?;
        Ok(assert_bool(&value)?)
    }

    fn over(&mut self, builtin: &Builtin, rest: &[Node], length: usize) -> Stopped {
        let predicate = rest.first();
        match builtin.name.as_str() {
            "all" => self.until(predicate, length, false, false),
            "any" => self.until(predicate, length, true, true),
            "none" => match self.until(predicate, length, true, true)? {
                Value::Bool(found) => Ok(Value::Bool(!found)),
                other => Ok(other),
            },
            "one" | "count" => {
                let mut count = 0;
                for index in 0..length {
                    self.go_to(index);
                    count += usize::from(self.asked(predicate)?);
                }
                Ok(if builtin.name == "one" {
                    Value::Bool(count == 1)
                } else {
                    Value::length(count)
                })
            }
            "filter" => {
                let mut kept = Vec::new();
                for index in 0..length {
                    self.go_to(index);
                    if self.asked(predicate)? {
                        kept.push(self.ask(builtin.map.as_deref())?);
                    }
                }
                self.grow(kept.len())?;
                Ok(Value::anys(kept))
            }
            "map" => {
                let mut mapped = Vec::new();
                for index in 0..length {
                    self.go_to(index);
                    mapped.push(self.ask(predicate)?);
                }
                self.grow(mapped.len())?;
                Ok(Value::anys(mapped))
            }
            "sum" => {
                let mut sum = Value::int(0);
                for index in 0..length {
                    self.go_to(index);
                    let value = self.ask(predicate)?;
                    self.take(members::length(&value) + members::length(&sum))?;
                    sum = numbers::add(&value, &sum)?;
                }
                Ok(sum)
            }
            "find" | "findIndex" | "findLast" | "findLastIndex" => {
                self.find(builtin, predicate, length)
            }
            "groupBy" => self.group(predicate, length),
            "sortBy" => self.sort_by(predicate, rest.get(1), length),
            _ => self.reduce(predicate, rest.get(1), length),
        }
    }

    /// Asks one element after the other until the answer is `stop`.
    fn until(
        &mut self,
        predicate: Option<&Node>,
        length: usize,
        stop: bool,
        stopped: bool,
    ) -> Stopped {
        for index in 0..length {
            self.go_to(index);
            if self.asked(predicate)? == stop {
                return Ok(Value::Bool(stopped));
            }
        }
        Ok(Value::Bool(!stopped))
    }

    fn find(&mut self, builtin: &Builtin, predicate: Option<&Node>, length: usize) -> Stopped {
        let backwards = builtin.name.starts_with("findLast");
        for step in 0..length {
            let index = if backwards { length - 1 - step } else { step };
            self.go_to(index);
            if backwards {
                self.left_behind.push(Value::Bool(true));
            }
            if self.asked(predicate)? {
                return if builtin.name.ends_with("Index") {
                    Ok(Value::length(index))
                } else {
                    self.ask(builtin.map.as_deref())
                };
            }
        }
        if backwards {
            self.left_behind.push(Value::Bool(false));
        }
        if builtin.throws {
            return Err(out_of_range().into());
        }
        Ok(Value::Nil)
    }

    fn group(&mut self, predicate: Option<&Node>, length: usize) -> Stopped {
        let mut groups: Vec<(Value, Vec<Value>)> = Vec::new();
        for index in 0..length {
            self.go_to(index);
            let key = self.ask(predicate)?;
            if matches!(key, Value::List(..) | Value::Object(_) | Value::AnyMap(..)) {
                let text = format!("{} cannot be the key of a group", key.describe());
                return Err(ExpressionError::run(Class::Other, text).into());
            }
            let element = self.pointer("")?;
            self.step(groups.len())?;
            match groups.iter_mut().find(|(known, _)| same_key(known, &key)) {
                Some((_, group)) => group.push(element),
                None => groups.push((key, vec![element])),
            }
        }
        let groups = groups
            .into_iter()
            .map(|(key, group)| (key, Value::anys(group)))
            .collect();
        Ok(Value::AnyMap(Rc::new(groups), AnyMapType::Groups))
    }

    fn sort_by(
        &mut self,
        predicate: Option<&Node>,
        order: Option<&Node>,
        length: usize,
    ) -> Stopped {
        let order = match order {
            Some(order) => {
                let order = self.evaluate(order)?;
                assert_text(&order)?.to_vec()
            }
            None => b"asc".to_vec(),
        };
        let descending = collections::is_descending(&order)?;
        let mut keyed = Vec::new();
        for index in 0..length {
            self.go_to(index);
            let key = self.ask(predicate)?;
            keyed.push((key, self.pointer("")?));
        }
        self.step(length.saturating_mul(16))?;
        let less = |one: &(Value, Value), other: &(Value, Value)| {
            let (one, other) = if descending {
                (&other.0, &one.0)
            } else {
                (&one.0, &other.0)
            };
            operate::compare(Binary::Less, one, other)
        };
        collections::sort(&mut keyed, &less)?;
        self.grow(length)?;
        Ok(Value::anys(
            keyed.into_iter().map(|(_, element)| element).collect(),
        ))
    }

    fn reduce(&mut self, predicate: Option<&Node>, start: Option<&Node>, length: usize) -> Stopped {
        let (accumulator, first) = match start {
            Some(start) => (self.evaluate(start)?, 0),
            None => (self.pointer("")?, 1),
        };
        self.accumulate(accumulator);
        for index in first..length {
            self.go_to(index);
            let next = self.ask(predicate)?;
            self.weigh(&next, 0)?;
            self.accumulate(next);
        }
        self.go_to(length);
        Ok(self.pointer("acc")?)
    }

    /// Counts what is accumulated, so that it cannot become so deep that it cannot be dropped.
    fn weigh(&mut self, value: &Value, depth: usize) -> Result<(), ExpressionError> {
        if depth > MOST_NESTING {
            return Err(ExpressionError::run(
                Class::Budget,
                format!(
                    "the lists of `reduce` lie more than {MOST_NESTING} deep within each other"
                ),
            ));
        }
        self.step(members::length(value))?;
        match value {
            Value::List(items, _) => items
                .iter()
                .try_for_each(|item| self.weigh(item, depth + 1)),
            Value::Object(fields) => fields
                .values()
                .try_for_each(|item| self.weigh(item, depth + 1)),
            Value::AnyMap(entries, _) => entries
                .iter()
                .try_for_each(|(_, item)| self.weigh(item, depth + 1)),
            _ => Ok(()),
        }
    }

    fn accumulate(&mut self, value: Value) {
        if let Some(scope) = self.scopes.last_mut() {
            scope.accumulator = value;
        }
    }
}
