//! `apply: {manifest: …}` or `{file: …}`: a manifest as it stands in the document or beside it, with the types that JSON
//! has.

use serde_json::{Map, Value};

use crate::change::{ManifestFile, ObjectRef};
use crate::rule::Task;
use crate::spec::checks::Checks;
use crate::spec::diagnostic::{Severity, SourceFile};
use crate::spec::fields::{self, Fields, NameKind};
use crate::spec::report::{Report, Span};
use crate::spec::tree::{self, Kind, Node, Scalar, Style};

/// Values of one manifest; far above what one object holds.
const MOST: usize = 10_000;
const LONGEST_PATH: usize = 1000;

pub(super) fn read(node: &Node, namespace: Option<&str>, report: &mut Report<'_>) -> Option<Task> {
    const HELP: &str = "write `apply: {manifest: {apiVersion: v1, kind: ConfigMap, metadata: {name: mode}, data: {mode: safe}}}`, or `apply: {file: maintenance.manifest}`";
    let fields = Fields::open(node, "`apply`", &["manifest", "file"], report)?;
    match (fields.entry("manifest"), fields.entry("file")) {
        (Some(_), Some(file)) => {
            report
                .error(file.key_span, "`manifest` and `file` are both given")
                .help("leave one of them out");
            None
        }
        (Some(manifest), None) => {
            let value = json(&manifest.value, &mut { MOST });
            task(value, None, manifest.value.span, namespace, HELP, report)
        }
        (None, Some(file)) => {
            let (value, from) = beside(&file.value, HELP, report)?;
            task(value, Some(from), file.value.span, namespace, HELP, report)
        }
        (None, None) => {
            if !fields.unclear() {
                report
                    .error(fields.span, "`apply` has neither `manifest` nor `file`")
                    .help(HELP);
            }
            None
        }
    }
}

/// The one document of a file that lies beside this one.
fn beside(
    node: &Node,
    help: &str,
    report: &mut Report<'_>,
) -> Option<(Option<Value>, ManifestFile)> {
    if report.is_of_a_team() {
        report
            .error(
                node.span,
                "`file` is one of the agent's own, and this document is not",
            )
            .help("write the manifest out: `apply: {manifest: …}`");
        return None;
    }
    let path = fields::text(node, "file", help, report)?;
    let odd = path.is_empty()
        || path.len() > LONGEST_PATH
        || path.starts_with('/')
        || path.chars().any(char::is_control);
    if odd {
        report.error(node.span, "`file` is no relative path").help(
            "write where the manifest lies, seen from this file: `manifests/maintenance.yaml`",
        );
        return None;
    }
    let of = &report.file().name;
    let found = match (report.checks().beside)(of, path) {
        Ok(found) => found,
        Err(reason) => {
            report
                .error(node.span, format!("`{path}` cannot be read: {reason}"))
                .help("the path is relative to the folder of this file");
            return None;
        }
    };
    let file = SourceFile {
        name: path.to_owned(),
        text: found.text,
    };
    let mut of_file = Report::new(&file, Checks::default());
    let documents = tree::parse(&mut of_file);
    let roots: Vec<_> = documents
        .roots
        .into_iter()
        .filter(|root| !root.node.is_null())
        .collect();
    let value = match roots.as_slice() {
        [only] => json(&only.node, &mut { MOST }),
        several => {
            let many = several.len();
            if of_file.errors() == 0 {
                report
                    .error(
                        node.span,
                        format!("`{path}` holds {many} documents, and one is applied"),
                    )
                    .help("give each manifest a file and an `apply` of its own");
                return None;
            }
            None
        }
    };
    let faults = of_file.finish();
    let fault = faults
        .iter()
        .find(|found| found.severity == Severity::Error);
    if let Some(fault) = fault {
        let line = fault
            .place
            .as_ref()
            .map_or_else(String::new, |place| format!(", line {}", place.line));
        let finding = report.error(node.span, format!("`{path}`{line}: {}", fault.message));
        if let Some(help) = &fault.help {
            finding.help(help.clone());
        }
        return None;
    }
    let from = ManifestFile {
        path: path.to_owned(),
        sha256: found.sha256,
    };
    Some((value, from))
}

fn task(
    value: Option<Value>,
    from: Option<ManifestFile>,
    span: Span,
    namespace: Option<&str>,
    help: &str,
    report: &mut Report<'_>,
) -> Option<Task> {
    let mut wrong = |message: &str, help: &str| {
        report.error(span, message).help(help);
    };
    let Some(value) = value.filter(Value::is_object) else {
        wrong("`manifest` is no mapping that can be applied", help);
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
            help,
        );
        return None;
    };
    if !fields::is_name(&name, NameKind::Subdomain) {
        wrong("`metadata.name` of the manifest is no name", help);
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
        from,
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
