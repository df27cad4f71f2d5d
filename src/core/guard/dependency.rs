//! What a target depends on fails: then failing here says little about the release, and going back helps little.

use jiff::Timestamp;

use super::{ActionContext, Guard, Hold};
use crate::wording::short;

/// Characters of what is said about a dependency.
const SHOWN: usize = 300;

/// Something that a target depends on, and that fails now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failing {
    /// For people, as in: watch shop/database.
    pub name: String,
    /// What is wrong with it: a sentence without a full stop.
    pub why: String,
    pub since: Option<Timestamp>,
}

pub(super) fn check(context: &ActionContext<'_>) -> Option<Hold> {
    let failing = context.dependencies.first()?;
    let since = failing
        .since
        .map_or_else(String::new, |since| format!(" since {since:.0}"));
    let more = match context.dependencies.len() {
        1 => String::new(),
        number => format!(", and {} more of what it depends on", number - 1),
    };
    let reason = format!(
        "{} depends on {}, which fails{since}{more}: {}",
        context.analysis.target,
        failing.name,
        short(&failing.why, SHOWN)
    );
    Some(Hold::action(Guard::Dependency, reason, None))
}
