//! A journal in memory, for the demo and for tests. Nothing of it survives the process.

use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;

use recant_core::record::Record;

use super::{Journal, JournalError};

/// Clones share the same records: keep one to look at what another one appends.
#[derive(Debug, Clone, Default)]
pub struct MemoryJournal {
    shared: Arc<Mutex<Shared>>,
}

#[derive(Debug, Default)]
struct Shared {
    entries: Vec<(Timestamp, Record)>,
    full: bool,
}

impl MemoryJournal {
    /// All records so far, oldest first.
    pub fn records(&self) -> Vec<(Timestamp, Record)> {
        self.lock().entries.clone()
    }

    /// From now on every append fails as on a full disk.
    pub fn fill_up(&self) {
        self.lock().full = true;
    }

    /// Appends succeed again.
    pub fn make_room(&self) {
        self.lock().full = false;
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Shared> {
        // Nothing in here can panic half way.
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Journal for MemoryJournal {
    fn append(&mut self, at: Timestamp, records: &[Record]) -> Result<(), JournalError> {
        let mut shared = self.lock();
        if shared.full {
            return Err(JournalError::Write {
                path: "in memory".to_owned(),
                source: std::io::ErrorKind::StorageFull.into(),
            });
        }
        shared
            .entries
            .extend(records.iter().map(|record| (at, record.clone())));
        Ok(())
    }
}
