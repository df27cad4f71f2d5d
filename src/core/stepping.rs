//! A stepped release: how far its traffic is, and the one edit that is under way.
//!
//! It lives beside the analysis whose verdicts drive it, and longer: a failed analysis has ended when the traffic goes
//! back.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::change::Change;
use crate::guard::Hold;
use crate::ids::{AnalysisId, PlanId, RevisionHash, TargetId, WatchName};
use crate::incident::Holds;
use crate::plan::{Action, StepCommand, StepResult};
use crate::rule::Stepped;
use crate::time::later;

/// How long the executor may retry a write.
const STEP_TIME: SignedDuration = SignedDuration::from_secs(60);

/// A stepped release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Stepping {
    pub analysis: AnalysisId,
    pub watch: WatchName,
    pub target: TargetId,
    /// The revision under test.
    pub canary: RevisionHash,
    /// As the watch said when it began.
    pub stepped: Stepped,
    pub reached: Option<Reached>,
    pub moving: Option<Moving>,
    /// Edits that were begun: the last part of their ids.
    pub moves: u32,
    pub holds: Holds,
    pub end: Option<SteppingEnd>,
    /// Things that people are to be told,
    pub news: u32,
    /// and how many of them were told.
    pub told: u32,
}

/// Where the traffic is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Reached {
    pub aim: Aim,
    pub percent: u32,
    /// `metadata.uid` of the object that splits it.
    pub uid: String,
    /// What takes its traffic back from there, at once; `None`: it has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub back: Option<Box<Change>>,
    pub at: Timestamp,
}

/// What an edit is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Aim {
    /// That step, counted from 0.
    Step(usize),
    /// No traffic for the canary.
    Back,
}

/// A decided edit of the route.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TrafficPlan {
    pub id: PlanId,
    pub target: TargetId,
    pub analysis: AnalysisId,
    pub aim: Aim,
    pub percent: u32,
    pub change: Change,
}

/// An edit under way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Moving {
    pub plan: TrafficPlan,
    pub began: Timestamp,
    /// It was handed to the executor and has not come back: its deadline.
    pub in_hand: Option<Timestamp>,
    /// When the write was known to be done.
    pub written: Option<Timestamp>,
}

/// How the stepping of a release ended. Nothing more is written to the route then.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    rename_all = "camelCase",
    rename_all_fields = "camelCase",
    tag = "stepping"
)]
pub enum SteppingEnd {
    /// The last step was reached, and the release passed.
    Passed,
    /// The release failed, and the canary has no traffic any more.
    Back,
    /// The analysis is over without a Pass or a Fail: the traffic stays as it is.
    Over { reason: String },
    /// Somebody else has a hand in it: theirs stays.
    TakenOver { reason: String },
    /// It could not be carried out.
    Stuck { reason: String },
}

impl Stepping {
    /// One that begins now.
    pub fn new(
        analysis: &AnalysisId,
        watch: &WatchName,
        target: &TargetId,
        canary: &RevisionHash,
        stepped: &Stepped,
    ) -> Self {
        Self {
            analysis: analysis.clone(),
            watch: watch.clone(),
            target: target.clone(),
            canary: canary.clone(),
            stepped: stepped.clone(),
            reached: None,
            moving: None,
            moves: 0,
            holds: Holds::default(),
            end: None,
            news: 0,
            told: 0,
        }
    }

    /// The step that comes next; `None`: the last one is reached.
    pub fn next(&self) -> Option<(usize, u32)> {
        let next = match self.reached.as_ref().map(|reached| reached.aim) {
            None => 0,
            Some(Aim::Step(step)) => step + 1,
            Some(Aim::Back) => return None,
        };
        Some((next, *self.stepped.steps.get(next)?))
    }

    /// Whether the last step is reached.
    pub fn in_full(&self) -> bool {
        let last = self.stepped.steps.len().saturating_sub(1);
        self.reached
            .as_ref()
            .is_some_and(|reached| reached.aim == Aim::Step(last))
    }

