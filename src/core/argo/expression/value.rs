//! Values while an expression is evaluated, with the Go type that each has there: `1` is an int, a number of the
//! measured result a float, and a list of floats is not the same type as a list of anything.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::Outcome;
use super::nature::{Function, GoType, Nature};
use super::times::Moment;
use crate::argo::json::Json;

/// A text is bytes: a slice may cut through a character.
pub(super) type Text = Rc<Vec<u8>>;

#[derive(Debug, Clone)]
pub(super) enum Value {
    Nil,
    Bool(bool),
    Int(i64, Whole),
    Float(f64),
    Text(Text),
    List(Rc<Vec<Self>>, ListType),
    Object(Rc<BTreeMap<Vec<u8>, Self>>),
    /// A map whose keys are anything, in the order of their first appearance (Go's order is random).
    AnyMap(Rc<Vec<(Self, Self)>>, AnyMapType),
    Time(Moment),
    /// Nanoseconds.
    Duration(i64),
    /// A function, with the value that it is a method of.
    Function(Function, Option<Box<Self>>),
    /// A time zone, of which there is UTC only.
    Location,
}

/// The Go types of whole numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Whole {
    Int,
    Int64,
    Uint8,
    Month,
    Weekday,
}

/// The Go types of lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ListType {
    Anys,
    /// `[]any(nil)`: what groups give for a key that they lack.
    NilAnys,
    Floats,
    Ints,
    Texts,
    Pair,
    Pairs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AnyMapType {
    Plain,
    Groups,
}

impl Value {
    pub(super) fn of(result: &Outcome) -> Self {
        match result {
            Outcome::Numbers(numbers) => {
                let numbers = numbers.iter().copied().map(Self::Float).collect();
                Self::List(Rc::new(numbers), ListType::Floats)
            }
            Outcome::Number(number) => Self::Float(*number),
            Outcome::Whole(value) => Self::int(*value),
            Outcome::Json(json) => Self::of_json(json),
            Outcome::Nothing => Self::Nil,
        }
    }

    pub(super) fn of_json(json: &Json) -> Self {
        match json {
            Json::Null => Self::Nil,
            Json::Bool(value) => Self::Bool(*value),
            Json::Number(value) => Self::Float(*value),
            Json::String(text) => Self::text(text),
            Json::Array(items) => Self::anys(items.iter().map(Self::of_json).collect()),
            Json::Object(fields) => {
                let field = |(key, value): (&String, &Json)| {
                    (key.clone().into_bytes(), Self::of_json(value))
                };
                Self::Object(Rc::new(fields.iter().map(field).collect()))
            }
        }
    }

    pub(super) fn text(text: &str) -> Self {
        Self::Text(Rc::new(text.as_bytes().to_vec()))
    }

    pub(super) fn bytes(bytes: Vec<u8>) -> Self {
        Self::Text(Rc::new(bytes))
    }

    pub(super) fn int(value: i64) -> Self {
        Self::Int(value, Whole::Int)
    }

    /// A length or position.
    pub(super) fn length(value: usize) -> Self {
        Self::int(i64::try_from(value).unwrap_or(i64::MAX))
    }

    pub(super) fn anys(items: Vec<Self>) -> Self {
        Self::List(Rc::new(items), ListType::Anys)
    }

    pub(super) fn is_nil(&self) -> bool {
        matches!(self, Self::Nil | Self::List(_, ListType::NilAnys))
    }

    /// Its Go type; `None` for nil.
    pub(super) fn go(&self) -> Option<GoType> {
        Some(match self {
            Self::Nil => return None,
            Self::Bool(_) => GoType::Bool,
            Self::Int(_, Whole::Int) => GoType::Int,
            Self::Int(_, Whole::Int64) => GoType::Int64,
            Self::Int(_, Whole::Uint8) => GoType::Uint8,
            Self::Int(_, Whole::Month) => GoType::Month,
            Self::Int(_, Whole::Weekday) => GoType::Weekday,
            Self::Float(_) => GoType::Float64,
            Self::Text(_) => GoType::Text,
            Self::List(_, ListType::Anys | ListType::NilAnys) => GoType::Anys,
            Self::List(_, ListType::Floats) => GoType::Floats,
            Self::List(_, ListType::Ints) => GoType::Ints,
            Self::List(_, ListType::Texts) => GoType::Texts,
            Self::List(_, ListType::Pair) => GoType::Pair,
            Self::List(_, ListType::Pairs) => GoType::Pairs,
            Self::Object(_) => GoType::Object,
            Self::AnyMap(_, AnyMapType::Plain) => GoType::AnyMap,
            Self::AnyMap(_, AnyMapType::Groups) => GoType::Groups,
            Self::Time(_) => GoType::Time,
            Self::Duration(_) => GoType::Duration,
            Self::Function(function, _) => GoType::Function(*function),
            Self::Location => GoType::Location,
        })
    }

    pub(super) fn nature(&self) -> Nature {
        self.go().map_or_else(Nature::nil, Nature::of)
    }

    /// For messages to people.
    pub(super) fn describe(&self) -> &'static str {
        self.go().map_or("nothing (nil)", GoType::describe)
    }
}
