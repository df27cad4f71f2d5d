//! Writes what is to be said into the status of documents: on change only, the latest only, a few at once, and again after
//! a failure. And hands in the Kubernetes Events.
//!
//! It hears of ticks after their records are durable, and nothing waits for it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use jiff::Timestamp;
use recant_core::ids::{TargetId, WatchName};
use recant_core::record::Record;
use recant_core::snapshot::{Snapshot, TargetSnapshot};
use recant_core::spec::{ResourceKey, ResourceKind};
use serde_json::Value;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

use super::event::of_record;
use super::history::History;
use super::load::{Loaded, Standing};
use super::status::{Shown, of_document, of_watch};
use crate::agent::{Gathered, Observer, Ticked};
use crate::cluster::ClusterError;
use crate::cluster::kubernetes::events::{About, Events, ObjectEvent, Weight};
use crate::cluster::kubernetes::resources::{ResourceStore, SeenResource};
use crate::http::Ops;
use crate::journal::JournalError;
use crate::schema::status::{DocumentStatus, WatchStatus};

/// How often it is looked whether something is to be written.
const EVERY: Duration = Duration::from_millis(500);
/// Between two writes to one document.
const REST: Duration = Duration::from_secs(1);
/// After a write that failed, doubled up to the longest.
const PAUSE: Duration = Duration::from_secs(2);
const LONGEST_PAUSE: Duration = Duration::from_mins(2);
/// Writes under way at once.
const AT_ONCE: usize = 4;
/// For so long after it was taken up, a target that was not seen is not called missing.
const GRACE: Duration = Duration::from_secs(10);
/// Ticks that wait to be looked at; a snapshot that was missed is made up for by the next.
const WAITING: usize = 1_000;

/// What came of the writes so far.
#[derive(Debug, Default)]
pub struct Writes {
    /// Statuses that the API server took.
    pub written: AtomicU64,
    /// Attempts that failed.
    pub failed: AtomicU64,
}

/// What a tick was.
#[derive(Debug)]
struct Tick {
    at: Timestamp,
    records: Vec<Record>,
    uids: BTreeMap<TargetId, String>,
    snapshot: Arc<Snapshot>,
}

/// Hears of ticks; passes everything on.
pub struct Told {
    inner: Box<dyn Observer>,
    ticks: mpsc::Sender<Tick>,
    store: Option<Arc<ResourceStore>>,
    ops: Ops,
}

impl Told {
    /// A team's watch of something that is not there is told on the document: it makes the agent no less ready.
    fn forgive(&self, snapshot: &Snapshot) {
        let Some(store) = &self.store else { return };
        let mut unseen = snapshot
            .targets
            .iter()
            .filter(|target| !target.seen && !target.on_request);
        if unseen.all(|target| store.get(&key_of(&target.watch)).is_some()) {
            self.ops.readiness.clear("targets");
        }
    }
}

impl std::fmt::Debug for Told {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Told").finish_non_exhaustive()
    }
}

impl Observer for Told {
    fn ticked(&mut self, tick: &Ticked<'_>) {
        let records: Vec<Record> = tick
            .records
            .iter()
            .filter(|record| {
                !matches!(
                    record,
                    Record::Checkpoint { .. } | Record::AlwaysCheckpoint { .. }
                )
            })
            .cloned()
            .collect();
        let uids = records
            .iter()
            .filter_map(|record| {
                let target = of_record(record)?.0;
                let uid = &tick.ledger.targets.get(target)?.uid;
                Some((target.clone(), uid.clone()))
            })
            .collect();
        let told = Tick {
            at: tick.at,
            records,
            uids,
            snapshot: tick.snapshot.clone(),
        };
        let lost = matches!(
            self.ticks.try_send(told),
            Err(mpsc::error::TrySendError::Full(_))
        );
        if lost && !tick.records.is_empty() {
            tracing::warn!(
                "statuses and Kubernetes Events are behind: what happened just now may be missing in them"
            );
        }
        self.inner.ticked(tick);
        self.forgive(tick.snapshot);
    }

    fn gathered(&mut self, gathered: &Gathered) {
        self.inner.gathered(gathered);
    }

