//! Notices about changed rules and settings: to every channel that hears of a failed release, for these are the people
//! who count on being protected.

use std::collections::{BTreeMap, BTreeSet};

use super::emit;
use crate::engine::Turn;
use crate::engine::live::Live;
use crate::ids::{ChannelName, NoticeId, TargetId};
use crate::notice::{Notice, NoticeKind, Severity};
use crate::wording::{listed, plural};

/// Faults that a message shows; the journal and the log have all.
const SHOWN: usize = 5;

pub(in crate::engine) fn reload_refused(
    turn: &mut Turn<'_>,
    lives: &BTreeMap<TargetId, Live>,
    faults: &[String],
) {
    let mut sentences = vec![
        "Releases are judged by the rules that were loaded before; what was changed does not hold."
            .to_owned(),
    ];
    sentences.extend(faults.iter().take(SHOWN).cloned());
    if faults.len() > SHOWN {
        sentences.push(format!(
            "And {}.",
            plural(faults.len() - SHOWN, "more fault")
        ));
    }
    sentences.push(
        "Mend the files; they are looked at every second. `recant check` shows each fault with its place."
            .to_owned(),
    );
    tell(
        turn,
        lives,
        (NoticeKind::ReloadFailed, Severity::Warning),
        "Recant cannot use the changed rules or settings",
        sentences,
    );
}

pub(in crate::engine) fn reloaded(
    turn: &mut Turn<'_>,
    lives: &BTreeMap<TargetId, Live>,
    need_restart: &[String],
) {
    let watches = match lives.len() {
        1 => "1 watch".to_owned(),
        number => format!("{number} watches"),
    };
    let mut sentences = vec![format!("The files are good again, and hold: {watches}.")];
    if !need_restart.is_empty() {
        sentences.push(format!(
            "What changed of {} holds only after a restart.",
            listed(need_restart)
        ));
    }
    tell(
        turn,
        lives,
        (NoticeKind::Reloaded, Severity::Info),
        "Recant uses the changed rules and settings",
        sentences,
    );
}

fn tell(
    turn: &mut Turn<'_>,
    lives: &BTreeMap<TargetId, Live>,
    (kind, severity): (NoticeKind, Severity),
    headline: &str,
    sentences: Vec<String>,
) {
    let channels: BTreeSet<&ChannelName> = lives
        .values()
        .flat_map(|live| &live.watch.on_fail.notify)
        .collect();
    let notice = Notice {
        id: NoticeId(String::new()),
        at: turn.now,
        kind,
        severity,
        watch: None,
        target: None,
        correlation: None,
        headline: headline.to_owned(),
        sentences,
        facts: Vec::new(),
        links: Vec::new(),
        channels: channels.into_iter().cloned().collect(),
    };
    emit(turn, notice);
}
