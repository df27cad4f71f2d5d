//! The pods of a target, as measurement needs them: which there are, and since when.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::ids::{PodName, RevisionHash, TargetId};
use crate::observation::SeriesKey;
use crate::target::Pod;

/// All pods that are known to belong to one target, those that went in the last minutes included.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct KnownPods {
    namespace: String,
    pods: BTreeMap<PodName, KnownPod>,
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

    /// The pod with this name in the target's namespace.
    pub fn get(&self, pod: &PodName) -> Option<&KnownPod> {
        self.pods.get(pod)
    }

    /// The pod that a series is of; `None` for series of other things and of pods that are not known (yet).
    pub fn of(&self, key: &SeriesKey) -> Option<&KnownPod> {
        match key {
            SeriesKey::Pod { namespace, pod } if *namespace == self.namespace => self.get(pod),
            SeriesKey::Pod { .. } | SeriesKey::Label(_) | SeriesKey::Whole => None,
        }
    }
}
