//! One watched workload of the simulated cluster: its spec, its controller, its pods, and the requests they count.

use std::collections::BTreeSet;

use recant_core::ids::{PlanId, PodName, RevisionHash, TargetId, TargetKind};
use recant_core::plan::Step;
use recant_core::target::{
    ForRollback, OwnPause, Pod, Revision, Rolling, RolloutStatus, TargetState,
};

use crate::random::Random;
use crate::scaling::Wanted;
use crate::world::at;

/// Pods that are wanted at first.
const WANTED: u32 = 4;
/// Seconds after which a Rollout goes on from its first pod by itself.
const STEP: i64 = 14;

#[derive(Debug, Clone)]
pub(crate) struct SimPod {
    pub(crate) name: PodName,
    pub(crate) hash: RevisionHash,
    created: i64,
    gone: Option<i64>,
    pub(crate) total: f64,
    pub(crate) bad: f64,
    pub(crate) busy: f64,
}

#[derive(Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "they are the fields of the objects in the cluster"
)]
pub(crate) struct Workload {
    pub(crate) id: TargetId,
    pub(crate) uid: String,
    /// Changes with every write of anybody.
    pub(crate) version: u64,
    pub(crate) current: RevisionHash,
    pub(crate) stable: RevisionHash,
    pub(crate) aborted: bool,
    pub(crate) promote_full: bool,
    pub(crate) paused: bool,
    /// The pause that Recant set last, and the revision that it was at then.
    pub(crate) own_pause: Option<OwnPause>,
    pub(crate) paused_at: Option<RevisionHash>,
    pub(crate) kill_switch: bool,
    /// Revisions that answer one request in three with an error.
    pub(crate) bad: BTreeSet<RevisionHash>,
    pub(crate) pods: Vec<SimPod>,
    /// Something of it changed since it was shown last.
    pub(crate) changed: bool,
    pub(crate) last_plan: Option<PlanId>,
    /// When a person last changed it.
    pub(crate) touched: i64,
    pub(crate) scaling: Wanted,
    /// It does not exist now.
    pub(crate) deleted: bool,
    /// Until then many of its requests have to wait.
    pub(crate) busy_until: i64,
    revisions: Vec<(RevisionHash, u64, i64)>,
    began: i64,
    /// Seconds that replacing all pods takes.
    roll: i64,
    /// Requests a second over all pods.
    rate: f64,
    shipped: u64,
    named: usize,
}

impl Workload {
    pub(crate) fn new(id: TargetId, random: &mut Random) -> Self {
        let first = RevisionHash("v1".to_owned());
        let mut workload = Self {
            uid: format!("uid-{}-", id.name),
            id,
            version: 1,
            current: first.clone(),
            stable: first.clone(),
            aborted: false,
            promote_full: false,
            paused: false,
            own_pause: None,
            paused_at: None,
            kill_switch: false,
            bad: BTreeSet::new(),
            pods: Vec::new(),
            changed: true,
            last_plan: None,
            touched: -3600,
            scaling: Wanted::new(WANTED),
            deleted: false,
            busy_until: 0,
            revisions: vec![(first.clone(), 1, -3600)],
            began: -3600,
            roll: if random.chance(500) { 2 } else { 7 },
            rate: if random.chance(500) { 40.0 } else { 80.0 },
            shipped: 1,
            named: 0,
        };
        for _ in 0..workload.replicas() {
            workload.add_pod(&first, -3600);
        }
        workload
    }

    fn add_pod(&mut self, hash: &RevisionHash, now: i64) {
        self.named += 1;
        self.changed = true;
        self.pods.push(SimPod {
            name: PodName(format!("{}-{hash}-{:05}", self.id.name, self.named)),
            hash: hash.clone(),
            created: now,
            gone: None,
            total: 0.0,
            bad: 0.0,
            busy: 0.0,
        });
    }

    fn replicas(&self) -> usize {
        usize::try_from(self.scaling.replicas).unwrap_or(usize::MAX)
    }

    pub(crate) fn written(&mut self) {
        self.version += 1;
        self.changed = true;
    }

    /// A new revision of people's.
    pub(crate) fn ship(&mut self, good: bool, now: i64) -> RevisionHash {
        self.shipped += 1;
        let hash = RevisionHash(format!("v{}", self.shipped));
        if !good {
            self.bad.insert(hash.clone());
        }
        self.touched = now;
        self.go_to(&hash, now);
        hash
    }

