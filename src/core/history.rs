//! What a rule measured before the release: the baseline of a comparison when no pod of it runs any more.

use std::collections::VecDeque;

use jiff::{SignedDuration, Timestamp};

use crate::measurement::Counts;
use crate::time::elapsed;

/// How far back a comparison with the time before the release looks.
pub const DEPTH: SignedDuration = SignedDuration::from_mins(10);
/// Counts of this stretch are added up: what is kept is bounded, however often is looked.
const STRETCH: SignedDuration = SignedDuration::from_secs(10);

/// The counts of one rule over the last minutes.
#[derive(Debug, Clone, Default)]
pub struct History {
    stretches: VecDeque<(Timestamp, Counts)>,
}

impl History {
    /// Takes in the counts of one tick.
    pub fn add(&mut self, at: Timestamp, counts: &Counts) {
        while self
            .stretches
            .front()
            .is_some_and(|(begin, _)| elapsed(*begin, at) >= DEPTH)
        {
            self.stretches.pop_front();
        }
        match self.stretches.back_mut() {
            Some((begin, sum)) if elapsed(*begin, at) < STRETCH => sum.add(counts),
            Some(_) | None => self.stretches.push_back((at, counts.clone())),
        }
    }

    /// Everything within [`DEPTH`] of the last addition.
    pub fn sum(&self) -> Option<Counts> {
        let (first, rest) = {
            let mut all = self.stretches.iter().map(|(_, counts)| counts);
            (all.next()?, all)
        };
        let mut sum = first.clone();
        for counts in rest {
            sum.add(counts);
        }
        Some(sum)
    }
}
