//! Carrying out a plan: which step is next, and what each result leads to. No choices are left here (P4).

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::analysis::{Analysis, WayBack};
use crate::ids::{AnalysisId, PlanId, RevisionHash, TargetId, TargetKind};
use crate::plan::{Action, Admission, Fence, RollbackStep, Step, StepCommand, StepResult};
use crate::rule::StuckPods;
use crate::target::{Pod, TargetState};
use crate::time::{elapsed, later};
use crate::wording::{capitalised, plural, span, unready};

/// How long the executor may retry one step.
pub const STEP_TIME: SignedDuration = SignedDuration::from_secs(60);
/// How long a waiting step waits for the cluster; and how old a decision may be that has not been carried out yet.
pub const WAIT_TIME: SignedDuration = SignedDuration::from_mins(10);
/// The executor has an answer at the step's deadline. Some time after it, it is taken for lost.
pub const LOST: SignedDuration = SignedDuration::from_secs(30);
/// With good pods serving and no bad one, the last pods of a Deployment may take their time.
const SETTLE: SignedDuration = SignedDuration::from_secs(30);
/// A controller that replaces an unready pod by itself has begun to after this long.
const STUCK: SignedDuration = SignedDuration::from_secs(3);
/// Times that stuck pods are deleted within one plan, at most.
const MOST_ROUNDS: usize = 5;

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
    /// Who ordered it; `None`: Recant decided it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
}

/// How far a plan is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PlanState {
    pub plan: Plan,
    /// Index of the step that is next, or in hand.
    pub next: usize,
    /// That step was handed to the executor and has not come back: its deadline.
    pub in_hand: Option<Timestamp>,
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
    Execute(Box<StepCommand>),
    /// The waiting step is over.
    Awaited,
    /// Nothing to do until news come.
    Wait,
    End(PlanEnd),
}

/// The id of the rollback that an analysis leads to.
pub fn plan_of(analysis: &AnalysisId) -> PlanId {
    PlanId(format!("{analysis}-rollback"))
}

/// The rollback of the analysed revision to `to`: an abort while a Rollout is in flight and `to` is its stable
/// revision; else an undo, and for a Rollout full promotion after it.
pub fn rollback(
    analysis: &Analysis,
    state: &TargetState,
    to: &WayBack,
    stuck_pods: StuckPods,
) -> Plan {
    let revision = to.revision.clone();
    let steps = match (&analysis.target.kind, &state.rollout) {
        (TargetKind::Rollout, Some(rollout)) if rollout.stable.as_ref() == Some(&revision) => {
            vec![Step::AbortRollout, Step::AwaitRestored]
        }
        (TargetKind::Rollout, _) => vec![
            Step::UndoRollout {
                to: revision.clone(),
            },
            Step::AwaitCurrent {
                hash: revision.clone(),
            },
            Step::PromoteFull { of: revision },
            Step::AwaitRestored,
        ],
        (TargetKind::Deployment, _) => {
            vec![Step::UndoDeployment { to: revision }, Step::AwaitRestored]
        }
        (TargetKind::StatefulSet | TargetKind::DaemonSet, _) => {
            apply_revision(analysis, state, &revision, stuck_pods)
        }
    };
    Plan {
        id: plan_of(&analysis.id),
        analysis: analysis.id.clone(),
        fence: Fence {
            target: analysis.target.clone(),
            uid: analysis.uid.clone(),
            judged: analysis.canary.clone(),
            number: state
                .revisions
                .iter()
                .find(|revision| revision.hash == analysis.canary)
                .map(|revision| revision.number),
        },
        to: to.clone(),
        steps,
        by: None,
    }
}

