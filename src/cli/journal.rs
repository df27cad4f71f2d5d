//! `recant journal`: what happened and why, one decision a paragraph; also beside a running agent.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::Args;
use jiff::Timestamp;

use recant_core::explain::Story;
use recant_core::record::Record;

use crate::journal::Entry;
use crate::journal::read::read;

/// Prints what happened and why, one decision a paragraph; also beside a running agent
#[derive(Debug, Args)]
pub struct JournalArgs {
    /// The journal file
    #[arg(
        long,
        env = "RECANT_JOURNAL",
        value_name = "FILE",
        default_value = "recant.journal"
    )]
    journal: PathBuf,
    /// Only what began at or after this time, such as 2026-01-31T09:30:00Z
    #[arg(long, value_name = "TIME")]
    since: Option<Timestamp>,
    /// Print the records themselves, as JSON lines
    #[arg(long)]
    json: bool,
}

/// Reads the journal from its beginning, checking its chain.
pub fn journal(args: &JournalArgs, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    let since = args.since.unwrap_or(Timestamp::MIN);
    let mut story = Story::default();
    for entry in read::<Record>(&args.journal)? {
        let entry: Entry<Record> = entry?;
        if args.json {
            if entry.at >= since {
                let line = serde_json::to_string(&entry).context("writing a record as JSON")?;
                match writeln!(out, "{line}") {
                    Err(error) if error.kind() == io::ErrorKind::BrokenPipe => break,
                    result => result?,
                }
            }
        } else {
            story.tell(entry.at, &entry.record);
        }
    }
    for paragraph in story.into_paragraphs() {
        if paragraph.began >= since {
            match writeln!(out, "{paragraph}") {
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => break,
                result => result?,
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}
