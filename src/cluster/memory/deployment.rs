//! One Deployment in memory: its revisions, its pods, and what is to be done next so that they fit.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use jiff::Timestamp;
use recant_core::change::{KILL_SWITCH_ANNOTATION, ObjectRef, is_on};
use recant_core::ids::{PlanId, PodName, RevisionHash, TargetId};
use recant_core::plan::{PauseWrite, StepResult};
use recant_core::rule::{ScaleKind, ScaleTarget};
use recant_core::scaling::ScaleState;
use recant_core::target::{ForRollback, OwnPause, Pod, Revision, Rolling, TargetState};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tokio::time::Instant;

/// The one container of its pods.
const CONTAINER: &str = "app";
/// How long a pod that went is remembered: its last samples still count.
const TOMBSTONE: Duration = Duration::from_mins(15);

pub(super) struct Deployment {
    id: TargetId,
    uid: String,
    replicas: usize,
    current: RevisionHash,
    revisions: Vec<Revision>,
    pods: Vec<MemoryPod>,
    last_plan: Option<PlanId>,
    pause: Option<OwnPause>,
    last_scaling: Option<PlanId>,
    annotations: BTreeMap<String, String>,
    /// The environment of each revision that has one.
    environments: BTreeMap<RevisionHash, Vec<Value>>,
    /// Pods made so far; a part of their names.
    made: u64,
    paused_by_person: bool,
    deleted: bool,
    /// How often it was created.
    created: u64,
}

struct MemoryPod {
    pod: Pod,
    address: Option<SocketAddr>,
    gone: Option<Instant>,
}

/// A pod that is about to start.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NewPod {
    pub(super) name: PodName,
    pub(super) image: String,
}

/// What is to be done next.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    Start(NewPod),
    Stop(PodName),
    Rest,
}

impl Deployment {
    pub(super) fn new(id: TargetId, image: &str, replicas: usize, now: Timestamp) -> Self {
        let mut deployment = Self {
            uid: digest(&format!("{id} {now}"), 16),
            id,
            replicas,
            current: hash(image, &[]),
            revisions: Vec::new(),
            pods: Vec::new(),
            last_plan: None,
            pause: None,
            last_scaling: None,
            annotations: BTreeMap::new(),
            environments: BTreeMap::new(),
            made: 0,
            paused_by_person: false,
            deleted: false,
            created: 1,
        };
        deployment.ship(image, now);
        deployment
    }

    /// Makes `image` the wanted one; an image that was there before is the same revision with a new number.
    pub(super) fn ship(&mut self, image: &str, now: Timestamp) -> RevisionHash {
        let environment = self.environment(&self.current);
        self.become_template(image, environment, now)
    }

    fn environment(&self, of: &RevisionHash) -> Vec<Value> {
        self.environments.get(of).cloned().unwrap_or_default()
    }

    /// Makes a template the wanted one.
    fn become_template(
        &mut self,
        image: &str,
        environment: Vec<Value>,
        now: Timestamp,
    ) -> RevisionHash {
        let hash = hash(image, &environment);
        if self.revisions.is_empty() || hash != self.current {
            let number = self.newest() + 1;
            match self.revision(&hash) {
                Some(revision) => revision.number = number,
                None => self.revisions.push(Revision {
                    hash: hash.clone(),
                    number,
                    images: vec![image.to_owned()],
                    created: now,
                }),
            }
        }
        if !environment.is_empty() {
            self.environments.insert(hash.clone(), environment);
        }
        self.current = hash.clone();
        hash
    }

    /// Makes an earlier revision the wanted one, as `kubectl rollout undo` does.
    pub(super) fn undo(&mut self, to: &RevisionHash, plan: &PlanId, now: Timestamp) -> StepResult {
        let Some(image) = self.revision(to).map(|revision| revision.images.concat()) else {
            return StepResult::Refused {
                reason: format!("revision {to} of {} is gone", self.id),
            };
        };
        let environment = self.environment(to);
        self.become_template(&image, environment, now);
        self.last_plan = Some(plan.clone());
        self.resume();
        StepResult::Done
    }

    /// Stops in the middle of a release, or goes on.
    pub(super) fn pause(&mut self, plan: &PlanId, write: &PauseWrite) -> StepResult {
        match write {
            PauseWrite::Pause { until } => {
                self.pause = Some(OwnPause {
                    plan: plan.clone(),
                    until: Some(*until),
                    holds: true,
                    changed: false,
                });
            }
            PauseWrite::Resume => self.resume(),
        }
        StepResult::Done
    }

    /// Goes on, whoever wants that.
    pub(super) fn resume(&mut self) {
        if let Some(pause) = &mut self.pause {
            pause.holds = false;
            pause.until = None;
        }
    }

    fn paused(&self) -> bool {
        self.paused_by_person || self.pause.as_ref().is_some_and(|pause| pause.holds)
    }

    /// Sets how many pods there shall be.
    pub(super) fn scale(&mut self, to: u32, plan: &PlanId) -> StepResult {
        self.replicas = usize::try_from(to).unwrap_or(usize::MAX);
        self.last_scaling = Some(plan.clone());
        StepResult::Done
    }

