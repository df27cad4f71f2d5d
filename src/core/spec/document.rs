//! From a YAML document to a draft: `apiVersion` and `kind` say which.

use super::channel;
use super::drafts::Drafts;
use super::excerpt::quoted;
use super::fields::{self, Fields, NameKind};
use super::nearest::nearest;
use super::report::Report;
use super::rule_set;
use super::runbook;
use super::test;
use super::tree::{Kind, Node};
use super::watch;

/// The version of the documents that is understood.
pub(super) const API_VERSION: &str = "recant.dev/v1alpha1";
const KINDS: [&str; 5] = ["RuleSet", "Watch", "Runbook", "Channel", "Test"];

/// Reads one document of file number `file` into `drafts`.
pub(super) fn read(node: &Node, file: usize, drafts: &mut Drafts, report: &mut Report<'_>) {
    if node.is_null() {
        return;
    }
    let kind = kind(node, report);
    if !matches!(kind, Some("RuleSet" | "Watch" | "Runbook" | "Test")) {
        // It is, or may be meant as, a channel.
        channel::mask_document(node, report);
    }
    match kind {
        None => drafts.incomplete = true,
        Some("RuleSet") => match rule_set::read(node, file, report) {
            Some(set) => drafts.sets.push(set),
            None => drafts.incomplete = true,
        },
        Some("Runbook") => match runbook::read(node, file, report) {
            Some(runbook) => drafts.runbooks.push(runbook),
            None => drafts.incomplete = true,
        },
        Some("Watch") => drafts.watches.extend(watch::read(node, file, report)),
        Some("Test") => drafts.tests.extend(test::read(node, file, report)),
        Some(_) => match channel::read(node, file, report) {
            Some(channel) => drafts.channels.push(channel),
            None => drafts.incomplete = true,
        },
    }
}

/// The kind of a document, after its version was checked.
fn kind<'n>(node: &'n Node, report: &mut Report<'_>) -> Option<&'n str> {
    let help = format!(
        "a document begins with `apiVersion: {API_VERSION}` and `kind:` one of {}",
        fields::listed(&KINDS)
    );
    let Kind::Map(entries) = &node.kind else {
        if !matches!(node.kind, Kind::Reported) {
            report
                .error(
                    node.span,
                    format!("a document must be a mapping, and is {}", node.describe()),
                )
                .help(help);
        }
        return None;
    };
    let entry = |name: &str| entries.iter().find(|entry| entry.key == name);
    let span = entries.first().map_or(node.span, |entry| entry.key_span);
    let mut good = true;
    match entry("apiVersion") {
        None => {
            report
                .error(span, "a document has no `apiVersion`")
                .help(help.as_str());
        }
        Some(version) => {
            let text = fields::text(&version.value, "apiVersion", &help, report)?;
            if text != API_VERSION {
                report
                    .error(
                        version.value.span,
                        format!("`apiVersion` {} is not one of Recant's", quoted(text)),
                    )
                    .help(format!(
                        "write `{API_VERSION}`; keep documents of other programs in other files"
                    ));
                // A misspelt version of ours is read on, for its other errors; documents of others are not.
                good = text.starts_with("recant.dev/") || nearest(text, [API_VERSION]).is_some();
            }
        }
    }
    let Some(kind) = entry("kind") else {
        report
            .error(span, "a document has no `kind`")
            .help(help.as_str());
        return None;
    };
    let text = fields::text(&kind.value, "kind", &help, report)?;
    if !good {
        return None;
    }
    if !KINDS.contains(&text) {
        report
            .error(kind.value.span, format!("unknown `kind` {}", quoted(text)))
            .help(match nearest(text, KINDS) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("the kinds are {}", fields::listed(&KINDS)),
            });
        return None;
    }
    Some(text)
}

/// Name, and the node of the namespace, of a document's `metadata`.
pub(super) struct Metadata<'n> {
    pub(super) name: Option<(&'n str, &'n Node)>,
    pub(super) namespace: Option<(&'n str, &'n Node)>,
}

/// Reads `metadata`; labels and annotations are allowed, since tools add them, and not used.
pub(super) fn metadata<'n>(
    document: &Fields<'n>,
    namespaced: Namespaced,
    report: &mut Report<'_>,
) -> Metadata<'n> {
    let mut metadata = Metadata {
        name: None,
        namespace: None,
    };
    let known: &[&str] = match namespaced {
        Namespaced::Yes => &["name", "namespace", "labels", "annotations"],
        Namespaced::No => &["name", "labels", "annotations"],
    };
    let help = match namespaced {
        Namespaced::Yes => "write `metadata: {name: checkout, namespace: shop}`",
        Namespaced::No => "write `metadata: {name: …}`",
    };
    let Some(node) = document.need("metadata", help, report) else {
        return metadata;
    };
    let Some(fields) = Fields::open(node, "`metadata`", known, report) else {
        return metadata;
    };
    metadata.name = fields.need("name", help, report).and_then(|node| {
        fields::name(node, "name", NameKind::Subdomain, report).map(|name| (name, node))
    });
    if namespaced == Namespaced::Yes {
        let help = "say in which namespace the target is: `namespace: shop`";
        metadata.namespace = fields.need("namespace", help, report).and_then(|node| {
            fields::name(node, "namespace", NameKind::Label, report).map(|name| (name, node))
        });
    }
    metadata
}

/// Whether documents of a kind belong to a namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Namespaced {
    Yes,
    No,
}
