//! `recant schema`: prints the JSON Schema of all documents, for editors, or their custom resource definitions.

use std::io::{self, Write};
use std::process::ExitCode;

use clap::Args;

use crate::schema;

/// Prints the JSON Schema of all documents, for editors
///
/// Keep it in a file, and begin documents with a comment that names it:
///   # yaml-language-server: $schema=recant.schema.json
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub struct SchemaArgs {
    /// Prints the custom resource definitions instead, for `kubectl apply --server-side -f -`
    #[arg(long)]
    crds: bool,
}

/// Prints the schema.
pub fn print(args: &SchemaArgs, out: &mut dyn Write) -> io::Result<ExitCode> {
    let SchemaArgs { crds } = args;
    if *crds {
        write!(out, "{}", schema::crd::yaml())?;
    } else {
        writeln!(out, "{:#}", schema::for_editors())?;
    }
    Ok(ExitCode::SUCCESS)
}
