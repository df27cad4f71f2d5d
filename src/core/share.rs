//! What the replicas of one agent know of each other: each judges a shard of the targets, and one of them lets the others
//! act.
//!
//! Every shard shows what the guards over all targets count, and what it wishes to do, when all its own guards have let
//! it through. The acting replica looks at all shards together and grants one wish after the other. A wish carries the
//! moment it began, so a grant is for this wish alone: once it was withdrawn, a later one needs another grant. No clock of
//! one replica is compared with that of another.

mod grants;
mod shard;

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::ids::TargetId;
use crate::ledger::Ledger;
use crate::time::elapsed;

pub use grants::{Granted, Shown, grants};
pub use shard::{quota, shard_of};

/// What the guards over all targets count of one shard, or of several together.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Summary {
    /// Actions of the last hour, oldest first.
    pub actions: Vec<Timestamp>,
    /// Rollbacks that failed, oldest first, since one helped.
    pub setbacks: Vec<Timestamp>,
    /// When a rollback last helped.
    pub helped: Option<Timestamp>,
    /// Releases that failed in the last hour, oldest first.
    pub failures: Vec<(Timestamp, TargetId)>,
    /// Targets with a rollback that is under way, or is not yet known to have helped.
    pub under_way: BTreeSet<TargetId>,
    /// Targets in all.
    pub watched: usize,
}

/// Something that a shard would do now if it were alone.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Wish {
    /// Since when it wishes, by its clock: the oldest comes first.
    pub since: Timestamp,
    pub target: TargetId,
    pub action: WishedAction,
    /// The id of the analysis or the incident that it follows from.
    pub cause: String,
}

/// What is wished for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum WishedAction {
    /// All guards over all targets hold it.
    Rollback,
    /// It counts as an action.
    Scaling,
}

/// What the other shards show, and what is granted to this one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Acting {
    pub others: Summary,
    pub granted: BTreeSet<Wish>,
}

/// Whether there are other shards.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Sharing {
    /// All targets are judged here, and all guards are ours.
    #[default]
    Alone,
    /// `None`: the acting replica has not been heard of yet.
    Among(Option<Acting>),
}

impl Summary {
    /// What the lasting state of one shard comes to.
    pub fn of(ledger: &Ledger) -> Self {
        let under_way = ledger
            .targets
            .iter()
            .filter(|(_, known)| known.is_under_rollback())
            .map(|(target, _)| target.clone());
        Self {
            actions: ledger.actions.clone(),
            setbacks: ledger.setbacks.clone(),
            helped: ledger.helped,
            failures: ledger.failures.clone(),
            under_way: under_way.collect(),
            watched: ledger.targets.len(),
        }
    }

    /// Takes in another shard.
    pub fn add(&mut self, other: &Self) {
        self.actions.extend(&other.actions);
        self.actions.sort();
        self.helped = self.helped.max(other.helped);
        let helped = self.helped;
        self.setbacks.extend(&other.setbacks);
        self.setbacks.retain(|at| Some(*at) > helped);
        self.setbacks.sort();
        self.failures.extend(other.failures.iter().cloned());
        self.failures.sort();
        self.under_way.extend(other.under_way.iter().cloned());
        self.watched += other.watched;
    }

    /// Without what no guard counts any more: so that it does not change for nothing.
    pub fn at(mut self, now: Timestamp) -> Self {
        let hour = SignedDuration::from_hours(1);
        self.actions.retain(|at| elapsed(*at, now) < hour);
        self.failures.retain(|(at, _)| elapsed(*at, now) < hour);
        self
    }
}

impl Wish {
    /// Whether it is for the same, whenever it began.
    pub fn same(&self, other: &Self) -> bool {
        self.target == other.target && self.action == other.action && self.cause == other.cause
    }
}
