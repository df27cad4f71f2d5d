//! A person's rollback: their word in the place of the evidence, and the rest as always: way back, guards, plan, fence.

use std::collections::BTreeMap;

use crate::analysis::{Analysis, Ending, WayBack};
use crate::command::{Command, CommandOutcome};
use crate::engine::live::Live;
use crate::engine::verify::{self, Told};
use crate::engine::{Reply, Turn, decide, progress, releases, tell};
use crate::guard::{Guard, Hold, holds_of_command};
use crate::ids::{AnalysisId, PlanId, RevisionHash, TargetId};
use crate::judge::Phase;
use crate::notice::NoticeKind;
use crate::record::Record;
use crate::saga::{Plan, PlanState, rollback};
use crate::target::TargetState;
use crate::wording::listed;

/// A rollback that nothing holds.
struct Ready {
    plan: Plan,
    overridden: Vec<Hold>,
}

/// What would become of it.
pub(super) fn consider(
    turn: &Turn<'_>,
    lives: &BTreeMap<TargetId, Live>,
    command: &Command,
    target: &TargetId,
    to: Option<&str>,
) -> Reply {
    let number = turn.ledger.people.commands + 1;
    // Guards that hold it do not keep anybody from seeing what would be written.
    let plan = plan(turn, lives, command, target, to, number);
    match plan {
        Err(outcome) => Reply {
            outcome,
            step: None,
        },
        Ok((analysis, plan)) => Reply {
            step: PlanState::new(plan.clone(), turn.now).command(turn.now),
            outcome: match guarded(turn, lives, command, &analysis, plan) {
                Ok(ready) => CommandOutcome::Done {
                    said: format!(
                        "would go from revision {} back to {}",
                        ready.plan.fence.judged,
                        tell::way_back(&ready.plan.to)
                    ),
                    plan: None,
                    overridden: ready.overridden,
                },
                Err(outcome) => outcome,
            },
        },
    }
}

/// Begins it, if no guard holds it.
pub(super) fn begin(
    turn: &mut Turn<'_>,
    lives: &mut BTreeMap<TargetId, Live>,
    command: &Command,
    target: &TargetId,
    to: Option<&str>,
) -> CommandOutcome {
    // The record of the command has counted it.
    let number = turn.ledger.people.commands;
    let ready = plan(turn, lives, command, target, to, number)
        .and_then(|(analysis, plan)| guarded(turn, lives, command, &analysis, plan));
    let Ready { plan, overridden } = match ready {
        Ok(ready) => ready,
        Err(outcome) => return outcome,
    };
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
pub(in crate::engine) fn plan_of(analysis: &AnalysisId, number: u64) -> PlanId {
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

/// The plan, if no guard holds it but those that are overridden.
fn guarded(
    turn: &Turn<'_>,
    lives: &BTreeMap<TargetId, Live>,
    command: &Command,
    analysis: &Analysis,
    plan: Plan,
) -> Result<Ready, CommandOutcome> {
    let target = &analysis.target;
    let (Some(live), Some(known)) = (lives.get(target), turn.known(target)) else {
        return Err(CommandOutcome::refused(format!("{target} is not watched")));
    };
    let all = turn.of_all();
    let context = decide::context(turn, live, known, analysis, Some(&plan.to), &all);
    let (overridden, holds): (Vec<Hold>, Vec<Hold>) =
        holds_of_command(&context).into_iter().partition(|hold| {
            // A process that was told to write to nothing writes to nothing.
            let of_process = hold.guard == Guard::DryRun && turn.settings.guards.dry_run;
            command.overrides.contains(&hold.guard) && !of_process
        });
    if holds.is_empty() {
        Ok(Ready { plan, overridden })
    } else {
        Err(CommandOutcome::Held { holds })
    }
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
