//! What a person wants changed besides a rollback: other replicas, another colour. The same operation as a rule would ask
//! for, behind the same guards; only their word is in the place of the rule.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;

use super::{Answered, number_of, split};
use crate::command::{Command, CommandOutcome};
use crate::engine::live::Live;
use crate::engine::operations::{self, Operations, Wish};
use crate::engine::{Reply, Turn};
use crate::guard::Hold;
use crate::ids::{PlanId, TargetId};
use crate::operation::{Cause, Choice, Chosen, Operation, OperationEvent, STEP_TIME, Step};
use crate::plan::StepCommand;
use crate::record::Record;
use crate::rule::{Runbook, ScaleTarget, Task, WhenStuck};
use crate::share::WishedAction;
use crate::time::later;
use crate::wording::{listed, short};

/// Characters of a reason that are told.
const MOST_REASON: usize = 200;

/// What is wanted.
pub(super) struct Wanted<'a> {
    /// The workload that it is about: what is scaled, or gets the traffic.
    pub(super) target: &'a TargetId,
    pub(super) task: &'a Task,
    /// Taken back after this long; `None`: never by itself.
    pub(super) undo_after: Option<Duration>,
}

/// What is to be begun.
pub(super) struct Ready {
    operation: Operation,
    overridden: Vec<Hold>,
}

/// What becomes of it, as far as the cluster has answered.
pub(super) fn consider(
    turn: &mut Turn<'_>,
    lives: &BTreeMap<TargetId, Live>,
    operations: &mut Operations,
    command: &Command,
    wanted: &Wanted<'_>,
    dry_run: bool,
) -> Answered<Ready> {
    let Wanted {
        task, undo_after, ..
    } = *wanted;
    let refused = |reason: String| Answered::Over(Reply::plain(CommandOutcome::refused(reason)));
    let Some(live) = watched(lives, wanted) else {
        return refused(unwatched(wanted));
    };
    if let Some(reason) = impossible(task) {
        return refused(reason);
    }
    let wish = wish(turn, live, command, wanted);
    let (overridden, mut holds) = split(turn, command, operations::holds_of(turn, live, &wish));
    if !dry_run && holds.is_empty() {
        let cause = format!("order-{}-{}", command.by.caller, command.key);
        let waits = turn.permission(&wish.target, WishedAction::Scaling, &cause);
        if waits.is_some() {
            return Answered::Later;
        }
    }
    // Guards that hold it do not keep anybody from seeing what would be written.
    if !dry_run && !holds.is_empty() {
        return Answered::Over(Reply::plain(CommandOutcome::Held { holds }));
    }
    let Some(choice) = operations.decide(turn, live, &wish) else {
        return Answered::Later;
    };
    let chosen = match choice {
        Choice::Held { guard, why } => {
            holds.push(Hold::action(guard, why, None));
            return Answered::Over(Reply::plain(CommandOutcome::Held { holds }));
        }
        Choice::Nothing { notes } => return refused(nothing(task, &notes)),
        Choice::Act(chosen) => chosen,
    };
    if !dry_run {
        let operation = operations::operation(live, &wish, chosen);
        return Answered::Ready(Ready {
            operation,
            overridden,
        });
    }
    let steps = writes(turn, &wish.id, &chosen);
    let outcome = if holds.is_empty() {
        CommandOutcome::Done {
            said: format!("would {}{}", words(&chosen), until(undo_after)),
            plan: None,
            overridden,
        }
    } else {
        CommandOutcome::Held { holds }
    };
    Answered::Over(Reply { outcome, steps })
}

/// Begins it: everything was decided.
pub(super) fn begin(turn: &mut Turn<'_>, ready: Ready) -> CommandOutcome {
    let Ready {
        operation,
        overridden,
    } = ready;
    let undo_after = operation.undo_after;
    let id = operation.id.clone();
    let steps: Vec<String> = operation.steps.iter().map(Step::in_words).collect();
    let notes = operation.notes.clone();
    turn.record(Record::Operation(OperationEvent::Began {
        operation: Box::new(operation),
    }));
    let mut said = format!("begun: {}{}", steps.join("; then "), until(undo_after));
    if !notes.is_empty() {
        said = format!("{said} ({})", listed(&notes));
    }
    CommandOutcome::Done {
        said,
        plan: Some(id),
        overridden,
    }
}

/// The operation of the command that was taken last, if it has begun: no other can be open.
pub(super) fn begun(turn: &Turn<'_>, target: &TargetId) -> Option<PlanId> {
    let id = id_of(target, turn.ledger.people.commands);
    turn.ledger.operations.contains_key(&id).then_some(id)
}

