//! The bounded queue of one channel: what waits, what was told before, and what is told next.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tokio::time::Instant;

use recant_core::ids::NoticeId;
use recant_core::notice::{Incident, Notice, Severity, Status};

use super::budget::Left;
use crate::notify::Attempt;

/// Ids of ended notices that are remembered, so that none is told twice.
const REMEMBERED: usize = 1000;
/// Incidents that are remembered as told of, or as not told of.
const INCIDENTS: usize = 500;
/// Waiting notices that are told together although the service would take them one by one.
const MANY: usize = 8;
/// Most notices in one message: a headline each fits into what services take.
const MOST: usize = 20;

/// A notice on its way to one channel.
#[derive(Debug, Clone)]
pub(super) struct Item {
    pub(super) notice: Arc<Notice>,
    pub(super) attempt: Attempt,
    /// Attempts so far, and when the first one began.
    pub(super) tries: usize,
    pub(super) begun: Option<Instant>,
    /// A message that held it with others was refused: it is told by itself.
    pub(super) alone: bool,
    /// Its place in the order in which notices came.
    sequence: u64,
}

impl Item {
    /// A resolve is as urgent as what it ends: an alert whose end is lost stands for a day.
    fn urgency(&self) -> Severity {
        match self.notice.status() {
            Status::Resolved(problem) => problem.severity(),
            Status::Firing(_) | Status::Event => self.notice.severity,
        }
    }
}

/// What became of a notice that was to wait.
#[derive(Debug)]
pub(super) enum Pushed {
    Waits,
    /// It waits already, or is being sent.
    WaitsAlready,
    /// It was delivered before.
    DeliveredBefore,
    /// It waits, and this one gave way.
    Instead(Item),
}

#[derive(Debug)]
pub(super) struct Queue {
    state: Mutex<State>,
    pushed: Notify,
    capacity: usize,
}

#[derive(Debug, Default)]
struct State {
    items: VecDeque<Item>,
    next: u64,
    in_hand: BTreeSet<NoticeId>,
    delivered: VecDeque<NoticeId>,
    /// Incidents whose beginning was delivered, and whose end was not.
    open: BTreeSet<Incident>,
    /// Incidents whose beginning was given up, with its headline.
    lost: BTreeMap<Incident, String>,
}

