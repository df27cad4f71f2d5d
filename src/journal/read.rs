//! Reading a journal while its writer may be at work: no lock, one record in memory at a time.

use std::fs::File;
use std::io::{BufReader, Seek, SeekFrom};
use std::marker::PhantomData;
use std::path::Path;

use recant_core::ledger::Ledger;
use serde::de::DeserializeOwned;

use super::JournalError;
use super::base::{self, Base};
use super::frame::{self, Break, Chain, Entry, Header, Line, Misfit};

/// Opens the journal at `path` for reading from its first record on.
///
/// # Errors
/// When it cannot be opened, is no journal, or is of a newer format.
pub fn read<R: DeserializeOwned>(path: &Path) -> Result<Entries<R>, JournalError> {
    let name = path.display().to_string();
    let file = File::open(path).map_err(|source| {
        let path = name.clone();
        if source.kind() == std::io::ErrorKind::NotFound {
            JournalError::Missing { path, source }
        } else {
            JournalError::Read { path, source }
        }
    })?;
    let mut entries = Entries {
        path: name,
        reader: BufReader::new(file),
        offset: 0,
        base: None,
        chain: Chain::new(),
        line: Vec::new(),
        failed: false,
        record: PhantomData,
    };
    entries.begin()?;
    Ok(entries)
}

/// The records of a journal, oldest first; every one is checked against the chain.
///
/// `None` at the last whole record. When it is asked again later it goes on with what was appended since.
/// After an error there is nothing more.
#[derive(Debug)]
pub struct Entries<R> {
    path: String,
    reader: BufReader<File>,
    /// Of the end of the last whole record; 0 before the header was read.
    offset: u64,
    base: Option<Box<Base>>,
    chain: Chain,
    line: Vec<u8>,
    failed: bool,
    record: PhantomData<fn() -> R>,
}

impl<R: DeserializeOwned> Iterator for Entries<R> {
    type Item = Result<Entry<R>, JournalError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        let result = self.advance().transpose();
        self.failed = matches!(result, Some(Err(_)));
        result
    }
}

impl<R: DeserializeOwned> Entries<R> {
    /// What stands in the place of records that were dropped.
    pub fn base(&self) -> Option<&Base> {
        self.base.as_deref()
    }

    /// The state before the first record: empty, or that of the base.
    ///
    /// # Errors
    /// A newer Recant wrote it.
    pub fn ledger(&self) -> Result<Ledger, JournalError> {
        let Some(base) = &self.base else {
            return Ok(Ledger::default());
        };
        base.ledger().map_err(|reason| JournalError::Unknown {
            path: self.path.clone(),
            sequence: base.dropped.through,
            reason,
        })
    }

    /// Bytes read so far, up to the end of the last whole record.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// The number of the last record that was read, and its hash; `None` before the first.
    pub fn head(&self) -> Option<(u64, &str)> {
        self.chain.head()
    }

    fn begin(&mut self) -> Result<(), JournalError> {
        let path = || self.path.clone();
        match frame::read_header(&mut self.reader) {
            Ok(Header::Known) => {
                self.offset = frame::header().len() as u64;
                Ok(())
            }
            Ok(Header::Based) => {
                self.offset = frame::header_with_base().len() as u64;
                self.begin_with_base()
            }
            Ok(Header::Unfinished) => self.rewind(),
            Ok(Header::Newer(found)) => Err(JournalError::Newer {
                path: path(),
                found,
                known: frame::VERSION,
            }),
            Ok(Header::Foreign(reason)) => Err(JournalError::NotAJournal {
                path: path(),
                reason: reason.to_owned(),
            }),
            Err(source) => Err(JournalError::Read {
                path: path(),
                source,
            }),
        }
    }

    /// A base is there as a whole: the file had no name before.
    fn begin_with_base(&mut self) -> Result<(), JournalError> {
        let mut reading = base::Reading::default();
        loop {
            let line = frame::read_line(&mut self.reader, &mut self.line).map_err(|source| {
                JournalError::Read {
                    path: self.path.clone(),
                    source,
                }
            })?;
            let taken = match line {
                Line::Whole => reading.take(&self.line),
                Line::End | Line::Cut | Line::Broken => Err(String::new()),
            };
            self.offset += self.line.len() as u64;
            match taken {
                Ok(None) => {}
                Ok(Some(base)) => {
                    self.chain = Chain::behind(&base);
                    self.base = Some(Box::new(base));
                    return Ok(());
                }
                Err(_) => return Err(self.tampered(0, Break::Base)),
            }
        }
    }

    fn tampered(&self, sequence: u64, how: Break) -> JournalError {
        JournalError::Tampered {
            path: self.path.clone(),
            sequence,
            how,
        }
    }

    /// At the end of what there is.
    fn end(&self) -> Result<(), JournalError> {
        if self.chain.base_is_named() {
            return Ok(());
        }
        let first = self
            .base
            .as_ref()
            .map_or(0, |base| base.dropped.through + 1);
        Err(self.tampered(first, Break::Base))
    }

    fn advance(&mut self) -> Result<Option<Entry<R>>, JournalError> {
        if self.offset == 0 {
            self.begin()?;
            if self.offset == 0 {
                return Ok(None);
            }
        }
        let line = frame::read_line(&mut self.reader, &mut self.line).map_err(|source| {
            JournalError::Read {
                path: self.path.clone(),
                source,
            }
        })?;
        let sequence = self.chain.next;
        let path = || self.path.clone();
        match line {
            Line::End => self.end().map(|()| None),
            Line::Cut => self.end().and_then(|()| self.rewind()).map(|()| None),
            Line::Broken => Err(self.tampered(sequence, Break::Changed)),
            Line::Whole => match self.chain.decode(&self.line) {
                Ok(entry) => {
                    self.offset += self.line.len() as u64;
                    Ok(Some(entry))
                }
                Err(Misfit::Chain(how)) => Err(self.tampered(sequence, how)),
                Err(Misfit::Record(reason)) => Err(JournalError::Unknown {
                    path: path(),
                    sequence,
                    reason,
                }),
            },
        }
    }

    /// Back to the end of the last whole record: the rest of the next one may come.
    fn rewind(&mut self) -> Result<(), JournalError> {
        self.reader
            .seek(SeekFrom::Start(self.offset))
            .map(drop)
            .map_err(|source| JournalError::Read {
                path: self.path.clone(),
                source,
            })
    }
}
