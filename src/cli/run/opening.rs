//! Opens the journal before anything is judged, and waits where waiting helps: until another agent lets go of the file,
//! until the disk has space again. Whatever only a person can mend ends the process.

use std::io::ErrorKind;
use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use recant_core::ledger::Ledger;
use recant_core::record::Record;

use crate::agent::{self, Recovered};
use crate::http::Ops;
use crate::http::metrics::Metrics;
use crate::journal::file::FileJournal;
use crate::journal::{Journal as _, JournalError};

/// Between two attempts.
const PAUSE: Duration = Duration::from_secs(1);

/// A journal that was opened, folded, and has the record of this start.
pub(super) struct Opened {
    pub(super) journal: FileJournal,
    pub(super) ledger: Ledger,
    /// When the process before last wrote something down.
    pub(super) last: Option<Timestamp>,
}

/// Waits for as long as the reason may pass by itself; readiness and the log say it meanwhile. Safe to cancel.
pub(super) async fn open(
    path: &Path,
    metrics: &Metrics,
    ops: &Ops,
) -> Result<Opened, JournalError> {
    let mut said = String::new();
    loop {
        let error = match try_open(path) {
            Ok(opened) => {
                ops.readiness.clear("journal");
                return Ok(opened);
            }
            Err(error) if passes(&error) => error,
            Err(error) => return Err(error),
        };
        if matches!(error, JournalError::Write { .. }) {
            metrics.journal.failed();
        }
        // The loop that ticks has not begun: waiting is healthy.
        ops.health.ticked();
        let reason = format!("{:#}", anyhow::Error::from(error));
        if reason != said {
            tracing::error!(
                "nothing is judged and nothing is done until the journal can be opened, which is tried every second: {reason}"
            );
            said.clone_from(&reason);
        }
        ops.readiness.block("journal", reason);
        tokio::time::sleep(PAUSE).await;
    }
}

/// An agent that was stopped or hangs keeps its lock until it ends; it finds the Lease lost as soon as it goes on, and
/// ends. Exiting here would give the Lease back to it.
fn passes(error: &JournalError) -> bool {
    match error {
        JournalError::Locked { .. } => true,
        JournalError::Write { source, .. } => matches!(
            source.kind(),
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge
        ),
        JournalError::Read { .. }
        | JournalError::NotAJournal { .. }
        | JournalError::Newer { .. }
        | JournalError::Tampered { .. }
        | JournalError::Unknown { .. }
        | JournalError::Disturbed { .. }
        | JournalError::Unfit { .. } => false,
    }
}

fn try_open(path: &Path) -> Result<Opened, JournalError> {
    let (mut journal, recovery) = FileJournal::open(path)?;
    let Recovered {
        ledger,
        records,
        last,
    } = agent::fold(path)?;
    let started = Record::Started {
        version: env!("CARGO_PKG_VERSION").to_owned(),
    };
    journal.append(Timestamp::now(), &[started])?;
    let path = path.display();
    if recovery.dropped_bytes > 0 {
        tracing::warn!(
            "the journal {path} ended in the middle of a record: its last {} bytes were dropped; {records} whole records are kept",
            recovery.dropped_bytes
        );
    }
    if recovery.created {
        tracing::info!("the journal {path} is new");
    } else {
        tracing::info!("the journal {path} holds {records} records");
    }
    Ok(Opened {
        journal,
        ledger,
        last,
    })
}
