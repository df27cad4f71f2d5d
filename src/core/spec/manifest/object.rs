//! Which documents are Kubernetes objects or Prometheus rules, and what they are called.

use std::collections::BTreeMap;

use super::super::document::API_VERSION;
use super::super::nearest::nearest;
use super::super::report::{Report, Span};
use super::super::tree::{Kind, Node};
use super::reference::ObjectName;
use super::shape::ObjectKind;

/// One object of a file.
#[derive(Debug)]
pub(super) struct Object {
    pub(super) kind: ObjectKind,
    pub(super) kind_span: Span,
    pub(super) name: Option<String>,
    /// `None`: that of whoever applies it.
    pub(super) namespace: Option<String>,
    pub(super) root: Node,
    /// Index of its file.
    pub(super) file: usize,
}

impl Object {
    /// For messages: "Rollout `checkout`".
    pub(super) fn called(&self) -> String {
        let kind = &self.kind.kind;
        match &self.name {
            Some(name) => format!("{kind} {}", super::super::excerpt::quoted(name)),
            None => format!("the {kind}"),
        }
    }

    /// Whether it is of this kind, in whichever version.
    pub(super) fn is(&self, group: &str, kind: &str) -> bool {
        self.kind.kind == kind && self.kind.group() == group
    }
}

/// Objects by what others call them.
#[derive(Debug, Default)]
pub(super) struct Index<'o> {
    /// By group, kind and name.
    objects: BTreeMap<(&'o str, &'o str, &'o str), Vec<&'o Object>>,
}

impl<'o> Index<'o> {
    pub(super) fn new(objects: &'o [Object]) -> Self {
        let mut index = Self::default();
        for object in objects {
            if let Some(name) = &object.name {
                let key = (
                    object.kind.group(),
                    object.kind.kind.as_str(),
                    name.as_str(),
                );
                index.objects.entry(key).or_default().push(object);
            }
        }
        index
    }

    /// The object of this name. Where one of the two says no namespace, they may be in the same.
    pub(super) fn get(&self, name: &ObjectName) -> Option<&'o Object> {
        let ObjectName {
            group,
            kind,
            namespace,
            name,
        } = name;
        let found = self.objects.get(&(group.as_str(), kind, name))?;
        let exact = found.iter().find(|found| found.namespace == *namespace);
        let near = || {
            found
                .iter()
                .find(|found| found.namespace.is_none() || namespace.is_none())
        };
        exact.or_else(near).copied()
    }

    /// Those of a kind, whatever their names.
    pub(super) fn of_kind(&self, group: &str, kind: &str) -> impl Iterator<Item = &'o Object> {
        self.objects
            .iter()
            .filter(move |((of, is, _), _)| *of == group && *is == kind)
            .flat_map(|(_, objects)| objects.iter().copied())
    }
}

/// What a document of a file is.
pub(super) enum Recognised {
    Object(ObjectKind),
    List,
    RuleFile,
    /// Recant's, or nothing that is known.
    Other,
}

/// Tells by `apiVersion` and `kind`, or by `groups` for Prometheus' rules.
pub(super) fn recognise(root: &Node) -> Recognised {
    let kind = field(root, "kind").and_then(text);
    let api_version = field(root, "apiVersion").and_then(text);
    match (api_version, kind) {
        (Some(api_version), Some(kind)) => {
            // A misspelt version of ours, or one of our kinds in a wrong group, is a mistake in a rule file.
            let ours = api_version.starts_with("recant.dev/")
                || nearest(api_version, [API_VERSION]).is_some()
                || matches!(kind, "RuleSet" | "Watch" | "Runbook" | "Channel");
            if ours {
                Recognised::Other
            } else if api_version == "v1" && kind == "List" {
                Recognised::List
            } else {
                Recognised::Object(ObjectKind {
                    api_version: api_version.to_owned(),
                    kind: kind.to_owned(),
                })
            }
        }
        (None, None) if field(root, "groups").is_some_and(|groups| list(groups).is_some()) => {
            Recognised::RuleFile
        }
        (None | Some(_), None) | (None, Some(_)) => Recognised::Other,
    }
}

/// Names the object; its `metadata` is looked at as far as it can be read.
pub(super) fn object(root: Node, kind: ObjectKind, file: usize) -> Object {
    let of_metadata = |name| {
        field(&root, "metadata")
            .and_then(|metadata| field(metadata, name))
            .and_then(text)
            .map(str::to_owned)
    };
    Object {
        kind_span: field(&root, "kind").map_or(root.span, |node| node.span),
        name: of_metadata("name"),
        namespace: of_metadata("namespace"),
        kind,
        root,
        file,
    }
}

/// The items of a `kind: List`; those that are no objects are reported.
pub(super) fn items(root: Node, report: &mut Report<'_>) -> Vec<(ObjectKind, Node)> {
    let Kind::Map(entries) = root.kind else {
        return Vec::new();
    };
    let items = entries.into_iter().find(|entry| entry.key == "items");
    let Some(Kind::List(items)) = items.map(|entry| entry.value.kind) else {
        return Vec::new();
    };
    let mut objects = Vec::new();
    for item in items {
        match recognise(&item) {
            Recognised::Object(kind) => objects.push((kind, item)),
            Recognised::List | Recognised::RuleFile | Recognised::Other => {
                report
                    .error(item.span, "an item of a List is no Kubernetes object")
                    .help("every item has an `apiVersion` and a `kind`");
            }
        }
    }
    objects
}

/// The value of a field, if this is a mapping that has it.
pub(super) fn field<'n>(node: &'n Node, name: &str) -> Option<&'n Node> {
    match &node.kind {
        Kind::Map(entries) => entries
            .iter()
            .find(|entry| entry.key == name)
            .map(|entry| &entry.value),
        Kind::Scalar(_) | Kind::List(_) | Kind::Reported => None,
    }
}

/// A text that is not empty.
pub(super) fn text(node: &Node) -> Option<&str> {
    match &node.kind {
        Kind::Scalar(scalar) if !node.is_null() && !scalar.text.is_empty() => Some(&scalar.text),
        Kind::Scalar(_) | Kind::List(_) | Kind::Map(_) | Kind::Reported => None,
    }
}

/// The entries of a list.
pub(super) fn list(node: &Node) -> Option<&[Node]> {
    match &node.kind {
        Kind::List(items) => Some(items),
        Kind::Scalar(_) | Kind::Map(_) | Kind::Reported => None,
    }
}

/// All values at a path: `spec.http[].route[]`, where `[]` goes through every entry of a list.
pub(super) fn find<'n>(root: &'n Node, path: &str) -> Vec<&'n Node> {
    let mut nodes = vec![root];
    for segment in path.split('.').filter(|segment| !segment.is_empty()) {
        let (name, each) = match segment.strip_suffix("[]") {
            Some(name) => (name, true),
            None => (segment, false),
        };
        nodes = nodes
            .into_iter()
            .filter_map(|node| field(node, name))
            .flat_map(|node| match (each, list(node)) {
                (true, Some(items)) => items.iter().collect(),
                (true, None) => Vec::new(),
                (false, _) => vec![node],
            })
            .collect();
    }
    nodes
}
