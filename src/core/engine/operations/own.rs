//! Revisions that came of our own changes: they are no releases, and not judged.

use jiff::SignedDuration;

use crate::engine::Turn;
use crate::ids::RevisionHash;
use crate::target::TargetState;
use crate::time::elapsed;

/// A controller shows the new revision this long after the write at most.
const SHOWN: SignedDuration = SignedDuration::from_mins(2);

/// Whether the revision that a target is at now came of an operation: its template was changed just now, or is being
/// changed, and nothing of what was released is new.
pub(in crate::engine) fn is_ours(
    turn: &Turn<'_>,
    state: &TargetState,
    current: &RevisionHash,
) -> bool {
    let Some(known) = turn.ledger.targets.get(&state.id) else {
        return false;
    };
    let written = known
        .changed
        .is_some_and(|at| at <= turn.now && elapsed(at, turn.now) <= SHOWN);
    let being_written = turn.ledger.operations.values().any(|operation| {
        let step = operation.operation.steps.get(operation.next());
        operation.in_hand.is_some()
            && step.is_some_and(|step| {
                step.is_of_template() && step.object().is_some_and(|object| object.is(&state.id))
            })
    });
    let images = |hash: &RevisionHash| {
        let mut revisions = state.revisions.iter();
        let found = revisions.find(|revision| revision.hash == *hash);
        found.map(|revision| &revision.images)
    };
    let before = images(&known.current);
    (written || being_written) && before.is_some() && before == images(current)
}
