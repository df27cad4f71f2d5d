//! What is wrong with an expression: in which step it was found, what kind of error it is, and words for a person.

use std::fmt;

use thiserror::Error;

/// The step in which an error was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Refused before evaluation, also in branches that are never reached.
    Compile,
    /// While evaluating.
    Run,
    /// It was evaluated, but not to what was asked for.
    Result,
}

impl Stage {
    /// As in recordings.
    pub fn name(self) -> &'static str {
        match self {
            Self::Compile => "compile",
            Self::Run => "run",
            Self::Result => "result",
        }
    }
}

/// The kind of an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    Syntax,
    NumberLiteral,
    UnknownName,
    Redeclared,
    NotCallable,
    MissingField,
    TypeMismatch,
    TypeAssertion,
    BadArgument,
    BadPredicate,
    BadAccess,
    NilAccess,
    IndexOutOfRange,
    Conversion,
    DivisionByZero,
    BadRegexp,
    Json,
    Budget,
    NotBool,
    /// The result is nothing or an empty list, whatever else was wrong.
    NoData,
    Other,
}

impl Class {
    /// As in recordings.
    pub fn name(self) -> &'static str {
        match self {
            Self::Syntax => "syntax",
            Self::NumberLiteral => "number-literal",
            Self::UnknownName => "unknown-name",
            Self::Redeclared => "redeclared",
            Self::NotCallable => "not-callable",
            Self::MissingField => "missing-field",
            Self::TypeMismatch => "type-mismatch",
            Self::TypeAssertion => "type-assertion",
            Self::BadArgument => "bad-argument",
            Self::BadPredicate => "bad-predicate",
            Self::BadAccess => "bad-access",
            Self::NilAccess => "nil-access",
            Self::IndexOutOfRange => "index-out-of-range",
            Self::Conversion => "conversion",
            Self::DivisionByZero => "division-by-zero",
            Self::BadRegexp => "bad-regexp",
            Self::Json => "json",
            Self::Budget => "budget",
            Self::NotBool => "not-bool",
            Self::NoData => "no-data",
            Self::Other => "other",
        }
    }
}

/// Why an expression has no answer.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub struct ExpressionError {
    pub stage: Stage,
    pub class: Class,
    pub text: String,
    /// The character of the source that it is about, counted from 0.
    pub at: Option<usize>,
}

impl ExpressionError {
    pub(super) fn compile(class: Class, text: impl Into<String>) -> Self {
        Self {
            stage: Stage::Compile,
            class,
            text: text.into(),
            at: None,
        }
    }

    pub(super) fn run(class: Class, text: impl Into<String>) -> Self {
        Self {
            stage: Stage::Run,
            class,
            text: text.into(),
            at: None,
        }
    }

    /// Where it is, unless an inner place is known already.
    pub(super) fn at(mut self, at: usize) -> Self {
        self.at.get_or_insert(at);
        self
    }
}

impl fmt::Display for ExpressionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)?;
        match self.at {
            Some(at) => write!(f, " (at character {})", at + 1),
            None => Ok(()),
        }
    }
}
