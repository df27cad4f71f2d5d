//! The journal as one append-only file that people can read with `less` and `grep`.
//!
//! The first line is `recant-journal 1`, 1 being the version of this format. Every further line is one record:
//!
//! ```text
//! <length> <hash> {"sequence":0,"at":"2026-01-01T00:00:00Z","previous":"<hash>","record":{…}}
//! ```
//!
//! `length` counts the bytes of the JSON, at most 1 MiB. `hash` is the SHA-256 of the JSON in hex. `previous` is the hash
//! of the entry before, or for the first one the hash of the header line, newline included. So a line cannot be changed,
//! moved, inserted or removed without breaking the chain behind it; only the end of the file can be cut off unnoticed.
//!
//! A record counts from its newline on. A file that ends within a record (or in blocks that were never written, which
//! read as zeros) is the trace of a crash within an append that never returned: nothing was done on its ground, and
//! [`FileJournal::open`] drops it. Whatever else does not fit was changed by somebody; then the file is left untouched.
//! A write error that leaves part of an append behind is undone at once, or before the next append.
//!
//! Where retention is asked for, the oldest records are dropped from time to time: the file is written anew, with the
//! state that they folded to in their place ([`super::base`]), and takes the place of the old one in one move.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, BufReader, Seek, Write};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use jiff::Timestamp;
use serde::Serialize;

use recant_core::record::Record;

use super::base::Reading;
use super::frame::{self, Break, Chain, Header, Line, Misfit};
use super::retain::{self, Built, Retaining, Retention};
use super::{Journal, JournalError};

/// The writer of a journal file. It holds the file's lock for as long as it lives.
#[derive(Debug)]
pub struct FileJournal {
    path: String,
    store: Box<dyn Store>,
    chain: Chain,
    /// Bytes up to the end of the last whole record.
    end: u64,
    /// There may be bytes behind `end` that a failed append left.
    dirty: bool,
    retaining: Option<Retaining>,
}

/// What [`FileJournal::open`] found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recovery {
    /// Whole records in the file.
    pub records: u64,
    /// Bytes of an unfinished append that were dropped; 0 after an orderly end.
    pub dropped_bytes: u64,
    /// The file was not there, or empty.
    pub created: bool,
}

/// What the writer needs of a file: the place where tests put a full disk.
trait Store: Send + std::fmt::Debug {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()>;
    /// Contents and length are durable when it returns.
    fn sync(&mut self) -> io::Result<()>;
    fn truncate(&mut self, length: u64) -> io::Result<()>;
    /// Length in bytes, and whether the file still has a name.
    fn look(&self) -> io::Result<(u64, bool)>;
}

impl Store for File {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.write_all(bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.sync_data()
    }

    fn truncate(&mut self, length: u64) -> io::Result<()> {
        self.set_len(length)
    }

    fn look(&self) -> io::Result<(u64, bool)> {
        let metadata = self.metadata()?;
        Ok((metadata.len(), metadata.nlink() > 0))
    }
}

