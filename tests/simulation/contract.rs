//! The contract of `Cluster`, for the simulated one: the real API server passes the same cases in `tests/cluster`, so that
//! what the schedules show holds there, too.

#[path = "../contract/suite.rs"]
mod suite;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use async_trait::async_trait;
use recant::cluster::Cluster;
use recant_core::ids::{TargetId, TargetKind};

use self::suite::{Scene, keeps_the_contract};
use crate::cluster::SimCluster;
use crate::incarnation::Incarnation;
use crate::random::Random;
use crate::scenario::{HEALED, Scenario};
use crate::workload::Workload;
use crate::world::{Sim, World};

struct Simulated {
    sim: Arc<Sim>,
    cluster: SimCluster,
}

impl Simulated {
    fn change(&self, change: impl FnOnce(&mut Workload, i64)) {
        let mut world = self.sim.world();
        let now = world.now;
        change(world.target(0), now);
        world.show();
    }
}

#[async_trait]
impl Scene for Simulated {
    fn cluster(&self) -> &dyn Cluster {
        &self.cluster
    }

    fn target(&self) -> TargetId {
        self.sim.world().target(0).id.clone()
    }

    async fn ship(&self, tag: &str) {
        self.change(|workload, now| {
            let shipped = workload.ship(true, now);
            assert_eq!(shipped.as_str(), tag, "revisions are counted");
        });
    }

    async fn pause(&self, on: bool) {
        self.change(|workload, now| workload.set(now, |object| object.paused = on));
    }

    async fn kill_switch(&self, on: bool) {
        self.change(|workload, now| workload.set(now, |object| object.kill_switch = on));
    }

    async fn scale(&self, replicas: u32) {
        self.change(|workload, now| {
            workload.set(now, |object| object.scaling.replicas = replicas);
        });
    }

    async fn delete(&self) {
        self.change(Workload::delete);
    }

    async fn create(&self, tag: &str) {
        self.change(|workload, now| workload.create(&tag.into(), now));
    }

    async fn moment(&self) {
        let now = self.sim.world().now;
        self.sim.second(now + 1);
    }
}

/// Whether the cluster of the simulation keeps what the real one keeps.
pub(crate) fn kept() -> bool {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime of one thread");
    let case = async {
        let mut random = Random::new(1);
        let mut scenario = Scenario::draw(&mut random);
        scenario.kinds = vec![TargetKind::Deployment];
        scenario.arms.clear();
        let sim = Arc::new(Sim::new(World::new(scenario, random, false)));
        // By then nothing goes wrong on purpose.
        sim.second(HEALED + 1);
        let process = Arc::new(Incarnation::new(0, 1));
        let cluster = SimCluster::new(Arc::clone(&sim), process);
        keeps_the_contract(&Simulated { sim, cluster }).await;
    };
    catch_unwind(AssertUnwindSafe(|| runtime.block_on(case))).is_ok()
}
