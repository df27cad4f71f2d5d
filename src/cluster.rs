//! What runs the targets: the seam `Cluster`, and its adapters.

#[cfg(feature = "whole")]
pub mod kubernetes;
#[cfg(feature = "whole")]
pub mod memory;

use std::collections::BTreeSet;

use async_trait::async_trait;
pub use recant_core::change::KILL_SWITCH_ANNOTATION;
use recant_core::change::{ObjectRef, ObjectState};
use recant_core::ids::{PodName, TargetId, TargetKind};
use recant_core::plan::{StepCommand, StepResult};
use recant_core::preflight::{Preflight, WayBackQuestion};
use recant_core::rule::ScaleTarget;
use recant_core::scaling::ScaleState;
use recant_core::target::{NodeReport, TargetNews};
use serde_json::Value;

/// On a target: the last plan that was carried out on it.
pub const PLAN_ANNOTATION: &str = "recant.dev/plan";
/// On a workload or its autoscaler: the last scaling that was carried out on it. Apart from [`PLAN_ANNOTATION`]: a rollback
/// and a scaling of one workload must not take each other's mark away.
pub const SCALING_ANNOTATION: &str = "recant.dev/scaling";
/// On a Deployment: the last plan that paused it for the evidence of a release. It stays when that is over.
pub const PAUSE_ANNOTATION: &str = "recant.dev/pause";
/// On a Deployment that Recant has paused: by when it has to go on.
pub const PAUSED_UNTIL_ANNOTATION: &str = "recant.dev/paused-until";

/// On a target: the revision below which nothing goes back, by hash or by number.
pub const FLOOR_ANNOTATION: &str = "recant.dev/floor";

/// Why a cluster does not carry out what goes to somebody outside: the executor does.
pub const NOT_OF_THE_CLUSTER: &str = "nobody outside is called by the cluster";

/// Watches targets and carries out steps on them.
#[async_trait]
pub trait Cluster: Send + Sync {
    /// What changed since the last call; at the first call, everything. Never waits.
    fn news(&self) -> Vec<TargetNews>;

    /// These are the targets from now on, all of them. What is new is listed first; of what went there is no more news.
    /// Needs a runtime, and returns at once. A cluster that shows everything anyway has nothing to do.
    fn follow(&self, targets: &[TargetId]) {
        let _ = targets;
    }

    /// In these namespaces all workloads of the kind are to be known from now on, targets or not: others may name them.
    /// Needs a runtime, and returns at once.
    fn show(&self, places: BTreeSet<(String, TargetKind)>) {
        let _ = places;
    }

    /// Resolves when there may be news.
    async fn changed(&self);

    /// Carries out one step: reads the object, holds the fence against it, writes under the lock of that read.
    async fn execute(&self, command: &StepCommand) -> Result<StepResult, ClusterError>;

    /// What a step would write to the object as it is now; nothing is written.
    async fn preview(&self, command: &StepCommand) -> Result<Value, ClusterError> {
        Err(ClusterError::Rejected {
            reason: format!(
                "what would be written to {} cannot be shown here",
                command.object()
            ),
        })
    }

    /// What the nodes under these pods of the target say.
    async fn nodes(&self, target: &TargetId, pods: &[PodName]) -> Result<NodeReport, ClusterError> {
        let _ = (target, pods);
        Ok(NodeReport::default())
    }

    /// Reads what a scaling is decided from; `None`: the workload does not exist.
    async fn scale_state(&self, target: &ScaleTarget) -> Result<Option<ScaleState>, ClusterError>;

    /// Reads an object that a change is decided from; `None`: it does not exist.
    async fn object(&self, object: &ObjectRef) -> Result<Option<ObjectState>, ClusterError>;

    /// Looks at a way back before it is taken. Where there is nothing besides the workloads, nothing is missing.
    async fn preflight(&self, question: &WayBackQuestion) -> Result<Preflight, ClusterError> {
        let _ = question;
        Ok(Preflight::default())
    }
}

/// Why a step was not carried out this time.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    /// Somebody wrote the object between our read and our write: read again.
    #[error("the object changed while it was written")]
    Conflict,
    /// The role lacks a right.
    #[error("not allowed to {verb} {resource} in namespace `{namespace}`")]
    Forbidden {
        verb: String,
        resource: String,
        namespace: String,
    },
    /// No answer, or an answer that may be different next time.
    #[error("the API server did not answer: {reason}")]
    Unreachable { reason: String },
    /// The controller lags behind the object's spec: nothing was written, read again soon.
    #[error("{reason}")]
    Unsettled { reason: String },
    /// Nothing says where the API server is, or what does cannot be used.
    #[error("no way to the API server: {reason}")]
    Unconfigured { reason: String },
    /// The API server refused the write as invalid.
    #[error("the API server refused: {reason}")]
    Rejected { reason: String },
}

impl ClusterError {
    /// Whether the same step may succeed when it is tried again.
    pub fn retry(&self) -> bool {
        match self {
            Self::Conflict | Self::Unreachable { .. } | Self::Unsettled { .. } => true,
            Self::Forbidden { .. } | Self::Unconfigured { .. } | Self::Rejected { .. } => false,
        }
    }
}
