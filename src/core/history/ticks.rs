//! The last ticks of a rule in little room: they teach how failures clump (judge.md 6).

use std::collections::VecDeque;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use crate::measurement::{Counts, HistogramCounts, RatioCounts, same_bounds};
use crate::time::elapsed;

/// Ticks that are remembered: with so many, two ticks are enough for a Fail (judge.md 3.3).
const MOST: usize = 300;
/// Looks come at whole seconds, and not quite.
const EARLY: SignedDuration = SignedDuration::from_millis(200);

/// Numbers of all ticks one after the other, so many for each. As `f32`: exact up to 16 million events a tick, and a
/// thousand watches have a million of them.
#[derive(Debug, Clone, Default)]
pub(super) struct Ticks {
    shape: Shape,
    numbers: VecDeque<f32>,
    /// The tick that is not over.
    open: Option<(Timestamp, Counts)>,
}

#[derive(Debug, Clone, Default)]
enum Shape {
    #[default]
    Nothing,
    Ratio,
    Histogram(Arc<[f64]>),
}

impl Ticks {
    pub(super) fn add(&mut self, at: Timestamp, counts: &Counts, tick: SignedDuration) {
        match &mut self.open {
            Some((began, sum)) if at >= *began && elapsed(*began, at) < tick - EARLY => {
                sum.add(counts);
            }
            open => {
                if let Some((_, over)) = open.replace((at, counts.clone())) {
                    self.push(&over);
                }
            }
        }
    }

    fn push(&mut self, counts: &Counts) {
        if !self.shape.fits(counts) {
            self.numbers.clear();
            self.shape = Shape::of(counts);
        }
        match counts {
            Counts::Ratio(ratio) => {
                self.numbers.push_back(small(ratio.events));
                self.numbers.push_back(small(ratio.part));
            }
            Counts::Histogram(histogram) => {
                let counts = histogram.counts.iter().map(|count| small(*count));
                self.numbers.extend(counts);
            }
        }
        let most = MOST * self.shape.width();
        while self.numbers.len() > most {
            self.numbers.pop_front();
        }
    }

    /// All ticks that are over, oldest first.
    pub(super) fn all(&self) -> Vec<Counts> {
        let width = self.shape.width().max(1);
        let mut numbers = self.numbers.iter().map(|number| f64::from(*number));
        (0..self.numbers.len() / width)
            .filter_map(|_| self.shape.next(&mut numbers))
            .collect()
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "what is above 16 million is rounded: history teaches how failures clump, and counts nothing"
)]
fn small(count: f64) -> f32 {
    count as f32
}

impl Shape {
    fn of(counts: &Counts) -> Self {
        match counts {
            Counts::Ratio(_) => Self::Ratio,
            Counts::Histogram(histogram) => Self::Histogram(Arc::clone(&histogram.bounds)),
        }
    }

    fn fits(&self, counts: &Counts) -> bool {
        match (self, counts) {
            (Self::Ratio, Counts::Ratio(_)) => true,
            (Self::Histogram(bounds), Counts::Histogram(histogram)) => {
                same_bounds(bounds, &histogram.bounds)
            }
            (Self::Nothing | Self::Ratio | Self::Histogram(_), _) => false,
        }
    }

    fn width(&self) -> usize {
        match self {
            Self::Nothing => 0,
            Self::Ratio => 2,
            Self::Histogram(bounds) => bounds.len() + 1,
        }
    }

    fn next(&self, numbers: &mut impl Iterator<Item = f64>) -> Option<Counts> {
        match self {
            Self::Nothing => None,
            Self::Ratio => Some(Counts::Ratio(RatioCounts {
                events: numbers.next()?,
                part: numbers.next()?,
            })),
            Self::Histogram(bounds) => Some(Counts::Histogram(HistogramCounts {
                bounds: Arc::clone(bounds),
                counts: numbers.take(self.width()).collect(),
            })),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TICK: SignedDuration = SignedDuration::from_secs(15);

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).expect("a time")
    }

    #[test]
    fn looks_become_ticks_and_the_last_are_kept() {
        let mut ticks = Ticks::default();
        for second in 0..6_000 {
            let one = Counts::Ratio(RatioCounts {
                events: 2.0,
                part: 1.0,
            });
            ticks.add(at(second), &one, TICK);
        }
        let all = ticks.all();
        assert_eq!(all.len(), MOST);
        let tick = Counts::Ratio(RatioCounts {
            events: 30.0,
            part: 15.0,
        });
        assert!(all.iter().all(|counts| *counts == tick), "{:?}", all.last());
    }

    #[test]
    fn other_buckets_begin_anew() {
        let histogram = |bounds: &[f64], count: f64| {
            Counts::Histogram(HistogramCounts {
                bounds: bounds.into(),
                counts: vec![count; bounds.len() + 1],
            })
        };
        let mut ticks = Ticks::default();
        ticks.add(at(0), &histogram(&[0.1, 0.5], 1.0), TICK);
        ticks.add(at(15), &histogram(&[0.1, 0.5], 2.0), TICK);
        ticks.add(at(30), &histogram(&[0.2], 3.0), TICK);
        let first = [histogram(&[0.1, 0.5], 1.0), histogram(&[0.1, 0.5], 2.0)];
        assert_eq!(ticks.all(), first);
        ticks.add(at(45), &histogram(&[0.2], 4.0), TICK);
        assert_eq!(ticks.all(), [histogram(&[0.2], 3.0)]);
    }
}
