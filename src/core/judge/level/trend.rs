//! Where a value is heading: the line of Theil and Sen through its last samples. Advisory only (judge.md 8).

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::Sample;
use crate::rule::LevelLimit;

/// Samples that the line goes through at most.
const MOST: usize = 60;
/// Through fewer than this a line can be laid, but it means nothing.
const FEWEST: usize = 10;
/// Nothing is said of a time further ahead than so many times the one that was looked at.
const AHEAD: f64 = 10.0;
/// The share of the pairs of samples that must agree on the direction: noise without a trend has about half.
const AGREED: f64 = 2.0 / 3.0;

/// The last samples.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Trend(VecDeque<Sample>);

/// The line through some points.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Line {
    /// The median of the slopes between all pairs, per second.
    pub(super) slope: f64,
    /// Where the line is at the last point.
    pub(super) now: f64,
    /// The share of the pairs that rise, and that fall.
    rising: f64,
    falling: f64,
}

impl Trend {
    pub(super) fn see(&mut self, sample: Sample) {
        if self.0.len() >= MOST {
            self.0.pop_front();
        }
        self.0.push_back(sample);
    }

    /// In how many seconds the value reaches its limit if it goes on like this; `None`: it does not, or is there, or
    /// nothing can be said.
    pub(super) fn reaches(&self, limit: LevelLimit) -> Option<f64> {
        let last = self.0.back()?;
        if self.0.len() < FEWEST || limit.is_beyond(last.value) {
            return None;
        }
        // The last sample is at second 0.
        let points: Vec<(f64, f64)> = self
            .0
            .iter()
            .map(|sample| {
                (
                    last.at.duration_until(sample.at).as_secs_f64(),
                    sample.value,
                )
            })
            .collect();
        let looked_at = points.first().map_or(0.0, |(second, _)| -second);
        let line = line(&points)?;
        let left = limit.value() - line.now;
        let heads_there = match limit {
            LevelLimit::Max(_) => line.slope > 0.0 && line.rising >= AGREED,
            LevelLimit::Min(_) => line.slope < 0.0 && line.falling >= AGREED,
        };
        let seconds = (left / line.slope).max(0.0);
        (heads_there && seconds.is_finite() && seconds <= AHEAD * looked_at).then_some(seconds)
    }
}

/// The line of Theil and Sen through points of second and value; `None` without two points at different times.
pub(super) fn line(points: &[(f64, f64)]) -> Option<Line> {
    let mut slopes: Vec<f64> = Vec::with_capacity(points.len() * points.len() / 2);
    for (index, (first, from)) in points.iter().enumerate() {
        for (second, to) in points.iter().skip(index + 1) {
            if second > first {
                slopes.push((to - from) / (second - first));
            }
        }
    }
    let share = |number: usize| number as f64 / slopes.len().max(1) as f64;
    let rising = share(slopes.iter().filter(|slope| **slope > 0.0).count());
    let falling = share(slopes.iter().filter(|slope| **slope < 0.0).count());
    let slope = median(&mut slopes)?;
    let mut bases: Vec<f64> = points
        .iter()
        .map(|(second, value)| value - slope * second)
        .collect();
    let base = median(&mut bases)?;
    let (last, _) = points.last()?;
    Some(Line {
        slope,
        now: base + slope * last,
        rising,
        falling,
    })
}

fn median(values: &mut [f64]) -> Option<f64> {
    if values.is_empty() {
        return None;
    }
    let even = values.len().is_multiple_of(2);
    let middle = values.len() / 2;
    let (below, upper, _) = values.select_nth_unstable_by(middle, f64::total_cmp);
    let upper = *upper;
    if !even {
        return Some(upper);
    }
    let lower = below.iter().copied().max_by(f64::total_cmp)?;
    Some(f64::midpoint(lower, upper))
}
