//! The audit trail for machines: the records of a journal, put together by the decision that they belong to.
//!
//! One decision is whatever shares a correlation id (P9): an analysis with its rollback, an incident with its scalings.
//! It is handed out when it is over, so that a journal of any length is read in bounded memory; what comes later of the
//! same decision is handed out as a further part of it.

use std::collections::{BTreeMap, VecDeque};

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use crate::command::CommandId;
use crate::ids::{NoticeId, PlanId, RuleName, TargetId};
use crate::operation::{Cause, OperationEvent};
use crate::pause::PauseNews;
use crate::record::Record;
use crate::time::elapsed;

/// Decisions that are put together at once; the one that was silent for longest is handed out first.
const MOST_OPEN: usize = 5_000;
/// Records of one part of a decision.
const MOST_RECORDS: usize = 1_000;
/// A decision of which nothing was heard for so long is over, by the times of the records.
const SILENT: SignedDuration = SignedDuration::from_hours(1);
/// Plans and notices of which the decision is remembered.
const REMEMBERED: usize = 20_000;

/// All that belongs to one decision, or a part of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Decision {
    /// The id that is in all its records, messages and logs; `None`: a record that belongs to no decision.
    pub correlation: Option<String>,
    pub target: Option<TargetId>,
    pub began: Timestamp,
    /// When the last of its records was written.
    pub last: Timestamp,
    /// False: the journal ended before it did, or there is more of it in a later part.
    pub complete: bool,
    /// How it came to it: the revision, the phases of its watch, what others reported.
    pub course: Vec<Item>,
    /// Verdicts, with what each rule had found.
    pub evidence: Vec<Item>,
    /// What held an action or a decision back, from when to when.
    pub guards: Vec<Item>,
    /// What was decided to be done, with no choice left in it.
    pub plan: Vec<Item>,
    /// What was done, step by step, with the result.
    pub steps: Vec<Item>,
    /// What came of it.
    pub outcome: Vec<Item>,
    /// What people were told, and whether it reached them.
    pub notices: Vec<Item>,
}

/// One record, with its place in the journal.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Item {
    /// `None`: the journal numbers no records.
    pub sequence: Option<u64>,
    pub at: Timestamp,
    pub record: Record,
}

/// Where in a decision a record stands.
#[derive(Clone, Copy)]
enum Section {
    Course,
    Evidence,
    Guards,
    Plan,
    Steps,
    Outcome,
    Notices,
}

/// Puts records together, in their order.
#[derive(Debug, Default)]
pub struct Audit {
    open: BTreeMap<String, Decision>,
    /// The decision that further records about a target belong to.
    of_target: BTreeMap<TargetId, String>,
    of_rule: BTreeMap<(TargetId, RuleName), String>,
    /// The decision whose rollback of a target is being verified.
    verified: BTreeMap<TargetId, String>,
    plans: Remembered<PlanId>,
    notices: Remembered<NoticeId>,
    /// When it was last looked for decisions that are over.
    looked: Option<Timestamp>,
}

impl Audit {
    /// Takes in the next record; what is over by then.
    pub fn take(&mut self, sequence: Option<u64>, at: Timestamp, record: Record) -> Vec<Decision> {
        let Some(section) = section(&record) else {
            return Vec::new();
        };
        let mut over = self.silent(at);
        let correlation = self.correlation(&record);
        if let Record::AnalysisBegan { analysis } = &record {
            let before = self
                .of_target
                .insert(analysis.target.clone(), analysis.id.to_string());
            over.extend(before.and_then(|before| self.end(&before)));
        }
        let target = record.target().cloned();
        let item = Item {
            sequence,
            at,
            record,
        };
        let Some(correlation) = correlation else {
            let mut alone = Decision::new(None, target, at);
            alone.complete = true;
            alone.put(section, item);
            over.push(alone);
            return over;
        };
        let decision = self
            .open
            .entry(correlation.clone())
            .or_insert_with(|| Decision::new(Some(correlation.clone()), target.clone(), at));
        decision.target = decision.target.take().or(target);
        decision.last = at;
        decision.put(section, item);
        if decision.records() >= MOST_RECORDS {
            over.extend(self.open.remove(&correlation));
        }
        if self.open.len() > MOST_OPEN {
            let longest = self.open.iter().min_by_key(|(_, decision)| decision.last);
            let longest = longest.map(|(correlation, _)| correlation.clone());
            over.extend(longest.and_then(|longest| self.open.remove(&longest)));
        }
        over
    }

