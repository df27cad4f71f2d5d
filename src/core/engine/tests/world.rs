//! A scripted world: time in steps of a second, workloads that are measured, an executor and channels that answer.
//!
//! Every tick, the ledger that is folded from the journal's JSON is held against the live one (P5), and every effect
//! against the records that must come with it (P3).

mod seen;
mod transcript;

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::objects::Objects;
use super::routes::Routes;
use super::rules::Setup;
use super::target::Target;
use super::workers::Workers;
use crate::change::ObjectRef;
use crate::engine::{
    Answer, Effect, Engine, Given, Inputs, NodeAnswer, ObjectAnswer, Output, Reply, ScaleAnswer,
};
use crate::ids::{PodName, TargetId};
use crate::ledger::Ledger;
use crate::notice::{Delivery, DeliveryOutcome, Notice};
use crate::observation::Observation;
use crate::plan::{Action, StepCommand, StepOutcome, StepResult};
use crate::preflight::{Preflight, WayBackAnswer};
use crate::record::Record;
use crate::rule::{Question, ScaleTarget};
use crate::target::{NodeReport, TargetNews};

/// Seconds after the fixed beginning of all tests.
pub(super) fn at(seconds: i64) -> Timestamp {
    let begin: Timestamp = "2026-01-01T00:00:00Z".parse().expect("is a timestamp");
    begin + SignedDuration::from_secs(seconds)
}

/// What a question about a target is answered with instead of the truth.
pub(super) type Lie = Box<dyn Fn(&TargetId, &Question, i64) -> Option<Observation>>;

/// What becomes of a step instead of what would.
pub(super) type MadeUp = Box<dyn Fn(&StepCommand) -> Option<StepResult>>;

/// What nodes say of the pods of a target.
pub(super) type NodesSay = Box<dyn Fn(&TargetId, &[PodName]) -> Result<NodeReport, String>>;

pub(super) struct World {
    pub(super) setup: Setup,
    pub(super) engine: Engine,
    /// Seconds since the beginning.
    pub(super) now: i64,
    pub(super) targets: BTreeMap<TargetId, Target>,
    pub(super) journal: Vec<(i64, Record)>,
    pub(super) notices: Vec<Notice>,
    pub(super) repeats: Vec<Notice>,
    pub(super) commands: Vec<(i64, StepCommand)>,
    pub(super) lie: Option<Lie>,
    /// What becomes of a step, instead of what would.
    pub(super) step_result: Option<MadeUp>,
    /// Seconds until the executor answers.
    pub(super) executor_takes: i64,
    /// The executor's results and the deliveries come twice.
    pub(super) stutter: bool,
    /// The journal is cut off behind this many records, and the agent starts again.
    pub(super) crash_at: Option<usize>,
    /// The effects of that tick have left already, if its records are all there.
    pub(super) effects_leave: bool,
    pub(super) crashes: usize,
    /// Some report was not taken.
    pub(super) no_room: bool,
    pub(super) replies: Vec<Reply>,
    /// Commands that wait for what the cluster was asked: they are handed in again.
    waiting: Vec<Given>,
    /// What is scaled.
    pub(super) workers: Workers,
    looks: Vec<ScaleTarget>,
    /// What is changed.
    pub(super) objects: Objects,
    /// What splits the traffic.
    pub(super) routes: Routes,
    route_looks: Vec<ObjectRef>,
    ways_back: Vec<WayBackAnswer>,
    /// What a look at any way back sees; `None`: it is never answered.
    pub(super) preflight: Option<Preflight>,
    /// What nodes say, instead of that all is well.
    pub(super) nodes_say: Option<NodesSay>,
    node_answers: Vec<NodeAnswer>,
    /// The fold of the journal.
    pub(super) shadow: Ledger,
    /// What was answered, by the second.
    pub(super) answered: BTreeMap<i64, Vec<Answer>>,
    outcomes: Vec<(i64, StepOutcome)>,
    retrying: Vec<StepCommand>,
    deliveries: Vec<Delivery>,
    samples: BTreeMap<TargetId, (i64, Target)>,
    /// What the cluster last showed.
    shown: BTreeMap<TargetId, Option<crate::target::TargetState>>,
}

