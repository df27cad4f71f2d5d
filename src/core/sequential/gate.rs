//! The gate of a limit beside a baseline: a release is at fault only if it is surely above its limit *and* was surely
//! worse than the baseline by more than the tolerance (judge.md 4).

use serde::{Deserialize, Serialize};

use super::logs::log_add;
use super::reading::Reading;

/// Level of the comparison that lets a limit speak.
const LEVEL: f64 = 0.05;
/// What the comparison must have said before the tick that opens: no gate is opened by one tick alone.
const BEFORE: f64 = 1.0;

/// Open once the comparison has spoken; it stays open for the watch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Gate {
    /// ln(1/max(alpha, 5 %)).
    level: f64,
    open: bool,
}

/// What a comparison says, before or after a tick.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Compared {
    /// Ticks with evidence.
    pub(super) judged: u64,
    pub(super) log_bad: f64,
}

impl Gate {
    pub(super) fn new(alpha: f64) -> Self {
        Self {
            level: -alpha.max(LEVEL).ln(),
            open: false,
        }
    }

    pub(super) fn is_open(&self) -> bool {
        self.open
    }

    /// After a tick of the comparison.
    pub(super) fn look(&mut self, before: Compared, after: Compared) {
        let spoke = after.judged > before.judged;
        if spoke && before.log_bad >= BEFORE && after.log_bad >= self.level {
            self.open = true;
        }
    }

    /// A closed gate holds the limit back to what the comparison says; for the release speaks the mean of both, so that
    /// a good release can pass after an outage that it shared.
    pub(super) fn reading(&self, limit: Reading, compare: Reading) -> Reading {
        let log_bad = if self.open {
            limit.log_bad
        } else {
            limit.log_bad.min(compare.log_bad)
        };
        let mean = log_add(limit.log_good, compare.log_good) - std::f64::consts::LN_2;
        Reading::test(log_bad, mean)
    }
}
