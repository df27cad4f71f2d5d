//! Compares an object with the fields that its kind has.

use std::fmt::Write as _;

use super::super::excerpt::quoted;
use super::super::report::Report;
use super::super::tree::{Entry, Kind, Node};
use super::repair::{self, Unknown};
use super::shape::{Shape, Shapes};
use super::value::Misfit;

/// Characters of a path that are shown.
const MOST_SHOWN: usize = 60;

/// What is walked through, and where it began.
pub(super) struct Walk<'s> {
    pub(super) shapes: &'s Shapes,
    /// The shape of the whole object: fields that stand in a wrong place are looked for in it.
    pub(super) whole: &'s Shape,
    /// For messages: "Rollout `checkout`".
    pub(super) called: String,
    /// `Rollout`
    pub(super) kind: &'s str,
}

/// One step on the way from the object to a value.
#[derive(Debug, Clone)]
pub(super) enum Step<'n> {
    Field(&'n str),
    Item(usize),
}

impl Walk<'_> {
    /// Reports every field that is none, and every mapping or list that stands for the other.
    pub(super) fn check(&self, root: &Node, report: &mut Report<'_>) {
        self.node(root, self.whole, &mut Vec::new(), report);
    }

    fn node<'n>(
        &self,
        node: &'n Node,
        shape: &Shape,
        path: &mut Vec<Step<'n>>,
        report: &mut Report<'_>,
    ) {
        // What is null is left out by the API server.
        if node.is_null() {
            return;
        }
        match (self.shapes.resolve(shape), &node.kind) {
            (Shape::Any | Shape::Named(_), _) | (_, Kind::Reported) => {}
            (Shape::Fields(fields), Kind::Map(entries)) => {
                for entry in entries {
                    match fields.get(&entry.key) {
                        Some(shape) => self.inner(entry, shape, path, report),
                        // An empty key was reported when the file was parsed.
                        None if entry.key.is_empty() => {}
                        None => self.unknown(entry, fields.keys(), path, report),
                    }
                }
            }
            (Shape::Map(inner), Kind::Map(entries)) => {
                for entry in entries {
                    self.inner(entry, inner, path, report);
                }
            }
            (Shape::List(inner), Kind::List(items)) => {
                for (index, item) in items.iter().enumerate() {
                    path.push(Step::Item(index));
                    self.node(item, inner, path, report);
                    path.pop();
                }
            }
            (Shape::Value(value), Kind::Scalar(scalar)) => {
                if let Some(Misfit {
                    expected,
                    found,
                    help,
                }) = value.misfit(scalar)
                {
                    self.misfit(node, path, &expected, &found, &help, report);
                }
            }
            (expected, Kind::Scalar(_) | Kind::List(_) | Kind::Map(_)) => {
                let (what, help) = match expected {
                    Shape::List(_) => ("a list", "begin each entry of it with `- `"),
                    Shape::Fields(_) | Shape::Map(_) => (
                        "a mapping",
                        "write `field: value` lines, indented, without `- `",
                    ),
                    Shape::Value(value) => (value.described(), "write a single value"),
                    Shape::Any | Shape::Named(_) => return,
                };
                self.misfit(node, path, what, node.describe(), help, report);
            }
        }
    }

    fn misfit(
        &self,
        node: &Node,
        path: &[Step<'_>],
        expected: &str,
        found: &str,
        help: &str,
        report: &mut Report<'_>,
    ) {
        let message = format!(
            "`{}` of {} must be {expected}, and is {found}",
            shown(path),
            self.called
        );
        report.error(node.span, message).help(help);
    }

    fn inner<'n>(
        &self,
        entry: &'n Entry,
        shape: &Shape,
        path: &mut Vec<Step<'n>>,
        report: &mut Report<'_>,
    ) {
        path.push(Step::Field(&entry.key));
        self.node(&entry.value, shape, path, report);
        path.pop();
    }

    fn unknown<'k>(
        &self,
        entry: &Entry,
        known: impl Iterator<Item = &'k String>,
        path: &[Step<'_>],
        report: &mut Report<'_>,
    ) {
        let full = report.is_full();
        let place = if path.is_empty() {
            self.called.clone()
        } else {
            format!("`{}` of {}", shown(path), self.called)
        };
        let found = report.error(
            entry.key_span,
            format!("unknown field {} in {place}", quoted(&entry.key)),
        );
        if full {
            return;
        }
        let known: Vec<&str> = known.map(String::as_str).collect();
        let repair = repair::repair(&Unknown {
            walk: self,
            field: &entry.key,
            path,
            known: &known,
        });
        if let Some(note) = repair.note {
            found.note(note);
        }
        found.help(repair.help);
    }
}

/// `spec.subsets[0].trafficPolicy`, short and printable.
fn shown(path: &[Step<'_>]) -> String {
    let mut shown = String::new();
    for step in path {
        match step {
            Step::Field(name) if shown.is_empty() => shown.push_str(name),
            Step::Field(name) => write!(shown, ".{name}").expect("a String takes everything"),
            Step::Item(index) => write!(shown, "[{index}]").expect("a String takes everything"),
        }
    }
    // The end says more than the beginning, which is `spec` or `spec.template.spec`.
    let length = shown.chars().count();
    if length > MOST_SHOWN {
        let end = shown.chars().skip(length - MOST_SHOWN + 1);
        shown = std::iter::once('…').chain(end).collect();
    }
    let quoted = quoted(&shown);
    quoted.trim_matches('`').to_owned()
}

/// `spec.subsets[].trafficPolicy`, to be compared with other paths.
pub(super) fn pattern(path: &[Step<'_>]) -> String {
    let mut pattern = String::new();
    for step in path {
        match step {
            Step::Field(name) if pattern.is_empty() => pattern.push_str(name),
            Step::Field(name) => write!(pattern, ".{name}").expect("a String takes everything"),
            Step::Item(_) => pattern.push_str("[]"),
        }
    }
    pattern
}