impl World {
    pub(super) fn new(setup: Setup) -> Self {
        let targets = setup
            .targets
            .iter()
            .chain(&setup.asked)
            .enumerate()
            .map(|(index, name)| {
                let id = setup.id(name);
                (id.clone(), Target::new(id, setup.seed + index as u64))
            })
            .collect();
        Self {
            engine: Engine::new(&setup.book(), setup.settings(), Ledger::default()),
            setup,
            now: 0,
            targets,
            journal: Vec::new(),
            notices: Vec::new(),
            repeats: Vec::new(),
            commands: Vec::new(),
            lie: None,
            step_result: None,
            executor_takes: 1,
            stutter: false,
            crash_at: None,
            effects_leave: false,
            crashes: 0,
            no_room: false,
            replies: Vec::new(),
            waiting: Vec::new(),
            answered: BTreeMap::new(),
            workers: Workers::default(),
            looks: Vec::new(),
            objects: Objects::default(),
            routes: Routes::default(),
            route_looks: Vec::new(),
            ways_back: Vec::new(),
            preflight: Some(Preflight::default()),
            nodes_say: None,
            node_answers: Vec::new(),
            shadow: Ledger::default(),
            outcomes: Vec::new(),
            retrying: Vec::new(),
            deliveries: Vec::new(),
            samples: BTreeMap::new(),
            shown: BTreeMap::new(),
        }
    }

    /// A world in which v1 has served for a minute, and nothing has happened.
    pub(super) fn settled(setup: Setup) -> Self {
        let mut world = Self::new(setup);
        world.run(60);
        world
    }

    pub(super) fn target(&mut self) -> &mut Target {
        self.targets.values_mut().next().expect("there is one")
    }

    pub(super) fn named(&mut self, name: &str) -> &mut Target {
        let id = self.setup.id(name);
        self.targets.get_mut(&id).expect("it is watched")
    }

    pub(super) fn ship(&mut self, hash: &str) {
        let now = self.now;
        self.target().ship(hash, now);
    }

    pub(super) fn run(&mut self, seconds: i64) {
        for _ in 0..seconds {
            self.second();
        }
    }

    /// Runs until `done`, at most for that many seconds; how many it took.
    #[track_caller]
    pub(super) fn run_until(&mut self, most: i64, done: impl Fn(&Self) -> bool) -> i64 {
        let began = self.now;
        while !done(self) {
            assert!(
                self.now - began < most,
                "it did not come to that within {most} s; so far:\n{}",
                self.transcript()
            );
            self.second();
        }
        self.now - began
    }

    /// One second: the cluster and its traffic go on, then the engine hears and asks.
    pub(super) fn second(&mut self) {
        self.now += 1;
        let now = self.now;
        for target in self.targets.values_mut() {
            target.second(now);
        }
        for (id, target) in &self.targets {
            let scraped = self.samples.get(id).map(|(scraped, _)| *scraped);
            if scraped.is_none_or(|scraped| now - scraped >= self.setup.scrape) {
                self.samples.insert(id.clone(), (now, target.clone()));
            }
        }
        for command in std::mem::take(&mut self.retrying) {
            self.carry_out(command);
        }
        let mut steps: Vec<StepOutcome> = Vec::new();
        self.outcomes.retain(|(due, outcome)| {
            if *due <= now {
                steps.push(outcome.clone());
            }
            *due > now
        });
        let mut deliveries = std::mem::take(&mut self.deliveries);
        if self.stutter {
            steps.extend(steps.clone());
            deliveries.extend(deliveries.clone());
        }
        let inputs = Inputs {
            cluster: self.news(),
            steps,
            deliveries,
            scales: self.seen(),
            objects: [self.objects.seen(), self.seen_routes()].concat(),
            nodes: std::mem::take(&mut self.node_answers),
            ..Inputs::default()
        };
        self.tick(inputs);
        let answers = self.ask();
        self.answered.insert(now, answers.clone());
        self.tick(Inputs {
            answers,
            ..Inputs::default()
        });
    }

    /// What the cluster has shown of a target is shown again: it is followed from now on.
    pub(super) fn show_again(&mut self, target: &TargetId) {
        self.shown.remove(target);
    }

