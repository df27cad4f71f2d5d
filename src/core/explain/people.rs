//! What people ordered, in words.

use super::held;
use crate::command::{Command, CommandOutcome};

/// Who ordered what, and why.
pub(super) fn commanded(command: &Command) -> Vec<String> {
    let mut first = format!("{} orders: {}", command.by, command.order);
    if !command.reason.is_empty() {
        first = format!("{first} (\"{}\")", command.reason);
    }
    if command.overrides.is_empty() {
        return vec![first];
    }
    let names: Vec<&str> = command
        .overrides
        .iter()
        .map(|guard| guard.as_str())
        .collect();
    let overrides = format!("guards that must not hold it: {}", names.join(", "));
    vec![first, overrides]
}

/// What became of it.
pub(super) fn command_ended(outcome: &CommandOutcome) -> Vec<String> {
    match outcome {
        CommandOutcome::Done {
            said, overridden, ..
        } => {
            let mut lines = vec![format!("done: {said}")];
            let over = overridden.iter().map(|hold| held("overridden: held", hold));
            lines.extend(over);
            lines
        }
        CommandOutcome::Held { holds } => {
            let mut lines = vec!["not done: guards hold it".to_owned()];
            lines.extend(holds.iter().map(|hold| held("held", hold)));
            lines
        }
        CommandOutcome::Refused { reason } => vec![format!("not done: {reason}")],
    }
}
