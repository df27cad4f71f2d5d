//! What is under way, as far as spans need it: when it began, and which analysis or incident it belongs to.

use std::collections::BTreeMap;

use jiff::Timestamp;
use recant_core::explain;
use recant_core::ids::{AnalysisId, IncidentId, NoticeId, PlanId, RuleName, TargetId};
use recant_core::incident::Scaling;
use recant_core::ledger::Ledger;
use recant_core::operation::{Cause, OperationEvent};
use recant_core::record::Record;
use recant_core::scaling::ScaleChange;

/// Things under way that are remembered at most: their ends may never come.
const MOST: usize = 10_000;

/// Remembered from their beginning to their end.
#[derive(Debug, Default)]
pub(super) struct UnderWay {
    /// Analyses and incidents.
    begun: BTreeMap<AnalysisId, Timestamp>,
    /// The last analysis of each target.
    runs: BTreeMap<TargetId, AnalysisId>,
    /// The last incident of each rule: its scaling, and the undo of that, belong to it.
    incidents: BTreeMap<(TargetId, RuleName), AnalysisId>,
    plans: BTreeMap<PlanId, (AnalysisId, TargetId)>,
    steps: BTreeMap<(PlanId, usize), (Timestamp, String)>,
    notices: BTreeMap<NoticeId, (Timestamp, Option<AnalysisId>, String)>,
}

/// The run that an operation belongs to.
fn of_operation(event: &OperationEvent) -> Option<AnalysisId> {
    let OperationEvent::Began { operation } = event else {
        return None;
    };
    match &operation.cause {
        Cause::Incident { incident, .. } => Some(run(incident)),
        Cause::Release { analysis } => Some(analysis.clone()),
        Cause::Person { .. } => None,
    }
}

/// An incident is the run of all that follows from it, as an analysis is.
pub(super) fn run(incident: &IncidentId) -> AnalysisId {
    AnalysisId(incident.0.clone())
}

/// What the step of a scaling does.
pub(super) fn scale(change: &ScaleChange) -> String {
    format!("scale {}", change.in_words())
}

impl UnderWay {
    /// What the journal of the process before left open.
    pub(super) fn of(ledger: &Ledger) -> Self {
        let mut under_way = Self::default();
        for (target, known) in &ledger.targets {
            if let Some(analysis) = &known.analysis {
                under_way.begin(analysis.id.clone(), analysis.began);
            }
            if let Some(latest) = &known.latest {
                under_way.analysed(target.clone(), latest.clone());
            }
            if let Some(plan) = &known.plan {
                let id = &plan.plan.id;
                let of = plan.plan.analysis.clone();
                under_way.planned(id.clone(), of, target.clone());
                if let (Some(_), Some(step)) = (plan.in_hand, plan.plan.steps.get(plan.next)) {
                    let what = explain::step(step);
                    under_way.step_begun((id.clone(), plan.next), plan.step_began, what);
                }
            }
        }
        for (target, known) in &ledger.always {
            let mut scalings: Vec<&Scaling> = Vec::new();
            for state in known.incidents.values() {
                under_way.begin(run(&state.incident.id), state.began);
                let rule = state.incident.rule.clone();
                under_way.broken(target.clone(), rule, run(&state.incident.id));
                scalings.extend(&state.scaling);
            }
            scalings.extend(
                known
                    .scaled
                    .values()
                    .filter_map(|scaled| scaled.undo.as_ref()),
            );
            for scaling in scalings {
                let of = run(&scaling.plan.incident);
                let id = &scaling.plan.id;
                under_way.planned(id.clone(), of, target.clone());
                if scaling.in_hand.is_some() {
                    let what = scale(&scaling.plan.change);
                    under_way.step_begun((id.clone(), 0), scaling.began, what);
                }
            }
        }
        for (notice, _) in ledger.pending.values() {
            let (of, headline) = (notice.correlation.clone(), notice.headline.clone());
            under_way.noticed(notice.id.clone(), notice.at, of, headline);
        }
        under_way
    }

