//! Operations: several changes on several objects, decided from one look at all of them, written down as a whole, and
//! carried out one after the other. What was done is taken back later, if that was asked for and it is still there.
//!
//! Here is what lasts about one, and what it needs next; `engine/operations` decides it.

mod decide;
mod state;

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::change::{Apply, Change, ObjectRef, pod_template};
use crate::evidence::KeepEvidence;
use crate::guard::Hold;
use crate::ids::{AnalysisId, ChannelName, IncidentId, PlanId, RuleName, TargetId, WatchName};
use crate::plan::{Action, StepResult};
use crate::rule::{Runbook, ScaleTarget, Task, WhenStuck};
use crate::scaling::ScaleChange;
use crate::time::{later, leeway, spread};
use crate::webhook::WebhookCall;

pub use decide::{Choice, Chosen, Looks, choose, choose_undo};
pub use state::{Next, OperationState, StepDone};

/// How long the executor may retry one step.
pub const STEP_TIME: SignedDuration = SignedDuration::from_secs(60);

/// Several changes with no choice left in them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Operation {
    pub id: PlanId,
    /// What people call it.
    pub title: String,
    pub watch: WatchName,
    /// The target of the watch.
    pub target: TargetId,
    pub cause: Cause,
    pub steps: Vec<Step>,
    #[serde(default)]
    pub undo_after: Option<Duration>,
    #[serde(default)]
    pub when_stuck: WhenStuck,
    /// It takes this one back.
    #[serde(default)]
    pub undoes: Option<PlanId>,
    /// What has had the traffic goes to no replicas later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub then_down: Option<ThenDown>,
    /// It is what comes later of this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub follows: Option<PlanId>,
    #[serde(default)]
    pub notify: Vec<ChannelName>,
    /// What was asked for and is not done, and why. Sentences without a full stop.
    #[serde(default)]
    pub notes: Vec<String>,
}

/// A workload that goes to no replicas when a switch away from it has proved itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ThenDown {
    pub target: ScaleTarget,
    /// After the end of the switch, or of the incident that it was made for.
    pub after: Duration,
}

impl ThenDown {
    /// What a runbook asks for.
    pub fn of(runbook: &Runbook) -> Option<Self> {
        runbook.steps.iter().find_map(|task| {
            let Task::Switch { up: Some(up), .. } = task else {
                return None;
            };
            Some(Self {
                target: up.present.clone()?,
                after: up.then_down?,
            })
        })
    }
}

/// What it was begun by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    rename_all = "camelCase",
    rename_all_fields = "camelCase",
    tag = "cause"
)]
pub enum Cause {
    /// A rule between releases is broken.
    Incident {
        rule: RuleName,
        incident: IncidentId,
    },
    /// A release failed.
    Release { analysis: AnalysisId },
    /// Somebody asked for it: a name for people and the journal.
    Person { name: String },
}

/// One step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    rename_all = "camelCase",
    rename_all_fields = "camelCase",
    tag = "work"
)]
pub enum Step {
    Change {
        change: Box<Change>,
    },
    Scale {
        change: Box<ScaleChange>,
    },
    Apply {
        apply: Box<Apply>,
    },
    /// Keep what pods say before they go. Where that is not `required`, the next step does not depend on it.
    Evidence {
        evidence: Box<KeepEvidence>,
        required: bool,
    },
    /// Wait until so many pods of a workload are ready; given up after this long.
    Ready {
        target: ScaleTarget,
        replicas: u32,
        within: Duration,
    },
    /// Call somebody outside. It cannot be taken back.
    Webhook {
        call: Box<WebhookCall>,
    },
}

/// How an operation ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", tag = "end")]
pub enum OperationEnd {
    Done,
    /// Some steps were carried out, and some were not.
    Partly {
        reason: String,
    },
    /// No step was carried out.
    NotDone {
        reason: String,
    },
}

/// What happens to operations, as the journal holds it. Their steps are ordinary ones.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    rename_all = "camelCase",
    rename_all_fields = "camelCase",
    tag = "event"
)]
pub enum OperationEvent {
    /// The decision, with all that will be done.
    Began { operation: Box<Operation> },
    /// A guard holds it back; it has not begun.
    Held {
        operation: PlanId,
        target: TargetId,
        hold: Hold,
    },
    /// There is nothing to be done: all is as wanted, or it is not possible.
    Settled {
        operation: PlanId,
        target: TargetId,
        cause: Cause,
        reason: String,
    },
    Ended {
        operation: PlanId,
        target: TargetId,
        end: OperationEnd,
    },
    /// It will not be taken back (any more): nothing is left of it.
    Closed {
        operation: PlanId,
        target: TargetId,
        reason: String,
    },
}

