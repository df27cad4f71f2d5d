//! Approvals: a person is asked when nothing but their word is missing, and their word counts for that plan alone.

use crate::analysis::Analysis;
use crate::command::{Command, CommandOutcome};
use crate::engine::live::Live;
use crate::engine::{Turn, tell};
use crate::guard::{Approval, Guard, Hold};
use crate::ids::{PlanId, TargetId};
use crate::record::Record;
use crate::saga::plan_of;
use crate::time::later;

/// Asks, if the rollback waits for nothing else, and nobody is being asked about it already.
pub(in crate::engine) fn ask(
    turn: &mut Turn<'_>,
    target: &TargetId,
    live: &Live,
    analysis: &Analysis,
    holds: &[Hold],
) {
    let [
        Hold {
            guard: Guard::Approval,
            ..
        },
    ] = holds
    else {
        return;
    };
    let known = turn.known(target);
    let to = known.and_then(|known| known.destination(&analysis.canary, live.state.as_ref()));
    let Some(to) = to else { return };
    let plan = plan_of(&analysis.id);
    let asked = turn.ledger.people.approvals.get(&plan);
    if asked.is_some_and(|asked| asked.stands(turn.now) && asked.to == to.revision) {
        return;
    }
    let approval = Approval {
        plan,
        analysis: analysis.id.clone(),
        target: target.clone(),
        from: analysis.canary.clone(),
        to: to.revision.clone(),
        asked: turn.now,
        expires: later(turn.now, turn.settings.guards.approval.within),
        given: None,
    };
    turn.record(Record::ApprovalAsked {
        approval: Box::new(approval.clone()),
    });
    tell::approval_asked(turn, live, &approval, &to);
}

/// What becomes of somebody's agreement.
pub(super) fn approve(turn: &Turn<'_>, plan: &PlanId, command: &Command) -> CommandOutcome {
    let people = &turn.ledger.people;
    let Some(asked) = people.approvals.get(plan) else {
        let over = people.approvals_over.iter().rev();
        let why = over
            .clone()
            .find(|(known, _)| known == plan)
            .map_or("nobody was asked about it", |(_, why)| why.as_str());
        return CommandOutcome::refused(format!(
            "plan `{plan}` waits for no approval: {why}; `recant explain` says how its target stands"
        ));
    };
    if !asked.stands(turn.now) {
        return CommandOutcome::refused(format!(
            "the approval of plan `{plan}` could be given until {:.0}; while its rule still fails, people are asked anew",
            asked.expires
        ));
    }
    if let Some(given) = &asked.given {
        return CommandOutcome::refused(format!(
            "plan `{plan}` was approved already, by {} at {:.0}; nothing more is to be done",
            given.by, given.at
        ));
    }
    let target = &asked.target;
    let held = turn
        .known(target)
        .map_or(&[][..], |known| known.holds.as_slice());
    let others: Vec<String> = held
        .iter()
        .filter(|hold| hold.rule.is_none() && hold.guard != Guard::Approval)
        .map(|hold| format!("`{}` ({})", hold.guard, hold.reason))
        .collect();
    let next = if others.is_empty() {
        format!(
            "{target} goes from revision {} back to {}",
            asked.from, asked.to
        )
    } else {
        format!(
            "nothing is done to {target} while it is held by {}; when that ends before {:.0} and a rule still fails, it \
             goes from revision {} back to {}",
            others.join(", "),
            asked.expires,
            asked.from,
            asked.to
        )
    };
    CommandOutcome::Done {
        said: format!("approved by {}: {next}", command.by),
        plan: Some(plan.clone()),
        overridden: Vec::new(),
    }
}
