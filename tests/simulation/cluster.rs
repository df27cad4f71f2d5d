//! The seam `Cluster` of one process: a picture that may lag behind, and writes that meet conflicts, silence, and answers
//! that come late or never. The fence is the core's own; the oracle judges by itself what it lets through.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use recant::cluster::{Cluster, ClusterError};
use recant_core::change::{ObjectRef, ObjectState};
use recant_core::ids::TargetId;
use recant_core::plan::{Action, Admission, Step, StepCommand, StepResult};
use recant_core::rule::ScaleTarget;
use recant_core::scaling::ScaleState;
use recant_core::target::TargetNews;
use tokio::sync::oneshot;

use crate::incarnation::Incarnation;
use crate::scenario::Point;
use crate::workload::Workload;
use crate::world::Sim;

#[derive(Debug)]
pub(crate) struct SimCluster {
    sim: Arc<Sim>,
    process: Arc<Incarnation>,
    seen: Mutex<BTreeMap<TargetId, u64>>,
    /// As `seen`, but of what the process was woken for.
    woken: Mutex<BTreeMap<TargetId, u64>>,
}

/// What goes wrong with one attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    None,
    /// Nothing arrives.
    Lost,
    /// Somebody else wrote meanwhile.
    Conflict,
    /// The write arrives, its answer does not.
    AnswerLost,
    /// The write arrives after so many seconds; the caller may have given up.
    Late(u64),
    /// No answer ever; whether it arrives.
    Hangs(bool),
    Refused,
}

impl SimCluster {
    pub(crate) fn new(sim: Arc<Sim>, process: Arc<Incarnation>) -> Self {
        Self {
            sim,
            process,
            seen: Mutex::new(BTreeMap::new()),
            woken: Mutex::new(BTreeMap::new()),
        }
    }

    fn draw(&self) -> Fault {
        let mut world = self.sim.world();
        if world.now < world.cluster_down_until {
            return Fault::Lost;
        }
        let odds = world.scenario.odds.cluster;
        if !world.goes_wrong(odds) {
            return Fault::None;
        }
        match world.random.between(0, 15) {
            0..=2 => Fault::Lost,
            3..=5 => Fault::Conflict,
            6..=9 => Fault::AnswerLost,
            10..=12 => Fault::Late(world.random.between(1, 9)),
            13 => Fault::Hangs(true),
            14 => Fault::Hangs(world.random.chance(500)),
            _ => Fault::Refused,
        }
    }

    async fn write(&self, command: &StepCommand, fault: Fault) -> Result<StepResult, ClusterError> {
        let read = {
            let world = self.sim.world();
            let found = named(&world.workloads, &command.action);
            found.map(|workload| {
                let admission = admit(command, workload, world.now);
                (workload.id.clone(), workload.version, admission)
            })
        };
        let Some((target, version, admission)) = read else {
            return Ok(StepResult::Fenced {
                reason: format!("{} does not exist any more", command.object()),
            });
        };
        match admission {
            Admission::AlreadyDone => return Ok(StepResult::AlreadyDone),
            Admission::NotYet { reason } => return Err(ClusterError::Unsettled { reason }),
            Admission::Fenced { reason } => return Ok(StepResult::Fenced { reason }),
            Admission::Write => {}
        }
        self.sim.arrive(&self.process, Point::BeforeWrite);
        self.process.pass().await;
        if fault == Fault::Conflict {
            let mut world = self.sim.world();
            if let Some(workload) = world.workloads.get_mut(&target) {
                workload.version += 1;
            }
        }
        if fault == Fault::Refused {
            return Err(ClusterError::Rejected {
                reason: "a webhook said no".to_owned(),
            });
        }
        if fault == Fault::Hangs(false) {
            return std::future::pending().await;
        }
        // From here on the request is on its way, whatever becomes of the process that sent it.
        let (answer, answered) = oneshot::channel();
        let (sim, process) = (Arc::clone(&self.sim), Arc::clone(&self.process));
        let command = command.clone();
        tokio::spawn(async move {
            if let Fault::Late(seconds) = fault {
                tokio::time::sleep(Duration::from_secs(seconds)).await;
            }
            let landed = land(&sim, &process, &command, &target, version);
            // Nobody may wait for the answer any more.
            let _unheard = answer.send(landed);
        });
        self.sim.arrive(&self.process, Point::BeforeAnswer);
        if let Fault::Late(_) = fault {
            // The caller's patience is shorter.
            let waited = tokio::time::timeout(Duration::from_secs(4), answered).await;
            return waited
                .unwrap_or(Ok(Err(())))
                .unwrap_or(Err(()))
                .map_or_else(
                    |()| Err(silence()),
                    |landed| {
                        if landed {
                            Ok(StepResult::Done)
                        } else {
                            Err(ClusterError::Conflict)
                        }
                    },
                );
        }
        let landed = answered.await;
        self.sim.arrive(&self.process, Point::AfterAnswer);
        self.process.pass().await;
        match (fault, landed) {
            (Fault::Hangs(_), _) => std::future::pending().await,
            (Fault::AnswerLost, _) | (_, Err(_) | Ok(Err(()))) => Err(silence()),
            (_, Ok(Ok(true))) => Ok(StepResult::Done),
            (_, Ok(Ok(false))) => Err(ClusterError::Conflict),
        }
    }
}

