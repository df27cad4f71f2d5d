//! `recant replay`: folds a journal and says what state it leads to; on request held against what an agent shows.

mod differences;

use std::io::{self, Read as _, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use clap::Args;
use jiff::Timestamp;
use serde_json::Value;

use recant_core::ids::RevisionHash;
use recant_core::ledger::Ledger;
use recant_core::record::Record;
use recant_core::restored::{Restored, RestoredTarget, restore};

use super::explain::When;
use super::place::JournalPlace;
use crate::journal::read::read;

/// Bytes of a snapshot that are read.
const MOST_BYTES: u64 = 256 << 20;

/// Folds a journal and prints the state that it leads to, which is the one that an agent would go on from
///
/// With --snapshot it is held against what the agent shows on /snapshot, as of the same time: revisions and their standing,
/// analyses, plans, holds, incidents and scalings, silences, alerts and lost sources must be the same.
#[derive(Debug, Args)]
#[command(after_help = "Exit codes:
  0  folded, and the same as the snapshot if one was given
  1  the snapshot says something else: what, is printed
  2  the journal or the snapshot cannot be read; how the command is used has errors")]
pub struct ReplayArgs {
    /// The journal file, as with --journal
    #[arg(value_name = "FILE", conflicts_with = "config_map")]
    file: Option<PathBuf>,
    #[command(flatten)]
    place: JournalPlace,
    /// Only the records up to this time, such as 2026-01-31T09:30:00Z or `10m ago`; without it up to the time of the
    /// snapshot, or all
    #[arg(long, value_name = "TIME")]
    until: Option<When>,
    /// What an agent showed on /snapshot: a file, or `-` for standard input
    #[arg(long, value_name = "FILE")]
    snapshot: Option<PathBuf>,
    /// Print the whole state as one JSON document
    #[arg(long)]
    json: bool,
}

/// What a fold came to.
struct Folded {
    ledger: Ledger,
    /// Records that were folded, without those that only their base is left of.
    records: u64,
    last: Option<Timestamp>,
    from: String,
}

/// Folds, prints and compares.
pub fn replay(args: &ReplayArgs, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    let ReplayArgs {
        file,
        place,
        until,
        snapshot,
        json,
    } = args;
    let shown = snapshot.as_deref().map(snapshot_of).transpose()?;
    let until = match (until, &shown) {
        (Some(until), _) => until.at(Timestamp::now()),
        (None, Some((at, _))) => *at,
        (None, None) => Timestamp::MAX,
    };
    let folded = match place.state()? {
        Some(_) if until != Timestamp::MAX && shown.is_none() => {
            bail!(
                "a ConfigMap holds only the last state: there is nothing before it that --until could mean"
            )
        }
        Some((path, state)) => Folded {
            records: state.recent.len() as u64,
            last: state.recent.last().map(|recent| recent.at),
            ledger: state.ledger,
            from: format!("ConfigMap {path}"),
        },
        None => fold(file.as_deref().unwrap_or(&place.journal), until)?,
    };
    let at = if until == Timestamp::MAX {
        folded.last.unwrap_or_default()
    } else {
        until
    };
    let restored = restore(&folded.ledger, at);
    if *json {
        let text = serde_json::to_string_pretty(&folded.ledger).context("writing the state")?;
        return said(writeln!(out, "{text}"));
    }
    let mut lines = summary(&folded, &restored);
    let mut code = ExitCode::SUCCESS;
    if let Some((at, shown)) = shown {
        let ours = serde_json::to_value(&restored).context("writing the state")?;
        let found = differences::differences(&ours, &shown);
        if found.is_empty() {
            lines.push(format!("the snapshot of {at} says the same"));
        } else {
            lines.push(format!("the snapshot of {at} says something else:"));
            lines.extend(
                found
                    .into_iter()
                    .map(|difference| format!("  {difference}")),
            );
            code = ExitCode::from(1);
        }
    }
    said(writeln!(out, "{}", lines.join("\n"))).map(|_| code)
}

fn said(written: io::Result<()>) -> anyhow::Result<ExitCode> {
    match written {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
        Ok(()) | Err(_) => Ok(ExitCode::SUCCESS),
    }
}

fn fold(path: &Path, until: Timestamp) -> anyhow::Result<Folded> {
    let mut entries = read::<Record>(path)?;
    let mut ledger = entries.ledger()?;
    let mut last = entries.base().map(|base| base.dropped.until);
    if let Some(dropped) = last
        && until < dropped
    {
        bail!(
            "the records of the journal {} until {dropped} were dropped by retention: it cannot be folded to a time before",
            path.display()
        );
    }
    let mut records = 0;
    for entry in &mut entries {
        let entry = entry?;
        if entry.at > until {
            break;
        }
        ledger.apply(entry.at, &entry.record);
        records += 1;
        last = Some(entry.at);
    }
    Ok(Folded {
        ledger,
        records,
        last,
        from: format!("journal `{}`", path.display()),
    })
}

fn snapshot_of(path: &Path) -> anyhow::Result<(Timestamp, Value)> {
    let mut text = String::new();
    let name = path.display();
    let read = if path == Path::new("-") {
        io::stdin()
            .lock()
            .take(MOST_BYTES)
            .read_to_string(&mut text)
    } else {
        std::fs::File::open(path).and_then(|file| file.take(MOST_BYTES).read_to_string(&mut text))
    };
    read.with_context(|| format!("reading the snapshot {name}"))?;
    let value: Value = serde_json::from_str(&text).with_context(|| {
        format!("the snapshot {name} is no JSON: give what /snapshot of an agent answers")
    })?;
    let at = value.get("at").and_then(Value::as_str);
    let at = at.and_then(|at| at.parse().ok());
    let at = at.with_context(|| {
        format!("{name} has no time `at`: give what /snapshot of an agent answers")
    })?;
    Ok((at, value))
}

fn summary(folded: &Folded, restored: &Restored) -> Vec<String> {
    let last = folded
        .last
        .map_or("none".to_owned(), |last| last.to_string());
    let mut lines = vec![format!(
        "{}: {} records folded, the last of {last}",
        folded.from, folded.records
    )];
    lines.extend(restored.targets.iter().map(of_target));
    let pending = folded.ledger.pending.len();
    if pending > 0 {
        lines.push(format!("{pending} notices are not told yet"));
    }
    lines
}

fn of_target(target: &RestoredTarget) -> String {
    let current = target.current.as_ref().map_or("?", RevisionHash::as_str);
    let mut parts = vec![format!("{}: at revision {current}", target.target)];
    parts.extend(
        target
            .analysis
            .as_ref()
            .map(|analysis| format!("analysis {} under way", analysis.id)),
    );
    parts.extend(target.plan.as_ref().map(|plan| {
        format!(
            "plan {} at step {} of {}",
            plan.id,
            plan.step + 1,
            plan.steps
        )
    }));
    parts.extend(target.verifying.then(|| "being verified".to_owned()));
    parts.extend(
        target
            .holds
            .iter()
            .map(|hold| format!("held by {}", hold.guard)),
    );
    let open = target.always.iter().filter(|rule| rule.incident.is_some());
    parts.extend(open.map(|rule| format!("incident of {}", rule.rule)));
    parts.join(", ")
}
