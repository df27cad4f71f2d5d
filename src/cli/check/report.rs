//! What was found in files, for people.

use std::fmt::Write as _;
use std::io::{self, Write};

use recant_core::spec::{self, Found, Manifests, Severity};

use super::Checked;

/// Says what was found in files.
pub(super) fn report(
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

pub(super) fn counted(count: usize, what: &str) -> String {
    match (count, what) {
        (1, _) => format!("1 {what}"),
        (_, "watch") => format!("{count} watches"),
        _ => format!("{count} {what}s"),
    }
}
