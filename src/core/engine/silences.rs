//! Silences of Alertmanager: they hold notices back, and actions where the settings say so. What was held is told when
//! the silence is over, once for each incident: nothing is lost.

use std::collections::BTreeMap;

use super::{Effect, Turn, tell};
use crate::ids::{ChannelName, TargetId, WatchName};
use crate::notice::{Notice, Problem};
use crate::record::Record;
use crate::silence::{MOST_SILENCES, Silence, labels_of, labels_of_notice};
use crate::wording::plural;

/// Notices that are held back, one for each incident; what comes beyond is sent.
const MOST_HELD: usize = 200;

/// What one Alertmanager silences, as it said just now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Silences {
    /// The channel by which it was asked.
    pub channel: ChannelName,
    pub silences: Vec<Silence>,
}

/// Writes down what changed.
pub(super) fn take_in(turn: &mut Turn<'_>, news: Vec<Silences>) {
    for Silences {
        channel,
        mut silences,
    } in news
    {
        silences.retain(|silence| silence.ends > turn.now);
        silences.truncate(MOST_SILENCES);
        silences.sort_by(|a, b| a.id.cmp(&b.id));
        let known = turn.ledger.silences.get(&channel);
        let over = |known: &&Silence| known.ends > turn.now;
        let same = known.into_iter().flatten().filter(over).eq(&silences);
        if !same {
            turn.record(Record::Silenced { channel, silences });
        }
    }
}

/// An Alertmanager that is no channel any more silences nothing.
pub(super) fn forget(turn: &mut Turn<'_>, channels: &[ChannelName]) {
    let known: Vec<ChannelName> = turn.ledger.silences.keys().cloned().collect();
    for channel in known {
        let silences = turn.ledger.silences.get(&channel);
        if !channels.contains(&channel) && silences.is_some_and(|all| !all.is_empty()) {
            turn.record(Record::Silenced {
                channel,
                silences: Vec::new(),
            });
        }
    }
}

impl Turn<'_> {
    /// The silence in force that lasts longest, of those that match.
    fn silence(&self, labels: &BTreeMap<&str, String>) -> Option<&Silence> {
        let all = self.ledger.silences.values().flatten();
        all.filter(|silence| silence.is_active(self.now) && silence.matches(labels))
            .max_by_key(|silence| silence.ends)
    }

    /// The silence of what is done about a target that has a problem.
    pub(super) fn silence_of(
        &self,
        problem: Problem,
        watch: &WatchName,
        target: &TargetId,
    ) -> Option<&Silence> {
        if self.ledger.silences.is_empty() {
            return None;
        }
        self.silence(&labels_of(problem, watch, target))
    }
}

/// Holds a notice back if it is silenced; else gives it back.
pub(super) fn hold(turn: &mut Turn<'_>, notice: Notice) -> Option<Notice> {
    if turn.ledger.silences.is_empty() {
        return Some(notice);
    }
    let Some(silence) = turn.silence(&labels_of_notice(&notice)).cloned() else {
        return Some(notice);
    };
    let held = &turn.ledger.held;
    if held.len() >= MOST_HELD && !held.contains_key(&notice.thread()) {
        return Some(notice);
    }
    turn.record(Record::NoticeHeld {
        notice: Box::new(notice),
        silence: Box::new(silence),
    });
    None
}

/// Tells what was held and is silenced no more: of each incident how it stands.
pub(super) fn release(turn: &mut Turn<'_>) {
    if turn.ledger.held.is_empty() || turn.past {
        return;
    }
    let over: Vec<String> = turn
        .ledger
        .held
        .iter()
        .filter(|(_, held)| turn.silence(&labels_of_notice(&held.notice)).is_none())
        .map(|(thread, _)| thread.clone())
        .collect();
    for thread in over {
        let Some(held) = turn.ledger.held.get(&thread).cloned() else {
            continue;
        };
        let mut notice = held.notice;
        let more = match held.count {
            0 | 1 => String::new(),
            several => {
                let earlier = usize::try_from(several - 1).unwrap_or(usize::MAX);
                format!(
                    " This is the last message of it; {} before it {} in the journal.",
                    plural(earlier, "message"),
                    if earlier == 1 { "stands" } else { "stand" }
                )
            }
        };
        notice.sentences.push(format!(
            "This message was held back since {:.0}: silenced {}.{more}",
            held.since,
            held.silence.in_words()
        ));
        let channels = notice.channels.clone();
        notice.id = tell::id_of(turn, &notice);
        turn.record(Record::NoticeReleased {
            thread,
            notice: Box::new(notice.clone()),
        });
        turn.output.effects.push(Effect::Notify {
            notice,
            channels,
            repeat: false,
        });
    }
}
