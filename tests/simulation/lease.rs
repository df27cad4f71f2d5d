//! The acting Lease, by the times of the real one: a holder stops acting after two thirds of the duration since its last
//! renewal began, others wait for the whole of it. A process that starts again in its place is the same holder.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::incarnation::Incarnation;
use crate::world::Sim;

const DURATION: Duration = Duration::from_secs(6);

/// What the API server has of the Lease.
#[derive(Debug, Default)]
pub(crate) struct LeaseBook {
    holder: Option<usize>,
    /// Changes with every renewal.
    version: u64,
    /// Replicas whose requests do not arrive, and until which second.
    pub(crate) cut_off: Vec<(usize, i64)>,
}

/// Competes for the Lease, and renews it while the process runs.
pub(crate) async fn compete(sim: Arc<Sim>, process: Arc<Incarnation>) {
    let mut seen: Option<(u64, Instant)> = None;
    loop {
        process.pass().await;
        let begun = Instant::now();
        let pause = {
            let mut world = sim.world();
            let now = world.now;
            let lost =
                |(replica, until): &(usize, i64)| *replica == process.replica && now < *until;
            if world.lease.cut_off.iter().any(lost) || now < world.cluster_down_until {
                DURATION / 15
            } else {
                let version = world.lease.version;
                let silent = match seen {
                    Some((last, since)) if last == version => since.elapsed() >= DURATION,
                    Some(_) | None => {
                        seen = Some((version, begun));
                        false
                    }
                };
                let free = world.lease.holder.is_none() || silent;
                if free || world.lease.holder == Some(process.replica) {
                    world.lease.holder = Some(process.replica);
                    world.lease.version += 1;
                    process.renewed(begun + DURATION * 2 / 3);
                    DURATION / 3
                } else {
                    DURATION / 6
                }
            }
        };
        tokio::time::sleep(pause).await;
    }
}

/// Gives the Lease back at an orderly end.
pub(crate) fn release(sim: &Sim, process: &Incarnation) {
    let mut world = sim.world();
    if world.lease.holder == Some(process.replica) {
        world.lease.holder = None;
        world.lease.version += 1;
    }
    process.renewed(Instant::now());
}
