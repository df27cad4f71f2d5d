//! The engine: the only place where anything is decided. One pure function of time and inputs.
//!
//! A tick goes through the rooms in the order of the data: cluster news (`releases`), answers of the sources
//! (`observe`), results of steps (`progress`), verdicts and guards (`decide`); `tell` words the notices. Every lasting
//! change is a record applied to the [`Ledger`]; the caller makes the records durable before any effect leaves (P3).

mod decide;
mod observe;
mod progress;
mod questions;
mod releases;
mod tell;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use crate::guard::{GuardSettings, Hold};
use crate::history::History;
use crate::ids::{ChannelName, RuleName, TargetId};
use crate::judge::{Evidence, Finding};
use crate::ledger::Ledger;
use crate::measurement::Measurement;
use crate::notice::{Delivery, Notice};
use crate::observation::Observation;
use crate::plan::{StepCommand, StepOutcome};
use crate::record::Record;
use crate::rule::{Question, RuleBook, SourceKind, Watch};
use crate::snapshot::{AnalysisSnapshot, LostSource, PlanSnapshot, Snapshot, TargetSnapshot};
use crate::target::{TargetNews, TargetState};

pub use questions::Asked;

/// What the engine needs to know besides rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EngineSettings {
    pub guards: GuardSettings,
    /// The source of watches that name none.
    pub source: SourceKind,
    /// The least time between two looks at a metric.
    pub interval: SignedDuration,
}

/// Everything that came in since the last tick.
#[derive(Debug, Default)]
pub struct Inputs {
    pub cluster: Vec<TargetNews>,
    pub answers: Vec<Answer>,
    pub steps: Vec<StepOutcome>,
    pub deliveries: Vec<Delivery>,
}

/// What a source answered to one question about one target.
#[derive(Debug, Clone)]
pub struct Answer {
    pub target: TargetId,
    pub question: Arc<Question>,
    pub observation: Observation,
}

/// What a tick leads to. Records first, effects when these are durable.
#[derive(Debug, Default)]
pub struct Output {
    pub records: Vec<Record>,
    pub effects: Vec<Effect>,
}

/// Something to be done outside.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    Step(StepCommand),
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
    /// Since when every answer of a source has been unusable.
    failing_sources: BTreeMap<SourceKind, Timestamp>,
    /// What was in hand when the agent stopped has been handed out again.
    resumed: bool,
}

/// What is known of a target since the agent started; not lasting.
#[derive(Debug)]
struct Live {
    watch: Arc<Watch>,
    state: Option<TargetState>,
    measurements: BTreeMap<Arc<Question>, Looking>,
    history: BTreeMap<RuleName, History>,
    /// Evidence of the analysis, or of the verification.
    evidence: BTreeMap<RuleName, Evidence>,
    findings: Vec<Finding>,
    checkpoint: Option<Timestamp>,
    /// When the baseline arm last had traffic in this analysis.
    baseline_traffic: Option<Timestamp>,
    /// Holds that are true now, since when: only those that last are told.
    candidates: Vec<(Hold, Timestamp)>,
}

/// One question about one target.
#[derive(Debug, Default)]
struct Looking {
    measurement: Measurement,
    asked: Option<Timestamp>,
    /// Why the last answer could not be used, and since when.
    trouble: Option<(Timestamp, String)>,
    /// Why there are no data, if the source says so.
    no_data: Option<String>,
}

impl Live {
    fn new(watch: Arc<Watch>) -> Self {
        let measurements = watch
            .rules
            .iter()
            .map(|rule| {
                (
                    Arc::new(rule.metric.question(&rule.arms)),
                    Looking::default(),
                )
            })
            .collect();
        Self {
            watch,
            state: None,
            measurements,
            history: BTreeMap::new(),
            evidence: BTreeMap::new(),
            findings: Vec::new(),
            checkpoint: None,
            baseline_traffic: None,
            candidates: Vec::new(),
        }
    }

    fn source(&self, settings: &EngineSettings) -> SourceKind {
        self.watch.source.unwrap_or(settings.source)
    }

    fn watch_time(&self) -> SignedDuration {
        SignedDuration::try_from(self.watch.watch).unwrap_or(SignedDuration::MAX)
    }
}

/// One tick in progress: the time, and what it leads to so far.
#[derive(Debug)]
struct Turn<'a> {
    now: Timestamp,
    settings: EngineSettings,
    ledger: &'a mut Ledger,
    output: Output,
}

