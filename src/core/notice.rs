//! What to tell whom: the content of a message, before any channel's dialect.

mod incident;
mod labels;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::ids::{AnalysisId, ChannelName, NoticeId, TargetId, WatchName};
use crate::rule::Link;

pub use incident::{Incident, Problem, Status};

/// One message. A person who reads only this knows what happened, why, what was done, and where to look.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Notice {
    pub id: NoticeId,
    pub at: Timestamp,
    pub kind: NoticeKind,
    pub severity: Severity,
    /// `None`: it concerns several watches, as a lost source does.
    pub watch: Option<WatchName>,
    pub target: Option<TargetId>,
    /// Equal in all records, messages and logs of one incident (P9).
    pub correlation: Option<AnalysisId>,
    /// One line, at most about 120 characters.
    pub headline: String,
    /// Sentences, in reading order: what was wrong, what was done, whether it helped, what is next.
    pub sentences: Vec<String>,
    /// Short labelled values: revision, images, replicas.
    pub facts: Vec<Fact>,
    pub links: Vec<Link>,
    pub channels: Vec<ChannelName>,
}

impl Notice {
    /// What it has in common with the other messages about the same: the incident, else the target and the kind.
    pub fn thread(&self) -> String {
        match (&self.correlation, &self.target) {
            (Some(correlation), _) => correlation.to_string(),
            (None, Some(target)) => format!("{target} {:?}", self.kind),
            (None, None) => format!("{:?}", self.kind),
        }
    }
}

/// A short labelled value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fact {
    pub label: String,
    pub value: String,
}

/// Defines an enum of plain variants with a list of them all, so that none can be left out where each has to be tried.
macro_rules! with_all {
    ($(#[$meta:meta])* pub enum $name:ident { $($(#[$doc:meta])* $variant:ident,)* }) => {
        $(#[$meta])*
        pub enum $name { $($(#[$doc])* $variant,)* }

        impl $name {
            /// All of them, in the order of their definition.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];
        }
    };
}

with_all! {
/// What a notice is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum NoticeKind {
    /// A rollback was decided and begins.
    RollingBack,
    /// The rollback was carried out and the symptom is gone.
    Restored,
    /// The rollback was carried out; the symptom is not gone, or could not be verified.
    NotRestored,
    /// The rollback could not be carried out.
    RollbackFailed,
    /// An action is held back by a guard.
    Held,
    /// A revision passed and is known good.
    Passed,
    /// The watch ended without a verdict.
    Inconclusive,
    /// A release is paused at its first pods until its evidence is in.
    Paused,
    /// The pause is over, or could not be made.
    PauseEnded,
    /// A release stays paused until a person looks.
    LeftPaused,
    /// A rollback has held against a `GitOps` tool, and Git is still to be mended.
    HeldAgainstGit,
    /// A source cannot be asked, or answers partially.
    SourceUnavailable,
    SourceRecovered,
    /// A rule has no data: it may be misspelt.
    RuleWithoutData,
    /// A revision that failed before is back.
    FailedRevisionBack,
    /// The share of a release's traffic was set, or nothing more is done about it.
    Traffic,
    /// The share of a release's traffic is held as it is by a guard.
    TrafficHeld,
    /// A rule between releases is broken.
    IncidentBegan,
    /// A workload was scaled because of an incident, or is large enough already.
    Scaled,
    /// A scaling, or its undo, is held back by a guard.
    ScalingHeld,
    /// A scaling could not be carried out, or its pods do not get ready.
    ScalingFailed,
    /// What a scaling set was put back, or is left as it is.
    ScalingUndone,
    /// The rule is kept again.
    IncidentEnded,
    /// Several changes were decided and begin.
    OperationBegan,
    /// They were made, in part or not at all, or there was nothing to do.
    OperationEnded,
    /// A guard holds them, or taking them back.
    OperationHeld,
    /// They were taken back, or are left as they are.
    OperationUndone,
    /// People set or lifted a hold or a freeze.
    Ordered,
    /// Changed rules or settings cannot be used; what held before goes on to hold.
    ReloadFailed,
    /// They can be used again.
    Reloaded,
}
}

/// How urgent a notice is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    Info,
    Warning,
    Critical,
}

/// What became of one notice at one channel; an input of the tick, so that it is recorded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Delivery {
    pub notice: NoticeId,
    pub channel: ChannelName,
    pub outcome: DeliveryOutcome,
}

/// The end of a delivery; attempts that will be repeated are not reported.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "outcome")]
pub enum DeliveryOutcome {
    Delivered,
    /// Given up, with the last error; without any secret.
    GivenUp {
        reason: String,
    },
}
