//! Whether a rollback held against a `GitOps` tool: for one sync period it is watched, and a revert is remembered.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::ids::{AnalysisId, RevisionHash};
use crate::suspension::SuspensionNews;
use crate::target::GitOwner;

/// A rollback that a `GitOps` tool may revert.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Drift {
    pub analysis: AnalysisId,
    pub owner: GitOwner,
    /// The revision that Git still asks for, as far as is known.
    pub bad: RevisionHash,
    /// The one that was put back.
    pub good: RevisionHash,
    /// When one sync period is over.
    pub until: Timestamp,
}

/// That a rollback was reverted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Reverted {
    pub at: Timestamp,
    /// Who wrote it back: a manager of `managedFields`.
    pub by: String,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "news")]
pub enum DriftNews {
    /// A rollback was carried out on an object with an owner.
    Began { drift: Box<Drift> },
    /// It held for a sync period.
    Held,
    /// It was reverted.
    Reverted { by: String },
    /// Its self-heal is switched off for a rollback, or on again.
    Suspension { suspension: SuspensionNews },
    /// Another revision came: there is nothing to watch any more.
    Over { reason: String },
}
