//! A cluster in memory: one Deployment whose pods are whatever its runner starts. For `recant demo`, and for tests.
//!
//! It rolls pod by pod, as a Deployment does with a surge of one, and holds every step against the same fence as the
//! real cluster.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use recant_core::ids::{PlanId, PodName, RevisionHash, TargetId};
use recant_core::plan::{Admission, Step, StepCommand, StepResult};
use recant_core::target::{Pod, Revision, TargetNews, TargetState};

use super::{Cluster, ClusterError};

/// Pods that went are remembered this long, so that their last samples count.
const REMEMBERED: Duration = Duration::from_mins(1);

/// Starts and stops what a pod runs.
#[async_trait]
pub trait PodRunner: Send + Sync {
    /// Starts a pod of an image; where it answers, and exposes `/metrics`.
    async fn start(&self, pod: &PodName, image: &str) -> std::io::Result<SocketAddr>;

    /// Stops it.
    async fn stop(&self, pod: &PodName);
}

/// One Deployment in memory.
pub struct MemoryCluster {
    world: Mutex<World>,
    changed: Notify,
    work: Notify,
    runner: Arc<dyn PodRunner>,
    /// Between two pods of a rolling update.
    pace: Duration,
}

struct World {
    id: TargetId,
    replicas: usize,
    current: RevisionHash,
    revisions: Vec<Revision>,
    pods: Vec<MemoryPod>,
    pods_made: usize,
    last_plan: Option<PlanId>,
    news: bool,
}

struct MemoryPod {
    pod: Pod,
    address: SocketAddr,
    gone: Option<Timestamp>,
}

impl MemoryCluster {
    /// A Deployment with the first image; pods are started by [`Self::run`].
    pub fn new(
        id: TargetId,
        image: &str,
        replicas: usize,
        runner: Arc<dyn PodRunner>,
        pace: Duration,
    ) -> Self {
        let first = revision(image, 1);
        Self {
            world: Mutex::new(World {
                id,
                replicas,
                current: first.hash.clone(),
                revisions: vec![first],
                pods: Vec::new(),
                pods_made: 0,
                last_plan: None,
                news: true,
            }),
            changed: Notify::new(),
            work: Notify::new(),
            runner,
            pace,
        }
    }

    /// Changes the image, as a person who ships a release does; the revision's hash.
    pub fn ship(&self, image: &str) -> RevisionHash {
        let mut world = self.world();
        let hash = world.set_image(image);
        drop(world);
        self.wake();
        hash
    }

    /// Addresses of the pods that are ready.
    pub fn ready(&self) -> Vec<SocketAddr> {
        let world = self.world();
        world
            .pods
            .iter()
            .filter(|pod| pod.pod.ready)
            .map(|pod| pod.address)
            .collect()
    }

