//! The last snapshot as others are answered from it: typed, and never old without anybody knowing.

use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwapOption;

use recant_core::snapshot::Snapshot;

/// A snapshot older than this says nothing about now. The loop takes one every second; it stands still while the journal
/// cannot be written.
const STALE: Duration = Duration::from_secs(15);

/// Holds the last snapshot; readers never wait for it, and nobody waits for them.
#[derive(Debug, Default)]
pub struct View {
    current: ArcSwapOption<Seen>,
    /// Who knows, where this process does not.
    elsewhere: ArcSwapOption<String>,
}

#[derive(Debug)]
struct Seen {
    at: Instant,
    snapshot: Arc<Snapshot>,
}

/// Why there is nothing to answer from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unviewable {
    /// Another replica works, and this one waits: a sentence that says which.
    Elsewhere(String),
    /// There was no snapshot yet.
    Starting,
    /// The last one is this old.
    Stale(Duration),
}

impl View {
    /// Replaces the snapshot.
    pub fn store(&self, snapshot: Arc<Snapshot>) {
        let at = Instant::now();
        self.current.store(Some(Arc::new(Seen { at, snapshot })));
    }

    /// Another replica works, and this one waits: a sentence that says which. `None`: this one works.
    pub fn elsewhere(&self, who: Option<String>) {
        self.elsewhere.store(who.map(Arc::new));
    }

    /// The last snapshot.
    ///
    /// # Errors
    /// When there is none, or it is too old to say anything.
    pub fn load(&self) -> Result<Arc<Snapshot>, Unviewable> {
        if let Some(who) = &*self.elsewhere.load() {
            return Err(Unviewable::Elsewhere(String::clone(who)));
        }
        let seen = self.current.load();
        let seen = seen.as_ref().ok_or(Unviewable::Starting)?;
        let age = seen.at.elapsed();
        if age > STALE {
            return Err(Unviewable::Stale(age));
        }
        Ok(seen.snapshot.clone())
    }
}
