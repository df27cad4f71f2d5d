//! The target of a test as data: revisions, the pods that run them, and releases at the times that the test gives.
//!
//! Simpler than any cluster: a pod is ready as soon as it is there; a release that has completed, and a rollback, have
//! switched all pods at once; a pod that comes back is the one that went, and its series go on as they are written.

use jiff::Timestamp;

use recant_core::ids::{PlanId, PodName, RevisionHash, TargetId, TargetKind};
use recant_core::plan::{Admission, RollbackStep, Step, StepResult};
use recant_core::target::{ForRollback, Pod, Revision, RolloutStatus, TargetNews, TargetState};
use recant_core::testcase::{TestCase, TestRelease, TestRevision};

use super::signed;

/// Pods that serve when a test begins are this old.
const AGE: jiff::SignedDuration = jiff::SignedDuration::from_hours(1);

pub(super) struct Workload {
    id: TargetId,
    revisions: Vec<TestRevision>,
    releases: Vec<TestRelease>,
    begin: Timestamp,
    /// The first release that has not begun.
    next: usize,
    current: RevisionHash,
    /// The revision before: its pods run on until the release has completed.
    stable: RevisionHash,
    completes: Option<Timestamp>,
    complete: bool,
    aborted: bool,
    promote_full: bool,
    last_plan: Option<PlanId>,
    /// Number and time of each revision that was ever current, in the order of `revisions`.
    numbers: Vec<Option<(u64, Timestamp)>>,
    /// When the pods of each revision first came.
    created: Vec<Option<Timestamp>>,
    shown: Option<TargetState>,
}

impl Workload {
    pub(super) fn new(test: &TestCase, begin: Timestamp) -> Self {
        let first = test.revisions.first().map_or_else(
            || RevisionHash::from("v1"),
            |revision| revision.hash.clone(),
        );
        let mut workload = Self {
            id: test.watch.target.clone(),
            revisions: test.revisions.clone(),
            releases: test.releases.clone(),
            begin,
            next: 0,
            current: first.clone(),
            stable: first.clone(),
            completes: None,
            complete: true,
            aborted: false,
            promote_full: false,
            last_plan: None,
            numbers: vec![None; test.revisions.len()],
            created: vec![None; test.revisions.len()],
            shown: None,
        };
        workload.number(&first, begin - AGE);
        workload
    }

    /// Begins and completes releases that are due.
    pub(super) fn advance(&mut self, now: Timestamp) {
        while let Some(release) = self.releases.get(self.next) {
            let at = self.begin + signed(release.at);
            if at > now {
                break;
            }
            let release = release.clone();
            self.next += 1;
            self.ship(&release.revision, now);
            self.completes = release.completes.map(|after| self.begin + signed(after));
            self.complete = false;
        }
        if self.completes.is_some_and(|completes| completes <= now) && !self.aborted {
            self.settle();
        }
    }

    /// All pods are of the current revision.
    fn settle(&mut self) {
        self.complete = true;
        self.completes = None;
        self.promote_full = false;
        self.stable = self.current.clone();
    }

    fn ship(&mut self, to: &RevisionHash, now: Timestamp) {
        // What was under way is over: one revision beside the new one, the one that served.
        if self.complete {
            self.stable = self.current.clone();
        }
        self.current = to.clone();
        self.aborted = false;
        self.promote_full = false;
        self.completes = None;
        self.number(to, now);
    }

    fn number(&mut self, hash: &RevisionHash, now: Timestamp) {
        let newest = self
            .numbers
            .iter()
            .flatten()
            .map(|(number, _)| *number)
            .max();
        let place = self
            .revisions
            .iter()
            .position(|revision| revision.hash == *hash);
        let Some(place) = place else { return };
        if let Some(number) = self.numbers.get_mut(place) {
            *number = Some((newest.unwrap_or(0) + 1, now));
        }
        if let Some(created) = self.created.get_mut(place) {
            created.get_or_insert(now);
        }
    }

