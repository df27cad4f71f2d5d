//! What a round reaches the world with: the first news of the cluster, and sources that may have failed already.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::bail;
use async_trait::async_trait;
use tokio::time::{Instant, sleep};

use recant_core::ids::TargetId;
use recant_core::observation::{Cause, Observation};
use recant_core::plan::{StepCommand, StepResult};
use recant_core::rule::ScaleTarget;
use recant_core::scaling::ScaleState;
use recant_core::target::TargetNews;

use crate::cluster::kubernetes::KubernetesCluster;
use crate::cluster::{Cluster, ClusterError};
use crate::source::{NoRange, Query, Source};

/// By when the cluster must have shown all targets.
const LISTED: Duration = Duration::from_secs(30);
/// How long a controller that lags behind a target's spec is waited for: which revision it is at is not known before.
const OBSERVED: Duration = Duration::from_secs(10);

/// Waits until the cluster has said of every target what it is, or that it is not there.
pub(super) async fn first_news(
    cluster: &KubernetesCluster,
    targets: &[TargetId],
) -> anyhow::Result<Vec<TargetNews>> {
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
        if unobserved && begun.elapsed() < OBSERVED {
            sleep(Duration::from_millis(100)).await;
            continue;
        }
        if targets.iter().all(|target| known.contains(target)) {
            return Ok(news);
        }
        if begun.elapsed() >= LISTED {
            let faults: Vec<String> = cluster
                .watches()
                .into_iter()
                .filter(|watch| !watch.synced)
                .map(|watch| {
                    let problem = watch.error.unwrap_or_else(|| "no answer".to_owned());
                    format!("{} in `{}`: {problem}", watch.resource, watch.namespace)
                })
                .collect();
            bail!(
                "the cluster did not show what is watched within {} s: {}",
                LISTED.as_secs(),
                faults.join("; ")
            );
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
pub(super) struct Primed {
    cluster: Arc<KubernetesCluster>,
    first: Mutex<Vec<TargetNews>>,
}

impl Primed {
    pub(super) fn new(cluster: Arc<KubernetesCluster>, first: Vec<TargetNews>) -> Self {
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

    async fn changed(&self) {
        self.cluster.changed().await;
    }

    async fn execute(&self, command: &StepCommand) -> Result<StepResult, ClusterError> {
        self.cluster.execute(command).await
    }

    async fn scale_state(&self, target: &ScaleTarget) -> Result<Option<ScaleState>, ClusterError> {
        self.cluster.scale_state(target).await
    }
}

/// A source of which the past could not be had: what it says of now is not used either, since the counters of then
/// and now would be one moment's events.
#[derive(Debug)]
pub(super) struct Unusable {
    pub(super) cause: Cause,
    pub(super) reason: String,
}

impl From<NoRange> for Unusable {
    fn from(NoRange { cause, reason }: NoRange) -> Self {
        Self { cause, reason }
    }
}

#[async_trait]
impl Source for Unusable {
    async fn read(&self, queries: &[Query]) -> Vec<Vec<Observation>> {
        let unavailable = || Observation::Unavailable {
            cause: self.cause,
            reason: self.reason.clone(),
        };
        queries
            .iter()
            .map(|query| query.targets.iter().map(|_| unavailable()).collect())
            .collect()
    }
}
