//! The real cluster: watches the targets through the API server and carries steps out on them.
//!
//! Watching is for judging; nothing is written because of what a watch has shown. Every write reads the object anew.

mod access;
mod api;
mod change;
pub mod config_map;
pub mod events;
mod evidence;
mod execute;
mod facts;
mod feeds;
mod following;
mod git_owner;
mod health;
mod index;
mod kill_switch;
pub mod lease;
pub mod leftovers;
mod lookup;
mod nodes;
mod objects;
mod openapi;
mod own_pause;
mod pod;
mod preflight;
mod references;
pub mod resources;
mod scale;
mod state;
mod stuck_pods;
pub mod suspended;
mod table;
mod template;
pub mod token_review;
mod undo;
mod watch;

use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use kube::{Client, Config};
use recant_core::change::{ObjectRef, ObjectState};
use recant_core::ids::{PodName, TargetId, TargetKind};
use recant_core::plan::{StepCommand, StepResult};
use recant_core::preflight::{Preflight, WayBackQuestion};
use recant_core::rule::ScaleTarget;
use recant_core::scaling::ScaleState;
use recant_core::target::naming::{Named, Naming};
use recant_core::target::{NodeReport, ObjectStatus, TargetNews};
use serde_json::Value;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use self::access::{Granted, Missing, Needs, missing_access};
use self::change::Objects;
use self::following::Following;
use self::health::Health;
pub use self::health::WatchStatus;
use self::index::Index;
pub use self::lookup::{presence, version};
pub use self::openapi::shapes;
use self::watch::Shared;
use super::{Cluster, ClusterError};

/// A connection on which nothing comes for this long is given up: a quiet watch ends earlier by itself.
const READ_TIMEOUT: Duration = Duration::from_secs(90);

/// Targets in a Kubernetes cluster.
pub struct KubernetesCluster {
    shared: Shared,
    objects: Objects,
    tasks: TaskTracker,
    /// The tasks that run now.
    following: Mutex<Following>,
}

impl fmt::Debug for KubernetesCluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KubernetesCluster")
            .field("watches", &self.watches())
            .finish_non_exhaustive()
    }
}

impl KubernetesCluster {
    /// Begins to watch the targets; every task ends when `stop` is cancelled.
    ///
    /// Needs a runtime. Returns at once: what does not work is told by [`Self::watches`].
    pub fn start(client: Client, targets: &[TargetId], stop: &CancellationToken) -> Self {
        let objects = Objects::new(client.clone());
        let shared = Shared {
            client,
            index: Arc::new(Mutex::new(Index::default())),
            changed: Arc::new(Notify::new()),
            health: Arc::new(Health::default()),
            stop: stop.clone(),
        };
        let tasks = TaskTracker::new();
        tasks.close();
        let cluster = Self {
            shared,
            objects,
            tasks,
            following: Mutex::default(),
        };
        cluster.follow(targets);
        cluster
    }

    /// How each watch is doing: ready is when all have synced.
    pub fn watches(&self) -> Vec<WatchStatus> {
        self.shared.health.statuses(Instant::now())
    }

    /// What the status of the target's objects says now.
    ///
    /// # Errors
    /// When the watches that show it do not work: what they showed before may be over. A sentence for people.
    pub fn status(&self, target: &TargetId) -> Result<ObjectStatus, String> {
        let broken = self.watches().into_iter().find(|watch| {
            watch.namespace == target.namespace && (!watch.synced || watch.error.is_some())
        });
        if let Some(watch) = broken {
            let why = watch.error.unwrap_or_else(|| "not listed yet".to_owned());
            return Err(format!(
                "{} in namespace `{}` cannot be watched: {why}",
                watch.resource, watch.namespace
            ));
        }
        let index = self.shared.index.lock();
        let status = index.unwrap_or_else(PoisonError::into_inner).status(target);
        status.ok_or_else(|| format!("there is no {target}"))
    }

