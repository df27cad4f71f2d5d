//! The journal where there is no volume: compacted into one `ConfigMap`, written under the lock of its
//! resourceVersion. Several `recant once` share it under one Lease, each with targets of its own.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use tokio::runtime::Handle;

use recant_core::ids::TargetId;
use recant_core::record::Record;

use super::compact::{CompactError, State};
use super::slot::Slot;
use super::{Journal, JournalError};
use crate::cluster::ClusterError;
use crate::cluster::kubernetes::config_map::{ConfigMapObject, Stored};

/// The writer of a `ConfigMap`. Clones share it. Needs a runtime of several threads: an append waits for the API
/// server.
#[derive(Debug, Clone)]
pub struct ConfigMapJournal {
    shared: Arc<Mutex<Shared>>,
    runtime: Handle,
}

#[derive(Debug)]
struct Shared {
    slot: Slot,
    state: State,
}

/// Why a state cannot be taken up.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// What is there is left untouched.
    #[error(
        "the state in the ConfigMap {path} cannot be used, so nothing is judged and nothing is done: {source}. \
         To begin anew, delete it (`kubectl delete configmap -n {namespace} {name}`); the revision that runs then \
         counts as seen for the first time, and is not judged"
    )]
    Unusable {
        path: String,
        namespace: String,
        name: String,
        source: CompactError,
    },
    #[error("the state in the ConfigMap {path} cannot be read")]
    Unreadable { path: String, source: ClusterError },
}

impl ConfigMapJournal {
    /// Reads what is there. Nothing is written yet.
    ///
    /// # Errors
    /// It cannot be read, is of a newer version, was edited, or is something else.
    pub async fn open(object: ConfigMapObject) -> Result<Self, StateError> {
        let (stored, state) = read(&object).await?;
        Ok(Self {
            shared: Arc::new(Mutex::new(Shared {
                slot: Slot::read_as(object, stored),
                state,
            })),
            runtime: Handle::current(),
        })
    }

    /// The state as it is durable now.
    pub fn state(&self) -> State {
        self.lock().state.clone()
    }

    /// Writes down that these targets were looked at.
    ///
    /// # Errors
    /// As for an append.
    pub fn looked(&self, targets: &[TargetId], at: Timestamp) -> Result<(), JournalError> {
        self.change(|state| state.look(targets, at))
    }

    fn change(&self, change: impl FnOnce(&mut State)) -> Result<(), JournalError> {
        let mut shared = self.lock();
        let mut state = shared.state.clone();
        change(&mut state);
        if state == shared.state && shared.slot.is_stored() {
            return Ok(());
        }
        tokio::task::block_in_place(|| self.runtime.block_on(shared.write(state)))
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reads the state of a `ConfigMap`; none is the state before the first run.
///
/// # Errors
/// It cannot be read, is of a newer version, was edited, or is something else.
pub async fn read(object: &ConfigMapObject) -> Result<(Option<Stored>, State), StateError> {
    let stored = object
        .read()
        .await
        .map_err(|source| StateError::Unreadable {
            path: object.path(),
            source,
        })?;
    let data = stored.as_ref().map(Stored::data).unwrap_or_default();
    let state = State::decode(&data).map_err(|source| StateError::Unusable {
        path: object.path(),
        namespace: object.namespace().to_owned(),
        name: object.name().to_owned(),
        source,
    })?;
    Ok((stored, state))
}

impl Shared {
    async fn write(&mut self, state: State) -> Result<(), JournalError> {
        let data = state.encode().map_err(|error| JournalError::Unfit {
            path: format!("in ConfigMap {}", self.slot.path()),
            reason: error.to_string(),
        })?;
        self.slot.write(data).await?;
        self.state = state;
        Ok(())
    }
}

impl Journal for ConfigMapJournal {
    fn append(&mut self, at: Timestamp, records: &[Record]) -> Result<(), JournalError> {
        if records.is_empty() {
            return Ok(());
        }
        self.change(|state| state.apply(at, records))
    }

    fn append_all(&mut self, batches: &[(Timestamp, Vec<Record>)]) -> Result<(), JournalError> {
        if batches.iter().all(|(_, records)| records.is_empty()) {
            return Ok(());
        }
        self.change(|state| {
            for (at, records) in batches {
                state.apply(*at, records);
            }
        })
    }
}
