//! Reads the fields of mappings and the kinds of values, and reports what does not fit.
//!
//! Everything returns `None` after it reported; callers go on with the other fields, so that every error is found.

use super::excerpt::quoted;
use super::nearest::nearest;
use super::report::{Report, Span};
use super::selector::{self, SelectorError};
use super::tree::{Entry, Kind, Node, Scalar, Style};
use super::units::{self, Percent};
use crate::rule::Selector;

/// The fields of one mapping, all known or reported.
#[derive(Debug)]
pub(super) struct Fields<'n> {
    what: &'static str,
    /// Where errors about the mapping as a whole are shown.
    pub(super) span: Span,
    entries: &'n [Entry],
    unclear: bool,
}

impl<'n> Fields<'n> {
    /// Opens a mapping. `what` is for messages: `a rule`. Unknown fields are reported with the nearest known name.
    pub(super) fn open(
        node: &'n Node,
        what: &'static str,
        known: &[&str],
        report: &mut Report<'_>,
    ) -> Option<Self> {
        let entries = match &node.kind {
            Kind::Map(entries) => entries,
            Kind::Reported => return None,
            Kind::Scalar(_) | Kind::List(_) => {
                report
                    .error(
                        node.span,
                        format!("{what} must be a mapping, and is {}", node.describe()),
                    )
                    .help(fields_of(known));
                return None;
            }
        };
        let mut unclear = false;
        for entry in entries {
            if entry.key.is_empty() {
                unclear = true;
            } else if !known.contains(&entry.key.as_str()) {
                unclear = true;
                unknown_field(entry, what, known, report);
            }
        }
        let span = entries.first().map_or(node.span, |entry| entry.key_span);
        Some(Self {
            what,
            span,
            entries,
            unclear,
        })
    }

    /// The field, if it is there.
    pub(super) fn entry(&self, name: &str) -> Option<&'n Entry> {
        self.entries.iter().find(|entry| entry.key == name)
    }

    /// The value of a field, if it is there.
    pub(super) fn get(&self, name: &str) -> Option<&'n Node> {
        self.entry(name).map(|entry| &entry.value)
    }

    /// The value of a field that must be there.
    pub(super) fn need(&self, name: &str, help: &str, report: &mut Report<'_>) -> Option<&'n Node> {
        let found = self.get(name);
        if found.is_none() && !self.may_be_misspelt(name) {
            report
                .error(self.span, format!("{} has no `{name}`", self.what))
                .help(help);
        }
        found
    }

    /// Whether something in this mapping was not understood: what seems missing may be that.
    pub(super) fn unclear(&self) -> bool {
        self.unclear
    }

    fn may_be_misspelt(&self, name: &str) -> bool {
        self.entries.iter().any(|entry| match entry.key.as_str() {
            // The fields are there, but a level too deep.
            "" | "spec" => true,
            key => key != name && nearest(key, [name]).is_some(),
        })
    }
}

fn unknown_field(entry: &Entry, what: &str, known: &[&str], report: &mut Report<'_>) {
    let full = report.is_full();
    let found = report.error(
        entry.key_span,
        format!("unknown field {} in {what}", quoted(&entry.key)),
    );
    if full {
        return;
    }
    found.help(match nearest(&entry.key, known.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None if entry.key == "spec" => {
            "there is no `spec` here: put its fields at the top level of the document".to_owned()
        }
        None => fields_of(known),
    });
}

fn fields_of(known: &[&str]) -> String {
    let told: Vec<&str> = known
        .iter()
        .copied()
        .filter(|name| !matches!(*name, "apiVersion" | "kind" | "metadata"))
        .collect();
    match told.as_slice() {
        [] => "write `{}`: it has no fields".to_owned(),
        [only] => format!("its only field is `{only}`"),
        several => format!("its fields are {}", listed(several)),
    }
}

