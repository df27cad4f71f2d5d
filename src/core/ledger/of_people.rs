//! What lasts of what people ordered: commands that were taken, and what they set.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::pairs;
use crate::command::{Command, CommandId, CommandOutcome, Order, Reach};
use crate::guard::{Approval, Frozen, Given, Ordered, People};
use crate::ids::{PlanId, TargetId};
use crate::notice::{Notice, NoticeKind};
use crate::time::elapsed;

/// Commands that are remembered after their end, so that a repeat does nothing twice,
const REMEMBERED: usize = 1_000;
/// and for how long.
const REMEMBERED_FOR: SignedDuration = SignedDuration::from_hours(24);

/// Questions that are remembered after their end.
const QUESTIONS: usize = 100;

/// What lasts of what people ordered.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PeopleLedger {
    /// Commands ever taken: a part of the ids of their plans.
    pub commands: u64,
    /// Taken, and not known to be over.
    pub open: Vec<Command>,
    /// Over, oldest first.
    pub over: Vec<CommandOver>,
    /// Holds and freezes that were set or lifted and not told yet, oldest first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub untold: Vec<Command>,
    /// Targets to which nothing is to be done.
    #[serde(with = "pairs")]
    pub holds: BTreeMap<TargetId, Ordered>,
    /// Freezes, by how far they reach.
    #[serde(with = "pairs")]
    pub freezes: BTreeMap<Reach, Frozen>,
    /// What people are asked to agree to, by plan.
    pub approvals: BTreeMap<PlanId, Approval>,
    /// What became of the last of them, oldest first.
    pub approvals_over: Vec<(PlanId, String)>,
}

/// A command that is over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CommandOver {
    pub id: CommandId,
    pub at: Timestamp,
    pub order: Order,
    pub outcome: CommandOutcome,
}

impl PeopleLedger {
    /// The command of this id, if it is over.
    pub fn over(&self, id: &CommandId) -> Option<&CommandOver> {
        self.over.iter().rev().find(|over| over.id == *id)
    }

    /// What concerns an action in this namespace for this target.
    pub fn concerning(&self, now: Timestamp, namespace: &str, target: &TargetId) -> People<'_> {
        let on = |ordered: &Ordered| ordered.is_on(now);
        let mut reached = self.freezes.iter().filter(|(reach, frozen)| {
            on(&frozen.ordered)
                && (reach.holds(namespace, target) || reach.holds(&target.namespace, target))
        });
        People {
            held: self.holds.get(target).filter(|held| on(held)),
            frozen: reached.next().map(|(_, frozen)| frozen),
        }
    }

    pub(super) fn taken(&mut self, command: &Command) {
        self.commands += 1;
        self.open.push(command.clone());
    }

    pub(super) fn asked(&mut self, approval: &Approval) {
        self.approvals
            .insert(approval.plan.clone(), approval.clone());
    }

    /// Nobody is asked about this plan any more.
    pub(super) fn settled(&mut self, plan: &PlanId, why: &str) {
        if self.approvals.remove(plan).is_none() {
            return;
        }
        if self.approvals_over.len() >= QUESTIONS {
            self.approvals_over.remove(0);
        }
        self.approvals_over.push((plan.clone(), why.to_owned()));
    }

    /// The end of a command, with what it sets.
    pub(super) fn ended(&mut self, at: Timestamp, id: &CommandId, outcome: &CommandOutcome) {
        let Some(place) = self.open.iter().position(|open| open.id() == *id) else {
            return;
        };
        let command = self.open.remove(place);
        if matches!(outcome, CommandOutcome::Done { .. }) {
            self.set(at, &command);
            if command.order.is_told() {
                self.untold.push(command.clone());
            }
        }
        self.over
            .retain(|over| elapsed(over.at, at) < REMEMBERED_FOR);
        if self.over.len() >= REMEMBERED {
            self.over.remove(0);
        }
        self.over.push(CommandOver {
            id: id.clone(),
            at,
            order: command.order,
            outcome: outcome.clone(),
        });
    }

    /// A notice of what was set or lifted was made: they are told in their order.
    pub(super) fn said(&mut self, notice: &Notice) {
        if notice.kind == NoticeKind::Ordered && !self.untold.is_empty() {
            self.untold.remove(0);
        }
    }

    fn set(&mut self, at: Timestamp, command: &Command) {
        let ordered = |until| Ordered {
            by: command.by.to_string(),
            reason: command.reason.clone(),
            since: at,
            until,
        };
        self.holds.retain(|_, held| held.is_on(at));
        self.freezes.retain(|_, frozen| frozen.ordered.is_on(at));
        match &command.order {
            Order::Hold { target, lasts } => {
                self.holds.insert(target.clone(), ordered(lasts.ends(at)));
            }
            Order::Resume { target } => {
                self.holds.remove(target);
            }
            Order::Freeze { reach, lasts } => {
                let frozen = Frozen {
                    reach: reach.to_string(),
                    ordered: ordered(lasts.ends(at)),
                };
                self.freezes.insert(reach.clone(), frozen);
            }
            Order::Unfreeze { reach } => {
                self.freezes.remove(reach);
            }
            Order::Approve { plan } => {
                if let Some(asked) = self.approvals.get_mut(plan) {
                    asked.given = Some(Given {
                        by: command.by.to_string(),
                        at,
                        reason: command.reason.clone(),
                    });
                }
            }
            // What it does is its plan.
            Order::Rollback { .. } | Order::Change { .. } => {}
        }
    }
}
