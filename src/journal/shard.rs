//! The journal of one shard of targets where there is no volume: two `ConfigMaps`, the base and the log of what came
//! since. An append is one update of the log, under the lock of its resourceVersion; when the log is long, the base takes
//! it up.
//!
//! Whoever opens a journal writes both objects first: a process that had it before and does not know yet that it lost its
//! Lease finds its next write refused, and can never get a record in.

mod stand;
mod texts;

use std::collections::BTreeSet;

use jiff::Timestamp;
use kube::Client;
use tokio::runtime::Handle;

use recant_core::ledger::Ledger;
use recant_core::record::Record;
use recant_core::share::{Shown, Summary, Wish};

use super::compact::{CompactError, MOST_BYTES, State};
use super::slot::Slot;
use super::{Journal, JournalError};
use crate::cluster::ClusterError;
use crate::cluster::kubernetes::config_map::{ConfigMapObject, Data, Stored};
pub use stand::{Stand, stand};
use texts::Folded;

/// A log that would be longer is taken up by the base. The API server keeps each version of an object for a while, so
/// what is written often must be small.
const MOST_LOG: usize = 64 * 1024;
/// Another process may be writing its last while the journal is opened: so often it is read again.
const ATTEMPTS: usize = 5;

/// Where the journal of a shard is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShardPlace {
    pub namespace: String,
    /// Name of the base; that of the log has `-log` behind it.
    pub name: String,
    /// Among how many journals the targets are divided.
    pub shards: u32,
}

/// The writer of a shard's journal. Needs a runtime of several threads: an append waits for the API server.
#[derive(Debug)]
pub struct ShardJournal {
    base: Slot,
    log: Slot,
    folded: Folded,
    /// The lines that the base does not have yet.
    lines: String,
    /// What waits for the acting replica.
    wishes: BTreeSet<Wish>,
    /// What the others were last shown.
    shown: Shown,
    runtime: Handle,
}

/// What an opened journal held.
#[derive(Debug)]
pub struct Held {
    pub ledger: Ledger,
    /// Records ever written.
    pub records: u64,
    /// When the last of them was written.
    pub last: Option<Timestamp>,
}

/// Why a journal cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum ShardError {
    /// What is there is left untouched.
    #[error(
        "the journal in the ConfigMaps {names} of namespace `{namespace}` cannot be used, so its targets are not judged \
         and nothing is done: {source}. To begin anew, delete both (`kubectl delete configmap -n {namespace} {names}`); \
         the revisions that run then count as seen for the first time, and are not judged"
    )]
    Unusable {
        namespace: String,
        names: String,
        source: CompactError,
    },
    #[error(
        "the journal in the ConfigMap {path} is one of {found}, and the settings divide the targets among {wanted}: set \
         `replicas.shards` to {found} again; or stop all replicas, delete the ConfigMaps of all {found} journals, and \
         start with {wanted}: the revisions that run then count as seen for the first time, and are not judged"
    )]
    OtherLayout {
        path: String,
        found: u32,
        wanted: u32,
    },
    #[error("the journal in the ConfigMap {path} cannot be read")]
    Unreadable { path: String, source: ClusterError },
    #[error("the journal could not be taken over")]
    Unwritable(#[source] JournalError),
}

impl ShardError {
    /// Whether it may pass without a person.
    pub fn retry(&self) -> bool {
        match self {
            Self::Unusable { .. } | Self::OtherLayout { .. } => false,
            Self::Unreadable { source, .. } => source.retry(),
            // Somebody else is writing: it will lose the Lease, or we have.
            Self::Unwritable(_) => true,
        }
    }
}

impl ShardPlace {
    fn slots(&self, client: &Client) -> (Slot, Slot) {
        let object = |name: &str| ConfigMapObject::new(client.clone(), &self.namespace, name);
        (
            Slot::new(object(&self.name)),
            Slot::new(object(&self.log_name())),
        )
    }

    /// The names of both objects.
    pub fn names(&self) -> [String; 2] {
        [self.name.clone(), self.log_name()]
    }

    /// The name of the log.
    pub fn log_name(&self) -> String {
        format!("{}-log", self.name)
    }
}

impl ShardJournal {
    /// Reads what is there and makes it ours: from here on nobody who had it before can write to it.
    ///
    /// # Errors
    /// It cannot be read or written, is of a newer version, was edited, or is something else.
    pub async fn open(client: &Client, place: &ShardPlace) -> Result<(Self, Held), ShardError> {
        let (base, log) = place.slots(client);
        let mut journal = Self {
            base,
            log,
            folded: Folded::new(place.shards),
            lines: String::new(),
            wishes: BTreeSet::new(),
            shown: Shown::default(),
            runtime: Handle::current(),
        };
        let mut attempt = 1;
        loop {
            journal.folded = read(&mut journal.base, &mut journal.log, place).await?;
            match journal.take().await {
                Ok(()) => break,
                Err(JournalError::Disturbed { .. }) if attempt < ATTEMPTS => attempt += 1,
                Err(error) => return Err(ShardError::Unwritable(error)),
            }
        }
        let Folded { state, position } = &journal.folded;
        let held = Held {
            ledger: state.ledger.clone(),
            records: position.chain.next,
            last: position.last,
        };
        Ok((journal, held))
    }

    async fn take(&mut self) -> Result<(), JournalError> {
        let base = encode(&self.base, &self.folded)?;
        self.base.write(base).await?;
        self.lines.clear();
        let (texts, shown) = self.texts(&self.folded, "", Timestamp::now());
        self.shown = shown;
        self.log.write(texts).await
    }

