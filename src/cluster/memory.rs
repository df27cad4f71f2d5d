//! A cluster in memory: one Deployment whose pods are whatever its runner starts. For `recant demo`, and for tests.
//!
//! It rolls pod by pod, as a Deployment does with a surge of one, and holds every step against the same fence as the
//! real cluster.

mod deployment;

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use recant_core::change::{Change, ObjectRef, ObjectState};
use recant_core::git_sync::{self, SyncEdit};
use recant_core::ids::{PlanId, PodName, RevisionHash, TargetId};
use recant_core::plan::{Action, Admission, Step, StepCommand, StepResult, SyncStep, SyncSwitch};
use recant_core::rule::ScaleTarget;
use recant_core::scaling::ScaleState;
use recant_core::target::TargetNews;
use serde_json::Value;
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use self::deployment::{Deployment, Next};
use super::{Cluster, ClusterError, NOT_OF_THE_CLUSTER};

/// How long a pod that cannot start is left in sight before the next attempt.
const START_AGAIN: Duration = Duration::from_secs(1);

/// Starts and stops what a pod runs.
#[async_trait]
pub trait PodRunner: Send + Sync {
    /// Starts a pod of an image; where it answers, and exposes `/metrics`.
    async fn start(&self, pod: &PodName, image: &str) -> std::io::Result<SocketAddr>;

    /// Stops it; it gets no new traffic already.
    async fn stop(&self, pod: &PodName);
}

/// One Deployment in memory.
pub struct MemoryCluster {
    world: Mutex<World>,
    changed: Notify,
    spec_changed: Notify,
    runner: Arc<dyn PodRunner>,
    /// Between two pods of a rolling update.
    pace: Duration,
}

struct World {
    deployment: Deployment,
    /// What lies beside it: held as it is, and changed by nobody but who writes it.
    objects: BTreeMap<ObjectRef, Value>,
    /// The last news.
    offered: Option<TargetNews>,
}

impl World {
    fn object(&self, named: &ObjectRef) -> Option<ObjectState> {
        let object = if *named == self.deployment.object_ref() {
            self.deployment.exists().then(|| self.deployment.object())?
        } else {
            self.objects.get(named)?.clone()
        };
        Some(ObjectState::new(named, object, false))
    }

    /// Switches the self-heal of an object beside the Deployment off or on.
    fn sync(&mut self, plan: &PlanId, step: &SyncStep) -> StepResult {
        let named = git_sync::object_ref(&step.owner);
        let Some(object) = self.objects.get_mut(&named) else {
            return StepResult::Refused {
                reason: format!("{named} does not exist"),
            };
        };
        let sync = match step.switch {
            SyncSwitch::Suspend => git_sync::suspend(step.owner.kind, plan, object),
            SyncSwitch::Resume => git_sync::resume(step.owner.kind, Some(plan), object),
        };
        match sync {
            SyncEdit::Nothing => StepResult::AlreadyDone,
            SyncEdit::Done => StepResult::Done,
            SyncEdit::Refused { reason } => StepResult::Refused { reason },
            SyncEdit::Write(patch) => {
                let patch = serde_json::from_value::<json_patch::Patch>(patch);
                let written = patch.map_err(|error| error.to_string()).and_then(|patch| {
                    json_patch::patch(object, &patch).map_err(|error| error.to_string())
                });
                match written {
                    Ok(()) => StepResult::Done,
                    Err(reason) => StepResult::Refused { reason },
                }
            }
        }
    }

    /// Carries out a change that was admitted.
    fn change(&mut self, plan: &PlanId, index: usize, change: &Change) -> StepResult {
        match self.patched(plan, index, change) {
            Ok(object) if change.object == self.deployment.object_ref() => {
                self.deployment.written(&object, Timestamp::now());
                StepResult::Done
            }
            Ok(object) => {
                self.objects.insert(change.object.clone(), object);
                StepResult::Done
            }
            Err(reason) => StepResult::Refused { reason },
        }
    }

