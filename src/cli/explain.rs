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
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use clap::Args;
use jiff::Timestamp;

use recant_core::record::Record;

use crate::cluster::kubernetes;
use crate::cluster::kubernetes::config_map::ConfigMapObject;
use crate::journal::read::read;
use crate::journal::{Entry, compact, config_map};
use account::Account;
use fold::Fold;
use when::When;

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
    /// The journal file
    #[arg(
        long,
        env = "RECANT_JOURNAL",
        value_name = "FILE",
        default_value = "recant.journal"
    )]
    journal: PathBuf,
    /// In place of a file: the `ConfigMap` in which `recant once` keeps its state, with its last records
    #[arg(long, value_name = "NAME")]
    config_map: Option<String>,
    /// Namespace of that `ConfigMap`; without it that of the kubeconfig or the pod
    #[arg(long, value_name = "NAMESPACE", requires = "config_map")]
    namespace: Option<String>,
    /// Print it as one JSON document, for scripts
    #[arg(long)]
    json: bool,
}

/// Folds the journal up to the time asked for, and prints what it says of the watch's last release.
pub fn explain(args: &ExplainArgs, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    let ExplainArgs {
        watch,
        at,
        journal,
        config_map,
        namespace,
        json,
    } = args;
    let until = at.map_or(Timestamp::MAX, |at| at.at(Timestamp::now()));
    let mut fold = Fold::new(until);
    let place = match config_map {
        Some(name) => of_config_map(name, namespace.as_deref(), &mut fold)?,
        None => of_file(journal, &mut fold)?,
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

fn of_config_map(name: &str, namespace: Option<&str>, fold: &mut Fold) -> anyhow::Result<String> {
    crate::tls::install();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let (path, stored, state) = runtime.block_on(async {
        let client = kubernetes::connect().await?;
        let own = client.default_namespace().to_owned();
        let object = ConfigMapObject::new(client, namespace.unwrap_or(&own), name);
        let (stored, state) = config_map::read(&object).await?;
        anyhow::Ok((object.path(), stored.is_some(), state))
    })?;
    if !stored {
        bail!("there is no ConfigMap {path}: no run has written its state there yet");
    }
    of_state(&state, fold);
    Ok(format!("ConfigMap {path}"))
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
