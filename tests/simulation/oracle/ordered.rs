//! What people ordered: taken once, answered as it was written down, and held by the same guards as everything else but
//! for the evidence. What is held or frozen stays so until that ends.

use std::collections::BTreeMap;

use jiff::Timestamp;
use recant_core::command::{Command, CommandId, CommandOutcome, Order, Reach};
use recant_core::guard::Guard;
use recant_core::ids::TargetId;
use recant_core::notice::{Notice, NoticeKind};
use recant_core::saga::Plan;

use super::{Broken, Oracle, broken};

/// All orders that were written down, and what they set.
#[derive(Debug, Default)]
pub(super) struct Ordered {
    commands: BTreeMap<CommandId, (Command, Option<CommandOutcome>)>,
    /// Until when, by the clock of whoever took it.
    holds: BTreeMap<TargetId, Option<Timestamp>>,
    freezes: BTreeMap<Reach, Option<Timestamp>>,
}

impl Ordered {
    pub(super) fn take(&mut self, command: &Command) {
        self.commands.insert(command.id(), (command.clone(), None));
    }

    pub(super) fn end(&mut self, at: Timestamp, id: &CommandId, outcome: &CommandOutcome) {
        let Some((command, end)) = self.commands.get_mut(id) else {
            return;
        };
        *end = Some(outcome.clone());
        if !matches!(outcome, CommandOutcome::Done { .. }) {
            return;
        }
        match &command.order {
            Order::Hold { target, lasts } => {
                self.holds.insert(target.clone(), lasts.ends(at));
            }
            Order::Resume { target } => {
                self.holds.remove(target);
            }
            Order::Freeze { reach, lasts } => {
                self.freezes.insert(reach.clone(), lasts.ends(at));
            }
            Order::Unfreeze { reach } => {
                self.freezes.remove(reach);
            }
            Order::Rollback { .. } | Order::Change { .. } | Order::Approve { .. } => {}
        }
    }

    /// Holds and freezes that were set or lifted.
    fn set(&self) -> usize {
        let set = |(command, end): &&(Command, Option<CommandOutcome>)| {
            let rollback = matches!(command.order, Order::Rollback { .. });
            matches!(end, Some(CommandOutcome::Done { .. })) && !rollback
        };
        self.commands.values().filter(set).count()
    }

    fn known(&self, by: &str) -> Option<&(Command, Option<CommandOutcome>)> {
        let mut all = self.commands.values();
        all.find(|(command, _)| command.by.to_string() == by)
    }
}

impl Oracle {
    pub(super) fn commanded(&self, command: &Command, deciding: bool) -> Result<(), Broken> {
        let id = command.id();
        if !deciding {
            return broken("P6", format!("{} was taken without the Lease", command.by));
        }
        if self.ordered.commands.contains_key(&id) {
            return broken("P4", format!("the order of {} was taken twice", command.by));
        }
        Ok(())
    }

    pub(super) fn command_ends(
        &self,
        id: &CommandId,
        outcome: &CommandOutcome,
    ) -> Result<(), Broken> {
        let Some((command, None)) = self.ordered.commands.get(id) else {
            return broken("P4", format!("what {} ordered ends twice", id.caller));
        };
        let CommandOutcome::Done { plan, .. } = outcome else {
            let by = command.by.to_string();
            let begun = self
                .plans
                .values()
                .any(|plan| plan.by.as_ref() == Some(&by));
            return if begun {
                broken("P4", format!("{by} is told of nothing, and a plan began"))
            } else {
                Ok(())
            };
        };
        let begun = plan.as_ref().is_none_or(|id| self.plans.contains_key(id));
        if begun {
            Ok(())
        } else {
            broken(
                "P3",
                format!("{} is told of a plan that is not", command.by),
            )
        }
    }

    /// A person hears what came of their order: that, and nothing else, is durable.
    pub(crate) fn answered(
        &self,
        command: &Command,
        outcome: &CommandOutcome,
    ) -> Result<(), Broken> {
        let written = self.ordered.commands.get(&command.id());
        match (written, outcome) {
            (Some((_, Some(written))), told) if written == told => Ok(()),
            // What cannot be taken at all is not written down.
            (None, CommandOutcome::Refused { .. }) => Ok(()),
            (written, told) => broken(
                "P3",
                format!(
                    "{} is told {told:?}, and written is {written:?}",
                    command.by
                ),
            ),
        }
    }

