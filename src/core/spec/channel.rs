//! `Channel` documents: where notices go. Their URLs are secrets, so they are given by reference only (P10).

mod labels;

use std::collections::BTreeMap;

use super::document::{self, Namespaced};
use super::drafts::{ChannelDraft, Site};
use super::fields::Fields;
use super::report::Report;
use super::secret::{Secret, is_key, is_path, is_variable};
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

const URL: Secret = Secret {
    field: "`url`",
    noun: "the URL",
    danger: "whoever knows it can post to the channel",
    file: "/etc/recant/slack-url",
    secret: "{name: slack, key: url}",
};
const BEARER: Secret = Secret {
    field: "`bearer`",
    noun: "the token",
    file: "/etc/recant/alertmanager-token",
    secret: "{name: alertmanager, key: token}",
    ..URL
};

/// Reads a channel; `None` when it has no readable name.
pub(super) fn read(node: &Node, file: usize, report: &mut Report<'_>) -> Option<ChannelDraft> {
    let fields = Fields::open(node, "a channel", CHANNEL, report)?;
    let metadata = document::metadata(&fields, Namespaced::Maybe, report);
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
    let namespace = metadata.namespace.map(|(namespace, _)| namespace);
    Some(ChannelDraft {
        name: name.to_owned(),
        namespace: namespace.map(str::to_owned),
        site: Site {
            file,
            span: name_node.span,
        },
        channel: place.map(|(kind, url)| {
            let mut channel = Channel {
                name: full_name(namespace, name),
                kind,
                url,
            };
            if let Some(namespace) = namespace {
                channel.belong_to(namespace);
            }
            channel
        }),
    })
}

/// What a channel is called everywhere: `oncall`, and `shop/oncall` where it belongs to a namespace.
pub(super) fn full_name(namespace: Option<&str>, name: &str) -> ChannelName {
    ChannelName(match namespace {
        Some(namespace) => format!("{namespace}/{name}"),
        None => name.to_owned(),
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
        .need("url", &URL.reference(), report)
        .and_then(|node| URL.read(node, report));
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
                Some(entry) => Some(BEARER.read(&entry.value, report)?),
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
