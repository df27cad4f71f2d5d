//! The limits of the guards that hold for all targets.

use std::sync::Arc;

use jiff::SignedDuration;

use super::freeze::Freeze;
use crate::rule::GitOps;

/// Limits that hold for all targets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GuardSettings {
    /// After an action on a target, the next one on it waits this long.
    pub cool_down: SignedDuration,
    /// Actions over all targets within an hour.
    pub actions_per_hour: usize,
    /// Targets that may be under rollback, or just after one, at a time.
    pub at_once: AtMost,
    /// Rollbacks that failed one after the other.
    pub breaker: Times,
    /// Rollbacks of one target.
    pub flapping: Times,
    /// Targets whose releases failed.
    pub many_at_once: Times,
    /// When nothing is to be changed.
    pub freezes: Arc<[Freeze]>,
    /// The namespaces in which it acts; empty: in all.
    pub namespaces: Arc<[String]>,
    /// Labels that an object must have to be acted upon; empty: none.
    pub labels: Arc<[(String, String)]>,
    /// What a silence in Alertmanager means for actions.
    pub silences: Silenced,
    /// What is done to a target that a `GitOps` tool keeps, unless its watch says otherwise.
    pub gitops: GitOps,
    /// Within this time a `GitOps` tool reverts what it does not want.
    pub sync_period: SignedDuration,
    /// Before a rollback, Secrets that the earlier template names are looked for as well.
    pub check_secrets: bool,
    pub approval: Approving,
    /// Decides and tells, but writes to nothing.
    pub dry_run: bool,
    /// Nothing is written to a workload (P13).
    pub kill_switch: bool,
}

impl GuardSettings {
    /// Nothing but a cool-down and a rate: for what replays the past or tries rules.
    pub fn only(cool_down: SignedDuration, actions_per_hour: usize) -> Self {
        Self {
            cool_down,
            actions_per_hour,
            at_once: AtMost::Percent(100),
            breaker: Times::NEVER,
            flapping: Times::NEVER,
            many_at_once: Times::NEVER,
            freezes: Arc::new([]),
            namespaces: Arc::new([]),
            labels: Arc::new([]),
            silences: Silenced::Act,
            gitops: GitOps::Verify,
            sync_period: SignedDuration::from_mins(5),
            check_secrets: false,
            approval: Approving {
                required: false,
                within: SignedDuration::from_mins(30),
            },
            dry_run: false,
            kill_switch: false,
        }
    }
}

/// How many of all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AtMost {
    Number(usize),
    /// Of the watched targets, 1 to 100; at least one target.
    Percent(u8),
}

impl AtMost {
    /// The number, of so many in all.
    pub fn of(self, all: usize) -> usize {
        match self {
            Self::Number(number) => number,
            Self::Percent(percent) => (all * usize::from(percent) / 100).max(1),
        }
    }
}

/// So many times within a time, or (for the circuit breaker) for which time from the last one on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Times {
    /// 0: the guard is off.
    pub number: usize,
    pub within: SignedDuration,
}

impl Times {
    /// The guard is off.
    pub const NEVER: Self = Self {
        number: 0,
        within: SignedDuration::ZERO,
    };
}

/// Whether people have to agree before a bad release is taken back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Approving {
    /// For every watch; one alone may say so itself.
    pub required: bool,
    /// For how long people are asked, and their agreement counts; then they are asked anew.
    pub within: SignedDuration,
}

/// What is done to a target that is silenced in Alertmanager. Its notices are held back in any case.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Silenced {
    /// People did not want to hear of it; that is no reason to keep a bad release.
    #[default]
    Act,
    /// Nothing, until the silence is over.
    Hold,
}