impl FileJournal {
    /// Opens the journal at `path` for writing, or creates it; checks the whole chain.
    ///
    /// # Errors
    /// When another agent has it open, when it is no journal, of a newer format or was changed (then it is left as it
    /// is), and when the disk fails.
    pub fn open(path: &Path) -> Result<(Self, Recovery), JournalError> {
        let name = path.display().to_string();
        let write = |source| JournalError::Write {
            path: name.clone(),
            source,
        };
        let read = |source| JournalError::Read {
            path: name.clone(),
            source,
        };
        let foreign = |reason: &str| JournalError::NotAJournal {
            path: name.clone(),
            reason: reason.to_owned(),
        };
        // Opening a device or a pipe may block or have effects: look first.
        if path.metadata().is_ok_and(|metadata| !metadata.is_file()) {
            return Err(foreign("it is not a regular file"));
        }
        let mut file = OpenOptions::new()
            .read(true)
            .append(true)
            .create(true)
            .open(path)
            .map_err(write)?;
        file.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => JournalError::Locked { path: name.clone() },
            TryLockError::Error(source) => write(source),
        })?;
        let found = file.metadata().map_err(read)?;
        // Its writer may have put a shorter one in its place, and let go of this one, between the opening and the lock.
        if path.metadata().map_err(read)?.ino() != found.ino() {
            return Err(JournalError::Locked { path: name });
        }
        let length = found.len();

        let mut reader = BufReader::new(&mut file);
        reader.rewind().map_err(read)?;
        let mut chain = Chain::new();
        let end = match frame::read_header(&mut reader).map_err(read)? {
            Header::Known => {
                let begin = frame::header().len() as u64;
                scan(&mut reader, &mut chain, begin, &name)?
            }
            Header::Based => {
                let begin = scan_base(&mut reader, &mut chain, &name)?;
                scan(&mut reader, &mut chain, begin, &name)?
            }
            Header::Unfinished => 0,
            Header::Newer(found) => {
                return Err(JournalError::Newer {
                    path: name,
                    found,
                    known: frame::VERSION,
                });
            }
            Header::Foreign(reason) => return Err(foreign(reason)),
        };

        let recovery = Recovery {
            records: chain.next,
            dropped_bytes: length - end,
            created: length == 0,
        };
        let mut journal = Self {
            path: name.clone(),
            store: Box::new(file),
            chain,
            end,
            dirty: length != end,
            retaining: None,
        };
        journal.clean().map_err(write)?;
        if end == 0 {
            journal
                .extend(frame::header().as_bytes())
                .and_then(|()| sync_parent(path))
                .map_err(write)?;
        }
        Ok((journal, recovery))
    }

    /// Appends all records or none; see [`Journal::append`]. For any kind of record, so that tests need no engine.
    pub fn append_all<R: Serialize>(
        &mut self,
        at: Timestamp,
        records: &[R],
    ) -> Result<(), JournalError> {
        if records.is_empty() {
            return Ok(());
        }
        let mut chain = self.chain.clone();
        let mut bytes = Vec::new();
        for record in records {
            chain
                .encode(at, record, &mut bytes)
                .map_err(|reason| JournalError::Unfit {
                    path: self.path.clone(),
                    reason,
                })?;
        }
        let write = |path: &str, source| JournalError::Write {
            path: path.to_owned(),
            source,
        };
        self.clean().map_err(|source| write(&self.path, source))?;
        self.check_undisturbed()?;
        self.extend(&bytes)
            .map_err(|source| write(&self.path, source))?;
        self.chain = chain;
        self.retain(at);
        Ok(())
    }

    /// From now on old records are dropped, when it is due and beside the work of the agent.
    pub fn keep(&mut self, retention: Retention) {
        self.retaining = Some(Retaining::new(retention));
    }

    /// Drops what is not kept any more, at once; true when there was something.
    ///
    /// # Errors
    /// It was not possible; the journal is as it was.
    pub fn retain_now(
        &mut self,
        at: Timestamp,
        retention: &Retention,
    ) -> Result<bool, JournalError> {
        let built = retain::build(Path::new(&self.path), self.end, at, retention)?;
        match built {
            None => Ok(false),
            Some(built) => self.replace(at, built).map(|()| true),
        }
    }

    /// Looks whether something is to be dropped. What goes wrong is told, and tried again later: the records are not lost.
    fn retain(&mut self, at: Timestamp) {
        let Some(mut retaining) = self.retaining.take() else {
            return;
        };
        match retaining.look(Path::new(&self.path), self.end, at) {
            None => {}
            Some(Ok(built)) => {
                let dropped = built.dropped.clone();
                match self.replace(at, built) {
                    Ok(()) => tracing::info!(
                        journal.path = self.path,
                        "records up to {} of the journal, until {}, were dropped, as `retention` says",
                        dropped.through,
                        dropped.until
                    ),
                    Err(error) => retain::warn(&error),
                }
            }
            Some(Err(error)) => retain::warn(&error),
        }
        self.retaining = Some(retaining);
    }

    /// Puts a file with fewer records in the place of this one.
    fn replace(&mut self, at: Timestamp, built: Built) -> Result<(), JournalError> {
        self.check_undisturbed()?;
        let mut chain = self.chain.clone();
        let placed = built.complete(Path::new(&self.path), self.end, at, &mut chain)?;
        self.store = Box::new(placed.file);
        self.end = placed.length;
        self.chain = chain;
        self.dirty = false;
        Ok(())
    }

    /// One write and one sync; what a failure leaves behind is taken away at once if the disk lets us.
    fn extend(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.dirty = true;
        if let Err(error) = self.store.append(bytes).and_then(|()| self.store.sync()) {
            if let Err(error) = self.clean() {
                tracing::warn!(
                    journal.path = self.path,
                    %error,
                    "the rest of a failed write could not be taken off the journal; it will be before the next write"
                );
            }
            return Err(error);
        }
        self.end += bytes.len() as u64;
        self.dirty = false;
        Ok(())
    }

    /// Takes away what lies behind the last whole record.
    fn clean(&mut self) -> io::Result<()> {
        if self.dirty {
            self.store.truncate(self.end)?;
            self.store.sync()?;
            self.dirty = false;
        }
        Ok(())
    }

    /// A file that was removed or written to by others would take our records into nowhere, without any error.
    fn check_undisturbed(&self) -> Result<(), JournalError> {
        let (length, named) = self.store.look().map_err(|source| JournalError::Read {
            path: self.path.clone(),
            source,
        })?;
        let change = match (named, length == self.end) {
            (true, true) => return Ok(()),
            (false, _) => "removed",
            (true, false) => "written to",
        };
        Err(JournalError::Disturbed {
            path: self.path.clone(),
            change,
        })
    }
}