    /// Rolls pods towards the current revision until the token is cancelled.
    pub async fn run(&self, stop: CancellationToken) {
        loop {
            let settled = self.roll_one().await;
            let pause = if settled {
                Duration::from_secs(1)
            } else {
                self.pace
            };
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.work.notified(), if settled => {}
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    /// Starts one missing pod of the current revision and stops one that is too many; true when there is nothing to do.
    async fn roll_one(&self) -> bool {
        let next = self.world().next_pod();
        let started = match next {
            Some((name, image, hash)) => {
                match self.runner.start(&name, &image).await {
                    Ok(address) => self.world().add(name, hash, address),
                    Err(error) => tracing::warn!("pod `{name}` could not be started: {error}"),
                }
                true
            }
            None => false,
        };
        let surplus = self.world().surplus();
        let settled = !started && surplus.is_none();
        if let Some(name) = surplus {
            self.wake();
            // Traffic stops before the pod does: requests in flight are answered.
            tokio::time::sleep(self.pace / 2).await;
            self.runner.stop(&name).await;
        }
        if !settled {
            self.wake();
        }
        settled
    }

    fn wake(&self) {
        self.world().news = true;
        self.changed.notify_one();
        self.work.notify_one();
    }

    fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl World {
    fn set_image(&mut self, image: &str) -> RevisionHash {
        let number = self
            .revisions
            .iter()
            .map(|revision| revision.number)
            .max()
            .unwrap_or(0)
            + 1;
        let new = revision(image, number);
        self.current = new.hash.clone();
        match self
            .revisions
            .iter_mut()
            .find(|revision| revision.hash == new.hash)
        {
            // An old template gets a new number, as in Kubernetes.
            Some(old) => old.number = number,
            None => self.revisions.push(new),
        }
        self.current.clone()
    }

    fn next_pod(&mut self) -> Option<(PodName, String, RevisionHash)> {
        let have = self
            .pods
            .iter()
            .filter(|pod| pod.pod.ready && pod.pod.hash == self.current)
            .count();
        if have >= self.replicas {
            return None;
        }
        let image = self
            .revisions
            .iter()
            .find(|revision| revision.hash == self.current)?
            .images
            .first()?;
        self.pods_made += 1;
        let name = format!("{}-{}-{}", self.id.name, self.current, self.pods_made);
        Some((PodName(name), image.clone(), self.current.clone()))
    }

    fn add(&mut self, name: PodName, hash: RevisionHash, address: SocketAddr) {
        let pod = Pod {
            name,
            hash,
            created: Timestamp::now(),
            ready: true,
            terminating: false,
            ip: Some(address.ip()),
            metrics: Some((address.port(), "/metrics".to_owned())),
            unready_reason: None,
        };
        self.pods.push(MemoryPod {
            pod,
            address,
            gone: None,
        });
    }

    /// Takes one pod out of service that is no longer wanted.
    fn surplus(&mut self) -> Option<PodName> {
        let now = Timestamp::now();
        self.pods.retain(|pod| {
            pod.gone.is_none_or(|gone| {
                Duration::try_from(now.duration_since(gone)).unwrap_or_default() < REMEMBERED
            })
        });
        let ready = self.pods.iter().filter(|pod| pod.pod.ready).count();
        let current = self.current.clone();
        let old = self
            .pods
            .iter_mut()
            .find(|pod| pod.pod.ready && pod.pod.hash != current)?;
        if ready <= self.replicas {
            return None;
        }
        old.pod.ready = false;
        old.pod.terminating = true;
        old.gone = Some(now);
        Some(old.pod.name.clone())
    }

    fn state(&self) -> TargetState {
        let ready = |pod: &&MemoryPod| pod.pod.ready;
        let current = self
            .pods
            .iter()
            .filter(ready)
            .filter(|pod| pod.pod.hash == self.current)
            .count();
        TargetState {
            id: self.id.clone(),
            uid: "in-memory".to_owned(),
            current: Some(self.current.clone()),
            paused: false,
            complete: current == self.replicas && self.pods.iter().filter(ready).count() == current,
            rollout: None,
            revisions: self.revisions.clone(),
            pods: self.pods.iter().map(|pod| pod.pod.clone()).collect(),
            kill_switch: None,
            last_plan: self.last_plan.clone(),
        }
    }
}

/// The hash of a template is a function of its image here.
fn revision(image: &str, number: u64) -> Revision {
    let mut hash: u32 = 0x811c_9dc5;
    for byte in image.bytes() {
        hash = (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193);
    }
    Revision {
        hash: RevisionHash(format!("{hash:08x}")),
        number,
        images: vec![image.to_owned()],
        created: Timestamp::now(),
    }
}

#[async_trait]
impl Cluster for MemoryCluster {
    fn news(&self) -> Vec<TargetNews> {
        let mut world = self.world();
        if !std::mem::take(&mut world.news) {
            return Vec::new();
        }
        vec![TargetNews::State(Box::new(world.state()))]
    }

    async fn changed(&self) {
        self.changed.notified().await;
    }

    async fn execute(&self, command: &StepCommand) -> Result<StepResult, ClusterError> {
        let mut world = self.world();
        match command.admit(&world.state()) {
            Admission::AlreadyDone => return Ok(StepResult::AlreadyDone),
            Admission::NotYet { reason } => return Err(ClusterError::Unsettled { reason }),
            Admission::Fenced { reason } => return Ok(StepResult::Fenced { reason }),
            Admission::Write => {}
        }
        let Step::UndoDeployment { to } = &command.step else {
            return Ok(StepResult::Refused {
                reason: "there are only Deployments in memory".to_owned(),
            });
        };
        let image = world
            .revisions
            .iter()
            .find(|revision| revision.hash == *to)
            .and_then(|revision| revision.images.first().cloned());
        let Some(image) = image else {
            return Ok(StepResult::Refused {
                reason: format!("revision {to} does not exist"),
            });
        };
        world.set_image(&image);
        world.last_plan = Some(command.plan.clone());
        drop(world);
        self.wake();
        Ok(StepResult::Done)
    }
}

impl std::fmt::Debug for MemoryCluster {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MemoryCluster").finish_non_exhaustive()
    }
}
