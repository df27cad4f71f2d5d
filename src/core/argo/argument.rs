//! Arguments, and the placeholders `{{args.name}}` that they take the place of.
//!
//! The controller puts values into the JSON text of a metric, escaped as Go quotes texts. So a value with a control
//! character makes bad JSON there, and is an error here too.

use std::collections::BTreeMap;

use thiserror::Error;

use super::json::{self, Json, JsonError};

/// An argument of a run or a template.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Argument {
    pub name: String,
    pub value: Option<String>,
    pub value_from: Option<ValueFrom>,
}

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ValueFrom {
    /// A key of a secret in the run's namespace.
    SecretKeyRef { name: String, key: String },
    /// A field, which only the one who starts the run can look up: in a run it counts as no value.
    FieldRef { path: String },
    /// An empty reference.
    Nothing,
}

/// Why arguments cannot be put in.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Unresolved {
    #[error("argument \"{0}\" was not supplied")]
    NotSupplied(String),
    #[error("failed to resolve {{{{{0}}}}}")]
    Placeholder(String),
    #[error("Cannot find end tag=\"}}}}\" in the template")]
    Unclosed,
    #[error("a value cannot be written into the metric: {0}")]
    BadJson(JsonError),
    #[error("secrets \"{0}\" not found")]
    NoSecret(String),
    #[error("key '{key}' does not exist in secret '{name}'")]
    NoKey { name: String, key: String },
}

impl Unresolved {
    /// The kind of the error, as in recordings.
    pub fn class(&self) -> &'static str {
        match self {
            Self::NotSupplied(_) => "argument-not-supplied",
            Self::Placeholder(_) => "unresolved-placeholder",
            Self::Unclosed => "unclosed-placeholder",
            Self::BadJson(_) => "bad-json",
            Self::NoSecret(_) | Self::NoKey { .. } => "secret-not-found",
        }
    }
}

impl Argument {
    /// An argument with a value.
    pub fn with_value(name: &str, value: &str) -> Self {
        Self {
            name: name.to_owned(),
            value: Some(value.to_owned()),
            value_from: None,
        }
    }

    /// As it is checked before any secret is read: a stand-in for what is secret.
    pub(super) fn without_secret(&self) -> Self {
        match self.value_from {
            Some(ValueFrom::SecretKeyRef { .. }) => Self::with_value(&self.name, "temp-for-secret"),
            Some(ValueFrom::FieldRef { .. } | ValueFrom::Nothing) | None => self.clone(),
        }
    }
}

/// The contents of secrets, by name and key.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secrets(BTreeMap<String, BTreeMap<String, String>>);

impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Secrets of {} names", self.0.len())
    }
}

impl Secrets {
    /// Adds a key of a secret.
    pub fn insert(&mut self, name: &str, key: &str, value: &str) {
        let keys = self.0.entry(name.to_owned()).or_default();
        keys.insert(key.to_owned(), value.to_owned());
    }

    /// The arguments with what is secret in them, and a list of the secret values. A secret wins over a value.
    pub(super) fn reveal(
        &self,
        args: &[Argument],
    ) -> Result<(Vec<Argument>, Vec<String>), Unresolved> {
        let mut revealed = Vec::new();
        let mut hidden = Vec::new();
        for arg in args {
            let mut arg = arg.clone();
            if let Some(ValueFrom::SecretKeyRef { name, key }) = &arg.value_from {
                let keys = self.0.get(name);
                let keys = keys.ok_or_else(|| Unresolved::NoSecret(name.clone()))?;
                let value = keys.get(key).ok_or_else(|| Unresolved::NoKey {
                    name: name.clone(),
                    key: key.clone(),
                })?;
                hidden.push(value.clone());
                arg.value = Some(value.clone());
            }
            revealed.push(arg);
        }
        Ok((revealed, hidden))
    }
}

/// Puts arguments into a text.
///
/// # Errors
/// An argument without a value, even if nothing uses it; a placeholder that names none; one that is never closed.
pub fn resolve(template: &str, args: &[Argument]) -> Result<String, Unresolved> {
    let mut values = BTreeMap::new();
    check_closed(template)?;
    for arg in args {
        let Some(value) = &arg.value else {
            return Err(Unresolved::NotSupplied(arg.name.clone()));
        };
        values.insert(format!("args.{}", arg.name), value.clone());
    }
    fill(template, &values)
}

/// Puts arguments into a text that is JSON: values are escaped as Go quotes them.
///
/// # Errors
/// As [`resolve`].
pub fn resolve_quoted(template: &str, args: &[Argument]) -> Result<String, Unresolved> {
    let quoted: Vec<Argument> = args
        .iter()
        .map(|arg| Argument {
            name: arg.name.clone(),
            value: arg.value.as_deref().map(go_quoted),
            value_from: None,
        })
        .collect();
    resolve(template, &quoted)
}

/// Puts arguments into all texts of a document, names of fields included.
///
/// # Errors
/// As [`resolve`], and values that cannot be written into JSON as the controller does it.
pub fn resolve_json(document: &Json, args: &[Argument]) -> Result<Json, Unresolved> {
    let text = resolve_quoted(&json::compact(document), args)?;
    json::parse(text.as_bytes()).map_err(Unresolved::BadJson)
}

fn check_closed(template: &str) -> Result<(), Unresolved> {
    let mut rest = template;
    while let Some((_, tag)) = rest.split_once("{{") {
        rest = tag.split_once("}}").ok_or(Unresolved::Unclosed)?.1;
    }
    Ok(())
}

/// Puts values in the place of tags. What they hold is not looked at again. Of several unknown tags the last is told.
pub(super) fn fill(
    template: &str,
    values: &BTreeMap<String, String>,
) -> Result<String, Unresolved> {
    check_closed(template)?;
    let mut out = String::with_capacity(template.len());
    let mut unknown = None;
    let mut rest = template;
    while let Some((before, tag)) = rest.split_once("{{") {
        out.push_str(before);
        let (tag, after) = tag.split_once("}}").ok_or(Unresolved::Unclosed)?;
        match values.get(tag.trim()) {
            Some(value) => out.push_str(value),
            None => unknown = Some(Unresolved::Placeholder(tag.to_owned())),
        }
        rest = after;
    }
    out.push_str(rest);
    unknown.map_or(Ok(out), Err)
}

/// `strconv.Quote` without the quotes. What is not printable becomes an escape that JSON has not.
pub(super) fn go_quoted(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    for character in value.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\u{7}' => out.push_str("\\a"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{b}' => out.push_str("\\v"),
            '\0'..='\u{1f}' | '\u{7f}' => {
                let code = format!("\\x{:02x}", u32::from(character));
                out.push_str(&code);
            }
            ' '..='~' => out.push(character),
            _ if is_printable(character) => out.push(character),
            '\u{80}'..='\u{ffff}' => {
                let code = format!("\\u{:04x}", u32::from(character));
                out.push_str(&code);
            }
            _ => {
                let code = format!("\\U{:08x}", u32::from(character));
                out.push_str(&code);
            }
        }
    }
    out
}

/// Go's `IsPrint`, by what Rust would escape. It only matters beyond U+FFFF, where Go's escape is no JSON.
fn is_printable(character: char) -> bool {
    if character.is_whitespace() {
        return false;
    }
    let mut escaped = character.escape_debug();
    escaped.len() == 1 && escaped.next() == Some(character)
}
