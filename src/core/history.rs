//! What a rule measured before the release: the baseline of a comparison when no pod of it runs any more.

use std::collections::VecDeque;

use jiff::{SignedDuration, Timestamp};

use crate::measurement::Counts;
use crate::time::elapsed;

mod ticks;

use ticks::Ticks;

/// How far back a comparison with the time before the release looks.
pub const DEPTH: SignedDuration = SignedDuration::from_mins(10);
/// Counts of this stretch are added up: what is kept is bounded, however often is looked.
const STRETCH: SignedDuration = SignedDuration::from_secs(10);
/// A release may be watched for a day, and the one that supersedes it is compared with what was before both.
const TOO_OLD: SignedDuration = SignedDuration::from_hours(25);

/// The counts of one rule over the last minutes.
#[derive(Debug, Clone, Default)]
pub struct History {
    stretches: VecDeque<(Timestamp, Counts)>,
    ticks: Ticks,
}

impl History {
    /// Takes in the counts of one look; ticks of the judge are `tick` long.
    pub fn add(&mut self, at: Timestamp, counts: &Counts, tick: SignedDuration) {
        self.ticks.add(at, counts, tick);
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

    /// The last ticks, oldest first; none when the last was too long ago.
    pub fn ticks(&self, now: Timestamp) -> Vec<Counts> {
        match self.stretches.back() {
            Some((newest, _)) if elapsed(*newest, now) <= TOO_OLD => self.ticks.all(),
            Some(_) | None => Vec::new(),
        }
    }

    /// Everything within [`DEPTH`] of the last addition, unless that was too long ago.
    pub fn sum(&self, now: Timestamp) -> Option<Counts> {
        let (newest, _) = self.stretches.back()?;
        if elapsed(*newest, now) > TOO_OLD {
            return None;
        }
        let mut all = self.stretches.iter().map(|(_, counts)| counts);
        let mut sum = all.next()?.clone();
        for counts in all {
            sum.add(counts);
        }
        Some(sum)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measurement::RatioCounts;

    const TICK: SignedDuration = SignedDuration::from_secs(1);

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_767_225_600 + seconds).expect("in range")
    }

    fn counts(events: f64) -> Counts {
        Counts::Ratio(RatioCounts { events, part: 0.0 })
    }

    fn events(history: &History, now: i64) -> Option<f64> {
        history.sum(at(now)).map(|sum| sum.total())
    }

    #[test]
    fn it_reaches_ten_minutes_back_in_bounded_space() {
        let mut history = History::default();
        assert_eq!(events(&history, 0), None);
        for second in 0..3600 {
            history.add(at(second), &counts(2.0), TICK);
        }
        let sum = events(&history, 3600).expect("there is history");
        assert!((1180.0..=1220.0).contains(&sum), "{sum}");
        assert!(history.stretches.len() <= 61);
    }

    #[test]
    fn what_was_measured_days_ago_is_no_baseline() {
        let mut history = History::default();
        history.add(at(0), &counts(2.0), TICK);
        assert_eq!(events(&history, 3600), Some(2.0));
        assert_eq!(events(&history, 3 * 86_400), None);
    }

    #[test]
    fn a_clock_that_goes_back_does_no_harm() {
        let mut history = History::default();
        history.add(at(3600), &counts(2.0), TICK);
        history.add(at(0), &counts(2.0), TICK);
        assert_eq!(events(&history, 0), Some(4.0));
    }
}