    /// People hear of a hold or a freeze: somebody ordered it, and each is told once.
    pub(super) fn order_is_told(&self, notice: &Notice) -> Result<(), Broken> {
        let told = self.told_orders() + 1;
        if told > self.ordered.set() {
            return broken(
                "P9",
                format!(
                    "{} is told, and nobody ordered it: {}",
                    notice.id, notice.headline
                ),
            );
        }
        Ok(())
    }

    fn told_orders(&self) -> usize {
        let all = self.noticed.values();
        all.filter(|notice| notice.kind == NoticeKind::Ordered)
            .count()
    }

    /// At rest: whatever was set or lifted was told.
    pub(super) fn orders_are_told(&self) -> Result<(), Broken> {
        let (told, set) = (self.told_orders(), self.ordered.set());
        if told == set {
            return Ok(());
        }
        broken(
            "liveness",
            format!("{set} holds and freezes were set or lifted, and {told} were told"),
        )
    }

    /// A rollback that a person ordered begins: the order is open, and what holds it was taken upon themselves.
    pub(super) fn plan_was_ordered(
        &self,
        at: Timestamp,
        plan: &Plan,
        by: &str,
    ) -> Result<(), Broken> {
        let (id, target) = (&plan.id, &plan.fence.target);
        let open = match self.ordered.known(by) {
            Some((command, None)) => command,
            Some((_, Some(_))) => {
                return broken("P4", format!("{id} began after {by} was answered"));
            }
            None => return broken("P9", format!("{id} says {by}, and nobody ordered it")),
        };
        let wanted = matches!(&open.order, Order::Rollback { target: of, .. } if of == target);
        if !wanted {
            return broken("P9", format!("{id} is not what {by} ordered"));
        }
        let mut others = self.plans.values();
        if others.any(|plan| plan.by.as_deref() == Some(by)) {
            return broken("P4", format!("{id} is the second rollback of one order"));
        }
        let all = |guard: Guard| open.overrides.contains(&guard);
        if !all(Guard::ActionRate) {
            self.one_more_action(at, id)?;
        }
        if !all(Guard::CoolDown) {
            self.cooled_down(at, plan)?;
        }
        if !all(Guard::HeldByPerson) {
            self.not_held(at, id.as_str(), target)?;
        }
        if !all(Guard::Freeze) {
            self.not_frozen(at, id.as_str(), target)?;
        }
        Ok(())
    }

    pub(super) fn cooled_down(&self, at: Timestamp, plan: &Plan) -> Result<(), Broken> {
        let (id, target) = (&plan.id, &plan.fence.target);
        let last = self.last_plan.get(target);
        if last.is_some_and(|last| at.duration_since(*last) < self.cool_down) {
            return broken(
                "P11",
                format!("{id} began within the cool-down of {target}"),
            );
        }
        Ok(())
    }

    /// Nobody holds the target.
    pub(super) fn not_held(
        &self,
        at: Timestamp,
        what: &str,
        target: &TargetId,
    ) -> Result<(), Broken> {
        if on(self.ordered.holds.get(target), at) {
            return broken("hold", format!("{what} began while {target} was held"));
        }
        Ok(())
    }

    /// Nothing that reaches the target is frozen.
    pub(super) fn not_frozen(
        &self,
        at: Timestamp,
        what: &str,
        target: &TargetId,
    ) -> Result<(), Broken> {
        let mut reaching = self.ordered.freezes.iter();
        let frozen = reaching.find(|(reach, until)| {
            let reached = match reach {
                Reach::Everything => true,
                Reach::Namespace { namespace } => *namespace == target.namespace,
                Reach::Target { target: of } => of == target,
            };
            reached && on(Some(until), at)
        });
        match frozen {
            Some((reach, _)) => broken("freeze", format!("{what} began while {reach} was frozen")),
            None => Ok(()),
        }
    }
}

/// Whether what ends then, or by somebody, is on.
fn on(until: Option<&Option<Timestamp>>, at: Timestamp) -> bool {
    until.is_some_and(|until| until.is_none_or(|until| at < until))
}