/// "`a`, `b`, `c`".
pub(super) fn listed(names: &[&str]) -> String {
    names
        .iter()
        .map(|name| format!("`{name}`"))
        .collect::<Vec<_>>()
        .join(", ")
}

/// A text that is not empty.
pub(super) fn text<'n>(
    node: &'n Node,
    field: &str,
    help: &str,
    report: &mut Report<'_>,
) -> Option<&'n str> {
    scalar(node, field, help, report).map(|scalar| scalar.text.as_str())
}

fn scalar<'n>(
    node: &'n Node,
    field: &str,
    help: &str,
    report: &mut Report<'_>,
) -> Option<&'n Scalar> {
    match &node.kind {
        Kind::Scalar(scalar) if !node.is_null() && !scalar.text.is_empty() => Some(scalar),
        Kind::Scalar(_) => {
            report
                .error(node.span, format!("`{field}` is empty"))
                .help(help);
            None
        }
        Kind::List(_) | Kind::Map(_) => {
            report
                .error(
                    node.span,
                    format!(
                        "`{field}` must be a single value, and is {}",
                        node.describe()
                    ),
                )
                .help(help);
            None
        }
        Kind::Reported => None,
    }
}

/// `true` or `false`.
pub(super) fn boolean(node: &Node, field: &str, report: &mut Report<'_>) -> Option<bool> {
    const HELP: &str = "write `true` or `false`, without quotes";
    let scalar = scalar(node, field, HELP, report)?;
    match (scalar.style, scalar.text.as_str()) {
        (Style::Plain, "true") => Some(true),
        (Style::Plain, "false") => Some(false),
        (_, text) => {
            report
                .error(
                    node.span,
                    format!("`{field}` is neither true nor false, but {}", quoted(text)),
                )
                .help(HELP);
            None
        }
    }
}

/// A whole number from `least` to `most`.
pub(super) fn integer(
    node: &Node,
    field: &str,
    (least, most): (u64, u64),
    report: &mut Report<'_>,
) -> Option<u64> {
    let help = format!("write a whole number from {least} to {most}, without quotes");
    let scalar = scalar(node, field, &help, report)?;
    let number = match scalar.style {
        Style::Plain => scalar.text.parse().ok(),
        Style::SingleQuoted | Style::DoubleQuoted | Style::Block => None,
    };
    let number = number.filter(|number| (least..=most).contains(number));
    if number.is_none() {
        report
            .error(
                node.span,
                format!("`{field}` cannot be {}", quoted(&scalar.text)),
            )
            .help(help);
    }
    number
}

/// A percentage.
pub(super) fn percent(node: &Node, field: &str, report: &mut Report<'_>) -> Option<Percent> {
    let text = text(node, field, "write a percentage, such as `5%`", report)?;
    match units::percent(text) {
        Ok(percent) => Some(percent),
        Err(help) => {
            report
                .error(
                    node.span,
                    format!("`{field}` is not a percentage: {}", quoted(text)),
                )
                .help(help);
            None
        }
    }
}

/// A duration.
pub(super) fn duration(
    node: &Node,
    field: &str,
    report: &mut Report<'_>,
) -> Option<std::time::Duration> {
    let text = text(node, field, "write a duration, such as `30m`", report)?;
    match units::duration(text) {
        Ok(duration) => Some(duration),
        Err(help) => {
            report
                .error(
                    node.span,
                    format!("`{field}` is not a duration: {}", quoted(text)),
                )
                .help(help);
            None
        }
    }
}

/// A list with at least one entry.
pub(super) fn list<'n>(
    node: &'n Node,
    field: &str,
    help: &str,
    report: &mut Report<'_>,
) -> Option<&'n [Node]> {
    match &node.kind {
        Kind::List(items) if !items.is_empty() => Some(items),
        Kind::List(_) => {
            report
                .error(node.span, format!("`{field}` is an empty list"))
                .help(help);
            None
        }
        Kind::Scalar(_) | Kind::Map(_) => {
            report
                .error(
                    node.span,
                    format!("`{field}` must be a list, and is {}", node.describe()),
                )
                .help(help);
            None
        }
        Kind::Reported => None,
    }
}

