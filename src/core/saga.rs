//! Carrying out a plan: which step is next, and what each result leads to. No choices are left here (P4).

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::analysis::{Analysis, WayBack, later};
use crate::ids::{AnalysisId, PlanId, RevisionHash, TargetKind};
use crate::plan::{Fence, Step, StepCommand, StepResult};
use crate::target::TargetState;

/// How long the executor may retry one step.
pub const STEP_TIME: SignedDuration = SignedDuration::from_secs(60);
/// How long a waiting step waits for the cluster.
pub const WAIT_TIME: SignedDuration = SignedDuration::from_mins(10);

/// An action with no choice left in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Plan {
    pub id: PlanId,
    pub analysis: AnalysisId,
    pub fence: Fence,
    /// The revision that will serve when the plan is done.
    pub to: WayBack,
    pub steps: Vec<Step>,
}

/// How far a plan is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PlanState {
    pub plan: Plan,
    /// Index of the step that is next, or in hand.
    pub next: usize,
    /// Whether that step was handed to the executor and has not come back.
    pub in_hand: bool,
    pub began: Timestamp,
    /// When the present step became the next one.
    pub step_began: Timestamp,
}

/// How a plan ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", tag = "end")]
pub enum PlanEnd {
    Done,
    /// The object was no longer what was judged: nothing more was written.
    Fenced {
        reason: String,
    },
    /// A step could not be carried out.
    Stuck {
        reason: String,
    },
}

/// What a plan needs now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Advance {
    /// Hand this step to the executor.
    Execute(StepCommand),
    /// The waiting step is over.
    Awaited,
    /// Nothing to do until news come.
    Wait,
    End(PlanEnd),
}

/// The rollback of the analysed revision: abort while a Rollout is in flight, undo and full promotion after it.
pub fn rollback(analysis: &Analysis, state: &TargetState, to: &WayBack) -> Plan {
    let revision = to.revision.clone();
    let (to, steps) = match (&analysis.target.kind, &state.rollout) {
        (TargetKind::Rollout, Some(rollout))
            if rollout.stable.as_ref() != Some(&analysis.canary) =>
        {
            // An abort always goes back to the stable revision of the Rollout, whatever else is known good.
            let stable = rollout.stable.clone().unwrap_or(revision);
            let known_good = to.known_good && to.revision == stable;
            let to = WayBack {
                revision: stable,
                known_good,
            };
            (to, vec![Step::AbortRollout, Step::AwaitRestored])
        }
        (TargetKind::Rollout, _) => (
            to.clone(),
            vec![
                Step::UndoRollout {
                    to: revision.clone(),
                },
                Step::AwaitCurrent {
                    hash: revision.clone(),
                },
                Step::PromoteFull { of: revision },
                Step::AwaitRestored,
            ],
        ),
        (TargetKind::Deployment, _) => (
            to.clone(),
            vec![Step::UndoDeployment { to: revision }, Step::AwaitRestored],
        ),
    };
    Plan {
        id: PlanId(format!("{}-rollback", analysis.id)),
        analysis: analysis.id.clone(),
        fence: Fence {
            target: analysis.target.clone(),
            uid: analysis.uid.clone(),
            judged: analysis.canary.clone(),
        },
        to,
        steps,
    }
}

impl PlanState {
    pub fn new(plan: Plan, now: Timestamp) -> Self {
        Self {
            plan,
            next: 0,
            in_hand: false,
            began: now,
            step_began: now,
        }
    }

    /// The step that is next, or in hand.
    pub fn step(&self) -> Option<&Step> {
        self.plan.steps.get(self.next)
    }

    /// The present step as a command for the executor.
    pub fn command(&self, now: Timestamp) -> Option<StepCommand> {
        Some(StepCommand {
            plan: self.plan.id.clone(),
            index: self.next,
            fence: self.plan.fence.clone(),
            step: self.step()?.clone(),
            deadline: later(now, STEP_TIME),
        })
    }

