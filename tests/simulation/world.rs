//! Everything outside of the agents in one place: workloads, time, faults, and the oracle that looks at each step.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use recant_core::ids::TargetId;
use recant_core::scaling::Autoscaler;
use recant_core::snapshot::Snapshot;
use recant_core::target::TargetState;
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::incarnation::Incarnation;
use crate::lease::LeaseBook;
use crate::oracle::Oracle;
use crate::random::Random;
use crate::scenario::{Arm, HEALED, Mode, Point, Scenario};
use crate::trace::Trace;
use crate::workload::{SimPod, Workload};

/// Seconds after the fixed beginning of all schedules.
pub(crate) fn at(seconds: i64) -> Timestamp {
    moment(Duration::ZERO) + SignedDuration::from_secs(seconds)
}

fn moment(passed: Duration) -> Timestamp {
    let begin = Timestamp::constant(1_767_225_600, 0);
    begin + SignedDuration::try_from(passed).unwrap_or(SignedDuration::MAX)
}

/// A world and when it began.
#[derive(Debug)]
pub(crate) struct Sim {
    world: Mutex<World>,
    /// The cluster may look different.
    pub(crate) news: Notify,
    began: Instant,
}

#[derive(Debug)]
pub(crate) struct World {
    pub(crate) scenario: Scenario,
    pub(crate) random: Random,
    pub(crate) workloads: BTreeMap<TargetId, Workload>,
    /// How each target looked, and from which second on that is seen; oldest first.
    pub(crate) shown: BTreeMap<TargetId, Vec<Shown>>,
    pub(crate) lease: LeaseBook,
    pub(crate) oracle: Oracle,
    pub(crate) trace: Trace,
    /// The process that each replica is now.
    pub(crate) alive: Vec<Option<Arc<Incarnation>>>,
    /// Of each replica's clock, in seconds.
    pub(crate) skew: Vec<i64>,
    pub(crate) source: Mode,
    pub(crate) source_until: i64,
    /// What a source that has stopped to sample shows: as it was when that began, with its time.
    pub(crate) stale: Vec<(TargetId, i64, SimPod)>,
    pub(crate) disk_full_until: i64,
    pub(crate) cluster_down_until: i64,
    pub(crate) channels_down_until: i64,
    pub(crate) arms: Vec<Arm>,
    pub(crate) now: i64,
    pub(crate) processes: u64,
    pub(crate) faults: u64,
    /// Orders of people, and those of them that wait for an answer.
    pub(crate) ordered: u64,
    pub(crate) unanswered: u64,
    /// What readers of the acting agent saw last.
    pub(crate) snapshot: Option<Arc<Snapshot>>,
}

/// One look of a target.
#[derive(Debug, Clone)]
pub(crate) struct Shown {
    pub(crate) number: u64,
    pub(crate) from: i64,
    /// `None`: it did not exist.
    pub(crate) state: Option<Arc<TargetState>>,
}

impl Sim {
    /// A new world; needs a runtime.
    pub(crate) fn new(world: World) -> Self {
        Self {
            world: Mutex::new(world),
            news: Notify::new(),
            began: Instant::now(),
        }
    }

    pub(crate) fn world(&self) -> MutexGuard<'_, World> {
        // After a panic the schedule has failed, and only its trace is read.
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The true time.
    pub(crate) fn time(&self) -> Timestamp {
        moment(self.began.elapsed())
    }

    pub(crate) fn seconds(&self) -> f64 {
        self.began.elapsed().as_secs_f64()
    }

    /// A line for the trace.
    pub(crate) fn note(&self, line: &str) {
        let seconds = self.seconds();
        self.world().trace.line(format!("{seconds:>7.2} {line}"));
    }

    /// Into the trace, if there is something wrong.
    pub(crate) fn hold(&self, check: Result<(), crate::oracle::Broken>) {
        if let Err(broken) = check {
            let seconds = self.seconds();
            self.world().violated(seconds, broken);
        }
    }

    /// One second more.
    pub(crate) fn second(&self, now: i64) {
        let mut world = self.world();
        world.now = now;
        world.second();
        drop(world);
        self.news.notify_waiters();
    }

    /// What is to happen to an agent that comes to this point now.
    pub(crate) fn arrive(self: &Arc<Self>, process: &Arc<Incarnation>, point: Point) -> bool {
        let fired = {
            let mut world = self.world();
            let now = world.now;
            let mut fired = None;
            for arm in world.arms.iter_mut().filter(|arm| arm.point == point) {
                arm.countdown = arm.countdown.saturating_sub(1);
                if arm.countdown == 0 && fired.is_none() && now < HEALED {
                    fired = Some(arm.freeze);
                }
            }
            world.arms.retain(|arm| arm.countdown > 0);
            world.faults += u64::from(fired.is_some());
            fired
        };
        match fired {
            None => false,
            Some(None) => {
                self.note(&format!("{process} dies at {point:?}"));
                process.die();
                true
            }
            Some(Some(seconds)) => {
                self.note(&format!("{process} stops for {seconds} s at {point:?}"));
                self.freeze(process, seconds);
                true
            }
        }
    }

