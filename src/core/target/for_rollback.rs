//! What an object says that only a rollback asks about: how its controller replaces pods, and what was asked of us.
//!
//! Facts only; what follows from them is for the plans and the guards.

use std::collections::BTreeSet;

use crate::ids::RevisionHash;
use crate::target::{Pod, TargetState};

/// What only a rollback asks about.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ForRollback {
    pub replacement: Replacement,
    /// Annotation `recant.dev/floor`: the revision below which nobody may go, by hash or by number.
    pub floor: Option<String>,
    /// Revisions other than the current one whose template is the same.
    pub same_as_current: BTreeSet<RevisionHash>,
    /// `spec.revisionHistoryLimit`, where it is set.
    pub history_limit: Option<i64>,
}

/// How the controller replaces pods whose revision is not the wanted one. The default: all, by itself.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Replacement {
    /// `updateStrategy: OnDelete`: never; whoever deletes a pod gets one of the wanted revision.
    pub on_delete: bool,
    /// Of a `StatefulSet`: pods with a lower ordinal are not replaced.
    pub partition: u32,
    /// Of a `StatefulSet` with `podManagementPolicy: OrderedReady`: none is replaced while any is not ready.
    pub waits_for_ready: bool,
}

impl TargetState {
    /// Pods of a revision that its controller leaves as they are although another revision is wanted: unready pods that
    /// block a `StatefulSet`, and with `OnDelete` all.
    pub fn stuck<'a>(&'a self, revision: &'a RevisionHash) -> impl Iterator<Item = &'a Pod> {
        let Replacement {
            on_delete,
            partition,
            waits_for_ready,
        } = self.for_rollback.replacement;
        self.pods
            .iter()
            .filter(move |pod| pod.hash == *revision && !pod.terminating)
            .filter(move |pod| {
                !is_below(pod, partition) && (on_delete || (waits_for_ready && !pod.ready))
            })
    }

    /// Pods of a revision that stay at it whatever is done, because their ordinal is below the partition.
    pub fn partitioned<'a>(&'a self, revision: &'a RevisionHash) -> impl Iterator<Item = &'a Pod> {
        let partition = self.for_rollback.replacement.partition;
        let of_revision = move |pod: &&Pod| pod.hash == *revision && !pod.terminating;
        let pods = self.pods.iter().filter(of_revision);
        pods.filter(move |pod| is_below(pod, partition))
    }
}

fn is_below(pod: &Pod, partition: u32) -> bool {
    let ordinal = pod.name.as_str().rsplit('-').next();
    let ordinal: Option<u32> = ordinal.and_then(|ordinal| ordinal.parse().ok());
    partition > 0 && ordinal.is_some_and(|ordinal| ordinal < partition)
}
