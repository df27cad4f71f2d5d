//! A `GitOps` tool whose self-heal is switched off for a rollback: a plan of two steps, each exactly once, and durable as a
//! rollback is. It ends when Git shows another version than the bad one, or somebody resumes it.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::ids::{AnalysisId, PlanId};
use crate::plan::{Action, Fence, StepCommand, StepResult, SyncStep, SyncSwitch};
use crate::target::{GitTool, OwnerObject};
use crate::time::{later, leeway, spread};

/// How long the executor may retry a write.
const STEP_TIME: SignedDuration = SignedDuration::from_secs(60);
/// What could not be resumed is tried again after this long.
const AGAIN: SignedDuration = SignedDuration::from_mins(1);

/// The decision to suspend.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Suspension {
    pub id: PlanId,
    pub analysis: AnalysisId,
    pub fence: Fence,
    pub tool: GitTool,
    pub owner: OwnerObject,
}

/// How far it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SuspensionState {
    pub suspension: Suspension,
    pub course: SuspensionCourse,
    /// The write of the course was handed to the executor and has not come back: its deadline.
    pub in_hand: Option<Timestamp>,
    /// No write before this time: the last one was not possible.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_before: Option<Timestamp>,
    /// When people were last told that it is suspended.
    pub reminded: Timestamp,
    /// People were told that it cannot be resumed.
    #[serde(default)]
    pub told: bool,
}

/// What it is at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "course")]
pub enum SuspensionCourse {
    Suspending,
    /// `was_on`: something was switched off, and is to be switched on again.
    Suspended {
        was_on: bool,
    },
    /// It could not be suspended, so nothing is rolled back.
    Refused {
        reason: String,
    },
    Resuming {
        reason: String,
    },
}

/// What happened to it, besides its steps.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "news")]
pub enum SuspensionNews {
    Began {
        suspension: Box<Suspension>,
    },
    /// People were told that it still is suspended.
    Reminded,
    /// The decision to resume.
    Resuming {
        reason: String,
    },
    /// It cannot be resumed now; told once.
    Stuck {
        reason: String,
    },
    Ended {
        reason: String,
    },
}

/// Not all that could not be resumed together at once.
fn again(id: &PlanId, at: Timestamp) -> Timestamp {
    later(later(at, AGAIN), spread(id.as_str(), leeway(AGAIN)))
}

impl SuspensionState {
    /// One that was decided now.
    pub fn new(suspension: Suspension, now: Timestamp) -> Self {
        Self {
            suspension,
            course: SuspensionCourse::Suspending,
            in_hand: None,
            not_before: None,
            reminded: now,
            told: false,
        }
    }

    /// Index of the write that is next or in hand; `None`: none is.
    pub fn index(&self) -> Option<usize> {
        match self.course {
            SuspensionCourse::Suspending => Some(0),
            SuspensionCourse::Suspended { .. } | SuspensionCourse::Refused { .. } => None,
            SuspensionCourse::Resuming { .. } => Some(1),
        }
    }

    /// Why it could not be suspended.
    pub fn refused(&self) -> Option<&str> {
        match &self.course {
            SuspensionCourse::Refused { reason } => Some(reason),
            SuspensionCourse::Suspending
            | SuspensionCourse::Suspended { .. }
            | SuspensionCourse::Resuming { .. } => None,
        }
    }

    /// The write as a command for the executor.
    pub fn command(&self, now: Timestamp) -> Option<StepCommand> {
        let index = self.index()?;
        let switch = if index == 0 {
            SyncSwitch::Suspend
        } else {
            SyncSwitch::Resume
        };
        Some(StepCommand {
            plan: self.suspension.id.clone(),
            index,
            action: Action::Sync(SyncStep {
                fence: self.suspension.fence.clone(),
                owner: self.suspension.owner.clone(),
                switch,
            }),
            deadline: later(now, STEP_TIME),
            again: self.in_hand.is_some(),
        })
    }

    /// Folds the handing out of a step.
    pub(crate) fn step_begun(&mut self, index: usize, deadline: Timestamp) {
        if self.index() == Some(index) {
            self.in_hand = Some(deadline);
        }
    }

    /// Folds the end of a step.
    pub(crate) fn step_ended(&mut self, at: Timestamp, index: usize, result: &StepResult) {
        if self.index() != Some(index) {
            return;
        }
        self.in_hand = None;
        let reason = match result {
            StepResult::Done
            | StepResult::AlreadyDone
            | StepResult::Kept { .. }
            | StepResult::Called { .. } => String::new(),
            StepResult::Fenced { reason }
            | StepResult::Refused { reason }
            | StepResult::Failed { reason } => reason.clone(),
        };
        match (&self.course, result) {
            (
                SuspensionCourse::Suspending,
                StepResult::Done | StepResult::Kept { .. } | StepResult::Called { .. },
            ) => {
                self.course = SuspensionCourse::Suspended { was_on: true };
            }
            (SuspensionCourse::Suspending, StepResult::AlreadyDone) => {
                self.course = SuspensionCourse::Suspended { was_on: false };
            }
            (
                SuspensionCourse::Suspending,
                StepResult::Fenced { .. } | StepResult::Refused { .. },
            ) => self.course = SuspensionCourse::Refused { reason },
            // It may have been suspended.
            (SuspensionCourse::Suspending, StepResult::Failed { .. }) => {
                self.course = SuspensionCourse::Resuming { reason };
            }
            (
                SuspensionCourse::Resuming { .. },
                StepResult::Fenced { .. } | StepResult::Refused { .. } | StepResult::Failed { .. },
            ) => self.not_before = Some(again(&self.suspension.id, at)),
            // The engine ends it.
            (
                SuspensionCourse::Resuming { .. },
                StepResult::Done
                | StepResult::AlreadyDone
                | StepResult::Kept { .. }
                | StepResult::Called { .. },
            )
            | (SuspensionCourse::Suspended { .. } | SuspensionCourse::Refused { .. }, _) => {}
        }
    }

    /// Folds its news but for those that begin and end it.
    pub(crate) fn apply(&mut self, at: Timestamp, news: &SuspensionNews) {
        match news {
            SuspensionNews::Reminded => self.reminded = at,
            SuspensionNews::Resuming { reason } => {
                self.course = SuspensionCourse::Resuming {
                    reason: reason.clone(),
                };
                self.in_hand = None;
                self.not_before = None;
            }
            SuspensionNews::Stuck { .. } => self.told = true,
            SuspensionNews::Began { .. } | SuspensionNews::Ended { .. } => {}
        }
    }
}
