//! The tasks that watch: one for each namespace and resource, feeding the index.

use std::fmt::Debug;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use backon::ExponentialBuilder;
use futures::StreamExt as _;
use kube::api::ApiResource;
use kube::core::DynamicResourceScope;
use kube::runtime::WatchStreamExt as _;
use kube::runtime::watcher::{self, Event, ExponentialBackoff, watcher};
use kube::{Api, Client, Resource, ResourceExt as _};
use recant_core::ids::TargetKind;
use serde::de::DeserializeOwned;
use tokio::sync::Notify;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use super::api::{namespace_kill_switch, with_causes};
use super::facts::{RevisionFacts, WorkloadFacts};
use super::health::Health;
use super::index::{Change, Index, Seen, SeenWorkload};
use super::objects::{
    ControllerRevision, PodObject, ReplicaSet, Workload, controller_revision_resource,
    pod_resource, replica_set_resource, resource_name, workload_resource,
};
use super::pod::PodFacts;

/// How often the kill switch annotation of a namespace is looked at.
const NAMESPACE_PERIOD: Duration = Duration::from_secs(5);
/// The API server ends a watch after this long, and it is taken up where it ended. Bounds how long a connection that
/// died unseen goes unnoticed.
const WATCH_SECONDS: u32 = 60;

/// What all watches share.
#[derive(Clone)]
pub(super) struct Shared {
    pub(super) client: Client,
    pub(super) index: Arc<Mutex<Index>>,
    pub(super) changed: Arc<Notify>,
    pub(super) health: Arc<Health>,
    pub(super) stop: CancellationToken,
}

impl Shared {
    pub(super) async fn workloads(self, namespace: String, kind: TargetKind) {
        let resource = workload_resource(kind);
        self.watch::<Workload>(&namespace, &resource, |index, change| {
            let change = change.map(|workload| SeenWorkload {
                name: workload.name_any(),
                facts: WorkloadFacts::of(&workload, kind),
            });
            index.workload(&namespace, kind, change);
        })
        .await;
    }

    pub(super) async fn replica_sets(self, namespace: String) {
        self.watch::<ReplicaSet>(&namespace, &replica_set_resource(), |index, change| {
            let change = change.map(|set| Seen {
                uid: set.uid().unwrap_or_default(),
                facts: RevisionFacts::of_set(&set),
            });
            index.replica_set(&namespace, change, Instant::now());
        })
        .await;
    }

    pub(super) async fn controller_revisions(self, namespace: String) {
        let resource = controller_revision_resource();
        self.watch::<ControllerRevision>(&namespace, &resource, |index, change| {
            let change = change.map(|revision| Seen {
                uid: revision.uid().unwrap_or_default(),
                facts: RevisionFacts::of_revision(&revision),
            });
            index.controller_revision(&namespace, change, Instant::now());
        })
        .await;
    }

    pub(super) async fn pods(self, namespace: String) {
        self.watch::<PodObject>(&namespace, &pod_resource(), |index, change| {
            let change = change.map(|pod| Seen {
                uid: pod.uid().unwrap_or_default(),
                facts: PodFacts::of(&pod),
            });
            index.pod(&namespace, change, Instant::now());
        })
        .await;
    }

