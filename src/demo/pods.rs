//! The pods of the demo: a real service each.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;

use recant_core::ids::PodName;

use super::Fault;
use super::service::{self, Behaviour};
use crate::cluster::memory::PodRunner;

/// The version that is shipped during the demo.
pub(super) const BAD: &str = "v2";

/// A good version errs now and then, as real ones do.
const GOOD: Behaviour = Behaviour {
    errors: 0.001,
    slower: 1.0,
};

/// Starts and stops the services.
#[derive(Debug)]
pub(super) struct Pods {
    fault: Fault,
    seed: u64,
    running: Mutex<BTreeMap<PodName, CancellationToken>>,
}

impl Pods {
    pub(super) fn new(fault: Fault, seed: u64) -> Self {
        Self {
            fault,
            seed,
            running: Mutex::default(),
        }
    }

    fn behaviour(&self, version: &str) -> Behaviour {
        match self.fault {
            Fault::Errors if version == BAD => Behaviour {
                errors: 0.3,
                ..GOOD
            },
            Fault::Latency if version == BAD => Behaviour {
                slower: 4.0,
                ..GOOD
            },
            Fault::Errors | Fault::Latency | Fault::None => GOOD,
        }
    }
}

#[async_trait]
impl PodRunner for Pods {
    async fn start(&self, pod: &PodName, image: &str) -> std::io::Result<SocketAddr> {
        let version = image.rsplit(':').next().unwrap_or(image);
        let stop = CancellationToken::new();
        let number = {
            let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
            running.insert(pod.clone(), stop.clone());
            running.len() as u64
        };
        let seed = self.seed.wrapping_mul(1000).wrapping_add(number);
        service::start(version, self.behaviour(version), seed, stop).await
    }

    async fn stop(&self, pod: &PodName) {
        let stopped = self
            .running
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(pod)
            .cloned();
        if let Some(stop) = stopped {
            stop.cancel();
        }
    }
}