    /// The revision that was shipped last, bad or not.
    pub(crate) fn newest(&self) -> RevisionHash {
        RevisionHash(format!("v{}", self.shipped))
    }

    /// Makes a revision the wanted one, a new one or one that was there before.
    pub(crate) fn go_to(&mut self, hash: &RevisionHash, now: i64) {
        let number = self.revisions.iter().map(|(_, number, _)| *number).max();
        let created = self.revisions.iter().find(|(known, ..)| known == hash);
        let created = created.map_or(now, |(.., created)| *created);
        self.revisions.retain(|(known, ..)| known != hash);
        self.revisions
            .push((hash.clone(), number.unwrap_or(0) + 1, created));
        let other = self.paused_at.as_ref() != Some(hash);
        if let Some(own) = self.own_pause.as_mut().filter(|own| own.holds) {
            own.changed = other;
        }
        self.current = hash.clone();
        self.aborted = false;
        self.promote_full = false;
        self.began = now;
        self.written();
    }

    pub(crate) fn set(&mut self, now: i64, change: impl FnOnce(&mut Self)) {
        change(self);
        self.touched = now;
        self.written();
    }

    /// Deleted and created again, at the revision that it was at.
    pub(crate) fn recreate(&mut self, now: i64) {
        let hash = self.current.clone();
        self.delete(now);
        self.create(&hash, now);
    }

    /// The object goes, and everything of it.
    pub(crate) fn delete(&mut self, now: i64) {
        self.deleted = true;
        self.pods.clear();
        self.revisions.clear();
        self.touched = now;
        self.written();
    }

    /// Another object of the same name, at this revision.
    pub(crate) fn create(&mut self, hash: &RevisionHash, now: i64) {
        self.deleted = false;
        self.uid.push('x');
        self.stable = hash.clone();
        self.last_plan = None;
        self.kill_switch = false;
        self.paused = false;
        self.own_pause = None;
        // The autoscaler is an object of its own.
        self.scaling = Wanted {
            autoscaler: self.scaling.autoscaler.take(),
            ..Wanted::new(WANTED)
        };
        self.touched = now;
        self.go_to(hash, now);
        for _ in 0..self.replicas() {
            self.add_pod(hash, now);
        }
    }

    /// Writes one step of a plan.
    pub(crate) fn carry_out(&mut self, plan: &PlanId, step: &Step, now: i64) {
        match step {
            Step::UndoDeployment { to } | Step::UndoRollout { to } | Step::ApplyRevision { to } => {
                self.go_to(to, now);
                self.last_plan = Some(plan.clone());
                if self.paused_by_recant() {
                    self.go_on();
                }
            }
            Step::AbortRollout => {
                self.aborted = true;
                self.began = now;
                self.written();
            }
            Step::PromoteFull { .. } => {
                self.promote_full = true;
                self.written();
            }
            // The controllers of this world replace unready pods by themselves.
            Step::DeleteStuckPods { .. }
            | Step::AwaitCurrent { .. }
            | Step::AwaitStuck
            | Step::AwaitRestored => {}
        }
    }

    pub(crate) fn has(&self, hash: &RevisionHash) -> bool {
        self.revisions.iter().any(|(known, ..)| known == hash)
    }

    /// One second of the controller's work and of the service's.
    pub(crate) fn second(&mut self, now: i64, random: &mut Random) {
        if self.deleted {
            return;
        }
        self.controller(now);
        self.traffic(now, random);
    }

    fn wanted(&self, now: i64) -> (RevisionHash, usize) {
        let passed = (now - self.began).clamp(0, self.roll);
        let all = self.replicas();
        let share = i64::from(self.scaling.replicas) * passed / self.roll;
        let whole = usize::try_from(share).unwrap_or(all);
        if self.id.kind == TargetKind::Deployment || self.current == self.stable {
            return (self.current.clone(), whole);
        }
        if self.aborted {
            return (self.stable.clone(), whole);
        }
        if self.promote_full || now - self.began >= STEP {
            return (self.current.clone(), all);
        }
        (self.current.clone(), 1)
    }

