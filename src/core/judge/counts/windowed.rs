//! Counts of a whole service over a window of the rule's own, for rules that hold between releases: a limit, alone.
//!
//! The rule is broken while the window is above the limit and that is surely no chance: the first is what the rule says,
//! the second is for a test that may be looked at on every tick, for years.

use std::collections::VecDeque;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::alarm::Alarm;
use super::decision::{Beside, Says, Sums, decide};
use super::evidence::measured;
use crate::judge::SIGMAS;
use crate::judge::finding::{Basis, Seen, State};
use crate::measurement::Counts;
use crate::rule::CountsCheck;
use crate::time::elapsed;

/// The window is kept in at most about this many pieces.
const PIECES: i32 = 60;
/// Pieces that are kept apart in a record.
const RECORDED: usize = 8;
/// Looks closer to each other than this are one piece.
const SHORTEST: SignedDuration = SignedDuration::from_secs(1);

/// What has been counted within the window.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WindowedCounts {
    pieces: VecDeque<Piece>,
    /// Since when the rule has been broken without a break.
    since: Option<Timestamp>,
    /// Since when the limit has been kept without a break.
    kept_since: Option<Timestamp>,
    last_sample: Option<Timestamp>,
    #[serde(default)]
    alarm: Alarm,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Piece {
    at: Timestamp,
    counts: Counts,
}

impl WindowedCounts {
    /// Takes in the counts of one look.
    pub fn update(
        &mut self,
        rule: &CountsCheck,
        window: SignedDuration,
        at: Timestamp,
        counts: &Counts,
    ) {
        self.alarm.take(rule, counts);
        // A clock that was set back must not keep old counts in the window for ever.
        for piece in &mut self.pieces {
            piece.at = piece.at.min(at);
        }
        self.last_sample = Some(at);
        let width = (window / PIECES).max(SHORTEST);
        match self.pieces.back_mut() {
            Some(last) if elapsed(last.at, at) < width => last.counts.add(counts),
            Some(_) | None => self.pieces.push_back(Piece {
                at,
                counts: counts.clone(),
            }),
        }
        self.forget(window, at);
    }

    fn forget(&mut self, window: SignedDuration, now: Timestamp) {
        while let Some(oldest) = self.pieces.front()
            && elapsed(oldest.at, now) >= window
        {
            self.pieces.pop_front();
        }
    }

    /// Judges what came in, once there is a tick of it: samples come every `interval`.
    pub fn tick(&mut self, rule: &CountsCheck, now: Timestamp, interval: SignedDuration) {
        self.alarm.tick(rule, now, interval);
    }

    /// What the window says at `now`; without a sample for longer than `patience` it says nothing.
    pub fn judge(
        &mut self,
        rule: &CountsCheck,
        window: SignedDuration,
        now: Timestamp,
        patience: SignedDuration,
    ) -> Seen {
        self.forget(window, now);
        let seen = if self.silent(now, patience) {
            Seen::SILENT
        } else {
            self.look(rule)
        };
        let begin = |goes_on: bool, since: Option<Timestamp>| {
            goes_on.then(|| since.map_or(now, |since| since.min(now)))
        };
        let broken = matches!(seen.state, State::Suspected | State::Failing);
        self.since = begin(broken, self.since);
        self.kept_since = begin(seen.state == State::Within, self.kept_since);
        Seen {
            since: self.since,
            ..seen
        }
    }

    fn look(&self, rule: &CountsCheck) -> Seen {
        let ticks: Vec<&Counts> = self.pieces.iter().map(|piece| &piece.counts).collect();
        let mut sum: Option<Counts> = None;
        for counts in &ticks {
            match &mut sum {
                None => sum = Some((*counts).clone()),
                Some(sum) => sum.add(counts),
            }
        }
        let Some(sum) = sum else {
            return Seen::SILENT;
        };
        let sums = Sums {
            canary: &sum,
            ticks: &ticks,
            beside: Beside::Before(None),
            sigmas: SIGMAS,
        };
        let mut decision = decide(rule, &sums);
        decision.says = self.with_alarm(decision.says);
        Seen {
            state: decision.state(),
            canary: measured(rule, &sum),
            baseline: None,
            since: None,
            basis: Basis::Counts {
                decision,
                before: true,
            },
            proof: None,
        }
    }

    /// What the window says, and whether that is sure.
    fn with_alarm(&self, says: Says) -> Says {
        match (says, self.alarm.is_firing()) {
            (Says::Unsure | Says::Suspected | Says::Failing, true) => Says::Failing,
            (Says::Suspected | Says::Failing, false) => Says::Suspected,
            // It has been broken, and is not surely kept yet.
            (Says::Within, true) => Says::Unsure,
            (
                says @ (Says::Within
                | Says::Unsure
                | Says::TooFew
                | Says::TooFewBeside
                | Says::NotSurelyWorse
                | Says::BaselineAlsoBad),
                _,
            ) => says,
        }
    }

