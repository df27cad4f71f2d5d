//! `recant check FILES…`: says everything that is wrong with rule files, and with users' Kubernetes and Prometheus
//! files, before anything runs.

mod templates;

use std::fmt::Write as _;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use recant_core::spec::{self, Found, Knowledge, Manifests, Severity};

use crate::config::{files, rules};

pub use templates::check_templates;

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
    let checked = rules::check(&files::collect(paths), &Knowledge::default());
    report(&checked, out, err)
}

/// Says what was found in files.
fn report(
    checked: &spec::Checked,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> io::Result<Checked> {
    let spec::Checked { loaded, manifests } = checked;
    for diagnostic in &loaded.diagnostics {
        writeln!(err, "{diagnostic}\n")?;
    }
    let count = |severity| {
        loaded
            .diagnostics
            .iter()
            .filter(|diagnostic| diagnostic.severity == severity)
            .count()
    };
    let warnings = match count(Severity::Warning) {
        0 => None,
        count => Some(counted(count, "warning")),
    };
    let found = found(loaded.found, manifests);
    let errors = count(Severity::Error);
    let to: &mut dyn Write = if errors == 0 { out } else { err };
    unchecked(manifests, to)?;
    if errors == 0 {
        let verdict = warnings.unwrap_or_else(|| "no problem found".to_owned());
        writeln!(to, "{found}: {verdict}")?;
        return Ok(Checked::Good);
    }
    let errors = counted(errors, "error");
    let verdict = match warnings {
        Some(warnings) => format!("{errors}, {warnings}"),
        None => errors,
    };
    writeln!(to, "{found}: {verdict}")?;
    Ok(Checked::Faulty)
}

/// What the files hold; tests and files of others only when there are any.
fn found(found: Found, manifests: &Manifests) -> String {
    let Found {
        rule_sets,
        watches,
        channels,
        tests,
    } = found;
    let mut text = format!(
        "{}, {}, {}",
        counted(rule_sets, "rule set"),
        counted(watches, "watch"),
        counted(channels, "channel"),
    );
    for (count, what) in [
        (tests, "test"),
        (manifests.objects, "Kubernetes object"),
        (manifests.rule_files, "Prometheus rule file"),
    ] {
        if count > 0 {
            write!(text, ", {}", counted(count, what)).expect("a String takes everything");
        }
    }
    text
}

/// Names the kinds whose fields nobody has looked at: silence about them says nothing.
fn unchecked(manifests: &Manifests, to: &mut dyn Write) -> io::Result<()> {
    if manifests.unchecked.is_empty() {
        return Ok(());
    }
    let kinds: Vec<String> = manifests
        .unchecked
        .iter()
        .map(ToString::to_string)
        .collect();
    writeln!(
        to,
        "not checked, since Recant does not know the fields of these kinds (`--cluster` asks the API server for them): {}",
        kinds.join(", ")
    )
}

fn counted(count: usize, what: &str) -> String {
    match (count, what) {
        (1, _) => format!("1 {what}"),
        (_, "watch") => format!("{count} watches"),
        _ => format!("{count} {what}s"),
    }
}
