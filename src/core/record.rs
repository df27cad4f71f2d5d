//! What the journal holds: everything that happened and why, durable before any effect leaves (P3).
//!
//! The engine changes its lasting state only by applying records (`ledger`), so folding a journal gives the live
//! state as of its last checkpoint (P5).

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::analysis::{Analysis, Ending, WayBack};
use crate::command::{Command, CommandId, CommandOutcome};
use crate::drift::DriftNews;
use crate::guard::{Approval, Hold};
use crate::hook::{Alert, Marker};
use crate::ids::{
    AnalysisId, ChannelName, IncidentId, PlanId, RevisionHash, RuleName, TargetId, WatchName,
};
use crate::incident::{Incident, IncidentEnd, ScalingEnd, ScalingPlan};
use crate::judge::{Continuous, Evidence, Finding};
use crate::measurement::Measurement;
use crate::notice::{Delivery, Notice};
use crate::operation::OperationEvent;
use crate::pause::PauseNews;
use crate::plan::{StepCommand, StepOutcome};
use crate::rule::{Question, SourceKind};
use crate::saga::{Plan, PlanEnd};
use crate::silence::Silence;
use crate::stepping::{Reached, Stepping, SteppingEnd, TrafficPlan};
use crate::verify::{Verification, VerificationEnd};