    /// Since when the limit has been kept without a break, if it is now.
    pub fn kept_since(&self) -> Option<Timestamp> {
        self.kept_since
    }

    /// Whether there was no new sample for longer than `patience`.
    pub fn silent(&self, now: Timestamp, patience: SignedDuration) -> bool {
        self.last_sample
            .is_none_or(|last| elapsed(last, now) >= patience)
    }

    /// The same with fewer pieces kept apart, for a record.
    pub fn compact(&self) -> Self {
        let mut compact = self.clone();
        while compact.pieces.len() > RECORDED {
            let mut pairs = VecDeque::with_capacity(compact.pieces.len() / 2 + 1);
            let mut pieces = compact.pieces.into_iter();
            while let Some(mut piece) = pieces.next() {
                if let Some(later) = pieces.next() {
                    piece.at = later.at;
                    piece.counts.add(&later.counts);
                }
                pairs.push_back(piece);
            }
            compact.pieces = pairs;
        }
        compact
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measurement::RatioCounts;
    use crate::rule::{Metric, Part, RatioMetric, Selector};

    const WINDOW: SignedDuration = SignedDuration::from_mins(5);
    const PATIENCE: SignedDuration = SignedDuration::from_secs(30);

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_767_225_600 + second).expect("in range")
    }

    fn rule() -> CountsCheck {
        let selector = |metric: &str| Selector {
            metric: metric.to_owned(),
            matchers: Vec::new(),
        };
        CountsCheck {
            metric: Metric::Ratio(RatioMetric {
                part: selector("bad"),
                part_is: Part::Bad,
                total: selector("all"),
                absent_is_zero: true,
            }),
            max: Some(0.05),
            min: None,
            compare: None,
            least: 20,
        }
    }

    /// Ten events a second, so many of them bad.
    fn feed(evidence: &mut WindowedCounts, seconds: std::ops::Range<i64>, bad: f64) {
        for second in seconds {
            let counts = Counts::Ratio(RatioCounts {
                part: bad,
                events: 10.0,
            });
            evidence.update(&rule(), WINDOW, at(second), &counts);
            evidence.tick(&rule(), at(second), SignedDuration::from_secs(1));
        }
    }

    fn state(evidence: &mut WindowedCounts, second: i64) -> State {
        evidence.judge(&rule(), WINDOW, at(second), PATIENCE).state
    }

    #[test]
    fn what_lies_before_the_window_counts_no_more() {
        let mut evidence = WindowedCounts::default();
        feed(&mut evidence, 0..300, 5.0);
        assert_eq!(state(&mut evidence, 299), State::Failing);
        assert_eq!(evidence.kept_since(), None);
        feed(&mut evidence, 300..620, 0.0);
        assert_eq!(state(&mut evidence, 619), State::Within);
        assert_eq!(evidence.kept_since(), Some(at(619)));
        let seen = evidence.judge(&rule(), WINDOW, at(619), PATIENCE);
        assert!(seen.canary.events <= 3_000.0, "{seen:?}");
        assert!(seen.canary.events > 2_900.0, "{seen:?}");
    }

    #[test]
    fn silence_says_nothing_and_breaks_what_was_kept() {
        let mut evidence = WindowedCounts::default();
        feed(&mut evidence, 0..60, 0.0);
        assert_eq!(state(&mut evidence, 60), State::Within);
        assert_eq!(state(&mut evidence, 120), State::NoData);
        assert_eq!(evidence.kept_since(), None);
    }

    #[test]
    fn pieces_are_bounded_also_in_a_record_and_lose_nothing() {
        let mut evidence = WindowedCounts::default();
        feed(&mut evidence, 0..1_000, 1.0);
        assert!(evidence.pieces.len() <= 61, "{}", evidence.pieces.len());
        let mut compact = evidence.compact();
        assert!(compact.pieces.len() <= RECORDED);
        let now = at(999);
        let all = evidence.judge(&rule(), WINDOW, now, PATIENCE).canary;
        let recorded = compact.judge(&rule(), WINDOW, now, PATIENCE).canary;
        assert_eq!(all, recorded);
    }

    #[test]
    fn a_clock_that_was_set_back_keeps_nothing_for_ever() {
        let mut evidence = WindowedCounts::default();
        feed(&mut evidence, 5_000..5_100, 5.0);
        feed(&mut evidence, 0..301, 0.0);
        assert_eq!(state(&mut evidence, 301), State::Within);
    }
}
