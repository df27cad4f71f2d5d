//! The pods of a target, as measurement needs them: which there are, and since when.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::ids::{PodName, RevisionHash, TargetId};
use crate::observation::SeriesKey;
use crate::target::{Pod, Revision, is_pod_of, prefix_of_pods};

/// All pods that are known to belong to one target, those that went in the last minutes included.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct KnownPods {
    namespace: String,
    pods: BTreeMap<PodName, KnownPod>,
    /// What the names of a revision's pods begin with; for pods that are gone.
    gone: Vec<(String, KnownPod)>,
}

/// A pod that is known to belong to the target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownPod {
    pub revision: RevisionHash,
    /// By the clock of the API server, cut to whole seconds.
    pub created: Timestamp,
}

impl KnownPods {
    /// The pods of a target.
    pub fn new<'a>(target: &TargetId, pods: impl IntoIterator<Item = &'a Pod>) -> Self {
        Self {
            namespace: target.namespace.clone(),
            gone: Vec::new(),
            pods: pods
                .into_iter()
                .map(|pod| {
                    let known = KnownPod {
                        revision: pod.hash.clone(),
                        created: pod.created,
                    };
                    (pod.name.clone(), known)
                })
                .collect(),
        }
    }

    /// The pods of a target, and whatever pods of these revisions there were before.
    ///
    /// When such a pod was created is not known: not before its revision was.
    pub fn with_revisions<'a>(
        target: &TargetId,
        pods: impl IntoIterator<Item = &'a Pod>,
        revisions: &[Revision],
    ) -> Self {
        let gone = revisions.iter().map(|revision| {
            let known = KnownPod {
                revision: revision.hash.clone(),
                created: revision.created,
            };
            (prefix_of_pods(&target.name, &revision.hash), known)
        });
        Self {
            gone: gone.collect(),
            ..Self::new(target, pods)
        }
    }

    /// The pod with this name in the target's namespace.
    pub fn get(&self, pod: &PodName) -> Option<&KnownPod> {
        self.pods.get(pod).or_else(|| {
            let mut gone = self.gone.iter();
            let (_, known) = gone.find(|(prefix, _)| is_pod_of(pod, prefix))?;
            Some(known)
        })
    }

    /// The pod that a series is of; `None` for series of other things and of pods that are not known (yet).
    pub fn of(&self, key: &SeriesKey) -> Option<&KnownPod> {
        match key {
            SeriesKey::Pod { namespace, pod } if *namespace == self.namespace => self.get(pod),
            SeriesKey::Pod { .. } | SeriesKey::Label(_) | SeriesKey::Whole => None,
        }
    }
}