    fn controller(&mut self, now: i64) {
        let (hash, count) = self.wanted(now);
        let count = if self.paused { self.live(&hash) } else { count };
        for _ in self.live(&hash)..count {
            self.add_pod(&hash, now);
        }
        let ready = |pod: &SimPod| pod.gone.is_none() && now > pod.created;
        let became = self.pods.iter().any(|pod| pod.created + 1 == now);
        let serving = self
            .pods
            .iter()
            .filter(|pod| pod.hash == hash && ready(pod))
            .count();
        let wanted = self.replicas();
        let others = wanted.saturating_sub(serving);
        let old = self
            .pods
            .iter_mut()
            .filter(|pod| pod.gone.is_none() && pod.hash != hash);
        let mut gone = false;
        for pod in old.skip(others) {
            pod.gone = Some(now);
            gone = true;
        }
        let surplus = self
            .pods
            .iter_mut()
            .filter(|pod| pod.gone.is_none() && pod.hash == hash);
        for pod in surplus.skip(wanted) {
            pod.gone = Some(now);
            gone = true;
        }
        let before = self.pods.len();
        self.pods
            .retain(|pod| pod.gone.is_none_or(|gone| now - gone < 60));
        let settled = serving >= wanted && hash == self.current;
        if self.id.kind == TargetKind::Rollout && settled && self.stable != self.current {
            self.stable = hash;
            self.promote_full = false;
            gone = true;
        } else if settled && self.promote_full {
            self.promote_full = false;
            gone = true;
        }
        if gone || became || before != self.pods.len() || now == self.began + 1 {
            self.written();
        }
    }

    fn live(&self, hash: &RevisionHash) -> usize {
        let live = self.pods.iter().filter(|pod| pod.gone.is_none());
        live.filter(|pod| pod.hash == *hash).count()
    }

    fn traffic(&mut self, now: i64, random: &mut Random) {
        let serves = |pod: &SimPod| pod.gone.is_none() && now > pod.created;
        let serving = self.pods.iter().filter(|pod| serves(pod)).count();
        if serving == 0 {
            return;
        }
        let each = (self.rate / serving as f64).round();
        for pod in self.pods.iter_mut().filter(|pod| serves(pod)) {
            pod.total += each;
            let bad = if self.bad.contains(&pod.hash) {
                each * (0.25 + 0.2 * random.share())
            } else if random.chance(20) {
                1.0
            } else {
                0.0
            };
            pod.bad += bad.round();
            if now < self.busy_until {
                pod.busy += (each * 0.5).round();
            }
        }
    }

    /// Whether it is a Rollout between two revisions.
    pub(crate) fn in_flight(&self) -> bool {
        self.id.kind == TargetKind::Rollout && self.current != self.stable
    }

    /// The revision that it is at, as people would say.
    pub(crate) fn at_revision(&self) -> &RevisionHash {
        if self.aborted {
            &self.stable
        } else {
            &self.current
        }
    }

    /// Counters are exposed by pods that are not gone.
    pub(crate) fn exposed(&self) -> impl Iterator<Item = &SimPod> {
        self.pods.iter().filter(|pod| pod.gone.is_none())
    }

    /// What the cluster says.
    pub(crate) fn state(&self, now: i64) -> TargetState {
        let pods: Vec<Pod> = self
            .pods
            .iter()
            .map(|pod| {
                let ready = pod.gone.is_none() && now > pod.created;
                Pod {
                    name: pod.name.clone(),
                    hash: pod.hash.clone(),
                    created: at(pod.created),
                    ready,
                    terminating: pod.gone.is_some(),
                    ip: None,
                    metrics: None,
                    unready_reason: (!ready).then(|| "container app: starting".to_owned()),
                }
            })
            .collect();
        let live: Vec<&Pod> = pods.iter().filter(|pod| !pod.terminating).collect();
        let complete = live.len() == self.replicas()
            && live.iter().all(|pod| pod.ready && pod.hash == self.current);
        TargetState {
            id: self.id.clone(),
            uid: self.uid.clone(),
            // The controller needs a moment to see a new spec.
            current: (now > self.began && !self.waits_for_resume()).then(|| self.current.clone()),
            paused: self.paused,
            complete,
            rollout: (self.id.kind == TargetKind::Rollout).then(|| RolloutStatus {
                stable: Some(self.stable.clone()),
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
                    hash: hash.clone(),
                    number: *number,
                    images: vec![format!("registry.example/shop:{hash}")],
                    created: at(*created),
                })
                .collect(),
            pods,
            kill_switch: self.kill_switch.then(|| self.id.to_string()),
            last_plan: self.last_plan.clone(),
            labels: std::collections::BTreeMap::new(),
            for_rollback: ForRollback::default(),
            pause: self.own_pause.clone(),
            rolling: (self.id.kind == TargetKind::Deployment).then_some(Rolling {
                wanted: self.scaling.replicas,
                at_once: Some(1),
            }),
            owner: None,
            shipped_by: None,
        }
    }
}
