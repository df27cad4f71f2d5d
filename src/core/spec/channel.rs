//! `Channel` documents: where notices go. Their URLs are secrets, so they are given by reference only (P10).

mod labels;

use std::collections::BTreeMap;

use super::document::{self, Namespaced};
use super::drafts::{ChannelDraft, Site};
use super::fields::{self, Fields, NameKind};
use super::report::Report;
use super::tree::{Kind, Node};
use crate::ids::ChannelName;
use crate::rule::{Channel, ChannelKind, SecretRef};

const CHANNEL: &[&str] = &[
    "apiVersion",
    "kind",
    "metadata",
    "slack",
    "teams",
    "alertmanager",
    "webhook",
];
const KINDS: &[&str] = &["slack", "teams", "alertmanager", "webhook"];

/// Reads a channel; `None` when it has no readable name.
pub(super) fn read(node: &Node, file: usize, report: &mut Report<'_>) -> Option<ChannelDraft> {
    let fields = Fields::open(node, "a channel", CHANNEL, report)?;
    let metadata = document::metadata(&fields, Namespaced::No, report);
    let given: Vec<_> = KINDS.iter().filter_map(|name| fields.entry(name)).collect();
    let place = match given.as_slice() {
        [entry] => read_place(&entry.key, &entry.value, report),
        [] => {
            if !fields.unclear() {
                report
                    .error(fields.span, "this channel leads nowhere")
                    .help(
                        "add one of `slack`, `teams`, `alertmanager` and `webhook`, such as `slack: {url: {env: NAME}}`",
                    );
            }
            None
        }
        [first, second, ..] => {
            report
                .error(
                    second.key_span,
                    format!("this channel has a `{}` and a `{}`", first.key, second.key),
                )
                .help("a channel is one place: make two channels of it, and name both in `notify`");
            None
        }
    };
    let (name, name_node) = metadata.name?;
    Some(ChannelDraft {
        name: name.to_owned(),
        site: Site {
            file,
            span: name_node.span,
        },
        channel: place.map(|(kind, url)| Channel {
            name: ChannelName(name.to_owned()),
            kind,
            url,
        }),
    })
}

/// Reads what is under `slack`, `teams`, `alertmanager` or `webhook`.
fn read_place(key: &str, node: &Node, report: &mut Report<'_>) -> Option<(ChannelKind, SecretRef)> {
    let (what, known): (_, &[&str]) = match key {
        "slack" => ("`slack`", &["url"]),
        "teams" => ("`teams`", &["url"]),
        "webhook" => ("`webhook`", &["url"]),
        _ => ("`alertmanager`", &["url", "labels", "bearer"]),
    };
    let fields = Fields::open(node, what, known, report)?;
    let url = fields
        .need("url", &reference("url"), report)
        .and_then(|node| read_secret(node, "url", report));
    let kind = match key {
        "slack" => ChannelKind::Slack,
        "teams" => ChannelKind::Teams,
        "webhook" => ChannelKind::Webhook,
        _ => {
            let labels = match fields.entry("labels") {
                Some(entry) => labels::read(&entry.value, report),
                None => Some(BTreeMap::new()),
            };
            let bearer = match fields.entry("bearer") {
                Some(entry) => Some(read_secret(&entry.value, "bearer", report)?),
                None => None,
            };
            ChannelKind::Alertmanager {
                labels: labels?,
                bearer,
            }
        }
    };
    Some((kind, url?))
}

/// How to write where a secret is.
fn reference(field: &str) -> String {
    format!(
        "write `{field}: {{env: NAME}}`, `{field}: {{file: PATH}}` or `{field}: {{secret: {{name: NAME, key: KEY}}}}`"
    )
}

