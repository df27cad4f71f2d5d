//! Incidents: a rule between releases is broken, from the moment it is until it is kept again, and what is done about it.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::guard::{Guard, Hold};
use crate::ids::{IncidentId, PlanId, RuleName, TargetId, WatchName};
use crate::notice::NoticeKind;
use crate::plan::{Action, StepCommand};
use crate::rule::{Runbook, Scale};
use crate::scaling::{ScaleChange, ScaleObject};
use crate::time::later;

/// How long the executor may retry the write.
const STEP_TIME: SignedDuration = SignedDuration::from_secs(60);

/// One time that a rule is broken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Incident {
    pub id: IncidentId,
    pub watch: WatchName,
    pub target: TargetId,
    pub rule: RuleName,
    /// What is done about it, once.
    pub scale: Option<Scale>,
    /// What else is done about it, once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<Runbook>,
}

/// How an incident ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    rename_all = "camelCase",
    rename_all_fields = "camelCase",
    tag = "ended"
)]
pub enum IncidentEnd {
    /// The rule has been kept again for long enough; what it said last.
    Recovered { sentence: String },
    /// There is nothing left to look at.
    Dropped { reason: String },
}

/// A decided scaling, with no choice left in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ScalingPlan {
    pub id: PlanId,
    pub incident: IncidentId,
    /// The target of the watch.
    pub target: TargetId,
    pub rule: RuleName,
    pub change: ScaleChange,
    /// It takes an earlier scaling back.
    pub undo: bool,
    /// Taken back when the rule has been kept for this long.
    pub undo_after: Option<Duration>,
    /// Why the numbers are not exactly what the rule asks for.
    pub notes: Vec<String>,
}

/// What came of a scaling.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    rename_all = "camelCase",
    rename_all_fields = "camelCase",
    tag = "scaled"
)]
pub enum ScalingEnd {
    /// Written, and the pods are ready (of an undo: written).
    Done,
    /// Nothing had to be written, or nothing was left to look at.
    Nothing { reason: String },
    /// Written, and the pods do not get ready.
    NotReady { reason: String },
    /// The object was no longer what was decided about: nothing was written.
    Fenced { reason: String },
    /// It could not be written.
    Stuck { reason: String },
}

/// How far a scaling is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Scaling {
    pub plan: ScalingPlan,
    pub began: Timestamp,
    /// It was handed to the executor and has not come back: its deadline.
    pub in_hand: Option<Timestamp>,
    /// When the write was known to be done.
    pub written: Option<Timestamp>,
}

/// Guards that held something back: each is told once.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Holds {
    pub latest: Option<Hold>,
    pub guards: Vec<Guard>,
    /// How many of them people were told of.
    pub told: usize,
}

/// An open incident.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct IncidentState {
    pub incident: Incident,
    pub began: Timestamp,
    /// What the rule said then.
    pub sentence: String,
    pub scaling: Option<Scaling>,
    /// What came of the scaling: there is no other in this incident.
    pub settled: Option<ScalingEnd>,
    pub holds: Holds,
    /// Kinds of notices that were made about it.
    pub said: BTreeSet<NoticeKind>,
    /// Its operation began, or there was nothing to do: there is no other in this incident.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub operated: bool,
}

/// What a scaling set, and will be taken back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Scaled {
    pub incident: IncidentId,
    pub change: ScaleChange,
    pub undo_after: Duration,
    /// The undo, when it has begun.
    pub undo: Option<Scaling>,
    pub holds: Holds,
    pub said: BTreeSet<NoticeKind>,
}

impl IncidentState {
    /// An incident that begins now.
    pub fn new(incident: Incident, began: Timestamp, sentence: String) -> Self {
        Self {
            incident,
            began,
            sentence,
            scaling: None,
            settled: None,
            holds: Holds::default(),
            said: BTreeSet::new(),
            operated: false,
        }
    }

    /// Whether the step of its scaling has not come back.
    pub fn writes(&self) -> bool {
        let scaling = self.scaling.as_ref().filter(|_| self.settled.is_none());
        scaling.is_some_and(|scaling| scaling.written.is_none())
    }
}

impl Scaled {
    /// What a plan set, on top of what an earlier one of the same rule had set and was not taken back yet.
    pub fn by(plan: &ScalingPlan, undo_after: Duration, before: Option<&Self>) -> Self {
        let mut change = plan.change.clone();
        let chained = before.map(|before| &before.change).filter(|earlier| {
            earlier.target == change.target
                && earlier.uid == change.uid
                && earlier.object == change.object
                && earlier.to == change.from
        });
        if let Some(earlier) = chained {
            change.from = earlier.from;
        }
        Self {
            incident: plan.incident.clone(),
            change,
            undo_after,
            undo: None,
            holds: Holds::default(),
            said: BTreeSet::new(),
        }
    }
}

impl Holds {
    /// Whether this guard is news.
    pub fn is_new(&self, guard: Guard) -> bool {
        !self.guards.contains(&guard)
    }

    /// Takes a hold in.
    pub fn add(&mut self, hold: &Hold) {
        if self.is_new(hold.guard) {
            self.guards.push(hold.guard);
        }
        self.latest = Some(hold.clone());
    }

    /// A hold that was recorded and not told.
    pub fn untold(&self) -> Option<&Hold> {
        self.latest
            .as_ref()
            .filter(|_| self.told < self.guards.len())
    }
}

impl Scaling {
    /// A scaling that begins now.
    pub fn new(plan: ScalingPlan, began: Timestamp) -> Self {
        Self {
            plan,
            began,
            in_hand: None,
            written: None,
        }
    }

    /// The write as a command for the executor.
    pub fn command(&self, now: Timestamp) -> StepCommand {
        StepCommand {
            plan: self.plan.id.clone(),
            index: 0,
            action: Action::Scale(self.plan.change.clone()),
            deadline: later(now, STEP_TIME),
            again: self.in_hand.is_some(),
        }
    }
}

impl ScalingPlan {
    /// What the readers of a journal see of it.
    pub fn in_words(&self) -> String {
        let what = if self.undo { "set back" } else { "scale" };
        let by = match &self.change.object {
            ScaleObject::Workload => "its replicas",
            ScaleObject::Autoscaler { .. } => "its autoscaler",
            ScaleObject::ScaledObject { .. } | ScaleObject::PausedScaledObject { .. } => {
                "its ScaledObject"
            }
        };
        let done = format!("{what} {} (by {by})", self.change.in_words());
        let notes = self.notes.iter().map(String::as_str);
        let all: Vec<&str> = std::iter::once(done.as_str()).chain(notes).collect();
        all.join("; ")
    }
}