    /// What has not ended yet, in the order in which it began.
    pub fn rest(self) -> Vec<Decision> {
        let mut rest: Vec<Decision> = self.open.into_values().collect();
        rest.sort_by_key(|decision| decision.began);
        for decision in &mut rest {
            decision.complete = decision.has_ended();
        }
        rest
    }

    fn end(&mut self, correlation: &str) -> Option<Decision> {
        let decision = self.open.get_mut(correlation)?;
        decision.complete = decision.has_ended();
        if decision.complete {
            self.open.remove(correlation)
        } else {
            // Its plan is still being carried out, or its notices are on their way.
            None
        }
    }

    fn silent(&mut self, now: Timestamp) -> Vec<Decision> {
        let pause = SignedDuration::from_mins(1);
        if self
            .looked
            .is_some_and(|looked| elapsed(looked, now).abs() < pause)
        {
            return Vec::new();
        }
        self.looked = Some(now);
        let silent =
            |decision: &Decision| elapsed(decision.last, now) >= SILENT && decision.has_ended();
        let names: Vec<String> = self
            .open
            .iter()
            .filter(|(_, decision)| silent(decision))
            .map(|(name, _)| name.clone())
            .collect();
        names.iter().filter_map(|name| self.end(name)).collect()
    }

    /// The decision that a record belongs to, by the id that it carries, or by what it is about.
    fn correlation(&mut self, record: &Record) -> Option<String> {
        match record {
            Record::AnalysisBegan { analysis } => Some(analysis.id.to_string()),
            Record::Failed { analysis, .. } | Record::AnalysisEnded { analysis, .. } => {
                Some(analysis.to_string())
            }
            Record::PlanBegan { plan } => {
                let correlation = plan.analysis.to_string();
                self.plans.put(plan.id.clone(), correlation.clone());
                Some(correlation)
            }
            Record::Pause { target, news } => {
                if let PauseNews::Began { pause } | PauseNews::Found { pause } = &**news
                    && let Some(analysis) = &pause.analysis
                {
                    self.plans.put(pause.id.clone(), analysis.to_string());
                }
                self.of_target.get(target).cloned()
            }
            Record::SteppingBegan { stepping } => Some(stepping.analysis.to_string()),
            Record::TrafficBegan { plan } => {
                let correlation = plan.analysis.to_string();
                self.plans.put(plan.id.clone(), correlation.clone());
                Some(correlation)
            }
            // A person's command is a decision of its own; what it led to carries the ids of that.
            Record::Commanded { command } => Some(command_of(&command.id())),
            Record::ApprovalAsked { approval } => Some(approval.analysis.to_string()),
            Record::CommandEnded { command, .. } => Some(command_of(command)),
            Record::Operation(event) => Some(self.operation(event)),
            Record::StepBegun(command) => self.plans.get(&command.plan),
            Record::StepEnded(outcome) => self.plans.get(&outcome.plan),
            Record::Awaited { plan, .. } | Record::PlanEnded { plan, .. } => self.plans.get(plan),
            Record::VerificationBegan { verification } => {
                let correlation = verification.analysis.to_string();
                let target = verification.target.clone();
                self.verified.insert(target, correlation.clone());
                Some(correlation)
            }
            Record::VerificationEnded { target, .. } => {
                let verified = self.verified.remove(target);
                verified.or_else(|| self.of_target.get(target).cloned())
            }
            Record::IncidentBegan { incident, .. } => {
                let correlation = incident.id.to_string();
                let of = (incident.target.clone(), incident.rule.clone());
                self.of_rule.insert(of, correlation.clone());
                Some(correlation)
            }
            Record::IncidentEnded { incident, .. } => Some(incident.to_string()),
            Record::ScalingBegan { plan } => {
                let correlation = plan.incident.to_string();
                self.plans.put(plan.id.clone(), correlation.clone());
                Some(correlation)
            }
            Record::ScalingHeld { target, rule, .. }
            | Record::ScalingEnded { target, rule, .. }
            | Record::DataLost { target, rule, .. }
            | Record::DataBack { target, rule } => {
                self.of_rule.get(&(target.clone(), rule.clone())).cloned()
            }
            Record::Noticed(notice)
            | Record::NoticeHeld { notice, .. }
            | Record::NoticeReleased { notice, .. } => {
                let correlation = notice.correlation.as_ref()?.to_string();
                self.notices.put(notice.id.clone(), correlation.clone());
                Some(correlation)
            }
            Record::NoticeEnded(delivery) => self.notices.get(&delivery.notice),
            Record::RevisionReturned { target, .. }
            | Record::Drift { target, .. }
            | Record::TrafficHeld { target, .. }
            | Record::TrafficReached { target, .. }
            | Record::SteppingEnded { target, .. }
            | Record::Promoted { target }
            | Record::BaselineGone { target }
            | Record::FirstTraffic { target }
            | Record::HoldBegan { target, .. }
            | Record::HoldEnded { target, .. }
            | Record::RuleWithoutData { target, .. }
            | Record::Checkpoint { target, .. }
            | Record::AlwaysCheckpoint { target, .. } => self.of_target.get(target).cloned(),
            Record::TargetGone { target } | Record::LetGo { target, .. } => {
                self.of_target.remove(target)
            }
            Record::Started { .. }
            | Record::Compacted { .. }
            | Record::Reloaded { .. }
            | Record::ReloadRefused { .. }
            | Record::TargetSeen { .. }
            | Record::Ran { .. }
            | Record::TakenUp { .. }
            | Record::SourceLost { .. }
            | Record::SourceBack { .. }
            | Record::Alerted { .. }
            | Record::Marked { .. }
            | Record::Silenced { .. } => None,
        }
    }
}

