//! What people order: taken once, held by the same guards as everything else, and answered.
//!
//! A command is recorded before what it leads to, and its end after that: a process that finds one open knows from the
//! plan whether it was begun. What was not begun is not begun later either: whoever ordered it was not answered.

mod approval;
mod operate;
mod rollback;

use std::collections::BTreeMap;

use jiff::SignedDuration;

use super::live::Live;
use super::operations::Operations;
use super::{Given, Reply, Turn, tell};
use crate::command::{
    Command, CommandId, CommandOutcome, LONGEST, LONGEST_REASON, Lasting, Order, Reach,
};
use crate::guard::{Guard, Hold};
use crate::ids::{PlanId, TargetId};
use crate::record::Record;
use crate::time::later;

pub(super) use approval::ask;
pub(super) use rollback::finish_beginning;

/// Holds and freezes that there may be at a time.
const MOST: usize = 1_000;

/// What is known of a command so far.
enum Answered<T> {
    /// The cluster was asked something: it is handed in again.
    Later,
    Over(Reply),
    Ready(T),
}

pub(super) fn take_in(
    turn: &mut Turn<'_>,
    lives: &mut BTreeMap<TargetId, Live>,
    operations: &mut Operations,
    commands: Vec<Given>,
) {
    let given: Vec<CommandId> = commands
        .iter()
        .filter(|given| !given.dry_run)
        .map(|given| given.command.id())
        .collect();
    for Given { command, dry_run } in commands {
        let reply = answer(turn, lives, operations, &command, dry_run);
        turn.output.replies.push(reply);
    }
    give_up(turn, &given);
}

/// Whoever ordered it and was not answered must not see it happen later.
fn give_up(turn: &mut Turn<'_>, given: &[CommandId]) {
    let open = turn.ledger.people.open.iter().map(Command::id);
    let left: Vec<CommandId> = open.filter(|id| !given.contains(id)).collect();
    for command in left {
        turn.record(Record::CommandEnded {
            command,
            outcome: CommandOutcome::refused(
                "whoever ordered it did not wait until it could begin; send it again with another key",
            ),
        });
    }
}

fn answer(
    turn: &mut Turn<'_>,
    lives: &mut BTreeMap<TargetId, Live>,
    operations: &mut Operations,
    command: &Command,
    dry_run: bool,
) -> Option<Reply> {
    let said = |outcome| Some(Reply::plain(outcome));
    let id = command.id();
    if let Some(over) = turn.ledger.people.over(&id) {
        return said(if over.order == command.order {
            over.outcome.clone()
        } else {
            CommandOutcome::refused(format!(
                "the key `{}` was used for another command: to {}. Send this one with a key of its own",
                id.key, over.order
            ))
        });
    }
    if let Some(reason) = unusable(turn, lives, command) {
        return said(CommandOutcome::refused(reason));
    }
    let outcome = match &command.order {
        Order::Rollback { target, to } => {
            let way = (target, to.as_deref());
            match rollback::consider(turn, lives, command, way, dry_run) {
                Answered::Later => return None,
                Answered::Over(reply) if dry_run => return Some(reply),
                Answered::Over(reply) => {
                    take(turn, command);
                    reply.outcome
                }
                Answered::Ready(ready) => {
                    take(turn, command);
                    rollback::begin(turn, lives, command, ready)
                }
            }
        }
        Order::Change {
            target,
            task,
            undo_after,
        } => {
            let wanted = operate::Wanted {
                target,
                task,
                undo_after: *undo_after,
            };
            match operate::consider(turn, lives, operations, command, &wanted, dry_run) {
                Answered::Later => return None,
                Answered::Over(reply) if dry_run => return Some(reply),
                Answered::Over(reply) => {
                    take(turn, command);
                    reply.outcome
                }
                Answered::Ready(ready) => {
                    take(turn, command);
                    operate::begin(turn, ready)
                }
            }
        }
        Order::Hold { .. }
        | Order::Resume { .. }
        | Order::Freeze { .. }
        | Order::Unfreeze { .. }
        | Order::Approve { .. } => {
            if dry_run {
                return said(ordered(turn, command));
            }
            take(turn, command);
            ordered(turn, command)
        }
    };
    turn.record(Record::CommandEnded {
        command: id,
        outcome: outcome.clone(),
    });
    tell_ordered(turn, lives);
    for live in lives.values_mut() {
        live.news = true;
    }
    said(outcome)
}

