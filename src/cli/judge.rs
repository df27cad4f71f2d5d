//! `recant judge`: judges what is written down, offline: for audits, notebooks and CI, and for checking us.

mod kayenta;

use std::fs::File;
use std::io::{self, BufReader, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Args;

/// Judges what is written down in a file or comes through a pipe, offline
#[derive(Debug, Args)]
#[command(after_help = "Exit codes:
  0  every line has its answer; what Kayenta refuses is answered with its `exception`
  2  a line is no request, or the arguments are wrong: lines after it are not judged")]
pub struct JudgeArgs {
    /// Judges as Spinnaker's Kayenta does, bit by bit: one request per line, one result document per line
    ///
    /// A request is `{"thresholds": {"pass": 95, "marginal": 75}, "groupWeights": {"errors": 100}, "metrics": [{"name":
    /// "5xx", "groups": ["errors"], "analysisConfigurations": {"canary": {"direction": "increase"}}, "control": [0.1, …],
    /// "experiment": [0.2, "NaN", …]}]}` on one line.
    #[arg(long, required = true)]
    kayenta: bool,
    /// File to read; standard input if none is named
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
}

/// Answers line by line on `out`.
pub fn judge(args: &JudgeArgs, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    // The only way to judge, for now: clap asks for it.
    let JudgeArgs { kayenta: _, file } = args;
    match file {
        None => kayenta::run(&mut io::stdin().lock(), out),
        Some(path) => {
            let named = || format!("reading requests from `{}`", path.display());
            let file = File::open(path).with_context(named)?;
            kayenta::run(&mut BufReader::new(file), out).with_context(named)
        }
    }
}
