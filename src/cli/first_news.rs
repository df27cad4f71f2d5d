//! The first news of the cluster: what there is to be judged, before the past of it is read.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::{Instant, sleep};

use recant_core::change::{ObjectRef, ObjectState};
use recant_core::ids::{PodName, TargetId, TargetKind};
use recant_core::plan::{StepCommand, StepResult};
use recant_core::preflight::{Preflight, WayBackQuestion};
use recant_core::rule::ScaleTarget;
use recant_core::scaling::ScaleState;
use recant_core::target::{NodeReport, TargetNews};
use serde_json::Value;

use crate::cluster::kubernetes::KubernetesCluster;
use crate::cluster::{Cluster, ClusterError};

/// How long the cluster is waited for.
#[derive(Debug, Clone, Copy)]
pub(in crate::cli) struct Patience {
    /// By when it must have shown all targets.
    pub(in crate::cli) listed: Duration,
    /// A controller may lag behind a target's spec: which revision it is at is not known before.
    pub(in crate::cli) observed: Duration,
}

/// What the cluster said in time.
#[derive(Debug)]
pub(in crate::cli) struct FirstNews {
    pub(in crate::cli) news: Vec<TargetNews>,
    /// Why it is not of all targets.
    pub(in crate::cli) incomplete: Option<String>,
}

/// Waits until the cluster has said of every target what it is, or that it is not there.
pub(in crate::cli) async fn first_news(
    cluster: &KubernetesCluster,
    targets: &[TargetId],
    patience: Patience,
) -> FirstNews {
    let begun = Instant::now();
    let mut news: Vec<TargetNews> = Vec::new();
    loop {
        for newer in cluster.news() {
            news.retain(|older| target(older) != target(&newer));
            news.push(newer);
        }
        let known: BTreeSet<&TargetId> = news.iter().map(target).collect();
        let unobserved = news.iter().any(|news| match news {
            TargetNews::State(state) => state.current.is_none(),
            TargetNews::Gone(_) => false,
        });
        if unobserved && begun.elapsed() < patience.observed {
            sleep(Duration::from_millis(100)).await;
            continue;
        }
        if targets.iter().all(|target| known.contains(target)) {
            return FirstNews {
                news,
                incomplete: None,
            };
        }
        if begun.elapsed() >= patience.listed {
            let faults: Vec<String> = cluster
                .watches()
                .into_iter()
                .filter(|watch| !watch.synced)
                .map(|watch| {
                    let problem = watch.error.unwrap_or_else(|| "no answer".to_owned());
                    format!("{} in `{}`: {problem}", watch.resource, watch.namespace)
                })
                .collect();
            let incomplete = format!(
                "the cluster did not show what is watched within {} s: {}",
                patience.listed.as_secs(),
                faults.join("; ")
            );
            return FirstNews {
                news,
                incomplete: Some(incomplete),
            };
        }
        tokio::select! {
            () = cluster.changed() => {}
            () = sleep(Duration::from_millis(200)) => {}
        }
    }
}

fn target(news: &TargetNews) -> &TargetId {
    match news {
        TargetNews::State(state) => &state.id,
        TargetNews::Gone(target) => target,
    }
}

/// The cluster, with the first news to be told once more.
pub(in crate::cli) struct Primed {
    cluster: Arc<KubernetesCluster>,
    first: Mutex<Vec<TargetNews>>,
}

impl Primed {
    pub(in crate::cli) fn new(cluster: Arc<KubernetesCluster>, first: Vec<TargetNews>) -> Self {
        Self {
            cluster,
            first: Mutex::new(first),
        }
    }
}

#[async_trait]
impl Cluster for Primed {
    fn news(&self) -> Vec<TargetNews> {
        let mut first = self.first.lock().unwrap_or_else(PoisonError::into_inner);
        let mut news = std::mem::take(&mut *first);
        news.extend(self.cluster.news());
        news
    }

    fn follow(&self, targets: &[TargetId]) {
        self.cluster.follow(targets);
    }

    fn show(&self, places: BTreeSet<(String, TargetKind)>) {
        self.cluster.show(places);
    }

    async fn changed(&self) {
        self.cluster.changed().await;
    }

    async fn execute(&self, command: &StepCommand) -> Result<StepResult, ClusterError> {
        self.cluster.execute(command).await
    }

    async fn preview(&self, command: &StepCommand) -> Result<Value, ClusterError> {
        self.cluster.preview(command).await
    }

    async fn nodes(&self, target: &TargetId, pods: &[PodName]) -> Result<NodeReport, ClusterError> {
        self.cluster.nodes(target, pods).await
    }

    async fn scale_state(&self, target: &ScaleTarget) -> Result<Option<ScaleState>, ClusterError> {
        self.cluster.scale_state(target).await
    }

    async fn object(&self, object: &ObjectRef) -> Result<Option<ObjectState>, ClusterError> {
        self.cluster.object(object).await
    }

    async fn preflight(&self, question: &WayBackQuestion) -> Result<Preflight, ClusterError> {
        self.cluster.preflight(question).await
    }
}