    /// Nothing rolls while it is paused.
    pub(super) fn pause_by_person(&mut self, on: bool) {
        self.paused_by_person = on;
    }

    pub(super) fn annotate(&mut self, key: &str, value: Option<&str>) {
        match value {
            Some(value) => self.annotations.insert(key.to_owned(), value.to_owned()),
            None => self.annotations.remove(key),
        };
    }

    /// As [`Self::scale`], by a person.
    pub(super) fn set_replicas(&mut self, to: u32) {
        self.replicas = usize::try_from(to).unwrap_or(usize::MAX);
    }

    /// The object goes, and its pods with it.
    pub(super) fn delete(&mut self) {
        self.deleted = true;
        self.replicas = 0;
    }

    /// Another object of the same name; what is left of the pods of the one before still goes.
    pub(super) fn create(&mut self, image: &str, replicas: usize, now: Timestamp) {
        let fresh = Self::new(self.id.clone(), image, replicas, now);
        let created = self.created + 1;
        let gone: Vec<MemoryPod> = std::mem::take(&mut self.pods);
        *self = Self {
            uid: digest(&format!("{} {created} {now}", self.id), 16),
            made: self.made,
            created,
            // Pods that ended belong to the object before.
            pods: gone.into_iter().filter(|pod| pod.gone.is_none()).collect(),
            ..fresh
        };
    }

    pub(super) fn exists(&self) -> bool {
        !self.deleted
    }

    pub(super) fn id(&self) -> &TargetId {
        &self.id
    }

    /// Where the kill switch is on.
    fn kill_switch(&self) -> Option<String> {
        let value = self.annotations.get(KILL_SWITCH_ANNOTATION)?;
        is_on(value).then(|| self.id.to_string())
    }

    /// How the API server would call it.
    pub(super) fn object_ref(&self) -> ObjectRef {
        ObjectRef {
            api_version: "apps/v1".to_owned(),
            kind: "Deployment".to_owned(),
            namespace: self.id.namespace.clone(),
            name: self.id.name.clone(),
        }
    }

    /// The object, as far as it is held here.
    pub(super) fn object(&self) -> Value {
        let image = self
            .revisions
            .iter()
            .find(|revision| revision.hash == self.current);
        let image = image.map(|revision| revision.images.concat());
        json!({
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {
                "name": self.id.name,
                "namespace": self.id.namespace,
                "uid": self.uid,
                "resourceVersion": "1",
                "annotations": self.annotations,
            },
            "spec": {
                "replicas": self.replicas,
                "template": {"spec": {"containers": [{
                    "name": CONTAINER,
                    "image": image,
                    "env": self.environment(&self.current),
                }]}},
            },
        })
    }

    /// Takes over what was written to [`Self::object`].
    pub(super) fn written(&mut self, object: &Value, now: Timestamp) {
        let annotations = object.pointer("/metadata/annotations");
        self.annotations = annotations
            .and_then(|annotations| serde_json::from_value(annotations.clone()).ok())
            .unwrap_or_default();
        let replicas = object.pointer("/spec/replicas").and_then(Value::as_u64);
        if let Some(replicas) = replicas.and_then(|replicas| usize::try_from(replicas).ok()) {
            self.replicas = replicas;
        }
        let container = object.pointer("/spec/template/spec/containers/0");
        let image = container.and_then(|container| container.get("image")?.as_str());
        if let Some(image) = image {
            let environment = container.and_then(|container| container.get("env")?.as_array());
            self.become_template(image, environment.cloned().unwrap_or_default(), now);
        }
    }

    /// What a scaling is decided from; `None`: it is another workload.
    pub(super) fn scale_state(&self, target: &ScaleTarget) -> Option<ScaleState> {
        let own = self.id.name == target.name && self.id.namespace == target.namespace;
        if !own || target.kind != ScaleKind::Deployment || self.deleted {
            return None;
        }
        let ready = self.pods.iter().filter(|pod| pod.pod.ready).count();
        Some(ScaleState {
            uid: self.uid.clone(),
            replicas: u32::try_from(self.replicas).unwrap_or(u32::MAX),
            ready: u32::try_from(ready).unwrap_or(u32::MAX),
            paused: self.paused(),
            kill_switch: self.kill_switch(),
            last_scaling: self.last_scaling.clone(),
            labels: std::collections::BTreeMap::new(),
            autoscalers: Vec::new(),
            budgets: Vec::new(),
        })
    }

    /// One pod more than wanted at most, and never fewer that are ready, as with `maxSurge: 1, maxUnavailable: 0`.
    pub(super) fn next(&mut self, now: Timestamp) -> Next {
        if self.paused() {
            return Next::Rest;
        }
        let live = || self.pods.iter().filter(|pod| !pod.pod.terminating);
        let all = live().count();
        let current = live().filter(|pod| pod.pod.hash == self.current).count();
        if current < self.replicas && all <= self.replicas {
            return self.begin(now);
        }
        let old = live().find(|pod| pod.pod.hash != self.current);
        let surplus = || live().next_back().filter(|_| current > self.replicas);
        let leaving = old.or_else(surplus);
        let Some(name) = leaving.map(|pod| pod.pod.name.clone()) else {
            return Next::Rest;
        };
        self.leave(&name);
        Next::Stop(name)
    }

