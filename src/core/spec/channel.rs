//! `Channel` documents: where notices go. Their URLs are secrets, so they are given by reference only (P10).

use super::document::{self, Namespaced};
use super::drafts::{ChannelDraft, Site};
use super::fields::{self, Fields, NameKind};
use super::report::Report;
use super::tree::{Kind, Node};
use crate::ids::ChannelName;
use crate::rule::{Channel, ChannelKind, SecretRef};

const CHANNEL: &[&str] = &["apiVersion", "kind", "metadata", "slack", "webhook"];
const REFERENCE: &str =
    "write `url: {env: NAME}`, `url: {file: PATH}` or `url: {secret: {name: NAME, key: KEY}}`";

/// Reads a channel; `None` when it has no readable name.
pub(super) fn read(node: &Node, file: usize, report: &mut Report<'_>) -> Option<ChannelDraft> {
    let fields = Fields::open(node, "a channel", CHANNEL, report)?;
    let metadata = document::metadata(&fields, Namespaced::No, report);
    let kind =
        match (fields.entry("slack"), fields.entry("webhook")) {
            (Some(_), Some(second)) => {
                report
                .error(second.key_span, "this channel has a `slack` and a `webhook`")
                .help("a channel is one place: make two channels of it, and name both in `notify`");
                None
            }
            (None, None) => {
                if !fields.unclear() {
                    report
                        .error(fields.span, "this channel leads nowhere")
                        .help("add `slack: {url: {env: NAME}}` or `webhook: {url: {env: NAME}}`");
                }
                None
            }
            (Some(slack), None) => Some((ChannelKind::Slack, "`slack`", &slack.value)),
            (None, Some(webhook)) => Some((ChannelKind::Webhook, "`webhook`", &webhook.value)),
        };
    let url = kind.and_then(|(kind, what, node)| {
        let fields = Fields::open(node, what, &["url"], report)?;
        let node = fields.need("url", REFERENCE, report)?;
        read_secret(node, report).map(|url| (kind, url))
    });
    let (name, name_node) = metadata.name?;
    Some(ChannelDraft {
        name: name.to_owned(),
        site: Site {
            file,
            span: name_node.span,
        },
        channel: url.map(|(kind, url)| Channel {
            name: ChannelName(name.to_owned()),
            kind,
            url,
        }),
    })
}

/// Reads where a secret is; never says what it found, since it may be the secret itself.
fn read_secret(node: &Node, report: &mut Report<'_>) -> Option<SecretRef> {
    const KNOWN: &[&str] = &["env", "file", "secret"];
    if let Kind::Scalar(_) = &node.kind
        && !node.is_null()
    {
        report
            .error(
                node.span,
                "`url` is written out, and whoever knows it can post to the channel",
            )
            .help(format!(
                "{REFERENCE}: rule files are kept in Git and shown in messages, secrets are not"
            ));
        return None;
    }
    let fields = Fields::open(node, "`url`", KNOWN, report)?;
    let given: Vec<_> = KNOWN.iter().filter_map(|name| fields.entry(name)).collect();
    let entry = match given.as_slice() {
        [entry] => entry,
        [] => {
            if !fields.unclear() {
                report
                    .error(fields.span, "`url` does not say where the URL is")
                    .help(REFERENCE);
            }
            return None;
        }
        [_, second, ..] => {
            report
                .error(second.key_span, "`url` is given in more than one way")
                .help(REFERENCE);
            return None;
        }
    };
    match entry.key.as_str() {
        "env" => {
            let name = fields::text(&entry.value, "env", REFERENCE, report)?;
            if !is_variable(name) {
                report
                    .error(entry.value.span, "`env` is not the name of an environment variable")
                    .help("write the name of the variable that holds the URL: letters, digits and `_`, such as `SLACK_WEBHOOK_URL`");
                return None;
            }
            Some(SecretRef::Env(name.to_owned()))
        }
        "file" => {
            let path = fields::text(&entry.value, "file", REFERENCE, report)?;
            if !is_path(path) {
                report
                    .error(entry.value.span, "`file` is not the path of a file")
                    .help("write the path of the file that holds the URL, such as `/etc/recant/slack-url`");
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