impl Queue {
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            state: Mutex::default(),
            pushed: Notify::new(),
            capacity,
        }
    }

    pub(super) fn capacity(&self) -> usize {
        self.capacity
    }

    pub(super) fn length(&self) -> usize {
        self.lock().items.len()
    }

    /// Puts a notice at the end. When the queue is full, the oldest of the least urgent gives way, which is the new one
    /// itself when all others are more urgent.
    pub(super) fn push(&self, notice: &Arc<Notice>, attempt: Attempt) -> Pushed {
        let pushed = {
            let mut state = self.lock();
            let id = &notice.id;
            if state.in_hand.contains(id) || state.items.iter().any(|item| item.notice.id == *id) {
                return Pushed::WaitsAlready;
            }
            if state.delivered.contains(id) {
                return Pushed::DeliveredBefore;
            }
            let sequence = state.next;
            state.next += 1;
            state.items.push_back(Item {
                notice: notice.clone(),
                attempt,
                tries: 0,
                begun: None,
                alone: false,
                sequence,
            });
            let loser = state.gives_way(self.capacity);
            match loser {
                Some(loser) => {
                    state.lose(&loser.notice);
                    Pushed::Instead(loser)
                }
                None => Pushed::Waits,
            }
        };
        self.pushed.notify_one();
        pushed
    }

    /// Takes what is told in the next message: the beginning of an incident by itself and before all else, unless more
    /// of them wait than may be told; then, where `merge` allows it and things press, all that waits in one; else what
    /// came first. Within an incident nothing is overtaken.
    pub(super) fn take(&self, merge: bool, left: Left, pressed: bool) -> Vec<Item> {
        let mut state = self.lock();
        let positions = state.choose(merge, left, pressed);
        let mut taken: Vec<Item> = Vec::new();
        for position in positions.into_iter().rev() {
            taken.extend(state.items.remove(position));
        }
        taken.sort_by_key(|item| item.sequence);
        let ids = taken.iter().map(|item| item.notice.id.clone());
        state.in_hand.extend(ids);
        taken
    }

    /// Whether the beginning of an incident waits; `untried`: one that was never tried.
    pub(super) fn begins(&self, untried: bool) -> bool {
        let state = self.lock();
        let firsts = state.firsts();
        firsts
            .iter()
            .filter_map(|position| state.items.get(*position))
            .any(|item| !untried || item.tries == 0)
    }

    /// Puts back what was taken and has no end, to where it was.
    pub(super) fn put_back(&self, item: Item) {
        let mut state = self.lock();
        state.in_hand.remove(&item.notice.id);
        let position = state
            .items
            .partition_point(|other| other.sequence < item.sequence);
        state.items.insert(position, item);
    }

    /// Remembers that a notice was delivered.
    pub(super) fn delivered(&self, notice: &Notice) {
        let mut state = self.lock();
        state.in_hand.remove(&notice.id);
        state.delivered.push_back(notice.id.clone());
        if state.delivered.len() > REMEMBERED {
            state.delivered.pop_front();
        }
        let Some(incident) = notice.incident() else {
            return;
        };
        match notice.status() {
            Status::Firing(_) => {
                if state.open.len() < INCIDENTS {
                    state.open.insert(incident);
                }
            }
            Status::Resolved(_) => {
                state.open.remove(&incident);
                state.lost.remove(&incident);
            }
            Status::Event => {}
        }
    }

    /// Remembers that a notice was given up.
    pub(super) fn given_up(&self, notice: &Notice) {
        let mut state = self.lock();
        state.in_hand.remove(&notice.id);
        state.lose(notice);
        if let Status::Resolved(_) = notice.status()
            && let Some(incident) = notice.incident()
        {
            state.open.remove(&incident);
        }
    }

    /// The headline of the beginning that was never delivered, of the incident that this notice ends.
    pub(super) fn lost_beginning(&self, notice: &Notice) -> Option<String> {
        match notice.status() {
            Status::Resolved(_) => {
                let incident = notice.incident()?;
                self.lock().lost.get(&incident).cloned()
            }
            Status::Firing(_) | Status::Event => None,
        }
    }

    /// Resolves when something was pushed since the last call. Safe to cancel.
    pub(super) async fn wait(&self) {
        self.pushed.notified().await;
    }

    /// Lets whoever waits look again.
    pub(super) fn wake(&self) {
        self.pushed.notify_one();
    }

    /// Takes out everything that waits.
    pub(super) fn clear(&self) -> Vec<Item> {
        self.lock().items.drain(..).collect()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing in here can panic half way.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Takes out what there is no room for. What is being tried, at most a message of it, has its room besides.
    fn gives_way(&mut self, capacity: usize) -> Option<Item> {
        let untried = self.items.iter().filter(|item| item.tries == 0).count();
        let all = self.items.len() > capacity + MOST;
        if untried <= capacity && !all {
            return None;
        }
        let oldest = self
            .items
            .iter()
            .enumerate()
            .filter(|(_, item)| all || item.tries == 0)
            .min_by_key(|(_, item)| item.urgency())
            .map(|(position, _)| position);
        oldest.and_then(|position| self.items.remove(position))
    }

    fn choose(&self, merge: bool, left: Left, pressed: bool) -> Vec<usize> {
        let firsts = self.firsts();
        let scarce = merge && firsts.len() > left.messages.max(1);
        if let Some(first) = firsts.first()
            && !scarce
        {
            return vec![*first];
        }
        let together = merge && (pressed || scarce || self.items.len() >= MANY);
        let from_front = self.items.iter().take_while(|item| !item.alone).count();
        if !together || from_front < 2 {
            return (0..self.items.len().min(1)).collect();
        }
        // Beginnings first, since nothing of their incident is before them; then what came first.
        let together = |position: &usize| self.items.get(*position).is_some_and(|item| !item.alone);
        let mut chosen: Vec<usize> = firsts.into_iter().filter(together).take(MOST).collect();
        for position in 0..from_front {
            if chosen.len() < MOST && !chosen.contains(&position) {
                chosen.push(position);
            }
        }
        chosen.sort_unstable();
        chosen
    }

    /// Beginnings of incidents that nobody was told of, those first that were tried least.
    fn firsts(&self) -> Vec<usize> {
        let mut seen = BTreeSet::new();
        let mut firsts: Vec<(usize, usize)> = Vec::new();
        for (position, item) in self.items.iter().enumerate() {
            let Some(incident) = item.notice.incident() else {
                continue;
            };
            let told = self.open.contains(&incident) || !seen.insert(incident);
            if let Status::Firing(_) = item.notice.status()
                && !told
            {
                firsts.push((item.tries, position));
            }
        }
        firsts.sort_unstable();
        firsts.into_iter().map(|(_, position)| position).collect()
    }

    fn lose(&mut self, notice: &Notice) {
        if let Status::Firing(_) = notice.status()
            && let Some(incident) = notice.incident()
            && !self.open.contains(&incident)
            && self.lost.len() < INCIDENTS
        {
            self.lost.entry(incident).or_insert(notice.headline.clone());
        }
    }
}
