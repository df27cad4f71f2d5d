//! How many messages a service takes in which time.

use std::time::Duration;

/// The ceilings of a service: at most so many messages within so long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    pub windows: &'static [(usize, Duration)],
    /// Whether several notices may be told in one message when they come faster than that. Machines read one by one.
    pub merges: bool,
}

impl Pace {
    /// A receiver that takes what comes, one notice at a time.
    pub const UNBOUNDED: Self = Self {
        windows: &[],
        merges: false,
    };

    /// One a second for each incoming webhook; short bursts are tolerated, and not counted on.
    pub const SLACK: Self = Self {
        windows: &[(1, Duration::from_secs(1))],
        merges: true,
    };

    /// The throttles that were documented for connectors. Those of Workflows are not; these are safe to plan with.
    pub const TEAMS: Self = Self {
        windows: &[
            (4, Duration::from_secs(1)),
            (60, Duration::from_secs(30)),
            (100, Duration::from_hours(1)),
            (150, Duration::from_hours(2)),
            (1800, Duration::from_hours(24)),
        ],
        merges: true,
    };
}
