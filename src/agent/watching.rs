//! What the running agent says of itself after each tick: log lines, metrics, health, the snapshot.

use std::collections::BTreeMap;
use std::sync::Arc;

use recant_core::analysis::Ending;
use recant_core::explain::texts;
use recant_core::incident::ScalingEnd;
use recant_core::record::Record;
use recant_core::saga::PlanEnd;
use recant_core::snapshot::Snapshot;

use super::{Gathered, Observer, Ticked, with_causes};
use crate::http::Ops;
use crate::http::metrics::{ActionOutcome, Metrics};
use crate::journal::JournalError;

const ROLLBACK: &str = "rollback";
const SCALE: &str = "scale";
const UNDO_SCALE: &str = "undo scale";

/// Writes the metrics, the log and the snapshot.
pub struct Watching {
    metrics: Metrics,
    ops: Ops,
    journal_failing: bool,
    /// No other engine of this process sets the same gauges.
    alone: bool,
}

impl std::fmt::Debug for Watching {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Watching").finish_non_exhaustive()
    }
}

impl Watching {
    /// Every series that can ever count exists from now on.
    pub fn new(metrics: Metrics, ops: Ops) -> Self {
        for action in [ROLLBACK, SCALE, UNDO_SCALE] {
            metrics.work.begin_action(action);
        }
        for verdict in ["pass", "fail", "inconclusive", "superseded"] {
            metrics.work.begin_verdict(verdict);
        }
        Self {
            metrics,
            ops,
            journal_failing: false,
            alone: true,
        }
    }

    /// The numbers of what there is now are set by whoever sees all engines of the process.
    #[must_use]
    pub fn one_of_several(mut self) -> Self {
        self.alone = false;
        self
    }

    fn count(&self, record: &Record) {
        let work = &self.metrics.work;
        match record {
            Record::AnalysisEnded { ending, .. } => work.judged(match ending {
                Ending::Pass => "pass",
                Ending::Fail => "fail",
                Ending::Inconclusive { .. } => "inconclusive",
                Ending::Superseded { .. } => "superseded",
            }),
            Record::PlanEnded { end, .. } => work.acted(
                ROLLBACK,
                match end {
                    PlanEnd::Done => ActionOutcome::done,
                    PlanEnd::Fenced { .. } => ActionOutcome::fenced,
                    PlanEnd::Stuck { .. } => ActionOutcome::failed,
                },
            ),
            Record::ScalingEnded { undo, end, .. } => {
                let outcome = match end {
                    ScalingEnd::Done | ScalingEnd::NotReady { .. } => ActionOutcome::done,
                    ScalingEnd::Fenced { .. } => ActionOutcome::fenced,
                    ScalingEnd::Stuck { .. } => ActionOutcome::failed,
                    ScalingEnd::Nothing { .. } => return,
                };
                work.acted(if *undo { UNDO_SCALE } else { SCALE }, outcome);
            }
            _ => {}
        }
    }

    fn show(&self, snapshot: &Snapshot) {
        if self.alone {
            show_numbers(&self.metrics, snapshot);
        }
        self.show_unseen(snapshot);
    }

    fn show_unseen(&self, snapshot: &Snapshot) {
        // What somebody asked about need not be there any more.
        let unseen: Vec<_> = snapshot
            .targets
            .iter()
            .filter(|target| !target.seen && !target.on_request)
            .collect();
        let readiness = &self.ops.readiness;
        if unseen.is_empty() {
            readiness.clear("targets");
        } else {
            let names: Vec<String> = unseen
                .iter()
                .take(5)
                .map(|target| target.target.to_string())
                .collect();
            readiness.block(
                "targets",
                format!(
                    "{} not seen in the cluster yet: {}",
                    unseen.len(),
                    names.join(", ")
                ),
            );
        }
    }
}

/// Sets the gauges of what there is now.
pub fn show_numbers(metrics: &Metrics, snapshot: &Snapshot) {
    let mut analyses: BTreeMap<&'static str, usize> = BTreeMap::new();
    let mut holds: BTreeMap<&'static str, usize> = BTreeMap::new();
    let mut without_data = 0;
    let mut incidents = 0;
    for target in &snapshot.targets {
        if let Some(analysis) = &target.analysis {
            let state = if analysis.failed {
                "failed"
            } else {
                "undecided"
            };
            *analyses.entry(state).or_default() += 1;
            without_data += target.rules_without_data.len();
        }
        let open = || {
            target
                .always
                .iter()
                .filter_map(|rule| rule.incident.as_ref())
        };
        incidents += open().count();
        without_data += target
            .always
            .iter()
            .filter(|rule| rule.without_data)
            .count();
        for hold in open().filter_map(|incident| incident.held.as_ref()) {
            *holds.entry(hold.guard.as_str()).or_default() += 1;
        }
        for hold in &target.holds {
            *holds.entry(hold.guard.as_str()).or_default() += 1;
        }
    }
    let work = &metrics.work;
    work.set_analyses(&analyses);
    work.set_incidents(incidents);
    work.set_holds(&holds);
    work.set_rules_without_data(without_data);
}

