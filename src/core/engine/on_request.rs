//! Targets that are watched because somebody asked about them: at most so many at once, and only as long as there is
//! something to say about their release.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::Turn;
use super::live::Live;
use crate::ids::{TargetId, WatchName};
use crate::ledger::Ledger;
use crate::record::Record;
use crate::rule::{OnRequest, RuleBook, Watch};
use crate::snapshot::Room;
use crate::time::elapsed;

/// With nothing under way it is let go after this long: what is asked about once a day is not watched all day.
const IDLE: SignedDuration = SignedDuration::from_hours(1);
/// Where room is needed for another, after this long: who asked had time to ask again.
const AT_LEAST: SignedDuration = SignedDuration::from_mins(2);

/// What is taken up on request, and what of it is idle.
#[derive(Debug)]
pub(super) struct Requests {
    pub(super) watches: Vec<OnRequest>,
    /// Since when nothing has been under way.
    idle: BTreeMap<TargetId, Timestamp>,
}

impl Requests {
    pub(super) fn new(book: &RuleBook) -> Self {
        Self {
            watches: book.on_request.clone(),
            idle: BTreeMap::new(),
        }
    }

    /// Takes up a target, unless nothing allows it any more or there are too many. Whoever asked asks again.
    pub(super) fn take_up(
        &mut self,
        turn: &mut Turn<'_>,
        lives: &mut BTreeMap<TargetId, Live>,
        target: TargetId,
        by: WatchName,
    ) {
        if lives.contains_key(&target) {
            return;
        }
        let mut allowing = self.watches.iter();
        let allowing = allowing.find(|asked| *asked.name() == by && asked.scope.reaches(&target));
        let Some(allowing) = allowing else {
            return;
        };
        let watch = Arc::new(allowing.watch(target.clone()));
        let most = turn.settings.on_request;
        if turn.ledger.taken.len() >= most {
            let longest = self.longest_idle(turn.now).cloned();
            let Some(longest) = longest.filter(|_| turn.ledger.taken.len() == most) else {
                return;
            };
            let reason = format!("there are {most}, and room is needed for {target}");
            self.let_go(turn, lives, longest, reason);
        }
        turn.record(Record::TakenUp {
            target: target.clone(),
            by,
        });
        let mut live = Live::new(watch);
        // The process before knew nothing of it.
        live.restored = true;
        lives.insert(target, live);
    }

    /// What was idle for longest, of what may be let go for another.
    fn longest_idle(&self, now: Timestamp) -> Option<&TargetId> {
        let idle = self.idle.iter();
        idle.filter(|(_, since)| elapsed(**since, now) >= AT_LEAST)
            .min_by_key(|(_, since)| **since)
            .map(|(target, _)| target)
    }

    /// Whether another can be taken up.
    pub(super) fn room(&self, now: Timestamp, taken: usize, most: usize) -> Room {
        let could = taken == most && self.longest_idle(now).is_some();
        Room {
            taken,
            most,
            free: taken < most || could,
        }
    }

    /// Lets go what has been idle for long enough.
    pub(super) fn tend(&mut self, turn: &mut Turn<'_>, lives: &mut BTreeMap<TargetId, Live>) {
        let mut over = Vec::new();
        for (target, by) in &turn.ledger.taken {
            // Another watch names it by now.
            let ours = lives.get(target).is_some_and(|live| live.watch.name == *by);
            let known = turn.ledger.targets.get(target);
            let busy = known.is_some_and(|known| {
                known.analysis.is_some() || known.plan.is_some() || known.verification.is_some()
            });
            if busy || !ours {
                self.idle.remove(target);
                continue;
            }
            let since = *self.idle.entry(target.clone()).or_insert(turn.now);
            if elapsed(since, turn.now) >= IDLE {
                over.push(target.clone());
            }
        }
        for target in over {
            let reason = format!("no release of it was judged for {} min", IDLE.as_mins());
            self.let_go(turn, lives, target, reason);
        }
    }

    fn let_go(
        &mut self,
        turn: &mut Turn<'_>,
        lives: &mut BTreeMap<TargetId, Live>,
        target: TargetId,
        reason: String,
    ) {
        self.idle.remove(&target);
        lives.remove(&target);
        turn.record(Record::LetGo { target, reason });
    }
}

/// The watches of what was taken up before and is still allowed.
pub(super) fn still_taken(book: &RuleBook, ledger: &Ledger) -> Vec<Watch> {
    let taken = ledger.taken.iter();
    taken
        .filter_map(|(target, by)| book.taken_up(target, by))
        .collect()
}

/// What was taken up before and that no watch allows any more; after its analysis was ended.
pub(super) fn forget(turn: &mut Turn<'_>, lives: &BTreeMap<TargetId, Live>) {
    let gone: Vec<TargetId> = turn
        .ledger
        .taken
        .keys()
        .filter(|target| !lives.contains_key(*target))
        .cloned()
        .collect();
    for target in gone {
        let reason = "no Watch allows it any more".to_owned();
        turn.record(Record::LetGo { target, reason });
    }
}
