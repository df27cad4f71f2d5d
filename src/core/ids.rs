//! Names of things: one newtype per kind of identifier, so that no two can be mistaken for each other.

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub String);

        impl $name {
            /// The identifier as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(text.to_owned())
            }
        }
    };
}

text_id! {
    /// One version of a target: the pod-template hash. Never the revision number, which an undo changes.
    RevisionHash
}
text_id! {
    /// Name of a pod within its namespace.
    PodName
}
text_id! {
    /// Name of a rule, unique within one watch: `<rule set>/<rule>`.
    RuleName
}
text_id! {
    /// Name of a `Channel` document.
    ChannelName
}
text_id! {
    /// One run of a target's rules for one revision; also the correlation id of all that follows from it (P9).
    AnalysisId
}
text_id! {
    /// One time that a rule between releases was broken; also the correlation id of all that follows from it (P9).
    IncidentId
}
text_id! {
    /// One plan: the action that one decision led to. Written on the object as proof that it was done.
    PlanId
}
text_id! {
    /// One notice, whatever number of channels it goes to.
    NoticeId
}

impl NoticeId {
    /// How many notices had been made when this one was, itself included: the digits at its end. 0 without any.
    pub fn number(&self) -> u64 {
        let stem = self.0.trim_end_matches(|c: char| c.is_ascii_digit());
        let digits = self.0.strip_prefix(stem).unwrap_or_default();
        digits.parse().unwrap_or_default()
    }
}

/// Namespace and name of a `Watch` document.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct WatchName {
    pub namespace: String,
    pub name: String,
}

impl fmt::Display for WatchName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

/// Kinds of workload that can be watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum TargetKind {
    /// `apps/v1` Deployment.
    Deployment,
    /// `argoproj.io/v1alpha1` Rollout.
    Rollout,
    /// `apps/v1` `StatefulSet`.
    StatefulSet,
    /// `apps/v1` `DaemonSet`.
    DaemonSet,
}

impl TargetKind {
    /// All kinds, in the order in which they are listed to people.
    pub const ALL: [Self; 4] = [
        Self::Deployment,
        Self::Rollout,
        Self::StatefulSet,
        Self::DaemonSet,
    ];

    /// The kind as documents and the API server write it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Deployment => "Deployment",
            Self::Rollout => "Rollout",
            Self::StatefulSet => "StatefulSet",
            Self::DaemonSet => "DaemonSet",
        }
    }

    /// The kind that is written so.
    pub fn named(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }

    /// All kinds for a message: `Deployment`, `Rollout`, …
    pub fn listed() -> String {
        Self::ALL.map(|kind| format!("`{kind}`")).join(", ")
    }

    /// The label by which metrics and alerts name a workload of this kind, as kube-state-metrics has it.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Deployment => "deployment",
            Self::Rollout => "rollout",
            Self::StatefulSet => "statefulset",
            Self::DaemonSet => "daemonset",
        }
    }
}

impl fmt::Display for TargetKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A workload that is watched.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TargetId {
    pub namespace: String,
    pub kind: TargetKind,
    pub name: String,
}

impl fmt::Display for TargetId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}/{}", self.kind, self.namespace, self.name)
    }
}
