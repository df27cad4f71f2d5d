//! The `JSONPath` of Kubernetes' client-go, as the `web` provider uses it: a template of text and `{paths}`.
//!
//! No library: this dialect is not RFC 9535, nor near it. What stands outside of braces is text and a result of its
//! own, `['a.b']` are two fields, a filter fails for the whole list if one element lacks what it compares, and an
//! integer never compares with a number of the document.

mod parse;
mod walk;

use thiserror::Error;

use super::expression::Outcome;
use super::json::{self, Json};

/// Bytes of a path.
pub const MOST_SOURCE: usize = 4096;

/// A parsed path.
#[derive(Debug, Clone, PartialEq)]
pub struct JsonPath {
    nodes: Vec<Node>,
}

#[derive(Debug, Clone, PartialEq)]
enum Node {
    /// What stands in a pair of braces.
    List(Vec<Self>),
    Text(String),
    Field(String),
    Wildcard,
    Recursive,
    Array(Range),
    Filter {
        left: Vec<Self>,
        /// Empty for `[?(@.a)]`: whether it exists.
        operator: String,
        right: Vec<Self>,
    },
    Union(Vec<Vec<Self>>),
    Identifier(String),
    Int(i64),
    Float(f64),
    Bool(bool),
}

/// `[from:to:step]`; `[3]` has an end that is derived.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Range {
    from: Option<i64>,
    to: Option<i64>,
    derived: bool,
    step: Option<i64>,
}

/// Why a path is none, or finds nothing.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PathError {
    /// Found before any body is there.
    #[error("{0}")]
    Syntax(String),
    /// It does not lead anywhere in this body.
    #[error("Could not find JSONPath in body: {0}")]
    NotFound(String),
    /// It matched nothing without an error.
    #[error("result of web metric produced no value")]
    NoValue,
    /// The controller's process ends there.
    #[error(
        "the body is `null` as a whole, at which the controller itself ends: answer an object, and say what there is not by a field"
    )]
    NullBody,
}

/// What was found first, as the conditions see it and as the measurement keeps it.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    pub outcome: Outcome,
    pub value: String,
}

impl JsonPath {
    /// Parses it. An empty path is that of the whole document.
    ///
    /// # Errors
    /// Where client-go's parser fails, and above [`MOST_SOURCE`].
    pub fn new(source: &str) -> Result<Self, PathError> {
        if source.len() > MOST_SOURCE {
            return Err(PathError::Syntax(format!(
                "the path has {} bytes, more than {MOST_SOURCE}",
                source.len()
            )));
        }
        let source = if source.is_empty() { "{$}" } else { source };
        let nodes = parse::parse(source, 0)?;
        Ok(Self { nodes })
    }

    /// The first result in a document.
    ///
    /// # Errors
    /// Where client-go fails; when nothing matches; a document that is `null` as a whole, where the controller ends.
    pub fn first(&self, document: &Json) -> Result<Found, PathError> {
        let found = walk::first(&self.nodes, document)?;
        let value = match &found {
            Outcome::Json(json) => json::compact(json),
            Outcome::Whole(value) => value.to_string(),
            Outcome::Number(value) => json::number(*value),
            Outcome::Numbers(_) | Outcome::Nothing => String::new(),
        };
        Ok(Found {
            outcome: found,
            value,
        })
    }
}
