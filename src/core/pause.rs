//! A release of a Deployment that waits for its evidence: paused at its first pods, and let go on.
//!
//! The pause is a plan of two steps. It is durable and fenced as a rollback is, and what it leaves on the object tells
//! any later process, and any person, by when it has to go on.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::ids::{AnalysisId, PlanId};
use crate::plan::{Action, Fence, PauseStep, PauseWrite, StepCommand, StepResult};
use crate::time::{later, leeway, spread};

/// How long the executor may retry a write.
const STEP_TIME: SignedDuration = SignedDuration::from_secs(60);
/// What could not be resumed is tried again after this long.
const AGAIN: SignedDuration = SignedDuration::from_secs(30);
/// Over which time leftovers that are resumed together are spread.
const SPREAD: SignedDuration = SignedDuration::from_secs(5);

/// The decision to pause a release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Pause {
    pub id: PlanId,
    /// `None`: another process paused it, and its journal is not known here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub analysis: Option<AnalysisId>,
    pub fence: Fence,
    /// Pods of the new revision that there may be.
    pub asked: u32,
    /// By when it goes on, whatever is known then.
    pub until: Timestamp,
}

/// How far a pause is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PauseState {
    pub pause: Pause,
    pub course: Course,
    /// The write of the course was handed to the executor and has not come back: its deadline.
    pub in_hand: Option<Timestamp>,
    /// When the course became the present one.
    pub since: Timestamp,
    /// Pods of the new revision when the cluster showed the pause, and of how many.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reached: Option<Reached>,
    /// No write before this time: the last one was not possible.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_before: Option<Timestamp>,
    /// People were told that it cannot be resumed, or is left paused.
    #[serde(default)]
    pub told: bool,
}

/// What a pause is at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "course")]
pub enum Course {
    Pausing,
    Paused,
    Resuming { reason: String },
}

/// Where a pause took hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Reached {
    /// Of the new revision.
    pub pods: usize,
    /// Of all that are wanted.
    pub of: u32,
}

/// What happened to a pause, besides its steps.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "news")]
pub enum PauseNews {
    /// The decision to pause.
    Began {
        pause: Pause,
    },
    /// A pause that another process left behind.
    Found {
        pause: Pause,
    },
    /// The cluster shows it.
    Reached(Reached),
    /// The decision to let it go on.
    Resuming {
        reason: String,
    },
    /// It cannot be resumed now, or is left paused on purpose; told once.
    Stuck {
        reason: String,
    },
    Ended {
        end: PauseEnd,
    },
}

/// How a pause ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "end")]
pub enum PauseEnd {
    /// Recant let it go on.
    Resumed,
    /// The rollback took it away with the bad revision.
    Undone,
    /// Somebody else ended it.
    BySomebody { reason: String },
    /// It was never paused.
    NotPaused { reason: String },
}

/// Not all that could not be resumed together at once.
fn again(id: &PlanId, at: Timestamp) -> Timestamp {
    later(later(at, AGAIN), spread(id.as_str(), leeway(AGAIN)))
}

impl PauseState {
    /// A pause that was decided now.
    pub fn new(pause: Pause, course: Course, now: Timestamp) -> Self {
        Self {
            pause,
            course,
            in_hand: None,
            since: now,
            reached: None,
            not_before: None,
            told: false,
        }
    }

    /// Index of the write that is next or in hand; `None`: none is.
    pub fn index(&self) -> Option<usize> {
        match self.course {
            Course::Pausing => Some(0),
            Course::Paused => None,
            Course::Resuming { .. } => Some(1),
        }
    }

    /// The write as a command for the executor.
    pub fn command(&self, now: Timestamp) -> Option<StepCommand> {
        let write = match &self.course {
            Course::Pausing => PauseWrite::Pause {
                until: self.pause.until,
            },
            Course::Paused => return None,
            Course::Resuming { .. } => PauseWrite::Resume,
        };
        Some(StepCommand {
            plan: self.pause.id.clone(),
            index: self.index()?,
            action: Action::Pause(PauseStep {
                fence: self.pause.fence.clone(),
                write,
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

    /// Folds the end of a step. What is known for sure goes on; a resume that was not possible is tried again.
    pub(crate) fn step_ended(&mut self, at: Timestamp, index: usize, result: &StepResult) {
        if self.index() != Some(index) {
            return;
        }
        self.in_hand = None;
        match (&self.course, result) {
            // A pause that may have been written is looked for on the object.
            (
                Course::Pausing,
                StepResult::Done
                | StepResult::Kept { .. }
                | StepResult::Called { .. }
                | StepResult::AlreadyDone
                | StepResult::Failed { .. },
            ) => {
                self.course = Course::Paused;
                self.since = at;
            }
            (
                Course::Resuming { .. },
                StepResult::Fenced { .. } | StepResult::Refused { .. } | StepResult::Failed { .. },
            ) => self.not_before = Some(again(&self.pause.id, at)),
            // The engine ends it.
            (Course::Pausing, StepResult::Fenced { .. } | StepResult::Refused { .. })
            | (
                Course::Resuming { .. },
                StepResult::Done
                | StepResult::Kept { .. }
                | StepResult::Called { .. }
                | StepResult::AlreadyDone,
            )
            | (Course::Paused, _) => {}
        }
    }

    /// Folds its news but for those that begin and end it.
    pub(crate) fn apply(&mut self, at: Timestamp, news: &PauseNews) {
        match news {
            PauseNews::Reached(reached) => self.reached = Some(*reached),
            PauseNews::Resuming { reason } => {
                self.course = Course::Resuming {
                    reason: reason.clone(),
                };
                self.since = at;
                self.in_hand = None;
                // What another process left behind may be many at once.
                let left = self.pause.analysis.is_none();
                self.not_before = left.then(|| later(at, spread(self.pause.id.as_str(), SPREAD)));
            }
            PauseNews::Stuck { .. } => self.told = true,
            PauseNews::Began { .. } | PauseNews::Found { .. } | PauseNews::Ended { .. } => {}
        }
    }
}
