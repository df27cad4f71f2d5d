//! The field lists that Recant ships, so that it can check users' files where there is no cluster.
//!
//! They are written down in `fields/*.yaml`: `kinds` with the API versions that serve them, and `types`. In a type, `_`
//! holds the names of fields that are not looked into; `_text`, `_integer`, `_number` and `_boolean` those of single values;
//! `name: Type` is a field with fields of its own, and `name: One|Another` one of some words. `[]` behind a name makes a
//! list of such, `{}` a mapping of such by keys of the user's choice. A test holds them against a real API server.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use super::super::diagnostic::SourceFile;
use super::super::report::Report;
use super::super::tree::{self, Kind, Node};
use super::shape::{ObjectKind, Shape, Shapes};
use super::value::ValueType;

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
        return match words(node).next() {
            None => Shape::Any,
            Some(name) if name.contains('|') => Shape::Value(ValueType::OneOf(
                name.split('|').map(str::to_owned).collect(),
            )),
            Some(name) => Shape::Named(name.to_owned()),
        };
    };
    let mut fields = BTreeMap::new();
    for entry in entries {
        let (name, wrap): (&str, fn(Shape) -> Shape) =
            if let Some(name) = entry.key.strip_suffix("[]") {
                (name, |inner| Shape::List(Box::new(inner)))
            } else if let Some(name) = entry.key.strip_suffix("{}") {
                (name, |inner| Shape::Map(Box::new(inner)))
            } else {
                (entry.key.as_str(), |inner| inner)
            };
        match several(name) {
            Some(inner) => {
                for name in words(&entry.value) {
                    fields.insert(name.to_owned(), wrap(inner.clone()));
                }
            }
            None => {
                fields.insert(name.to_owned(), wrap(shape(&entry.value)));
            }
        }
    }
    Shape::Fields(fields)
}

/// What the fields are that stand together under such a name.
fn several(name: &str) -> Option<Shape> {
    Some(match name {
        "_" => Shape::Any,
        "_text" => Shape::Value(ValueType::Text),
        "_integer" => Shape::Value(ValueType::Integer),
        "_number" => Shape::Value(ValueType::Number),
        "_boolean" => Shape::Value(ValueType::Boolean),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dangling(shape: &Shape, shapes: &Shapes, found: &mut Vec<String>) {
        match shape {
            Shape::Fields(fields) => {
                for shape in fields.values() {
                    dangling(shape, shapes, found);
                }
            }
            Shape::List(inner) | Shape::Map(inner) => dangling(inner, shapes, found),
            Shape::Named(name) if shapes.named(name).is_none() => found.push(name.clone()),
            Shape::Any | Shape::Value(_) | Shape::Named(_) => {}
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
        for shape in shapes.all_named() {
            dangling(shape, &shapes, &mut wrong);
        }
        assert!(wrong.is_empty(), "{wrong:#?}");
    }
}