    /// Whether pods of a revision run now.
    fn runs(&self, hash: &RevisionHash) -> bool {
        if *hash == self.current {
            !self.aborted
        } else {
            *hash == self.stable && !self.complete
        }
    }

    /// The pods that run now.
    pub(super) fn pods(&self) -> Vec<PodName> {
        self.revisions
            .iter()
            .filter(|revision| self.runs(&revision.hash))
            .flat_map(|revision| revision.pods.iter().cloned())
            .collect()
    }

    /// The state, if it has changed.
    pub(super) fn news(&mut self) -> Vec<TargetNews> {
        let state = self.state();
        if self.shown.as_ref() == Some(&state) {
            return Vec::new();
        }
        self.shown = Some(state.clone());
        vec![TargetNews::State(Box::new(state))]
    }

    fn state(&self) -> TargetState {
        let each = || self.revisions.iter().zip(&self.numbers).zip(&self.created);
        TargetState {
            id: self.id.clone(),
            uid: "uid-of-the-test".to_owned(),
            current: Some(self.current.clone()),
            paused: false,
            complete: self.complete,
            rollout: match self.id.kind {
                TargetKind::Deployment | TargetKind::StatefulSet | TargetKind::DaemonSet => None,
                TargetKind::Rollout => Some(RolloutStatus {
                    stable: Some(self.stable.clone()),
                    aborted: self.aborted,
                    promote_full: self.promote_full,
                    phase: if self.complete {
                        "Healthy"
                    } else {
                        "Progressing"
                    }
                    .to_owned(),
                    message: String::new(),
                    workload_ref: false,
                    active: None,
                }),
            },
            revisions: each()
                .filter_map(|((revision, number), _)| {
                    let (number, created) = (*number)?;
                    Some(Revision {
                        hash: revision.hash.clone(),
                        number,
                        images: vec![format!("{}:{}", self.id.name, revision.hash)],
                        created,
                    })
                })
                .collect(),
            pods: each()
                .filter(|((revision, _), _)| self.runs(&revision.hash))
                .flat_map(|((revision, _), created)| {
                    revision.pods.iter().map(|pod| Pod {
                        name: pod.clone(),
                        hash: revision.hash.clone(),
                        created: created.unwrap_or(self.begin),
                        ready: true,
                        terminating: false,
                        ip: None,
                        metrics: None,
                        unready_reason: None,
                    })
                })
                .collect(),
            kill_switch: None,
            last_plan: self.last_plan.clone(),
            labels: std::collections::BTreeMap::new(),
            for_rollback: ForRollback::default(),
            pause: None,
            rolling: None,
            owner: None,
            shipped_by: None,
        }
    }

    /// Carries out a step of a plan; `None`: not yet.
    pub(super) fn carry_out(
        &mut self,
        plan: &PlanId,
        rollback: &RollbackStep,
        now: Timestamp,
    ) -> Option<StepResult> {
        match rollback.admit(plan, &self.state()) {
            Admission::AlreadyDone => return Some(StepResult::AlreadyDone),
            Admission::NotYet { .. } => return None,
            Admission::Fenced { reason } => return Some(StepResult::Fenced { reason }),
            Admission::Write => {}
        }
        match &rollback.step {
            Step::UndoDeployment { to } | Step::ApplyRevision { to } => {
                self.ship(to, now);
                self.settle();
                self.last_plan = Some(plan.clone());
            }
            Step::UndoRollout { to } => {
                let bad = self.current.clone();
                self.ship(to, now);
                // The bad revision serves on until the way back is promoted in full.
                self.stable = bad;
                self.complete = false;
                self.last_plan = Some(plan.clone());
            }
            Step::AbortRollout => {
                self.aborted = true;
                self.complete = false;
            }
            Step::PromoteFull { .. } => self.settle(),
            // In a written test every pod is ready.
            Step::DeleteStuckPods { .. }
            | Step::AwaitCurrent { .. }
            | Step::AwaitStuck
            | Step::AwaitRestored => {}
        }
        Some(StepResult::Done)
    }
}
