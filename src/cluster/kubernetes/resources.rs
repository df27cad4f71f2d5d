//! Recant's own custom resources: a picture of all of them, kept by one watch for each kind and namespace; and the one
//! thing that is written to them, their status.
//!
//! What they mean is not known here. Bounded: a cluster with more documents than are kept is told so.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use backon::ExponentialBuilder;
use futures::StreamExt as _;
use jiff::Timestamp;
use kube::api::{ApiResource, DynamicObject, GroupVersionKind, Patch, PatchParams};
use kube::runtime::WatchStreamExt as _;
use kube::runtime::watcher::{self, Event, ExponentialBackoff, watcher};
use kube::{Api, Client, ResourceExt as _};
use recant_core::spec::{ResourceKey, ResourceKind};
use serde_json::{Map, Value, json};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::api::Call;
use super::health::{Health, WatchStatus};
use crate::cluster::ClusterError;

const GROUP: &str = "recant.dev";
const VERSION: &str = "v1alpha1";
/// The API server ends a watch after this long, and it is taken up where it ended.
const WATCH_SECONDS: u32 = 240;
/// Documents that are kept. Beyond, the newest are not looked at.
pub const MOST_RESOURCES: usize = 10_000;

/// One document as the API server last showed it.
#[derive(Debug, Clone, PartialEq)]
pub struct SeenResource {
    pub uid: String,
    pub generation: i64,
    pub created: Timestamp,
    /// The document alone, as JSON with one value a line.
    pub text: Arc<str>,
    pub status: Arc<Value>,
}

/// Which namespaces are looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Where {
    Everywhere,
    In(Vec<String>),
}

/// All documents.
pub struct ResourceStore {
    client: Client,
    seen: Mutex<Seen>,
    changed: Notify,
    health: Health,
    tasks: TaskTracker,
}

#[derive(Debug, Default)]
struct Seen {
    of: BTreeMap<ResourceKey, SeenResource>,
    /// Counts changes of documents, and not of their status.
    version: u64,
}

impl std::fmt::Debug for ResourceStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ResourceStore").finish_non_exhaustive()
    }
}

impl ResourceStore {
    /// Begins to watch; every task ends when `stop` is cancelled.
    pub fn start(client: Client, places: &Where, stop: &CancellationToken) -> Arc<Self> {
        let store = Arc::new(Self {
            client,
            seen: Mutex::default(),
            changed: Notify::new(),
            health: Health::default(),
            tasks: TaskTracker::new(),
        });
        let namespaces: Vec<Option<&str>> = match places {
            Where::Everywhere => vec![None],
            Where::In(namespaces) => namespaces.iter().map(|n| Some(n.as_str())).collect(),
        };
        for namespace in namespaces {
            for kind in ResourceKind::ALL {
                store
                    .health
                    .register(namespace.unwrap_or_default(), &resource_name(kind));
                let (own, stop) = (store.clone(), stop.clone());
                let namespace = namespace.map(str::to_owned);
                store
                    .tasks
                    .spawn(async move { own.watch(kind, namespace, stop).await });
            }
        }
        store.tasks.close();
        store
    }

    /// Waits until every watch has ended.
    pub async fn stopped(&self) {
        self.tasks.wait().await;
    }

    /// Resolves when something changed since it last did; safe to cancel.
    pub async fn changed(&self) {
        self.changed.notified().await;
    }

    /// Whether everything was listed once; else what is missing and why.
    ///
    /// # Errors
    /// A sentence for people.
    pub fn synced(&self) -> Result<(), String> {
        let faults: Vec<String> = self
            .watches()
            .into_iter()
            .filter(|watch| !watch.synced)
            .map(|watch| {
                watch
                    .error
                    .unwrap_or_else(|| format!("`{}` are not listed yet", watch.resource))
            })
            .collect();
        if faults.is_empty() {
            Ok(())
        } else {
            Err(faults.join("; "))
        }
    }

    /// How each watch is doing.
    pub fn watches(&self) -> Vec<WatchStatus> {
        self.health.statuses(Instant::now())
    }

