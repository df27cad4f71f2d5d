//! A metric's two conditions, and the phase that they give a measurement.

use std::fmt;

use jiff::Timestamp;
use thiserror::Error;

use super::expression::{Class, Expression, ExpressionError, Outcome};
use super::json::Json;

/// The phase of a measurement, a metric or a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Phase {
    Pending,
    Running,
    Successful,
    Failed,
    Error,
    Inconclusive,
}

impl Phase {
    /// As in the documents.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pending => "Pending",
            Self::Running => "Running",
            Self::Successful => "Successful",
            Self::Failed => "Failed",
            Self::Error => "Error",
            Self::Inconclusive => "Inconclusive",
        }
    }

    /// The phase of this name.
    pub fn of(name: &str) -> Option<Self> {
        [
            Self::Pending,
            Self::Running,
            Self::Successful,
            Self::Failed,
            Self::Error,
            Self::Inconclusive,
        ]
        .into_iter()
        .find(|phase| phase.name() == name)
    }

    /// Whether nothing comes after it.
    pub fn is_complete(self) -> bool {
        match self {
            Self::Successful | Self::Failed | Self::Error | Self::Inconclusive => true,
            Self::Pending | Self::Running => false,
        }
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Which of the conditions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Condition {
    Success,
    Failure,
}

impl Condition {
    /// The name of its field.
    pub fn field(self) -> &'static str {
        match self {
            Self::Success => "successCondition",
            Self::Failure => "failureCondition",
        }
    }
}

/// A condition that could not be evaluated: the measurement is an Error.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("the {} `{}` {}: {cause}", .condition.field(), excerpt(.source_text), .no_data.then_some("has no data to look at").unwrap_or("cannot be evaluated"))]
pub struct ConditionError {
    pub condition: Condition,
    /// The condition as it was written.
    pub source_text: String,
    /// The controller tells no other error when the result is nothing or an empty list.
    pub no_data: bool,
    /// What is wrong in any case.
    pub cause: ExpressionError,
}

/// Characters of a condition that an error shows.
const SHOWN: usize = 500;

fn excerpt(text: &str) -> std::borrow::Cow<'_, str> {
    match text.char_indices().nth(SHOWN) {
        None => text.into(),
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()).into(),
    }
}

impl ConditionError {
    /// The kind of the error as the controller tells it.
    pub fn class(&self) -> Class {
        if self.no_data {
            Class::NoData
        } else {
            self.cause.class
        }
    }
}

/// The conditions of a metric. An empty text is none.
#[derive(Debug, Clone)]
pub struct Conditions {
    success: Option<Expression>,
    failure: Option<Expression>,
}

impl Conditions {
    /// Parses both; syntax errors are told by every evaluation, and by [`Self::errors`].
    pub fn new(success: &str, failure: &str) -> Self {
        let parsed = |text: &str| (!text.is_empty()).then(|| Expression::new(text));
        Self {
            success: parsed(success),
            failure: parsed(failure),
        }
    }

    /// The syntax errors, before any result is there.
    pub fn errors(&self) -> Vec<(Condition, &ExpressionError)> {
        [
            (Condition::Success, &self.success),
            (Condition::Failure, &self.failure),
        ]
        .into_iter()
        .filter_map(|(which, condition)| Some((which, condition.as_ref()?.syntax_error()?)))
        .collect()
    }

    /// The phase of a measurement with this result.
    ///
    /// Without conditions Successful, whatever the result (the documentation says Inconclusive; recorded). With one,
    /// the other is its opposite. Failed if both hold, Inconclusive if none does.
    ///
    /// # Errors
    /// The first condition that cannot be evaluated, the success condition first.
    pub fn phase(&self, result: &Outcome, now: Timestamp) -> Result<Phase, Box<ConditionError>> {
        let holds = |which: Condition, condition: &Option<Expression>| {
            let evaluated = condition.as_ref().map(|it| (it, it.holds(result, now)));
            match evaluated {
                None => Ok(None),
                Some((_, Ok(holds))) => Ok(Some(holds)),
                Some((condition, Err(cause))) => Err(Box::new(ConditionError {
                    condition: which,
                    source_text: condition.source().to_owned(),
                    no_data: is_nothing(result),
                    cause,
                })),
            }
        };
        let success = holds(Condition::Success, &self.success)?;
        let failure = holds(Condition::Failure, &self.failure)?;
        Ok(match (success, failure) {
            (None | Some(true), None | Some(false)) => Phase::Successful,
            (Some(false), None) | (_, Some(true)) => Phase::Failed,
            (Some(false), Some(false)) => Phase::Inconclusive,
        })
    }
}

/// Nothing, or an empty list; an empty object or text is something.
fn is_nothing(result: &Outcome) -> bool {
    match result {
        Outcome::Nothing | Outcome::Json(Json::Null) => true,
        Outcome::Numbers(numbers) => numbers.is_empty(),
        Outcome::Json(Json::Array(items)) => items.is_empty(),
        Outcome::Number(_) | Outcome::Whole(_) | Outcome::Json(_) => false,
    }
}
