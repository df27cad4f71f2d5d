//! There must be a revision to go back to: one that did not fail, that still exists, that ran, that is another one, and
//! that can be put back.

use std::collections::BTreeSet;

use super::{ActionContext, Guard, Hold};
use crate::analysis::WayBack;
use crate::ids::{RevisionHash, TargetId};
use crate::target::{Pod, TargetState};
use crate::wording::listed;

pub(super) fn check(context: &ActionContext<'_>) -> Option<Hold> {
    let target = &context.analysis.target;
    let reason = match (context.way_back, context.state) {
        (None, _) => format!("{target} has no earlier revision that did not fail"),
        (Some(way_back), Some(state)) => elsewhere(target, way_back, state)
            .or_else(|| gone(target, way_back, state))
            .or_else(|| the_same(target, way_back, state))
            .or_else(|| never_ran(target, way_back, state, context))?,
        (Some(_), None) => return None,
    };
    Some(Hold::action(Guard::NoWayBack, reason, None))
}

/// An abort needs no template. Everything else would change a template that is not the Rollout's own.
fn elsewhere(target: &TargetId, way_back: &WayBack, state: &TargetState) -> Option<String> {
    let rollout = state.rollout.as_ref()?;
    let in_flight = rollout.stable.as_ref() == Some(&way_back.revision);
    (rollout.workload_ref && !in_flight).then(|| {
        format!(
            "the template of {target} lives in another object (`spec.workloadRef`): undo that one by hand, to revision {}",
            way_back.revision
        )
    })
}

fn gone(target: &TargetId, way_back: &WayBack, state: &TargetState) -> Option<String> {
    let mut revisions = state.revisions.iter();
    // An abort goes by the status alone.
    let stable = state
        .rollout
        .as_ref()
        .and_then(|rollout| rollout.stable.as_ref());
    if stable == Some(&way_back.revision)
        || revisions.any(|revision| revision.hash == way_back.revision)
    {
        return None;
    }
    let why = match state.for_rollback.history_limit {
        Some(0) => "`revisionHistoryLimit: 0` keeps none; raise it",
        Some(_) | None => "see `revisionHistoryLimit`",
    };
    Some(format!(
        "revision {} of {target} no longer exists ({why}); ship a good version by hand",
        way_back.revision
    ))
}

fn the_same(target: &TargetId, way_back: &WayBack, state: &TargetState) -> Option<String> {
    let same = state
        .for_rollback
        .same_as_current
        .contains(&way_back.revision);
    same.then(|| {
        format!(
            "revision {} of {target} has the same template as the one that failed: going back would change nothing; \
             look for what else changed, such as a ConfigMap",
            way_back.revision
        )
    })
}

/// What was never seen with a ready pod may not run at all: each of its images has to have run here, in it or in another
/// revision.
fn never_ran(
    target: &TargetId,
    way_back: &WayBack,
    state: &TargetState,
    context: &ActionContext<'_>,
) -> Option<String> {
    let wanted = &way_back.revision;
    let missing = missing_images(wanted, state, context);
    let named: Vec<String> = missing.iter().map(|image| format!("`{image}`")).collect();
    if context.never_ran == Some(wanted) {
        let images = match named.as_slice() {
            [] => String::new(),
            named => format!(
                " (of its images, never seen to run here: {})",
                listed(named)
            ),
        };
        return Some(format!(
            "revision {wanted} of {target} was never seen with a pod that was ready{images}, so nobody knows whether it \
             runs; ship a good version"
        ));
    }
    let mut revisions = state.revisions.iter();
    let created = revisions.find(|revision| revision.hash == *wanted)?.created;
    // What ran before anybody looked is not known.
    let watched = context.seen.is_some_and(|seen| created > seen);
    (watched && !way_back.known_good && !named.is_empty()).then(|| {
        format!(
            "revision {wanted} of {target} has images that were never seen to run here: {}; nobody knows whether they \
             can be pulled and start; ship a good version",
            listed(&named)
        )
    })
}

/// Images of a revision, of all its containers, that no revision has which was seen to run.
fn missing_images<'s>(
    wanted: &RevisionHash,
    state: &'s TargetState,
    context: &ActionContext<'_>,
) -> Vec<&'s String> {
    let has_run = |revision: &RevisionHash| {
        let ready = |pod: &Pod| pod.hash == *revision && pod.ready;
        let rollout = state.rollout.as_ref();
        let stable = rollout.and_then(|rollout| rollout.stable.as_ref());
        context.ran.contains(revision) || stable == Some(revision) || state.pods.iter().any(ready)
    };
    let mut revisions = state.revisions.iter();
    let Some(wanted) = revisions.find(|revision| revision.hash == *wanted) else {
        return Vec::new();
    };
    let seen: BTreeSet<&String> = state
        .revisions
        .iter()
        .filter(|revision| has_run(&revision.hash))
        .flat_map(|revision| &revision.images)
        .collect();
    let images = wanted.images.iter();
    images.filter(|image| !seen.contains(image)).collect()
}
