//! What an agent's journal says, read on as it grows: tests look many times a second, and a whole journal is not read and
//! hashed anew for each look.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use recant::journal::read::{Entries, read};
use recant::journal::{Entry, JournalError};
use recant_core::ledger::Ledger;
use recant_core::record::Record;

/// Everything that was durable at the last look.
#[derive(Debug, Default)]
pub(super) struct Book {
    reader: Option<Reader>,
    entries: Vec<Entry<Record>>,
    ledger: Ledger,
}

/// The rest of a file.
#[derive(Debug)]
struct Reader {
    /// A journal that has dropped its past is another file.
    inode: u64,
    rest: Entries<Record>,
}

impl Book {
    /// All records, and what they fold to; none when there is no journal.
    pub(super) fn look(&mut self, path: &Path) -> (&[Entry<Record>], &Ledger) {
        // A test may have cut or rewritten the file: then it is read from its beginning.
        if self.read_on(path).is_err() {
            *self = Self::default();
            self.read_on(path).unwrap_or_else(|error| panic!("{error}"));
        }
        (&self.entries, &self.ledger)
    }

    fn read_on(&mut self, path: &Path) -> Result<(), JournalError> {
        let Ok(file) = std::fs::metadata(path) else {
            *self = Self::default();
            return Ok(());
        };
        let same =
            |reader: &Reader| reader.inode == file.ino() && reader.rest.offset() <= file.len();
        if !self.reader.as_ref().is_some_and(same) {
            *self = Self::default();
        }
        let reader = match self.reader.take() {
            Some(reader) => reader,
            None => Reader {
                inode: file.ino(),
                rest: read(path)?,
            },
        };
        let reader = self.reader.insert(reader);
        for entry in reader.rest.by_ref() {
            let entry = entry?;
            self.ledger.apply(entry.at, &entry.record);
            self.entries.push(entry);
        }
        Ok(())
    }
}