impl Observer for Watching {
    fn ticked(&mut self, tick: &Ticked<'_>) {
        self.journal_failing = false;
        self.ops.readiness.clear("journal");
        self.ops.health.ticked();
        self.metrics.tick.ended(tick.at, tick.took);
        self.metrics.journal.appended(tick.records.len());
        for record in tick.records {
            self.count(record);
            log_record(record);
        }
        self.show(tick.snapshot);
        let snapshot: Arc<Snapshot> = tick.snapshot.clone();
        self.ops.view.store(snapshot.clone());
        self.ops.snapshot.store(snapshot);
    }

    fn gathered(&mut self, gathered: &Gathered) {
        if gathered.missed {
            self.metrics.tick.missed(1);
            return;
        }
        let round = gathered.answers.iter().map(|answer| &answer.observation);
        self.metrics
            .source
            .answered(gathered.source, gathered.questions, round);
    }

    fn journal_failing(&mut self, error: &JournalError) {
        // The loop goes on: it is the disk that does not.
        self.ops.health.ticked();
        self.metrics.journal.failed();
        let reason = with_causes(error);
        if !std::mem::replace(&mut self.journal_failing, true) {
            tracing::error!(
                "the journal cannot be written, so nothing is decided and nothing is done until it can: {reason}"
            );
        }
        self.ops.readiness.block("journal", reason);
    }
}

/// One line per record that changed something; what people must look at is a warning.
pub fn log_record(record: &Record) {
    let text = texts(record).join("; ");
    match record {
        Record::Checkpoint { .. } | Record::AlwaysCheckpoint { .. } | Record::NoticeEnded(_) => {
            tracing::debug!("{text}");
        }
        Record::Failed {
            target, analysis, ..
        } => {
            tracing::warn!(target.name = %target, run.id = %analysis, "{target}: {text}");
        }
        Record::HoldBegan { target, hold } => {
            tracing::warn!(target.name = %target, guard = %hold.guard, "{target}: {text}");
        }
        Record::IncidentBegan { incident, .. } => {
            let target = &incident.target;
            tracing::warn!(target.name = %target, run.id = %incident.id, "{text}");
        }
        Record::ScalingBegan { plan } => {
            let target = &plan.target;
            tracing::warn!(target.name = %target, plan.id = %plan.id, "{target}: {text}");
        }
        Record::Operation(event) => {
            let target = event.target();
            tracing::warn!(target.name = %target, plan.id = %event.id(), "{target}: {text}");
        }
        Record::ScalingHeld { target, hold, .. } => {
            tracing::warn!(target.name = %target, guard = %hold.guard, "{target}: {text}");
        }
        Record::TrafficBegan { plan } => {
            let target = &plan.target;
            tracing::warn!(target.name = %target, plan.id = %plan.id, "{target}: {text}");
        }
        Record::TrafficHeld { target, hold } => {
            tracing::warn!(target.name = %target, guard = %hold.guard, "{target}: {text}");
        }
        Record::DataLost { target, .. }
        | Record::Pause { target, .. }
        | Record::Drift { target, .. } => {
            tracing::warn!(target.name = %target, "{target}: {text}");
        }
        Record::SteppingBegan { stepping } => {
            let target = &stepping.target;
            tracing::info!(target.name = %target, "{target}: {text}");
        }
        Record::HoldEnded { target, .. }
        | Record::TrafficReached { target, .. }
        | Record::SteppingEnded { target, .. }
        | Record::IncidentEnded { target, .. }
        | Record::ScalingEnded { target, .. }
        | Record::DataBack { target, .. }
        | Record::AnalysisEnded { target, .. }
        | Record::PlanEnded { target, .. }
        | Record::VerificationEnded { target, .. }
        | Record::RevisionReturned { target, .. }
        | Record::Promoted { target }
        | Record::BaselineGone { target }
        | Record::FirstTraffic { target }
        | Record::TargetGone { target }
        | Record::TakenUp { target, .. }
        | Record::LetGo { target, .. }
        | Record::RuleWithoutData { target, .. } => {
            tracing::info!(target.name = %target, "{target}: {text}");
        }
        Record::PlanBegan { plan } => {
            let target = &plan.fence.target;
            tracing::warn!(target.name = %target, plan.id = %plan.id, "{target}: {text}");
        }
        Record::NoticeHeld { notice, .. } => {
            tracing::warn!(notice.id = %notice.id, "{text}");
        }
        Record::Marked { marker } => {
            let target = &marker.target;
            tracing::info!(target.name = %target, "{target}: {text}");
        }
        Record::SourceLost { .. } => tracing::warn!("{text}"),
        Record::ReloadRefused { .. } => tracing::error!("{text}"),
        Record::Started { .. }
        | Record::Compacted { .. }
        | Record::Reloaded { .. }
        | Record::Alerted { .. }
        | Record::Commanded { .. }
        | Record::ApprovalAsked { .. }
        | Record::CommandEnded { .. }
        | Record::Silenced { .. }
        | Record::NoticeReleased { .. }
        | Record::TargetSeen { .. }
        | Record::Ran { .. }
        | Record::AnalysisBegan { .. }
        | Record::StepBegun(_)
        | Record::StepEnded(_)
        | Record::Awaited { .. }
        | Record::VerificationBegan { .. }
        | Record::SourceBack { .. }
        | Record::Noticed(_) => tracing::info!("{text}"),
    }
}
