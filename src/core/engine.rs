//! The engine: the only place where anything is decided. One pure function of time and inputs.
//!
//! A tick goes through the rooms in the order of the data: cluster news (`releases`), answers of the sources
//! (`observe`), plans (`progress`), verdicts and guards (`decide`), what came of it (`verify`), rules between releases
//! (`always`), what these ask for (`operations`); `tell` words the notices. Every lasting change is a record applied to the [`Ledger`]; the caller makes the records durable before any
//! effect leaves (P3). What a tick writes may be cut off behind any record: the next process goes on from there
//! (`resume`), so records that lead to something come before what they lead to.

mod alerts;
mod always;
mod arms;
mod decide;
mod dependencies;
mod drifting;
mod finish;
mod hold;
mod hooks;
mod levels;
mod live;
mod look_back;
mod nodes;
mod observe;
mod on_request;
mod operations;
mod pausing;
mod people;
mod preflight;
mod progress;
mod questions;
mod releases;
mod reload;
mod resume;
mod sharing;
mod show;
mod silences;
mod sources;
mod stepping;
mod suspending;
mod tell;
#[cfg(test)]
mod tests;
mod unproven;
mod verdict;
mod verify;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use crate::change::{ObjectRef, ObjectState};
use crate::command::{Command, CommandOutcome};
use crate::guard::GuardSettings;
use crate::hook::Hook;
use crate::ids::{ChannelName, PodName, TargetId};
use crate::ledger::{Ledger, TargetLedger};
use crate::notice::{Delivery, Notice};
use crate::observation::Observation;
use crate::plan::{StepCommand, StepOutcome};
use crate::preflight::{WayBackAnswer, WayBackQuestion};
use crate::record::Record;
use crate::rule::{Question, RuleBook, ScaleTarget, SourceKind, Watch};
use crate::scaling::ScaleState;
use crate::share::{self, Acting, Sharing};
use crate::target::{TargetNews, TargetState};

use live::Live;
use on_request::Requests;
use operations::{Operations, Wish};
use sources::Health;

pub use look_back::Back;
pub use nodes::NodeAnswer;
pub use questions::Asked;
pub use reload::{Loaded, Refused, Reload};
pub use silences::Silences;

/// What the engine needs to know besides rules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EngineSettings {
    pub guards: GuardSettings,
    /// The source of watches that name none.
    pub source: SourceKind,
    /// The least time between two looks at a metric.
    pub interval: SignedDuration,
    /// Targets that are watched because somebody asked about them, at most.
    pub on_request: usize,
    /// What no watch names any more is ended at the start. Not where others, with other watches, share the ledger.
    pub ends_unwatched: bool,
}

/// Everything that came in since the last tick.
#[derive(Debug, Default)]
pub struct Inputs {
    pub cluster: Vec<TargetNews>,
    pub answers: Vec<Answer>,
    pub steps: Vec<StepOutcome>,
    pub scales: Vec<ScaleAnswer>,
    pub objects: Vec<ObjectAnswer>,
    pub ways_back: Vec<WayBackAnswer>,
    pub nodes: Vec<NodeAnswer>,
    pub deliveries: Vec<Delivery>,
    /// Files of rules or settings have changed; in the order in which they did.
    pub reloads: Vec<Reload>,
    /// What others reported.
    pub hooks: Vec<Hook>,
    /// What each Alertmanager silences, as far as it was asked since.
    pub silences: Vec<Silences>,
    /// What people order, each answered in [`Output::replies`].
    pub commands: Vec<Given>,
    /// What the acting replica says, if it said anything new.
    pub acting: Option<Acting>,
}

/// What a source answered to one question about one target.
#[derive(Debug, Clone)]
pub struct Answer {
    pub target: TargetId,
    pub question: Arc<Question>,
    pub observation: Observation,
}

/// What the cluster says of a workload that is to be scaled; `None`: it does not exist. Else why it could not be read.
#[derive(Debug, Clone)]
pub struct ScaleAnswer {
    pub target: ScaleTarget,
    pub state: Result<Option<ScaleState>, String>,
}

/// What the cluster says of an object that is to be changed; `None`: it does not exist. Else why it could not be read.
#[derive(Debug, Clone)]
pub struct ObjectAnswer {
    pub object: ObjectRef,
    pub state: Result<Option<ObjectState>, String>,
}

/// The same, of one tick.
type Objects = BTreeMap<ObjectRef, Result<Option<ObjectState>, String>>;

