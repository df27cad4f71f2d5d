//! How long records are kept. What is older, or too much, is folded into a [`Base`](super::base::Base) that takes its
//! place: in a new file beside the journal, which replaces it when it is whole and durable.
//!
//! A crash at any point leaves either the old file or the new one. The folding is done by a thread of its own, so that
//! no tick waits for it; what was appended meanwhile is copied at the end.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;

use jiff::{SignedDuration, Timestamp};
use recant_core::record::Record;

use super::base::{Base, Dropped};
use super::frame::Chain;
use super::read::read;
use super::{JournalError, file};

/// Between two attempts while the file is too long,
const PAUSE: SignedDuration = SignedDuration::from_mins(10);
/// and between two looks at how old its records are, which read all of it.
const AGE_PAUSE: SignedDuration = SignedDuration::from_hours(6);

/// What is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// Records younger than this; `None`: of any age.
    pub keep: Option<SignedDuration>,
    /// The file is made half of this long when it is longer, whatever the age of its records.
    pub bytes: u64,
}

/// When records are dropped, and the thread that does it.
#[derive(Debug)]
pub(super) struct Retaining {
    retention: Retention,
    building: Option<JoinHandle<Result<Option<Built>, JournalError>>>,
    looked: Option<Timestamp>,
}

/// A new file that is not in place yet.
#[derive(Debug)]
pub(super) struct Built {
    pub(super) dropped: Dropped,
    base: String,
    place: PathBuf,
    file: File,
    /// Up to here the old file is in it.
    until: u64,
}

/// A new file in the place of the old one.
#[derive(Debug)]
pub(super) struct Placed {
    pub(super) file: File,
    pub(super) length: u64,
}

impl Retaining {
    pub(super) fn new(retention: Retention) -> Self {
        Self {
            retention,
            building: None,
            looked: None,
        }
    }

    /// What was built, if that has ended; begins to build when it is time to.
    pub(super) fn look(
        &mut self,
        path: &Path,
        end: u64,
        now: Timestamp,
    ) -> Option<Result<Built, JournalError>> {
        if let Some(building) = self.building.take_if(|building| building.is_finished()) {
            return match building.join() {
                Ok(Ok(built)) => built.map(Ok),
                Ok(Err(error)) => Some(Err(error)),
                Err(_) => Some(Err(failed(path, io::Error::other("the thread panicked")))),
            };
        }
        let pause = if end > self.retention.bytes {
            PAUSE
        } else if self.retention.keep.is_some() {
            AGE_PAUSE
        } else {
            return None;
        };
        let looked = self.looked;
        let waited = looked.is_none_or(|looked| now.duration_since(looked).abs() >= pause);
        if self.building.is_some() || !waited {
            return None;
        }
        self.looked = Some(now);
        let (path, retention) = (path.to_owned(), self.retention);
        let name = "journal-retention".to_owned();
        let spawned = std::thread::Builder::new().name(name).spawn({
            let path = path.clone();
            move || build(&path, end, now, &retention)
        });
        match spawned {
            Ok(building) => {
                self.building = Some(building);
                None
            }
            Err(error) => Some(Err(failed(&path, error))),
        }
    }
}

