//! Operations in the words of a journal: what was decided, what became of it, and why it was held.

use super::held;
use crate::operation::{OperationEnd, OperationEvent};

pub(super) fn lines(event: &OperationEvent) -> Vec<String> {
    match event {
        OperationEvent::Began { operation } => {
            let what = if operation.undoes.is_some() {
                "begins to take back"
            } else {
                "begins"
            };
            let first = format!("operation `{}` {what}: `{}`", operation.id, operation.title);
            let steps = operation.steps.iter().enumerate();
            let steps =
                steps.map(|(index, step)| format!("  step {}: {}", index + 1, step.in_words()));
            let notes = operation.notes.iter().map(|note| format!("  {note}"));
            std::iter::once(first).chain(steps).chain(notes).collect()
        }
        OperationEvent::Held {
            operation, hold, ..
        } => vec![held(&format!("operation `{operation}` is held"), hold)],
        OperationEvent::Settled {
            operation, reason, ..
        } => vec![format!(
            "operation `{operation}` has nothing to do: {reason}"
        )],
        OperationEvent::Ended { operation, end, .. } => vec![match end {
            OperationEnd::Done => format!("operation `{operation}` is done"),
            OperationEnd::Partly { reason } => {
                format!("operation `{operation}` is done only in part: {reason}")
            }
            OperationEnd::NotDone { reason } => {
                format!("operation `{operation}` was not carried out: {reason}")
            }
        }],
        OperationEvent::Closed {
            operation, reason, ..
        } => vec![format!("operation `{operation}` is over: {reason}")],
    }
}
