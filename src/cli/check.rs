//! `recant check FILES…`: says everything that is wrong with rule files before anything runs.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use recant_core::spec::{Found, Loaded, Severity};

use crate::config::rules;

/// What `recant check` found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Checked {
    /// No errors; perhaps warnings.
    Good,
    /// At least one error.
    Faulty,
}

impl From<Checked> for ExitCode {
    /// 0, or 2 as for every error of usage or configuration.
    fn from(checked: Checked) -> Self {
        match checked {
            Checked::Good => Self::SUCCESS,
            Checked::Faulty => Self::from(2),
        }
    }
}

/// Checks the files under `paths`: diagnostics go to `err`, and one line that says what was found to `out`.
pub fn check(paths: &[PathBuf], out: &mut dyn Write, err: &mut dyn Write) -> io::Result<Checked> {
    let Loaded {
        book,
        diagnostics,
        found,
        ..
    } = rules::load(paths);
    for diagnostic in &diagnostics {
        writeln!(err, "{diagnostic}\n")?;
    }
    let count = |severity| {
        diagnostics
            .iter()
            .filter(|diagnostic| diagnostic.severity == severity)
            .count()
    };
    let warnings = match count(Severity::Warning) {
        0 => None,
        count => Some(counted(count, "warning")),
    };
    let Found {
        rule_sets,
        watches,
        channels,
        tests,
    } = found;
    let tests = match tests {
        0 => String::new(),
        tests => format!(", {}", counted(tests, "test")),
    };
    let found = format!(
        "{}, {}, {}{tests}",
        counted(rule_sets, "rule set"),
        counted(watches, "watch"),
        counted(channels, "channel"),
    );
    if book.is_some() {
        let verdict = warnings.unwrap_or_else(|| "no problem found".to_owned());
        writeln!(out, "{found}: {verdict}")?;
        return Ok(Checked::Good);
    }
    let errors = counted(count(Severity::Error), "error");
    let verdict = match warnings {
        Some(warnings) => format!("{errors}, {warnings}"),
        None => errors,
    };
    writeln!(err, "{found}: {verdict}")?;
    Ok(Checked::Faulty)
}

fn counted(count: usize, what: &str) -> String {
    match (count, what) {
        (1, _) => format!("1 {what}"),
        (_, "watch") => format!("{count} watches"),
        _ => format!("{count} {what}s"),
    }
}
