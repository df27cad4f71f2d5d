//! How many alarms were false, where somebody says which releases were bad; and how sure that number is.

use jiff::Timestamp;

use super::{Outcome, Release};

/// Seconds of a month: 30 days.
const MONTH: f64 = 30.0 * 86_400.0;
/// What lies outside an interval on either side: it covers 95 %.
const TAIL: f64 = 0.025;

/// What is counted of releases of which somebody says whether they were bad.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Alarms {
    /// Called bad, and bad.
    pub true_alarms: usize,
    /// Called bad, and good.
    pub false_alarms: usize,
    /// Bad, and judged without being called so.
    pub missed: usize,
    /// Good, and not called bad.
    pub quiet: usize,
    /// Releases that were judged, and of which nobody says anything.
    pub unknown: usize,
    /// False alarms in a month of 30 days,
    pub per_month: f64,
    /// and the 95 % interval of that: exact, of a Poisson distribution (Garwood 1936).
    pub interval: (f64, f64),
}

impl Alarms {
    /// Counts; `None`: of no release that was judged is it known.
    pub fn count(releases: &[Release], (from, to): (Timestamp, Timestamp)) -> Option<Self> {
        let mut counted = Self {
            true_alarms: 0,
            false_alarms: 0,
            missed: 0,
            quiet: 0,
            unknown: 0,
            per_month: 0.0,
            interval: (0.0, 0.0),
        };
        for release in releases.iter().filter(|release| release.judged()) {
            let of = match (release.known_bad, release.failed()) {
                (Some(true), true) => &mut counted.true_alarms,
                (Some(false), true) => &mut counted.false_alarms,
                (Some(true), false) => &mut counted.missed,
                (Some(false), false) => &mut counted.quiet,
                (None, _) => &mut counted.unknown,
            };
            *of += 1;
        }
        let Self {
            true_alarms,
            false_alarms,
            missed,
            quiet,
            ..
        } = counted;
        if true_alarms + false_alarms + missed + quiet == 0 {
            return None;
        }
        let months = from.duration_until(to).as_secs_f64().max(1.0) / MONTH;
        let (low, high) = poisson_interval(false_alarms);
        counted.per_month = false_alarms as f64 / months;
        counted.interval = (low / months, high / months);
        Some(counted)
    }
}

/// How many releases ended in which way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Ends {
    pub taken_back: usize,
    pub failed: usize,
    pub passed: usize,
    pub inconclusive: usize,
    pub superseded: usize,
    pub returned: usize,
    pub unfinished: usize,
}

impl Ends {
    /// Counts.
    pub fn count(releases: &[Release]) -> Self {
        let mut ends = Self::default();
        for release in releases {
            let of = match release.outcome {
                Outcome::TakenBack { .. } => &mut ends.taken_back,
                Outcome::Failed { .. } => &mut ends.failed,
                Outcome::Passed => &mut ends.passed,
                Outcome::Inconclusive { .. } => &mut ends.inconclusive,
                Outcome::Superseded { .. } => &mut ends.superseded,
                Outcome::Returned { .. } => &mut ends.returned,
                Outcome::Unfinished => &mut ends.unfinished,
            };
            *of += 1;
        }
        ends
    }
}

/// The means with which so many events, or more, or fewer, are not rarer than 2.5 % each.
fn poisson_interval(events: usize) -> (f64, f64) {
    let low = match events.checked_sub(1) {
        // P(X >= events) = TAIL.
        Some(fewer) => bisect(events, |mean| 1.0 - at_most(fewer, mean) < TAIL),
        None => 0.0,
    };
    // P(X <= events) = TAIL.
    (low, bisect(events, |mean| at_most(events, mean) > TAIL))
}

/// The largest mean for which `below` holds.
fn bisect(events: usize, below: impl Fn(f64) -> bool) -> f64 {
    let most = events as f64;
    let (mut low, mut high) = (0.0, most + 10.0 * (most + 1.0).sqrt() + 10.0);
    for _ in 0..100 {
        let middle = f64::midpoint(low, high);
        if below(middle) {
            low = middle;
        } else {
            high = middle;
        }
    }
    low
}

/// P(X <= events) of a Poisson distribution.
fn at_most(events: usize, mean: f64) -> f64 {
    let mut log_term = -mean;
    let mut sum = log_term.exp();
    for event in 1..=events {
        log_term += mean.ln() - (event as f64).ln();
        sum += log_term.exp();
    }
    sum.min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_are_those_of_the_tables() {
        // Garwood's limits as tables of the Poisson distribution give them.
        for (events, low, high) in [
            (0, 0.0, 3.689),
            (1, 0.0253, 5.572),
            (2, 0.242, 7.225),
            (5, 1.623, 11.668),
            (10, 4.795, 18.390),
            (50, 37.11, 65.92),
        ] {
            let (found_low, found_high) = poisson_interval(events);
            assert!((found_low - low).abs() < 0.006, "{events}: {found_low}");
            assert!((found_high - high).abs() < 0.006, "{events}: {found_high}");
        }
    }
}
