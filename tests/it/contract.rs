//! The contract of `Cluster`, in memory; the real API server passes the same cases in `tests/cluster`.

#[path = "../contract/suite.rs"]
mod suite;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use recant::cluster::memory::{MemoryCluster, PodRunner};
use recant::cluster::{Cluster, KILL_SWITCH_ANNOTATION};
use recant_core::ids::{PodName, TargetId, TargetKind};
use tokio_util::sync::CancellationToken;

use self::suite::{Scene, keeps_the_contract};

/// Runs nothing: pods are ready at once.
struct NoPods;

#[async_trait]
impl PodRunner for NoPods {
    async fn start(&self, _pod: &PodName, _image: &str) -> io::Result<SocketAddr> {
        Ok(SocketAddr::from(([127, 0, 0, 1], 9)))
    }

    async fn stop(&self, _pod: &PodName) {}
}

struct Memory {
    cluster: Arc<MemoryCluster>,
}

fn target() -> TargetId {
    TargetId {
        namespace: "shop".to_owned(),
        kind: TargetKind::Deployment,
        name: "checkout".to_owned(),
    }
}

fn image(tag: &str) -> String {
    format!("shop/checkout:{tag}")
}

#[async_trait]
impl Scene for Memory {
    fn cluster(&self) -> &dyn Cluster {
        &*self.cluster
    }

    fn target(&self) -> TargetId {
        target()
    }

    async fn ship(&self, tag: &str) {
        self.cluster.ship(&image(tag));
    }

    async fn pause(&self, on: bool) {
        self.cluster.pause(on);
    }

    async fn kill_switch(&self, on: bool) {
        self.cluster
            .annotate(KILL_SWITCH_ANNOTATION, on.then_some("true"));
    }

    async fn scale(&self, replicas: u32) {
        self.cluster.scale(replicas);
    }

    async fn delete(&self) {
        self.cluster.delete();
        while !self.cluster.serving().is_empty() {
            self.moment().await;
        }
    }

    async fn create(&self, tag: &str) {
        self.cluster.create(&image(tag), 2);
    }

    async fn moment(&self) {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn the_cluster_in_memory_keeps_the_contract() {
    let runner: Arc<dyn PodRunner> = Arc::new(NoPods);
    let pace = Duration::from_millis(100);
    let cluster = MemoryCluster::new(target(), &image("v1"), 2, runner, pace);
    let cluster = Arc::new(cluster);
    let stop = CancellationToken::new();
    let running = tokio::spawn({
        let (cluster, stop) = (Arc::clone(&cluster), stop.clone());
        async move { cluster.run(stop).await }
    });
    keeps_the_contract(&Memory { cluster }).await;
    stop.cancel();
    running.await.expect("it ends");
}