impl Journal for FileJournal {
    fn append(&mut self, at: Timestamp, records: &[Record]) -> Result<(), JournalError> {
        self.append_all(at, records)
    }

    fn undisturbed(&self) -> Result<(), JournalError> {
        // What a failed write of ours left is taken away before the next.
        if self.dirty {
            return Ok(());
        }
        self.check_undisturbed()
    }
}

/// Reads the state in the place of dropped records; returns the offset of the end of it.
fn scan_base(
    reader: &mut BufReader<&mut File>,
    chain: &mut Chain,
    path: &str,
) -> Result<u64, JournalError> {
    let mut end = frame::header_with_base().len() as u64;
    let mut line = Vec::new();
    let mut reading = Reading::default();
    loop {
        let next = frame::read_line(reader, &mut line).map_err(|source| JournalError::Read {
            path: path.to_owned(),
            source,
        })?;
        end += line.len() as u64;
        let taken = match next {
            Line::Whole => reading.take(&line),
            Line::End | Line::Cut | Line::Broken => Err(String::new()),
        };
        match taken {
            Ok(None) => {}
            Ok(Some(base)) => {
                *chain = Chain::behind(&base);
                return Ok(end);
            }
            Err(_) => {
                return Err(JournalError::Tampered {
                    path: path.to_owned(),
                    sequence: 0,
                    how: Break::Base,
                });
            }
        }
    }
}

/// Follows the chain to its end; returns the offset of the end of the last whole record.
fn scan(
    reader: &mut BufReader<&mut File>,
    chain: &mut Chain,
    begin: u64,
    path: &str,
) -> Result<u64, JournalError> {
    let mut end = begin;
    let mut line = Vec::new();
    loop {
        let next = frame::read_line(reader, &mut line).map_err(|source| JournalError::Read {
            path: path.to_owned(),
            source,
        })?;
        let fits = match next {
            Line::End | Line::Cut if chain.base_is_named() => return Ok(end),
            Line::End | Line::Cut => Err(Misfit::Chain(Break::Base)),
            Line::Broken => Err(Misfit::Chain(Break::Changed)),
            Line::Whole => chain.follow(&line),
        };
        match fits {
            // What a record says is not looked into here.
            Ok(()) | Err(Misfit::Record(_)) => {}
            Err(Misfit::Chain(how)) => {
                return Err(JournalError::Tampered {
                    path: path.to_owned(),
                    sequence: chain.next,
                    how,
                });
            }
        }
        end += line.len() as u64;
    }
}

/// Makes the file's name durable, not only its contents.
pub(super) fn sync_parent(path: &Path) -> io::Result<()> {
    let parent = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    File::open(parent)?.sync_all()
}

#[cfg(test)]
mod tests;