    /// All documents, the oldest first, and a number that changes when any of them does.
    pub fn documents(&self) -> (u64, Vec<(ResourceKey, SeenResource)>) {
        let seen = self.lock();
        let mut documents: Vec<(ResourceKey, SeenResource)> = seen
            .of
            .iter()
            .map(|(key, found)| (key.clone(), found.clone()))
            .collect();
        let version = seen.version;
        drop(seen);
        documents.sort_by(|(a_key, a), (b_key, b)| (a.created, a_key).cmp(&(b.created, b_key)));
        (version, documents)
    }

    /// A number that changes when any document does.
    pub fn version(&self) -> u64 {
        self.lock().version
    }

    /// One document.
    pub fn get(&self, key: &ResourceKey) -> Option<SeenResource> {
        self.lock().of.get(key).cloned()
    }

    /// Writes the status of an object by server-side apply, as field manager `recant`; nothing of it that others wrote is
    /// touched. False: there is no such object any more.
    ///
    /// # Errors
    /// As for every call.
    pub async fn write_status(
        &self,
        key: &ResourceKey,
        uid: &str,
        status: &Value,
    ) -> Result<bool, ClusterError> {
        let api = self.api(key.kind, Some(&key.namespace));
        let object = json!({
            "apiVersion": format!("{GROUP}/{VERSION}"),
            "kind": key.kind.to_string(),
            // Another object of that name has another status.
            "metadata": {"name": key.name, "namespace": key.namespace, "uid": uid},
            "status": status,
        });
        let call = Call {
            verb: "patch",
            resource: format!("{}/status", resource_name(key.kind)),
            namespace: &key.namespace,
        };
        let params = PatchParams::apply("recant").force();
        match call
            .answer(api.patch_status(&key.name, &params, &Patch::Apply(&object)))
            .await
        {
            Ok(answer) => Ok(answer.is_some()),
            // The uid is another one.
            Err(ClusterError::Conflict) => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn api(&self, kind: ResourceKind, namespace: Option<&str>) -> Api<DynamicObject> {
        let gvk = GroupVersionKind::gvk(GROUP, VERSION, &kind.to_string());
        let resource = ApiResource::from_gvk_with_plural(&gvk, kind.plural());
        match namespace {
            Some(namespace) => Api::namespaced_with(self.client.clone(), namespace, &resource),
            None => Api::all_with(self.client.clone(), &resource),
        }
    }

    async fn watch(
        self: Arc<Self>,
        kind: ResourceKind,
        namespace: Option<String>,
        stop: CancellationToken,
    ) {
        let place = namespace.as_deref().unwrap_or_default();
        let name = resource_name(kind);
        let backoff = ExponentialBuilder::default()
            .with_min_delay(Duration::from_millis(250))
            .with_max_delay(Duration::from_secs(10))
            .with_jitter()
            .without_max_times();
        let api = self.api(kind, namespace.as_deref());
        let config = watcher::Config::default().timeout(WATCH_SECONDS);
        let mut events = Box::pin(watcher(api, config).backoff(ExponentialBackoff::from(backoff)));
        // What a list that is under way has shown: what it does not show is gone.
        let mut listed: Option<BTreeMap<ResourceKey, SeenResource>> = None;
        loop {
            let event = tokio::select! {
                biased;
                () = stop.cancelled() => return,
                event = events.next() => event,
            };
            match event {
                Some(Ok(Event::Init)) => {
                    listed = Some(BTreeMap::new());
                    continue;
                }
                Some(Ok(Event::InitApply(object))) => {
                    if let (Some(listed), Some((key, found))) = (&mut listed, seen(kind, object)) {
                        listed.insert(key, found);
                    }
                    continue;
                }
                Some(Ok(Event::InitDone)) => {
                    self.health.works(place, &name, true);
                    let all = listed.take().unwrap_or_default();
                    self.replace(kind, namespace.as_deref(), all);
                }
                Some(Ok(Event::Apply(object))) => {
                    self.health.works(place, &name, false);
                    if let Some((key, found)) = seen(kind, object) {
                        self.put(key, found);
                    }
                }
                Some(Ok(Event::Delete(object))) => {
                    self.health.works(place, &name, false);
                    if let Some((key, _)) = seen(kind, object) {
                        self.remove(&key);
                    }
                }
                Some(Err(error)) => {
                    let error = explain(&error, &name, place);
                    self.health.failed(place, &name, error, Instant::now());
                    continue;
                }
                None => return,
            }
            self.changed.notify_one();
        }
    }

    fn replace(
        &self,
        kind: ResourceKind,
        namespace: Option<&str>,
        all: BTreeMap<ResourceKey, SeenResource>,
    ) {
        let gone: Vec<ResourceKey> = self
            .lock()
            .of
            .keys()
            .filter(|key| {
                key.kind == kind
                    && namespace.is_none_or(|namespace| key.namespace == namespace)
                    && !all.contains_key(*key)
            })
            .cloned()
            .collect();
        for key in gone {
            self.remove(&key);
        }
        for (key, found) in all {
            self.put(key, found);
        }
    }

    fn put(&self, key: ResourceKey, found: SeenResource) {
        let mut seen = self.lock();
        let before = seen.of.get(&key);
        let same = before.is_some_and(|before| {
            (&before.uid, before.generation, &before.text)
                == (&found.uid, found.generation, &found.text)
        });
        if before.is_none() && seen.of.len() >= MOST_RESOURCES {
            tracing::warn!(
                "there are more than {MOST_RESOURCES} documents: {key} is not looked at"
            );
            return;
        }
        seen.of.insert(key, found);
        if !same {
            seen.version += 1;
        }
    }

    fn remove(&self, key: &ResourceKey) {
        let mut seen = self.lock();
        if seen.of.remove(key).is_some() {
            seen.version += 1;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// `watches.recant.dev`
pub fn resource_name(kind: ResourceKind) -> String {
    format!("{}.{GROUP}", kind.plural())
}

/// The document without what servers and tools add; `None`: the API server showed an object without a name.
fn seen(kind: ResourceKind, object: DynamicObject) -> Option<(ResourceKey, SeenResource)> {
    let key = ResourceKey {
        kind,
        namespace: object.namespace()?,
        name: object.metadata.name.clone()?,
    };
    let Value::Object(mut data) = object.data else {
        return None;
    };
    let status = data.remove("status").unwrap_or_default();
    let mut document = Map::new();
    document.insert("apiVersion".to_owned(), format!("{GROUP}/{VERSION}").into());
    document.insert("kind".to_owned(), kind.to_string().into());
    document.insert(
        "metadata".to_owned(),
        json!({"name": key.name, "namespace": key.namespace}),
    );
    for (name, value) in data {
        document.entry(name).or_insert(value);
    }
    let found = SeenResource {
        uid: object.metadata.uid.unwrap_or_default(),
        generation: object.metadata.generation.unwrap_or_default(),
        created: object
            .metadata
            .creation_timestamp
            .map_or(Timestamp::UNIX_EPOCH, |time| time.0),
        text: format!("{:#}", Value::Object(document)).into(),
        status: Arc::new(status),
    };
    Some((key, found))
}

/// What does not work, and what to do about it.
fn explain(error: &watcher::Error, resource: &str, namespace: &str) -> String {
    let (verb, status) = match error {
        watcher::Error::InitialListFailed(kube::Error::Api(status)) => ("list", status),
        watcher::Error::WatchStartFailed(kube::Error::Api(status))
        | watcher::Error::WatchError(status) => ("watch", status),
        other => return super::api::with_causes(other),
    };
    match (status.code, namespace) {
        (403, "") => format!(
            "not allowed to {verb} `{resource}` in all namespaces: apply charts/manifests/resources.yaml, or name those that you mean in `resources.namespaces`"
        ),
        (403, namespace) => format!(
            "not allowed to {verb} `{resource}` in namespace `{namespace}`: add it to the Role `recant` (charts/manifests/role.yaml)"
        ),
        (404, _) => format!(
            "the API server does not know `{resource}`: `kubectl apply --server-side -f charts/crds/recant.yaml`, or set `resources.enabled: false`"
        ),
        (code, _) => format!("`{verb} {resource}`: status {code}: {}", status.message),
    }
}
