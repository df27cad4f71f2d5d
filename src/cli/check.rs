//! `recant check FILES…`: says everything that is wrong with rule files, and with users' Kubernetes and Prometheus
//! files, before anything runs; with `--cluster` also what the agent would lack in the cluster.

mod channels;
mod cluster;
mod findings;
mod json;
mod sources;
mod templates;

use std::fmt::Write as _;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::bail;
use clap::Args;
use recant_core::spec::{self, Found, Knowledge, Manifests, Severity};

use self::cluster::Looked;
use self::findings::{Findings, Weight};
use crate::config::settings::{self, Flags};
use crate::config::{files, rules};

pub use templates::check_templates;

/// Says everything that is wrong with rule files, and with Kubernetes and Prometheus files, before anything runs
#[derive(Debug, Args)]
#[command(after_long_help = "\
Reads Recant's documents, Kubernetes objects (fields that the API does not have, names that lead nowhere) and \
Prometheus rule files, in YAML or JSON.

With --cluster it also looks, and only looks: whether this identity has the rights that the agent needs, whether the \
targets are there, whether Prometheus or the pods answer the questions of the rules, whether the channels can be \
reached (no message is sent), and at the files with the API server's own fields and objects. Settings are those of \
`recant run`.

Exit codes: 0 when there is no error; 2 when there are errors, or arguments or settings cannot be used; 4 when \
something could not be looked at.")]
pub struct CheckArgs {
    /// Files, or folders of files; with --cluster those of the settings when none are given
    #[arg(required_unless_present = "cluster")]
    files: Vec<PathBuf>,
    /// Looks at the cluster, the sources and the channels too; changes nothing
    #[arg(long)]
    cluster: bool,
    /// The settings file, as of `recant run`; for --cluster
    #[arg(long, env = "RECANT_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    /// Address of a Prometheus-compatible server; without it the pods are scraped
    #[arg(long, value_name = "URL", requires = "cluster")]
    prometheus: Option<String>,
    /// Folder with message templates that replace the shipped ones
    #[arg(long, env = "RECANT_TEMPLATES", value_name = "FOLDER")]
    templates: Option<PathBuf>,
    /// Prints everything as one JSON document
    #[arg(long)]
    json: bool,
}

/// Checks what the arguments name.
pub fn run(args: &CheckArgs, out: &mut dyn Write, err: &mut dyn Write) -> anyhow::Result<ExitCode> {
    let CheckArgs {
        files,
        cluster,
        config,
        prometheus,
        templates,
        json,
    } = args;
    let mut looked = if *cluster {
        let flags: Flags = prometheus
            .iter()
            .map(|url| ("prometheus.url", url.clone()))
            .collect();
        let settings = settings::load(config.as_deref(), std::env::vars(), &flags)?;
        let paths = if files.is_empty() {
            &settings.rules
        } else {
            files
        };
        if paths.is_empty() {
            bail!(
                "no files are named: give files or folders, or `rules` in the settings (--config)"
            );
        }
        cluster::look(&settings, &files::collect(paths))?
    } else {
        Looked {
            checked: rules::check(&files::collect(files), &Knowledge::default()),
            findings: Findings::default(),
        }
    };
    if let Some(folder) = templates.as_ref().filter(|_| *json) {
        templates::find(folder, &mut looked.findings);
    }
    let Looked { checked, findings } = &looked;
    if *json {
        json::print(checked, findings, out)?;
        return Ok(exit_code(verdict(checked), findings));
    }
    let mut verdict = report(checked, out, err)?;
    if let Some(folder) = templates
        && check_templates(folder, out, err)? == Checked::Faulty
    {
        verdict = Checked::Faulty;
    }
    for finding in findings.iter() {
        writeln!(out, "{finding}")?;
    }
    Ok(exit_code(verdict, findings))
}

/// The worst counts: what nobody could look at may be worse than what was seen.
fn exit_code(verdict: Checked, findings: &Findings) -> ExitCode {
    if findings.count(Weight::Unknown) > 0 {
        ExitCode::from(4)
    } else if findings.count(Weight::Error) > 0 {
        Checked::Faulty.into()
    } else {
        verdict.into()
    }
}

fn verdict(checked: &spec::Checked) -> Checked {
    let faulty = |found: &spec::Diagnostic| found.severity == Severity::Error;
    if checked.loaded.diagnostics.iter().any(faulty) {
        Checked::Faulty
    } else {
        Checked::Good
    }
}

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
