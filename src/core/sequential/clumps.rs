//! How many bad events come together: the variance of differences between neighbouring blocks of ticks, over what it
//! would be if each came alone (judge.md 6).
//!
//! Retries of one client, requests in flight, a batch: counted as separate events, clumps of five take down most good
//! releases at the edge of what is allowed. Evidence is divided by the clump size, which keeps it valid for independent
//! clumps of at most that size: a^(size/c) - 1 <= (size/c)(a - 1) by convexity.

use serde::{Deserialize, Serialize};

use super::array;
use super::tally::Tally;

/// Ticks per block at which clumping is measured: three sizes see clumps that last for seconds.
const SCALES: [u32; 3] = [1, 3, 10];
/// Bad events' worth of belief in the size assumed at first.
const WEIGHT: f64 = 3.0;
/// No single difference counts more than this many times what was expected: one jump does not hide a fault.
const LIMIT: f64 = 4.0;
/// Assumed on the way to a pass, until learned: the absence of bad events teaches nothing about clumps.
const FIRST_GOOD: f64 = 5.0;

/// What has been learned of clumps, from `ARMS` arms together.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Clumps<const ARMS: usize> {
    /// The size assumed at first for what speaks against a release.
    first: f64,
    learn: bool,
    sums: [Sums; SCALES.len()],
    #[serde(with = "array")]
    arms: [Blocks; ARMS],
}

/// At one block size: squares of differences, and what they would be on average if bad events came alone.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
struct Sums {
    square: f64,
    expected: f64,
}

/// The blocks of one arm.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
struct Blocks {
    running: [Running; SCALES.len()],
    before: [Option<Tally>; SCALES.len()],
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
struct Running {
    tally: Tally,
    ticks: u32,
}

/// Clump sizes to divide evidence by.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Sizes {
    /// For what speaks against the release.
    pub(super) bad: f64,
    /// For what speaks for it, never smaller.
    pub(super) good: f64,
}

impl<const ARMS: usize> Clumps<ARMS> {
    pub(super) fn new(first: f64, learn: bool) -> Self {
        Self {
            first,
            learn,
            sums: [Sums::default(); SCALES.len()],
            arms: [Blocks::default(); ARMS],
        }
    }

    /// Whether the ticks that are judged teach it anything.
    pub(super) fn learns(&self) -> bool {
        self.learn
    }

    pub(super) fn sizes(&self) -> Sizes {
        let good = if self.learn {
            self.first.max(FIRST_GOOD)
        } else {
            self.first
        };
        Sizes {
            bad: self.size(self.first),
            good: self.size(good),
        }
    }

    fn size(&self, first: f64) -> f64 {
        self.sums
            .iter()
            .map(|sums| (WEIGHT * first + sums.square) / (WEIGHT + sums.expected))
            .fold(1.0, f64::max)
    }

    /// Learns from a tick; an arm is `None` when it has no traffic.
    pub(super) fn update(&mut self, arms: [Option<Tally>; ARMS]) {
        // The same for both arms, and for all scales: known before this tick.
        let now = self.size(self.first);
        for (blocks, tally) in self.arms.iter_mut().zip(arms) {
            let Some(tally) = tally else { continue };
            let scales = blocks.running.iter_mut().zip(&mut blocks.before);
            for ((size, sums), (running, before)) in SCALES.iter().zip(&mut self.sums).zip(scales) {
                running.tally.add(tally);
                running.ticks += 1;
                if running.ticks < *size {
                    continue;
                }
                if let Some(before) = before {
                    sums.add(*before, running.tally, now);
                }
                *before = Some(running.tally);
                *running = Running::default();
            }
        }
    }
}

impl Sums {
    /// Counts the difference between two neighbouring blocks, both with traffic.
    fn add(&mut self, before: Tally, block: Tally, clump: f64) {
        let both = before.n + block.n;
        let half = before.n * block.n / both;
        let share = (before.e + block.e) / both;
        let expected = 2.0 * half * share * (1.0 - share);
        let difference = half * (block.e / block.n - before.e / before.n);
        let square = 2.0 * difference * difference;
        self.square += square.min(LIMIT * clump * expected);
        self.expected += expected;
    }
}