    /// The workloads that somebody names so, of those that are watched or shown: a few at most.
    ///
    /// # Errors
    /// They were not listed yet. A sentence for people.
    pub fn find(&self, naming: &Naming) -> Result<Vec<Named>, String> {
        let index = self.shared.index.lock();
        index.unwrap_or_else(PoisonError::into_inner).find(naming)
    }

    /// Resolves when all tasks have ended, after the token was cancelled.
    pub async fn stopped(&self) {
        self.tasks.wait().await;
    }
}

#[async_trait]
impl Cluster for KubernetesCluster {
    fn news(&self) -> Vec<TargetNews> {
        let mut index = self
            .shared
            .index
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        index.news(Instant::now())
    }

    fn follow(&self, targets: &[TargetId]) {
        let mut following = self
            .following
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        following.follow(&self.shared, &self.tasks, targets);
    }

    fn show(&self, places: BTreeSet<(String, TargetKind)>) {
        let mut following = self
            .following
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        following.show(&self.shared, &self.tasks, places);
    }

    async fn changed(&self) {
        self.shared.changed.notified().await;
    }

    async fn execute(&self, command: &StepCommand) -> Result<StepResult, ClusterError> {
        execute::execute(&self.shared.client, &self.objects, command).await
    }

    async fn preview(&self, command: &StepCommand) -> Result<Value, ClusterError> {
        execute::preview(&self.shared.client, &self.objects, command).await
    }

    async fn nodes(&self, target: &TargetId, pods: &[PodName]) -> Result<NodeReport, ClusterError> {
        nodes::report(&self.shared.client, target, pods).await
    }

    async fn scale_state(&self, target: &ScaleTarget) -> Result<Option<ScaleState>, ClusterError> {
        scale::scale_state(&self.shared.client, target).await
    }

    async fn object(&self, object: &ObjectRef) -> Result<Option<ObjectState>, ClusterError> {
        self.objects.read(object).await
    }

    async fn preflight(&self, question: &WayBackQuestion) -> Result<Preflight, ClusterError> {
        preflight::look(&self.shared.client, question).await
    }
}

/// A client from the usual places: the kubeconfig that `KUBECONFIG` names or `~/.kube/config`, else the pod's own
/// service account.
///
/// # Errors
/// Neither is there, or what is there cannot be used.
pub async fn connect() -> Result<Client, ClusterError> {
    let config = Config::infer()
        .await
        .map_err(|error| ClusterError::Unconfigured {
            reason: format!(
                "{}. Set KUBECONFIG, or run with a service account",
                api::with_causes(&error)
            ),
        })?;
    tracing::info!("the API server is {}", config.cluster_url);
    client(config)
}

/// A client whose calls are neither repeated behind our back (up to 1000 s long) nor wait for ever.
///
/// # Errors
/// The configuration cannot be used.
pub fn client(mut config: Config) -> Result<Client, ClusterError> {
    config.default_retry = false;
    config.read_timeout = Some(READ_TIMEOUT);
    config.reset_reader_on_write = true;
    Client::try_from(config).map_err(|error| ClusterError::Unconfigured {
        reason: format!(
            "the configuration of the API client cannot be used: {}",
            api::with_causes(&error)
        ),
    })
}

/// Whether there is a Rollout of this name. A cluster that knows no Rollouts has none.
///
/// # Errors
/// No right, or no answer within the deadline.
pub async fn has_rollout(
    client: &Client,
    namespace: &str,
    name: &str,
) -> Result<bool, ClusterError> {
    let resource = objects::workload_resource(TargetKind::Rollout);
    let api: kube::Api<objects::Workload> =
        kube::Api::namespaced_with(client.clone(), namespace, &resource);
    let call = api::Call {
        verb: "get",
        resource: objects::resource_name(&resource),
        namespace,
    };
    Ok(call.answer(api.get(name)).await?.is_some())
}
