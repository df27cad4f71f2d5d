//! Message templates that replace the shipped ones, checked as `recant run` does before it starts.

use std::io::{self, Write};
use std::path::Path;

use super::{Checked, counted};
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
