//! Records first, effects after: what a tick led to is held back until its records are durable (P3).

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use recant_core::engine::Output;
use recant_core::ledger::Ledger;
use recant_core::plan::StepOutcome;
use recant_core::record::Record;
use recant_core::snapshot::Snapshot;
use tokio::time::Instant;

use super::looking::Look;
use super::{Parts, Pending, Ticked, hand_out};
use crate::journal::JournalError;
use crate::journal::read::read;

/// What a journal held.
#[derive(Debug)]
pub struct Recovered {
    pub ledger: Ledger,
    /// That are still there.
    pub records: u64,
    /// When the last record was written.
    pub last: Option<Timestamp>,
}

/// Folds the journal at `path` into the lasting state.
pub fn fold(path: &Path) -> Result<Recovered, JournalError> {
    let mut entries = read::<Record>(path)?;
    let mut ledger = entries.ledger()?;
    let mut records = 0;
    let mut last = entries.base().map(|base| base.dropped.until);
    for entry in &mut entries {
        let entry = entry?;
        ledger.apply(entry.at, &entry.record);
        records += 1;
        last = Some(entry.at);
    }
    Ok(Recovered {
        ledger,
        records,
        last,
    })
}

/// The output of a tick whose records are not durable yet.
#[derive(Debug, Default)]
pub(super) struct Held {
    pending: Option<Pending>,
    failing: bool,
    /// Nothing can be written to this journal any more, whatever is tried: why.
    lost: Option<JournalError>,
    /// Steps that the executor did not take: their results, for the next tick.
    pub(super) refused: Vec<StepOutcome>,
    /// What the engine wants to be looked at.
    pub(super) looks: Vec<Look>,
    /// What readers see, and since when.
    shown: Option<(Instant, Arc<Snapshot>)>,
}

/// A picture in which nothing happened is shown for this long: several ticks a second bring only a few answers each.
const SHOWN: Duration = Duration::from_millis(900);

impl Held {
    pub(super) fn hold(&mut self, at: Timestamp, output: Output, took: Duration) {
        self.pending = Some((at, output, took));
    }

    /// Writes what is held and hands out its effects; false while it cannot be written. After a failure it is tried
    /// again only when `retry` says so: once a tick, not in a busy loop.
    pub(super) fn write(&mut self, parts: &mut Parts, retry: bool) -> bool {
        let Some((at, output, took)) = self.pending.take() else {
            return true;
        };
        if self.failing && !retry {
            self.pending = Some((at, output, took));
            return false;
        }
        if !output.records.is_empty()
            && let Err(error) = parts.journal.append(at, &output.records)
        {
            self.failing = true;
            parts.observer.journal_failing(&error);
            if !error.retry() {
                self.lost = Some(error);
            }
            self.pending = Some((at, output, took));
            return false;
        }
        self.failing = false;
        // Nothing here depends on it: what is not shown now is shown with the next tick.
        if let Err(error) = parts.journal.show(at, &parts.engine.wishes()) {
            parts.observer.journal_failing(&error);
            if !error.retry() {
                self.lost = Some(error);
            }
        }
        let Output {
            records,
            effects,
            // Whoever reported or ordered something has been told, or will be.
            no_room: _,
            replies: _,
        } = output;
        hand_out(parts, effects, &mut self.refused, &mut self.looks);
        let snapshot = match &self.shown {
            Some((since, shown)) if records.is_empty() && since.elapsed() < SHOWN => shown.clone(),
            Some(_) | None => Arc::new(parts.engine.snapshot(at)),
        };
        if self
            .shown
            .as_ref()
            .is_none_or(|(_, shown)| !Arc::ptr_eq(shown, &snapshot))
        {
            self.shown = Some((Instant::now(), snapshot.clone()));
        }
        parts.observer.ticked(&Ticked {
            at,
            took,
            records: &records,
            snapshot: &snapshot,
            ledger: parts.engine.ledger(),
        });
        true
    }

    /// Whether the journal is still ours alone; also when there is nothing to write. A process that was away for long and
    /// goes on with an old picture must not wait for its next record to find out.
    pub(super) fn undisturbed(&mut self, parts: &mut Parts) -> bool {
        let Err(error) = parts.journal.undisturbed() else {
            return true;
        };
        parts.observer.journal_failing(&error);
        if !error.retry() {
            self.lost = Some(error);
        }
        false
    }

    /// Why nothing can be written any more, if so. The process has to end then: it decides nothing again, and while it holds
    /// the Lease nobody else does.
    pub(super) fn lost(&mut self) -> Option<JournalError> {
        self.lost.take()
    }

    /// Writes what is held without handing out any effect: the process ends. What was begun in the journal is done
    /// by the next process.
    pub(super) fn write_last(&mut self, parts: &mut Parts) -> Result<(), JournalError> {
        let Some((at, output, _)) = self.pending.take() else {
            return Ok(());
        };
        parts.journal.append(at, &output.records)
    }
}
