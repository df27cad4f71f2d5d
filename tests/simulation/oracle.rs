//! The promises (P1 to P13), held against every record, write and message of a schedule, independently of the agent's own
//! guards. P1 is held by the core's manifest; P2 is broken by a panic, which ends the schedule.

mod decided;
mod ending;
mod ordered;
mod outside;
mod paused;
mod scaled;

pub(crate) use ending::unrest;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use jiff::{SignedDuration, Timestamp};
use recant::journal::Entry;
use recant_core::analysis::{Analysis, Ending};
use recant_core::ids::{AnalysisId, ChannelName, NoticeId, PlanId, RevisionHash, TargetId};
use recant_core::incident::ScalingPlan;
use recant_core::ledger::Ledger;
use recant_core::notice::{DeliveryOutcome, Notice};
use recant_core::pause::{Pause, PauseNews};
use recant_core::plan::StepCommand;
use recant_core::record::Record;
use recant_core::saga::{Plan, PlanEnd};

use crate::scenario::Scenario;
use crate::workload::Workload;

/// A promise that was broken.
#[derive(Debug, Clone)]
pub(crate) struct Broken {
    pub(crate) promise: &'static str,
    pub(crate) what: String,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.promise, self.what)
    }
}

pub(super) fn broken(promise: &'static str, what: String) -> Result<(), Broken> {
    Err(Broken { promise, what })
}

/// Where a rollback goes.
fn returned_to(plan: &Plan) -> Version {
    let (fence, to) = (&plan.fence, &plan.to.revision);
    (fence.target.clone(), fence.uid.clone(), to.clone())
}

/// A revision of one object.
type Version = (TargetId, String, RevisionHash);

#[derive(Debug)]
pub(crate) struct Oracle {
    /// The first violation, and the trace up to it.
    pub(crate) first: Option<(Broken, String)>,
    cool_down: SignedDuration,
    actions_per_hour: usize,
    kill_switch: bool,
    dry_run: bool,
    /// The clocks of the agents may have leapt by so much.
    pub(crate) leapt: i64,
    /// All that was acknowledged as durable, in order.
    records: Vec<(Timestamp, Record)>,
    /// Its fold.
    ledger: Ledger,
    analyses: BTreeMap<AnalysisId, Analysis>,
    failed_findings: BTreeSet<AnalysisId>,
    plans: BTreeMap<PlanId, Plan>,
    scalings: BTreeMap<PlanId, ScalingPlan>,
    pauses: BTreeMap<PlanId, Pause>,
    /// Ids of incidents.
    incidents: BTreeSet<String>,
    ordered: ordered::Ordered,
    last_plan: BTreeMap<TargetId, Timestamp>,
    ends: BTreeMap<PlanId, PlanEnd>,
    begun: BTreeMap<(PlanId, usize), Vec<StepCommand>>,
    /// Seconds in which each step was written to the cluster.
    writes: BTreeMap<(PlanId, usize), Vec<i64>>,
    noticed: BTreeMap<NoticeId, Notice>,
    ended_notices: BTreeSet<(NoticeId, ChannelName)>,
    arrived: BTreeMap<(NoticeId, ChannelName), usize>,
    failed: BTreeSet<Version>,
    returned_to: BTreeSet<Version>,
    /// Revisions that were there already when the target was seen first: these are not judged.
    first_seen: BTreeSet<Version>,
    /// Revisions whose analysis ended without a verdict.
    unclear: BTreeSet<Version>,
    /// When a fresh answer about the target was given last.
    measured: BTreeMap<TargetId, i64>,
    /// Requests of each revision that were in an answer, and errors among them.
    counted: BTreeMap<(TargetId, RevisionHash), (f64, f64)>,
}