/// While a `StatefulSet` goes back, another of its pods may become unready and block it: so there are several rounds, of
/// which those that are not needed pass at once.
fn apply_revision(
    analysis: &Analysis,
    state: &TargetState,
    to: &RevisionHash,
    stuck_pods: StuckPods,
) -> Vec<Step> {
    let mut steps = vec![Step::ApplyRevision { to: to.clone() }];
    let of_canary = state.pods.iter().filter(|pod| pod.hash == analysis.canary);
    let rounds = match (stuck_pods, analysis.target.kind) {
        (StuckPods::Delete, TargetKind::StatefulSet) => of_canary.count().clamp(1, MOST_ROUNDS),
        (StuckPods::Delete | StuckPods::Tell, _) => 0,
    };
    for _ in 0..rounds {
        steps.push(Step::AwaitStuck);
        steps.push(Step::DeleteStuckPods { to: to.clone() });
    }
    steps.push(Step::AwaitRestored);
    steps
}

impl PlanState {
    /// A plan that begins now.
    pub fn new(plan: Plan, now: Timestamp) -> Self {
        Self {
            plan,
            next: 0,
            in_hand: None,
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
            action: Action::Rollback(self.rollback_step()?),
            deadline: later(now, STEP_TIME),
            again: self.in_hand.is_some(),
        })
    }

    fn rollback_step(&self) -> Option<RollbackStep> {
        Some(RollbackStep {
            fence: self.plan.fence.clone(),
            step: self.step()?.clone(),
        })
    }

    /// What to do now, given what the cluster shows. `handed` says whether this process handed the step in hand to
    /// the executor; what an earlier process had in hand is handed out again.
    pub fn advance(&self, now: Timestamp, state: Option<&TargetState>, handed: bool) -> Advance {
        match self.step() {
            None => Advance::End(PlanEnd::Done),
            Some(Step::AwaitCurrent { hash }) => {
                self.await_with(now, state, |state| state.current.as_ref() == Some(hash))
            }
            Some(Step::AwaitRestored) => {
                self.await_with(now, state, |state| self.restored(now, state))
            }
            Some(Step::AwaitStuck) => self.await_with(now, state, |state| {
                self.restored(now, state) || self.is_stuck(now, state)
            }),
            Some(
                Step::UndoDeployment { .. }
                | Step::ApplyRevision { .. }
                | Step::DeleteStuckPods { .. }
                | Step::AbortRollout
                | Step::UndoRollout { .. }
                | Step::PromoteFull { .. },
            ) => self.execute(now, state, handed),
        }
    }

    fn execute(&self, now: Timestamp, state: Option<&TargetState>, handed: bool) -> Advance {
        let waits = self
            .in_hand
            .is_some_and(|deadline| handed && now < later(deadline, LOST));
        let Some(command) = self.command(now) else {
            return Advance::Wait;
        };
        if waits {
            return Advance::Wait;
        }
        let age = elapsed(self.step_began, now);
        if age < WAIT_TIME {
            return Advance::Execute(Box::new(command));
        }
        // An old decision may only be finished, if its step was in hand and shows on the object: nothing is written.
        let Some(state) = state else {
            return Advance::Wait;
        };
        let shows = |step: RollbackStep| step.admit(&self.plan.id, state) == Admission::AlreadyDone;
        if self.in_hand.is_some() && self.rollback_step().is_some_and(shows) {
            return Advance::Execute(Box::new(command));
        }
        Advance::End(PlanEnd::Stuck {
            reason: format!(
                "the decision is {} old, and its step has not been carried out",
                span(age)
            ),
        })
    }

    /// How the plan ends because of a step's result; `None`: it goes on.
    pub fn end_by(&self, result: &StepResult) -> Option<PlanEnd> {
        match result {
            StepResult::Done
            | StepResult::Kept { .. }
            | StepResult::Called { .. }
            | StepResult::AlreadyDone => None,
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
        reached: impl Fn(&TargetState) -> bool,
    ) -> Advance {
        // Not seen since the start of the agent: that is no reason to give up.
        let Some(state) = state else {
            return Advance::Wait;
        };
        if let Some(reason) = self.moved_on(state) {
            return Advance::End(PlanEnd::Fenced { reason });
        }
        if reached(state) {
            return Advance::Awaited;
        }
        if now < later(self.step_began, WAIT_TIME) {
            return Advance::Wait;
        }
        Advance::End(PlanEnd::Stuck {
            reason: format!(
                "{} is not restored after {}: {}",
                self.plan.fence.target,
                span(WAIT_TIME),
                left(state, &self.plan.fence.judged)
            ),
        })
    }

    /// Whether the object is no longer the one that this plan is about.
    fn moved_on(&self, state: &TargetState) -> Option<String> {
        let Fence {
            target,
            uid,
            judged,
            number: _,
        } = &self.plan.fence;
        if state.uid != *uid {
            return Some(format!("{target} was deleted and created again"));
        }
        let current = state.current.as_ref()?;
        (current != judged && *current != self.plan.to.revision)
            .then(|| format!("revision {current} of {target} was shipped meanwhile"))
    }

    /// The controller has the way back, and still leaves unready pods of the judged revision as they are.
    fn is_stuck(&self, now: Timestamp, state: &TargetState) -> bool {
        let back = state.current.as_ref() == Some(&self.plan.to.revision);
        let mut stuck = state.stuck(&self.plan.fence.judged);
        back && elapsed(self.step_began, now) >= STUCK && stuck.any(|pod| !pod.ready)
    }

    /// No pod of the judged revision serves, and pods of the way back do.
    fn restored(&self, now: Timestamp, state: &TargetState) -> bool {
        let to = &self.plan.to.revision;
        let serves = |hash: &RevisionHash| {
            state
                .pods
                .iter()
                .any(|pod| pod.hash == *hash && pod.ready && !pod.terminating)
        };
        let settled = if let Some(rollout) = &state.rollout {
            // The preview of a blue-green Rollout may run on for as long as it likes: its Service decides what serves.
            if let Some(active) = &rollout.active {
                return rollout.stable.as_ref() == Some(to) && active == to && serves(to);
            }
            rollout.stable.as_ref() == Some(to)
        } else {
            let waited = elapsed(self.step_began, now) >= SETTLE;
            state.current.as_ref() == Some(to) && (state.complete || waited)
        };
        let judged = &self.plan.fence.judged;
        // What its controller will not replace is for a person to delete.
        settled && !serves(judged) && serves(to) && state.stuck(judged).next().is_none()
    }
}