    fn journal_failing(&mut self, error: &JournalError) {
        self.inner.journal_failing(error);
    }
}

/// The task that writes.
pub struct Teller {
    /// `None`: there are no custom resources, and only events are handed in.
    store: Option<Arc<ResourceStore>>,
    loaded: watch::Receiver<Arc<Loaded>>,
    events: Option<Events>,
    history: History,
    ticks: mpsc::Receiver<Tick>,
    writes: Arc<Writes>,
    /// Whether this process may write now.
    may: Box<dyn Fn() -> bool + Send>,
    snapshot: Option<Arc<Snapshot>>,
    /// Since when each document is known in its present form.
    since: BTreeMap<ResourceKey, (i64, Instant)>,
    queue: BTreeMap<ResourceKey, Wanted>,
    /// What was written last, until the watch shows it.
    written: BTreeMap<ResourceKey, (String, Value)>,
    paces: BTreeMap<ResourceKey, Pace>,
    said: BTreeSet<String>,
}

/// A status that is to be written.
#[derive(Debug)]
struct Wanted {
    uid: String,
    status: Value,
}

/// When a document may be written to again.
#[derive(Debug, Clone, Copy)]
struct Pace {
    next: Instant,
    pause: Duration,
}

impl std::fmt::Debug for Teller {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Teller").finish_non_exhaustive()
    }
}

impl Teller {
    /// A teller, and the observer that it hears from. `history` is folded from the journal, `may` says whether this process
    /// is the one that acts.
    pub fn new(
        inner: Box<dyn Observer>,
        store: Option<Arc<ResourceStore>>,
        ops: Ops,
        loaded: watch::Receiver<Arc<Loaded>>,
        events: Option<Events>,
        history: History,
        may: impl Fn() -> bool + Send + 'static,
    ) -> (Self, Told) {
        let (sender, ticks) = mpsc::channel(WAITING);
        let told = Told {
            inner,
            ticks: sender,
            store: store.clone(),
            ops,
        };
        let teller = Self {
            store,
            loaded,
            events,
            history,
            ticks,
            writes: Arc::default(),
            may: Box::new(may),
            snapshot: None,
            since: BTreeMap::new(),
            queue: BTreeMap::new(),
            written: BTreeMap::new(),
            paces: BTreeMap::new(),
            said: BTreeSet::new(),
        };
        (teller, told)
    }

    /// Counts for metrics.
    pub fn writes(&self) -> Arc<Writes> {
        self.writes.clone()
    }