    /// The texts of the log, and what they show of a state.
    fn texts(&self, folded: &Folded, lines: &str, at: Timestamp) -> (Data, Shown) {
        let shown = Shown {
            summary: Summary::of(&folded.state.ledger).at(at),
            wishes: self.wishes.clone(),
        };
        (texts::log(lines, &shown), shown)
    }

    async fn write(&mut self, batches: &[(Timestamp, Vec<Record>)]) -> Result<(), JournalError> {
        let unfit = |reason| JournalError::Unfit {
            path: format!("in ConfigMap {}", self.log.path()),
            reason,
        };
        let mut position = self.folded.position.clone();
        let mut lines = self.lines.clone();
        for (at, records) in batches {
            lines += &position.extend(*at, records).map_err(unfit)?;
        }
        let mut folded = self.folded.clone();
        folded.take(position, batches);
        let at = batches.last().map_or_else(Timestamp::now, |(at, _)| *at);
        if lines.len() <= MOST_LOG {
            let (texts, shown) = self.texts(&folded, &lines, at);
            self.log.write(texts).await?;
            (self.lines, self.folded, self.shown) = (lines, folded, shown);
            return Ok(());
        }
        let base = encode(&self.base, &folded)?;
        self.base.write(base).await?;
        // It is durable now. A log that is not cut now is cut with the next append.
        self.folded = folded;
        self.lines.clear();
        let (texts, shown) = self.texts(&self.folded, "", at);
        self.shown = shown;
        match self.log.write(texts).await {
            Err(error @ JournalError::Disturbed { .. }) => Err(error),
            Ok(()) | Err(_) => Ok(()),
        }
    }
}

impl Journal for ShardJournal {
    fn append(&mut self, at: Timestamp, records: &[Record]) -> Result<(), JournalError> {
        self.append_all(&[(at, records.to_vec())])
    }

    fn append_all(&mut self, batches: &[(Timestamp, Vec<Record>)]) -> Result<(), JournalError> {
        if batches.iter().all(|(_, records)| records.is_empty()) {
            return Ok(());
        }
        let runtime = self.runtime.clone();
        tokio::task::block_in_place(|| runtime.block_on(self.write(batches)))
    }

    fn show(&mut self, at: Timestamp, wishes: &BTreeSet<Wish>) -> Result<(), JournalError> {
        if self.shown.wishes == *wishes {
            return Ok(());
        }
        self.wishes.clone_from(wishes);
        let (texts, shown) = self.texts(&self.folded, &self.lines, at);
        let runtime = self.runtime.clone();
        tokio::task::block_in_place(|| runtime.block_on(self.log.write(texts)))?;
        self.shown = shown;
        Ok(())
    }
}

fn encode(slot: &Slot, folded: &Folded) -> Result<Data, JournalError> {
    folded.base().map_err(|error| JournalError::Unfit {
        path: format!("in ConfigMap {}", slot.path()),
        reason: match error {
            CompactError::TooLarge { bytes } => format!(
                "the state of its targets takes {bytes} bytes even without evidence, and {MOST_BYTES} are allowed: divide \
                 the targets among more journals (`replicas.shards`)"
            ),
            error => error.to_string(),
        },
    })
}

async fn read(base: &mut Slot, log: &mut Slot, place: &ShardPlace) -> Result<Folded, ShardError> {
    let unreadable = |slot: &Slot, source| ShardError::Unreadable {
        path: slot.path(),
        source,
    };
    // The log first: a base that is written in between has taken it up.
    let lines = log.read().await;
    let lines = lines.map_err(|source| unreadable(log, source))?;
    let texts = base.read().await;
    let texts = texts.map_err(|source| unreadable(base, source))?;
    let folded =
        Folded::read(&texts, &lines, place.shards).map_err(|source| ShardError::Unusable {
            namespace: place.namespace.clone(),
            names: format!("{} {}", base.name(), log.name()),
            source,
        })?;
    if folded.position.shards != place.shards {
        return Err(ShardError::OtherLayout {
            path: base.path(),
            found: folded.position.shards,
            wanted: place.shards,
        });
    }
    Ok(folded)
}

/// What a log shows the other replicas; nothing, where it is no log of ours.
pub fn shown(log: &Data) -> Shown {
    texts::shown(log)
}

/// Whether a journal can be gone on with: what is there is of this layout, or nothing is.
///
/// # Errors
/// Why it cannot; nothing is written.
pub async fn check(client: &Client, place: &ShardPlace) -> Result<(), ShardError> {
    let (mut base, mut log) = place.slots(client);
    read(&mut base, &mut log, place).await.map(drop)
}

/// The state of a journal, for those who only read; `None`: what is there is no journal of a shard.
///
/// # Errors
/// It cannot be read, is of a newer version, was edited, or is something else.
pub async fn look(
    client: &Client,
    namespace: &str,
    name: &str,
) -> Result<Option<State>, ShardError> {
    let base = ConfigMapObject::new(client.clone(), namespace, name);
    let found = base.read().await.map_err(|source| ShardError::Unreadable {
        path: base.path(),
        source,
    })?;
    if !found
        .as_ref()
        .map(Stored::data)
        .is_some_and(|data| texts::is_base(&data))
    {
        return Ok(None);
    }
    let place = ShardPlace {
        namespace: namespace.to_owned(),
        name: name.to_owned(),
        shards: 0,
    };
    let (mut base, mut log) = place.slots(client);
    match read(&mut base, &mut log, &place).await {
        // Whatever their number is.
        Err(ShardError::OtherLayout { found, .. }) => {
            let place = ShardPlace {
                shards: found,
                ..place
            };
            let folded = read(&mut base, &mut log, &place).await?;
            Ok(Some(folded.state))
        }
        Ok(folded) => Ok(Some(folded.state)),
        Err(error) => Err(error),
    }
}
