//! What a rule weighs in a release, and how a release is judged: what users may set of the statistics.

use std::time::Duration;

/// What one rule weighs, and what of it counts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Judging {
    /// Its share of the evidence, relative to the other rules of the watch, 0..=100. 0: shown, and never decides.
    pub weight: f64,
    /// What a pod counts within so long after it was created is left out: a cold start is slow with every release.
    pub skip: Duration,
    /// While a baseline runs beside the canary, a limit fails only what is also worse than the baseline.
    pub beside: bool,
}

impl Default for Judging {
    fn default() -> Self {
        Self {
            weight: 1.0,
            skip: Duration::ZERO,
            beside: true,
        }
    }
}

/// How sure a verdict has to be, and what an unclear one becomes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Assurance {
    /// The chance that a release which keeps every rule is ever called bad, over the whole watch; in (0, 0.05].
    pub false_alarms: f64,
    pub when_unclear: WhenUnclear,
}

/// What a watch ends with when its evidence says neither.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WhenUnclear {
    Inconclusive,
    /// The release passes: nothing was found against it.
    Pass,
}

impl Default for Assurance {
    /// One wrong rollback in a hundred releases at the very edge of what is allowed; far fewer when they are equal.
    fn default() -> Self {
        Self {
            false_alarms: 0.01,
            when_unclear: WhenUnclear::Inconclusive,
        }
    }
}
