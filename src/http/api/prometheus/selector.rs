//! Selectors: which series are asked for, by matchers on their labels.

use promql_parser::label::{METRIC_NAME, MatchOp, Matcher};
use promql_parser::parser::VectorSelector;

use super::answer::Failure;
use super::families::Family;
use super::series::Labels;

/// Matchers that all have to hold. A label that is not there is as good as an empty one.
#[derive(Debug, Clone, Default)]
pub(super) struct Selector {
    matchers: Vec<Matcher>,
}

impl Selector {
    pub(super) fn new(selector: VectorSelector) -> Result<Self, Failure> {
        let VectorSelector {
            name,
            matchers,
            offset,
            at,
        } = selector;
        if offset.is_some() || at.is_some() {
            return Err(Failure::bad(
                "`offset` and `@` are not answered here: ask with `time`, or for a range",
            ));
        }
        if !matchers.or_matchers.is_empty() {
            return Err(Failure::bad(
                "`or` between matchers is not answered here: ask twice",
            ));
        }
        let mut matchers = matchers.matchers;
        if let Some(name) = name {
            matchers.push(Matcher::new(MatchOp::Equal, METRIC_NAME, &name));
        }
        Ok(Self { matchers })
    }

    /// Whether the matchers on this label, if there are any, take this value.
    pub(super) fn takes(&self, label: &str, value: &str) -> bool {
        let mut on_it = self.matchers.iter().filter(|matcher| matcher.name == label);
        on_it.all(|matcher| matcher.is_match(value))
    }

    /// Whether all matchers hold.
    pub(super) fn matches(&self, labels: &Labels) -> bool {
        self.matchers.iter().all(|matcher| {
            let value = labels.get(matcher.name.as_str());
            matcher.is_match(value.map_or("", |value| value))
        })
    }

    /// The value that a label must have.
    pub(super) fn exactly(&self, label: &str) -> Option<&str> {
        self.matchers.iter().find_map(|matcher| {
            let exact =
                matcher.name == label && matcher.op == MatchOp::Equal && !matcher.value.is_empty();
            exact.then_some(matcher.value.as_str())
        })
    }

    /// Whether an empty answer could only mislead: one family that has a series for whatever is watched is asked for, and
    /// not simply for all there is of it.
    pub(super) fn wants_an_answer(&self) -> bool {
        let family = self.exactly(METRIC_NAME).and_then(Family::named);
        family.is_some_and(Family::answers) && self.matchers.len() > 1
    }
}
