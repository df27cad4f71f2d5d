//! Reading a journal while its writer may be at work: no lock, one record in memory at a time.

use std::fs::File;
use std::io::{BufReader, Seek, SeekFrom};
use std::marker::PhantomData;
use std::path::Path;

use serde::de::DeserializeOwned;

use super::JournalError;
use super::frame::{self, Break, Chain, Entry, Header, Line, Misfit};

/// Opens the journal at `path` for reading from its first record on.
///
/// # Errors
/// When it cannot be opened, is no journal, or is of a newer format.
pub fn read<R: DeserializeOwned>(path: &Path) -> Result<Entries<R>, JournalError> {
    let name = path.display().to_string();
    let file = File::open(path).map_err(|source| JournalError::Read {
        path: name.clone(),
        source,
    })?;
    let mut entries = Entries {
        path: name,
        reader: BufReader::new(file),
        offset: 0,
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
            Line::End => Ok(None),
            Line::Cut => self.rewind().map(|()| None),
            Line::Broken => Err(JournalError::Tampered {
                path: path(),
                sequence,
                how: Break::Changed,
            }),
            Line::Whole => match self.chain.decode(&self.line) {
                Ok(entry) => {
                    self.offset += self.line.len() as u64;
                    Ok(Some(entry))
                }
                Err(Misfit::Chain(how)) => Err(JournalError::Tampered {
                    path: path(),
                    sequence,
                    how,
                }),
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