/// What a tick leads to. Records first, effects when these are durable.
#[derive(Debug, Default)]
pub struct Output {
    pub records: Vec<Record>,
    pub effects: Vec<Effect>,
    /// One for each of [`Inputs::commands`], in their order; `None`: the cluster was asked something first, and the command
    /// is to be handed in again in the next tick, as long as somebody waits for its answer.
    pub replies: Vec<Option<Reply>>,
    /// A report was not taken: as many alerts fire as can be kept.
    pub no_room: bool,
}

/// A person's command on its way in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Given {
    pub command: Command,
    /// Only say what would become of it; nothing is recorded.
    pub dry_run: bool,
}

/// What becomes of a person's command.
#[derive(Debug, Clone, PartialEq)]
pub struct Reply {
    pub outcome: CommandOutcome,
    /// Of a dry run: the writes that there would be; of a rollback the first.
    pub steps: Vec<StepCommand>,
}

impl Reply {
    fn plain(outcome: CommandOutcome) -> Self {
        Self {
            outcome,
            steps: Vec::new(),
        }
    }
}

/// Something to be done outside.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    Step(StepCommand),
    /// Read what a scaling is decided from; nothing is written.
    LookAtScale {
        target: ScaleTarget,
    },
    /// Read what a change is decided from; nothing is written.
    LookAtObject {
        object: ObjectRef,
    },
    /// Look at a way back before it is taken; nothing is written.
    LookAtWayBack(WayBackQuestion),
    /// Read what the nodes under these pods of the target say; nothing is written.
    LookAtNodes {
        target: TargetId,
        pods: Vec<PodName>,
    },
    Notify {
        notice: Notice,
        channels: Vec<ChannelName>,
        /// It may have been sent before a restart.
        repeat: bool,
    },
}

/// The state of all watches.
#[derive(Debug)]
pub struct Engine {
    settings: EngineSettings,
    channels: Vec<ChannelName>,
    ledger: Ledger,
    live: BTreeMap<TargetId, Live>,
    requests: Requests,
    operations: Operations,
    sources: BTreeMap<SourceKind, Health>,
    /// What the process before left behind was taken up: for all targets together,
    begun: bool,
    /// and for each of them.
    resumed: bool,
    /// What looking back led to, until its records are durable: the next tick hands it out.
    deferred: Vec<Effect>,
    sharing: Sharing,
    /// What waits for the acting replica alone, and when it was last asked.
    asks: BTreeMap<share::Wish, Timestamp>,
}

/// One tick in progress: the time, and what it leads to so far.
#[derive(Debug)]
struct Turn<'a> {
    now: Timestamp,
    /// It is made up for later: what the cluster looked like then is not known, and nothing is begun or told.
    past: bool,
    settings: EngineSettings,
    ledger: &'a mut Ledger,
    output: Output,
    /// What somebody wants done.
    wishes: Vec<Wish>,
    sharing: &'a Sharing,
    /// What is asked of the acting replica in this tick,
    asking: Vec<share::Wish>,
    /// and was asked before.
    asked: BTreeSet<share::Wish>,
}

impl Turn<'_> {
    fn record(&mut self, record: Record) {
        self.ledger.apply(self.now, &record);
        self.output.records.push(record);
    }

    /// The time, if it is over.
    fn then(&self) -> Option<Timestamp> {
        self.past.then_some(self.now)
    }

    fn known(&self, target: &TargetId) -> Option<&TargetLedger> {
        self.ledger.targets.get(target)
    }
}

impl Engine {
    /// An engine with the lasting state that a fold of the journal gave.
    pub fn new(book: &RuleBook, settings: EngineSettings, ledger: Ledger) -> Self {
        let taken = on_request::still_taken(book, &ledger);
        let live = book
            .watches
            .iter()
            .cloned()
            .chain(taken)
            .map(|watch| (watch.target.clone(), Live::new(Arc::new(watch))))
            .collect();
        Self {
            settings,
            channels: book.channels.keys().cloned().collect(),
            ledger,
            live,
            requests: Requests::new(book),
            operations: Operations::default(),
            sources: BTreeMap::new(),
            begun: false,
            resumed: false,
            deferred: Vec::new(),
            sharing: Sharing::Alone,
            asks: BTreeMap::new(),
        }
    }

