//! Notices about what people set and lift: holds and freezes, with who, until when, and how it is ended.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::emit;
use crate::command::{Command, Order, Reach};
use crate::engine::Turn;
use crate::engine::live::Live;
use crate::ids::{ChannelName, NoticeId, TargetId};
use crate::notice::{Notice, NoticeKind, Severity};
use crate::wording::{capitalised, short};

/// Characters of a reason that are told.
const SHOWN: usize = 300;
const GOES_ON: &str = "Recant goes on judging and telling, and changes";

/// Tells every channel that hears of a failed release in reach: those are the people who count on being protected.
pub(in crate::engine) fn ordered(
    turn: &mut Turn<'_>,
    lives: &BTreeMap<TargetId, Live>,
    command: &Command,
) {
    let Command {
        by, reason, order, ..
    } = command;
    let people = &turn.ledger.people;
    let (headline, mut sentences, severity, reach) = match order {
        Order::Hold { target, .. } => {
            let held = people.holds.get(target).and_then(|held| held.until);
            let ends = format!(
                "`recant resume {}/{} -n {}`",
                target.kind, target.name, target.namespace
            );
            (
                format!("{target} is held by {by}{}", until(held)),
                vec![format!("{GOES_ON} nothing about it."), end(held, &ends)],
                Severity::Warning,
                Reach::Target {
                    target: target.clone(),
                },
            )
        }
        Order::Freeze { reach, .. } => {
            let frozen = people.freezes.get(reach);
            let frozen = frozen.and_then(|frozen| frozen.ordered.until);
            let ends = match reach {
                Reach::Everything => "`recant unfreeze`".to_owned(),
                Reach::Namespace { namespace } => format!("`recant unfreeze --scope {namespace}`"),
                Reach::Target { target } => format!(
                    "`recant unfreeze --scope {}/{}/{}`",
                    target.namespace, target.kind, target.name
                ),
            };
            let what = match reach {
                Reach::Everything => "nothing".to_owned(),
                Reach::Namespace { namespace } => format!("nothing in namespace `{namespace}`"),
                Reach::Target { .. } => "nothing about it".to_owned(),
            };
            (
                format!(
                    "{} is frozen by {by}{}",
                    capitalised(&reach.to_string()),
                    until(frozen)
                ),
                vec![format!("{GOES_ON} {what}."), end(frozen, &ends)],
                Severity::Warning,
                reach.clone(),
            )
        }
        Order::Resume { target } => (
            format!("{target} is held no more: {by} ended that"),
            vec![
                "Recant acts on it again. A release that still fails is taken back by itself."
                    .to_owned(),
            ],
            Severity::Info,
            Reach::Target {
                target: target.clone(),
            },
        ),
        Order::Unfreeze { reach } => (
            format!(
                "{} is frozen no more: {by} ended that",
                capitalised(&reach.to_string())
            ),
            vec![
                "Recant acts again. A release that still fails is taken back by itself.".to_owned(),
            ],
            Severity::Info,
            reach.clone(),
        ),
        // These are told by what they lead to.
        Order::Rollback { .. } | Order::Change { .. } | Order::Approve { .. } => return,
    };
    if !reason.is_empty() {
        sentences.insert(0, format!("Their reason: \"{}\".", short(reason, SHOWN)));
    }
    let reached = |target: &TargetId| reach.holds(&target.namespace, target);
    let of_reach = lives.iter().filter(|(target, _)| reached(target));
    let channels: BTreeSet<&ChannelName> = of_reach
        .flat_map(|(_, live)| &live.watch.on_fail.notify)
        .collect();
    let live = match &reach {
        Reach::Target { target } => lives.get(target),
        Reach::Everything | Reach::Namespace { .. } => None,
    };
    let notice = Notice {
        id: NoticeId(String::new()),
        at: turn.now,
        kind: NoticeKind::Ordered,
        severity,
        watch: live.map(|live| live.watch.name.clone()),
        target: live.map(|live| live.watch.target.clone()),
        correlation: None,
        headline,
        sentences,
        facts: Vec::new(),
        links: live.map_or_else(Vec::new, |live| live.watch.links.clone()),
        channels: channels.into_iter().cloned().collect(),
    };
    emit(turn, notice);
}

fn until(until: Option<Timestamp>) -> String {
    until.map_or_else(String::new, |until| format!(" until {until:.0}"))
}

fn end(until: Option<Timestamp>, ends: &str) -> String {
    match until {
        Some(until) => format!("It ends at {until:.0}, or when somebody ends it: {ends}."),
        None => format!("It lasts until somebody ends it: {ends}."),
    }
}