    /// Looks for the kill switch on the namespace; a watch would need a right on all namespaces.
    pub(super) async fn namespace(self, namespace: String) {
        let mut period = tokio::time::interval(NAMESPACE_PERIOD);
        period.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                // Stopping comes first: a tick may be due at the same moment.
                biased;
                () = self.stop.cancelled() => return,
                _ = period.tick() => {}
            }
            let looked = tokio::select! {
                biased;
                () = self.stop.cancelled() => return,
                looked = namespace_kill_switch(&self.client, &namespace) => looked,
            };
            match looked {
                Ok(on) => {
                    self.health.works(&namespace, "namespaces", true);
                    self.feed(|index| index.kill_switch(&namespace, on));
                }
                Err(error) => {
                    let error = error.to_string();
                    self.health
                        .failed(&namespace, "namespaces", error, Instant::now());
                }
            }
        }
    }

    async fn watch<K>(
        &self,
        namespace: &str,
        resource: &ApiResource,
        feed: impl Fn(&mut Index, Change<K>),
    ) where
        K: Resource<DynamicType = ApiResource, Scope = DynamicResourceScope>
            + Clone
            + DeserializeOwned
            + Debug
            + Send
            + 'static,
    {
        let name = resource_name(resource);
        let api: Api<K> = Api::namespaced_with(self.client.clone(), namespace, resource);
        // The default backs off to half a minute, which is long beside a rollback within seconds.
        let backoff = ExponentialBuilder::default()
            .with_min_delay(Duration::from_millis(250))
            .with_max_delay(Duration::from_secs(5))
            .with_jitter()
            .without_max_times();
        let config = watcher::Config::default().timeout(WATCH_SECONDS);
        let mut events = Box::pin(watcher(api, config).backoff(ExponentialBackoff::from(backoff)));
        loop {
            let event = tokio::select! {
                // Stopping comes first: a busy watch always has an event.
                biased;
                () = self.stop.cancelled() => return,
                event = events.next() => event,
            };
            let change = match event {
                Some(Ok(Event::Init)) => Change::List,
                Some(Ok(Event::InitApply(object) | Event::Apply(object))) => {
                    Change::Applied(object)
                }
                Some(Ok(Event::Delete(object))) => Change::Deleted(object),
                Some(Ok(Event::InitDone)) => Change::Listed,
                Some(Err(error)) => {
                    let error = explain(&error, &name, namespace);
                    self.health.failed(namespace, &name, error, Instant::now());
                    continue;
                }
                // A watcher never ends by itself.
                None => return,
            };
            // `List` is said before the first answer: it proves nothing.
            if !matches!(change, Change::List) {
                let synced = matches!(change, Change::Listed);
                self.health.works(namespace, &name, synced);
            }
            self.feed(|index| feed(index, change));
        }
    }

    fn feed(&self, feed: impl FnOnce(&mut Index)) {
        let mut index = self.index.lock().unwrap_or_else(PoisonError::into_inner);
        // A watch is ended under this lock: what it still had to show is about targets of before.
        if self.stop.is_cancelled() {
            return;
        }
        feed(&mut index);
        let changed = index.has_news();
        drop(index);
        if changed {
            self.changed.notify_one();
        }
    }
}

impl<T> Change<T> {
    fn map<U>(self, f: impl FnOnce(T) -> U) -> Change<U> {
        match self {
            Self::List => Change::List,
            Self::Applied(object) => Change::Applied(f(object)),
            Self::Deleted(object) => Change::Deleted(f(object)),
            Self::Listed => Change::Listed,
        }
    }
}

/// What does not work, and what to do about it.
fn explain(error: &watcher::Error, resource: &str, namespace: &str) -> String {
    let (verb, status) = match error {
        watcher::Error::InitialListFailed(kube::Error::Api(status)) => ("list", status),
        watcher::Error::WatchStartFailed(kube::Error::Api(status))
        | watcher::Error::WatchError(status) => ("watch", status),
        other => return with_causes(other),
    };
    match status.code {
        403 => format!(
            "not allowed to {verb} `{resource}` in namespace `{namespace}`: add it to the Role `recant` (charts/manifests/role.yaml)"
        ),
        404 => format!(
            "the API server does not know `{resource}`: install its custom resource definition, or remove the watches that name it"
        ),
        code => format!("status {code}: {}", status.message),
    }
}

#[cfg(test)]
mod tests {
    use kube::core::Status;

    use super::*;

    #[test]
    fn a_refused_watch_says_what_to_do() {
        let check = |code: u16, says: &str| {
            let status = Status::failure("the server could not find it", "x").with_code(code);
            let error = watcher::Error::InitialListFailed(kube::Error::Api(status.boxed()));
            let text = explain(&error, "rollouts.argoproj.io", "shop");
            assert!(text.contains(says), "{text}");
        };
        check(404, "install its custom resource definition");
        check(
            403,
            "not allowed to list `rollouts.argoproj.io` in namespace `shop`: add it to the Role `recant`",
        );
        check(500, "status 500: the server could not find it");
    }
}