    fn news(&mut self) -> Vec<TargetNews> {
        let mut news = Vec::new();
        for (id, target) in &self.targets {
            let state = target.exists.then(|| target.state(self.now));
            if self.shown.get(id) == Some(&state) {
                continue;
            }
            news.push(match &state {
                Some(state) => TargetNews::State(Box::new(state.clone())),
                None => TargetNews::Gone(id.clone()),
            });
            self.shown.insert(id.clone(), state);
        }
        news
    }

    /// What the cluster says of the workloads that were looked at.
    pub(super) fn seen(&mut self) -> Vec<ScaleAnswer> {
        let looks = std::mem::take(&mut self.looks);
        looks
            .into_iter()
            .map(|target| ScaleAnswer {
                state: self.workers.look(&target),
                target,
            })
            .collect()
    }

    /// What the cluster says of the routes that were looked at.
    fn seen_routes(&mut self) -> Vec<ObjectAnswer> {
        let looks = std::mem::take(&mut self.route_looks);
        looks
            .into_iter()
            .map(|object| ObjectAnswer {
                state: Ok(self.routes.look(&object)),
                object,
            })
            .collect()
    }

    fn ask(&mut self) -> Vec<Answer> {
        let mut answers = Vec::new();
        for asked in self.engine.questions(at(self.now)) {
            for id in &asked.targets {
                let lie = self.lie.as_ref();
                let truth = || {
                    let (scraped, target) = self.samples.get(id).expect("was scraped");
                    target.answer(&asked.question, at(*scraped))
                };
                let observation = lie
                    .and_then(|lie| lie(id, &asked.question, self.now))
                    .unwrap_or_else(truth);
                answers.push(Answer {
                    target: id.clone(),
                    question: asked.question.clone(),
                    observation,
                });
            }
        }
        answers
    }

    pub(super) fn tick(&mut self, mut inputs: Inputs) {
        let waiting = std::mem::take(&mut self.waiting);
        inputs.commands.splice(0..0, waiting);
        let commands = inputs.commands.clone();
        let output = self.engine.tick(at(self.now), inputs);
        check_effects(&output);
        let Output {
            records,
            effects,
            replies,
            no_room,
        } = output;
        self.no_room |= no_room;
        for (given, reply) in commands.into_iter().zip(replies) {
            match reply {
                Some(reply) => self.replies.push(reply),
                None => self.waiting.push(given),
            }
        }
        let room = self.crash_at.map_or(usize::MAX, |crash_at| {
            crash_at.saturating_sub(self.journal.len())
        });
        let cut = records.len() >= room;
        let whole = records.len() == room;
        for record in records.into_iter().take(room) {
            self.write(record);
        }
        if !cut || (whole && self.effects_leave) {
            self.hand_out(effects);
        }
        if cut {
            self.crash_at = None;
            self.restart();
            return;
        }
        assert_eq!(
            self.shadow,
            *self.engine.ledger(),
            "a fold of the journal is not the live state"
        );
        // The cluster answers at once.
        if !self.ways_back.is_empty() {
            let ways_back = std::mem::take(&mut self.ways_back);
            self.tick(Inputs {
                ways_back,
                ..Inputs::default()
            });
        }
    }

    /// Somebody orders this, and waits for no answer beyond the first tick.
    pub(super) fn order_and_leave(&mut self, command: crate::command::Command) {
        let given = Given {
            command,
            dry_run: false,
        };
        self.tick(Inputs {
            commands: vec![given],
            ..Inputs::default()
        });
        self.waiting.clear();
    }

    fn write(&mut self, record: Record) {
        let json = serde_json::to_string(&record).expect("is JSON");
        assert!(json.len() < 1 << 20, "a record of {} bytes", json.len());
        let read: Record = serde_json::from_str(&json).expect("reads what it wrote");
        self.shadow.apply(at(self.now), &read);
        self.journal.push((self.now, record));
    }

