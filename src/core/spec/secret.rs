//! Where a secret is: fields that are given by reference only (P10).

use super::fields::{self, Fields, NameKind};
use super::report::Report;
use super::tree::{Kind, Node};
use crate::rule::SecretRef;

const KNOWN: &[&str] = &["env", "file", "secret"];

/// How a field that holds a secret is spoken of.
pub(super) struct Secret {
    /// The field in quotes: "`password`".
    pub(super) field: &'static str,
    /// "the URL"
    pub(super) noun: &'static str,
    /// Why it may not be written out.
    pub(super) danger: &'static str,
    /// Where it might be: a file, and a key of a Secret.
    pub(super) file: &'static str,
    pub(super) secret: &'static str,
}

impl Secret {
    /// How to write where the secret is.
    pub(super) fn reference(&self) -> String {
        let field = self.field.trim_matches('`');
        format!(
            "write `{field}: {{env: NAME}}`, `{field}: {{file: PATH}}` or `{field}: {{secret: {{name: NAME, key: KEY}}}}`"
        )
    }

    /// Reads where the secret is; never says what it found, since it may be the secret itself.
    pub(super) fn read(&self, node: &Node, report: &mut Report<'_>) -> Option<SecretRef> {
        let Self {
            field,
            noun,
            danger,
            file,
            secret,
        } = self;
        let reference = self.reference();
        if let Kind::Scalar(_) = &node.kind
            && !node.is_null()
        {
            report.mask(node.span);
            report
                .error(node.span, format!("{field} is written out, and {danger}"))
                .help(format!(
                    "{reference}: rule files are kept in Git and shown in messages, secrets are not"
                ));
            return None;
        }
        let fields = Fields::open(node, field, KNOWN, report)?;
        let given: Vec<_> = KNOWN.iter().filter_map(|name| fields.entry(name)).collect();
        let entry = match given.as_slice() {
            [entry] => entry,
            [] => {
                if !fields.unclear() {
                    report
                        .error(fields.span, format!("{field} does not say where {noun} is"))
                        .help(reference);
                }
                return None;
            }
            [_, second, ..] => {
                report
                    .error(
                        second.key_span,
                        format!("{field} is given in more than one way"),
                    )
                    .help(reference);
                return None;
            }
        };
        match entry.key.as_str() {
            "env" | "file" if report.is_of_a_team() => {
                report
                    .error(
                        entry.key_span,
                        format!(
                            "`{}` is the agent's own, and this document is not",
                            entry.key
                        ),
                    )
                    .help(format!(
                        "put {noun} into a Secret of this namespace, and write `secret: {secret}`"
                    ));
                None
            }
            "env" => {
                let name = fields::text(&entry.value, "env", &reference, report)?;
                if !is_variable(name) {
                    report.mask(entry.value.span);
                    report
                        .error(entry.value.span, "`env` is not the name of an environment variable")
                        .help(format!(
                            "write the name of the variable that holds {noun}: letters, digits and `_`, such as `SLACK_WEBHOOK_URL`"
                        ));
                    return None;
                }
                Some(SecretRef::Env(name.to_owned()))
            }
            "file" => {
                let path = fields::text(&entry.value, "file", &reference, report)?;
                if !is_path(path) {
                    report.mask(entry.value.span);
                    report
                        .error(entry.value.span, "`file` is not the path of a file")
                        .help(format!(
                            "write the path of the file that holds {noun}, such as `{file}`"
                        ));
                    return None;
                }
                Some(SecretRef::File(path.to_owned()))
            }
            _ => {
                let help = format!(
                    "write `secret: {secret}`: a Secret in the namespace of this document, or in the agent's if it has none"
                );
                let fields = Fields::open(&entry.value, "`secret`", &["name", "key"], report)?;
                let name = fields
                    .need("name", &help, report)
                    .and_then(|node| fields::name(node, "name", NameKind::Subdomain, report));
                let key = fields
                    .need("key", &help, report)
                    .and_then(|node| read_key(node, &help, report));
                Some(SecretRef::KubernetesSecret {
                    name: name?.to_owned(),
                    key: key?.to_owned(),
                    namespace: None,
                })
            }
        }
    }
}

fn read_key<'n>(node: &'n Node, help: &str, report: &mut Report<'_>) -> Option<&'n str> {
    let key = fields::text(node, "key", help, report)?;
    if !is_key(key) {
        report
            .error(node.span, "`key` is not a key of a Secret")
            .help("write letters, digits, `-`, `_` and `.`, at most 253 characters");
        return None;
    }
    Some(key)
}

/// Whether a text is the name of an environment variable.
pub(super) fn is_variable(text: &str) -> bool {
    text.len() <= 256
        && !text.starts_with(|c: char| c.is_ascii_digit())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// Whether a text can be a path, and is no URL.
pub(super) fn is_path(text: &str) -> bool {
    text.len() <= 4096 && !text.contains("://") && !text.chars().any(char::is_control)
}

/// Whether a text can be a key of a Secret.
pub(super) fn is_key(text: &str) -> bool {
    text.len() <= 253
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
}
