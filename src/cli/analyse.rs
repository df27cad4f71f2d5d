//! `recant analyse FILE…`: runs Argo analyses without Argo, with its controller's semantics.

mod replay;

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, anyhow, bail};
use clap::Args;

use recant_core::argo::Phase;
use recant_core::argo::argument::{Argument, Secrets};
use recant_core::argo::json;
use recant_core::argo::run::{Measurement, Run, RunSpec};
use recant_core::argo::template::{Analysis, TemplateRef, run_spec};
use recant_core::spec::{self, Analyses};

use crate::analysis::{Client, Driving, drive};
use crate::clock;
use crate::config::files;
use crate::tls;

/// Runs an Argo `AnalysisTemplate` or `AnalysisRun` without Argo, with the same phase at the end
///
/// Metrics by `prometheus`, `web` and `kayenta` are measured as Argo's controller (1.10.1) measures them: the same
/// intervals, limits, conditions and phases. Nothing is asked of a cluster, and nothing is changed.
#[derive(Debug, Args)]
#[command(after_help = "\
Exit codes:
  0  Successful; with --replay and no FILES: every recording was answered
  1  Failed
  2  the files, or how the command is used, have errors: nothing was measured
  3  Inconclusive
  4  Error")]
pub struct AnalyseArgs {
    /// Files with `AnalysisTemplate`, `ClusterAnalysisTemplate` or `AnalysisRun` documents
    #[arg(required_unless_present = "replay")]
    files: Vec<PathBuf>,
    /// The template to run, where the files hold several; `cluster/NAME` for one of the cluster. Several make one run
    #[arg(long = "template", value_name = "NAME")]
    templates: Vec<String>,
    /// An argument of the run
    #[arg(long = "arg", value_name = "NAME=VALUE", value_parser = super::assignment)]
    args: Vec<(String, String)>,
    /// The environment variable that holds a key of a secret which an argument refers to
    #[arg(long = "secret", value_name = "SECRET/KEY=VARIABLE", value_parser = super::assignment)]
    secrets: Vec<(String, String)>,
    /// Address of a Prometheus-compatible server that is asked in place of those that metrics name
    #[arg(long, value_name = "URL")]
    prometheus: Option<String>,
    /// Recorded measurements that are taken in the place of sources, by metric: {"script": {"NAME": [{"phase": "Failed"},
    /// {"result": [0.97]}]}}, the last one repeating; the clock jumps to what is due. Without FILES: recordings of whole
    /// runs and of answers of servers, in the form of Recant's tests/reference/argo-oracle.json, each answered by a
    /// line. `-` is standard input
    #[arg(long, value_name = "FILE", conflicts_with = "prometheus")]
    replay: Option<PathBuf>,
    /// Asks the run to terminate after this time, as a person would: without it a metric without count runs for ever
    #[arg(long, value_name = "DURATION", value_parser = spec::duration)]
    terminate_after: Option<Duration>,
    /// Prints the status as JSON, in the shape of an `AnalysisRun`'s
    #[arg(long)]
    json: bool,
}

/// Runs what the arguments name.
pub fn analyse(
    args: &AnalyseArgs,
    out: &mut (dyn Write + Send),
    err: &mut (dyn Write + Send),
) -> anyhow::Result<ExitCode> {
    if let (Some(path), []) = (&args.replay, args.files.as_slice()) {
        return replay::all(path, out, err);
    }
    let collected = files::collect(&args.files);
    let found = spec::analyses(&collected.files);
    for diagnostic in collected.problems.iter().chain(&found.diagnostics) {
        writeln!(err, "{diagnostic}\n")?;
    }
    if found.has_errors() || !collected.problems.is_empty() {
        writeln!(err, "nothing was measured: mend the errors above first")?;
        return Ok(ExitCode::from(2));
    }
    let spec = run_of(args, &found)?;
    let mut run = Run::new(spec);
    let mut broken: Option<io::Error> = None;
    let quiet = args.json;
    let mut told = |name: &str, measurement: &Measurement| {
        if !quiet && let Err(error) = tell(out, name, measurement) {
            broken.get_or_insert(error);
        }
    };
    match &args.replay {
        Some(path) => replay::one(args, &mut run, &secrets(args)?, path, &mut told)?,
        None => measure(args, &mut run, &mut told)?,
    }
    if let Some(error) = broken {
        return Err(error).context("printing a measurement");
    }
    if args.json {
        writeln!(out, "{}", json::indented(&run.status.to_json()))?;
    } else {
        summary(&run, out)?;
    }
    Ok(exit_code(&run))
}

