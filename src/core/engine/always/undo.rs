//! A scaling is taken back when its rule has been kept for long enough, if that was asked for.

use jiff::SignedDuration;

use super::{Looked, act, incident, known, scale};
use crate::engine::live::Live;
use crate::engine::{Turn, tell};
use crate::guard::{Guard, Hold};
use crate::ids::{PlanId, RuleName, TargetId};
use crate::incident::{Scaled, ScalingEnd, ScalingPlan};
use crate::record::Record;
use crate::scaling::{self, Decided, ScaleChange};
use crate::share::WishedAction;
use crate::time::{leeway, spread};

pub(super) fn undo(
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
    let Some(scaled) = known(turn, target).and_then(|known| known.scaled.get(&name).cloned())
    else {
        return;
    };
    if let Some(undo) = &scaled.undo {
        scale::advance(turn, target, live, index, undo, looked);
        return;
    }
    let after = SignedDuration::try_from(scaled.undo_after).unwrap_or(SignedDuration::MAX);
    // What many incidents did is not taken back all at once.
    let after = after.saturating_add(spread(scaled.incident.as_str(), leeway(after)));
    if incident(turn, target, &name).is_some() || !rule.kept_for(after, turn.now) {
        return;
    }
    begin(turn, target, live, index, &scaled, looked);
    if let Some(scaled) = known(turn, target).and_then(|known| known.scaled.get(&name).cloned()) {
        tell::scaling_held(turn, live, index, &scaled.incident, &scaled.holds);
    }
}

fn begin(
    turn: &mut Turn<'_>,
    target: &TargetId,
    live: &mut Live,
    index: usize,
    scaled: &Scaled,
    looked: &Looked,
) {
    let Some(rule) = live.always.rules.get(index) else {
        return;
    };
    let name = rule.always.rule.name.clone();
    let workload = &scaled.change.target;
    if let Some(hold) = act::of_settings(turn, live, index) {
        held(turn, target, scaled, hold);
        return;
    }
    let cause = format!("{}-undo", scaled.incident);
    if let Some(hold) = turn.permission(target, WishedAction::Scaling, &cause) {
        held(turn, target, scaled, hold);
        return;
    }
    // Another incident wants it larger, or something is being written to it.
    let busy =
        |always: &crate::ledger::AlwaysLedger| always.wants(workload) || always.scales(workload);
    if turn.ledger.always.values().any(busy) {
        return;
    }
    let Some(seen) = scale::look(turn, live, workload, looked) else {
        return;
    };
    let hold = |guard, reason| Hold {
        guard,
        rule: Some(name.clone()),
        reason,
        until: None,
    };
    let decided = match seen {
        Err(reason) => {
            held(turn, target, scaled, hold(Guard::SourceUnavailable, reason));
            return;
        }
        Ok(state) => scaling::undo(&scaled.change, state),
    };
    let plan = |change, notes| plan(target, &name, scaled, change, notes);
    match decided {
        Decided::Held { obstacle, why } => {
            held(turn, target, scaled, hold(scale::guard(obstacle), why));
        }
        Decided::Nothing { why } => {
            let plan = plan(scaled.change.clone(), Vec::new());
            tell::undone(turn, live, index, &plan, Some(&why));
            turn.record(Record::ScalingEnded {
                target: target.clone(),
                rule: name.clone(),
                undo: true,
                end: ScalingEnd::Nothing { reason: why },
            });
        }
        Decided::Change { change, notes } => {
            scale::begin(turn, target, live, index, plan(change, notes));
        }
    }
}

/// The undo of what `scaled` set.
pub(super) fn plan(
    target: &TargetId,
    rule: &RuleName,
    scaled: &Scaled,
    change: ScaleChange,
    notes: Vec<String>,
) -> ScalingPlan {
    ScalingPlan {
        id: PlanId(format!("{}-undo", scaled.incident)),
        incident: scaled.incident.clone(),
        target: target.clone(),
        rule: rule.clone(),
        change,
        undo: true,
        undo_after: None,
        notes,
    }
}

fn held(turn: &mut Turn<'_>, target: &TargetId, scaled: &Scaled, hold: Hold) {
    let rule = hold
        .rule
        .clone()
        .filter(|_| scaled.holds.is_new(hold.guard));
    if let Some(rule) = rule {
        turn.record(Record::ScalingHeld {
            target: target.clone(),
            rule,
            hold,
        });
    }
}
