//! What is answered to an order, for programs and for people.

use axum::http::StatusCode;
use recant_core::command::CommandOutcome;
use recant_core::guard::Hold;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value, json};

use crate::http::orders::Answer;

/// What became of an order.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct OrderAnswer {
    outcome: Word,
    /// Nothing was done: this is what would be.
    dry_run: bool,
    /// A sentence without a full stop.
    said: String,
    /// The plan that has begun.
    #[serde(skip_serializing_if = "Option::is_none")]
    plan: Option<String>,
    /// The guards that hold it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    holds: Vec<Holding>,
    /// Guards that would have held it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    overridden: Vec<Holding>,
    /// Of a dry run: the object that would be written to, and with which patch.
    #[serde(skip_serializing_if = "Option::is_none")]
    write: Option<Value>,
    /// Of a dry run: why that cannot be said.
    #[serde(skip_serializing_if = "Option::is_none")]
    write_unknown: Option<String>,
    /// Of a dry run with several writes: those after the first, in their order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    then: Vec<Value>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "OrderOutcome")]
enum Word {
    Done,
    Held,
    Refused,
}

/// A guard that holds an order.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "OrderHold")]
struct Holding {
    /// As `override` takes it.
    guard: String,
    reason: String,
    /// When it ends by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<String>,
    may_be_overridden: bool,
}

impl From<Hold> for Holding {
    fn from(hold: Hold) -> Self {
        Self {
            guard: hold.guard.dashed(),
            reason: hold.reason,
            until: hold.until.map(|until| until.to_string()),
            may_be_overridden: hold.guard.may_be_overridden(),
        }
    }
}

impl OrderAnswer {
    pub(super) fn new(answer: Answer, dry_run: bool) -> Self {
        let Answer { outcome, writes } = answer;
        let mut writes = writes.into_iter();
        let (write, write_unknown) = match writes.next() {
            None => (None, None),
            Some(Ok(write)) => (Some(write), None),
            Some(Err(reason)) => (None, Some(reason)),
        };
        let then = writes.map(|write| write.unwrap_or_else(|unknown| json!({"unknown": unknown})));
        let holding = |holds: Vec<Hold>| holds.into_iter().map(Holding::from).collect();
        let bare = Self {
            outcome: Word::Done,
            dry_run,
            said: String::new(),
            plan: None,
            holds: Vec::new(),
            overridden: Vec::new(),
            write,
            write_unknown,
            then: then.collect(),
        };
        match outcome {
            CommandOutcome::Done {
                said,
                plan,
                overridden,
            } => Self {
                said,
                plan: plan.map(|plan| plan.0),
                overridden: holding(overridden),
                ..bare
            },
            CommandOutcome::Held { holds } => Self {
                outcome: Word::Held,
                said: "guards hold it, and nothing was done".to_owned(),
                holds: holding(holds),
                ..bare
            },
            CommandOutcome::Refused { reason } => Self {
                outcome: Word::Refused,
                said: reason,
                ..bare
            },
        }
    }

    pub(super) fn status(&self) -> StatusCode {
        match self.outcome {
            Word::Held | Word::Refused if self.dry_run => StatusCode::OK,
            Word::Done => StatusCode::OK,
            Word::Held => StatusCode::CONFLICT,
            Word::Refused => StatusCode::UNPROCESSABLE_ENTITY,
        }
    }
}
