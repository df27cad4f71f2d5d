//! `targets` of a watch on request: which workloads are taken up when somebody asks about them.

use std::collections::{BTreeMap, BTreeSet};

use super::kind;
use crate::ids::TargetKind;
use crate::rule::Scope;
use crate::spec::excerpt::quoted;
use crate::spec::fields::{self, Fields, NameKind};
use crate::spec::labels;
use crate::spec::report::Report;
use crate::spec::tree::Node;

const HELP: &str = "write `targets: {kinds: [Rollout], namespaces: [shop], labels: {team: shop}, onRequest: true}`";
const MOST_NAMESPACES: usize = 100;
const LABELS: labels::Place = labels::Place {
    most: 20,
    help: HELP,
    keep: "keep those that tell these workloads from others",
};

/// Reads `targets`; without `namespaces` it is that of the watch, without `kinds` it is Rollouts.
pub(super) fn read(node: &Node, namespace: Option<&str>, report: &mut Report<'_>) -> Option<Scope> {
    let known = ["namespaces", "kinds", "labels", "onRequest"];
    let fields = Fields::open(node, "`targets`", &known, report)?;
    let on_request = fields
        .need("onRequest", HELP, report)
        .and_then(|node| fields::boolean(node, "onRequest", report).map(|yes| (yes, node)));
    if let Some((false, node)) = on_request {
        report
            .error(
                node.span,
                "`targets` is for workloads that are watched on request only",
            )
            .help("write `onRequest: true`, or one Watch with `target` for each workload");
    }
    let namespaces = match fields.get("namespaces") {
        None => namespace.map(|namespace| BTreeSet::from([namespace.to_owned()])),
        Some(node) => namespaces(node, report),
    };
    let kinds = match fields.get("kinds") {
        None => Some(BTreeSet::from([TargetKind::Rollout])),
        Some(node) => kinds(node, report),
    };
    let labels = match fields.get("labels") {
        None => Some(BTreeMap::new()),
        Some(node) => read_labels(node, report),
    };
    Some(Scope {
        namespaces: namespaces?,
        kinds: kinds?,
        labels: labels?,
    })
    .filter(|_| on_request.is_some_and(|(yes, _)| yes))
}

fn namespaces(node: &Node, report: &mut Report<'_>) -> Option<BTreeSet<String>> {
    let items = fields::list(node, "namespaces", HELP, report)?;
    if let Some(item) = items.get(MOST_NAMESPACES) {
        let message = format!("there are more than {MOST_NAMESPACES} namespaces");
        report
            .error(item.span, message)
            .help("write a second Watch for the others");
        return None;
    }
    let read = items
        .iter()
        .map(|item| fields::name(item, "namespaces", NameKind::Label, report).map(str::to_owned));
    // All of them are looked at, so that every error is told.
    let read: Vec<Option<String>> = read.collect();
    read.into_iter().collect()
}

fn kinds(node: &Node, report: &mut Report<'_>) -> Option<BTreeSet<TargetKind>> {
    let items = fields::list(node, "kinds", HELP, report)?;
    let read: Vec<Option<TargetKind>> = items.iter().map(|item| kind(item, report)).collect();
    read.into_iter().collect()
}

fn read_labels(node: &Node, report: &mut Report<'_>) -> Option<BTreeMap<String, String>> {
    let entries = LABELS.entries(node, report)?;
    let mut labels = BTreeMap::new();
    let mut good = true;
    for entry in entries {
        if !is_label_name(&entry.key) {
            report
                .error(
                    entry.key_span,
                    format!("{} is not the name of a label", quoted(&entry.key)),
                )
                .help("write it as on the workload, such as `app.kubernetes.io/name`");
            good = false;
            continue;
        }
        match fields::text(&entry.value, &entry.key, HELP, report) {
            Some(value) => drop(labels.insert(entry.key.clone(), value.to_owned())),
            None => good = false,
        }
    }
    good.then_some(labels)
}

/// As Kubernetes has it: an optional DNS name with a slash, and up to 63 characters.
fn is_label_name(text: &str) -> bool {
    let (prefix, name) = match text.split_once('/') {
        Some((prefix, name)) => (Some(prefix), name),
        None => (None, text),
    };
    let edge = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    let inner = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    prefix.is_none_or(|prefix| fields::is_name(prefix, NameKind::Subdomain))
        && name.len() <= 63
        && edge(name.chars().next())
        && edge(name.chars().next_back())
        && name.chars().all(inner)
}
