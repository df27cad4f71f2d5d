//! The language of conditions: expr-lang 1.17.7 as the controller embeds it (`utils/evaluate`), in four steps as there:
//! tokens, syntax tree, types of this result, value.
//!
//! An evaluator of our own and not a crate: errors have to be found in the same step as there (types of a Prometheus
//! vector are checked even in branches that are never reached), the rewrites of its optimizer can be seen from outside
//! (`result[0] > 0 || true` is true of an empty vector), and no expression may hang or crash the agent. So source,
//! nesting, steps and memory are bounded here; expr-lang bounds only part of it.

mod ast;
mod builtins;
mod calls;
mod check;
mod check_builtin;
mod collections;
mod error;
mod evaluate;
mod go_number;
mod go_regex;
mod go_text;
mod lexer;
mod loops;
mod members;
mod nature;
mod numbers;
mod operate;
mod parse;
mod parse_operand;
mod print;
mod rewrite;
mod rewrite_loops;
mod strings;
mod time_layout;
mod times;
mod value;

use jiff::Timestamp;

pub use self::error::{Class, ExpressionError, Stage};
pub use self::go_number::{NumberError, float as parse_float, int as parse_int, truncate};
pub use self::go_text::number as number_text;
pub use self::times::{DurationError, duration};
use self::value::Value;
use crate::argo::json::Json;

/// Bytes of one expression.
pub const MOST_SOURCE: usize = 16 << 10;
/// Nodes within each other in the tree of one expression; a chain of operators counts as one per operator.
pub const MOST_DEPTH: usize = 100;
/// Nodes that are evaluated for one answer, elements of lists included.
pub const MOST_STEPS: u64 = 2_000_000;
/// expr-lang's own memory budget: elements of all lists, and bytes of repeated texts.
pub const MOST_ELEMENTS: usize = 1_000_000;
/// Bytes of all texts and lists that an evaluation makes.
pub const MOST_BYTES: usize = 16 << 20;

/// A value as Go's `%v` writes it.
pub fn display(value: &Json) -> String {
    let text = go_text::display(&Value::of_json(value));
    String::from_utf8_lossy(&text).into_owned()
}

/// Whether a pattern in Go's syntax matches a part of a text; an invalid one matches nothing.
pub fn matches_pattern(pattern: &str, text: &str) -> bool {
    go_regex::compile(pattern.as_bytes()).is_ok_and(|pattern| pattern.is_match(text.as_bytes()))
}

/// What the conditions call `result`. The kind matters: a list of numbers from Prometheus has a known type, which is
/// checked before anything is evaluated, and the elements of decoded JSON do not.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// `[]float64`: a vector or matrix of Prometheus.
    Numbers(Vec<f64>),
    /// `float64`: a scalar.
    Number(f64),
    /// `int`: a whole number that is written in a path itself.
    Whole(i64),
    /// Decoded JSON of whatever kind; a number in it is the same as [`Outcome::Number`].
    Json(Json),
    /// A `nil` pointer: no data, as Datadog's provider passes it.
    Nothing,
}

/// A parsed expression; it can be evaluated for many results, whose types may differ.
#[derive(Debug, Clone)]
pub struct Expression {
    source: String,
    parsed: Result<ast::Node, ExpressionError>,
}

impl Expression {
    /// Parses it. A syntax error is kept, and given by every evaluation, as the controller does.
    pub fn new(source: &str) -> Self {
        let parsed = if source.len() > MOST_SOURCE {
            Err(ExpressionError::compile(
                Class::Budget,
                format!(
                    "the expression has {} bytes, more than {MOST_SOURCE}: shorten it",
                    source.len()
                ),
            ))
        } else {
            parse::parse(source)
        };
        Self {
            source: source.to_owned(),
            parsed,
        }
    }

    /// As it was written.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The syntax error, if it has one: it can be told before any result is there.
    pub fn syntax_error(&self) -> Option<&ExpressionError> {
        self.parsed.as_ref().err()
    }

    /// Whether it holds for `result`. `now` is what `now()` answers.
    ///
    /// # Errors
    /// The first error of the first step that has one, or that the value is no boolean.
    pub fn holds(&self, result: &Outcome, now: Timestamp) -> Result<bool, ExpressionError> {
        match self.value(result, now)? {
            Value::Bool(value) => Ok(value),
            other => Err(ExpressionError {
                stage: Stage::Result,
                class: Class::NotBool,
                text: format!(
                    "a condition has to be true or false, and this one is {}",
                    other.describe()
                ),
                at: None,
            }),
        }
    }

    /// The moment that an expression of a range query names (`now() - duration("1h")`): the controller knows no
    /// `result` there.
    ///
    /// # Errors
    /// As [`Self::holds`]; a value that is no time is one of class `other`.
    pub fn time(&self, now: Timestamp) -> Result<Timestamp, ExpressionError> {
        let mut node = self.parsed.clone()?;
        check::check(&mut node, &nature::Environment::without_result())?;
        rewrite::rewrite(&mut node)?;
        let machine = evaluate::Machine::new(Value::Nil, true, now);
        match evaluate::run(machine, &node)? {
            Value::Time(time) => Ok(time.timestamp()),
            other => Err(ExpressionError {
                stage: Stage::Result,
                class: Class::Other,
                text: format!("it has to be a time, and is {}", other.describe()),
                at: None,
            }),
        }
    }

    fn value(&self, result: &Outcome, now: Timestamp) -> Result<Value, ExpressionError> {
        let mut node = self.parsed.clone()?;
        let value = Value::of(result);
        check::check(&mut node, &nature::Environment::with(&value))?;
        rewrite::rewrite(&mut node)?;
        let nothing = matches!(value, Value::Nil);
        evaluate::run(evaluate::Machine::new(value, nothing, now), &node)
    }
}
