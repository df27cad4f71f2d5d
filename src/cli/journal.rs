//! `recant journal`: what happened and why, one decision a paragraph; also beside a running agent.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use clap::Args;
use jiff::Timestamp;

use recant_core::explain::Story;
use recant_core::record::Record;

use crate::cluster::kubernetes;
use crate::cluster::kubernetes::config_map::ConfigMapObject;
use crate::journal::read::read;
use crate::journal::{Entry, config_map};

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
    /// In place of a file: the `ConfigMap` in which `recant once` keeps its state, with its last records
    #[arg(long, value_name = "NAME")]
    config_map: Option<String>,
    /// Namespace of that `ConfigMap`; without it that of the kubeconfig or the pod
    #[arg(long, value_name = "NAMESPACE", requires = "config_map")]
    namespace: Option<String>,
    /// Only what began at or after this time, such as 2026-01-31T09:30:00Z
    #[arg(long, value_name = "TIME")]
    since: Option<Timestamp>,
    /// Print the records themselves, as JSON lines
    #[arg(long)]
    json: bool,
}

/// Reads the journal from its beginning, checking its chain. What is wrong is said after all that could be read.
pub fn journal(args: &JournalArgs, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    let JournalArgs {
        journal,
        config_map,
        namespace,
        since,
        json,
    } = args;
    let since = since.unwrap_or(Timestamp::MIN);
    if let Some(name) = config_map {
        return of_config_map(name, namespace.as_deref(), since, *json, out);
    }
    let mut entries = read::<Record>(journal)?;
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
fn of_config_map(
    name: &str,
    namespace: Option<&str>,
    since: Timestamp,
    json: bool,
    out: &mut dyn Write,
) -> anyhow::Result<ExitCode> {
    crate::tls::install();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let (stored, state) = runtime.block_on(async {
        let client = kubernetes::connect().await?;
        let own = client.default_namespace().to_owned();
        let object = ConfigMapObject::new(client, namespace.unwrap_or(&own), name);
        let found = config_map::read(&object).await?;
        anyhow::Ok((found.0.map(|_| ()).ok_or_else(|| object.path()), found.1))
    })?;
    if let Err(path) = stored {
        bail!("there is no ConfigMap {path}: no run has written its state there yet");
    }
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