    /// Stops a process for some seconds, as SIGSTOP and SIGCONT do.
    pub(crate) fn freeze(self: &Arc<Self>, process: &Arc<Incarnation>, seconds: i64) {
        process.freeze();
        let (sim, process) = (Arc::clone(self), Arc::clone(process));
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_secs(seconds.unsigned_abs())).await;
            sim.note(&format!("{process} goes on"));
            process.thaw();
        });
    }
}

/// One that never acts by itself: what it sets is an event.
fn autoscaler(of: &TargetId) -> Autoscaler {
    Autoscaler {
        name: of.name.clone(),
        uid: format!("uid-autoscaler-{}", of.name),
        min: 4,
        max: 12,
        owner: None,
        last_scaling: None,
        keda: None,
    }
}

impl World {
    pub(crate) fn new(scenario: Scenario, mut random: Random, whole_trace: bool) -> Self {
        let workloads: BTreeMap<TargetId, Workload> = scenario
            .kinds
            .iter()
            .enumerate()
            .map(|(index, kind)| {
                let id = TargetId {
                    namespace: "shop".to_owned(),
                    kind: *kind,
                    name: format!("app{index}"),
                };
                let mut workload = Workload::new(id.clone(), &mut random);
                if scenario.autoscaled && scenario.scales {
                    workload.scaling.autoscaler = Some(autoscaler(&id));
                }
                (id, workload)
            })
            .collect();
        let replicas = scenario.replicas;
        Self {
            oracle: Oracle::new(&scenario),
            arms: scenario.arms.clone(),
            scenario,
            random,
            workloads,
            shown: BTreeMap::new(),
            lease: LeaseBook::default(),
            trace: Trace::new(whole_trace),
            alive: vec![None; replicas],
            skew: vec![0; replicas],
            source: Mode::Well,
            source_until: 0,
            stale: Vec::new(),
            disk_full_until: 0,
            cluster_down_until: 0,
            channels_down_until: 0,
            now: 0,
            processes: 0,
            faults: 0,
            ordered: 0,
            unanswered: 0,
            snapshot: None,
        }
    }

    /// Keeps the first violation, with what came before it.
    pub(crate) fn violated(&mut self, seconds: f64, broken: crate::oracle::Broken) {
        self.trace
            .line(format!("{seconds:>7.2} VIOLATION {broken}"));
        let text = self.trace.text();
        self.oracle.first.get_or_insert((broken, text));
    }

    /// From now on the source answers so, until that second.
    pub(crate) fn source_is(&mut self, mode: Mode, until: i64) {
        self.source = mode;
        self.source_until = until;
        let now = self.now;
        self.stale = self
            .workloads
            .values()
            .flat_map(|workload| workload.exposed().map(|pod| (&workload.id, pod)))
            .map(|(id, pod)| (id.clone(), now, pod.clone()))
            .collect();
    }

    /// The target with this number.
    pub(crate) fn target(&mut self, number: usize) -> &mut Workload {
        let mut all = self.workloads.values_mut();
        all.nth(number).expect("events name targets that are there")
    }

    fn second(&mut self) {
        let now = self.now;
        if self.source_until <= now {
            self.source = Mode::Well;
        }
        for workload in self.workloads.values_mut() {
            workload.second(now, &mut self.random);
        }
        self.show();
    }

    /// What changed is seen from now on, or a little later.
    pub(crate) fn show(&mut self) {
        let (now, lag) = (self.now, self.scenario.lag.unsigned_abs());
        for (id, workload) in &mut self.workloads {
            if !std::mem::take(&mut workload.changed) {
                continue;
            }
            let late = if now < HEALED {
                self.random.between(0, lag)
            } else {
                0
            };
            let shown = self.shown.entry(id.clone()).or_default();
            let number = shown.last().map_or(1, |last| last.number + 1);
            let state = (!workload.deleted).then(|| Arc::new(workload.state(now)));
            let from = now + i64::try_from(late).unwrap_or(0);
            shown.push(Shown {
                number,
                from,
                state,
            });
            if shown.len() > 24 {
                shown.remove(0);
            }
        }
    }

    /// Whether a call goes wrong that does so in so many of a thousand cases.
    pub(crate) fn goes_wrong(&mut self, thousandths: u64) -> bool {
        let wrong = self.now < HEALED && self.random.chance(thousandths);
        self.faults += u64::from(wrong);
        wrong
    }
}
