//! From facts to a [`TargetState`]: the same for what was watched and for what was read just before a write.

use recant_core::ids::{RevisionHash, TargetId, TargetKind};
use recant_core::target::{ForRollback, OwnPause, Pod, TargetState};

use super::facts::{RevisionFacts, WorkloadFacts};

/// Puts the state together.
///
/// `sets` are the `ReplicaSets` or `ControllerRevisions` that the workload controls, in any order; `pods` are its pods.
pub(super) fn target_state(
    id: &TargetId,
    workload: &WorkloadFacts,
    sets: &[&RevisionFacts],
    pods: Vec<Pod>,
    namespace_kill_switch: bool,
) -> TargetState {
    let current = current(id.kind, workload, sets);
    let pause = workload.pause.clone().map(|pause| OwnPause {
        changed: pause.holds && workload.observed && current.is_none(),
        ..pause
    });
    let mut revisions: Vec<_> = sets.iter().map(|set| set.revision.clone()).collect();
    revisions.sort_by(|a, b| (a.number, &a.hash).cmp(&(b.number, &b.hash)));
    TargetState {
        id: id.clone(),
        uid: workload.uid.clone(),
        complete: complete(workload, sets, &pods, current.as_ref()),
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
        labels: workload.names.labels.clone(),
        for_rollback: for_rollback(workload, sets, current.as_ref()),
        current,
        pause,
        rolling: workload.rolling,
        owner: workload.owner.clone(),
        shipped_by: workload.shipped_by.clone(),
    }
}

fn for_rollback(
    workload: &WorkloadFacts,
    sets: &[&RevisionFacts],
    current: Option<&RevisionHash>,
) -> ForRollback {
    let is_current = |set: &&&RevisionFacts| Some(&set.revision.hash) == current;
    let template = sets.iter().find(is_current).map(|set| set.template);
    ForRollback {
        replacement: workload.replacement,
        floor: workload.floor.clone(),
        same_as_current: sets
            .iter()
            .filter(|set| !is_current(set) && Some(set.template) == template)
            .map(|set| set.revision.hash.clone())
            .collect(),
        history_limit: workload.history_limit,
    }
}

/// The revision that the spec asks for, once the controller has seen that spec.
///
/// A Deployment does not say it: as in its controller, it is the oldest `ReplicaSet` with the same template. A Rollout
/// says it itself, and its template is no help: it is stored without defaults. A `StatefulSet` says it, too. A
/// `DaemonSet` does not: it is its newest `ControllerRevision`, of those with the same template if the watch has shown
/// one already.
fn current(
    kind: TargetKind,
    workload: &WorkloadFacts,
    sets: &[&RevisionFacts],
) -> Option<RevisionHash> {
    if !workload.observed {
        return None;
    }
    if let Some(rollout) = &workload.rollout {
        return rollout.current.clone();
    }
    let template = workload.template.as_ref()?;
    let same = || sets.iter().filter(|set| set.template == *template);
    let found = match kind {
        TargetKind::StatefulSet => return workload.update_revision.clone(),
        TargetKind::DaemonSet => same()
            .max_by_key(|set| set.revision.number)
            .or_else(|| sets.iter().max_by_key(|set| set.revision.number)),
        TargetKind::Deployment | TargetKind::Rollout => {
            same().min_by_key(|set| (set.revision.created, &set.revision.hash))
        }
    };
    found.map(|set| set.revision.hash.clone())
}

fn complete(
    workload: &WorkloadFacts,
    sets: &[&RevisionFacts],
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