impl Oracle {
    pub(crate) fn new(scenario: &Scenario) -> Self {
        Self {
            first: None,
            cool_down: SignedDuration::from_secs(scenario.cool_down),
            actions_per_hour: scenario.actions_per_hour,
            kill_switch: scenario.kill_switch,
            dry_run: scenario.dry_run,
            leapt: 0,
            records: Vec::new(),
            ledger: Ledger::default(),
            analyses: BTreeMap::new(),
            failed_findings: BTreeSet::new(),
            plans: BTreeMap::new(),
            scalings: BTreeMap::new(),
            pauses: BTreeMap::new(),
            incidents: BTreeSet::new(),
            ordered: ordered::Ordered::default(),
            last_plan: BTreeMap::new(),
            ends: BTreeMap::new(),
            begun: BTreeMap::new(),
            writes: BTreeMap::new(),
            noticed: BTreeMap::new(),
            ended_notices: BTreeSet::new(),
            arrived: BTreeMap::new(),
            failed: BTreeSet::new(),
            returned_to: BTreeSet::new(),
            first_seen: BTreeSet::new(),
            unclear: BTreeSet::new(),
            measured: BTreeMap::new(),
            counted: BTreeMap::new(),
        }
    }

    /// Rollbacks that were decided.
    pub(crate) fn rollbacks(&self) -> usize {
        self.plans.len()
    }

    /// Whether a message that was decided holds this text.
    pub(crate) fn messages_hold(&self, text: &str) -> bool {
        let mut all = self.noticed.values();
        all.any(|notice| notice.headline.contains(text) || notice.sentences.concat().contains(text))
    }

    /// Whether a fold of the journal gives what was acknowledged, record for record.
    pub(crate) fn folded(&self, ledger: &Ledger, records: u64) -> bool {
        self.records.len() as u64 == records && *ledger == self.ledger
    }

    /// A process has opened the journal: what was acknowledged is in it as it was written, and what it holds besides
    /// was torn off at its end by a crash.
    pub(crate) fn opened(
        &mut self,
        ledger: &Ledger,
        entries: Vec<Entry<Record>>,
    ) -> Result<(), Broken> {
        // Retention may have dropped what comes before; the fold below has what it led to.
        let first = entries
            .first()
            .map_or(0, |entry| usize::try_from(entry.sequence).unwrap_or(0));
        let kept = self.records.iter().enumerate().skip(first);
        for (place, (at, record)) in kept {
            let found = entries.get(place - first);
            if found.is_none_or(|entry| entry.at != *at || entry.record != *record) {
                let found = found.map(|entry| &entry.record);
                return broken(
                    "P5",
                    format!(
                        "record {place} was acknowledged as {record:?} and is read as {found:?}"
                    ),
                );
            }
        }
        let known = self.records.len().saturating_sub(first);
        for entry in entries.into_iter().skip(known) {
            self.take(entry.at, &entry.record);
        }
        if *ledger != self.ledger {
            return broken(
                "P5",
                "a fold of the journal is not what was written".to_owned(),
            );
        }
        Ok(())
    }

    /// A record was acknowledged as durable.
    pub(crate) fn durable(
        &mut self,
        at: Timestamp,
        record: &Record,
        workloads: &BTreeMap<TargetId, Workload>,
        now: i64,
        deciding: bool,
    ) -> Result<(), Broken> {
        // It was decided when the record says so: on a disk that was full it became durable later.
        let now = now.min(at.duration_since(crate::world::at(0)).as_secs());
        let checked = match record {
            Record::PlanBegan { plan } => {
                let of = workloads.get(&plan.fence.target);
                self.plan_begins(at, plan, of, now, deciding)
            }
            Record::AnalysisBegan { analysis } => self.analysis_begins(analysis),
            Record::AnalysisEnded {
                target,
                revision,
                ending: Ending::Pass,
                ..
            } => self.passes(target, revision, workloads.get(target), now),
            Record::Failed {
                target,
                analysis,
                findings,
                ..
            } => self.fails(target, analysis, !findings.is_empty(), workloads, now),
            Record::IncidentBegan { incident, .. } => {
                self.incident_begins(incident, workloads.get(&incident.target))
            }
            Record::ScalingBegan { plan } => self.scaling_begins(at, plan, deciding),
            Record::StepBegun(command) => self.step_begins(command, deciding),
            Record::StepEnded(outcome) => {
                let key = (outcome.plan.clone(), outcome.index);
                self.step_ends(&key, &outcome.result, workloads)
            }
            Record::Noticed(notice) => self.notice_is_made(notice),
            Record::Pause { news, .. } => self.pause_news(news, deciding),
            Record::Commanded { command } => self.commanded(command, deciding),
            Record::CommandEnded { command, outcome } => self.command_ends(command, outcome),
            _ => Ok(()),
        };
        self.take(at, record);
        checked
    }