impl Audit {
    /// Operations belong to what they were begun by; one that a person asked for is a decision of its own.
    fn operation(&mut self, event: &OperationEvent) -> String {
        let cause = match event {
            OperationEvent::Began { operation } => Some(&operation.cause),
            OperationEvent::Settled { cause, .. } => Some(cause),
            OperationEvent::Held { .. }
            | OperationEvent::Ended { .. }
            | OperationEvent::Closed { .. } => None,
        };
        let id = event.id();
        let of_cause = cause.map(|cause| match cause {
            Cause::Incident { incident, .. } => incident.to_string(),
            Cause::Release { analysis } => analysis.to_string(),
            Cause::Person { .. } => id.to_string(),
        });
        let correlation = of_cause
            .or_else(|| self.plans.get(id))
            .unwrap_or_else(|| id.to_string());
        self.plans.put(id.clone(), correlation.clone());
        correlation
    }
}

impl Decision {
    fn new(correlation: Option<String>, target: Option<TargetId>, began: Timestamp) -> Self {
        Self {
            correlation,
            target,
            began,
            last: began,
            complete: false,
            course: Vec::new(),
            evidence: Vec::new(),
            guards: Vec::new(),
            plan: Vec::new(),
            steps: Vec::new(),
            outcome: Vec::new(),
            notices: Vec::new(),
        }
    }

    fn put(&mut self, section: Section, item: Item) {
        let list = match section {
            Section::Course => &mut self.course,
            Section::Evidence => &mut self.evidence,
            Section::Guards => &mut self.guards,
            Section::Plan => &mut self.plan,
            Section::Steps => &mut self.steps,
            Section::Outcome => &mut self.outcome,
            Section::Notices => &mut self.notices,
        };
        list.push(item);
    }

    fn sections(&self) -> [&Vec<Item>; 7] {
        [
            &self.course,
            &self.evidence,
            &self.guards,
            &self.plan,
            &self.steps,
            &self.outcome,
            &self.notices,
        ]
    }

    fn records(&self) -> usize {
        self.sections().iter().map(|section| section.len()).sum()
    }

