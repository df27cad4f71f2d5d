//! Which counts of two arms are set against each other (judge.md 5).
//!
//! A tick in which both arms had traffic stands alone. Counts of one arm wait for the other, but not for long: kept
//! longer they mix moments, and a canary that has traffic only while a shared dependency flaps would be blamed for it.

use serde::{Deserialize, Serialize};

use crate::sequential::tally::Tally;

/// Events of both arms in one stretch of time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Pair {
    pub(super) canary: Tally,
    pub(super) baseline: Tally,
}

impl Pair {
    pub(super) fn add(&mut self, other: Self) {
        self.canary.add(other.canary);
        self.baseline.add(other.baseline);
    }

    fn complete(&self) -> bool {
        self.canary.has_traffic() && self.baseline.has_traffic()
    }
}

/// Counts that wait for the other arm.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Pairing {
    /// Ticks that counts wait at most.
    wait: u64,
    waiting: Pair,
    /// Ticks since the oldest of them.
    age: u64,
}

impl Pairing {
    pub(super) fn new(wait: u64) -> Self {
        Self {
            wait,
            waiting: Pair::default(),
            age: 0,
        }
    }

    /// Takes in a tick, and gives what is to be judged now, if anything.
    pub(super) fn update(&mut self, tick: Pair) -> Option<Pair> {
        if tick.complete() {
            self.clear();
            return Some(tick);
        }
        if self.waiting.canary.has_traffic() || self.waiting.baseline.has_traffic() {
            self.age = self.age.saturating_add(1);
            if self.age > self.wait {
                self.clear();
            }
        }
        self.waiting.add(tick);
        if !self.waiting.complete() {
            return None;
        }
        let judged = self.waiting;
        self.clear();
        Some(judged)
    }

    fn clear(&mut self) {
        self.waiting = Pair::default();
        self.age = 0;
    }
}
