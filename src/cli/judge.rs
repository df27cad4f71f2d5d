//! `recant judge`: judges what is written down, offline: for audits, notebooks and CI, and for checking us.

mod arguments;
mod columns;
mod input;
mod kayenta;
mod lines;
mod subject;
mod table;

use std::fs::File;
use std::io::{self, BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;

use recant_core::spec;

/// Judges counts from a file or a pipe, tick by tick, offline
///
/// For scripts, JSON lines: first a rule, `{"class": "RatioCompare", "psi0": 1.5, "plus": 0.001}`, or an analysis,
/// `{"rules": [{"class": …}, …], "weights": [1, 1], "alpha": 0.01, "beta": 0.05}`; then any number of ticks of history,
/// `{"warm": [1000, 3]}`; then one array per tick. Each tick is answered with a line: `[log_bad, log_good, state]`, or
/// for an analysis `[state, log_bad, score, shares]`. A later rule or analysis begins anew.
///
/// For people, `--csv`: a table with a heading line in, a table out. Or `--kayenta`.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Classes, what they need, and their ticks: counts since the tick before; null is a number missing.
  RatioLimit p0                      [events, bad]
  RatioCompare psi0                  [events, bad, baseline's events, baseline's bad]
  RatioLimitBeside p0                [events, bad, baseline's events, baseline's bad]
  QuantileLimit q limit bounds       [[events per bucket; the last lies above all bounds]]
  QuantileCompare q bounds           [[events per bucket], [baseline's]]
  QuantileLimitBeside q limit bounds [[events per bucket], [baseline's]]
  GaugeLimit limit hold              [time in seconds, value]
  GaugeCompare                       [value, baseline's value]
  EndlessLimit p0                    as RatioLimit, without an end: quiet or fires
  EndlessCompare psi0                as RatioCompare, without an end
  Beside of                          null: the comparison kept by rule `of` (from 0) of an analysis
Comparisons may have psi0, plus, wait, for quantiles r and use; GaugeLimit gap; GaugeCompare r,
plus, block, longest; endless ones ticks (mean between false firings). All but GaugeLimit may have
alpha, beta, horizon (ticks of the watch), tick (seconds), confirm, clump, learn.

Columns of --csv: total and bad; with a baseline canary_total, canary_bad, baseline_total and
baseline_bad. A column named time is shown. Others are left alone.

Exit codes:
  0  everything was judged, whatever the verdict; what Kayenta refuses is answered with its
     `exception`
  2  a line, or the arguments, are wrong: what comes after is not judged")]
pub struct JudgeArgs {
    /// File to read; standard input if none is named
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
    /// Read a table, and print one for people
    #[arg(long)]
    csv: bool,
    /// Judges as Spinnaker's Kayenta does, bit by bit: one request per line, one result document per line
    ///
    /// A request is `{"thresholds": {"pass": 95, "marginal": 75}, "groupWeights": {"errors": 100}, "metrics": [{"name":
    /// "5xx", "groups": ["errors"], "analysisConfigurations": {"canary": {"direction": "increase"}}, "control": [0.1, …],
    /// "experiment": [0.2, "NaN", …]}]}` on one line.
    #[arg(long, conflicts_with = "csv")]
    kayenta: bool,
    #[command(flatten)]
    rule: TableRule,
}

/// The rule that a table is judged by.
#[derive(Debug, Args)]
struct TableRule {
    /// Share of bad events that is allowed, such as 1%
    #[arg(long, requires = "csv", value_name = "SHARE", value_parser = spec::share)]
    max: Option<f64>,
    /// How much more than the baseline's share is allowed, such as 50%
    #[arg(long, requires = "csv", value_name = "SHARE", value_parser = spec::share)]
    margin: Option<f64>,
    /// And so much on top of it
    #[arg(long, requires = "csv", value_name = "SHARE", value_parser = spec::share, default_value = "0.1%")]
    plus: f64,
    /// Time from one line to the next
    #[arg(long, requires = "csv", value_name = "DURATION", value_parser = spec::duration, default_value = "1s")]
    tick: Duration,
    /// Chance that a release within what is allowed is ever called bad
    #[arg(long, requires = "csv", value_name = "SHARE", value_parser = spec::share, default_value = "1%")]
    false_alarms: f64,
    /// So many of the first lines are history: they teach how errors come, and are no evidence
    #[arg(long, requires = "csv", value_name = "LINES", default_value_t = 0)]
    history: usize,
    /// Every tick, not only some
    #[arg(long, requires = "csv")]
    all: bool,
}

/// Judges what comes in, and answers on `out`.
pub fn judge(args: &JudgeArgs, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    match &args.file {
        None => answer(args, &mut io::stdin().lock(), "standard input", out),
        Some(path) => {
            let name = format!("`{}`", path.display());
            let file = File::open(path).with_context(|| format!("reading {name}"))?;
            answer(args, &mut BufReader::new(file), &name, out)
        }
    }
}

fn answer(
    args: &JudgeArgs,
    input: &mut dyn BufRead,
    name: &str,
    out: &mut dyn Write,
) -> anyhow::Result<ExitCode> {
    let JudgeArgs {
        file: _,
        csv,
        kayenta,
        rule,
    } = args;
    let result = if *kayenta {
        kayenta::run(input, out)
    } else if *csv {
        table::run(rule, input, out).map(|()| ExitCode::SUCCESS)
    } else {
        lines::run(input, out).map(|()| ExitCode::SUCCESS)
    };
    match result {
        // Nobody reads on, as behind `head`.
        Err(error) if broken_pipe(&error) => Ok(ExitCode::SUCCESS),
        Err(error) => Err(error.context(format!("judging {name}"))),
        Ok(code) => Ok(code),
    }
}

fn broken_pipe(error: &anyhow::Error) -> bool {
    let cause = error.downcast_ref::<io::Error>();
    cause.is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}