    /// The lasting state.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// The watches of all targets: those that the rules name, and those that were taken up on request.
    pub fn watches(&self) -> impl Iterator<Item = &Watch> {
        self.live.values().map(|live| &*live.watch)
    }

    /// The state of a target as the cluster last showed it.
    pub fn state(&self, target: &TargetId) -> Option<&TargetState> {
        self.live.get(target)?.state.as_ref()
    }

    /// Takes in everything that came since the last tick, and decides. Cannot fail: broken input is data (P2).
    pub fn tick(&mut self, now: Timestamp, inputs: Inputs) -> Output {
        let Self {
            settings,
            channels,
            ledger,
            live,
            requests,
            operations,
            sources,
            begun,
            resumed,
            deferred,
            sharing,
            asks,
        } = self;
        if let Some(acting) = inputs.acting {
            sharing::hear(sharing, live, acting);
        }
        let mut turn = Turn {
            now,
            past: false,
            settings: settings.clone(),
            ledger,
            output: Output {
                records: Vec::new(),
                effects: std::mem::take(deferred),
                replies: Vec::new(),
                no_room: false,
            },
            wishes: Vec::new(),
            sharing,
            asking: Vec::new(),
            asked: asks.keys().cloned().collect(),
        };
        for delivery in inputs.deliveries {
            if turn.ledger.pending.contains_key(&delivery.notice) {
                turn.record(Record::NoticeEnded(delivery));
            }
        }
        if !std::mem::replace(begun, true) {
            resume::begin(&mut turn, live, channels);
        }
        if !std::mem::replace(resumed, true) {
            resume::resume(&mut turn, live);
        }
        // Before the news of the cluster: they may be about targets that are watched from now on.
        for news in inputs.reloads {
            let held = reload::Held {
                settings: &mut *settings,
                channels: &mut *channels,
                live: &mut *live,
                requests: &mut *requests,
                sources: &mut *sources,
            };
            reload::reload(&mut turn, held, news);
        }
        silences::take_in(&mut turn, inputs.silences);
        silences::forget(&mut turn, channels);
        // Before anything newer about the same is told.
        silences::release(&mut turn);
        hooks::take_in(&mut turn, live, requests, inputs.hooks);
        requests.tend(&mut turn, live);
        for outcome in inputs.steps {
            if !operations.step_ended(&mut turn, &outcome) {
                progress::step_ended(&mut turn, live, outcome);
            }
        }
        for news in inputs.cluster {
            releases::take_in(&mut turn, live, news);
        }
        let heard = observe::take_in(&mut turn, live, inputs.answers);
        sources::take_in(&mut turn, live, sources, heard);
        let looked: always::Looked = inputs
            .scales
            .into_iter()
            .map(|answer| (answer.target, answer.state))
            .collect();
        if !looked.is_empty() {
            // An answer is there for one tick: whoever asked must not miss it.
            for live in live.values_mut() {
                live.news |= live.always.awaits(&looked);
            }
        }
        if settings.ends_unwatched {
            resume::let_go(&mut turn, live, false);
        }
        let objects: Objects = inputs
            .objects
            .iter()
            .cloned()
            .map(|answer| (answer.object, answer.state))
            .collect();
        if !objects.is_empty() {
            for live in live.values_mut() {
                live.news |= live.stepping.awaits();
            }
        }
        operations.hear(&turn, live, inputs.objects, &looked);
        for answer in inputs.ways_back {
            preflight::take_in(live, now, answer);
        }
        nodes::take_in(&turn, live, inputs.nodes);
        // After what was asked for them.
        people::take_in(&mut turn, live, operations, inputs.commands);
        dependencies::look(&turn, live);
        // One rule, or one target, cannot stop another (P8): each is looked at for itself.
        for (target, live) in live.iter_mut() {
            if !live.due(now) {
                continue;
            }
            alerts::take_in(&turn, target, live);
            progress::advance(&mut turn, target, live);
            decide::judge(&mut turn, target, live);
            stepping::tend(&mut turn, target, live, &objects);
            verify::verify(&mut turn, target, live);
            drifting::tend(&mut turn, target, live);
            suspending::tend(&mut turn, target, live);
            // After the verdict of this tick: it decides whether the release goes on.
            pausing::tend(&mut turn, target, live);
            always::tend(&mut turn, target, live, &looked);
            finish::follow_up(&mut turn, target, live);
        }
        operations.tend(&mut turn, live);
        sharing::keep(asks, now, std::mem::take(&mut turn.asking));
        turn.output
    }
}