    /// All pods that are left; they take no more traffic.
    pub(super) fn leave_all(&mut self) -> Vec<PodName> {
        let live = self.pods.iter().filter(|pod| pod.gone.is_none());
        let names: Vec<_> = live.map(|pod| pod.pod.name.clone()).collect();
        for name in &names {
            self.leave(name);
        }
        names
    }

    pub(super) fn started(&mut self, name: &PodName, started: std::io::Result<SocketAddr>) {
        let Some(pod) = self.pod(name) else {
            return;
        };
        match started {
            Ok(address) => {
                pod.address = Some(address);
                pod.pod.ip = Some(address.ip());
                pod.pod.metrics = Some((address.port(), "/metrics".to_owned()));
                pod.pod.ready = true;
                pod.pod.unready_reason = None;
            }
            Err(error) => pod.pod.unready_reason = Some(format!("container app: {error}")),
        }
    }

    pub(super) fn stopped(&mut self, name: &PodName, now: Instant) {
        self.leave(name);
        if let Some(pod) = self.pod(name) {
            pod.gone = Some(now);
        }
    }

    /// Drops the pods that went long ago.
    pub(super) fn forget(&mut self, now: Instant) {
        self.pods.retain(|pod| {
            pod.gone
                .is_none_or(|gone| now.duration_since(gone) <= TOMBSTONE)
        });
    }

    /// Where the pods that take traffic answer, in the order of their start.
    pub(super) fn ready(&self) -> Vec<SocketAddr> {
        let ready = self.pods.iter().filter(|pod| pod.pod.ready);
        ready.filter_map(|pod| pod.address).collect()
    }

    pub(super) fn serving(&self) -> Vec<String> {
        let ready = self.pods.iter().filter(|pod| pod.pod.ready);
        ready
            .filter_map(|pod| {
                let mut revisions = self.revisions.iter();
                revisions.find(|revision| revision.hash == pod.pod.hash)
            })
            .flat_map(|revision| revision.images.iter().cloned())
            .collect()
    }

    pub(super) fn state(&self) -> TargetState {
        let live: Vec<_> = self.pods.iter().filter(|pod| pod.gone.is_none()).collect();
        let complete = live.len() == self.replicas
            && live
                .iter()
                .all(|pod| pod.pod.ready && pod.pod.hash == self.current);
        let mut revisions = self.revisions.clone();
        revisions.sort_by_key(|revision| revision.number);
        TargetState {
            id: self.id.clone(),
            uid: self.uid.clone(),
            current: Some(self.current.clone()),
            paused: self.paused(),
            complete,
            rollout: None,
            revisions,
            pods: self.pods.iter().map(|pod| pod.pod.clone()).collect(),
            kill_switch: self.kill_switch(),
            last_plan: self.last_plan.clone(),
            labels: std::collections::BTreeMap::new(),
            for_rollback: ForRollback::default(),
            pause: self.pause.clone(),
            rolling: Some(Rolling {
                wanted: u32::try_from(self.replicas).unwrap_or(u32::MAX),
                at_once: Some(1),
            }),
            owner: None,
            shipped_by: None,
        }
    }

    fn begin(&mut self, now: Timestamp) -> Next {
        self.made += 1;
        let hash = self.current.clone();
        let name = PodName(format!("{}-{hash}-{}", self.id.name, self.made));
        let image = self
            .revision(&hash)
            .map(|revision| revision.images.concat())
            .unwrap_or_default();
        self.pods.push(MemoryPod {
            pod: Pod {
                name: name.clone(),
                hash: hash.clone(),
                created: now,
                ready: false,
                terminating: false,
                ip: None,
                metrics: None,
                unready_reason: None,
            },
            address: None,
            gone: None,
        });
        Next::Start(NewPod { name, image })
    }

    fn leave(&mut self, name: &PodName) {
        if let Some(pod) = self.pod(name) {
            pod.pod.ready = false;
            pod.pod.terminating = true;
        }
    }

    fn pod(&mut self, name: &PodName) -> Option<&mut MemoryPod> {
        self.pods.iter_mut().find(|pod| pod.pod.name == *name)
    }

    fn revision(&mut self, hash: &RevisionHash) -> Option<&mut Revision> {
        self.revisions
            .iter_mut()
            .find(|revision| revision.hash == *hash)
    }

    fn newest(&self) -> u64 {
        self.revisions
            .iter()
            .map(|revision| revision.number)
            .max()
            .unwrap_or(0)
    }
}

/// As long as a pod-template hash looks.
fn hash(image: &str, environment: &[Value]) -> RevisionHash {
    let environment: String = environment.iter().map(ToString::to_string).collect();
    RevisionHash(digest(&format!("{image}{environment}"), 5))
}

fn digest(text: &str, bytes: usize) -> String {
    let digest = Sha256::digest(text);
    let hexadecimal = digest.iter().take(bytes).map(|byte| format!("{byte:02x}"));
    hexadecimal.collect()
}
