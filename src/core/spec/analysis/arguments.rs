//! The `args` of a template or a run.

use super::super::report::Report;
use super::part::Part;
use crate::argo::argument::{Argument, ValueFrom};

pub(super) fn read(spec: &Part<'_>, report: &mut Report<'_>) -> Vec<Argument> {
    let mut args = Vec::new();
    for item in spec.list("args", report) {
        let known = ["name", "value", "valueFrom"];
        let Some(part) = Part::open(item, "an argument", &known, report) else {
            continue;
        };
        let Some(name) = part.text("name", report) else {
            if part.get("name").is_none() {
                report
                    .error(part.span, "an argument has no `name`")
                    .help("name it: `{{args.NAME}}` stands for its value");
            }
            continue;
        };
        args.push(Argument {
            name,
            value: part.text("value", report),
            value_from: value_from(&part, report),
        });
    }
    args
}

fn value_from(part: &Part<'_>, report: &mut Report<'_>) -> Option<ValueFrom> {
    let known = ["secretKeyRef", "fieldRef"];
    let from = Part::open(part.get("valueFrom")?, "`valueFrom`", &known, report)?;
    if let Some(node) = from.get("secretKeyRef") {
        let secret = Part::open(node, "`secretKeyRef`", &["name", "key"], report)?;
        return Some(ValueFrom::SecretKeyRef {
            name: secret.text("name", report).unwrap_or_default(),
            key: secret.text("key", report).unwrap_or_default(),
        });
    }
    if let Some(node) = from.get("fieldRef") {
        let field = Part::open(node, "`fieldRef`", &["fieldPath"], report)?;
        return Some(ValueFrom::FieldRef {
            path: field.text("fieldPath", report).unwrap_or_default(),
        });
    }
    Some(ValueFrom::Nothing)
}
