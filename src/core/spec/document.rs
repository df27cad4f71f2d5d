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

/// The kinds that can be custom resources.
pub(super) const RESOURCES: [&str; 4] = ["RuleSet", "Watch", "Runbook", "Channel"];

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
    let known = ["name", "namespace", "labels", "annotations"];
    let known: &[&str] = match namespaced {
        Namespaced::Yes | Namespaced::Maybe => &known,
        Namespaced::No => &["name", "labels", "annotations"],
    };
    let help = match namespaced {
        Namespaced::Yes => "write `metadata: {name: checkout, namespace: shop}`",
        Namespaced::No | Namespaced::Maybe => "write `metadata: {name: …}`",
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
    let namespace = match namespaced {
        Namespaced::Yes => {
            let help = "say in which namespace the target is: `namespace: shop`";
            fields.need("namespace", help, report)
        }
        Namespaced::Maybe => fields.get("namespace"),
        Namespaced::No => None,
    };
    metadata.namespace = namespace.and_then(|node| {
        fields::name(node, "namespace", NameKind::Label, report).map(|name| (name, node))
    });
    metadata
}

/// What an API server adds to the `metadata` of a document, and what tools put there.
const OF_SERVER: [&str; 11] = [
    "creationTimestamp",
    "deletionGracePeriodSeconds",
    "deletionTimestamp",
    "finalizers",
    "generateName",
    "generation",
    "managedFields",
    "ownerReferences",
    "resourceVersion",
    "selfLink",
    "uid",
];

/// Takes Recant's documents out of a `kind: List`, or of a list of one of its kinds: as `kubectl get -o yaml` prints
/// several. `None`: it is no list that holds any.
pub(super) fn listed(node: &mut Node) -> Option<Vec<Node>> {
    let of = |node: &Node, name: &str| -> Option<String> {
        let Kind::Map(entries) = &node.kind else {
            return None;
        };
        let entry = entries.iter().find(|entry| entry.key == name)?;
        match &entry.value.kind {
            Kind::Scalar(scalar) => Some(scalar.text.clone()),
            Kind::List(_) | Kind::Map(_) | Kind::Reported => None,
        }
    };
    let (version, kind) = (of(node, "apiVersion")?, of(node, "kind")?);
    let ours = |version: &str| version.starts_with("recant.dev/");
    let list = (version == "v1" && kind == "List")
        || (ours(&version)
            && RESOURCES
                .iter()
                .any(|known| kind.strip_suffix("List") == Some(*known)));
    if !list {
        return None;
    }
    let items = list_items(node)?;
    let mut taken = Vec::new();
    let mut left = Vec::new();
    for mut item in std::mem::take(items) {
        if of(&item, "apiVersion").is_some_and(|version| ours(&version)) {
            without_what_servers_add(&mut item);
            taken.push(item);
        } else {
            left.push(item);
        }
    }
    *items = left;
    (!taken.is_empty()).then_some(taken)
}

/// Whether nothing is left of a list.
pub(super) fn is_empty_list(node: &Node) -> bool {
    let Kind::Map(entries) = &node.kind else {
        return false;
    };
    entries.iter().any(|entry| {
        entry.key == "items" && matches!(&entry.value.kind, Kind::List(items) if items.is_empty())
    })
}

fn list_items(node: &mut Node) -> Option<&mut Vec<Node>> {
    let Kind::Map(entries) = &mut node.kind else {
        return None;
    };
    let entry = entries.iter_mut().find(|entry| entry.key == "items")?;
    match &mut entry.value.kind {
        Kind::List(items) => Some(items),
        Kind::Scalar(_) | Kind::Map(_) | Kind::Reported => None,
    }
}

/// Leaves out of a document what an API server added to it: `kubectl get -o yaml` prints it.
pub(super) fn without_what_servers_add(node: &mut Node) {
    let Kind::Map(entries) = &mut node.kind else {
        return;
    };
    entries.retain(|entry| entry.key != "status");
    let metadata = entries.iter_mut().find(|entry| entry.key == "metadata");
    if let Some(Kind::Map(fields)) = metadata.map(|entry| &mut entry.value.kind) {
        fields.retain(|field| !OF_SERVER.contains(&field.key.as_str()));
    }
}

/// Whether documents of a kind belong to a namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Namespaced {
    Yes,
    No,
    /// Without one it is for all namespaces.
    Maybe,
}