    /// Writes until `stop` is cancelled.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut every = tokio::time::interval(EVERY);
        every.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut dirty = true;
        // Until then targets may come into sight without a record.
        let mut watchful_until = Instant::now() + GRACE * 2;
        let mut version = None;
        let mut under_way = FuturesUnordered::new();
        let mut busy: BTreeSet<ResourceKey> = BTreeSet::new();
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                Some((key, wanted, result)) = under_way.next() => {
                    busy.remove(&key);
                    self.came_back(key, wanted, result);
                    continue;
                }
                tick = self.ticks.recv() => {
                    let Some(tick) = tick else { return };
                    dirty |= self.take(tick);
                    continue;
                }
                _ = every.tick() => {}
            }
            let Some(store) = self.store.clone() else {
                continue;
            };
            if self.loaded.has_changed().unwrap_or(false) {
                self.loaded.mark_unchanged();
                watchful_until = Instant::now() + GRACE * 2;
                dirty = true;
            }
            let now = store.version();
            dirty |= version.replace(now) != Some(now);
            if std::mem::take(&mut dirty) || Instant::now() < watchful_until {
                self.decide(&store);
            }
            if !(self.may)() {
                // Another one says what holds now.
                self.queue.clear();
                continue;
            }
            for key in self.due(&busy, AT_ONCE.saturating_sub(busy.len())) {
                let Some(wanted) = self.queue.remove(&key) else {
                    continue;
                };
                busy.insert(key.clone());
                let store = store.clone();
                under_way.push(async move {
                    let result = store.write_status(&key, &wanted.uid, &wanted.status).await;
                    (key, wanted, result)
                });
            }
        }
    }

    /// Whether something happened that a status may say.
    fn take(&mut self, tick: Tick) -> bool {
        let Tick {
            at,
            records,
            uids,
            snapshot,
        } = tick;
        let mut dirty = self.snapshot.is_none();
        for record in &records {
            dirty |= self.history.apply(at, record);
            self.tell(record, &uids, &snapshot);
        }
        self.snapshot = Some(snapshot);
        dirty
    }

    fn tell(&self, record: &Record, uids: &BTreeMap<TargetId, String>, snapshot: &Snapshot) {
        let (Some(events), Some((target, weight, reason, action, note))) =
            (&self.events, of_record(record))
        else {
            return;
        };
        let because_of = snapshot.target(target).and_then(|shown| {
            let key = key_of(&shown.watch);
            let uid = self.store.as_ref()?.get(&key)?.uid;
            Some((key, uid))
        });
        events.submit(ObjectEvent {
            about: About::Target {
                id: target.clone(),
                uid: uids.get(target).cloned(),
            },
            because_of,
            weight,
            reason,
            action,
            note,
        });
    }

    /// What each document's status should be, where it is not.
    fn decide(&mut self, store: &ResourceStore) {
        let loaded = self.loaded.borrow().clone();
        let snapshot = self.snapshot.clone();
        let by_watch: BTreeMap<&WatchName, &TargetSnapshot> = snapshot
            .iter()
            .flat_map(|snapshot| &snapshot.targets)
            .filter(|target| !target.on_request)
            .map(|target| (&target.watch, target))
            .collect();
        let now = Timestamp::now();
        self.since
            .retain(|key, _| loaded.standings.contains_key(key));
        self.paces
            .retain(|key, _| loaded.standings.contains_key(key));
        self.written
            .retain(|key, _| loaded.standings.contains_key(key));
        self.queue
            .retain(|key, _| loaded.standings.contains_key(key));
        for (key, standing) in &loaded.standings {
            let Some(seen) = store.get(key) else { continue };
            // A newer form is being read.
            if seen.uid != standing.uid || seen.generation != standing.generation {
                continue;
            }
            let since = self
                .since
                .entry(key.clone())
                .or_insert_with(|| (standing.generation, Instant::now()));
            if since.0 != standing.generation {
                *since = (standing.generation, Instant::now());
            }
            let settled = since.1.elapsed() > GRACE;
            let before = self.before(key, &seen);
            let wanted = match key.kind {
                ResourceKind::Watch => {
                    let shown = shown(key, standing, &by_watch, snapshot.as_deref(), settled);
                    watch_status(standing, shown, &self.history, before, now)
                }
                ResourceKind::RuleSet | ResourceKind::Channel | ResourceKind::Runbook => {
                    let old: DocumentStatus = read(before);
                    let new = of_document(standing, &old, now);
                    (new != old).then(|| serde_json::to_value(new).unwrap_or_default())
                }
            };
            match wanted {
                Some(status) => {
                    self.complain(key, standing, &status, before);
                    let uid = seen.uid.clone();
                    self.queue.insert(key.clone(), Wanted { uid, status });
                }
                None => {
                    self.queue.remove(key);
                }
            }
        }
    }

    /// The status as it is there, or as it was just written.
    fn before<'s>(&'s self, key: &ResourceKey, seen: &'s SeenResource) -> &'s Value {
        match self.written.get(key) {
            Some((uid, status)) if *uid == seen.uid => status,
            Some(_) | None => &seen.status,
        }
    }

    /// An event for each new fault of a document.
    fn complain(&self, key: &ResourceKey, standing: &Standing, status: &Value, before: &Value) {
        let ready = |status: &Value| -> Option<(String, String)> {
            let conditions = status.get("conditions")?.as_array()?;
            let ready = conditions.iter().find(|c| c["type"] == "Ready")?;
            let text = |name: &str| Some(ready.get(name)?.as_str()?.to_owned());
            Some((text("status")?, text("message")?))
        };
        let (Some(events), Some((truth, message))) = (&self.events, ready(status)) else {
            return;
        };
        let asked = self.queue.get(key).and_then(|wanted| ready(&wanted.status));
        let told = asked.or_else(|| ready(before));
        if truth != "False" || told == Some((truth, message.clone())) {
            return;
        }
        events.submit(ObjectEvent {
            about: About::Document {
                key: key.clone(),
                uid: standing.uid.clone(),
            },
            because_of: None,
            weight: Weight::Warning,
            reason: "DocumentRefused",
            action: "Load",
            note: message,
        });
    }

    /// The next that may be written to.
    fn due(&self, busy: &BTreeSet<ResourceKey>, most: usize) -> Vec<ResourceKey> {
        let now = Instant::now();
        self.queue
            .keys()
            .filter(|key| !busy.contains(*key))
            .filter(|key| self.paces.get(*key).is_none_or(|pace| pace.next <= now))
            .take(most)
            .cloned()
            .collect()
    }

    fn came_back(&mut self, key: ResourceKey, wanted: Wanted, result: Result<bool, ClusterError>) {
        let now = Instant::now();
        match result {
            Ok(true) => {
                self.writes.written.fetch_add(1, Ordering::Relaxed);
                self.said.clear();
                self.written
                    .insert(key.clone(), (wanted.uid, wanted.status));
                let next = now + REST;
                self.paces.insert(key, Pace { next, pause: PAUSE });
            }
            // It is gone, or another one.
            Ok(false) => {
                self.written.remove(&key);
                let next = now + PAUSE;
                self.paces.insert(key, Pace { next, pause: PAUSE });
            }
            Err(error) => {
                self.writes.failed.fetch_add(1, Ordering::Relaxed);
                let pause = self.paces.get(&key).map_or(PAUSE, |pace| pace.pause);
                let next = now + pause;
                let pause = (pause * 2).min(LONGEST_PAUSE);
                self.paces.insert(key.clone(), Pace { next, pause });
                self.say(&key, &error);
                // Unless there is something newer to say.
                self.queue.entry(key).or_insert(wanted);
            }
        }
    }

    fn say(&mut self, key: &ResourceKey, error: &ClusterError) {
        let why = if let ClusterError::Forbidden { verb, resource, .. } = error {
            format!(
                "not allowed to `{verb}` `{resource}` in namespace `{}`: add it to the Role `recant` (charts/manifests/role.yaml)",
                key.namespace
            )
        } else {
            error.to_string()
        };
        if self.said.len() < 100 && self.said.insert(why.clone()) {
            tracing::warn!(
                "the status of {key} cannot be written, which stops nothing else and is tried again: {why}"
            );
        }
    }
}

