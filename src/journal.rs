//! The durable record of what happened: the seam `Journal`, and its adapters.
//!
//! Everything that is decided is appended here before it is carried out (P3). One process writes, any number of
//! others may read meanwhile. [`mod@file`] says how it looks on disk.

#[cfg(feature = "whole")]
pub mod acting;
pub mod base;
pub mod compact;
#[cfg(feature = "whole")]
pub mod config_map;
pub mod file;
mod frame;
pub mod memory;
pub mod read;
pub mod retain;
#[cfg(feature = "whole")]
pub mod shard;
#[cfg(feature = "whole")]
mod slot;

use std::collections::BTreeSet;

use jiff::Timestamp;

use recant_core::record::Record;
use recant_core::share::Wish;

pub use frame::{Break, Entry, MAX_RECORD_BYTES};

/// Append-only, durable storage of records.
pub trait Journal: Send {
    /// Appends all records or none, durable when it returns.
    ///
    /// After an error nothing of this call is in the journal, and a later call may succeed.
    fn append(&mut self, at: Timestamp, records: &[Record]) -> Result<(), JournalError>;

    /// Appends what several ticks led to, in their order. Where a write is dear it is one write.
    ///
    /// After an error the first of them may be in the journal.
    fn append_all(&mut self, batches: &[(Timestamp, Vec<Record>)]) -> Result<(), JournalError> {
        for (at, records) in batches {
            self.append(*at, records)?;
        }
        Ok(())
    }

    /// Shows the other replicas what waits for the acting one. Only a journal that is shared with them does.
    ///
    /// # Errors
    /// As for an append: it may succeed later.
    fn show(&mut self, at: Timestamp, wishes: &BTreeSet<Wish>) -> Result<(), JournalError> {
        let (_, _) = (at, wishes);
        Ok(())
    }

    /// Whether what was written is still there and nobody else has written: asked once a tick, so it has to be cheap. A
    /// journal that cannot know without asking far away says yes, and finds out with the next write.
    ///
    /// # Errors
    /// Somebody did, or it cannot be looked at.
    fn undisturbed(&self) -> Result<(), JournalError> {
        Ok(())
    }
}

/// Why records could not be written or read.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    #[error("writing the journal {path}")]
    Write {
        path: String,
        source: std::io::Error,
    },
    #[error("reading the journal {path}")]
    Read {
        path: String,
        source: std::io::Error,
    },
    /// For those who only read it.
    #[error(
        "there is no journal {path}: name the file with --journal or RECANT_JOURNAL; without a volume it is in a ConfigMap (--config-map)"
    )]
    Missing {
        path: String,
        source: std::io::Error,
    },
    /// Another process holds the writer's lock.
    #[error(
        "the journal {path} is in use by another agent: stop that one, or give this one a journal of its own"
    )]
    Locked { path: String },
    /// The file is something else: left untouched.
    #[error("{path} is not a journal of Recant ({reason}): name another file, or move it away")]
    NotAJournal { path: String, reason: String },
    /// Written by a newer Recant: left untouched.
    #[error(
        "the journal {path} has format version {found}, this Recant knows {known}: run a newer Recant, or move the file away"
    )]
    Newer {
        path: String,
        found: u32,
        known: u32,
    },
    /// The hash chain does not hold: left untouched.
    #[error(
        "the journal {path} was changed after it was written: record {sequence} {how}; keep the file as evidence, move it away, and start again"
    )]
    Tampered {
        path: String,
        sequence: u64,
        how: Break,
    },
    /// The chain holds, but the record is of no kind that is known here.
    #[error(
        "record {sequence} of the journal {path} is unknown to this Recant ({reason}): run the version that wrote it, or a newer one"
    )]
    Unknown {
        path: String,
        sequence: u64,
        reason: String,
    },
    /// Somebody else wrote to, replaced or removed the file while it was open here.
    #[error(
        "the journal {path} was {change} by something else while the agent had it open: find out by what, then restart the agent"
    )]
    Disturbed { path: String, change: &'static str },
    /// A record above [`MAX_RECORD_BYTES`], or one that is no JSON.
    #[error("a record does not fit into the journal {path}: {reason}")]
    Unfit { path: String, reason: String },
}

impl JournalError {
    /// Whether a later append may succeed without a person: space may come back, a disk may recover.
    pub fn retry(&self) -> bool {
        match self {
            Self::Write { .. } | Self::Read { .. } | Self::Locked { .. } => true,
            Self::Missing { .. }
            | Self::NotAJournal { .. }
            | Self::Newer { .. }
            | Self::Tampered { .. }
            | Self::Unknown { .. }
            | Self::Disturbed { .. }
            | Self::Unfit { .. } => false,
        }
    }
}