/// A command is recorded before what it leads to, once.
fn take(turn: &mut Turn<'_>, command: &Command) {
    if !is_taken(turn, command) {
        turn.record(Record::Commanded {
            command: Box::new(command.clone()),
        });
    }
}

fn is_taken(turn: &Turn<'_>, command: &Command) -> bool {
    let id = command.id();
    turn.ledger.people.open.iter().any(|open| open.id() == id)
}

/// The number of a command among all that were taken: a part of the id of its plan.
fn number_of(turn: &Turn<'_>, command: &Command) -> u64 {
    turn.ledger.people.commands + u64::from(!is_taken(turn, command))
}

/// Those that the command overrides, and those that hold it.
fn split(turn: &Turn<'_>, command: &Command, holds: Vec<Hold>) -> (Vec<Hold>, Vec<Hold>) {
    holds.into_iter().partition(|hold| {
        // A process that was told to write to nothing writes to nothing.
        let of_process = hold.guard == Guard::DryRun && turn.settings.guards.dry_run;
        command.overrides.contains(&hold.guard) && !of_process
    })
}

/// Tells what was set and lifted, also what the process before did not come to.
fn tell_ordered(turn: &mut Turn<'_>, lives: &BTreeMap<TargetId, Live>) {
    for command in turn.ledger.people.untold.clone() {
        tell::ordered(turn, lives, &command);
    }
}

/// Why it cannot be taken at all.
fn unusable(
    turn: &Turn<'_>,
    lives: &BTreeMap<TargetId, Live>,
    command: &Command,
) -> Option<String> {
    if command.reason.chars().count() > LONGEST_REASON {
        return Some(format!(
            "the reason is longer than {LONGEST_REASON} characters"
        ));
    }
    if let Some(guard) = command
        .overrides
        .iter()
        .find(|guard| !guard.may_be_overridden())
    {
        return Some(format!("guard `{guard}` cannot be overridden by anybody"));
    }
    let own = !matches!(command.order, Order::Change { .. });
    if let Some(target) = command.order.target()
        && own
        && !lives.contains_key(target)
    {
        return Some(format!("{target} is not watched: no Watch names it"));
    }
    let people = &turn.ledger.people;
    if people.holds.len() + people.freezes.len() >= MOST {
        let sets = matches!(command.order, Order::Hold { .. } | Order::Freeze { .. });
        if sets {
            return Some(format!(
                "there are {MOST} holds and freezes already: end some with `recant resume` and `recant unfreeze`"
            ));
        }
    }
    match &command.order {
        Order::Hold { lasts, .. } | Order::Freeze { lasts, .. } => over_already(turn, *lasts),
        Order::Change {
            undo_after: Some(after),
            ..
        } if SignedDuration::try_from(*after).is_ok_and(|after| after > LONGEST) => Some(
            "what is taken back after more than a year is not taken back: give less".to_owned(),
        ),
        Order::Rollback { .. }
        | Order::Change { .. }
        | Order::Resume { .. }
        | Order::Unfreeze { .. }
        | Order::Approve { .. } => None,
    }
}

fn over_already(turn: &Turn<'_>, lasts: Lasting) -> Option<String> {
    let ends = lasts.ends(turn.now)?;
    if ends <= turn.now {
        return Some(format!("{ends:.0} is over already: give a time to come"));
    }
    (ends > later(turn.now, LONGEST)).then(|| {
        format!("{ends:.0} is more than a year away: give less, or no end, and end it by hand")
    })
}

