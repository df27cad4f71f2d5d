//! Events of one arm in one tick, read so that nothing measured can do harm (judge.md 3.4).

use serde::{Deserialize, Serialize};

/// More events than anything counts: a larger number is a broken sample, and read as such. It keeps squares and sums
/// of a million ticks finite; 2^60 events a tick are far below.
pub const MOST_EVENTS: f64 = 1e100;

/// `n` events, of which `e` were bad: `0 <= e <= n`, both finite; fractions are allowed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Tally {
    pub(super) n: f64,
    pub(super) e: f64,
}

impl Tally {
    pub(super) const EMPTY: Self = Self { n: 0.0, e: 0.0 };

    /// Bad above the total is read as bad = total. Not a number, negative or beyond [`MOST_EVENTS`]: `None`.
    pub(super) fn read(n: f64, e: f64) -> Option<Self> {
        (usable(n) && usable(e)).then(|| Self { n, e: e.min(n) })
    }

    pub(super) fn has_traffic(self) -> bool {
        self.n > 0.0
    }

    pub(super) fn add(&mut self, other: Self) {
        self.n += other.n;
        self.e += other.e;
    }

    /// The share of bad events; `None` without any.
    pub(super) fn share(self) -> Option<f64> {
        self.has_traffic().then(|| self.e / self.n)
    }
}

/// Whether a count can be taken at its word.
pub(super) fn usable(count: f64) -> bool {
    (0.0..=MOST_EVENTS).contains(&count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn broken_counts_are_no_counts() {
        for broken in [
            f64::NAN,
            f64::INFINITY,
            f64::NEG_INFINITY,
            -1.0,
            -1e-300,
            1e101,
        ] {
            assert_eq!(Tally::read(broken, 0.0), None, "{broken}");
            assert_eq!(Tally::read(10.0, broken), None, "{broken}");
        }
    }

    #[test]
    fn more_bad_events_than_events_are_cut_at_the_total() {
        assert_eq!(Tally::read(3.0, 5.0), Some(Tally { n: 3.0, e: 3.0 }));
        assert_eq!(Tally::read(2.5, 0.5), Some(Tally { n: 2.5, e: 0.5 }));
        assert_eq!(Tally::read(0.0, 7.0), Some(Tally::EMPTY));
    }
}
