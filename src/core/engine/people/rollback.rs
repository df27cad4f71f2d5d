//! A person's rollback: their word in the place of the evidence, and the rest as always: way back, guards, plan, fence.

use std::collections::BTreeMap;

use super::{Answered, number_of, split, take};
use crate::analysis::{Analysis, Ending, WayBack};
use crate::command::{Command, CommandOutcome};
use crate::engine::live::Live;
use crate::engine::preflight::Looked;
use crate::engine::verify::{self, Told};
use crate::engine::{Reply, Turn, decide, preflight, progress, releases, suspending, tell};
use crate::guard::{Guard, Hold, holds_of_command};
use crate::ids::{AnalysisId, PlanId, RevisionHash, TargetId};
use crate::judge::Phase;
use crate::notice::NoticeKind;
use crate::record::Record;
use crate::saga::{Plan, PlanState, rollback};
use crate::target::TargetState;
use crate::wording::listed;

/// A rollback that nothing holds.
pub(super) struct Ready {
    plan: Plan,
    overridden: Vec<Hold>,
}

/// What becomes of it, as far as the cluster has answered: the guards, then the look at the way back, then, where a
/// `GitOps` tool would revert it, its suspension.
pub(super) fn consider(
    turn: &mut Turn<'_>,
    lives: &mut BTreeMap<TargetId, Live>,
    command: &Command,
    (target, to): (&TargetId, Option<&str>),
    dry_run: bool,
) -> Answered<Ready> {
    let over = |outcome| Answered::Over(Reply::plain(outcome));
    let number = number_of(turn, command);
    let (analysis, plan) = match plan(turn, lives, command, target, to, number) {
        Ok(planned) => planned,
        Err(outcome) => return over(outcome),
    };
    let held = holds(turn, lives, &analysis, &plan);
    let (mut overridden, mut held) = split(turn, command, held);
    let Some(live) = lives.get_mut(target) else {
        return over(CommandOutcome::refused(format!("{target} is not watched")));
    };
    // Nobody looks at what is not done anyway; but of a dry run everything is said.
    if held.is_empty() || dry_run {
        let mut slot = live.ordered_way_back.take();
        let looked = preflight::look(turn, &mut slot, target, &plan.to);
        live.ordered_way_back = slot;
        match looked {
            Looked::Awaited => return Answered::Later,
            Looked::Holds(found) => {
                let (despite, found) = split(turn, command, found);
                overridden.extend(despite);
                held.extend(found);
            }
        }
    }
    if dry_run {
        // Guards that hold it do not keep anybody from seeing what would be written.
        let steps = PlanState::new(plan.clone(), turn.now).command(turn.now);
        let outcome = if held.is_empty() {
            CommandOutcome::Done {
                said: format!(
                    "would go from revision {} back to {}",
                    plan.fence.judged,
                    tell::way_back(&plan.to)
                ),
                plan: None,
                overridden,
            }
        } else {
            CommandOutcome::Held { holds: held }
        };
        return Answered::Over(Reply {
            outcome,
            steps: steps.into_iter().collect(),
        });
    }
    if !held.is_empty() {
        return over(CommandOutcome::Held { holds: held });
    }
    let despite_git = overridden.iter().any(|hold| hold.guard == Guard::GitOps);
    if !despite_git && suspending::concerns(turn, live) {
        // The suspension is a write that follows from it.
        take(turn, command);
        if !suspending::lets_begin(turn, target, live, &analysis, Some(&plan.to.revision)) {
            return Answered::Later;
        }
    }
    Answered::Ready(Ready { plan, overridden })
}

/// Begins it: nothing holds it.
pub(super) fn begin(
    turn: &mut Turn<'_>,
    lives: &mut BTreeMap<TargetId, Live>,
    command: &Command,
    Ready { plan, overridden }: Ready,
) -> CommandOutcome {
    let target = &plan.fence.target.clone();
    let Some(live) = lives.get_mut(target) else {
        return CommandOutcome::refused(format!("{target} is not watched: no Watch names it"));
    };
    let held = turn
        .known(target)
        .map_or_else(Vec::new, |known| known.holds.clone());
    for hold in held {
        turn.record(Record::HoldEnded {
            target: target.clone(),
            hold,
        });
    }
    let reason = format!("{} took it back", command.by);
    verify::end(turn, target, live, reason, Told::Elsewhere);
    turn.record(Record::PlanBegan {
        plan: Box::new(plan.clone()),
    });
    tell::rolling_back_for(turn, live, &plan, &command.reason, &overridden);
    end_analysis(turn, target, live, &plan);
    progress::advance(turn, target, live);
    CommandOutcome::Done {
        said: format!(
            "{target} goes from revision {} back to {}",
            plan.fence.judged,
            tell::way_back(&plan.to)
        ),
        plan: Some(plan.id),
        overridden,
    }
}

/// The id of the plan of the `number`th command.
fn plan_of(analysis: &AnalysisId, number: u64) -> PlanId {
    PlanId(format!("{analysis}-command-{number}"))
}

/// A person's rollback of which the journal was cut off before it was told and the analysis ended.
pub(in crate::engine) fn finish_beginning(
    turn: &mut Turn<'_>,
    target: &TargetId,
    live: &mut Live,
    plan: &Plan,
) {
    let told = turn
        .known(target)
        .is_some_and(|known| known.said.contains(&NoticeKind::RollingBack));
    if !told {
        tell::rolling_back_for(turn, live, plan, "", &[]);
    }
    end_analysis(turn, target, live, plan);
}

