//! `recant explain`: why a release is thought good, bad or neither, at any time that the journal reaches.

mod account;
mod after;
mod change;
mod fold;
mod measured;
mod odds;
mod when;
mod which;
mod words;

use std::io::{self, Write};
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Args;
use jiff::Timestamp;

use recant_core::record::Record;

use super::place::JournalPlace;
use crate::journal::read::read;
use crate::journal::{Entry, compact};
use account::Account;
use fold::Fold;
pub(super) use when::When;

/// Explains a release: the verdict or what is missing, and the evidence of each rule; also beside a running agent
///
/// Evidence is said as "1 in so many if the release were fine": how rarely a release that keeps its rules looks like
/// this at any time of its watch. It is no probability that the release is bad. Figures are as of the last time that
/// evidence was recorded, which is at each decision and at least once a minute.
#[derive(Debug, Args)]
#[command(after_help = "Exit codes:
  0  explained
  2  the journal cannot be read, or holds no such release; how the command is used has errors")]
pub struct ExplainArgs {
    /// The watch, or its target: NAMESPACE/NAME, or NAME alone where there is only one of it
    #[arg(value_name = "WATCH")]
    watch: String,
    /// As it was then, such as 2026-01-31T09:30:00Z or `10m ago`; without it as of the journal's end
    #[arg(long, value_name = "TIME")]
    at: Option<When>,
    #[command(flatten)]
    place: JournalPlace,
    /// Print it as one JSON document, for scripts
    #[arg(long)]
    json: bool,
}

/// Folds the journal up to the time asked for, and prints what it says of the watch's last release.
pub fn explain(args: &ExplainArgs, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    let ExplainArgs {
        watch,
        at,
        place,
        json,
    } = args;
    let until = at.map_or(Timestamp::MAX, |at| at.at(Timestamp::now()));
    let mut fold = Fold::new(until);
    let place = match place.state()? {
        Some((path, state)) => {
            of_state(&state, &mut fold);
            format!("ConfigMap {path}")
        }
        None => of_file(&place.journal, &mut fold)?,
    };
    let watch = which::watch(&fold, watch, &place)?;
    let release = which::release(&fold, watch, until, &place)?;
    // Of the end it is as old as the last record, whatever the clock says.
    let last = fold.last.unwrap_or(release.analysis.began);
    let shown_at = if at.is_some() { until } else { last };
    let account = Account::of(&fold, watch, release, shown_at);
    let text = if *json {
        serde_json::to_string_pretty(&account).context("writing the explanation as JSON")?
    } else {
        words::page(&account)
    };
    match writeln!(out, "{text}") {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
        Ok(()) | Err(_) => Ok(ExitCode::SUCCESS),
    }
}

fn of_file(journal: &std::path::Path, fold: &mut Fold) -> anyhow::Result<String> {
    for entry in read::<Record>(journal)? {
        // What stands behind a change is not to be trusted: it is better not to explain from it.
        let entry: Entry<Record> = entry?;
        fold.take(entry.at, &entry.record);
    }
    Ok(format!("journal `{}`", journal.display()))
}

fn of_state(state: &compact::State, fold: &mut Fold) {
    let records: Vec<Record> = state
        .recent
        .iter()
        .map(|recent| recent.record.clone())
        .collect();
    fold.begin_with(&state.ledger, &records);
    for recent in &state.recent {
        fold.take(recent.at, &recent.record);
    }
}