    /// What to do now, given what the cluster shows.
    pub fn advance(&self, now: Timestamp, state: Option<&TargetState>) -> Advance {
        if self.in_hand {
            return Advance::Wait;
        }
        match self.step() {
            None => Advance::End(PlanEnd::Done),
            Some(Step::AwaitCurrent { hash }) => self.await_with(now, state, |state| {
                if state.current.as_ref() == Some(hash) {
                    Seen::Yes
                } else {
                    Seen::NotYet
                }
            }),
            Some(Step::AwaitRestored) => self.await_with(now, state, |state| self.restored(state)),
            Some(
                Step::UndoDeployment { .. }
                | Step::AbortRollout
                | Step::UndoRollout { .. }
                | Step::PromoteFull { .. },
            ) => self.command(now).map_or(Advance::Wait, Advance::Execute),
        }
    }

    /// How the plan ends because of a step's result; `None`: it goes on.
    pub fn end_by(&self, result: &StepResult) -> Option<PlanEnd> {
        match result {
            StepResult::Done | StepResult::AlreadyDone => None,
            StepResult::Fenced { reason } => Some(PlanEnd::Fenced {
                reason: reason.clone(),
            }),
            StepResult::Refused { reason } | StepResult::Failed { reason } => {
                Some(PlanEnd::Stuck {
                    reason: reason.clone(),
                })
            }
        }
    }

    fn await_with(
        &self,
        now: Timestamp,
        state: Option<&TargetState>,
        look: impl Fn(&TargetState) -> Seen,
    ) -> Advance {
        let target = &self.plan.fence.target;
        match state.map(look) {
            Some(Seen::Yes) => Advance::Awaited,
            Some(Seen::Never(reason)) => Advance::End(PlanEnd::Fenced { reason }),
            Some(Seen::NotYet) | None if now >= later(self.step_began, WAIT_TIME) => {
                let seen = state.map_or_else(
                    || "nothing was seen of it".to_owned(),
                    |state| serving(state, &self.plan.fence.judged),
                );
                Advance::End(PlanEnd::Stuck {
                    reason: format!(
                        "{target} was not restored within {} min: {seen}",
                        WAIT_TIME.as_mins()
                    ),
                })
            }
            Some(Seen::NotYet) | None => Advance::Wait,
        }
    }

    /// No pod of the judged revision serves, and pods of the way back do.
    fn restored(&self, state: &TargetState) -> Seen {
        let Fence {
            target,
            uid,
            judged,
        } = &self.plan.fence;
        if state.uid != *uid {
            return Seen::Never(format!("{target} was deleted and created again"));
        }
        let to = &self.plan.to.revision;
        if let Some(current) = &state.current
            && current != judged
            && current != to
        {
            return Seen::Never(format!(
                "revision {current} of {target} was shipped meanwhile"
            ));
        }
        let serves = |hash: &RevisionHash| {
            state
                .pods
                .iter()
                .any(|pod| pod.hash == *hash && pod.ready && !pod.terminating)
        };
        let current = match &state.rollout {
            Some(rollout) => rollout.stable.as_ref() == Some(to),
            None => state.current.as_ref() == Some(to) && state.complete,
        };
        if current && !serves(judged) && serves(to) {
            Seen::Yes
        } else {
            Seen::NotYet
        }
    }
}

enum Seen {
    Yes,
    NotYet,
    Never(String),
}

fn serving(state: &TargetState, judged: &RevisionHash) -> String {
    let bad = state
        .pods
        .iter()
        .filter(|pod| pod.hash == *judged && !pod.terminating)
        .count();
    let unready: Vec<String> = state
        .pods
        .iter()
        .filter(|pod| !pod.ready && !pod.terminating)
        .map(|pod| {
            let reason = pod.unready_reason.as_deref().unwrap_or("not ready");
            format!("`{}` ({reason})", pod.name)
        })
        .take(5)
        .collect();
    let unready = if unready.is_empty() {
        "none".to_owned()
    } else {
        unready.join(", ")
    };
    format!("{bad} pods of revision {judged} are left; unready pods: {unready}")
}