/// Drives a run with what sources answer.
fn measure(
    args: &AnalyseArgs,
    run: &mut Run,
    told: &mut (dyn FnMut(&str, &Measurement) + Send),
) -> anyhow::Result<()> {
    let driving = Driving {
        secrets: secrets(args)?,
        terminate_after: args.terminate_after,
    };
    tls::install();
    let client = Client::new(args.prometheus.clone())?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("starting the runtime")?;
    runtime.block_on(drive(run, &driving, &client, &clock::system(), told));
    Ok(())
}

/// The run that files and arguments describe.
fn run_of(args: &AnalyseArgs, found: &Analyses) -> anyhow::Result<RunSpec> {
    let given: Vec<Argument> = args
        .args
        .iter()
        .map(|(name, value)| Argument::with_value(name, value))
        .collect();
    if args.templates.is_empty()
        && let [(_, run)] = found.runs.as_slice()
        && found.templates.is_empty()
    {
        let mut run = run.clone();
        for arg in given {
            match run.args.iter_mut().find(|known| known.name == arg.name) {
                Some(known) => *known = arg,
                None => bail!("the AnalysisRun has no argument `{}`", arg.name),
            }
        }
        return Ok(run);
    }
    let wanted: Vec<TemplateRef> = if args.templates.is_empty() {
        match found.templates.as_slice() {
            [only] if found.runs.is_empty() => vec![only.own.clone()],
            several => {
                let names: Vec<String> = several
                    .iter()
                    .map(|template| {
                        let scope = if template.own.cluster { "cluster/" } else { "" };
                        format!("`{scope}{}`", template.own.name)
                    })
                    .collect();
                bail!(
                    "the files hold several analyses: name one by --template ({})",
                    names.join(", ")
                );
            }
        }
    } else {
        args.templates
            .iter()
            .map(|name| match name.strip_prefix("cluster/") {
                Some(name) => TemplateRef {
                    name: name.to_owned(),
                    cluster: true,
                },
                None => TemplateRef {
                    name: name.clone(),
                    cluster: false,
                },
            })
            .collect()
    };
    let analysis = Analysis {
        templates: wanted,
        args: given,
        ..Analysis::default()
    };
    run_spec(&analysis, &found.templates).map_err(|error| {
        anyhow!("the templates make no run: {error}; arguments are given by --arg NAME=VALUE")
    })
}

fn secrets(args: &AnalyseArgs) -> anyhow::Result<Secrets> {
    let mut secrets = Secrets::default();
    for (secret, variable) in &args.secrets {
        let (name, key) = secret.split_once('/').with_context(|| {
            format!("--secret `{secret}` names no key: write SECRET/KEY=VARIABLE")
        })?;
        let value = std::env::var(variable).with_context(|| {
            format!("--secret `{secret}` is to come from the environment variable `{variable}`")
        })?;
        secrets.insert(name, key, &value);
    }
    Ok(secrets)
}

fn tell(out: &mut (dyn Write + Send), name: &str, measurement: &Measurement) -> io::Result<()> {
    let time = measurement
        .finished_at
        .or(measurement.started_at)
        .map_or_else(String::new, |time| format!("{time:.0}"));
    let detail = if measurement.message.is_empty() {
        &measurement.value
    } else {
        &measurement.message
    };
    let detail: String = detail
        .chars()
        .take(200)
        .map(|character| {
            if character.is_control() {
                ' '
            } else {
                character
            }
        })
        .collect();
    writeln!(out, "{time}  {name}: {}  {detail}", measurement.phase)
}

fn summary(run: &Run, out: &mut (dyn Write + Send)) -> io::Result<()> {
    for result in &run.status.metric_results {
        let n = &result.counters;
        let dry = if result.dry_run { " (dry run)" } else { "" };
        writeln!(
            out,
            "{}{dry}: {}, {} measured: {} successful, {} failed, {} inconclusive; {} errors",
            result.name, result.phase, n.count, n.successful, n.failed, n.inconclusive, n.error
        )?;
    }
    let phase = run.status.phase.map_or("Pending", Phase::name);
    if run.status.message.is_empty() {
        writeln!(out, "{phase}")
    } else {
        writeln!(out, "{phase}: {}", run.status.message)
    }
}

fn exit_code(run: &Run) -> ExitCode {
    ExitCode::from(match run.status.phase {
        Some(Phase::Successful) => 0,
        Some(Phase::Failed) => 1,
        Some(Phase::Inconclusive) => 3,
        Some(Phase::Error | Phase::Pending | Phase::Running) | None => 4,
    })
}