impl OperationEvent {
    /// The target of its watch.
    pub fn target(&self) -> &TargetId {
        match self {
            Self::Began { operation } => &operation.target,
            Self::Held { target, .. }
            | Self::Settled { target, .. }
            | Self::Ended { target, .. }
            | Self::Closed { target, .. } => target,
        }
    }

    /// The operation that it is about.
    pub fn id(&self) -> &PlanId {
        match self {
            Self::Began { operation } => &operation.id,
            Self::Held { operation, .. }
            | Self::Settled { operation, .. }
            | Self::Ended { operation, .. }
            | Self::Closed { operation, .. } => operation,
        }
    }
}

impl Step {
    /// What the executor does; `None`: it waits, and writes nothing.
    pub fn action(&self) -> Option<Action> {
        match self {
            Self::Change { change } => Some(Action::Change(change.clone())),
            Self::Scale { change } => Some(Action::Scale(ScaleChange::clone(change))),
            Self::Apply { apply } => Some(Action::Apply(apply.clone())),
            Self::Evidence { evidence, .. } => Some(Action::Evidence(evidence.clone())),
            Self::Webhook { call } => Some(Action::Webhook(call.clone())),
            Self::Ready { .. } => None,
        }
    }

    /// The object that is written to, and would be written to by an undo.
    pub fn object(&self) -> Option<ObjectRef> {
        match self {
            Self::Change { change } => Some(change.object.clone()),
            Self::Scale { change } => Some(change.target.object()),
            Self::Apply { apply } => Some(apply.applied.clone()),
            Self::Evidence { .. } | Self::Ready { .. } | Self::Webhook { .. } => None,
        }
    }

    /// Whether it leads traffic to another colour.
    pub fn leads_traffic(&self) -> bool {
        match self {
            Self::Change { change } => change.edit.leads_traffic(),
            Self::Scale { .. }
            | Self::Apply { .. }
            | Self::Evidence { .. }
            | Self::Webhook { .. }
            | Self::Ready { .. } => false,
        }
    }

    /// Whether what it does lasts, so that people must look where it is not known whether it was done.
    pub fn has_effect(&self) -> bool {
        match self {
            Self::Change { .. }
            | Self::Scale { .. }
            | Self::Apply { .. }
            | Self::Webhook { .. } => true,
            Self::Evidence { .. } | Self::Ready { .. } => false,
        }
    }

    /// Whether it makes a new revision of a workload.
    pub fn is_of_template(&self) -> bool {
        match self {
            Self::Change { change } => change.edit.is_of_template(),
            Self::Apply { apply } => pod_template(&apply.applied.kind).is_some(),
            Self::Scale { .. }
            | Self::Evidence { .. }
            | Self::Webhook { .. }
            | Self::Ready { .. } => false,
        }
    }

    /// What is done, for people.
    pub fn in_words(&self) -> String {
        match self {
            Self::Change { change } => change.in_words(),
            Self::Scale { change } => format!("scale {}", change.in_words()),
            Self::Evidence { evidence, .. } => evidence.in_words(),
            Self::Apply { apply } => apply.in_words(),
            Self::Webhook { call } => call.in_words(),
            Self::Ready {
                target, replicas, ..
            } => format!("wait until {replicas} pods of {target} are ready"),
        }
    }
}

impl Operation {
    /// The id of what takes it back.
    pub fn undo_id(&self) -> PlanId {
        PlanId(format!("{}-undo", self.id))
    }

    /// The id of what brings what had the traffic to no replicas.
    pub fn down_id(&self) -> PlanId {
        PlanId(format!("{}-down", self.id))
    }

    /// Whether it writes to this object.
    pub fn writes_to(&self, object: &ObjectRef) -> bool {
        self.steps
            .iter()
            .any(|step| step.object().as_ref() == Some(object))
    }
}

/// Whether a step ended so that the next one may follow.
pub(crate) fn went_well(result: &StepResult) -> bool {
    match result {
        StepResult::Done
        | StepResult::Kept { .. }
        | StepResult::Called { .. }
        | StepResult::AlreadyDone => true,
        StepResult::Fenced { .. } | StepResult::Refused { .. } | StepResult::Failed { .. } => false,
    }
}

/// When something that ended then is taken back: not all that ended together at once.
pub(crate) fn due(id: &PlanId, ended: Timestamp, after: Duration) -> Timestamp {
    let after = SignedDuration::try_from(after).unwrap_or(SignedDuration::MAX);
    later(later(ended, after), spread(id.as_str(), leeway(after)))
}

#[cfg(test)]
mod tests;
