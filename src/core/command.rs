//! What people tell Recant to do: who, what, why, and which guards they take upon themselves.
//!
//! A command goes through the same engine, guards, plan and fence as what Recant decides itself. It only takes the place
//! of the evidence.

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::guard::{Guard, Hold};
use crate::ids::{PlanId, TargetId};
use crate::rule::Task;
use crate::time::later;

/// Characters of a reason, at most: longer ones are refused.
pub const LONGEST_REASON: usize = 500;
/// Characters of an idempotency key, at most.
pub const LONGEST_KEY: usize = 128;
/// The longest time that something is asked for; what shall last longer has no end.
pub const LONGEST: SignedDuration = SignedDuration::from_hours(24 * 366);

/// What makes two deliveries ones of the same command: its caller, and the key that the caller gave it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CommandId {
    pub caller: String,
    pub key: String,
}

/// Who gave it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct By {
    /// As the settings call the caller.
    pub caller: String,
    /// Who that was: the user that Kubernetes says, or the names in the certificate. `None`: the caller's token says it all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<String>,
}

impl fmt::Display for By {
    /// `ops`, or `ops` (system:serviceaccount:shop:ci)
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`", self.caller)?;
        match &self.identity {
            Some(identity) => write!(f, " ({identity})"),
            None => Ok(()),
        }
    }
}

/// One command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Command {
    pub key: String,
    pub by: By,
    /// Why, in the caller's words; may be empty.
    pub reason: String,
    pub order: Order,
    /// Guards that must not hold it.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub overrides: BTreeSet<Guard>,
}

impl Command {
    /// What makes a repeat the same command.
    pub fn id(&self) -> CommandId {
        CommandId {
            caller: self.by.caller.clone(),
            key: self.key.clone(),
        }
    }
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    rename_all = "camelCase",
    rename_all_fields = "camelCase",
    tag = "order"
)]
pub enum Order {
    /// Take the target back, whatever the evidence says.
    Rollback {
        target: TargetId,
        /// The hash of a revision, or its number; `None`: where Recant would go.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        to: Option<String>,
    },
    /// Change something else for as long as is said: other replicas, another colour.
    Change {
        /// The workload that it is about: what is scaled, or gets the traffic.
        target: TargetId,
        task: Box<Task>,
        /// Taken back after this long; `None`: never by itself.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        undo_after: Option<Duration>,
    },
    /// Do nothing to the target.
    Hold { target: TargetId, lasts: Lasting },
    /// End a hold, and what is latched: flapping, the circuit breaker.
    Resume { target: TargetId },
    /// Do nothing to anything in reach.
    Freeze { reach: Reach, lasts: Lasting },
    /// End a freeze that was ordered.
    Unfreeze { reach: Reach },
    /// Agree to a rollback that waits for it.
    Approve { plan: PlanId },
}

impl Order {
    /// Whether people are told of it when it was carried out: what leads to a plan is told by that.
    pub fn is_told(&self) -> bool {
        match self {
            Self::Hold { .. }
            | Self::Resume { .. }
            | Self::Freeze { .. }
            | Self::Unfreeze { .. } => true,
            Self::Rollback { .. } | Self::Change { .. } | Self::Approve { .. } => false,
        }
    }

    /// The target that it is about; `None`: more than one.
    pub fn target(&self) -> Option<&TargetId> {
        match self {
            Self::Rollback { target, .. }
            | Self::Change { target, .. }
            | Self::Hold { target, .. }
            | Self::Resume { target }
            | Self::Freeze {
                reach: Reach::Target { target },
                ..
            }
            | Self::Unfreeze {
                reach: Reach::Target { target },
            } => Some(target),
            Self::Freeze {
                reach: Reach::Everything | Reach::Namespace { .. },
                ..
            }
            | Self::Unfreeze {
                reach: Reach::Everything | Reach::Namespace { .. },
            }
            | Self::Approve { .. } => None,
        }
    }
}

impl fmt::Display for Order {
    /// `roll Deployment shop/checkout back to revision 3`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rollback { target, to: None } => write!(f, "roll {target} back"),
            Self::Rollback {
                target,
                to: Some(to),
            } => write!(f, "roll {target} back to revision {to}"),
            Self::Change {
                task,
                undo_after: None,
                ..
            } => task.fmt(f),
            Self::Change {
                task,
                undo_after: Some(after),
                ..
            } => {
                let after = SignedDuration::try_from(*after).unwrap_or(LONGEST);
                write!(f, "{task} for {}", crate::wording::span(after))
            }
            Self::Hold { target, lasts } => write!(f, "hold {target}{lasts}"),
            Self::Resume { target } => write!(f, "resume {target}"),
            Self::Freeze { reach, lasts } => write!(f, "freeze {reach}{lasts}"),
            Self::Unfreeze { reach } => write!(f, "unfreeze {reach}"),
            Self::Approve { plan } => write!(f, "approve plan `{plan}`"),
        }
    }
}

/// For how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Lasting {
    /// Until somebody ends it.
    Open,
    /// So many seconds from when it is taken.
    Seconds(u64),
    Until(Timestamp),
}

impl Lasting {
    /// When it ends, if it began at `at`.
    pub fn ends(self, at: Timestamp) -> Option<Timestamp> {
        match self {
            Self::Open => None,
            Self::Seconds(seconds) => {
                let seconds = i64::try_from(seconds).unwrap_or(i64::MAX);
                Some(later(at, SignedDuration::from_secs(seconds).min(LONGEST)))
            }
            Self::Until(until) => Some(until),
        }
    }
}

impl fmt::Display for Lasting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Open => f.write_str(" until it is ended"),
            Self::Seconds(seconds) => {
                let seconds = i64::try_from(*seconds).unwrap_or(i64::MAX);
                let span = crate::wording::span(SignedDuration::from_secs(seconds));
                write!(f, " for {span}")
            }
            Self::Until(until) => write!(f, " until {until:.0}"),
        }
    }
}

/// How far a freeze reaches.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "reach")]
pub enum Reach {
    Everything,
    Namespace { namespace: String },
    Target { target: TargetId },
}

impl Reach {
    /// Whether what lies in this namespace, and belongs to this target, is in reach.
    pub fn holds(&self, namespace: &str, target: &TargetId) -> bool {
        match self {
            Self::Everything => true,
            Self::Namespace { namespace: own } => own == namespace,
            Self::Target { target: own } => own == target,
        }
    }
}

impl fmt::Display for Reach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Everything => f.write_str("everything"),
            Self::Namespace { namespace } => write!(f, "namespace `{namespace}`"),
            Self::Target { target } => target.fmt(f),
        }
    }
}

/// What became of a command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    rename_all = "camelCase",
    rename_all_fields = "camelCase",
    tag = "outcome"
)]
pub enum CommandOutcome {
    /// It is done, or its plan has begun.
    Done {
        /// A sentence without a full stop.
        said: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        plan: Option<PlanId>,
        /// What would have held it, had the caller not overridden it.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        overridden: Vec<Hold>,
    },
    /// Guards hold it; nothing was done, and nothing will be.
    Held { holds: Vec<Hold> },
    /// It cannot be done. A sentence without a full stop, with what to do next.
    Refused { reason: String },
}

impl CommandOutcome {
    pub(crate) fn refused(reason: impl Into<String>) -> Self {
        Self::Refused {
            reason: reason.into(),
        }
    }
}