/// A bare `PromQL` selector; errors point into the text.
pub(super) fn selector(node: &Node, field: &str, report: &mut Report<'_>) -> Option<Selector> {
    let scalar = scalar(
        node,
        field,
        "write the name of a counter, such as http_requests_total",
        report,
    )?;
    match selector::selector(&scalar.text) {
        Ok(selector) => Some(selector),
        Err(SelectorError { at, message, help }) => {
            let column = scalar.text.get(..at).map_or(1, |t| t.chars().count() + 1);
            let span = within(report.file().text.as_str(), node.span, scalar, at);
            report
                .error(
                    span,
                    format!("`{field}` is not a selector: {message} (column {column} of the text)"),
                )
                .help(help);
            None
        }
    }
}

/// Where byte `at` of an unquoted text stands in the file; the whole text when that cannot be said.
pub(super) fn within(source: &str, span: Span, scalar: &Scalar, at: usize) -> Span {
    let Some(written) = source.get(span.start..span.end) else {
        return span;
    };
    if written.contains(['\n', '\r']) {
        return span;
    }
    let quote = match scalar.style {
        Style::Plain => None,
        Style::SingleQuoted => Some('\''),
        Style::DoubleQuoted => Some('"'),
        Style::Block => return span,
    };
    let mut source_at = quote.map_or(0, char::len_utf8);
    let mut text_at = 0;
    while text_at < at {
        let Some(rest) = written.get(source_at..) else {
            return span;
        };
        let Some(unquoted) = scalar.text.get(text_at..).and_then(|t| t.chars().next()) else {
            break;
        };
        source_at += match (quote, rest.chars().next()) {
            (Some('\''), Some('\'')) => 2,
            (Some('"'), Some('\\')) => match rest.chars().nth(1) {
                Some('x') => 4,
                Some('u') => 6,
                Some('U') => 10,
                Some(c) => 1 + c.len_utf8(),
                None => return span,
            },
            (_, Some(c)) => c.len_utf8(),
            (_, None) => return span,
        };
        text_at += unquoted.len_utf8();
    }
    let start = span.start + source_at;
    Span {
        start,
        end: (start + 1).min(span.end.max(start + 1)),
    }
}

/// What a name may look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NameKind {
    /// RFC 1123 label: rule names, namespaces.
    Label,
    /// RFC 1123 subdomain: names of Kubernetes objects and of our documents.
    Subdomain,
}

impl NameKind {
    const fn longest(self) -> usize {
        match self {
            Self::Label => 63,
            Self::Subdomain => 253,
        }
    }
}

/// A name as Kubernetes allows it.
pub(super) fn name<'n>(
    node: &'n Node,
    field: &str,
    kind: NameKind,
    report: &mut Report<'_>,
) -> Option<&'n str> {
    let most = kind.longest();
    let dots = match kind {
        NameKind::Label => "",
        NameKind::Subdomain => " and `.`",
    };
    let help = format!(
        "write lower-case letters, digits, `-`{dots}, beginning and ending with a letter or digit, at most {most} characters"
    );
    let text = text(node, field, &help, report)?;
    if is_name(text, kind) {
        return Some(text);
    }
    report
        .error(node.span, format!("`{field}` cannot be {}", quoted(text)))
        .help(help);
    None
}

/// Whether a text is a name as Kubernetes allows it.
pub(super) fn is_name(text: &str, kind: NameKind) -> bool {
    let is_part = |part: &str| {
        let edge = |c: Option<char>| c.is_some_and(|c| c != '-');
        edge(part.chars().next())
            && edge(part.chars().next_back())
            && part
                .chars()
                .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
    };
    text.len() <= kind.longest()
        && match kind {
            NameKind::Label => is_part(text),
            NameKind::Subdomain => text.split('.').all(is_part),
        }
}
