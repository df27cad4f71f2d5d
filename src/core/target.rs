//! What the cluster says about a target at one moment: an input of the tick.

mod for_rollback;
pub mod naming;
mod owner;
mod pause;

use std::collections::BTreeMap;
use std::net::IpAddr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::ids::{PlanId, PodName, RevisionHash, TargetId};

pub use for_rollback::{ForRollback, Replacement};
pub use owner::{GitOwner, GitTool, OwnerKind, OwnerObject};
pub use pause::{OwnPause, Rolling};

/// News about a target.
#[derive(Debug, Clone, PartialEq)]
pub enum TargetNews {
    State(Box<TargetState>),
    /// The object does not exist.
    Gone(TargetId),
}

/// The state of one watched workload with its revisions and pods.
#[derive(Debug, Clone, PartialEq)]
pub struct TargetState {
    pub id: TargetId,
    pub uid: String,
    /// Hash of the pod template in the spec; `None` while the controller has not seen the latest spec yet.
    pub current: Option<RevisionHash>,
    /// `spec.paused`, or a Rollout that a person paused.
    pub paused: bool,
    /// Every wanted replica is of `current`, is available, and no other pod is left.
    pub complete: bool,
    /// What an Argo Rollout says of itself.
    pub rollout: Option<RolloutStatus>,
    pub revisions: Vec<Revision>,
    pub pods: Vec<Pod>,
    /// Where the kill switch annotation was found (`namespace shop`, `Deployment shop/checkout`), if anywhere.
    pub kill_switch: Option<String>,
    /// Annotation `recant.dev/plan`: the last plan that was carried out on the object.
    pub last_plan: Option<PlanId>,
    /// Its own labels, as many as are kept.
    pub labels: BTreeMap<String, String>,
    /// What only a rollback asks about.
    pub for_rollback: ForRollback,
    /// The last pause that Recant set, if the object bears its mark.
    pub pause: Option<OwnPause>,
    /// How a Deployment replaces its pods.
    pub rolling: Option<Rolling>,
    /// The `GitOps` tool that keeps it as Git says.
    pub owner: Option<GitOwner>,
    /// Who wrote the images of its template: a manager of `managedFields`.
    pub shipped_by: Option<String>,
}

/// Status of an Argo Rollout, trusted only when the controller has observed the latest generation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RolloutStatus {
    /// The revision that is fully promoted.
    pub stable: Option<RevisionHash>,
    pub aborted: bool,
    pub promote_full: bool,
    /// Healthy, Degraded, Progressing or Paused.
    pub phase: String,
    pub message: String,
    /// The template lives in another object.
    pub workload_ref: bool,
    /// Of a blue-green Rollout: the revision that its active Service points at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub active: Option<RevisionHash>,
}

/// One version of a target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Revision {
    pub hash: RevisionHash,
    /// Number as `kubectl rollout history` shows it; an undo gives an old template a new one.
    pub number: u64,
    pub images: Vec<String>,
    pub created: Timestamp,
}

/// One pod of a target.
#[derive(Debug, Clone, PartialEq)]
pub struct Pod {
    pub name: PodName,
    pub hash: RevisionHash,
    pub created: Timestamp,
    pub ready: bool,
    pub terminating: bool,
    pub ip: Option<IpAddr>,
    /// Port and path where it exposes metrics, if its annotations or port names say so.
    pub metrics: Option<(u16, String)>,
    /// Why it is not ready, for people: `container app: CrashLoopBackOff`.
    pub unready_reason: Option<String>,
}

/// What the nodes under some pods of a target say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NodeReport {
    /// Pods that were looked at.
    pub pods: usize,
    /// Those on nodes that are not ready, or under pressure.
    pub troubled: Vec<TroubledPod>,
}

/// A pod on a node that is not well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TroubledPod {
    pub pod: PodName,
    pub node: String,
    /// `NotReady`, `MemoryPressure`
    pub why: String,
}

/// Names of pods are cut to this length before the suffix is added.
const LONGEST_BASE: usize = 58;
/// Characters of the suffix that the API server adds to a pod's name.
const SUFFIX: usize = 5;

/// What the names of all pods of a revision begin with: `<workload>-<hash>-`, cut as the API server cuts it.
pub fn prefix_of_pods(workload: &str, revision: &RevisionHash) -> String {
    let mut base = format!("{workload}-{revision}-");
    if let Some((cut, _)) = base.char_indices().nth(LONGEST_BASE) {
        base.truncate(cut);
    }
    base
}

/// Whether a pod has this prefix of [`prefix_of_pods`], and nothing but the suffix behind it.
pub fn is_pod_of(pod: &PodName, prefix: &str) -> bool {
    pod.as_str().strip_prefix(prefix).is_some_and(|rest| {
        rest.len() == SUFFIX && rest.bytes().all(|byte| byte.is_ascii_alphanumeric())
    })
}

/// What the status of a target's objects says for rules about Kubernetes itself.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ObjectStatus {
    /// Pods that are not on their way out.
    pub pods: Vec<PodStatus>,
    /// The controller has given the rollout up: its progress deadline is over.
    pub failed_progress: bool,
}

/// What the status of one pod says.
#[derive(Debug, Clone, PartialEq)]
pub struct PodStatus {
    pub name: PodName,
    pub created: Timestamp,
    pub ready: bool,
    /// It has no node yet, or its containers have not been started.
    pub pending: bool,
    /// Restarts of all its containers since it was created.
    pub restarts: u32,
    /// When its containers were last killed for want of memory: at most one moment each.
    pub out_of_memory: Vec<Timestamp>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pods_are_known_by_the_names_of_their_revision() {
        let prefix = prefix_of_pods("checkout", &"5d8b9c7f6".into());
        assert!(is_pod_of(&"checkout-5d8b9c7f6-x2x4z".into(), &prefix));
        // Another workload whose name begins the same; a StatefulSet's pod; a pod made by hand.
        for stranger in [
            "checkout-5d8b9c7f6-extra-x2x4z",
            "checkout-api-5d8b9c7f6-x2x4z",
            "checkout-5d8b9c7f6-0",
            "checkout-5d8b9c7f6-",
        ] {
            assert!(!is_pod_of(&stranger.into(), &prefix), "{stranger}");
        }
        let long = prefix_of_pods(&"a".repeat(60), &"5d8b9c7f6".into());
        assert_eq!(long.len(), 58);
        assert!(is_pod_of(&format!("{long}abcde").as_str().into(), &long));
    }
}
