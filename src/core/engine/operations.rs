//! Operations: what rules, releases and people ask for becomes several changes that are begun together, or not at all.
//!
//! Whoever wants one calls [`Turn::wish`] in every tick for as long as it wants it: nothing is remembered of a wish. All
//! objects are looked at, everything is decided at once and written down, and then carried out one step after the other.

mod busy;
mod calling;
mod down;
mod glance;
mod own;
mod undo;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use self::glance::Glances;
pub(super) use self::own::is_ours;
use super::always::Looked;
use super::live::Live;
use super::{Effect, ObjectAnswer, Turn, tell};
use crate::guard::{Guard, Hold, OperationContext, all_of_operation};
use crate::ids::{ChannelName, PlanId, RuleName, TargetId};
use crate::notice::Problem;
use crate::operation::{
    Cause, Choice, Chosen, Looks, Next, Operation, OperationEvent, OperationState, Step, ThenDown,
    choose,
};
use crate::plan::{StepOutcome, StepResult};
use crate::record::Record;
use crate::rule::Runbook;
use crate::share::WishedAction;
use crate::time::elapsed;
use crate::wording::{listed, short};

/// More than the steps of any operation: the bound keeps a mistake from looping.
const MOST_STEPS: usize = 64;
/// A watch looks again within this time: what it wanted is not forgotten before.
const WAITING: SignedDuration = SignedDuration::from_mins(2);
/// Reasons come from outside and end up in records and messages.
const MOST_REASON: usize = 300;

/// What somebody wants done.
#[derive(Debug, Clone)]
pub(super) struct Wish {
    /// The same in every tick, and in no other wish.
    pub(super) id: PlanId,
    /// The target of the watch that wants it.
    pub(super) target: TargetId,
    pub(super) cause: Cause,
    pub(super) runbook: Arc<Runbook>,
    /// Its rule only says what it would do.
    pub(super) dry_rule: Option<RuleName>,
    /// It is what comes later of this operation.
    pub(super) follows: Option<PlanId>,
}

/// What is known of operations since the agent started.
#[derive(Debug, Default)]
pub(super) struct Operations {
    glances: Glances,
    /// Steps that this process handed to the executor.
    handed: BTreeSet<(PlanId, usize)>,
    /// Targets whose watch wants something that has not begun, and when it last said so.
    waiting: BTreeMap<TargetId, Timestamp>,
}

impl Turn<'_> {
    /// Asks for an operation; it begins as soon as no guard holds it and everything was looked at.
    pub(super) fn wish(&mut self, wish: Wish) {
        if !self.past && self.wishes.iter().all(|other| other.id != wish.id) {
            self.wishes.push(wish);
        }
    }
}

impl Operations {
    /// Takes in what the cluster said. Whoever wants something has to say so in this tick.
    pub(super) fn hear(
        &mut self,
        turn: &Turn<'_>,
        lives: &mut BTreeMap<TargetId, Live>,
        objects: Vec<ObjectAnswer>,
        scales: &Looked,
    ) {
        if self.glances.hear(turn.now, objects, scales) {
            for target in self.waiting.keys() {
                if let Some(live) = lives.get_mut(target) {
                    live.news = true;
                }
            }
        }
    }

    /// Takes in what became of a step; `false`: it is none of an operation.
    pub(super) fn step_ended(&mut self, turn: &mut Turn<'_>, outcome: &StepOutcome) -> bool {
        let Some(state) = turn.ledger.operations.get(&outcome.plan) else {
            return false;
        };
        // A result that came twice, or after the end, changes nothing.
        if state.runs() && state.in_hand.is_some() && state.next() == outcome.index {
            self.handed.remove(&(outcome.plan.clone(), outcome.index));
            turn.record(Record::StepEnded(outcome.clone()));
        }
        true
    }

    /// Takes everything as far as it goes now.
    pub(super) fn tend(&mut self, turn: &mut Turn<'_>, lives: &BTreeMap<TargetId, Live>) {
        if !turn.past {
            down::tend(self, turn, lives);
        }
        let wishes = std::mem::take(&mut turn.wishes);
        if turn.past {
            return;
        }
        let now = turn.now;
        let wanting = wishes.iter().map(|wish| (wish.target.clone(), now));
        self.waiting.extend(wanting);
        self.waiting
            .retain(|_, at| *at <= now && elapsed(*at, now) < WAITING);
        for wish in &wishes {
            self.consider(turn, lives, wish);
        }
        undo::tend(self, turn, lives);
        let running: Vec<PlanId> = turn.ledger.operations.keys().cloned().collect();
        for id in running {
            self.advance(turn, &id);
            tell_and_close(turn, lives, &id);
        }
        self.glances.forget(turn.now);
    }

