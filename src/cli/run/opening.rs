//! Opens the journal before anything is judged, and waits where waiting helps: until another agent lets go of the file,
//! until the disk has space again. Whatever only a person can mend ends the process.

use std::io::ErrorKind;
use std::path::Path;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use recant_core::ledger::Ledger;
use recant_core::record::Record;

use super::places::Place;
use crate::agent::{self, Recovered};
use crate::config::settings::RetentionSettings;
use crate::http::Ops;
use crate::http::metrics::Metrics;
use crate::journal::file::FileJournal;
use crate::journal::retain::Retention;
use crate::journal::shard::{Held, ShardError, ShardJournal, ShardPlace};
use crate::journal::{Journal, JournalError};

/// Between two attempts.
const PAUSE: Duration = Duration::from_secs(1);

/// A journal that was opened, folded, and has the record of this start.
pub(super) struct Opened {
    pub(super) journal: Box<dyn Journal>,
    pub(super) ledger: Ledger,
    /// When the process before last wrote something down.
    pub(super) last: Option<Timestamp>,
}

/// Why a journal cannot be opened.
#[derive(Debug, thiserror::Error)]
pub(super) enum OpenError {
    #[error(transparent)]
    File(#[from] JournalError),
    #[error(transparent)]
    Shard(#[from] ShardError),
}

impl OpenError {
    fn passes(&self) -> bool {
        match self {
            Self::File(error) => passes(error),
            Self::Shard(error) => error.retry(),
        }
    }

    fn is_write(&self) -> bool {
        match self {
            Self::File(error) => matches!(error, JournalError::Write { .. }),
            Self::Shard(error) => matches!(error, ShardError::Unwritable(_)),
        }
    }
}

/// Waits for as long as the reason may pass by itself; readiness and the log say it meanwhile. Safe to cancel.
pub(super) async fn open(
    place: &Place,
    retention: RetentionSettings,
    metrics: &Metrics,
    ops: &Ops,
) -> Result<Opened, OpenError> {
    let mut said = String::new();
    loop {
        let opened = match place {
            Place::File(path) => try_open(path, retention).map_err(OpenError::from),
            Place::Shard { client, place } => try_open_shard(client, place).await,
        };
        let error = match opened {
            Ok(opened) => {
                ops.readiness.clear("journal");
                return Ok(opened);
            }
            Err(error) if error.passes() => error,
            Err(error) => return Err(error),
        };
        if error.is_write() {
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
        | JournalError::Missing { .. }
        | JournalError::NotAJournal { .. }
        | JournalError::Newer { .. }
        | JournalError::Tampered { .. }
        | JournalError::Unknown { .. }
        | JournalError::Disturbed { .. }
        | JournalError::Unfit { .. } => false,
    }
}

async fn try_open_shard(client: &kube::Client, place: &ShardPlace) -> Result<Opened, OpenError> {
    let (mut journal, held) = ShardJournal::open(client, place).await?;
    let Held {
        ledger,
        records,
        last,
    } = held;
    let append = journal.append(Timestamp::now(), &[started()]);
    append.map_err(ShardError::Unwritable)?;
    let ShardPlace {
        namespace, name, ..
    } = place;
    tracing::info!("the journal in ConfigMap {namespace}/{name} holds {records} records");
    Ok(Opened {
        journal: Box::new(journal),
        ledger,
        last,
    })
}

fn started() -> Record {
    Record::Started {
        version: env!("CARGO_PKG_VERSION").to_owned(),
    }
}

fn try_open(path: &Path, retention: RetentionSettings) -> Result<Opened, JournalError> {
    let (mut journal, recovery) = FileJournal::open(path)?;
    journal.keep(Retention {
        // What is too long for a number is for ever.
        keep: SignedDuration::try_from(retention.keep).ok(),
        bytes: retention.bytes,
    });
    let Recovered {
        ledger,
        records,
        last,
    } = agent::fold(path)?;
    journal.append(Timestamp::now(), &[started()])?;
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
        journal: Box::new(journal),
        ledger,
        last,
    })
}
