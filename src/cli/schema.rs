//! `recant schema`: prints the JSON Schema of all documents, for editors.

use std::io::{self, Write};
use std::process::ExitCode;

use crate::schema;

/// Prints the schema.
pub fn print(out: &mut dyn Write) -> io::Result<ExitCode> {
    writeln!(out, "{:#}", schema::schema())?;
    Ok(ExitCode::SUCCESS)
}
