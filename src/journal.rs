//! The durable record of what happened: the seam `Journal`, and its adapters.

use jiff::Timestamp;

use recant_core::record::Record;

/// Append-only, durable storage of records.
pub trait Journal: Send {
    /// Appends all records or none, durable when it returns.
    fn append(&mut self, at: Timestamp, records: &[Record]) -> Result<(), JournalError>;
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
    /// Written by a newer Recant: left untouched.
    #[error(
        "the journal {path} has format version {found}, this Recant knows {known}: run a newer Recant, or move the file away"
    )]
    Newer {
        path: String,
        found: u32,
        known: u32,
    },
    /// The hash chain does not hold.
    #[error(
        "the journal {path} was changed after it was written: record {sequence} does not fit the one before it"
    )]
    Tampered { path: String, sequence: u64 },
}
