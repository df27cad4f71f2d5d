//! The commands, one file each: what is printed, and the exit code.

pub mod analyse;
pub(crate) mod annotations;
pub mod argo_template;
pub mod backtest;
pub mod check;
pub mod convert;
pub mod demo;
pub mod eval;
pub mod explain;
mod first_news;
pub mod journal;
pub mod judge;
pub mod once;
pub mod order;
mod past;
mod place;
pub mod replay;
mod resume;
pub mod run;
pub mod schema;
pub mod test;

use std::process::ExitCode;

/// Reads `NAME=VALUE`.
pub(crate) fn assignment(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        Some(_) | None => Err("write NAME=VALUE".to_owned()),
    }
}

/// Prints an error with its causes to standard error; exit code 2, as for every error of usage or configuration.
pub fn complain(error: &anyhow::Error) -> ExitCode {
    eprint_line(&format!("recant: {error:#}"));
    ExitCode::from(2)
}

/// One line to standard error; nobody may be reading it.
pub(crate) fn eprint_line(line: &str) {
    use std::io::Write as _;
    drop(writeln!(std::io::stderr().lock(), "{line}"));
}