/// A person's word is no finding: what had not failed is neither good nor bad.
fn end_analysis(turn: &mut Turn<'_>, target: &TargetId, live: &mut Live, plan: &Plan) {
    let analysis = turn.known(target).and_then(|known| known.analysis.as_ref());
    let Some(failed) = analysis.map(|analysis| analysis.failed.is_some()) else {
        return;
    };
    let by = plan.by.as_deref().unwrap_or("somebody");
    let ending = if failed {
        Ending::Fail
    } else {
        Ending::Superseded {
            reason: format!("{by} took revision {} back", plan.fence.judged),
        }
    };
    releases::end(turn, live, target, ending);
}

/// The plan, whatever the guards say of it.
fn plan(
    turn: &Turn<'_>,
    lives: &BTreeMap<TargetId, Live>,
    command: &Command,
    target: &TargetId,
    to: Option<&str>,
    number: u64,
) -> Result<(Analysis, Plan), CommandOutcome> {
    let refused = |reason: String| Err(CommandOutcome::refused(reason));
    let Some(live) = lives.get(target) else {
        return refused(format!("{target} is not watched: no Watch names it"));
    };
    let Some(state) = &live.state else {
        return refused(format!(
            "{target} has not been seen in the cluster since the start of the agent: does it exist?"
        ));
    };
    let (Some(known), Some(current)) = (turn.known(target), releases::current_of(state)) else {
        return refused(format!(
            "the controller has not seen the latest spec of {target} yet: try again in a moment"
        ));
    };
    let way_back = match to {
        Some(to) => {
            let revision = revision(state, to)?;
            Some(WayBack {
                known_good: known.known_good(&revision),
                revision,
            })
        }
        None => known.destination(&current, Some(state)),
    };
    let Some(way_back) = way_back else {
        return refused(format!(
            "{target} has no earlier revision of which anything is known; say which with `--to`: {}",
            revisions(state, &current)
        ));
    };
    let to = &way_back.revision;
    if *to == current {
        return refused(format!("{target} is at revision {to} already"));
    }
    // P12, whoever orders it.
    if known.has_failed(to) {
        return refused(format!(
            "revision {to} of {target} failed its watch, and Recant never goes back to such a one; choose another: {}",
            revisions(state, &current)
        ));
    }
    let analysis = match &known.analysis {
        Some(analysis) if analysis.canary == current => analysis.clone(),
        Some(_) | None => Analysis {
            id: AnalysisId(format!(
                "{}-{current}-{}-c{number}",
                target.name,
                turn.now.as_second()
            )),
            watch: live.watch.name.clone(),
            target: target.clone(),
            uid: state.uid.clone(),
            canary: current,
            baseline: None,
            phase: Phase::Alone,
            began: turn.now,
            first_traffic: None,
            promoted: None,
            failed: None,
            stepped: false,
            in_full: None,
        },
    };
    let plan = Plan {
        id: plan_of(&analysis.id, number),
        by: Some(command.by.to_string()),
        ..rollback(&analysis, state, &way_back, live.watch.on_fail.stuck_pods)
    };
    Ok((analysis, plan))
}

/// The guards that hold it, before the way back is looked at.
fn holds(
    turn: &Turn<'_>,
    lives: &BTreeMap<TargetId, Live>,
    analysis: &Analysis,
    plan: &Plan,
) -> Vec<Hold> {
    let target = &analysis.target;
    let (Some(live), Some(known)) = (lives.get(target), turn.known(target)) else {
        return Vec::new();
    };
    let all = turn.of_all();
    let context = decide::context(turn, live, known, analysis, Some(&plan.to), &all);
    holds_of_command(&context)
}

/// The revision of this hash or number.
fn revision(state: &TargetState, to: &str) -> Result<RevisionHash, CommandOutcome> {
    let by_hash = state
        .revisions
        .iter()
        .find(|revision| revision.hash.as_str() == to);
    let by_number = || {
        let number: u64 = to.parse().ok()?;
        let mut revisions = state.revisions.iter();
        revisions.find(|revision| revision.number == number)
    };
    by_hash
        .or_else(by_number)
        .map(|revision| revision.hash.clone())
        .ok_or_else(|| {
            let current =
                releases::current_of(state).unwrap_or_else(|| RevisionHash(String::new()));
            CommandOutcome::refused(format!(
                "{} has no revision `{}`; it has {}",
                state.id,
                crate::wording::short(to, 80),
                revisions(state, &current)
            ))
        })
}

/// As in: 3 (5d8b9c7f6, checkout:v3), 2 (6c4f)
fn revisions(state: &TargetState, current: &RevisionHash) -> String {
    let mut others: Vec<_> = state
        .revisions
        .iter()
        .filter(|revision| revision.hash != *current)
        .collect();
    others.sort_by_key(|revision| std::cmp::Reverse(revision.number));
    let named: Vec<String> = others
        .iter()
        .map(|revision| {
            let image = revision.images.first();
            let image = image.map_or_else(String::new, |image| {
                format!(", {}", crate::wording::short(image, 80))
            });
            format!("{} ({}{image})", revision.number, revision.hash)
        })
        .collect();
    match named.as_slice() {
        [] => "no other".to_owned(),
        named => listed(named),
    }
}