fn id_of(target: &TargetId, number: u64) -> PlanId {
    PlanId(format!(
        "{}-{}-{}-order-{number}",
        target.namespace,
        target.kind.as_str().to_lowercase(),
        target.name
    ))
}

fn wish(
    turn: &Turn<'_>,
    live: &Live,
    command: &Command,
    &Wanted {
        target,
        task,
        undo_after,
    }: &Wanted<'_>,
) -> Wish {
    let by = match command.reason.as_str() {
        "" => command.by.to_string(),
        reason => format!("{} (\"{}\")", command.by, short(reason, MOST_REASON)),
    };
    Wish {
        id: id_of(target, number_of(turn, command)),
        target: live.watch.target.clone(),
        cause: Cause::Person { name: by },
        runbook: Arc::new(Runbook {
            name: task.to_string(),
            steps: vec![task.clone()],
            undo_after,
            when_stuck: WhenStuck::Stop,
        }),
        dry_rule: None,
        follows: None,
    }
}

/// The watch whose guards and channels count: that of the workload, else the first that names the object in an action.
fn watched<'l>(
    lives: &'l BTreeMap<TargetId, Live>,
    &Wanted { target, task, .. }: &Wanted<'_>,
) -> Option<&'l Live> {
    if let Some(live) = lives.get(target) {
        return Some(live);
    }
    let object = task.object();
    let is_it = |scaled: &ScaleTarget| scaled.object().is(target);
    let names = |named: &Task| {
        (object.is_some() && named.object() == object)
            || match named {
                Task::Scale { scale, .. } => is_it(&scale.target),
                Task::Switch { up, .. } => up
                    .as_ref()
                    .is_some_and(|up| is_it(&up.target) || up.present.as_ref().is_some_and(is_it)),
                Task::SetEnv { .. }
                | Task::Annotate { .. }
                | Task::Apply { .. }
                | Task::Shift { .. }
                | Task::Webhook { .. } => false,
            }
    };
    lives.values().find(|live| {
        let mut tasks = live.watch.runbooks().flat_map(|runbook| &runbook.steps);
        let mut alone = live
            .watch
            .always
            .iter()
            .filter_map(|always| always.scale.as_ref());
        tasks.any(names) || alone.any(|scale| is_it(&scale.target))
    })
}

fn unwatched(&Wanted { target, task, .. }: &Wanted<'_>) -> String {
    let what = match task.object() {
        Some(object) if !object.is(target) => format!("{target} or {object}"),
        Some(_) | None => target.to_string(),
    };
    format!(
        "no Watch has {what} as its target or names it in an action, so there are neither guards of it nor people to tell: \
         write a Watch of it, or change it by hand"
    )
}

/// What scaling never does, whoever asks.
fn impossible(task: &Task) -> Option<String> {
    let Task::Scale { scale, .. } = task else {
        return None;
    };
    let zero = scale.to == crate::rule::ScaleTo::Replicas(0);
    zero.then(|| {
        format!(
            "{} is not scaled to 0 by an order: that takes everything away. Do it by hand, or by an action with `evidence`",
            scale.target
        )
    })
}

fn nothing(task: &Task, notes: &[String]) -> String {
    let why = if notes.is_empty() {
        "there is nothing to do".to_owned()
    } else {
        listed(notes)
    };
    match task {
        Task::Scale { .. } => {
            format!(
                "{why}. Recant never lowers: fewer replicas are set by hand, or by the autoscaler"
            )
        }
        Task::SetEnv { .. }
        | Task::Annotate { .. }
        | Task::Apply { .. }
        | Task::Shift { .. }
        | Task::Webhook { .. }
        | Task::Switch { .. } => why,
    }
}

fn words(chosen: &Chosen) -> String {
    let steps: Vec<String> = chosen.steps.iter().map(Step::in_words).collect();
    let mut text = steps.join("; then ");
    if !chosen.notes.is_empty() {
        text = format!("{text} ({})", listed(&chosen.notes));
    }
    text
}

fn until(undo_after: Option<Duration>) -> String {
    undo_after.map_or_else(String::new, |after| {
        let after = SignedDuration::try_from(after).unwrap_or(SignedDuration::MAX);
        format!("; taken back after {}", crate::wording::span(after))
    })
}

/// What would be written, in order.
fn writes(turn: &Turn<'_>, plan: &PlanId, chosen: &Chosen) -> Vec<StepCommand> {
    let steps = chosen.steps.iter().enumerate();
    steps
        .filter_map(|(index, step)| {
            Some(StepCommand {
                plan: plan.clone(),
                index,
                action: step.action()?,
                deadline: later(turn.now, STEP_TIME),
                again: false,
            })
        })
        .collect()
}