    fn consider(&mut self, turn: &mut Turn<'_>, lives: &BTreeMap<TargetId, Live>, wish: &Wish) {
        if turn.ledger.operations.contains_key(&wish.id) {
            return;
        }
        let Some(live) = lives.get(&wish.target) else {
            return;
        };
        if let Some(hold) = hold(turn, live, wish) {
            held(turn, wish, hold);
        } else {
            match self.decide(turn, live, wish) {
                None => {}
                Some(Choice::Held { guard, why }) => {
                    held(turn, wish, Hold::action(guard, why, None));
                }
                Some(Choice::Nothing { notes }) => {
                    let reason = short(&listed(&notes), MOST_REASON);
                    tell::operation_settled(turn, live, wish, &notes);
                    turn.record(Record::Operation(OperationEvent::Settled {
                        operation: wish.id.clone(),
                        target: wish.target.clone(),
                        cause: wish.cause.clone(),
                        reason,
                    }));
                }
                Some(Choice::Act(chosen)) => begin(turn, live, wish, chosen),
            }
        }
        tell::operation_held(turn, live, wish);
    }

    /// What is done, once everything was looked at.
    pub(super) fn decide(
        &mut self,
        turn: &mut Turn<'_>,
        live: &Live,
        wish: &Wish,
    ) -> Option<Choice> {
        for task in &wish.runbook.steps {
            self.glances.want_task(task);
        }
        let caller = calling::caller(turn, live, wish);
        if let Some(caller) = &caller {
            self.glances.want_object(&caller.about);
        }
        let choice = match self.glances.all(turn)? {
            Ok(looks) => {
                let caller = caller.as_ref();
                choose(&wish.id, &wish.runbook, &Looks { caller, ..looks })
            }
            Err(why) => Choice::Held {
                guard: Guard::SourceUnavailable,
                why: short(&why, MOST_REASON),
            },
        };
        self.glances.use_up();
        Some(choice)
    }

    /// Takes one operation as far as it goes now.
    fn advance(&mut self, turn: &mut Turn<'_>, id: &PlanId) {
        for _ in 0..MOST_STEPS {
            let Some(state) = turn.ledger.operations.get(id).cloned() else {
                return;
            };
            let step = (id.clone(), state.next());
            match state.advance(turn.now, self.handed.contains(&step)) {
                Next::Wait | Next::Rest => return,
                Next::Execute(command) => {
                    self.handed.insert(step);
                    turn.record(Record::StepBegun((*command).clone()));
                    turn.output.effects.push(Effect::Step(*command));
                    return;
                }
                Next::Look(step) => {
                    let Some(result) = self.ready(turn, step, &state) else {
                        return;
                    };
                    turn.record(Record::StepEnded(StepOutcome {
                        plan: id.clone(),
                        index: state.next(),
                        result,
                    }));
                }
                Next::End(end) => {
                    let target = state.operation.target.clone();
                    turn.record(Record::Operation(OperationEvent::Ended {
                        operation: id.clone(),
                        target,
                        end,
                    }));
                    return;
                }
            }
        }
    }

    /// Whether the pods that a step waits for are ready; `None`: not yet.
    fn ready(
        &mut self,
        turn: &mut Turn<'_>,
        step: &Step,
        state: &OperationState,
    ) -> Option<StepResult> {
        let Step::Ready {
            target,
            replicas,
            within,
        } = step
        else {
            return None;
        };
        let within = SignedDuration::try_from(*within).unwrap_or(SignedDuration::MAX);
        let over = elapsed(state.step_began, turn.now) >= within;
        self.glances.want_scale(target);
        let answer = self.glances.scale(turn, target);
        let why = match answer {
            Some(Ok(Some(found))) if found.ready >= *replicas => return Some(StepResult::Done),
            Some(Ok(Some(found))) => {
                format!("{} of {replicas} pods of {target} are ready", found.ready)
            }
            Some(Ok(None)) => format!("{target} does not exist any more"),
            Some(Err(why)) => short(&why, MOST_REASON),
            None => format!("{target} could not be looked at"),
        };
        over.then_some(StepResult::Failed { reason: why })
    }
}