/// One record of the journal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(
    rename_all = "camelCase",
    rename_all_fields = "camelCase",
    tag = "record"
)]
pub enum Record {
    /// The agent started; the version that wrote what follows.
    Started {
        version: String,
    },
    /// The oldest records of this journal were dropped, as the settings say; what they led to stands in their place.
    Compacted {
        /// The number of the last of them.
        through: u64,
        /// Its hash.
        last: String,
        /// When the first and the last of them were written.
        from: Timestamp,
        until: Timestamp,
        /// Hash of what stands in their place.
        base: String,
    },
    /// Rules and settings were loaded anew.
    Reloaded {
        /// A hash of all files; empty: those of the start.
        digest: String,
        /// All watches from now on, and how many of them are new, changed, and gone.
        watches: usize,
        new: usize,
        changed: usize,
        gone: usize,
        /// Settings that changed and hold only after a restart.
        need_restart: Vec<String>,
    },
    /// Changed rules or settings cannot be used: what held before goes on to hold.
    ReloadRefused {
        digest: String,
        faults: Vec<String>,
    },
    /// A target was seen for the first time, or again after it had been deleted and created.
    TargetSeen {
        target: TargetId,
        uid: String,
        /// The way back until a revision is known good.
        stable: RevisionHash,
        /// No pod of it was ready then.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        unready: bool,
    },
    /// A pod of a revision that had none at first sight was ready.
    Ran {
        target: TargetId,
        revision: RevisionHash,
    },
    /// Somebody asked about a target: it is watched from now on, by the watch of this name, which is one on request.
    TakenUp {
        target: TargetId,
        by: WatchName,
    },
    /// A target that was taken up is watched no more, and what was known of it is forgotten.
    LetGo {
        target: TargetId,
        reason: String,
    },
    /// The target does not exist any more.
    TargetGone {
        target: TargetId,
    },
    /// The revision in the spec changed without a new analysis: an undo, or a revision with a history.
    RevisionReturned {
        target: TargetId,
        revision: RevisionHash,
        standing: Option<Standing>,
    },
    AnalysisBegan {
        analysis: Box<Analysis>,
    },
    /// The Rollout made the analysed revision its stable one.
    Promoted {
        target: TargetId,
    },
    /// The baseline has gone: from here on a limit stands alone and a comparison is before/after.
    BaselineGone {
        target: TargetId,
    },
    /// The canary arm had its first traffic: the watch counts from here.
    FirstTraffic {
        target: TargetId,
    },
    /// Evidence so far, at the beginning, at each decision and at least once a minute.
    Checkpoint {
        target: TargetId,
        evidence: BTreeMap<RuleName, Evidence>,
        /// What each rule said then, for people: nothing is decided by it. Empty in journals of older versions.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        findings: Vec<Finding>,
        /// Where the counters stood: after a short restart nothing is counted twice or missed.
        measurements: Vec<(Arc<Question>, Measurement)>,
    },
    /// The analysis found the revision bad; stays.
    Failed {
        target: TargetId,
        analysis: AnalysisId,
        findings: Vec<Finding>,
        way_back: Option<WayBack>,
    },
    /// Guards hold an action, or a decision, back.
    HoldBegan {
        target: TargetId,
        hold: Hold,
    },
    HoldEnded {
        target: TargetId,
        hold: Hold,
    },
    AnalysisEnded {
        target: TargetId,
        analysis: AnalysisId,
        revision: RevisionHash,
        ending: Ending,
        findings: Vec<Finding>,
    },
    /// The decision to act, with the whole plan.
    PlanBegan {
        plan: Box<Plan>,
    },
    /// A step is about to be carried out.
    StepBegun(StepCommand),
    StepEnded(StepOutcome),
    /// A waiting step saw what it waited for.
    Awaited {
        plan: PlanId,
        index: usize,
    },
    PlanEnded {
        target: TargetId,
        plan: PlanId,
        end: PlanEnd,
    },
    /// A rollback that a `GitOps` tool may revert.
    Drift {
        target: TargetId,
        news: Box<DriftNews>,
    },
    /// A release is paused for its evidence, or goes on.
    Pause {
        target: TargetId,
        news: Box<PauseNews>,
    },
    VerificationBegan {
        verification: Box<Verification>,
    },
    VerificationEnded {
        target: TargetId,
        end: VerificationEnd,
        findings: Vec<Finding>,
    },
    /// The traffic of a release is stepped from here on.
    SteppingBegan {
        stepping: Box<Stepping>,
    },
    /// The decision to set the share of a release's traffic.
    TrafficBegan {
        plan: Box<TrafficPlan>,
    },
    /// The share is held as it is by a guard; an edit that was under way has ended.
    TrafficHeld {
        target: TargetId,
        hold: Hold,
    },
    /// The share is as wanted.
    TrafficReached {
        target: TargetId,
        reached: Reached,
    },
    /// Nothing more is written to the route for this release.
    SteppingEnded {
        target: TargetId,
        end: SteppingEnd,
    },
    /// A source cannot be used.
    SourceLost {
        source: SourceKind,
        reason: String,
    },
    SourceBack {
        source: SourceKind,
    },
    /// A rule has had no data although its target has traffic; told once.
    RuleWithoutData {
        target: TargetId,
        rule: RuleName,
        reason: String,
    },
    /// A rule between releases is broken.
    IncidentBegan {
        incident: Box<Incident>,
        finding: Finding,
    },
    /// It is kept again, or cannot be looked at any more.
    IncidentEnded {
        target: TargetId,
        rule: RuleName,
        incident: IncidentId,
        end: IncidentEnd,
    },
    /// The decision to scale, or to undo that.
    ScalingBegan {
        plan: Box<ScalingPlan>,
    },
    /// A guard holds a scaling, or its undo, back.
    ScalingHeld {
        target: TargetId,
        rule: RuleName,
        hold: Hold,
    },
    /// Nothing more is done by way of scaling in this incident; or the undo is over.
    ScalingEnded {
        target: TargetId,
        rule: RuleName,
        undo: bool,
        end: ScalingEnd,
    },
    /// Evidence of rules between releases: at each decision, and once a minute while something is going on.
    AlwaysCheckpoint {
        target: TargetId,
        evidence: BTreeMap<RuleName, Continuous>,
        measurements: Vec<(Arc<Question>, Measurement)>,
    },
    /// A rule between releases has no data; told once until it has some again.
    DataLost {
        target: TargetId,
        rule: RuleName,
        reason: String,
    },
    DataBack {
        target: TargetId,
        rule: RuleName,
    },
    /// Several changes that are made as one.
    Operation(OperationEvent),
    /// Others reported that an alert fires, or that it is over.
    Alerted {
        alert: Box<Alert>,
    },
    /// Others reported a deployment.
    Marked {
        marker: Box<Marker>,
    },
    /// What an Alertmanager silences now, of all that may concern a target; in the place of what it silenced before.
    Silenced {
        channel: ChannelName,
        silences: Vec<Silence>,
    },
    /// A notice is held back by a silence.
    NoticeHeld {
        notice: Box<Notice>,
        silence: Box<Silence>,
    },
    /// The silence is over: the last notice that was held of something is about to be sent.
    NoticeReleased {
        thread: String,
        notice: Box<Notice>,
    },
    /// Somebody told Recant to do something; what became of it follows.
    Commanded {
        command: Box<Command>,
    },
    /// Nothing but a person's word is missing, and people are asked for it.
    ApprovalAsked {
        approval: Box<Approval>,
    },
    CommandEnded {
        command: CommandId,
        outcome: CommandOutcome,
    },
    /// A notice is about to be sent.
    Noticed(Box<Notice>),
    /// A notice reached a channel, or was given up.
    NoticeEnded(Delivery),
}

