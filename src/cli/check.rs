//! `recant check FILES…`: says everything that is wrong with rule files, and with users' Kubernetes and Prometheus
//! files, before anything runs; with `--cluster` also what the agent would lack in the cluster.

mod channels;
mod cluster;
mod findings;
mod json;
mod pausing;
mod report;
mod resources;
mod scaled;
mod sources;
mod targets;
mod templates;

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::bail;
use clap::Args;
use recant_core::spec::{self, Knowledge, Severity};

use self::findings::{Area, Findings, Weight};
use self::report::report;
use super::annotations::{Annotation, AnnotationArgs, Level};
use crate::config::callers;
use crate::config::settings::{self, Flags, Settings};
use crate::config::{files, rules};

pub use templates::check_templates;

/// Says everything that is wrong with rule files, and with Kubernetes and Prometheus files, before anything runs
#[derive(Debug, Args)]
#[command(after_long_help = "\
Reads Recant's documents, Kubernetes objects (fields that the API does not have, values of a wrong type, names that \
lead nowhere) and Prometheus rule files, in YAML or JSON.

With --cluster it also looks, and only looks: whether this identity has the rights that the agent needs, whether the \
targets are there, whether Prometheus or the pods answer the questions of the rules, whether the channels can be \
reached (no message is sent), and at the files with the API server's own fields and objects. Settings are those of \
`recant run`: --config, and the environment. It looks with the identity of the kubeconfig ($KUBECONFIG), or of the pod \
that it runs in: to see the rights of the agent, use the agent's. The agent's own namespace is `lease.namespace`, else \
that of the kubeconfig's context.

Exit codes: 0 when there is no error; 2 when there are errors, or arguments or settings cannot be used; 4 when \
something could not be looked at.")]
pub struct CheckArgs {
    /// Files, or folders of files; with --cluster or --config those of the settings when none are given
    #[arg(required_unless_present_any = ["cluster", "config"])]
    files: Vec<PathBuf>,
    /// Looks at the cluster, the sources and the channels too; changes nothing
    #[arg(long)]
    cluster: bool,
    /// The settings file, as of `recant run`: it is checked, and so are the message templates that it names
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
    #[command(flatten)]
    annotations: AnnotationArgs,
}

/// Checks what the arguments name.
pub fn run(args: &CheckArgs, out: &mut dyn Write, err: &mut dyn Write) -> anyhow::Result<ExitCode> {
    let CheckArgs {
        files,
        cluster,
        config: _,
        prometheus: _,
        templates,
        json,
        annotations,
    } = args;
    let mut findings = Findings::default();
    let settings = settings(args, &mut findings);
    let paths = match &settings {
        Some(settings) if files.is_empty() => &settings.rules,
        Some(_) | None => files,
    };
    let faulty = findings.count(Weight::Error) > 0;
    let resources = settings
        .as_ref()
        .is_some_and(|settings| *cluster && settings.resources.enabled);
    if paths.is_empty() && !faulty && !resources {
        bail!("no files are named: give files or folders, or `rules` in the settings (--config)");
    }
    let collected = files::collect(paths);
    let checked = match &settings {
        Some(settings) if *cluster => cluster::look(settings, &collected, &mut findings)?,
        Some(_) | None => {
            if *cluster {
                findings.warning(
                    Area::Cluster,
                    "it was not looked at, since the settings have errors",
                    "mend the settings first",
                );
            }
            rules::check(&collected, &Knowledge::default())
        }
    };
    let named = settings
        .as_ref()
        .and_then(|settings| settings.templates.as_ref());
    let templates = templates.as_ref().or(named);
    if annotations.wanted() {
        annotations.tell("recant check", &annotated(&checked, &findings), err)?;
    }
    if *json {
        if let Some(folder) = templates {
            templates::find(folder, &mut findings);
        }
        json::print(&checked, &findings, out)?;
        return Ok(exit_code(verdict(&checked), &findings));
    }
    let mut verdict = if paths.is_empty() {
        Checked::Faulty
    } else {
        report(&checked, out, err)?
    };
    if let Some(folder) = templates
        && check_templates(folder, out, err)? == Checked::Faulty
    {
        verdict = Checked::Faulty;
    }
    for finding in findings.iter() {
        writeln!(out, "{finding}")?;
    }
    Ok(exit_code(verdict, &findings))
}

/// The settings, where they are asked for and good; every error of them is a finding.
fn settings(args: &CheckArgs, findings: &mut Findings) -> Option<Settings> {
    if !args.cluster && args.config.is_none() {
        return None;
    }
    let flags: Flags = args
        .prometheus
        .iter()
        .map(|url| ("prometheus.url", url.clone()))
        .collect();
    let help = "`recant run` does not start until it is mended";
    match settings::load(args.config.as_deref(), std::env::vars(), &flags) {
        Ok(settings) => {
            let callers = settings.api.as_ref().and_then(|api| api.callers.as_ref());
            if let Some(Err(error)) = callers.map(|path| callers::read(path)) {
                findings.error(Area::Settings, error.to_string(), help);
                return Some(settings);
            }
            if args.config.is_some() {
                findings.ok(Area::Settings, "no problem found");
            }
            Some(settings)
        }
        Err(errors) => {
            for error in errors.iter() {
                findings.error(Area::Settings, error.to_string(), help);
            }
            None
        }
    }
}

/// What was found, for a CI system; what is well is not told.
fn annotated(checked: &spec::Checked, findings: &Findings) -> Vec<Annotation> {
    let in_files = checked.loaded.diagnostics.iter().map(Annotation::from);
    let outside = findings.iter().filter_map(|found| {
        Some(Annotation {
            level: match found.weight {
                Weight::Ok => return None,
                Weight::Warning => Level::Warning,
                Weight::Error | Weight::Unknown => Level::Error,
            },
            place: None,
            title: "recant".to_owned(),
            message: match &found.help {
                Some(help) => format!("{}\nhelp: {help}", found.what),
                None => found.what.clone(),
            },
        })
    });
    in_files.chain(outside).collect()
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
