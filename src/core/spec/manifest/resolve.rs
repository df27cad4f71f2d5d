//! Looks up the objects that others name: in the files, and in what is known of a cluster.

use std::collections::{BTreeMap, BTreeSet};

use super::super::excerpt::quoted;
use super::super::nearest::nearest;
use super::super::report::Report;
use super::object::Index;
use super::reference::{ARGO, ObjectName, Reference};
use super::{Knowledge, Presence};

/// Reports names that lead nowhere; returns those that are not in the files.
pub(super) fn resolve(
    index: &Index<'_>,
    references: Vec<Reference>,
    knowledge: &Knowledge,
    reports: &mut [Report<'_>],
) -> BTreeSet<ObjectName> {
    let mut elsewhere: BTreeMap<ObjectName, Vec<Reference>> = BTreeMap::new();
    for reference in references {
        if index.get(&reference.to).is_none() {
            elsewhere
                .entry(reference.to.clone())
                .or_default()
                .push(reference);
        }
    }
    for (name, references) in &elsewhere {
        match knowledge.objects.get(name) {
            Some(Presence::Found) => {}
            Some(Presence::Missing) => missing(index, name, references, true, reports),
            Some(Presence::Unknown { reason }) => unknown(name, references, reason, reports),
            // Templates of analyses are kept together: where some are among the files, the others are missing.
            None if !siblings(index, name).is_empty() => {
                missing(index, name, references, false, reports);
            }
            None => unseen(name, references, reports),
        }
    }
    elsewhere.into_keys().collect()
}

/// Templates of the same kind and namespace that are among the files.
fn siblings<'o>(index: &Index<'o>, name: &ObjectName) -> BTreeSet<&'o str> {
    let templates = matches!(
        name.kind.as_str(),
        "AnalysisTemplate" | "ClusterAnalysisTemplate"
    );
    if name.group != ARGO || !templates {
        return BTreeSet::new();
    }
    index
        .of_kind(&name.group, &name.kind)
        .filter(|object| object.namespace == name.namespace)
        .filter_map(|object| object.name.as_deref())
        .collect()
}

fn missing(
    index: &Index<'_>,
    name: &ObjectName,
    references: &[Reference],
    asked: bool,
    reports: &mut [Report<'_>],
) {
    let near = index
        .of_kind(&name.group, &name.kind)
        .filter_map(|object| object.name.as_deref());
    let near = nearest(&name.name, near);
    let kind = &name.kind;
    let help = match (near, asked) {
        (Some(near), _) => format!("did you mean `{near}`?"),
        (None, true) => format!("add that {kind}, or take its name out here"),
        (None, false) => {
            let there: Vec<&str> = siblings(index, name).into_iter().take(10).collect();
            format!(
                "add that {kind}, or take its name out here: the files hold {} (with `--cluster` the cluster is asked too)",
                super::super::fields::listed(&there)
            )
        }
    };
    let place = if asked {
        "neither in the files given nor in the cluster"
    } else {
        "not in the files given"
    };
    for reference in references {
        if let Some(report) = reports.get_mut(reference.file) {
            report
                .error(
                    reference.span,
                    format!("{} {} is {place}", name.kind, in_namespace(name)),
                )
                .note(format!("{} needs it", reference.from))
                .help(help.as_str());
        }
    }
}

/// It may live in the cluster: said once, at its first place.
fn unseen(name: &ObjectName, references: &[Reference], reports: &mut [Report<'_>]) {
    warn(
        name,
        references,
        "is not in the files given",
        "give its file too; or, if it lives in the cluster, `--cluster` looks it up there",
        reports,
    );
}

fn unknown(name: &ObjectName, references: &[Reference], reason: &str, reports: &mut [Report<'_>]) {
    warn(
        name,
        references,
        &format!("is not in the files given, and could not be looked up: {reason}"),
        "give its file too, or mend that",
        reports,
    );
}

fn warn(
    name: &ObjectName,
    references: &[Reference],
    what: &str,
    help: &str,
    reports: &mut [Report<'_>],
) {
    let Some((first, others)) = references.split_first() else {
        return;
    };
    let more = others.first().and_then(|other| {
        let place = reports.get(other.file)?.position(other.span);
        Some(match others.len() {
            1 => format!("it is named at {place} too"),
            several => format!("it is named at {place} and {} more places too", several - 1),
        })
    });
    if let Some(report) = reports.get_mut(first.file) {
        let found = report.warn(
            first.span,
            format!("{} {} {what}", name.kind, in_namespace(name)),
        );
        if let Some(more) = more {
            found.note(more);
        }
        found.help(help);
    }
}

fn in_namespace(name: &ObjectName) -> String {
    match &name.namespace {
        Some(namespace) => format!("{} (namespace {})", quoted(&name.name), quoted(namespace)),
        None => quoted(&name.name),
    }
}