/// Reads where a secret is; never says what it found, since it may be the secret itself.
fn read_secret(node: &Node, field: &str, report: &mut Report<'_>) -> Option<SecretRef> {
    let reference = reference(field);
    const KNOWN: &[&str] = &["env", "file", "secret"];
    if let Kind::Scalar(_) = &node.kind
        && !node.is_null()
    {
        report
            .error(
                node.span,
                format!("`{field}` is written out, and whoever knows it can post to the channel"),
            )
            .help(format!(
                "{reference}: rule files are kept in Git and shown in messages, secrets are not"
            ));
        return None;
    }
    let what = match field {
        "bearer" => "`bearer`",
        _ => "`url`",
    };
    let fields = Fields::open(node, what, KNOWN, report)?;
    let given: Vec<_> = KNOWN.iter().filter_map(|name| fields.entry(name)).collect();
    let entry = match given.as_slice() {
        [entry] => entry,
        [] => {
            if !fields.unclear() {
                report
                    .error(
                        fields.span,
                        format!("`{field}` does not say where {} is", noun(field)),
                    )
                    .help(reference);
            }
            return None;
        }
        [_, second, ..] => {
            report
                .error(
                    second.key_span,
                    format!("`{field}` is given in more than one way"),
                )
                .help(reference);
            return None;
        }
    };
    match entry.key.as_str() {
        "env" => {
            let name = fields::text(&entry.value, "env", &reference, report)?;
            if !is_variable(name) {
                report
                    .error(entry.value.span, "`env` is not the name of an environment variable")
                    .help(format!(
                        "write the name of the variable that holds {}: letters, digits and `_`, such as `SLACK_WEBHOOK_URL`",
                        noun(field)
                    ));
                return None;
            }
            Some(SecretRef::Env(name.to_owned()))
        }
        "file" => {
            let path = fields::text(&entry.value, "file", &reference, report)?;
            if !is_path(path) {
                report
                    .error(entry.value.span, "`file` is not the path of a file")
                    .help(format!(
                        "write the path of the file that holds {}, such as `/etc/recant/slack-url`",
                        noun(field)
                    ));
                return None;
            }
            Some(SecretRef::File(path.to_owned()))
        }
        _ => {
            const HELP: &str =
                "write `secret: {name: slack, key: url}`: a Secret in the agent's namespace";
            let fields = Fields::open(&entry.value, "`secret`", &["name", "key"], report)?;
            let name = fields
                .need("name", HELP, report)
                .and_then(|node| fields::name(node, "name", NameKind::Subdomain, report));
            let key = fields
                .need("key", HELP, report)
                .and_then(|node| read_key(node, HELP, report));
            Some(SecretRef::KubernetesSecret {
                name: name?.to_owned(),
                key: key?.to_owned(),
            })
        }
    }
}

/// What a field refers to.
fn noun(field: &str) -> &'static str {
    match field {
        "bearer" => "the token",
        _ => "the URL",
    }
}

pub(super) fn read_key<'n>(node: &'n Node, help: &str, report: &mut Report<'_>) -> Option<&'n str> {
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

/// Keeps values of a document that may be secrets out of what is shown.
pub(super) fn mask_document(node: &Node, report: &mut Report<'_>) {
    match &node.kind {
        Kind::Map(entries) => {
            for entry in entries {
                if !matches!(entry.key.as_str(), "apiVersion" | "kind" | "metadata") {
                    mask_secrets(&entry.value, report);
                }
            }
        }
        Kind::Scalar(_) | Kind::List(_) | Kind::Reported => mask_secrets(node, report),
    }
}

/// Hides all values that do not stand where a reference belongs.
fn mask_secrets(node: &Node, report: &mut Report<'_>) {
    let mut waiting: Vec<(&Node, &str)> = vec![(node, "")];
    while let Some((node, field)) = waiting.pop() {
        match &node.kind {
            Kind::Scalar(scalar) => {
                let text = scalar.text.as_str();
                let reference = match field {
                    "env" => is_variable(text),
                    "file" => is_path(text) && text.contains(['/', '.']),
                    "name" | "key" => is_key(text),
                    _ => false,
                };
                if !reference && !node.is_null() {
                    report.mask(node.span);
                }
            }
            Kind::List(items) => waiting.extend(items.iter().map(|item| (item, field))),
            Kind::Map(entries) => waiting.extend(
                entries
                    .iter()
                    .map(|entry| (&entry.value, entry.key.as_str())),
            ),
            // A value that was not read on: whether it is a secret is not known.
            Kind::Reported => report.mask(node.span),
        }
    }
}