fn silence() -> ClusterError {
    ClusterError::Unreachable {
        reason: "the connection was cut".to_owned(),
    }
}

/// The workload that an action is about, if it exists.
fn named<'a>(all: &'a BTreeMap<TargetId, Workload>, action: &Action) -> Option<&'a Workload> {
    let found = match action {
        Action::Rollback(rollback) => all.get(&rollback.fence.target),
        Action::Scale(change) => all.values().find(|one| one.is_scaled_as(&change.target)),
        Action::Change(change) => all.values().find(|one| one.is_named(&change.object)),
        Action::Pause(step) => all.get(&step.fence.target),
        Action::Evidence(_) | Action::Apply(_) | Action::Webhook(_) => None,
        Action::Sync(step) => all.get(&step.fence.target),
    };
    found.filter(|workload| !workload.deleted)
}

fn written(action: &Action) -> String {
    match action {
        Action::Rollback(rollback) => format!("{:?}", rollback.step),
        Action::Scale(change) => format!("{} -> {}", change.from, change.to),
        Action::Change(change) => change.in_words(),
        Action::Pause(step) => format!("{:?}", step.write),
        Action::Evidence(evidence) => evidence.in_words(),
        Action::Apply(apply) => apply.in_words(),
        Action::Webhook(call) => call.in_words(),
        Action::Sync(step) => format!("{:?}", step.switch),
    }
}

/// The core's own fence, and what only the API server knows.
fn admit(command: &StepCommand, fresh: &Workload, now: i64) -> Admission {
    let (plan, index) = (&command.plan, command.index);
    match &command.action {
        Action::Rollback(rollback) => {
            match (rollback.admit(plan, &fresh.state(now)), &rollback.step) {
                (Admission::Write, Step::UndoDeployment { to } | Step::UndoRollout { to })
                    if !fresh.has(to) =>
                {
                    Admission::Fenced {
                        reason: format!("revision {to} of {} is gone", fresh.id),
                    }
                }
                (admission, _) => admission,
            }
        }
        Action::Scale(change) => change.admit(plan, Some(&fresh.scale_state(now))),
        Action::Change(change) => change.admit(plan, index, Some(&fresh.object(&change.object))),
        Action::Pause(step) => step.admit(plan, &fresh.state(now)),
        Action::Sync(_) | Action::Evidence(_) | Action::Webhook(_) | Action::Apply(_) => {
            Admission::Fenced {
                reason: "nothing is synced, kept, applied or called here".to_owned(),
            }
        }
    }
}

/// The API server takes a write, if nobody wrote since it was read; else it refuses.
fn land(
    sim: &Sim,
    process: &Incarnation,
    command: &StepCommand,
    target: &TargetId,
    version: u64,
) -> Result<bool, ()> {
    let seconds = sim.seconds();
    let mut world = sim.world();
    let world = &mut *world;
    let now = world.now;
    let workload = world.workloads.get_mut(target).ok_or(())?;
    if workload.version != version {
        return Ok(false);
    }
    let line = format!(
        "{seconds:>7.2} {process} writes {} of {}",
        written(&command.action),
        command.plan
    );
    world.trace.line(line);
    let checked = world.oracle.writes(command, workload, now);
    match &command.action {
        Action::Rollback(rollback) => workload.carry_out(&command.plan, &rollback.step, now),
        Action::Scale(change) => workload.carry_out_scaling(&command.plan, change),
        Action::Change(change) => {
            workload
                .carry_out_change(&command.plan, command.index, change)
                .map_err(drop)?;
        }
        Action::Pause(step) => workload.carry_out_pause(&command.plan, &step.write),
        Action::Sync(_) | Action::Evidence(_) | Action::Webhook(_) | Action::Apply(_) => {}
    }
    if let Err(broken) = checked {
        world.violated(seconds, broken);
    }
    world.show();
    sim.news.notify_waiters();
    Ok(true)
}

