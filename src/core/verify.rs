//! Is the symptom gone after an action: the same limits, over the whole target, from completion on.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::ids::{AnalysisId, PlanId, RevisionHash, RuleName, TargetId};

/// Without enough data for a verdict until then, the action is told as not verified.
pub const VERIFY_TIME: SignedDuration = SignedDuration::from_mins(2);

/// Watches the whole target after a plan was carried out, or a known revision came back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Verification {
    pub target: TargetId,
    pub analysis: AnalysisId,
    /// Our plan; `None`: somebody else took the release back.
    pub plan: Option<PlanId>,
    /// The revision that serves now.
    pub revision: RevisionHash,
    /// The revision that was taken back.
    pub from: RevisionHash,
    /// The rules that had failed.
    pub rules: Vec<RuleName>,
    pub began: Timestamp,
}

/// What the verification found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    rename_all = "camelCase",
    rename_all_fields = "camelCase",
    tag = "verified"
)]
pub enum VerificationEnd {
    /// Every rule that had failed is within its limit.
    Gone,
    /// Some rule still fails, on the way back too.
    Remains { reason: String },
    /// There was too little data to say.
    Unknown { reason: String },
}
