//! A workload of the scripted world: its controller, its pods, and the requests that they count.

use std::collections::BTreeMap;

use super::world::at;
use crate::ids::{PlanId, PodName, RevisionHash, TargetId, TargetKind};
use crate::plan::{PauseWrite, Step, SyncSwitch};
use crate::target::{
    ForRollback, GitOwner, OwnPause, Pod, Revision, Rolling, RolloutStatus, TargetState,
};

mod acting;
mod answers;
mod values;

pub(super) use values::Value;

const BOUNDS: [f64; 6] = [0.05, 0.1, 0.25, 0.5, 1.0, 2.5];

/// How pods of a revision answer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Behaviour {
    /// Share of errors.
    pub(super) errors: f64,
    /// How many times slower than usual.
    pub(super) slow: f64,
    /// Pods become ready.
    pub(super) ready: bool,
}

pub(super) const GOOD: Behaviour = Behaviour {
    errors: 0.002,
    slow: 1.0,
    ready: true,
};

pub(super) const BAD: Behaviour = Behaviour {
    errors: 0.3,
    ..GOOD
};

#[derive(Debug, Clone)]
struct SimPod {
    name: String,
    hash: String,
    created: i64,
    gone: Option<i64>,
    total: f64,
    bad: f64,
    buckets: [f64; 7],
}

/// One workload.
#[derive(Debug, Clone)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "they are the fields of the objects in the cluster"
)]
pub(super) struct Target {
    pub(super) id: TargetId,
    pub(super) uid: String,
    pub(super) exists: bool,
    pub(super) current: String,
    pub(super) stable: String,
    pub(super) aborted: bool,
    pub(super) promote_full: bool,
    /// By somebody.
    pub(super) paused: bool,
    pub(super) pause: Option<OwnPause>,
    pub(super) owner: Option<GitOwner>,
    pub(super) shipped_by: Option<String>,
    /// Of its owner: whether it writes back what Git says, who switched that off, and every switch.
    pub(super) self_heal: bool,
    pub(super) sync_mark: Option<PlanId>,
    pub(super) syncs: Vec<(i64, SyncSwitch)>,
    pub(super) kill_switch: Option<String>,
    pub(super) for_rollback: ForRollback,
    pub(super) replicas: usize,
    /// Requests a second over all pods.
    pub(super) rate: usize,
    /// In one of so many seconds only.
    pub(super) every: i64,
    /// Seconds that replacing all pods takes.
    pub(super) roll: i64,
    pub(super) behaviour: BTreeMap<String, Behaviour>,
    /// Writes to the spec or the status that a plan made: index and step.
    pub(super) writes: Vec<(i64, Step)>,
    /// Writes of pauses.
    pub(super) pauses: Vec<(i64, PauseWrite)>,
    /// Per label value instead of per pod, if the rule wants that; the whole service if it is empty.
    pub(super) series: SeriesAre,
    /// A revision of which one pod does not become ready.
    pub(super) hangs: Option<String>,
    /// Revisions whose pods expose no histogram.
    pub(super) hidden: Vec<String>,
    /// What a value of each revision's pods is.
    pub(super) values: BTreeMap<String, Value>,
    /// What a value of the whole service is, in place of those of pods.
    pub(super) whole_value: Option<Value>,
    revisions: Vec<(String, u64, i64)>,
    pods: Vec<SimPod>,
    last_plan: Option<PlanId>,
    pub(super) labels: std::collections::BTreeMap<String, String>,
    changed: i64,
    /// The first bad answer of each revision.
    pub(super) first_bad: BTreeMap<String, i64>,
    random: u64,
    named: usize,
    turn: usize,
}

/// What the source tells apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SeriesAre {
    Pods,
    Hashes,
    Named,
    Whole,
}

impl Target {
    pub(super) fn new(id: TargetId, seed: u64) -> Self {
        let mut target = Self {
            uid: format!("uid-{}-1", id.name),
            id,
            exists: true,
            current: "v1".to_owned(),
            stable: "v1".to_owned(),
            aborted: false,
            promote_full: false,
            paused: false,
            pause: None,
            owner: None,
            shipped_by: None,
            self_heal: true,
            sync_mark: None,
            syncs: Vec::new(),
            kill_switch: None,
            replicas: 4,
            rate: 10,
            every: 1,
            roll: 2,
            behaviour: BTreeMap::new(),
            writes: Vec::new(),
            pauses: Vec::new(),
            series: SeriesAre::Pods,
            hangs: None,
            hidden: Vec::new(),
            values: BTreeMap::new(),
            whole_value: None,
            revisions: vec![("v1".to_owned(), 1, -3600)],
            pods: Vec::new(),
            last_plan: None,
            for_rollback: ForRollback::default(),
            labels: std::collections::BTreeMap::new(),
            changed: -3600,
            first_bad: BTreeMap::new(),
            random: seed,
            named: 0,
            turn: 0,
        };
        for _ in 0..target.replicas {
            target.add_pod("v1", -3600);
        }
        target
    }

