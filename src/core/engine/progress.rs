//! Plans under way: their beginning, their steps, and what they wait for.

use std::collections::BTreeMap;

use super::live::Live;
use super::{
    Effect, Turn, always, drifting, pausing, releases, stepping, suspending, tell, verify,
};
use crate::analysis::{Analysis, Ending};
use crate::ids::TargetId;
use crate::judge::Finding;
use crate::plan::StepOutcome;
use crate::record::Record;
use crate::saga::{Advance, PlanEnd, PlanState, rollback};

/// More than the steps of any plan: the bound keeps a mistake from looping.
const MOST_STEPS: usize = 16;

/// Begins the rollback of a failed revision: every guard has let it pass.
pub(super) fn roll_back(
    turn: &mut Turn<'_>,
    target: &TargetId,
    live: &mut Live,
    analysis: &Analysis,
) {
    let (Some(known), Some(state)) = (turn.known(target), &live.state) else {
        return;
    };
    let (Some(to), Some(mut judged)) = (
        known.destination(&analysis.canary, Some(state)),
        known.judged.clone(),
    ) else {
        return;
    };
    let held = known.holds.clone();
    let plan = rollback(analysis, state, &to, live.watch.on_fail.stuck_pods);
    for hold in held {
        turn.record(Record::HoldEnded {
            target: target.clone(),
            hold,
        });
    }
    turn.record(Record::PlanBegan {
        plan: Box::new(plan.clone()),
    });
    // It may have been held for long: what is told are the findings of now.
    judged.phase = analysis.phase;
    let failing = live.findings().into_iter().filter(Finding::fails);
    (judged.rules, judged.sentences) = failing
        .map(|finding| (finding.rule, finding.sentence))
        .unzip();
    tell::rolling_back(turn, live, &judged, &plan);
    releases::end(turn, live, target, Ending::Fail);
    advance(turn, target, live);
}

/// Takes in what became of a step.
pub(super) fn step_ended(
    turn: &mut Turn<'_>,
    lives: &mut BTreeMap<TargetId, Live>,
    outcome: StepOutcome,
) {
    let found = turn.ledger.targets.iter().find_map(|(target, known)| {
        let plan = known
            .plan
            .as_ref()
            .filter(|plan| plan.plan.id == outcome.plan)?;
        Some((target.clone(), plan.clone()))
    });
    let Some((target, plan)) = found else {
        if suspending::owns(turn, &outcome) {
            suspending::step_ended(turn, lives, &outcome);
        } else if pausing::owns(turn, &outcome) {
            pausing::step_ended(turn, lives, &outcome);
        } else if !stepping::step_ended(turn, lives, &outcome) {
            always::step_ended(turn, lives, outcome);
        }
        return;
    };
    // A result that came twice, or after the plan had ended, changes nothing.
    if plan.in_hand.is_none() || plan.next != outcome.index {
        return;
    }
    let end = plan.end_by(&outcome.result);
    let mut plan = plan;
    if outcome.result.wrote_nothing() {
        plan.in_hand = None;
    }
    turn.record(Record::StepEnded(outcome));
    let Some(live) = lives.get_mut(&target) else {
        return;
    };
    live.news = true;
    if let Some(end) = end {
        ended(turn, &target, live, &plan, end);
    }
}

/// Takes a plan as far as it goes now.
pub(super) fn advance(turn: &mut Turn<'_>, target: &TargetId, live: &mut Live) {
    for _ in 0..MOST_STEPS {
        let Some(plan) = turn.known(target).and_then(|known| known.plan.clone()) else {
            return;
        };
        let handed = live.handed.as_ref() == Some(&(plan.plan.id.clone(), plan.next));
        match plan.advance(turn.now, live.state.as_ref(), handed) {
            Advance::Wait => return,
            Advance::Execute(command) => {
                live.handed = Some((command.plan.clone(), command.index));
                turn.record(Record::StepBegun((*command).clone()));
                turn.output.effects.push(Effect::Step(*command));
                return;
            }
            Advance::Awaited => {
                turn.record(Record::Awaited {
                    plan: plan.plan.id.clone(),
                    index: plan.next,
                });
            }
            // What follows from it needs to be seen: whose the object is, and whether that was reverted.
            Advance::End(PlanEnd::Done) if live.state.is_none() => return,
            Advance::End(end) => {
                ended(turn, target, live, &plan, end);
                return;
            }
        }
    }
}

/// Ends a plan: verifies what it did, or tells why it stopped.
pub(super) fn ended(
    turn: &mut Turn<'_>,
    target: &TargetId,
    live: &mut Live,
    plan: &PlanState,
    end: PlanEnd,
) {
    match &end {
        PlanEnd::Done => {
            verify::begin_after(turn, live, plan);
            drifting::begin_after(turn, live, plan);
        }
        PlanEnd::Fenced { reason } | PlanEnd::Stuck { reason } => {
            tell::rollback_failed(turn, live, plan, reason);
        }
    }
    turn.record(Record::PlanEnded {
        target: target.clone(),
        plan: plan.plan.id.clone(),
        end,
    });
}

/// Ends the plan of a target that is no longer what the plan is about.
pub(super) fn fence(turn: &mut Turn<'_>, target: &TargetId, live: &mut Live, reason: String) {
    if let Some(plan) = turn.known(target).and_then(|known| known.plan.clone()) {
        ended(turn, target, live, &plan, PlanEnd::Fenced { reason });
    }
}