#[async_trait]
impl Cluster for SimCluster {
    fn news(&self) -> Vec<TargetNews> {
        let mut world = self.sim.world();
        let now = world.now;
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let mut news = Vec::new();
        let twice = world.goes_wrong(20);
        for (target, shown) in &world.shown {
            let Some(last) = shown.iter().rev().find(|shown| shown.from <= now) else {
                continue;
            };
            let known = seen.insert(target.clone(), last.number);
            let newer = known.is_none_or(|known| known < last.number);
            if newer || twice {
                news.push(match &last.state {
                    Some(state) => TargetNews::State(Box::new((**state).clone())),
                    None => TargetNews::Gone(target.clone()),
                });
            }
            if let Some(known) = known.filter(|known| *known > last.number) {
                // What was seen is not unseen.
                seen.insert(target.clone(), known);
            }
        }
        news
    }

    async fn changed(&self) {
        loop {
            self.process.pass().await;
            if self.has_news() {
                return;
            }
            self.sim.news.notified().await;
        }
    }

    async fn execute(&self, command: &StepCommand) -> Result<StepResult, ClusterError> {
        if !self.process.dead() {
            let held = self.process.holds() || self.process.frozen();
            let check = self.sim.world().oracle.attempts(command, held);
            self.sim.hold(check);
        }
        self.sim.arrive(&self.process, Point::BeforeRead);
        self.process.pass().await;
        let fault = self.draw();
        match fault {
            Fault::Lost => {
                tokio::time::sleep(Duration::from_millis(300)).await;
                return Err(silence());
            }
            Fault::None
            | Fault::Refused
            | Fault::Conflict
            | Fault::AnswerLost
            | Fault::Late(_)
            | Fault::Hangs(_) => {}
        }
        let result = self.write(command, fault).await;
        self.process.pass().await;
        let line = match &result {
            Ok(result) => format!("{} answers {result:?} to {}", self.process, command.plan),
            Err(error) => format!("{} fails with {error} in {}", self.process, command.plan),
        };
        self.sim.note(&line);
        result
    }

    async fn scale_state(&self, target: &ScaleTarget) -> Result<Option<ScaleState>, ClusterError> {
        self.look().await?;
        let world = self.sim.world();
        let found = world
            .workloads
            .values()
            .find(|one| one.is_scaled_as(target));
        Ok(found.map(|workload| workload.scale_state(world.now)))
    }

    async fn object(&self, object: &ObjectRef) -> Result<Option<ObjectState>, ClusterError> {
        self.look().await?;
        let world = self.sim.world();
        let found = world.workloads.values().find(|one| one.is_named(object));
        Ok(found.map(|workload| workload.object(object)))
    }
}

impl SimCluster {
    /// One read of the API server.
    async fn look(&self) -> Result<(), ClusterError> {
        self.process.pass().await;
        let fault = self.draw();
        tokio::time::sleep(Duration::from_millis(30)).await;
        self.process.pass().await;
        match fault {
            Fault::Hangs(_) => std::future::pending().await,
            Fault::Lost | Fault::AnswerLost | Fault::Late(_) => Err(silence()),
            Fault::None | Fault::Conflict | Fault::Refused => Ok(()),
        }
    }

    /// Whether there is something that the process was not woken for yet.
    fn has_news(&self) -> bool {
        let world = self.sim.world();
        let mut woken = self.woken.lock().unwrap_or_else(PoisonError::into_inner);
        let mut news = false;
        for (target, shown) in &world.shown {
            let known = woken.entry(target.clone()).or_default();
            let visible = shown.iter().filter(|shown| shown.from <= world.now);
            let newest = visible.map(|shown| shown.number).max().unwrap_or(0);
            news |= newest > *known;
            *known = newest.max(*known);
        }
        news
    }
}
