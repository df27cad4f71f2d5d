//! How much a channel may still send: the ceilings of the service, and our own interval.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

use crate::notify::pace::Pace;

/// A ceiling over at least this long is worth sparing; a shorter one is over in a moment.
const LONG: Duration = Duration::from_secs(10);
/// Of a long ceiling one part in so many is kept for the beginnings of incidents.
const RESERVE: usize = 5;
/// Beginnings that are told one by one, at a message a second.
const ONE_BY_ONE: usize = 10;

/// What may be sent at once.
#[derive(Debug, Clone, Copy)]
pub(super) struct Left {
    /// Messages within the long ceilings.
    pub(super) messages: usize,
}

/// Times of the messages of one channel.
#[derive(Debug)]
pub(super) struct Budget {
    pace: Pace,
    interval: Duration,
    sent: VecDeque<Instant>,
}

impl Budget {
    pub(super) fn new(pace: Pace, interval: Duration) -> Self {
        Self {
            pace,
            interval,
            sent: VecDeque::new(),
        }
    }

    /// When the next message may leave at the earliest; the beginning of an incident may use all of a ceiling.
    pub(super) fn free_at(&self, begins: bool, now: Instant) -> Instant {
        let mut free = self
            .sent
            .back()
            .map_or(now, |last| (*last + self.interval).max(now));
        for (most, span) in self.pace.windows {
            let usable = if begins || *span < LONG {
                *most
            } else {
                most - most / RESERVE
            };
            let oldest = self
                .sent
                .len()
                .checked_sub(usable)
                .and_then(|position| self.sent.get(position));
            if let Some(oldest) = oldest {
                free = free.max(*oldest + *span);
            }
        }
        free
    }

    /// What may be sent at once of the beginnings of incidents.
    pub(super) fn left(&self, now: Instant) -> Left {
        let messages = self
            .pace
            .windows
            .iter()
            .filter(|(_, span)| *span >= LONG)
            .map(|(most, span)| {
                let within = self.sent.iter().rev();
                let within = within.take_while(|at| now.duration_since(**at) < *span);
                most.saturating_sub(within.count())
            })
            .min()
            .unwrap_or(ONE_BY_ONE);
        Left {
            messages: messages.min(ONE_BY_ONE),
        }
    }

    /// Counts a message that leaves now.
    pub(super) fn spend(&mut self, now: Instant) {
        self.sent.push_back(now);
        let most = self.pace.windows.iter().map(|(most, _)| *most).max();
        while self.sent.len() > most.unwrap_or(1) {
            self.sent.pop_front();
        }
    }
}
