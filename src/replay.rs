//! Runs the engine as it is in production through a time that is written down: the clock of the data, series instead of
//! sources, a model instead of a cluster. Nothing leaves it.
//!
//! What the world is like, and what is made of the records, whoever replays says: tests of rules, and backtests.

use std::sync::Arc;

use jiff::Timestamp;

use recant_core::change::ObjectRef;
use recant_core::engine::{
    Answer, Effect, Engine, Inputs, NodeAnswer, ObjectAnswer, Output, ScaleAnswer,
};
use recant_core::hook::Hook;
use recant_core::ids::TargetId;
use recant_core::notice::{Delivery, DeliveryOutcome};
use recant_core::observation::Observation;
use recant_core::plan::{StepCommand, StepOutcome, StepResult};
use recant_core::preflight::{Preflight, WayBackAnswer};
use recant_core::record::Record;
use recant_core::rule::{Question, ScaleTarget};
use recant_core::target::TargetNews;

/// What the engine runs in.
pub trait World {
    /// What is new of the targets at this time. Times come in their order.
    fn news(&mut self, now: Timestamp) -> Vec<TargetNews>;

    /// What a source would have answered.
    fn answer(
        &mut self,
        target: &TargetId,
        question: &Arc<Question>,
        now: Timestamp,
    ) -> Observation;

    /// What others report at this time.
    fn reports(&mut self, _now: Timestamp) -> Vec<Hook> {
        Vec::new()
    }

    /// Carries a step out; `None`: not yet.
    fn carry_out(&mut self, command: &StepCommand, now: Timestamp) -> Option<StepResult>;

    /// Looks at a workload that is to be scaled.
    fn look_at_scale(&mut self, target: ScaleTarget) -> ScaleAnswer;

    /// Looks at an object that is to be changed.
    fn look_at_object(&mut self, object: ObjectRef) -> ObjectAnswer {
        ObjectAnswer {
            object,
            state: Err("no object is looked at here".to_owned()),
        }
    }

    /// Takes note of what would be in the journal.
    fn heard(&mut self, now: Timestamp, record: Record);
}

/// The engine, and what is on its way back to it.
#[derive(Debug)]
pub struct Replay {
    engine: Engine,
    scales: Vec<ScaleAnswer>,
    objects: Vec<ObjectAnswer>,
    ways_back: Vec<WayBackAnswer>,
    nodes: Vec<NodeAnswer>,
    retrying: Vec<StepCommand>,
    outcomes: Vec<StepOutcome>,
    deliveries: Vec<Delivery>,
}

impl Replay {
    /// Nothing has happened yet.
    pub fn new(engine: Engine) -> Self {
        Self {
            engine,
            scales: Vec::new(),
            objects: Vec::new(),
            ways_back: Vec::new(),
            nodes: Vec::new(),
            retrying: Vec::new(),
            outcomes: Vec::new(),
            deliveries: Vec::new(),
        }
    }

    /// The engine as it is after the last tick.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// One moment: the world goes on, then the engine hears of it, asks, and hears the answers.
    pub fn tick(&mut self, now: Timestamp, world: &mut impl World) {
        let news = world.news(now);
        for command in std::mem::take(&mut self.retrying) {
            self.carry_out(command, now, world);
        }
        let inputs = Inputs {
            cluster: news,
            steps: std::mem::take(&mut self.outcomes),
            deliveries: std::mem::take(&mut self.deliveries),
            scales: std::mem::take(&mut self.scales),
            objects: std::mem::take(&mut self.objects),
            nodes: std::mem::take(&mut self.nodes),
            hooks: world.reports(now),
            ..Inputs::default()
        };
        let nothing = inputs.cluster.is_empty()
            && inputs.steps.is_empty()
            && inputs.deliveries.is_empty()
            && inputs.scales.is_empty()
            && inputs.objects.is_empty()
            && inputs.nodes.is_empty()
            && inputs.hooks.is_empty();
        if !nothing {
            let output = self.engine.tick(now, inputs);
            self.take(output, now, world);
        }
        let mut answers = Vec::new();
        for asked in self.engine.questions(now) {
            for target in asked.targets {
                let observation = world.answer(&target, &asked.question, now);
                answers.push(Answer {
                    target,
                    question: asked.question.clone(),
                    observation,
                });
            }
        }
        let inputs = Inputs {
            answers,
            ..Inputs::default()
        };
        let output = self.engine.tick(now, inputs);
        self.take(output, now, world);
        // The cluster answers at once.
        while !self.ways_back.is_empty() {
            let inputs = Inputs {
                ways_back: std::mem::take(&mut self.ways_back),
                ..Inputs::default()
            };
            let output = self.engine.tick(now, inputs);
            self.take(output, now, world);
        }
    }

    fn take(&mut self, output: Output, now: Timestamp, world: &mut impl World) {
        for record in output.records {
            world.heard(now, record);
        }
        for effect in output.effects {
            match effect {
                Effect::Step(command) => self.carry_out(command, now, world),
                // Of the past nobody knows the nodes.
                Effect::LookAtNodes { target, .. } => {
                    let report = Err("not known".to_owned());
                    self.nodes.push(NodeAnswer { target, report });
                }
                Effect::LookAtScale { target } => self.scales.push(world.look_at_scale(target)),
                Effect::LookAtObject { object } => {
                    self.objects.push(world.look_at_object(object));
                }
                // What else there was in the cluster is not known: nothing was missing.
                Effect::LookAtWayBack(question) => self.ways_back.push(WayBackAnswer {
                    question,
                    seen: Ok(Preflight::default()),
                }),
                Effect::Notify {
                    notice, channels, ..
                } => {
                    let delivered = channels.into_iter().map(|channel| Delivery {
                        notice: notice.id.clone(),
                        channel,
                        outcome: DeliveryOutcome::Delivered,
                    });
                    self.deliveries.extend(delivered);
                }
            }
        }
    }

    fn carry_out(&mut self, command: StepCommand, now: Timestamp, world: &mut impl World) {
        match world.carry_out(&command, now) {
            None => self.retrying.push(command),
            Some(result) => self.outcomes.push(StepOutcome {
                plan: command.plan,
                index: command.index,
                result,
            }),
        }
    }
}