    /// The analysis or incident that a record belongs to.
    pub(super) fn run_of(&self, record: &Record) -> Option<AnalysisId> {
        let of_plan = |plan: &PlanId| self.plans.get(plan).map(|(run, _)| run.clone());
        match record {
            Record::AnalysisBegan { analysis } => Some(analysis.id.clone()),
            Record::Failed { analysis, .. } | Record::AnalysisEnded { analysis, .. } => {
                Some(analysis.clone())
            }
            Record::PlanBegan { plan } => Some(plan.analysis.clone()),
            Record::SteppingBegan { stepping } => Some(stepping.analysis.clone()),
            Record::TrafficBegan { plan } => Some(plan.analysis.clone()),
            Record::StepBegun(command) => of_plan(&command.plan),
            Record::StepEnded(outcome) => of_plan(&outcome.plan),
            Record::Awaited { plan, .. } | Record::PlanEnded { plan, .. } => of_plan(plan),
            Record::VerificationBegan { verification } => Some(verification.analysis.clone()),
            Record::Promoted { target }
            | Record::TrafficHeld { target, .. }
            | Record::TrafficReached { target, .. }
            | Record::SteppingEnded { target, .. }
            | Record::BaselineGone { target }
            | Record::FirstTraffic { target }
            | Record::RuleWithoutData { target, .. }
            | Record::Pause { target, .. }
            | Record::Drift { target, .. }
            | Record::HoldBegan { target, .. }
            | Record::HoldEnded { target, .. }
            | Record::VerificationEnded { target, .. } => self.runs.get(target).cloned(),
            Record::IncidentBegan { incident, .. } => Some(run(&incident.id)),
            Record::IncidentEnded { incident, .. } => Some(run(incident)),
            Record::ScalingBegan { plan } => Some(run(&plan.incident)),
            Record::Noticed(notice) => notice.correlation.clone(),
            Record::NoticeEnded(delivery) => {
                let (_, run, _) = self.notices.get(&delivery.notice)?;
                run.clone()
            }
            Record::Operation(event) => of_operation(event),
            Record::ScalingHeld { target, rule, .. }
            | Record::ScalingEnded { target, rule, .. } => {
                let of = (target.clone(), rule.clone());
                self.incidents.get(&of).cloned()
            }
            // They belong to no one run.
            Record::DataLost { .. }
            | Record::DataBack { .. }
            | Record::Checkpoint { .. }
            | Record::AlwaysCheckpoint { .. }
            | Record::Started { .. }
            | Record::Compacted { .. }
            | Record::Reloaded { .. }
            | Record::ReloadRefused { .. }
            | Record::Alerted { .. }
            | Record::Marked { .. }
            | Record::Silenced { .. }
            | Record::Commanded { .. }
            | Record::ApprovalAsked { .. }
            | Record::CommandEnded { .. }
            | Record::NoticeHeld { .. }
            | Record::NoticeReleased { .. }
            | Record::TakenUp { .. }
            | Record::LetGo { .. }
            | Record::TargetSeen { .. }
            | Record::Ran { .. }
            | Record::TargetGone { .. }
            | Record::RevisionReturned { .. }
            | Record::SourceLost { .. }
            | Record::SourceBack { .. } => None,
        }
    }

    pub(super) fn begin(&mut self, run: AnalysisId, at: Timestamp) {
        keep(&mut self.begun, run, at);
    }

    /// When it began; `None`: that was not seen.
    pub(super) fn end(&mut self, run: &AnalysisId) -> Option<Timestamp> {
        self.begun.remove(run)
    }

    pub(super) fn analysed(&mut self, target: TargetId, run: AnalysisId) {
        keep(&mut self.runs, target, run);
    }

    pub(super) fn broken(&mut self, target: TargetId, rule: RuleName, run: AnalysisId) {
        keep(&mut self.incidents, (target, rule), run);
    }

    pub(super) fn gone(&mut self, target: &TargetId) {
        self.runs.remove(target);
    }

    pub(super) fn planned(&mut self, plan: PlanId, run: AnalysisId, target: TargetId) {
        keep(&mut self.plans, plan, (run, target));
    }

    pub(super) fn target_of(&self, plan: &PlanId) -> Option<&TargetId> {
        self.plans.get(plan).map(|(_, target)| target)
    }

    pub(super) fn plan_ended(&mut self, plan: &PlanId) {
        self.plans.remove(plan);
    }

    pub(super) fn step_begun(&mut self, step: (PlanId, usize), at: Timestamp, what: String) {
        keep(&mut self.steps, step, (at, what));
    }

    pub(super) fn step_ended(&mut self, step: &(PlanId, usize)) -> Option<(Timestamp, String)> {
        self.steps.remove(step)
    }

    pub(super) fn noticed(
        &mut self,
        notice: NoticeId,
        at: Timestamp,
        run: Option<AnalysisId>,
        headline: String,
    ) {
        keep(&mut self.notices, notice, (at, run, headline));
    }

    /// When a notice was made, and its headline. It stays: a notice has several channels, and each its own end.
    pub(super) fn notice(&self, notice: &NoticeId) -> Option<(Timestamp, &str)> {
        let (at, _, headline) = self.notices.get(notice)?;
        Some((*at, headline))
    }
}

/// Remembers, and forgets the first by name when that are too many.
fn keep<K: Ord, V>(map: &mut BTreeMap<K, V>, key: K, value: V) {
    if map.len() >= MOST && !map.contains_key(&key) {
        map.pop_first();
    }
    map.insert(key, value);
}