    fn patched(&self, plan: &PlanId, index: usize, change: &Change) -> Result<Value, String> {
        let fresh = self.object(&change.object);
        let mut object = fresh.map(|fresh| fresh.object).unwrap_or_default();
        let patch = change.patch(plan, index, &object)?;
        let patch: json_patch::Patch =
            serde_json::from_value(patch).map_err(|error| error.to_string())?;
        json_patch::patch(&mut object, &patch).map_err(|error| error.to_string())?;
        Ok(object)
    }
}

impl fmt::Debug for MemoryCluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryCluster").finish_non_exhaustive()
    }
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
        Self {
            world: Mutex::new(World {
                deployment: Deployment::new(id, image, replicas, Timestamp::now()),
                objects: BTreeMap::new(),
                offered: None,
            }),
            changed: Notify::new(),
            spec_changed: Notify::new(),
            runner,
            pace,
        }
    }

    /// Changes the image, as a person who ships a release does; the revision's hash.
    pub fn ship(&self, image: &str) -> RevisionHash {
        let hash = self.world().deployment.ship(image, Timestamp::now());
        self.spec_changed.notify_one();
        self.changed.notify_one();
        hash
    }

    /// Pauses its rolling, as `kubectl rollout pause` does, or lets it go on.
    pub fn pause(&self, on: bool) {
        self.change(|deployment| deployment.pause_by_person(on));
        self.spec_changed.notify_one();
    }

    /// Sets an annotation of the Deployment, or takes it away.
    pub fn annotate(&self, key: &str, value: Option<&str>) {
        self.change(|deployment| deployment.annotate(key, value));
    }

    /// Sets how many pods there shall be, as a person does.
    pub fn scale(&self, replicas: u32) {
        self.change(|deployment| deployment.set_replicas(replicas));
        self.spec_changed.notify_one();
    }

    /// Deletes the Deployment with its pods.
    pub fn delete(&self) {
        self.change(Deployment::delete);
        self.spec_changed.notify_one();
    }

    /// Creates it again with this image: another object of the same name.
    pub fn create(&self, image: &str, replicas: usize) {
        self.change(|deployment| deployment.create(image, replicas, Timestamp::now()));
        self.spec_changed.notify_one();
    }

    /// Lays an object beside the Deployment, in the place of one of the same name. No controller
    /// looks after it.
    pub fn put(&self, named: ObjectRef, object: Value) {
        self.world().objects.insert(named, object);
    }

    /// Where the pods that are ready answer, in the order of their start.
    pub fn ready(&self) -> Vec<SocketAddr> {
        self.world().deployment.ready()
    }

    /// The images of the pods that are ready.
    pub fn serving(&self) -> Vec<String> {
        self.world().deployment.serving()
    }

    /// Rolls pods towards the current revision, one at a time, until the token is cancelled; then stops them all.
    pub async fn run(&self, stop: CancellationToken) {
        while !stop.is_cancelled() {
            let next = self.change(|deployment| deployment.next(Timestamp::now()));
            match next {
                Next::Start(pod) => {
                    let started = tokio::select! {
                        // Stopping comes first: nobody waits for this pod any more.
                        biased;
                        () = stop.cancelled() => break,
                        started = self.runner.start(&pod.name, &pod.image) => started,
                    };
                    let failed = started.is_err();
                    self.change(|deployment| deployment.started(&pod.name, started));
                    if failed {
                        pause(START_AGAIN, &stop).await;
                        self.stop(&pod.name).await;
                    } else {
                        pause(self.pace, &stop).await;
                    }
                }
                Next::Stop(name) => {
                    // Traffic stops before the pod does: requests in flight are answered.
                    pause(self.pace / 2, &stop).await;
                    self.stop(&name).await;
                }
                Next::Rest => tokio::select! {
                    // Stopping comes first: the spec does not matter then.
                    biased;
                    () = stop.cancelled() => break,
                    () = self.spec_changed.notified() => {}
                },
            }
        }
        for name in self.change(Deployment::leave_all) {
            self.stop(&name).await;
        }
    }

    async fn stop(&self, pod: &PodName) {
        self.runner.stop(pod).await;
        self.change(|deployment| deployment.stopped(pod, Instant::now()));
    }

    fn change<T>(&self, change: impl FnOnce(&mut Deployment) -> T) -> T {
        let result = change(&mut self.world().deployment);
        self.changed.notify_one();
        result
    }

    fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn pause(pause: Duration, stop: &CancellationToken) {
    tokio::select! {
        // Stopping comes first: there is nothing to wait for then.
        biased;
        () = stop.cancelled() => {}
        () = tokio::time::sleep(pause) => {}
    }
}

