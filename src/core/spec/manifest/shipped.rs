//! The field lists that Recant ships, so that it can check users' files where there is no cluster.
//!
//! They are written down in `fields/*.yaml`: `kinds` with the API versions that serve them, and `types`. In a type, `_`
//! holds the names of fields that are not looked into; `name: Type` is a field with fields of its own, `name[]` a list of
//! such, `name{}` a mapping of such by keys of the user's choice. A test holds them against a real API server.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use super::super::diagnostic::SourceFile;
use super::super::report::Report;
use super::super::tree::{self, Kind, Node};
use super::shape::{ObjectKind, Shape, Shapes};

const FILES: [(&str, &str); 4] = [
    (
        "fields/kubernetes.yaml",
        include_str!("fields/kubernetes.yaml"),
    ),
    (
        "fields/argo-rollouts.yaml",
        include_str!("fields/argo-rollouts.yaml"),
    ),
    ("fields/istio.yaml", include_str!("fields/istio.yaml")),
    (
        "fields/prometheus.yaml",
        include_str!("fields/prometheus.yaml"),
    ),
];

/// The type of a file with Prometheus rules: no object of the API, so it has no kind.
pub(super) const RULE_FILE: &str = "RuleFile";

/// What Recant knows without asking anybody.
pub fn shipped_shapes() -> &'static Shapes {
    static SHAPES: LazyLock<Shapes> = LazyLock::new(|| {
        let mut shapes = Shapes::default();
        for (name, text) in FILES {
            // Ours, and tested: whatever cannot be read would make a field list that is too narrow.
            drop(read(name, text, &mut shapes));
        }
        shapes
    });
    &SHAPES
}

/// Reads one file; returns what is wrong with it.
fn read(name: &str, text: &str, shapes: &mut Shapes) -> Vec<String> {
    let file = SourceFile {
        name: name.to_owned(),
        text: text.to_owned(),
    };
    let mut report = Report::new(&file, super::super::checks::Checks::default());
    let documents = tree::parse(&mut report);
    let mut wrong = Vec::new();
    for root in &documents.roots {
        let Kind::Map(sections) = &root.node.kind else {
            wrong.push(format!("{name} is no mapping"));
            continue;
        };
        for section in sections {
            let Kind::Map(entries) = &section.value.kind else {
                wrong.push(format!("`{}` is no mapping", section.key));
                continue;
            };
            for entry in entries {
                match section.key.as_str() {
                    "kinds" => {
                        for api_version in words(&entry.value) {
                            shapes.add(
                                ObjectKind {
                                    api_version: api_version.to_owned(),
                                    kind: entry.key.clone(),
                                },
                                Shape::Named(entry.key.clone()),
                            );
                        }
                    }
                    "types" => shapes.define(entry.key.clone(), shape(&entry.value)),
                    other => wrong.push(format!("`{other}` is neither `kinds` nor `types`")),
                }
            }
        }
    }
    wrong.extend(report.finish().iter().map(ToString::to_string));
    wrong
}

fn words(node: &Node) -> impl Iterator<Item = &str> {
    let text = match &node.kind {
        Kind::Scalar(scalar) => scalar.text.as_str(),
        Kind::List(_) | Kind::Map(_) | Kind::Reported => "",
    };
    text.split_whitespace()
}

fn shape(node: &Node) -> Shape {
    let Kind::Map(entries) = &node.kind else {
        return words(node)
            .next()
            .map_or(Shape::Any, |name| Shape::Named(name.to_owned()));
    };
    let mut fields = BTreeMap::new();
    for entry in entries {
        if entry.key == "_" {
            fields.extend(words(&entry.value).map(|name| (name.to_owned(), Shape::Any)));
            continue;
        }
        let inner = shape(&entry.value);
        let (name, shape) = if let Some(name) = entry.key.strip_suffix("[]") {
            (name, Shape::List(Box::new(inner)))
        } else if let Some(name) = entry.key.strip_suffix("{}") {
            (name, Shape::Map(Box::new(inner)))
        } else {
            (entry.key.as_str(), inner)
        };
        fields.insert(name.to_owned(), shape);
    }
    Shape::Fields(fields)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dangling(shape: &Shape, shapes: &Shapes, found: &mut Vec<String>) {
        match shape {
            Shape::Any => {}
            Shape::Fields(fields) => {
                for shape in fields.values() {
                    dangling(shape, shapes, found);
                }
            }
            Shape::List(inner) | Shape::Map(inner) => dangling(inner, shapes, found),
            Shape::Named(name) if shapes.named(name).is_none() => found.push(name.clone()),
            Shape::Named(_) => {}
        }
    }

    #[test]
    fn the_shipped_lists_are_whole() {
        let mut shapes = Shapes::default();
        let mut wrong = Vec::new();
        for (name, text) in FILES {
            wrong.extend(read(name, text, &mut shapes));
        }
        assert!(shapes.kinds().count() > 20);
        assert!(shapes.named(RULE_FILE).is_some());
        for kind in shapes.kinds() {
            dangling(&Shape::Named(kind.kind.clone()), &shapes, &mut wrong);
        }
        let named: Vec<Shape> = shapes.named.values().cloned().collect();
        for shape in &named {
            dangling(shape, &shapes, &mut wrong);
        }
        assert!(wrong.is_empty(), "{wrong:#?}");
    }
}
