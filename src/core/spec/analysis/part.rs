//! Mappings of an analysis document: fields that are not known are warned of, and types are checked.

use super::super::excerpt::quoted;
use super::super::fields::listed;
use super::super::nearest::nearest;
use super::super::report::{Report, Span};
use super::super::tree::{Entry, Kind, Node};
use super::convert::json;
use crate::argo::json::Json;

/// One mapping.
#[derive(Debug, Clone, Copy)]
pub(super) struct Part<'n> {
    pub(super) span: Span,
    entries: &'n [Entry],
}

/// What a field has to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TypeOf {
    Text,
    Whole,
    Boolean,
    TextOrWhole,
    Object,
    List,
    Anything,
}

impl TypeOf {
    fn fits(self, value: &Json) -> bool {
        match (self, value) {
            (Self::Anything, _)
            | (Self::Text | Self::TextOrWhole, Json::String(_))
            | (Self::Boolean, Json::Bool(_))
            | (Self::Object, Json::Object(_))
            | (Self::List, Json::Array(_))
            | (_, Json::Null) => true,
            (Self::Whole | Self::TextOrWhole, Json::Number(value)) => value.fract() == 0.0,
            (_, _) => false,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Text => "a text",
            Self::Whole => "a whole number",
            Self::Boolean => "`true` or `false`",
            Self::TextOrWhole => "a whole number, or a text",
            Self::Object => "a mapping",
            Self::List => "a list",
            Self::Anything => "anything",
        }
    }
}

impl<'n> Part<'n> {
    /// Opens a mapping whose fields are known.
    pub(super) fn open(
        node: &'n Node,
        what: &str,
        known: &[&str],
        report: &mut Report<'_>,
    ) -> Option<Self> {
        let part = Self::any(node, what, report)?;
        for entry in part.entries {
            if entry.key.is_empty() || known.contains(&entry.key.as_str()) {
                continue;
            }
            let help = match nearest(&entry.key, known.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("its fields are {}", listed(known)),
            };
            report
                .warn(
                    entry.key_span,
                    format!(
                        "{} is no field of {what}: the API server drops it",
                        quoted(&entry.key)
                    ),
                )
                .help(help);
        }
        Some(part)
    }

    /// Opens a mapping whose fields may be any.
    pub(super) fn any(node: &'n Node, what: &str, report: &mut Report<'_>) -> Option<Self> {
        match &node.kind {
            Kind::Map(entries) => Some(Self {
                span: entries.first().map_or(node.span, |entry| entry.key_span),
                entries,
            }),
            Kind::Scalar(_) if node.is_null() => None,
            Kind::Reported => None,
            Kind::Scalar(_) | Kind::List(_) => {
                report
                    .error(
                        node.span,
                        format!("{what} has to be a mapping, and is {}", node.describe()),
                    )
                    .help("write `field: value` lines below it");
                None
            }
        }
    }

    pub(super) fn entries(&self) -> &'n [Entry] {
        self.entries
    }

    /// The value of a field; none if it is not set, or set to nothing.
    pub(super) fn get(&self, name: &str) -> Option<&'n Node> {
        let entry = self.entries.iter().find(|entry| entry.key == name)?;
        Some(&entry.value).filter(|value| !value.is_null())
    }

    /// A field of a type.
    pub(super) fn typed(
        &self,
        name: &str,
        wanted: TypeOf,
        report: &mut Report<'_>,
    ) -> Option<Json> {
        let node = self.get(name)?;
        let value = json(node);
        if wanted.fits(&value) {
            return Some(value);
        }
        let help = match (wanted, &value) {
            (TypeOf::Text, Json::Number(_) | Json::Bool(_)) => {
                "put it into quotes: the API server refuses it as it is"
            }
            _ => "the API server refuses it as it is",
        };
        report
            .error(
                node.span,
                format!(
                    "`{name}` has to be {}, and is {}",
                    wanted.name(),
                    value.describe()
                ),
            )
            .help(help);
        None
    }

    pub(super) fn text(&self, name: &str, report: &mut Report<'_>) -> Option<String> {
        match self.typed(name, TypeOf::Text, report)? {
            Json::String(text) => Some(text),
            _ => None,
        }
    }

    pub(super) fn whole(&self, name: &str, report: &mut Report<'_>) -> Option<i64> {
        match self.typed(name, TypeOf::Whole, report)? {
            Json::Number(value) => Some(crate::argo::expression::truncate(value)),
            _ => None,
        }
    }

    pub(super) fn boolean(&self, name: &str, report: &mut Report<'_>) -> Option<bool> {
        match self.typed(name, TypeOf::Boolean, report)? {
            Json::Bool(value) => Some(value),
            _ => None,
        }
    }

    /// The items of a list; none if it is not set.
    pub(super) fn list(&self, name: &str, report: &mut Report<'_>) -> &'n [Node] {
        if self.typed(name, TypeOf::List, report).is_none() {
            return &[];
        }
        match self.get(name).map(|node| &node.kind) {
            Some(Kind::List(items)) => items,
            Some(Kind::Scalar(_) | Kind::Map(_) | Kind::Reported) | None => &[],
        }
    }
}
