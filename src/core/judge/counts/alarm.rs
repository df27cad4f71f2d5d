//! Whether a limit between releases is surely broken, however often it is looked at (judge.md 11).
//!
//! What came in between two samples is one tick of the test. It fires at most once in [`FALSE_ACTIONS`] on average while
//! the limit is kept, and from then on asks for evidence of the opposite.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::decision::limit_share;
use crate::measurement::Counts;
use crate::rule::CountsCheck;
use crate::sequential::{EndlessLimit, Settings, Span};
use crate::time::elapsed;

/// Mean time between two false firings, milliseconds: ninety days.
const FALSE_ACTIONS: u64 = 90 * 86_400_000;
/// A tick is over a little before the next sample is due: looks come at whole seconds, and not quite.
const EARLY: SignedDuration = SignedDuration::from_millis(200);
/// Shares that a limit of a test may have.
const SHARES: std::ops::RangeInclusive<f64> = 1e-9..=1.0 - 1e-9;

/// The test of one rule between releases.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Alarm {
    /// Made when it is known how far samples lie apart.
    limit: Option<Box<EndlessLimit>>,
    /// Events, and bad ones, since the last tick of the test.
    events: f64,
    bad: f64,
    judged: Option<Timestamp>,
}

impl Alarm {
    /// Takes in the counts of one look.
    pub(super) fn take(&mut self, rule: &CountsCheck, counts: &Counts) {
        if let Some((share, _)) = limit_share(rule) {
            let share = share.of(counts);
            self.events += share.events;
            self.bad += share.bad;
        }
    }

    /// Judges what came in, once so much time has passed as lies between two samples.
    pub(super) fn tick(&mut self, rule: &CountsCheck, now: Timestamp, interval: SignedDuration) {
        let over = self
            .judged
            .is_none_or(|last| now < last || elapsed(last, now) >= interval - EARLY);
        // What came in later than a tick is long belongs to the time since then: silence is no event.
        if !over || self.events <= 0.0 {
            return;
        }
        self.judged = Some(now);
        if self.limit.is_none() {
            self.limit = test(rule, interval).map(Box::new);
        }
        let (events, bad) = (
            std::mem::take(&mut self.events),
            std::mem::take(&mut self.bad),
        );
        if let Some(limit) = &mut self.limit {
            limit.update(events, bad);
        }
    }

    /// Whether the limit was surely broken, and is not surely kept again.
    pub(super) fn is_firing(&self) -> bool {
        self.limit.as_ref().is_some_and(|limit| limit.is_firing())
    }
}

fn test(rule: &CountsCheck, interval: SignedDuration) -> Option<EndlessLimit> {
    let (_, allowed) = limit_share(rule)?;
    let tick = u64::try_from(interval.as_millis())
        .unwrap_or(1_000)
        .clamp(100, 3_600_000);
    let settings = Settings {
        tick: Duration::from_millis(tick).as_secs_f64(),
        span: Span::Endless {
            ticks: FALSE_ACTIONS.div_ceil(tick),
        },
        ..Settings::default()
    };
    EndlessLimit::new(allowed.clamp(*SHARES.start(), *SHARES.end()), settings).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measurement::RatioCounts;
    use crate::rule::{Metric, Part, RatioMetric, Selector};

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
            max: Some(0.01),
            min: None,
            compare: None,
            least: 20,
        }
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_767_225_600 + second).expect("in range")
    }

    /// So many events a second, read in two parts: two pods.
    fn feed(alarm: &mut Alarm, seconds: std::ops::Range<i64>, bad: impl Fn(i64) -> f64) -> bool {
        let mut fired = false;
        for second in seconds {
            for part in [0.5, 0.5] {
                let counts = Counts::Ratio(RatioCounts {
                    part: bad(second) * part,
                    events: 40.0 * part,
                });
                alarm.take(&rule(), &counts);
            }
            alarm.tick(&rule(), at(second), SignedDuration::from_secs(5));
            fired |= alarm.is_firing();
        }
        fired
    }

    #[test]
    fn it_fires_within_four_samples_and_recovers_when_the_limit_is_surely_kept() {
        let mut alarm = Alarm::default();
        assert!(!feed(&mut alarm, 0..3_600, |second| f64::from(u8::from(
            second % 20 == 0
        ))));
        assert!(feed(&mut alarm, 3_600..3_620, |_| 8.0));
        feed(&mut alarm, 3_620..7_200, |_| 8.0);
        assert!(alarm.is_firing());
        feed(&mut alarm, 7_200..7_210, |_| 0.0);
        assert!(alarm.is_firing(), "ten good seconds are no proof");
        feed(&mut alarm, 7_210..7_800, |_| 0.0);
        assert!(!alarm.is_firing());
    }

    #[test]
    fn one_bad_sample_is_no_incident() {
        let mut alarm = Alarm::default();
        feed(&mut alarm, 0..600, |_| 0.0);
        let fired = feed(&mut alarm, 600..1_200, |second| {
            if (700..704).contains(&second) {
                40.0
            } else {
                0.0
            }
        });
        assert!(!fired);
    }

    #[test]
    fn a_record_goes_on_bit_by_bit() {
        let mut alarm = Alarm::default();
        feed(&mut alarm, 0..603, |_| 0.3);
        let json = serde_json::to_string(&alarm).expect("plain data");
        let mut back: Alarm = serde_json::from_str(&json).expect("its own record");
        assert_eq!(back, alarm);
        feed(&mut alarm, 603..700, |_| 8.0);
        feed(&mut back, 603..700, |_| 8.0);
        assert_eq!(back, alarm);
        assert!(back.is_firing());
    }
}
