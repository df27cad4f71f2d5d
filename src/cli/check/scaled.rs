//! Whether the objects are there that actions would scale or change.

use std::collections::BTreeSet;

use kube::Client;
use recant_core::rule::{RuleBook, ScaleKind, ScaleTarget};
use recant_core::spec::{ObjectName, Presence};

use super::findings::{Area, Findings, some};
use crate::cluster::kubernetes;

/// Asks for each; whether replicas may be written is among the rights.
pub(super) async fn look(client: &Client, book: &RuleBook, findings: &mut Findings) {
    let changed = book.changed().map(|object| ObjectName {
        group: object.group().to_owned(),
        kind: object.kind.clone(),
        namespace: Some(object.namespace.clone()),
        name: object.name.clone(),
    });
    let names: BTreeSet<ObjectName> = book.scaled().map(object).chain(changed).collect();
    if names.is_empty() {
        return;
    }
    let presence = match kubernetes::presence(client, &names).await {
        Ok(presence) => presence,
        Err(error) => {
            findings.unknown(
                Area::Target,
                format!("whether the objects to be changed are there: {error}"),
                "try again",
            );
            return;
        }
    };
    let mut there = Vec::new();
    for (name, presence) in presence {
        let namespace = name.namespace.as_deref().unwrap_or_default();
        let shown = format!("{} {namespace}/{}", name.kind, name.name);
        match presence {
            Presence::Found => there.push(shown),
            Presence::Missing => findings.error(
                Area::Target,
                format!("{shown}, which an action of a Watch changes, does not exist"),
                "create it, or mend `target` of the action",
            ),
            Presence::Unknown { reason } => findings.unknown(
                Area::Target,
                format!("whether {shown}, which an action of a Watch changes, is there: {reason}"),
                "see the rights above, or try again",
            ),
        }
    }
    if !there.is_empty() {
        findings.ok(
            Area::Target,
            format!("there, to be changed: {}", some(&there)),
        );
    }
}

fn object(target: &ScaleTarget) -> ObjectName {
    let ScaleTarget {
        namespace,
        kind,
        name,
    } = target;
    let group = match kind {
        ScaleKind::Deployment | ScaleKind::StatefulSet => "apps",
        ScaleKind::Rollout => "argoproj.io",
    };
    ObjectName {
        group: group.to_owned(),
        kind: kind.to_string(),
        namespace: Some(namespace.clone()),
        name: name.clone(),
    }
}
