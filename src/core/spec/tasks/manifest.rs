//! `apply: {manifest: …}`: a manifest as it stands in the document, with the types that JSON has.

use serde_json::{Map, Value};

use crate::change::ObjectRef;
use crate::rule::Task;
use crate::spec::fields::{self, Fields, NameKind};
use crate::spec::report::Report;
use crate::spec::tree::{Kind, Node, Scalar, Style};

/// Values of one manifest; far above what one object holds.
const MOST: usize = 10_000;

pub(super) fn read(node: &Node, namespace: Option<&str>, report: &mut Report<'_>) -> Option<Task> {
    const HELP: &str = "write `apply: {manifest: {apiVersion: v1, kind: ConfigMap, metadata: {name: mode}, data: {mode: safe}}}`";
    let fields = Fields::open(node, "`apply`", &["manifest"], report)?;
    let manifest = fields.need("manifest", HELP, report)?;
    let mut left = MOST;
    let value = json(manifest, &mut left);
    let mut wrong = |message: &str, help: &str| {
        report.error(manifest.span, message).help(help);
    };
    let Some(value) = value.filter(Value::is_object) else {
        wrong("`manifest` is no mapping that can be applied", HELP);
        return None;
    };
    let text = |pointer: &str| {
        value
            .pointer(pointer)
            .and_then(Value::as_str)
            .map(str::to_owned)
    };
    let (Some(api_version), Some(kind), Some(name)) =
        (text("/apiVersion"), text("/kind"), text("/metadata/name"))
    else {
        wrong(
            "`manifest` needs `apiVersion`, `kind` and `metadata.name`",
            HELP,
        );
        return None;
    };
    if !fields::is_name(&name, NameKind::Subdomain) {
        wrong("`metadata.name` of the manifest is no name", HELP);
        return None;
    }
    // Where it is not known yet, the watch says it that runs this.
    let own = text("/metadata/namespace");
    let other = |own: &&String| namespace.is_none_or(|namespace| namespace != own.as_str());
    if own.as_ref().is_some_and(|own| other(&own)) {
        wrong(
            "the manifest is for another namespace",
            "leave `metadata.namespace` out: it is that of the watch",
        );
        return None;
    }
    if kind == "Secret" {
        wrong(
            "a Secret in a document of rules is no secret any more",
            "keep it in the cluster, and name it",
        );
        return None;
    }
    let object = ObjectRef {
        api_version,
        kind,
        namespace: namespace?.to_owned(),
        name,
    };
    Some(Task::Apply {
        object,
        manifest: value,
    })
}

/// `None`: it has more values than any manifest, or faults that were reported.
fn json(node: &Node, left: &mut usize) -> Option<Value> {
    *left = left.checked_sub(1)?;
    Some(match &node.kind {
        Kind::Reported => return None,
        Kind::Scalar(scalar) => of_scalar(node, scalar),
        Kind::List(items) => {
            let items: Option<Vec<Value>> = items.iter().map(|item| json(item, left)).collect();
            Value::Array(items?)
        }
        Kind::Map(entries) => {
            let mut map = Map::new();
            for entry in entries {
                map.insert(entry.key.clone(), json(&entry.value, left)?);
            }
            Value::Object(map)
        }
    })
}

/// As kubectl reads it: only what is not quoted can be more than text.
fn of_scalar(node: &Node, scalar: &Scalar) -> Value {
    let text = scalar.text.as_str();
    if scalar.style != Style::Plain {
        return Value::from(text);
    }
    if node.is_null() {
        return Value::Null;
    }
    match text {
        "true" | "True" | "TRUE" => return Value::Bool(true),
        "false" | "False" | "FALSE" => return Value::Bool(false),
        _ => {}
    }
    let number = text.starts_with(|first: char| first.is_ascii_digit() || first == '-');
    if number && let Ok(whole) = text.parse::<i64>() {
        return Value::from(whole);
    }
    match text.parse::<f64>() {
        Ok(fraction) if number && fraction.is_finite() => Value::from(fraction),
        _ => Value::from(text),
    }
}
