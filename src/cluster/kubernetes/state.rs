//! From facts to a [`TargetState`]: the same for what was watched and for what was read just before a write.

use recant_core::ids::{RevisionHash, TargetId};
use recant_core::target::{Pod, TargetState};

use super::facts::{ReplicaSetFacts, WorkloadFacts};

/// Puts the state together.
///
/// `sets` are the `ReplicaSets` that the workload controls, in any order; `pods` are theirs.
pub(super) fn target_state(
    id: &TargetId,
    workload: &WorkloadFacts,
    sets: &[&ReplicaSetFacts],
    pods: Vec<Pod>,
    namespace_kill_switch: bool,
) -> TargetState {
    let current = current(workload, sets);
    let mut revisions: Vec<_> = sets.iter().map(|set| set.revision.clone()).collect();
    revisions.sort_by(|a, b| (a.number, &a.hash).cmp(&(b.number, &b.hash)));
    TargetState {
        id: id.clone(),
        uid: workload.uid.clone(),
        complete: complete(workload, sets, &pods, current.as_ref()),
        current,
        paused: workload.paused,
        rollout: workload
            .rollout
            .as_ref()
            .map(|rollout| rollout.status.clone()),
        revisions,
        pods,
        kill_switch: if namespace_kill_switch {
            Some(format!("namespace {}", id.namespace))
        } else {
            workload.kill_switch.then(|| id.to_string())
        },
        last_plan: workload.last_plan.clone(),
    }
}

/// The revision that the spec asks for, once the controller has seen that spec.
///
/// A Deployment does not say it: as in its controller, it is the oldest `ReplicaSet` with the same template. A Rollout
/// says it itself, and its template is no help: it is stored without defaults.
fn current(workload: &WorkloadFacts, sets: &[&ReplicaSetFacts]) -> Option<RevisionHash> {
    if !workload.observed {
        return None;
    }
    if let Some(rollout) = &workload.rollout {
        return rollout.current.clone();
    }
    let template = workload.template.as_ref()?;
    sets.iter()
        .filter(|set| set.template == *template)
        .min_by_key(|set| (set.revision.created, &set.revision.hash))
        .map(|set| set.revision.hash.clone())
}

fn complete(
    workload: &WorkloadFacts,
    sets: &[&ReplicaSetFacts],
    pods: &[Pod],
    current: Option<&RevisionHash>,
) -> bool {
    let Some(current) = current else {
        return false;
    };
    let promoted = workload
        .rollout
        .as_ref()
        .is_none_or(|rollout| rollout.status.stable.as_ref() == Some(current));
    promoted
        && workload.replicas.complete()
        && sets
            .iter()
            .all(|set| set.revision.hash == *current || set.replicas == 0)
        // The pods are watched apart from the workload and may lag behind its status.
        && pods
            .iter()
            .all(|pod| pod.hash == *current || pod.terminating)
}

#[cfg(test)]
mod tests;