impl Turn<'_> {
    fn record(&mut self, record: Record) {
        self.ledger.apply(self.now, &record);
        self.output.records.push(record);
    }
}

impl Engine {
    /// An engine with the lasting state that a fold of the journal gave.
    pub fn new(book: &RuleBook, settings: EngineSettings, ledger: Ledger) -> Self {
        let live = book
            .watches
            .iter()
            .map(|watch| {
                let mut live = Live::new(Arc::new(watch.clone()));
                let known = ledger.targets.get(&watch.target);
                live.evidence = known
                    .and_then(|target| {
                        let verification =
                            target.verification.as_ref().map(|found| &found.evidence);
                        target
                            .analysis
                            .as_ref()
                            .map(|found| &found.evidence)
                            .or(verification)
                    })
                    .cloned()
                    .unwrap_or_default();
                (watch.target.clone(), live)
            })
            .collect();
        Self {
            settings,
            channels: book.channels.keys().cloned().collect(),
            ledger,
            live,
            failing_sources: BTreeMap::new(),
            resumed: false,
        }
    }

    /// The lasting state.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// The state of a target as the cluster last showed it.
    pub fn state(&self, target: &TargetId) -> Option<&TargetState> {
        self.live.get(target)?.state.as_ref()
    }

    /// Takes in everything that came since the last tick, and decides. Cannot fail: broken input is data (P2).
    pub fn tick(&mut self, now: Timestamp, inputs: Inputs) -> Output {
        let Self {
            settings,
            ledger,
            live,
            failing_sources,
            resumed,
            channels,
        } = self;
        let mut turn = Turn {
            now,
            settings: *settings,
            ledger,
            output: Output::default(),
        };
        for delivery in inputs.deliveries {
            turn.record(Record::NoticeEnded(delivery));
        }
        if !*resumed {
            *resumed = true;
            progress::resume(&mut turn, channels);
        }
        for outcome in inputs.steps {
            progress::step_ended(&mut turn, live, outcome);
        }
        for news in inputs.cluster {
            releases::take_in(&mut turn, live, news);
        }
        observe::take_in(&mut turn, live, failing_sources, inputs.answers);
        // One rule, or one target, cannot stop another (P8): each is looked at for itself.
        for (target, live) in live.iter_mut() {
            progress::advance(&mut turn, target, live);
            decide::judge(&mut turn, target, live);
            progress::verify(&mut turn, target, live);
        }
        turn.output
    }

    /// What readers see now.
    pub fn snapshot(&self, now: Timestamp) -> Snapshot {
        Snapshot {
            at: now,
            targets: self
                .live
                .iter()
                .map(|(target, live)| self.target(target, live))
                .collect(),
            lost_sources: self
                .ledger
                .lost_sources
                .iter()
                .map(|(source, reason)| LostSource {
                    source: *source,
                    reason: reason.clone(),
                })
                .collect(),
            pending_notices: self.ledger.pending.len(),
        }
    }

    fn target(&self, target: &TargetId, live: &Live) -> TargetSnapshot {
        let known = self.ledger.targets.get(target);
        TargetSnapshot {
            watch: live.watch.name.clone(),
            target: target.clone(),
            seen: live.state.is_some(),
            current: known.map(|known| known.current.clone()),
            standing: known.and_then(|known| known.standings.get(&known.current).copied()),
            analysis: known.and_then(|known| {
                let analysis = known.analysis.as_ref()?;
                Some(AnalysisSnapshot {
                    id: analysis.id.clone(),
                    canary: analysis.canary.clone(),
                    baseline: analysis.baseline.clone(),
                    phase: analysis.phase,
                    began: analysis.began,
                    ends: analysis.ends(live.watch_time()),
                    failed: analysis.failed.is_some(),
                    findings: live.findings.clone(),
                    way_back: known.way_back(&analysis.canary),
                })
            }),
            plan: known
                .and_then(|known| known.plan.as_ref())
                .map(|plan| PlanSnapshot {
                    id: plan.plan.id.clone(),
                    step: plan.next,
                    steps: plan.plan.steps.len(),
                }),
            verifying: known.is_some_and(|known| known.verification.is_some()),
            holds: known.map(|known| known.holds.clone()).unwrap_or_default(),
            rules_without_data: known
                .map(|known| known.rules_without_data.iter().cloned().collect())
                .unwrap_or_default(),
        }
    }
}