/// What is still missing, for people.
fn left(state: &TargetState, judged: &RevisionHash) -> String {
    let bad = state
        .pods
        .iter()
        .filter(|pod| pod.hash == *judged && !pod.terminating)
        .count();
    let bad = match bad {
        0 => format!("no pod of revision {judged} is left"),
        bad => format!("{} of revision {judged} left", plural(bad, "pod")),
    };
    let bad = match unready(state.pods.iter()) {
        Some(unready) => format!("{bad}; {unready}"),
        None => bad,
    };
    match by_hand(state, judged) {
        Some(advice) => format!("{bad}. {advice}"),
        None => bad,
    }
}

/// What a person has to do because the controller does not replace these pods by itself, if that is so. A sentence
/// without its full stop.
pub fn by_hand(state: &TargetState, judged: &RevisionHash) -> Option<String> {
    let TargetId {
        namespace, kind, ..
    } = &state.id;
    let stuck = names(state.stuck(judged));
    if !stuck.is_empty() {
        let why = if state.for_rollback.replacement.on_delete {
            format!("with `updateStrategy: OnDelete` a {kind} replaces no pod by itself")
        } else {
            format!("a {kind} waits for ever for a pod that is not ready")
        };
        return Some(format!(
            "{}: once the template is back, `kubectl delete pod -n {namespace} {stuck}` makes room for good pods",
            capitalised(&why)
        ));
    }
    let partitioned = names(state.partitioned(judged));
    (!partitioned.is_empty()).then(|| {
        format!(
            "Pods below the partition ({}) keep revision {judged}: {partitioned}. Lower \
             `spec.updateStrategy.rollingUpdate.partition` to take them back",
            state.for_rollback.replacement.partition
        )
    })
}

/// The names of a few pods, for a command line.
fn names<'a>(pods: impl Iterator<Item = &'a Pod>) -> String {
    const MOST: usize = 20;
    let names: Vec<&str> = pods.take(MOST).map(|pod| pod.name.as_str()).collect();
    names.join(" ")
}

#[cfg(test)]
mod tests;
