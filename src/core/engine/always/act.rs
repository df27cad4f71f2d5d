//! What is done about an open incident: a scaling, once, as soon as no guard holds it.

use std::sync::Arc;

use super::{Looked, incident, scale};
use crate::engine::live::Live;
use crate::engine::operations::Wish;
use crate::engine::{Turn, tell};
use crate::guard::{Guard, Hold, ScalingContext, holds_scaling, scope};
use crate::ids::{PlanId, TargetId};
use crate::incident::{IncidentState, ScalingEnd, ScalingPlan};
use crate::judge::State;
use crate::ledger::operation_of;
use crate::notice::Problem;
use crate::operation::Cause;
use crate::record::Record;
use crate::scaling::{Decided, decide};
use crate::share::WishedAction;

pub(super) fn respond(
    turn: &mut Turn<'_>,
    target: &TargetId,
    live: &mut Live,
    index: usize,
    looked: &Looked,
) {
    let Some(rule) = live.always.rules.get(index) else {
        return;
    };
    let name = rule.always.rule.name.clone();
    let failing = rule.state() == Some(State::Failing);
    let Some(state) = incident(turn, target, &name).cloned() else {
        return;
    };
    if let (true, false, Some(runbook)) = (failing, state.operated, &state.incident.run) {
        turn.wish(Wish {
            id: operation_of(&state.incident.id),
            target: target.clone(),
            cause: Cause::Incident {
                rule: name.clone(),
                incident: state.incident.id.clone(),
            },
            runbook: Arc::new(runbook.clone()),
            dry_rule: rule.always.rule.dry_run.then(|| name.clone()),
            follows: None,
        });
    }
    if let (None, None) = (&state.scaling, &state.settled) {
        // Only on evidence of now.
        if failing {
            begin(turn, target, live, index, &state, looked);
        }
    } else if let (Some(scaling), None) = (&state.scaling, &state.settled) {
        scale::advance(turn, target, live, index, scaling, looked);
    }
    if let Some(state) = incident(turn, target, &name).cloned() {
        tell::scaling_held(turn, live, index, &state.incident.id, &state.holds);
    }
}

fn begin(
    turn: &mut Turn<'_>,
    target: &TargetId,
    live: &mut Live,
    index: usize,
    state: &IncidentState,
    looked: &Looked,
) {
    let Some(scale) = &state.incident.scale else {
        return;
    };
    if let Some(hold) = of_settings(turn, live, index) {
        held(turn, target, state, hold);
        return;
    }
    let cause = format!("{}-scale", state.incident.id);
    if let Some(hold) = turn.permission(target, WishedAction::Scaling, &cause) {
        held(turn, target, state, hold);
        return;
    }
    // One at a time: what another one does changes the numbers.
    let under_way = |always: &crate::ledger::AlwaysLedger| always.scales(&scale.target);
    if turn.ledger.always.values().any(under_way) {
        return;
    }
    let Some(seen) = scale::look(turn, live, &scale.target, looked) else {
        return;
    };
    let hold = |guard, reason| Hold {
        guard,
        rule: Some(state.incident.rule.clone()),
        reason,
        until: None,
    };
    let settings = &turn.settings.guards;
    let out_of_scope = seen.as_ref().ok().and_then(|found| {
        let labels = &(*found)?.labels;
        scope::of_labels(settings, &scale.target.to_string(), labels)
    });
    if let Some(hold) = out_of_scope {
        let rule = Some(state.incident.rule.clone());
        held(turn, target, state, Hold { rule, ..hold });
        return;
    }
    match seen {
        Err(reason) => held(turn, target, state, hold(Guard::SourceUnavailable, reason)),
        Ok(found) => match decide(scale, found) {
            Decided::Held { obstacle, why } => {
                held(turn, target, state, hold(scale::guard(obstacle), why));
            }
            Decided::Nothing { why } => {
                tell::not_scaled(turn, live, index, state, &why);
                turn.record(Record::ScalingEnded {
                    target: target.clone(),
                    rule: state.incident.rule.clone(),
                    undo: false,
                    end: ScalingEnd::Nothing { reason: why },
                });
            }
            Decided::Change { change, notes } => {
                let plan = ScalingPlan {
                    id: PlanId(format!("{}-scale", state.incident.id)),
                    incident: state.incident.id.clone(),
                    target: target.clone(),
                    rule: state.incident.rule.clone(),
                    change,
                    undo: false,
                    undo_after: scale.undo_after,
                    notes,
                };
                scale::begin(turn, target, live, index, plan);
            }
        },
    }
}

/// The guards that need no look at the cluster.
pub(super) fn of_settings(turn: &Turn<'_>, live: &Live, index: usize) -> Option<Hold> {
    let rule = &live.always.rules.get(index)?.always.rule;
    let all = turn.of_all();
    holds_scaling(&ScalingContext {
        now: turn.now,
        settings: &turn.settings.guards,
        actions: &all.actions,
        namespace: &live.watch.target.namespace,
        watch: &live.watch.name,
        watch_dry_run: live.watch.dry_run,
        rule: &rule.name,
        rule_dry_run: rule.dry_run,
        silence: turn.silence_of(Problem::RuleBroken, &live.watch.name, &live.watch.target),
        people: (turn.ledger.people).concerning(
            turn.now,
            &live.watch.target.namespace,
            &live.watch.target,
        ),
    })
}

fn held(turn: &mut Turn<'_>, target: &TargetId, state: &IncidentState, hold: Hold) {
    if state.holds.is_new(hold.guard) {
        turn.record(Record::ScalingHeld {
            target: target.clone(),
            rule: state.incident.rule.clone(),
            hold,
        });
    }
}
