//! Where a value is heading: the line of Theil and Sen through its last samples. Advisory only (judge.md 8).

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::Sample;
use crate::rule::LevelLimit;

/// Samples that the line goes through at most.
const MOST: usize = 60;
/// Through fewer than this a line can be laid, but it means nothing.
const FEWEST: usize = 10;

/// The last samples.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Trend(VecDeque<Sample>);

impl Trend {
    pub(super) fn see(&mut self, sample: Sample) {
        if self.0.len() >= MOST {
            self.0.pop_front();
        }
        self.0.push_back(sample);
    }

    /// In how many seconds the value reaches its limit if it goes on like this; `None`: it does not, or is there.
    pub(super) fn reaches(&self, limit: LevelLimit) -> Option<f64> {
        let last = self.0.back()?;
        if self.0.len() < FEWEST || limit.is_beyond(last.value) {
            return None;
        }
        let seconds = |sample: &Sample| last.at.duration_until(sample.at).as_secs_f64();
        let mut slopes: Vec<f64> = Vec::with_capacity(self.0.len() * (self.0.len() - 1) / 2);
        for (index, first) in self.0.iter().enumerate() {
            for second in self.0.iter().skip(index + 1) {
                let apart = seconds(second) - seconds(first);
                if apart > 0.0 {
                    slopes.push((second.value - first.value) / apart);
                }
            }
        }
        let slope = median(&mut slopes)?;
        let mut bases: Vec<f64> = self
            .0
            .iter()
            .map(|sample| sample.value - slope * seconds(sample))
            .collect();
        // The last sample is at second 0, so the base is the line's value now.
        let now = median(&mut bases)?;
        let left = limit.value() - now;
        let reaches = match limit {
            LevelLimit::Max(_) if slope > 0.0 => (left / slope).max(0.0),
            LevelLimit::Min(_) if slope < 0.0 => (left / slope).max(0.0),
            LevelLimit::Max(_) | LevelLimit::Min(_) => return None,
        };
        reaches.is_finite().then_some(reaches)
    }
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
