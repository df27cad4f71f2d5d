//! Users' Kubernetes files and Prometheus rule files: fields that the API does not have, and names that lead nowhere.
//!
//! Pure: what a cluster knows comes in as [`Knowledge`]; without one the shipped field lists and the files must do.

mod mask;
mod object;
mod reference;
mod repair;
mod resolve;
mod routes;
mod shape;
mod shipped;
mod value;
mod walk;

use std::collections::{BTreeMap, BTreeSet};

pub use self::reference::ObjectName;
pub use self::shape::{ObjectKind, Shape, Shapes};
pub use self::shipped::shipped_shapes;
pub use self::value::ValueType;

use self::object::{Index, Object, Recognised};
use self::walk::Walk;
use super::report::Report;
use super::tree::{Node, Root, Unfollowed, YamlFeature};

/// What is known beyond the files: nothing, unless a cluster was asked.
#[derive(Debug, Clone, Default)]
pub struct Knowledge {
    /// The fields of the cluster's own kinds; they count more than the shipped lists.
    pub shapes: Shapes,
    /// Kinds that the API server does not serve.
    pub unserved: BTreeSet<ObjectKind>,
    /// Whether the cluster has what the files name.
    pub objects: BTreeMap<ObjectName, Presence>,
}

/// Whether the cluster has an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Presence {
    Found,
    Missing,
    Unknown { reason: String },
}

/// What the files hold besides Recant's documents.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Manifests {
    /// How many Kubernetes objects, items of Lists included.
    pub objects: usize,
    /// How many files, or documents of files, with Prometheus rules.
    pub rule_files: usize,
    /// The kinds of the objects.
    pub kinds: BTreeSet<ObjectKind>,
    /// Those whose fields are not known: they were not checked.
    pub unchecked: BTreeSet<ObjectKind>,
    /// What the objects name and the files do not hold.
    pub elsewhere: BTreeSet<ObjectName>,
}

/// The documents of all files that are not Recant's.
#[derive(Debug, Default)]
pub(super) struct Documents {
    objects: Vec<Object>,
    rule_files: Vec<(usize, Node)>,
}

impl Documents {
    /// Takes a document if it is a Kubernetes object, a List of such or a Prometheus rule file; else gives it back.
    pub(super) fn take(
        &mut self,
        root: Root,
        file: usize,
        report: &mut Report<'_>,
    ) -> Option<Root> {
        let recognised = object::recognise(&root.node);
        if let Recognised::Other = recognised {
            return Some(root);
        }
        let Root { node, unfollowed } = root;
        unlooked(&unfollowed, report);
        match recognised {
            Recognised::Object(kind) => self.objects.push(object::object(node, kind, file)),
            Recognised::List => {
                for (kind, item) in object::items(node, report) {
                    self.objects.push(object::object(item, kind, file));
                }
            }
            Recognised::RuleFile => self.rule_files.push((file, node)),
            Recognised::Other => {}
        }
        None
    }

    /// Checks everything, now that all files were read.
    pub(super) fn check(&self, knowledge: &Knowledge, reports: &mut [Report<'_>]) -> Manifests {
        let shipped = shipped_shapes();
        let mut unchecked = BTreeSet::new();
        for object in &self.objects {
            let Some(report) = reports.get_mut(object.file) else {
                continue;
            };
            mask::mask(object, report);
            if knowledge.unserved.contains(&object.kind) {
                unserved(object, report);
                continue;
            }
            let known = [&knowledge.shapes, shipped]
                .into_iter()
                .find_map(|shapes| Some((shapes, shapes.of(&object.kind)?)));
            let Some((shapes, whole)) = known else {
                unchecked.insert(object.kind.clone());
                continue;
            };
            let walk = Walk {
                shapes,
                whole,
                called: object.called(),
                kind: &object.kind.kind,
            };
            walk.check(&object.root, report);
        }
        if let Some(whole) = shipped.named(shipped::RULE_FILE) {
            for (file, root) in &self.rule_files {
                let walk = Walk {
                    shapes: shipped,
                    whole,
                    called: "the Prometheus rule file".to_owned(),
                    kind: shipped::RULE_FILE,
                };
                if let Some(report) = reports.get_mut(*file) {
                    walk.check(root, report);
                }
            }
        }
        let references = self
            .objects
            .iter()
            .flat_map(reference::references)
            .collect();
        let index = Index::new(&self.objects);
        let elsewhere = resolve::resolve(&index, references, knowledge, reports);
        routes::check(&self.objects, &index, reports);
        Manifests {
            objects: self.objects.len(),
            rule_files: self.rule_files.len(),
            kinds: self.objects.iter().map(|o| o.kind.clone()).collect(),
            unchecked,
            elsewhere,
        }
    }
}

/// Says once for a document that not all of it is seen; an anchor alone hides nothing.
fn unlooked(unfollowed: &[Unfollowed], report: &mut Report<'_>) {
    let hides = |found: &&Unfollowed| match found.what {
        YamlFeature::Alias | YamlFeature::MergeKey | YamlFeature::Tag => true,
        YamlFeature::Anchor => false,
    };
    if let Some(first) = unfollowed.iter().find(hides) {
        report
            .warn(
                first.span,
                "YAML aliases, merge keys and tags are not followed: what they stand for is not checked in this document",
            )
            .help("write the values out, if they are to be checked");
    }
}

fn unserved(object: &Object, report: &mut Report<'_>) {
    report
        .error(
            object.kind_span,
            format!(
                "the API server has no kind {}",
                super::excerpt::quoted(&object.kind.to_string())
            ),
        )
        .help("check `apiVersion` and `kind`; if they are right, install what defines it (its CustomResourceDefinition)");
}
