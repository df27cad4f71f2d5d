//! `recant backtest`: what the rules would have done over history. Nothing is carried out, and nobody is told.

mod given;
mod history;
mod json;
mod plot;
mod table;
mod when;
mod words;

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, bail};
use clap::Args;
use jiff::{SignedDuration, Timestamp};

use recant_core::guard::GuardSettings;
use recant_core::rule::{RuleBook, Watch};
use recant_core::spec;

use super::run;
use super::run::parts::span;
use crate::backtest::alarms::Alarms;
use crate::backtest::{self, Given, LeftOut, Report, Task};
use crate::config::settings::{self, Flags, Settings};
use history::History;
use when::When;

/// The history could not be read.
const COULD_NOT_LOOK: u8 = 4;
/// A look more often than this shows no more; less often than every five minutes Prometheus forgets in between.
const STEPS: std::ops::RangeInclusive<u64> = 1..=300;
/// Days that are looked at.
const MOST_DAYS: u32 = 400;

/// Shows what the rules would have done over history: which releases they would have taken back, when, and why
///
/// The engine of `recant run` is replayed over what a Prometheus still knows, or over recorded files. Nothing is changed,
/// and nobody is told. After a rollback that would have been, history goes on as it was: the bad revision served on.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Recorded files are OpenMetrics text with a time at every sample, as `promtool tsdb
create-blocks-from openmetrics` takes it, with the labels that Prometheus adds (`namespace`,
`pod`). Several such files may be given, in the order of time.
  http_requests_total{namespace=\"shop\",pod=\"web-5d8b9c7f6-x2x4z\"} 1027 1767225600
  # EOF

Releases are found from the names of pods, `<workload>-<hash>-<5 characters>`: the first pod of a
new hash is a release. Or give them, as CSV with a heading line; `end` and `bad` may be missing:
  watch,revision,begin,end,bad
  web,5d8b9c7f6,2026-01-31T09:30:00Z,,no

Each watch is replayed for itself: the most actions an hour over all targets are not counted.
Watches that only observe are replayed as if they acted. Rules between releases (`always`), and
rules whose past nobody knows, are left out.

Exit codes:
  0  the history was replayed, whatever was found
  2  arguments, settings, rules or files cannot be used
  4  Prometheus could not be asked")]
pub struct BacktestArgs {
    /// The settings file: how to reach Prometheus, names of labels, guards
    #[arg(long, env = "RECANT_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    /// File, or folder of files, with rule sets and watches; may be given several times
    #[arg(long, value_name = "PATH")]
    rules: Vec<String>,
    /// Address of a Prometheus-compatible server
    #[arg(long, value_name = "URL", conflicts_with = "recorded")]
    prometheus: Option<String>,
    /// Recorded series in place of a Prometheus; several files in the order of time
    #[arg(long, value_name = "FILE")]
    recorded: Vec<PathBuf>,
    /// From when on, such as 2026-01-31 or 2026-01-31T09:30:00Z
    #[arg(long, value_name = "TIME")]
    from: Option<When>,
    /// Until when; without it until now, or the end of the files
    #[arg(long, value_name = "TIME")]
    to: Option<When>,
    /// So many days up to then; without it 30, or all that the files hold
    #[arg(long, value_name = "DAYS", conflicts_with = "from", value_parser = clap::value_parser!(u32).range(1..=i64::from(MOST_DAYS)))]
    days: Option<u32>,
    /// Time from one look to the next
    #[arg(long, value_name = "DURATION", default_value = "15s", value_parser = spec::duration)]
    step: Duration,
    /// Releases that are known: CSV, or what `recant journal --json` prints
    #[arg(long, value_name = "FILE")]
    releases: Option<PathBuf>,
    /// Revisions that were bad, all others being good: alarms are counted as true or false. `none` if none was
    #[arg(long, value_name = "REVISION", value_delimiter = ',')]
    bad: Vec<String>,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
    /// Also draw it into this file, as SVG
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
}

/// What is shown.
struct Shown {
    report: Report,
    watches: Vec<Watch>,
    left_out: Vec<LeftOut>,
    alarms: Option<Alarms>,
}

/// Replays history. See the help for exit codes.
///
/// # Errors
/// What was asked cannot be done; a Prometheus that cannot be asked is told here, with exit code 4.
pub fn backtest(args: &BacktestArgs, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    let (settings, book) = configured(args)?;
    let (watches, left_out) = backtest::prepare(&book, args.recorded.is_empty());
    if watches.is_empty() {
        bail!(
            "no watch has a rule that judges releases and whose past is known, so there is nothing to replay{}",
            left_out.first().map_or_else(String::new, |left| format!(
                ": `{}`: {}",
                left.rule, left.why
            ))
        );
    }
    let history = History::open(args, &settings, &watches)?;
    let (from, to) = stretch(args, &history)?;
    let given = match &args.releases {
        Some(path) => given::read(path, &watches)?,
        None => Vec::new(),
    };
    let task = task(args, &settings, watches, (from, to), given);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let replayed = runtime.block_on(backtest::run(history.source(), &task));
    runtime.shutdown_timeout(Duration::from_secs(1));
    let mut report = match replayed {
        Ok(report) => report,
        Err(error) => {
            super::eprint_line(&format!("recant: {error}"));
            return Ok(ExitCode::from(COULD_NOT_LOOK));
        }
    };
    known_bad(args, &mut report)?;
    let shown = Shown {
        alarms: Alarms::count(&report.releases, (report.from, report.to)),
        report,
        watches: task.watches,
        left_out,
    };
    if let Some(path) = &args.svg {
        std::fs::write(path, plot::svg(&shown))
            .with_context(|| format!("writing the drawing to `{}`", path.display()))?;
    }
    let text = if args.json {
        json::document(&shown)?
    } else {
        table::page(&shown)
    };
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        // Nobody reads on, as behind `head`.
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(ExitCode::SUCCESS),
        written => written.map(|()| ExitCode::SUCCESS).map_err(Into::into),
    }
}

fn configured(args: &BacktestArgs) -> anyhow::Result<(Settings, RuleBook)> {
    if !STEPS.contains(&args.step.as_secs()) || args.step.subsec_nanos() != 0 {
        bail!("--step must be whole seconds, from 1s to 5m");
    }
    let mut flags: Flags = args
        .rules
        .iter()
        .map(|path| ("rules", path.clone()))
        .collect();
    flags.extend(args.prometheus.clone().map(|url| ("prometheus.url", url)));
    let settings = settings::load(args.config.as_deref(), std::env::vars(), &flags)?;
    if settings.prometheus.is_none() && args.recorded.is_empty() {
        bail!("no history is named: give --prometheus URL, or --recorded FILE");
    }
    let book = run::load(&settings)?;
    Ok((settings, book))
}

/// From when to when, in whole steps.
fn stretch(args: &BacktestArgs, history: &History) -> anyhow::Result<(Timestamp, Timestamp)> {
    let step = span(args.step);
    let (first, last) = history.span();
    let to = args.to.map_or(last, |when| when.0);
    let back = |days: u32| {
        let hours = i64::from(days) * 24;
        to.checked_sub(SignedDuration::from_hours(hours))
            .context("--days reaches back too far")
    };
    let from = match (args.from, args.days, first) {
        (Some(when), _, _) => when.0,
        (None, Some(days), _) => back(days)?,
        (None, None, Some(first)) => first,
        (None, None, None) => back(30)?,
    };
    if from >= to {
        bail!("--from ({from}) must lie before --to ({to}): there is nothing between them");
    }
    if from.duration_until(to) > SignedDuration::from_hours(24 * i64::from(MOST_DAYS)) {
        bail!("from {from} to {to} are more than {MOST_DAYS} days: give a later --from");
    }
    Ok((backtest::aligned(from, step), backtest::aligned(to, step)))
}

fn task(
    args: &BacktestArgs,
    settings: &Settings,
    watches: Vec<Watch>,
    (from, to): (Timestamp, Timestamp),
    given: Vec<Given>,
) -> Task {
    Task {
        watches,
        from,
        to,
        step: span(args.step),
        // What would have been done is the question: by each watch alone, and with nothing that forbids it.
        guards: GuardSettings::only(settings.guards.cool_down, settings.guards.actions_per_hour),
        evidence: args.svg.is_some(),
        given,
    }
}

/// What --bad says. A revision that was never released is a mistake.
fn known_bad(args: &BacktestArgs, report: &mut Report) -> anyhow::Result<()> {
    let bad: Vec<&str> = args.bad.iter().map(|revision| revision.trim()).collect();
    if bad.is_empty() {
        return Ok(());
    }
    let none = bad == ["none"];
    for revision in bad.iter().filter(|_| !none) {
        let mut releases = report.releases.iter();
        if !releases.any(|release| release.revision.as_str() == *revision) {
            bail!(
                "--bad {revision}: no release of this revision was found from {} to {}",
                report.from,
                report.to
            );
        }
    }
    for release in &mut report.releases {
        let named = bad.contains(&release.revision.as_str());
        release.known_bad = Some(named && !none);
    }
    Ok(())
}
