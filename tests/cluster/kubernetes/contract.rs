//! The contract of `Cluster`, on the real API server and its controllers; the clusters in memory pass the same cases.

#[path = "../../contract/suite.rs"]
mod suite;

use std::time::Duration;

use async_trait::async_trait;
use recant::cluster::Cluster;
use recant_core::ids::{TargetId, TargetKind};

use self::suite::{Scene, keeps_the_contract};
use super::{Watched, agent, target};
use crate::bed::Bed;
use crate::case::run;
use crate::manifests;
use crate::namespace::Namespace;

/// The adapter with the agent's rights; people are the administrator.
struct Real {
    ns: Namespace,
    watched: Watched,
}

#[async_trait]
impl Scene for Real {
    fn cluster(&self) -> &dyn Cluster {
        &self.watched.cluster
    }

    fn target(&self) -> TargetId {
        target(&self.ns, TargetKind::Deployment)
    }

    async fn ship(&self, tag: &str) {
        self.ns.set_image("checkout", tag).await;
    }

    async fn pause(&self, on: bool) {
        let verb = if on { "pause" } else { "resume" };
        self.ns
            .kubectl(&["rollout", verb, "deployment/checkout"])
            .await;
    }

    async fn kill_switch(&self, on: bool) {
        let annotation = if on {
            "recant.dev/kill-switch=true"
        } else {
            "recant.dev/kill-switch-"
        };
        self.ns
            .kubectl(&["annotate", "deployment/checkout", annotation])
            .await;
    }

    async fn scale(&self, replicas: u32) {
        let replicas = format!("--replicas={replicas}");
        self.ns
            .kubectl(&["scale", "deployment/checkout", &replicas])
            .await;
    }

    async fn delete(&self) {
        self.ns
            .kubectl(&["delete", "deployment", "checkout", "--cascade=foreground"])
            .await;
    }

    async fn create(&self, tag: &str) {
        self.ns
            .apply(&manifests::deployment("checkout", tag, 2))
            .await;
    }

    async fn moment(&self) {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[test]
fn the_api_server_keeps_the_contract() {
    run(async {
        let bed = Bed::get().await;
        let ns = bed.namespace("contract").await;
        ns.deployment("checkout", "v1", 2).await;
        let client = agent(bed, &ns).await;
        let watched = Watched::start(client, target(&ns, TargetKind::Deployment));
        keeps_the_contract(&Real { ns, watched }).await;
    });
}