/// Writes what is to be kept of the first `end` bytes of a journal into a new file; `None`: all of it is.
///
/// # Errors
/// It cannot be read, or the new file cannot be written.
pub(super) fn build(
    path: &Path,
    end: u64,
    now: Timestamp,
    retention: &Retention,
) -> Result<Option<Built>, JournalError> {
    // A link is followed: what it leads to is replaced, not the link.
    let path = &path.canonicalize().map_err(|source| failed(path, source))?;
    let mut entries = read::<Record>(path)?;
    let mut ledger = entries.ledger()?;
    let before = entries.base().map(|base| base.dropped.clone());
    let youngest = retention.keep.and_then(|keep| now.checked_sub(keep).ok());
    let most = if end > retention.bytes {
        retention.bytes / 2
    } else {
        u64::MAX
    };
    let begin = entries.offset();
    let mut kept = begin;
    let mut last = None;
    let mut head = None;
    let mut from = before.as_ref().map(|before| before.from);
    while entries.offset() < end {
        let Some(entry) = entries.next().transpose()? else {
            break;
        };
        let old = youngest.is_some_and(|youngest| entry.at < youngest);
        if !old && end.saturating_sub(kept) <= most {
            break;
        }
        ledger.apply(entry.at, &entry.record);
        from = from.or(Some(entry.at));
        last = Some(entry.at);
        head = entries
            .head()
            .map(|(number, hash)| (number, hash.to_owned()));
        kept = entries.offset();
    }
    let (Some(until), Some(from), Some((through, last))) = (last, from, head) else {
        return Ok(None);
    };
    // Whatever is dropped costs a whole new file: a few old records are left until there are more.
    let few = (kept - begin).saturating_mul(10) < end - begin;
    if few && end <= retention.bytes {
        return Ok(None);
    }
    let dropped = Dropped {
        through,
        last,
        from,
        until,
    };
    let (bytes, base) = Base::encode(&dropped, &ledger).map_err(|reason| JournalError::Unfit {
        path: path.display().to_string(),
        reason: format!("the state in the place of dropped records: {reason}"),
    })?;
    let place = beside(path);
    let made = || -> io::Result<File> {
        let mut file = OpenOptions::new()
            .read(true)
            .append(true)
            .create(true)
            .open(&place)?;
        // Left over from a process that died; another one that is at work on it cannot be: it would hold the journal.
        file.set_len(0)?;
        file.set_permissions(fs::metadata(path)?.permissions())?;
        file.try_lock().map_err(io::Error::from)?;
        file.write_all(&bytes)?;
        copy(path, kept, end, &mut file)?;
        file.sync_data()?;
        Ok(file)
    };
    match made() {
        Ok(file) => Ok(Some(Built {
            dropped,
            base,
            place,
            file,
            until: end,
        })),
        Err(source) => {
            drop(fs::remove_file(&place));
            Err(failed(&place, source))
        }
    }
}

impl Built {
    /// Adds what was appended meanwhile and the record of what was dropped, and takes the place of the old file.
    pub(super) fn complete(
        mut self,
        path: &Path,
        end: u64,
        at: Timestamp,
        chain: &mut Chain,
    ) -> Result<Placed, JournalError> {
        let place = self.place.clone();
        let completed = self.try_complete(path, end, at, chain);
        completed.map_err(|source| {
            drop(fs::remove_file(&place));
            failed(&place, source)
        })
    }

    fn try_complete(
        &mut self,
        path: &Path,
        end: u64,
        at: Timestamp,
        chain: &mut Chain,
    ) -> io::Result<Placed> {
        let path = &path.canonicalize()?;
        copy(path, self.until, end, &mut self.file)?;
        let record = Record::Compacted {
            through: self.dropped.through,
            last: self.dropped.last.clone(),
            from: self.dropped.from,
            until: self.dropped.until,
            base: self.base.clone(),
        };
        let mut line = Vec::new();
        chain
            .encode(at, &record, &mut line)
            .map_err(io::Error::other)?;
        self.file.write_all(&line)?;
        self.file.sync_all()?;
        let file = self.file.try_clone()?;
        let length = file.metadata()?.len();
        fs::rename(&self.place, path)?;
        file::sync_parent(path)?;
        Ok(Placed { file, length })
    }
}

/// What could not be dropped is dropped later.
pub(super) fn warn(error: &JournalError) {
    let error: &(dyn std::error::Error + 'static) = error;
    let cause = error.source().map(|cause| format!(": {cause}"));
    tracing::warn!(
        "old records of the journal could not be dropped, which is tried again later; nothing is lost: {error}{}",
        cause.unwrap_or_default()
    );
}

fn failed(path: &Path, source: io::Error) -> JournalError {
    JournalError::Write {
        path: path.display().to_string(),
        source,
    }
}

fn beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".shorter");
    PathBuf::from(name)
}

fn copy(path: &Path, from: u64, to: u64, into: &mut File) -> io::Result<()> {
    let mut old = File::open(path)?;
    old.seek(SeekFrom::Start(from))?;
    let wanted = to.saturating_sub(from);
    let copied = io::copy(&mut old.take(wanted), into)?;
    if copied == wanted {
        Ok(())
    } else {
        Err(io::ErrorKind::UnexpectedEof.into())
    }
}

#[cfg(test)]
mod tests;