    fn take(&mut self, at: Timestamp, record: &Record) {
        self.ledger.apply(at, record);
        self.records.push((at, record.clone()));
        match record {
            Record::AnalysisBegan { analysis } => {
                self.analyses
                    .insert(analysis.id.clone(), (**analysis).clone());
            }
            Record::Failed {
                analysis, findings, ..
            } if !findings.is_empty() => {
                self.failed_findings.insert(analysis.clone());
            }
            Record::TargetSeen {
                target,
                uid,
                stable,
                unready: _,
            } => {
                // Another object of the same name begins anew.
                self.last_plan.remove(target);
                self.first_seen
                    .insert((target.clone(), uid.clone(), stable.clone()));
            }
            Record::AnalysisEnded {
                analysis,
                target,
                revision,
                ending,
                ..
            } => {
                let Some(analysis) = self.analyses.get(analysis) else {
                    return;
                };
                let version = (target.clone(), analysis.uid.clone(), revision.clone());
                if *ending == Ending::Pass {
                    // From here on this one is the way back: where a rollback went before is a revision like others.
                    self.returned_to.retain(|(of, ..)| of != target);
                }
                match ending {
                    Ending::Fail => self.failed.insert(version),
                    Ending::Inconclusive { .. } => self.unclear.insert(version),
                    Ending::Pass | Ending::Superseded { .. } => false,
                };
            }
            Record::PlanBegan { plan } => {
                let fence = &plan.fence;
                // What a person ordered counts when it is done: until then nothing is known of where it goes.
                if plan.by.is_none() {
                    self.returned_to.insert(returned_to(plan));
                }
                self.last_plan.insert(fence.target.clone(), at);
                self.plans.insert(plan.id.clone(), (**plan).clone());
            }
            Record::IncidentBegan { incident, .. } => {
                self.incidents.insert(incident.id.to_string());
            }
            Record::ScalingBegan { plan } => {
                self.scalings.insert(plan.id.clone(), (**plan).clone());
            }
            Record::StepBegun(command) => {
                let key = (command.plan.clone(), command.index);
                self.begun.entry(key).or_default().push(command.clone());
            }
            Record::Pause { news, .. } => {
                if let PauseNews::Began { pause } | PauseNews::Found { pause } = &**news {
                    self.pauses.insert(pause.id.clone(), pause.clone());
                }
            }
            Record::Commanded { command } => self.ordered.take(command),
            Record::CommandEnded { command, outcome } => self.ordered.end(at, command, outcome),
            Record::PlanEnded { plan, end, .. } => {
                if let (Some(plan), PlanEnd::Done) = (self.plans.get(plan), end) {
                    self.returned_to.insert(returned_to(plan));
                }
                self.ends.insert(plan.clone(), end.clone());
            }
            Record::Noticed(notice) => {
                self.noticed.insert(notice.id.clone(), (**notice).clone());
            }
            Record::NoticeEnded(delivery) if delivery.outcome == DeliveryOutcome::Delivered => {
                let key = (delivery.notice.clone(), delivery.channel.clone());
                self.ended_notices.insert(key);
            }
            _ => {}
        }
    }
}