    fn hand_out(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Step(command) => {
                    self.commands.push((self.now, command.clone()));
                    self.carry_out(command);
                }
                Effect::LookAtScale { target } => self.looks.push(target),
                Effect::LookAtObject { object } if object.kind == "HTTPRoute" => {
                    self.route_looks.push(object);
                }
                Effect::LookAtObject { object } => self.objects.looks.push(object),
                Effect::LookAtWayBack(question) => {
                    let seen = self.preflight.clone().map(Ok);
                    let answer = seen.map(|seen| WayBackAnswer { question, seen });
                    self.ways_back.extend(answer);
                }
                Effect::LookAtNodes { target, pods } => {
                    let report = self
                        .nodes_say
                        .as_ref()
                        .map_or_else(|| Ok(NodeReport::default()), |say| say(&target, &pods));
                    self.node_answers.push(NodeAnswer { target, report });
                }
                Effect::Notify {
                    notice,
                    channels,
                    repeat,
                } => {
                    self.deliveries
                        .extend(channels.into_iter().map(|channel| Delivery {
                            notice: notice.id.clone(),
                            channel,
                            outcome: DeliveryOutcome::Delivered,
                        }));
                    if repeat {
                        self.repeats.push(notice);
                    } else {
                        self.notices.push(notice);
                    }
                }
            }
        }
    }

    /// The executor: tries until there is a result.
    fn carry_out(&mut self, command: StepCommand) {
        let now = self.now;
        let made_up = self.step_result.as_ref().and_then(|made| made(&command));
        let carried = match (&command.action, made_up) {
            (_, Some(made_up)) => Some(made_up),
            (Action::Rollback(rollback), None) => {
                let target = self.targets.get_mut(&rollback.fence.target);
                let target = target.expect("is a target");
                target.carry_out(&command.plan, rollback, now)
            }
            (Action::Sync(step), None) => {
                let target = self.targets.get_mut(&step.fence.target);
                let target = target.expect("is a target");
                target.sync(&command.plan, step, now)
            }
            (Action::Pause(step), None) => {
                let target = self.targets.get_mut(&step.fence.target);
                let target = target.expect("is a target");
                target.pause(&command.plan, step, now)
            }
            (Action::Scale(change), None) => Some(self.workers.carry_out(&command.plan, change)),
            (Action::Change(change), None) if change.object.kind == "HTTPRoute" => {
                Some(self.routes.carry_out(&command.plan, command.index, change))
            }
            (Action::Change(change), None) => Some(self.objects.carry_out(&command, change)),
            (Action::Apply(apply), None) => panic!("nobody asked for {apply:?}"),
            (Action::Webhook(call), None) => Some(self.objects.call(&command, call)),
            (Action::Evidence(evidence), None) => Some(self.objects.keep(evidence)),
        };
        let Some(result) = carried else {
            self.retrying.push(command);
            return;
        };
        let (plan, index) = (command.plan, command.index);
        let outcome = StepOutcome {
            plan,
            index,
            result,
        };
        self.outcomes.push((now + self.executor_takes, outcome));
    }

    /// The process is killed and a new one folds the journal. What was in hand goes on without it.
    pub(super) fn restart(&mut self) {
        self.crashes += 1;
        self.waiting.clear();
        self.outcomes.clear();
        self.retrying.clear();
        self.deliveries.clear();
        self.looks.clear();
        self.route_looks.clear();
        self.shown.clear();
        let ledger = self.shadow.clone();
        self.engine = Engine::new(&self.setup.book(), self.setup.settings(), ledger);
    }
}

/// P3: no effect without the record that announces it.
fn check_effects(output: &Output) {
    for effect in &output.effects {
        let announced = match effect {
            Effect::Step(command) => output
                .records
                .iter()
                .any(|record| matches!(record, Record::StepBegun(begun) if begun == command)),
            // Nothing is written, or it was before the restart.
            Effect::LookAtScale { .. }
            | Effect::LookAtObject { .. }
            | Effect::LookAtWayBack(_)
            | Effect::LookAtNodes { .. }
            | Effect::Notify { repeat: true, .. } => true,
            Effect::Notify { notice, .. } => output.records.iter().any(|record| match record {
                Record::Noticed(noticed)
                | Record::NoticeReleased {
                    notice: noticed, ..
                } => **noticed == *notice,
                _ => false,
            }),
        };
        assert!(announced, "{effect:?} is not in the records");
    }
}