    /// Whether all that it began has ended: its analysis or incident, its plans, and what was to be verified.
    fn has_ended(&self) -> bool {
        let all = self.sections().into_iter().flatten();
        let (mut begun, mut ended) = (0_usize, 0_usize);
        for item in all {
            match &item.record {
                Record::AnalysisBegan { .. }
                | Record::IncidentBegan { .. }
                | Record::PlanBegan { .. }
                | Record::ScalingBegan { .. }
                | Record::Commanded { .. }
                | Record::Operation(OperationEvent::Began { .. })
                | Record::VerificationBegan { .. } => begun += 1,
                Record::AnalysisEnded { .. }
                | Record::IncidentEnded { .. }
                | Record::PlanEnded { .. }
                | Record::CommandEnded { .. }
                | Record::Operation(OperationEvent::Ended { .. })
                | Record::VerificationEnded { .. } => ended += 1,
                // One that never began, since there was nothing to do, ends as well.
                Record::ScalingEnded { .. } => ended += usize::from(begun > ended),
                Record::TargetGone { .. } | Record::LetGo { .. } => return true,
                _ => {}
            }
        }
        ended >= begun
    }
}

fn command_of(id: &CommandId) -> String {
    format!("command {}/{}", id.caller, id.key)
}

/// Where a record stands; `None`: evidence on its way, of which the decision has the last.
fn section(record: &Record) -> Option<Section> {
    Some(match record {
        Record::Checkpoint { .. } | Record::AlwaysCheckpoint { .. } => return None,
        Record::Started { .. }
        | Record::Compacted { .. }
        | Record::Reloaded { .. }
        | Record::ReloadRefused { .. }
        | Record::TargetSeen { .. }
        | Record::Ran { .. }
        | Record::TakenUp { .. }
        | Record::LetGo { .. }
        | Record::TargetGone { .. }
        | Record::RevisionReturned { .. }
        | Record::AnalysisBegan { .. }
        | Record::Promoted { .. }
        | Record::BaselineGone { .. }
        | Record::FirstTraffic { .. }
        | Record::SourceLost { .. }
        | Record::SourceBack { .. }
        | Record::RuleWithoutData { .. }
        | Record::DataLost { .. }
        | Record::DataBack { .. }
        | Record::Alerted { .. }
        | Record::Marked { .. }
        | Record::Silenced { .. } => Section::Course,
        Record::Failed { .. } | Record::AnalysisEnded { .. } | Record::IncidentBegan { .. } => {
            Section::Evidence
        }
        Record::HoldBegan { .. }
        | Record::HoldEnded { .. }
        | Record::ScalingHeld { .. }
        | Record::TrafficHeld { .. }
        | Record::Operation(OperationEvent::Held { .. }) => Section::Guards,
        Record::PlanBegan { .. }
        | Record::ScalingBegan { .. }
        | Record::SteppingBegan { .. }
        | Record::TrafficBegan { .. }
        | Record::Commanded { .. }
        | Record::ApprovalAsked { .. }
        | Record::Operation(OperationEvent::Began { .. }) => Section::Plan,
        Record::StepBegun(_)
        | Record::StepEnded(_)
        | Record::Awaited { .. }
        | Record::TrafficReached { .. }
        | Record::Pause { .. } => Section::Steps,
        Record::PlanEnded { .. }
        | Record::VerificationBegan { .. }
        | Record::VerificationEnded { .. }
        | Record::IncidentEnded { .. }
        | Record::ScalingEnded { .. }
        | Record::SteppingEnded { .. }
        | Record::CommandEnded { .. }
        | Record::Drift { .. }
        | Record::Operation(
            OperationEvent::Settled { .. }
            | OperationEvent::Ended { .. }
            | OperationEvent::Closed { .. },
        ) => Section::Outcome,
        Record::NoticeHeld { .. }
        | Record::NoticeReleased { .. }
        | Record::Noticed(_)
        | Record::NoticeEnded(_) => Section::Notices,
    })
}

/// The decision of each of the latest.
#[derive(Debug)]
struct Remembered<K> {
    known: BTreeMap<K, String>,
    order: VecDeque<K>,
}

impl<K> Default for Remembered<K> {
    fn default() -> Self {
        Self {
            known: BTreeMap::new(),
            order: VecDeque::new(),
        }
    }
}

impl<K: Ord + Clone> Remembered<K> {
    fn put(&mut self, key: K, correlation: String) {
        if self.known.insert(key.clone(), correlation).is_none() {
            self.order.push_back(key);
        }
        if self.order.len() > REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
    }

    fn get(&self, key: &K) -> Option<String> {
        self.known.get(key).cloned()
    }
}
