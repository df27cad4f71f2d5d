//! How many events there were lately: the sum of exact counts over the last so much, of which a `rate` consists.

use std::collections::VecDeque;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::time::elapsed;

/// Stretches that the time is divided into; counts of one stretch leave together.
const MOST: i32 = 600;
/// The same in a record.
const MOST_RECORDED: usize = 60;

/// Events of the last so much. Before it has passed for the first time, those so far: nothing is extrapolated.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Window {
    counts: VecDeque<Count>,
    /// Since when events have been counted.
    since: Option<Timestamp>,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Count {
    from: Timestamp,
    to: Timestamp,
    events: f64,
}

impl Window {
    /// Takes in what was counted up to `at`; the sum over the last `per`.
    pub(super) fn count(&mut self, at: Timestamp, events: f64, per: SignedDuration) -> f64 {
        self.since.get_or_insert(at);
        // A clock that was set back: what was counted later than now was counted by now.
        for count in self
            .counts
            .iter_mut()
            .rev()
            .take_while(|count| count.to > at)
        {
            count.to = at;
            count.from = count.from.min(at);
        }
        while self
            .counts
            .front()
            .is_some_and(|count| elapsed(count.to, at) >= per)
        {
            self.counts.pop_front();
        }
        let together = per / MOST;
        match self.counts.back_mut() {
            Some(last) if elapsed(last.from, at) <= together => {
                last.to = at;
                last.events += events;
            }
            Some(_) | None if events > 0.0 => self.counts.push_back(Count {
                from: at,
                to: at,
                events,
            }),
            Some(_) | None => {}
        }
        self.counts.iter().map(|count| count.events).sum()
    }

    /// For how long events have been counted.
    pub(super) fn observed(&self, at: Timestamp) -> SignedDuration {
        self.since
            .map_or(SignedDuration::ZERO, |since| elapsed(since, at))
    }

    /// The same in fewer stretches; what is together leaves as late as its last event.
    pub(super) fn compact(&self) -> Self {
        let mut counts = self.counts.clone();
        while counts.len() > MOST_RECORDED {
            let mut fewer = VecDeque::with_capacity(counts.len() / 2 + 1);
            while let Some(mut first) = counts.pop_front() {
                if let Some(second) = counts.pop_front() {
                    first.to = second.to;
                    first.events += second.events;
                }
                fewer.push_back(first);
            }
            counts = fewer;
        }
        Self {
            counts,
            since: self.since,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PER: SignedDuration = SignedDuration::from_mins(5);

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).expect("a time")
    }

    #[test]
    fn slides_without_extrapolating() {
        let mut window = Window::default();
        let sums: Vec<f64> = [
            (0, 3.0),
            (60, 4.0),
            (200, 0.0),
            (299, 1.0),
            (300, 0.0),
            (360, 0.0),
            (599, 0.0),
        ]
        .iter()
        .map(|(second, events)| window.count(at(*second), *events, PER))
        .collect();
        assert_eq!(sums, [3.0, 7.0, 7.0, 8.0, 5.0, 1.0, 0.0]);
        assert_eq!(window.observed(at(599)), SignedDuration::from_secs(599));
    }

    #[test]
    fn a_clock_set_back_loses_nothing() {
        let mut window = Window::default();
        window.count(at(100), 2.0, PER);
        window.count(at(200), 3.0, PER);
        let sum = window.count(at(50), 1.0, PER);
        assert!((sum - 6.0).abs() < 1e-9, "{sum}");
        let later = window.count(at(350), 0.0, PER);
        assert!(later.abs() < 1e-9, "{later}");
    }

    #[test]
    fn stays_small_and_exact() {
        let day = SignedDuration::from_hours(24);
        let mut window = Window::default();
        let mut sum = 0.0;
        for second in 0..200_000 {
            sum = window.count(at(second), 1.0, day);
        }
        assert!(window.counts.len() <= 601, "{}", window.counts.len());
        assert!((86_400.0..=86_400.0 + 145.0).contains(&sum), "{sum}");
        let compact = window.compact();
        assert!(compact.counts.len() <= MOST_RECORDED);
        let kept: f64 = compact.counts.iter().map(|count| count.events).sum();
        assert!((kept - sum).abs() < 1e-6);
    }
}