fn begin(turn: &mut Turn<'_>, live: &Live, wish: &Wish, chosen: Chosen) {
    turn.record(Record::Operation(OperationEvent::Began {
        operation: Box::new(operation(live, wish, chosen)),
    }));
}

/// What was decided, as it is written down.
pub(super) fn operation(live: &Live, wish: &Wish, chosen: Chosen) -> Operation {
    Operation {
        id: wish.id.clone(),
        title: wish.runbook.name.clone(),
        watch: live.watch.name.clone(),
        target: wish.target.clone(),
        cause: wish.cause.clone(),
        steps: chosen.steps,
        undo_after: wish.runbook.undo_after,
        when_stuck: wish.runbook.when_stuck,
        undoes: None,
        then_down: ThenDown::of(&wish.runbook),
        follows: wish.follows.clone(),
        notify: channels(live, &wish.cause),
        notes: chosen.notes,
    }
}

/// What holds it back, before the cluster is asked.
fn hold(turn: &mut Turn<'_>, live: &Live, wish: &Wish) -> Option<Hold> {
    let first = holds_of(turn, live, wish).into_iter().next();
    first.or_else(|| turn.permission(&wish.target, WishedAction::Scaling, wish.id.as_str()))
}

/// Everything that holds it back, before the cluster is asked.
pub(super) fn holds_of(turn: &Turn<'_>, live: &Live, wish: &Wish) -> Vec<Hold> {
    let all = turn.of_all();
    let mut holds = all_of_operation(&OperationContext {
        now: turn.now,
        settings: &turn.settings.guards,
        actions: &all.actions,
        namespace: &live.watch.target.namespace,
        watch: &live.watch.name,
        watch_dry_run: live.watch.dry_run,
        dry_rule: wish.dry_rule.as_ref(),
        silence: turn.silence_of(Problem::RuleBroken, &live.watch.name, &wish.target),
        under_way: busy::under_way(turn),
        people: (turn.ledger.people).concerning(
            turn.now,
            &live.watch.target.namespace,
            &wish.target,
        ),
        watched: turn.ledger.targets.len(),
    });
    let mut tasks = wish.runbook.steps.iter();
    let busy = tasks.find_map(|task| busy::with_task(turn, task));
    holds.extend(busy.map(|busy| Hold::action(Guard::UnderWay, busy, None)));
    holds
}

fn held(turn: &mut Turn<'_>, wish: &Wish, hold: Hold) {
    let known = turn.ledger.held_operations.get(&wish.id);
    if known.is_none_or(|known| known.is_new(hold.guard)) {
        turn.record(Record::Operation(OperationEvent::Held {
            operation: wish.id.clone(),
            target: wish.target.clone(),
            hold,
        }));
    }
}

/// Who hears of it.
pub(super) fn channels(live: &Live, cause: &Cause) -> Vec<ChannelName> {
    match cause {
        Cause::Incident { rule, .. } => live
            .always
            .index_of(rule)
            .and_then(|index| live.always.rules.get(index))
            .map(|rule| rule.always.notify.clone())
            .unwrap_or_default(),
        Cause::Release { .. } | Cause::Person { .. } => live.watch.on_fail.notify.clone(),
    }
}

/// Tells what is news of an operation, and closes one of which nothing is left to do.
fn tell_and_close(turn: &mut Turn<'_>, lives: &BTreeMap<TargetId, Live>, id: &PlanId) {
    let Some(state) = turn.ledger.operations.get(id).cloned() else {
        return;
    };
    let live = lives.get(&state.operation.target);
    tell::operation(turn, live, &state);
    if state.runs() {
        return;
    }
    let close = |turn: &mut Turn<'_>, operation: PlanId, reason: &str| {
        turn.record(Record::Operation(OperationEvent::Closed {
            operation,
            target: state.operation.target.clone(),
            reason: reason.to_owned(),
        }));
    };
    if let Some(undone) = &state.operation.undoes {
        if turn.ledger.operations.contains_key(undone) {
            close(turn, undone.clone(), "it was taken back");
        }
        close(turn, id.clone(), "nothing is left to do");
    } else if let Some(before) = &state.operation.follows {
        // What takes the other one back has to know of it.
        let before = turn.ledger.operations.get(before);
        if !before.is_some_and(OperationState::may_be_undone) {
            close(turn, id.clone(), "it stays as it is");
        }
    } else if !state.may_be_undone() && !state.may_go_down() {
        close(turn, id.clone(), "it stays as it is");
    }
}