fn watch_status(
    standing: &Standing,
    shown: Shown<'_>,
    history: &History,
    before: &Value,
    now: Timestamp,
) -> Option<Value> {
    let old: WatchStatus = read(before);
    let new = of_watch(standing, shown, history, &old, now)?;
    (new != old).then(|| serde_json::to_value(new).unwrap_or_default())
}

/// What a watch's target is like.
fn shown<'s>(
    key: &ResourceKey,
    standing: &Standing,
    by_watch: &BTreeMap<&WatchName, &'s TargetSnapshot>,
    snapshot: Option<&Snapshot>,
    settled: bool,
) -> Shown<'s> {
    let holds = standing.good && standing.lacking.is_empty() || standing.kept;
    let name = WatchName {
        namespace: key.namespace.clone(),
        name: key.name.clone(),
    };
    let Some(snapshot) = snapshot else {
        return Shown::NotYet;
    };
    if !holds {
        return Shown::Nothing;
    }
    if snapshot.on_request.iter().any(|asked| asked.watch == name) {
        return Shown::OnRequest;
    }
    match by_watch.get(&name) {
        Some(target) if target.seen || settled => Shown::Target(target),
        Some(_) | None => Shown::NotYet,
    }
}

fn key_of(watch: &WatchName) -> ResourceKey {
    ResourceKey {
        kind: ResourceKind::Watch,
        namespace: watch.namespace.clone(),
        name: watch.name.clone(),
    }
}

/// What others wrote there, or what a later version did, is as if nothing were there.
fn read<T: serde::de::DeserializeOwned + Default>(status: &Value) -> T {
    T::deserialize(status).unwrap_or_default()
}
