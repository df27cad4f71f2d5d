//! `recant eval`: tries Argo's conditions on a result, without a run and without a provider.

use std::io::{BufRead, Write};
use std::process::ExitCode;

use anyhow::{Context as _, anyhow};
use clap::Args;
use jiff::Timestamp;

use recant_core::argo::json::{self, Json};
use recant_core::argo::{Conditions, Phase, replay};

/// Bytes of a line.
const MOST_LINE: u64 = 10 << 20;

/// Tries the conditions of an Argo metric on a result: the phase, or why there is none
#[derive(Debug, Args)]
#[command(after_help = "\
Exit codes:
  0  Successful; with --lines: every line was answered
  1  Failed
  2  how the command is used, or a line, has errors
  3  Inconclusive
  4  Error")]
pub struct EvalArgs {
    /// What was measured, as JSON: [0.97] for a vector of Prometheus, 0.97 for a scalar
    #[arg(long, value_name = "JSON", required_unless_present = "lines")]
    result: Option<String>,
    /// The result is decoded JSON, as of the web provider: types of elements are not known before evaluation
    #[arg(long, requires = "result")]
    web: bool,
    /// The success condition
    #[arg(long, value_name = "CONDITION", default_value = "")]
    success: String,
    /// The failure condition
    #[arg(long, value_name = "CONDITION", default_value = "")]
    failure: String,
    /// Reads JSON lines with result, shape, successCondition and failureCondition, and answers each with a line:
    /// {"phase": …, "error": {"where": …, "stage": …, "class": …, "text": …}}
    #[arg(long, conflicts_with_all = ["result", "success", "failure"])]
    lines: bool,
}

/// Evaluates what the arguments say.
pub fn eval(
    args: &EvalArgs,
    input: &mut dyn BufRead,
    out: &mut dyn Write,
) -> anyhow::Result<ExitCode> {
    if args.lines {
        return lines(input, out);
    }
    let text = args.result.as_deref().unwrap_or_default();
    let result =
        json::parse(text.as_bytes()).map_err(|error| anyhow!("--result is no JSON: {error}"))?;
    let shape = if args.web { "json" } else { "" };
    let result = replay::outcome(shape, result)?;
    let conditions = Conditions::new(&args.success, &args.failure);
    match conditions.phase(&result, Timestamp::now()) {
        Ok(phase) => {
            writeln!(out, "{phase}")?;
            Ok(ExitCode::from(match phase {
                Phase::Successful => 0,
                Phase::Failed => 1,
                Phase::Inconclusive => 3,
                Phase::Error | Phase::Pending | Phase::Running => 4,
            }))
        }
        Err(error) => {
            writeln!(out, "Error: {error}")?;
            Ok(ExitCode::from(4))
        }
    }
}

fn lines(input: &mut dyn BufRead, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    let mut number = 0_usize;
    loop {
        number += 1;
        let mut line = Vec::new();
        let mut bounded = std::io::Read::take(&mut *input, MOST_LINE);
        let read = bounded
            .read_until(b'\n', &mut line)
            .context("reading standard input")?;
        if read == 0 {
            return Ok(ExitCode::SUCCESS);
        }
        if line.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        let answer = one(&line).with_context(|| format!("line {number}"))?;
        writeln!(out, "{}", json::compact(&answer))?;
    }
}

fn one(line: &[u8]) -> anyhow::Result<Json> {
    let case = json::parse(line).map_err(|error| anyhow!("it is no JSON: {error}"))?;
    Ok(replay::expression(&case, Timestamp::now())?)
}
