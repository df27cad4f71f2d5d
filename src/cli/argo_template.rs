//! `recant argo-template`: prints the `AnalysisTemplate` with which Argo Rollouts asks Recant, ready to be applied.

mod head;
mod job;
mod kayenta;
mod polled;
mod prometheus;
mod web;

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, bail};
use clap::{Args, ValueEnum};

use recant_core::ids::TargetKind;
use recant_core::rule::Watch;
use recant_core::spec::{Loaded, Severity, duration};

use crate::config::rules;

/// Argo measures again this long after an error, whatever the interval.
const ERROR_RETRY: Duration = Duration::from_secs(10);
/// Between these lie times that Argo can wait for.
const SHORTEST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_hours(24);

/// Prints an `AnalysisTemplate` with which Argo Rollouts asks Recant for verdicts
#[derive(Debug, Args)]
#[command(after_long_help = "\
The template makes a Rollout wait for Recant's verdict: the first Successful ends Argo's run (Recant goes on to watch), \
Failed aborts the rollout, and while nothing is decided, or Recant cannot be asked, nothing happens. Without a verdict \
within --wait the rollout is paused for a person.

web asks the API port of `recant run` (setting `api.address`). With --secret it sends the token that the agent knows as \
`api.readToken`; the Secret lies in the namespace of the Rollout. job runs `recant once` in a pod of its own, with the \
rules from a ConfigMap and the role of charts/manifests/once-role.yaml; it needs no agent. kayenta asks the API port, \
too, for the verdict of Kayenta's judge by a canary config; it knows nothing of the Watch but its target. prometheus \
asks the API port as it would ask a Prometheus, for the series recant_verdict: the verdict of web, without its reason.

Exit codes: 0 when it was printed; 2 when the rules cannot be used, or do not hold the watch.")]
pub struct ArgoTemplateArgs {
    /// The Watch: its name, or NAMESPACE/NAME
    watch: String,
    /// File, or folder of files, that the Watch stands in; may be given several times
    #[arg(long, value_name = "PATH", required = true)]
    rules: Vec<PathBuf>,
    /// How Argo asks
    #[arg(long, value_enum, default_value = "web")]
    provider: Provider,
    /// Where the agent's API port is, as the Rollouts controller reaches it
    #[arg(long, value_name = "URL", default_value = "http://recant.recant:9465")]
    address: String,
    /// Secret with the token for the API port, in the namespace of the Rollout: NAME, or NAME/KEY
    #[arg(long, value_name = "NAME[/KEY]")]
    secret: Option<String>,
    /// How long the rollout waits for a verdict before it is paused for a person
    #[arg(long, value_name = "DURATION", default_value = "30m", value_parser = span)]
    wait: Duration,
    /// How long Recant may be unreachable before the rollout is aborted; without it as long as --wait
    #[arg(long, value_name = "DURATION", value_parser = span)]
    outage: Option<Duration>,
    /// Between two questions
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = span)]
    interval: Duration,
    /// Image of Recant, for --provider job
    #[arg(long, value_name = "IMAGE", default_value = "recant")]
    image: String,
    /// `ConfigMap` with the rules, for --provider job
    #[arg(long, value_name = "NAME", default_value = "recant-rules")]
    config_map: String,
    /// What an end of --wait without a verdict is, and a look that fails, for --provider job: a Job knows only success
    /// and failure
    #[arg(long, value_enum, value_name = "VERDICT", default_value = "pass")]
    when_unclear: WhenUnclear,
    /// Address of a Prometheus-compatible server, for --provider job
    #[arg(long, value_name = "URL")]
    prometheus: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Provider {
    /// One GET for each measurement: quick, and cheap
    Web,
    /// One pod for each measurement: no agent is needed
    Job,
    /// One query for each measurement, as of a Prometheus: for who has only such templates
    Prometheus,
    /// One execution of Kayenta's judge, from samples of Prometheus
    Kayenta,
}

/// What a Job says that has no verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum WhenUnclear {
    /// The rollout goes on
    Pass,
    /// The rollout is aborted
    Fail,
}

fn span(text: &str) -> Result<Duration, String> {
    let span = duration(text).map_err(|_| "give a duration like 90s or 10m".to_owned())?;
    if (SHORTEST..=LONGEST).contains(&span) {
        Ok(span)
    } else {
        Err("give a duration from 1s to 24h".to_owned())
    }
}

/// Prints the template.
///
/// # Errors
/// The rules cannot be used, or do not hold the watch.
pub fn argo_template(args: &ArgoTemplateArgs, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    let watch = find(args)?;
    if watch.target.kind != TargetKind::Rollout {
        bail!(
            "Watch {} is of {}: Argo's analyses are of Rollouts, so give a Watch of one",
            watch.name,
            watch.target
        );
    }
    let text = match args.provider {
        Provider::Web => web::template(args, &watch)?,
        Provider::Job => job::template(args, &watch)?,
        Provider::Prometheus => prometheus::template(args, &watch)?,
        Provider::Kayenta => kayenta::template(args, &watch)?,
    };
    out.write_all(text.as_bytes())
        .context("writing the template")?;
    Ok(ExitCode::SUCCESS)
}

fn find(args: &ArgoTemplateArgs) -> anyhow::Result<Watch> {
    let Loaded {
        book, diagnostics, ..
    } = rules::load(&args.rules);
    for diagnostic in &diagnostics {
        if diagnostic.severity == Severity::Error {
            super::eprint_line(&format!("{diagnostic}\n"));
        }
    }
    let book = book.context("there are errors in the rules, see above")?;
    let (namespace, name) = match args.watch.split_once('/') {
        Some((namespace, name)) => (Some(namespace), name),
        None => (None, args.watch.as_str()),
    };
    let of_name = |watch: &&Watch| {
        watch.name.name == name && namespace.is_none_or(|wanted| watch.name.namespace == wanted)
    };
    let found: Vec<&Watch> = book.watches.iter().filter(of_name).collect();
    match found.as_slice() {
        [watch] => Ok((*watch).clone()),
        [] => {
            let names: Vec<String> = book
                .watches
                .iter()
                .map(|watch| format!("`{}`", watch.name))
                .collect();
            let there = match names.as_slice() {
                [] => "no Watch at all".to_owned(),
                _ => recant_core::wording::listed(&names),
            };
            bail!("the rules hold no Watch `{}`; there is {there}", args.watch)
        }
        several => bail!(
            "the rules hold {} Watches `{name}`: say which one with NAMESPACE/{name}",
            several.len()
        ),
    }
}

/// How often something happens that happens every `every` for `all`, at least once.
fn times(all: Duration, every: Duration) -> u64 {
    let times = all.as_millis().div_ceil(every.as_millis().max(1));
    u64::try_from(times).unwrap_or(u64::MAX).max(1)
}

/// A text as YAML takes it, whatever is in it.
fn quoted(text: &str) -> anyhow::Result<String> {
    // JSON is YAML.
    serde_json::to_string(text).context("writing a text as JSON")
}

/// A duration as Argo reads it.
fn in_seconds(span: Duration) -> String {
    format!("{}s", span.as_secs_f64().ceil())
}