/// What sets something and writes to no workload: the record of its end is what sets it.
fn ordered(turn: &Turn<'_>, command: &Command) -> CommandOutcome {
    let done = |said: String| CommandOutcome::Done {
        said,
        plan: None,
        overridden: Vec::new(),
    };
    let until = |lasts: Lasting, end: &str| match lasts.ends(turn.now) {
        Some(until) => format!("until {until:.0}, or until {end}"),
        None => format!("until {end}"),
    };
    let people = &turn.ledger.people;
    match &command.order {
        Order::Hold { target, lasts } => done(format!(
            "nothing is done to {target} {}",
            until(*lasts, "`recant resume` ends it")
        )),
        Order::Freeze { reach, lasts } => done(format!(
            "{reach} is frozen {}",
            until(*lasts, "`recant unfreeze` ends it")
        )),
        Order::Unfreeze { reach } => {
            let on = |reach: &Reach| {
                let frozen = people.freezes.get(reach);
                frozen.is_some_and(|frozen| frozen.ordered.is_on(turn.now))
            };
            if on(reach) {
                return done(format!("{reach} is frozen no more"));
            }
            let others: Vec<String> = people
                .freezes
                .keys()
                .filter(|reach| on(reach))
                .map(ToString::to_string)
                .collect();
            CommandOutcome::refused(match others.as_slice() {
                [] => "nobody has frozen anything; windows of `guards.freeze` end by themselves"
                    .to_owned(),
                others => format!(
                    "{reach} was not frozen by anybody; frozen are: {}",
                    others.join(", ")
                ),
            })
        }
        Order::Resume { target } => resumed(turn, target),
        Order::Approve { plan } => approval::approve(turn, plan, command),
        Order::Rollback { .. } | Order::Change { .. } => {
            CommandOutcome::refused("it sets nothing, and has a plan of its own")
        }
    }
}

/// What a resume ends.
fn resumed(turn: &Turn<'_>, target: &TargetId) -> CommandOutcome {
    let mut ended = Vec::new();
    let held = turn.ledger.people.holds.get(target);
    if held.is_some_and(|held| held.is_on(turn.now)) {
        ended.push("its hold".to_owned());
    }
    let guards = &turn.settings.guards;
    let latched = |limit: usize, times: usize| limit > 0 && times >= limit;
    let rollbacks = turn.known(target).map_or(0, |known| known.rollbacks.len());
    if latched(guards.flapping.number, rollbacks) {
        ended.push("guard `flapping`".to_owned());
    }
    if latched(guards.breaker.number, turn.ledger.setbacks.len()) {
        ended.push("guard `circuit breaker`, for all targets".to_owned());
    }
    if ended.is_empty() {
        return CommandOutcome::refused(format!(
            "nothing that a person ends holds {target}: it is not held by `recant hold`, and neither `flapping` nor \
             `circuit breaker` is latched"
        ));
    }
    CommandOutcome::Done {
        said: format!("ended for {target}: {}", ended.join(", ")),
        plan: None,
        overridden: Vec::new(),
    }
}

/// Commands of the process before that are open: done if their plan began, else given up.
pub(super) fn resume(turn: &mut Turn<'_>, lives: &BTreeMap<TargetId, Live>) {
    tell_ordered(turn, lives);
    for command in turn.ledger.people.open.clone() {
        let begun = match &command.order {
            Order::Rollback { target, .. } => begun_plan(turn, target, &command),
            Order::Change { target, .. } => operate::begun(turn, target),
            Order::Hold { .. }
            | Order::Resume { .. }
            | Order::Freeze { .. }
            | Order::Unfreeze { .. }
            | Order::Approve { .. } => None,
        };
        let outcome = match begun {
            Some(plan) => CommandOutcome::Done {
                said: format!("begun: plan `{plan}`"),
                plan: Some(plan),
                overridden: Vec::new(),
            },
            None => CommandOutcome::refused(
                "the agent ended before it was carried out; send it again with another key",
            ),
        };
        turn.record(Record::CommandEnded {
            command: command.id(),
            outcome,
        });
    }
}

/// The plan under way, if it is of this command: an earlier one of the same person has its answer.
fn begun_plan(turn: &Turn<'_>, target: &TargetId, command: &Command) -> Option<PlanId> {
    let plan = &turn.known(target)?.plan.as_ref()?.plan;
    let own = plan.by.as_ref() == Some(&command.by.to_string());
    let mut over = turn.ledger.people.over.iter();
    let answered = over.any(|over| {
        matches!(&over.outcome, CommandOutcome::Done { plan: Some(of), .. } if *of == plan.id)
    });
    (own && !answered).then(|| plan.id.clone())
}