    fn add_pod(&mut self, hash: &str, now: i64) {
        self.named += 1;
        self.pods.push(SimPod {
            // As long as the suffix of a real one.
            name: format!("{}-{hash}-{:05}", self.id.name, self.named),
            hash: hash.to_owned(),
            created: now,
            gone: None,
            total: 0.0,
            bad: 0.0,
            buckets: [0.0; 7],
        });
    }

    /// Splitmix64 (Steele, Lea, Flood 2014).
    fn random(&mut self) -> f64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.random;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^= z >> 31;
        (z >> 11) as f64 / (1_u64 << 53) as f64
    }

    pub(super) fn behave(&mut self, hash: &str, behaviour: Behaviour) {
        self.behaviour.insert(hash.to_owned(), behaviour);
    }

    fn behaviour(&self, hash: &str) -> Behaviour {
        self.behaviour.get(hash).copied().unwrap_or(GOOD)
    }

    /// A new template, or an old one that gets a new number.
    pub(super) fn ship(&mut self, hash: &str, now: i64) {
        let number = self.revisions.iter().map(|(_, number, _)| *number).max();
        self.revisions.retain(|(known, ..)| known != hash);
        self.revisions
            .push((hash.to_owned(), number.unwrap_or(0) + 1, now));
        self.current = hash.to_owned();
        self.aborted = false;
        self.promote_full = false;
        self.changed = now;
    }

    /// An old revision is no longer there to go back to.
    pub(super) fn forget(&mut self, hash: &str) {
        self.revisions.retain(|(known, ..)| known != hash);
    }

    pub(super) fn promote(&mut self, now: i64) {
        self.promote_full = true;
        self.changed = now;
    }

    pub(super) fn delete(&mut self) {
        self.exists = false;
        self.pods.clear();
    }

    pub(super) fn recreate(&mut self, hash: &str, now: i64) {
        self.exists = true;
        self.uid.push('x');
        self.revisions.clear();
        self.ship(hash, now);
        self.stable = hash.to_owned();
        for _ in 0..self.replicas {
            self.add_pod(hash, now);
        }
    }

    /// One second of the controller's work and of the service's.
    pub(super) fn second(&mut self, now: i64) {
        if !self.exists {
            return;
        }
        self.controller(now);
        self.traffic(now);
    }

    /// The revision that pods are made of now, and how many there should be.
    fn wanted(&self, now: i64) -> (String, usize) {
        let passed = usize::try_from((now - self.changed).clamp(0, self.roll)).unwrap_or(0);
        let roll = usize::try_from(self.roll).unwrap_or(1).max(1);
        let whole = (self.replicas * passed).div_ceil(roll);
        let in_flight = self.id.kind == TargetKind::Rollout && self.current != self.stable;
        if in_flight && self.aborted {
            return (self.stable.clone(), whole);
        }
        // In flight one pod is of the canary until it is promoted or aborted.
        let pods = if in_flight && !self.promote_full {
            1
        } else {
            whole
        };
        (self.current.clone(), pods)
    }

    fn controller(&mut self, now: i64) {
        let (hash, count) = self.wanted(now);
        if self.pause.as_ref().is_some_and(|pause| pause.holds) {
            return;
        }
        for _ in self.live(&hash)..count {
            self.add_pod(&hash, now);
        }
        // Pods of the others go as those of this one become ready.
        let ready = self
            .pods
            .iter()
            .filter(|pod| pod.gone.is_none() && pod.hash == hash && self.is_ready(pod, now))
            .count();
        // One pod of four may be unavailable.
        let missing = usize::from(self.hangs.is_some());
        let others = self.replicas.saturating_sub(ready + missing);
        let old = self
            .pods
            .iter_mut()
            .filter(|pod| pod.gone.is_none() && pod.hash != hash);
        for pod in old.skip(others) {
            pod.gone = Some(now);
        }
        if self.promote_full && ready >= self.replicas {
            self.stable = hash;
            self.promote_full = false;
        }
        self.pods
            .retain(|pod| pod.gone.is_none_or(|gone| now - gone < 300));
    }

    /// Revisions with pods that are not on their way out.
    pub(super) fn serving(&self) -> Vec<String> {
        let pods = self.pods.iter().filter(|pod| pod.gone.is_none());
        let hashes: std::collections::BTreeSet<&String> = pods.map(|pod| &pod.hash).collect();
        hashes.into_iter().cloned().collect()
    }

    /// Requests that the pods of a revision have answered.
    pub(super) fn served(&self, hash: &str) -> f64 {
        let pods = self.pods.iter().filter(|pod| pod.hash == hash);
        pods.map(|pod| pod.total).sum()
    }

    fn live(&self, hash: &str) -> usize {
        self.pods
            .iter()
            .filter(|pod| pod.gone.is_none() && pod.hash == hash)
            .count()
    }

    fn is_ready(&self, pod: &SimPod, now: i64) -> bool {
        let first = || {
            let live = self.pods.iter().filter(|other| other.gone.is_none());
            live.filter(|other| other.hash == pod.hash)
                .map(|other| &other.name)
                .next()
        };
        let hangs = self.hangs.as_ref() == Some(&pod.hash) && first() == Some(&pod.name);
        now > pod.created && self.behaviour(&pod.hash).ready && !hangs
    }

    fn traffic(&mut self, now: i64) {
        let ready: Vec<usize> = (0..self.pods.len())
            .filter(|index| {
                let pod = &self.pods[*index];
                pod.gone.is_none() && self.is_ready(pod, now)
            })
            .collect();
        if ready.is_empty() || now % self.every != 0 {
            return;
        }
        for _ in 0..self.rate {
            self.turn = (self.turn + 1) % ready.len();
            let index = ready[self.turn];
            let hash = self.pods[index].hash.clone();
            let behaviour = self.behaviour(&hash);
            let bad = self.random() < behaviour.errors;
            // 95 % below 0.1 s.
            let seconds = match self.random() {
                quick if quick < 0.6 => 0.03,
                usual if usual < 0.96 => 0.08,
                _ => 0.2,
            } * behaviour.slow;
            let pod = &mut self.pods[index];
            pod.total += 1.0;
            if bad {
                pod.bad += 1.0;
            }
            if bad || behaviour.slow > 1.0 {
                self.first_bad.entry(hash).or_insert(now);
            }
            let bucket = BOUNDS.iter().position(|bound| seconds <= *bound);
            pod.buckets[bucket.unwrap_or(6)] += 1.0;
        }
    }

    /// What the cluster says.
    pub(super) fn state(&self, now: i64) -> TargetState {
        let pods: Vec<Pod> = self
            .pods
            .iter()
            .map(|pod| {
                let ready = pod.gone.is_none() && self.is_ready(pod, now);
                Pod {
                    name: PodName(pod.name.clone()),
                    hash: RevisionHash(pod.hash.clone()),
                    created: at(pod.created),
                    ready,
                    terminating: pod.gone.is_some(),
                    ip: None,
                    metrics: None,
                    unready_reason: (!ready).then(|| "container app: CrashLoopBackOff".to_owned()),
                }
            })
            .collect();
        let complete = pods
            .iter()
            .filter(|pod| !pod.terminating)
            .all(|pod| pod.ready && pod.hash.as_str() == self.current);
        TargetState {
            id: self.id.clone(),
            uid: self.uid.clone(),
            // The controller needs a moment to see a new spec.
            current: (now > self.changed).then(|| RevisionHash(self.current.clone())),
            paused: self.is_paused(),
            complete,
            rollout: (self.id.kind == TargetKind::Rollout).then(|| RolloutStatus {
                stable: Some(RevisionHash(self.stable.clone())),
                aborted: self.aborted,
                promote_full: self.promote_full,
                phase: "Progressing".to_owned(),
                message: String::new(),
                workload_ref: false,
                active: None,
            }),
            revisions: self
                .revisions
                .iter()
                .map(|(hash, number, created)| Revision {
                    hash: RevisionHash(hash.clone()),
                    number: *number,
                    images: vec![format!("registry.example/checkout:{hash}")],
                    created: at(*created),
                })
                .collect(),
            pods,
            kill_switch: self.kill_switch.clone(),
            last_plan: self.last_plan.clone(),
            for_rollback: self.for_rollback.clone(),
            labels: self.labels.clone(),
            pause: self.pause.clone(),
            rolling: (self.id.kind == TargetKind::Deployment).then(|| Rolling {
                wanted: u32::try_from(self.replicas).expect("a few"),
                at_once: Some(1),
            }),
            owner: self.owner.clone(),
            shipped_by: self.shipped_by.clone(),
        }
    }

    fn is_paused(&self) -> bool {
        self.paused || self.pause.as_ref().is_some_and(|pause| pause.holds)
    }
}