impl Record {
    /// The target that it is about, where the record itself says so: the end of a step only names its plan.
    pub fn target(&self) -> Option<&TargetId> {
        match self {
            Self::TakenUp { target, .. }
            | Self::LetGo { target, .. }
            | Self::TargetSeen { target, .. }
            | Self::Ran { target, .. }
            | Self::TargetGone { target }
            | Self::RevisionReturned { target, .. }
            | Self::Promoted { target }
            | Self::BaselineGone { target }
            | Self::FirstTraffic { target }
            | Self::Checkpoint { target, .. }
            | Self::Failed { target, .. }
            | Self::HoldBegan { target, .. }
            | Self::HoldEnded { target, .. }
            | Self::AnalysisEnded { target, .. }
            | Self::PlanEnded { target, .. }
            | Self::VerificationEnded { target, .. }
            | Self::RuleWithoutData { target, .. }
            | Self::Pause { target, .. }
            | Self::Drift { target, .. }
            | Self::IncidentEnded { target, .. }
            | Self::ScalingHeld { target, .. }
            | Self::ScalingEnded { target, .. }
            | Self::AlwaysCheckpoint { target, .. }
            | Self::DataLost { target, .. }
            | Self::TrafficHeld { target, .. }
            | Self::TrafficReached { target, .. }
            | Self::SteppingEnded { target, .. }
            | Self::DataBack { target, .. } => Some(target),
            Self::SteppingBegan { stepping } => Some(&stepping.target),
            Self::TrafficBegan { plan } => Some(&plan.target),
            Self::IncidentBegan { incident, .. } => Some(&incident.target),
            Self::Operation(event) => Some(event.target()),
            Self::ScalingBegan { plan } => Some(&plan.target),
            Self::Marked { marker } => Some(&marker.target),
            Self::AnalysisBegan { analysis } => Some(&analysis.target),
            Self::PlanBegan { plan } => Some(&plan.fence.target),
            Self::StepBegun(command) => {
                // A step that scales names the workload, which need not be the target.
                command.fence().map(|fence| &fence.target)
            }
            Self::VerificationBegan { verification } => Some(&verification.target),
            Self::Noticed(notice)
            | Self::NoticeHeld { notice, .. }
            | Self::NoticeReleased { notice, .. } => notice.target.as_ref(),
            Self::Commanded { command } => command.order.target(),
            Self::ApprovalAsked { approval } => Some(&approval.target),
            Self::Started { .. }
            | Self::Compacted { .. }
            | Self::CommandEnded { .. }
            | Self::StepEnded(_)
            | Self::Awaited { .. }
            | Self::SourceLost { .. }
            | Self::SourceBack { .. }
            | Self::NoticeEnded(_)
            | Self::Reloaded { .. }
            | Self::ReloadRefused { .. }
            | Self::Alerted { .. }
            | Self::Silenced { .. } => None,
        }
    }
}

/// What is known of a revision from its analysis.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Standing {
    /// An analysis of it ended with Pass at the end of the watch.
    KnownGood { at: Timestamp },
    /// An analysis of it failed. It is never a way back (P12), and not judged again without a person.
    Failed { at: Timestamp },
    /// An analysis of it ended without a verdict.
    Inconclusive { at: Timestamp },
}
