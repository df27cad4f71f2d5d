//! Message templates that replace the shipped ones, checked as `recant run` does before it starts.

use std::io::{self, Write};
use std::path::Path;

use super::Checked;
use super::findings::{Area, Findings};
use super::report::counted;
use crate::notify::templates::Templates;

/// Tries the templates of a folder with every kind of notice: faults go to `err`, and one line to `out` if there are none.
pub fn check_templates(
    folder: &Path,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> io::Result<Checked> {
    match Templates::load(folder) {
        Ok(_) => {
            writeln!(out, "message templates: no problem found")?;
            Ok(Checked::Good)
        }
        Err(errors) => {
            for error in &errors {
                writeln!(err, "error: {error}\n")?;
            }
            writeln!(err, "message templates: {}", counted(errors.len(), "error"))?;
            Ok(Checked::Faulty)
        }
    }
}

/// The same for scripts: each fault is a finding.
pub(super) fn find(folder: &Path, findings: &mut Findings) {
    match Templates::load(folder) {
        Ok(_) => findings.ok(Area::Templates, "no problem found"),
        Err(errors) => {
            for error in &errors {
                findings.error(
                    Area::Templates,
                    error.to_string(),
                    "mend the template, or take it out: the shipped one is used then",
                );
            }
        }
    }
}
