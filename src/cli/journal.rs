//! `recant journal`: what happened and why, one decision a paragraph; also beside a running agent.

mod export;
mod verify;

use std::io::{self, Write};
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Args, Subcommand};
use jiff::Timestamp;

use recant_core::explain::Story;
use recant_core::record::Record;

use super::place::JournalPlace;
use crate::journal::read::read;
use crate::journal::{Entry, compact};

/// Prints what happened and why, one decision a paragraph; also beside a running agent
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct JournalArgs {
    #[command(subcommand)]
    command: Option<JournalCommand>,
    #[command(flatten)]
    place: JournalPlace,
    /// Only what began at or after this time, such as 2026-01-31T09:30:00Z
    #[arg(long, value_name = "TIME")]
    since: Option<Timestamp>,
    /// Print the records themselves, as JSON lines
    #[arg(long)]
    json: bool,
}

/// What else can be done with a journal.
#[derive(Debug, Subcommand)]
enum JournalCommand {
    Verify(verify::VerifyArgs),
    Export(export::ExportArgs),
}

/// Reads the journal from its beginning, checking its chain. What is wrong is said after all that could be read.
pub fn journal(args: &JournalArgs, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    let JournalArgs {
        command,
        place,
        since,
        json,
    } = args;
    match command {
        None => {}
        Some(JournalCommand::Verify(args)) => return verify::verify(args, out),
        Some(JournalCommand::Export(args)) => return export::export(args, out),
    }
    let since = since.unwrap_or(Timestamp::MIN);
    if let Some((_, state)) = place.state()? {
        return of_state(&state, since, *json, out);
    }
    let journal = &place.journal;
    let mut entries = read::<Record>(journal)?;
    if let Some(base) = entries.base().filter(|_| !*json) {
        let dropped = &base.dropped;
        super::eprint_line(&format!(
            "recant: records 0 to {} of the journal {}, from {:.0} to {:.0}, were dropped, as `retention` says",
            dropped.through,
            journal.display(),
            dropped.from,
            dropped.until
        ));
    }
    let mut story = Story::default();
    let mut failure = None;
    for entry in &mut entries {
        let entry: Entry<Record> = match entry {
            Ok(entry) => entry,
            Err(error) => {
                failure = Some(error);
                break;
            }
        };
        if !*json {
            story.tell(entry.at, &entry.record);
        } else if entry.at >= since {
            let line = serde_json::to_string(&entry).context("writing a record as JSON")?;
            if print(out, &line)? == Reader::Gone {
                return Ok(ExitCode::SUCCESS);
            }
        }
    }
    for paragraph in story.into_paragraphs() {
        if paragraph.began >= since && print(out, &paragraph.to_string())? == Reader::Gone {
            return Ok(ExitCode::SUCCESS);
        }
    }
    if let Some(error) = failure {
        return Err(error.into());
    }
    let length = journal.metadata().map_or(0, |metadata| metadata.len());
    let rest = length.saturating_sub(entries.offset());
    if rest > 0 {
        super::eprint_line(&format!(
            "recant: the journal {} ends within a record: its last {rest} bytes are not shown. Either the agent is \
             writing just now, or it was cut off in the middle; nothing was done on the ground of that record",
            journal.display()
        ));
    }
    Ok(ExitCode::SUCCESS)
}

/// The last records of a state: those before are folded into it.
fn of_state(
    state: &compact::State,
    since: Timestamp,
    json: bool,
    out: &mut dyn Write,
) -> anyhow::Result<ExitCode> {
    let mut story = Story::default();
    for recent in &state.recent {
        if !json {
            story.tell(recent.at, &recent.record);
        } else if recent.at >= since {
            let line = serde_json::to_string(recent).context("writing a record as JSON")?;
            if print(out, &line)? == Reader::Gone {
                return Ok(ExitCode::SUCCESS);
            }
        }
    }
    for paragraph in story.into_paragraphs() {
        if paragraph.began >= since && print(out, &paragraph.to_string())? == Reader::Gone {
            return Ok(ExitCode::SUCCESS);
        }
    }
    Ok(ExitCode::SUCCESS)
}

#[derive(PartialEq, Eq)]
enum Reader {
    There,
    Gone,
}

fn print(out: &mut dyn Write, line: &str) -> io::Result<Reader> {
    match writeln!(out, "{line}") {
        Ok(()) => Ok(Reader::There),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(Reader::Gone),
        Err(error) => Err(error),
    }
}
