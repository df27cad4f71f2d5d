//! What was found, as one JSON document for scripts.

use std::io::{self, Write};

use recant_core::spec::{Checked, Diagnostic, Place, Severity};
use serde_json::{Value, json};

use super::findings::Findings;

/// Prints `{"diagnostics": […], "findings": […], "unchecked": […]}`.
pub(super) fn print(checked: &Checked, findings: &Findings, out: &mut dyn Write) -> io::Result<()> {
    let diagnostics: Vec<Value> = checked.loaded.diagnostics.iter().map(diagnostic).collect();
    let findings: Vec<_> = findings.iter().collect();
    let unchecked: Vec<String> = checked
        .manifests
        .unchecked
        .iter()
        .map(ToString::to_string)
        .collect();
    let document = json!({
        "diagnostics": diagnostics,
        "findings": findings,
        "unchecked": unchecked,
    });
    writeln!(out, "{document:#}")
}

fn diagnostic(found: &Diagnostic) -> Value {
    let Diagnostic {
        severity,
        message,
        file,
        place,
        notes,
        help,
    } = found;
    let severity = match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    };
    let (line, column) = match place {
        Some(Place { line, column, .. }) => (Some(line), Some(column)),
        None => (None, None),
    };
    json!({
        "severity": severity,
        "message": message,
        "file": file,
        "line": line,
        "column": column,
        "notes": notes,
        "help": help,
    })
}
