//! JSON as the controller's Go code sees it: numbers are `float64`, of two equal keys the last wins, and what is
//! written has sorted keys and escapes `<`, `>` and `&`.
//!
//! A reader of our own, because the core has no JSON library and because the differences decide phases: invalid UTF-8
//! and lone surrogates are replaced and not refused, `1e400` is an error, and so is anything behind the value.

use std::collections::BTreeMap;

mod read;
mod write;

pub use self::read::{JsonError, MOST_BYTES, MOST_DEPTH, parse, parse_first};
pub use self::write::{compact, indented, number, quoted};

/// A value of a JSON document.
#[derive(Debug, Clone, PartialEq)]
pub enum Json {
    Null,
    Bool(bool),
    Number(f64),
    String(String),
    Array(Vec<Self>),
    Object(BTreeMap<String, Self>),
}

impl Json {
    /// The field of an object; `None` if this is no object or lacks it.
    pub fn get(&self, name: &str) -> Option<&Self> {
        match self {
            Self::Object(fields) => fields.get(name),
            Self::Null | Self::Bool(_) | Self::Number(_) | Self::String(_) | Self::Array(_) => None,
        }
    }

    /// The text, if it is one.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            Self::Null | Self::Bool(_) | Self::Number(_) | Self::Array(_) | Self::Object(_) => None,
        }
    }

    /// The elements, if it is a list.
    pub fn as_array(&self) -> Option<&[Self]> {
        match self {
            Self::Array(items) => Some(items),
            Self::Null | Self::Bool(_) | Self::Number(_) | Self::String(_) | Self::Object(_) => {
                None
            }
        }
    }

    /// What it is, for messages.
    pub fn describe(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "a boolean",
            Self::Number(_) => "a number",
            Self::String(_) => "a text",
            Self::Array(_) => "a list",
            Self::Object(_) => "an object",
        }
    }
}