#[async_trait]
impl Cluster for MemoryCluster {
    fn news(&self) -> Vec<TargetNews> {
        let mut world = self.world();
        world.deployment.forget(Instant::now());
        let news = if world.deployment.exists() {
            TargetNews::State(Box::new(world.deployment.state()))
        } else {
            TargetNews::Gone(world.deployment.id().clone())
        };
        if world.offered.as_ref() == Some(&news) {
            return Vec::new();
        }
        world.offered = Some(news.clone());
        vec![news]
    }

    async fn changed(&self) {
        self.changed.notified().await;
    }

    async fn execute(&self, command: &StepCommand) -> Result<StepResult, ClusterError> {
        // Under one lock from the read to the write: nobody can come in between.
        let mut world = self.world();
        let plan = &command.plan;
        let admission = match &command.action {
            Action::Rollback(_) | Action::Pause(_) if !world.deployment.exists() => {
                Admission::Fenced {
                    reason: format!("{} does not exist any more", command.object()),
                }
            }
            Action::Rollback(rollback) => rollback.admit(plan, &world.deployment.state()),
            Action::Pause(step) => step.admit(plan, &world.deployment.state()),
            Action::Sync(step) => step.admit(Some(&world.deployment.state())),
            Action::Scale(change) => {
                change.admit(plan, world.deployment.scale_state(&change.target).as_ref())
            }
            Action::Change(change) => {
                change.admit(plan, command.index, world.object(&change.object).as_ref())
            }
            Action::Apply(_) => {
                return Ok(StepResult::Refused {
                    reason: "no manifest is applied in memory".to_owned(),
                });
            }
            Action::Webhook(_) => {
                return Ok(StepResult::Refused {
                    reason: NOT_OF_THE_CLUSTER.to_owned(),
                });
            }
            Action::Evidence(_) => {
                return Ok(StepResult::Refused {
                    reason: "pods in memory have no logs that could be kept".to_owned(),
                });
            }
        };
        match admission {
            Admission::AlreadyDone => return Ok(StepResult::AlreadyDone),
            Admission::NotYet { reason } => return Err(ClusterError::Unsettled { reason }),
            Admission::Fenced { reason } => return Ok(StepResult::Fenced { reason }),
            Admission::Write => {}
        }
        let result = match &command.action {
            Action::Rollback(rollback) => match &rollback.step {
                Step::UndoDeployment { to } => world.deployment.undo(to, plan, Timestamp::now()),
                Step::AbortRollout
                | Step::ApplyRevision { .. }
                | Step::AwaitStuck
                | Step::DeleteStuckPods { .. }
                | Step::UndoRollout { .. }
                | Step::AwaitCurrent { .. }
                | Step::PromoteFull { .. }
                | Step::AwaitRestored => {
                    return Ok(StepResult::Refused {
                        reason: "there are only Deployments in memory".to_owned(),
                    });
                }
            },
            Action::Scale(change) => world.deployment.scale(change.to, plan),
            Action::Change(change) => world.change(plan, command.index, change),
            Action::Pause(step) => world.deployment.pause(plan, &step.write),
            Action::Evidence(_) | Action::Apply(_) | Action::Webhook(_) => StepResult::AlreadyDone,
            Action::Sync(step) => world.sync(plan, step),
        };
        drop(world);
        self.spec_changed.notify_one();
        self.changed.notify_one();
        Ok(result)
    }

    async fn scale_state(&self, target: &ScaleTarget) -> Result<Option<ScaleState>, ClusterError> {
        Ok(self.world().deployment.scale_state(target))
    }

    async fn object(&self, object: &ObjectRef) -> Result<Option<ObjectState>, ClusterError> {
        Ok(self.world().object(object))
    }
}

#[cfg(test)]
mod tests;