    /// What the canary has now as far as is known, in percent.
    pub fn percent(&self) -> Option<u32> {
        Some(self.reached.as_ref()?.percent)
    }

    /// How many of its steps are reached.
    pub fn step(&self) -> usize {
        match self.reached.as_ref().map(|reached| reached.aim) {
            Some(Aim::Step(step)) => step + 1,
            Some(Aim::Back) | None => 0,
        }
    }

    /// What has to be before the next step, as far as the records say; no whole sentence.
    pub fn waits_for(&self) -> String {
        if let Some(moving) = &self.moving {
            return format!("{} to be written", moving.plan.in_words());
        }
        if let Some(hold) = &self.holds.latest {
            return format!("guard `{}` to let it go on: {}", hold.guard, hold.reason);
        }
        let each = SignedDuration::try_from(self.stepped.each).unwrap_or(SignedDuration::MAX);
        let each = crate::wording::span(each);
        match (&self.reached, self.next()) {
            (None, _) => "its pods to be ready".to_owned(),
            (Some(_), Some(_)) => format!("the release to be passing at this step for {each}"),
            (Some(_), None) => "the end of its watch: the last step is reached".to_owned(),
        }
    }

    /// An edit that was decided.
    pub fn begin(&mut self, plan: &TrafficPlan, at: Timestamp) {
        self.moves = self.moves.saturating_add(1);
        self.moving = Some(Moving {
            plan: plan.clone(),
            began: at,
            in_hand: None,
            written: None,
        });
    }

    /// The route has been seen, or set, to what the aim wants.
    pub fn reach(&mut self, reached: Reached) {
        self.holds = Holds::default();
        self.moving = None;
        self.reached = Some(reached);
        self.news = self.news.saturating_add(1);
    }

    /// It is held back; an edit that was under way has ended without a write.
    pub fn hold(&mut self, hold: &Hold) {
        self.moving = None;
        if self.holds.is_new(hold.guard) {
            self.news = self.news.saturating_add(1);
        }
        self.holds.add(hold);
    }

    /// It is over.
    pub fn finish(&mut self, end: &SteppingEnd) {
        self.moving = None;
        self.end = Some(end.clone());
        self.news = self.news.saturating_add(1);
    }
}

impl Moving {
    /// What came of it at the executor.
    pub fn ended(&mut self, result: &StepResult, at: Timestamp) {
        self.in_hand = None;
        match result {
            StepResult::Done
            | StepResult::Kept { .. }
            | StepResult::Called { .. }
            | StepResult::AlreadyDone => {
                self.written = Some(at);
            }
            StepResult::Fenced { .. } | StepResult::Refused { .. } | StepResult::Failed { .. } => {}
        }
    }

    /// The write as a command for the executor.
    pub fn command(&self, now: Timestamp) -> StepCommand {
        StepCommand {
            plan: self.plan.id.clone(),
            index: 0,
            action: Action::Change(Box::new(self.plan.change.clone())),
            deadline: later(now, STEP_TIME),
            again: self.in_hand.is_some(),
        }
    }
}

impl TrafficPlan {
    /// What the readers of a journal see of it.
    pub fn in_words(&self) -> String {
        let Self { aim, percent, .. } = self;
        match aim {
            Aim::Step(step) => format!(
                "step {} of its traffic, {percent} %: {}",
                step + 1,
                self.change.in_words()
            ),
            Aim::Back => format!("its traffic back: {}", self.change.in_words()),
        }
    }
}

impl SteppingEnd {
    /// What the readers of a journal see of it.
    pub fn in_words(&self) -> String {
        match self {
            Self::Passed => "its traffic is through all steps, and it passed".to_owned(),
            Self::Back => "it has no traffic any more".to_owned(),
            Self::Over { reason } => format!("its traffic stays as it is: {reason}"),
            Self::TakenOver { reason } => {
                format!("its traffic is left to somebody else: {reason}")
            }
            Self::Stuck { reason } => format!("its traffic could not be set: {reason}"),
        }
    }
}
