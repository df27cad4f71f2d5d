//! The seam `Journal` of one process: the real file of the real format, on a disk that is full at times, and a process
//! that dies before, within and after an append.

use std::fs::{self, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError};

use jiff::{SignedDuration, Timestamp};
use recant::agent::{Recovered, fold};
use recant::journal::file::FileJournal;
use recant::journal::read::read;
use recant::journal::retain::Retention;
use recant::journal::{Journal, JournalError};
use recant_core::ledger::Ledger;
use recant_core::record::Record;

use crate::incarnation::Incarnation;
use crate::scenario::Point;
use crate::world::Sim;

pub(crate) struct SimJournal {
    sim: Arc<Sim>,
    process: Arc<Incarnation>,
    file: FileJournal,
    path: PathBuf,
}

impl SimJournal {
    /// Opens the journal as the agent does, and folds it.
    pub(crate) fn open(
        sim: &Arc<Sim>,
        process: &Arc<Incarnation>,
        path: &Path,
    ) -> Result<(Self, Ledger), JournalError> {
        let (mut file, recovery) = FileJournal::open(path)?;
        let Recovered { ledger, .. } = fold(path)?;
        if !sim.world().oracle.folded(&ledger, recovery.records) {
            held_against(sim, path, &ledger)?;
        }
        if retain(sim, &mut file)? {
            held_against(sim, path, &fold(path)?.ledger)?;
        }
        *process
            .shadow
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = ledger.clone();
        let journal = Self {
            sim: Arc::clone(sim),
            process: Arc::clone(process),
            file,
            path: path.to_owned(),
        };
        Ok((journal, ledger))
    }

    fn torn(&mut self, at: Timestamp, records: &[Record]) -> Result<(), JournalError> {
        let length = |path: &Path| fs::metadata(path).map_or(0, |found| found.len());
        let before = length(&self.path);
        self.file.append(at, records)?;
        let after = length(&self.path);
        let kept = self.sim.world().random.between(before, after);
        let cut = OpenOptions::new().write(true).open(&self.path);
        if let Err(error) = cut.and_then(|file| file.set_len(kept)) {
            self.sim
                .note(&format!("the journal could not be cut: {error}"));
        }
        Ok(())
    }
}

impl Journal for SimJournal {
    fn append(&mut self, at: Timestamp, records: &[Record]) -> Result<(), JournalError> {
        if self.process.dead() {
            return Err(failure(io::ErrorKind::BrokenPipe));
        }
        let full = {
            let mut world = self.sim.world();
            let odds = world.scenario.odds.journal;
            world.now < world.disk_full_until || world.goes_wrong(odds)
        };
        if full {
            self.sim
                .note(&format!("{} cannot write its journal", self.process));
            return Err(failure(io::ErrorKind::StorageFull));
        }
        self.sim.arrive(&self.process, Point::BeforeAppend);
        if self.process.dead() {
            return Err(failure(io::ErrorKind::BrokenPipe));
        }
        if self.sim.arrive(&self.process, Point::TornAppend) && self.process.dead() {
            self.torn(at, records)?;
            return Err(failure(io::ErrorKind::BrokenPipe));
        }
        self.file.append(at, records)?;
        {
            let mut shadow = self
                .process
                .shadow
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            for record in records {
                shadow.apply(at, record);
            }
        }
        let seconds = self.sim.seconds();
        let mut world = self.sim.world();
        let deciding = self.process.holds() || self.process.stop.is_cancelled();
        for record in records {
            if let Some(line) = crate::words::line(record) {
                world
                    .trace
                    .line(format!("{seconds:>7.2} {} | {line}", self.process));
            }
            world.trace.steps += 1;
            let world = &mut *world;
            let now = world.now;
            let checked = world
                .oracle
                .durable(at, record, &world.workloads, now, deciding);
            if let Err(broken) = checked {
                world.violated(seconds, broken);
            }
        }
        drop(world);
        self.sim.arrive(&self.process, Point::AfterAppend);
        if self.process.dead() {
            return Err(failure(io::ErrorKind::BrokenPipe));
        }
        Ok(())
    }

    fn undisturbed(&self) -> Result<(), JournalError> {
        self.file.undisturbed()
    }
}

/// What the file holds and folds to is what was acknowledged.
fn held_against(sim: &Arc<Sim>, path: &Path, ledger: &Ledger) -> Result<(), JournalError> {
    let entries: Result<Vec<_>, _> = read::<Record>(path)?.collect();
    let check = sim.world().oracle.opened(ledger, entries?);
    sim.hold(check);
    Ok(())
}

/// Now and then what was written long ago, by the true time, is dropped.
fn retain(sim: &Arc<Sim>, file: &mut FileJournal) -> Result<bool, JournalError> {
    let (wanted, keep) = {
        let mut world = sim.world();
        (world.random.chance(150), world.random.between(0, 30))
    };
    let retention = Retention {
        keep: i64::try_from(keep).ok().map(SignedDuration::from_secs),
        bytes: u64::MAX,
    };
    Ok(wanted && file.retain_now(sim.time(), &retention)?)
}

fn failure(kind: io::ErrorKind) -> JournalError {
    JournalError::Write {
        path: "journal".to_owned(),
        source: kind.into(),
    }
}
