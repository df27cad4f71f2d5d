//! Whether a rollback holds where a `GitOps` tool keeps the target as Git says: one sync period long it is watched. What was
//! reverted is told with who did it, and is not fought over.

use super::live::Live;
use super::{Turn, tell};
use crate::drift::{Drift, DriftNews};
use crate::ids::{RevisionHash, TargetId};
use crate::plan::Step;
use crate::record::Record;
use crate::saga::PlanState;
use crate::target::TargetState;
use crate::time::later;

/// Begins to watch after a plan was carried out. An abort leaves the spec as it is: there is nothing to revert.
pub(super) fn begin_after(turn: &mut Turn<'_>, live: &Live, plan: &PlanState) {
    let target = &plan.plan.fence.target;
    let aborted = matches!(plan.plan.steps.first(), Some(Step::AbortRollout));
    let Some(owner) = live.state.as_ref().and_then(|state| state.owner.clone()) else {
        return;
    };
    if aborted || turn.known(target).is_none_or(|known| known.drift.is_some()) {
        return;
    }
    let drift = Drift {
        analysis: plan.plan.analysis.clone(),
        owner,
        bad: plan.plan.fence.judged.clone(),
        good: plan.plan.to.revision.clone(),
        until: later(turn.now, turn.settings.guards.sync_period),
    };
    let drift = Box::new(drift);
    record(turn, target, DriftNews::Began { drift });
}

/// Ends the watch when a sync period is over.
pub(super) fn tend(turn: &mut Turn<'_>, target: &TargetId, live: &Live) {
    let Some(drift) = turn.known(target).and_then(|known| known.drift.clone()) else {
        return;
    };
    if turn.past || turn.now < drift.until {
        return;
    }
    tell::held_against_git(turn, live, &drift);
    record(turn, target, DriftNews::Held);
}

/// The revision in the spec changed while it was watched.
pub(super) fn revision_changed(turn: &mut Turn<'_>, state: &TargetState, current: &RevisionHash) {
    let Some(drift) = turn.known(&state.id).and_then(|known| known.drift.clone()) else {
        return;
    };
    if drift.bad == *current {
        reverted(turn, state);
    } else if drift.good != *current {
        let reason = format!("revision {current} was shipped");
        record(turn, &state.id, DriftNews::Over { reason });
    }
}

/// A rollback was taken back: from now on the target is left to Git, if it has an owner.
pub(super) fn reverted(turn: &mut Turn<'_>, state: &TargetState) {
    if state.owner.is_some() {
        let by = state.shipped_by.clone();
        let by = by.unwrap_or_else(|| "an unknown field manager".to_owned());
        record(turn, &state.id, DriftNews::Reverted { by });
    }
}

/// Who shipped what the target is at, for people.
pub(super) fn who(state: &TargetState) -> String {
    match (&state.owner, &state.shipped_by) {
        (Some(owner), Some(by)) => format!("field manager `{by}`; it belongs to {owner}"),
        (None, Some(by)) => format!("field manager `{by}`"),
        (_, None) => "somebody or by a GitOps tool".to_owned(),
    }
}

fn record(turn: &mut Turn<'_>, target: &TargetId, news: DriftNews) {
    turn.record(Record::Drift {
        target: target.clone(),
        news: Box::new(news),
    });
}
