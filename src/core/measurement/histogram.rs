//! Counts of a classic histogram in one stretch of time, and what can be read from them.
//!
//! Bounds are compared within 1e-12 of their size, so that `0.1` written by two libraries is one bound (judge.md 7).

use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// Two bounds that differ by less than this part of their size are the same bound.
const SAME: f64 = 1e-12;

/// Events per bucket, not cumulative: `counts[i]` lies in `(bounds[i-1], bounds[i]]`, the last above all bounds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HistogramCounts {
    /// Finite, ascending; in the unit of the metric.
    pub bounds: Arc<[f64]>,
    /// One more than bounds; whole numbers >= 0.
    pub counts: Vec<f64>,
}

impl HistogramCounts {
    /// No events.
    pub fn empty(bounds: Arc<[f64]>) -> Self {
        let counts = vec![0.0; bounds.len() + 1];
        Self { bounds, counts }
    }

    /// All events.
    pub fn total(&self) -> f64 {
        self.counts.iter().sum()
    }

    /// Adds the events of another histogram. When the bounds differ, only those that both have are kept: the counts
    /// at these are exact, between them nothing is known of the other.
    pub fn add(&mut self, other: &Self) {
        if !same_bounds(&self.bounds, &other.bounds) {
            let common = common_bounds(&self.bounds, &other.bounds);
            *self = self.coarsened(&common);
            let other = other.coarsened(&common);
            add_each(&mut self.counts, &other.counts);
            return;
        }
        add_each(&mut self.counts, &other.counts);
    }

    /// Events that were above the limit for sure: those above the next bound up. None when the limit lies above
    /// the last bound.
    pub fn surely_above(&self, limit: f64) -> f64 {
        match self.next_bound_up(limit) {
            Some(index) => self.above(index),
            None => 0.0,
        }
    }

    /// Events that may have been above the limit: those above the next bound down. All when the limit lies below
    /// the first bound.
    pub fn possibly_above(&self, limit: f64) -> f64 {
        match self.next_bound_down(limit) {
            Some(index) => self.above(index),
            None => self.total(),
        }
    }

    /// The quantile `q`, interpolated in its bucket as Prometheus' `histogram_quantile` does; the last bound when it
    /// lies above all. `None` without events or bounds, or for a `q` outside 0..=1.
    pub fn quantile(&self, q: f64) -> Option<f64> {
        let total = self.total();
        let last_bound = *self.bounds.last()?;
        if !(0.0..=1.0).contains(&q) || total <= 0.0 {
            return None;
        }
        let rank = q * total;
        let mut below = 0.0;
        for (index, count) in self.counts.iter().enumerate() {
            let reached = below + count;
            if *count > 0.0 && reached >= rank {
                let Some(&upper) = self.bounds.get(index) else {
                    return Some(last_bound);
                };
                let lower = match index.checked_sub(1) {
                    Some(previous) => self.bounds.get(previous).copied().unwrap_or(upper),
                    None => upper.min(0.0),
                };
                return Some(lower + (upper - lower) * ((rank - below) / count));
            }
            below = reached;
        }
        Some(last_bound)
    }

    /// Index of the smallest bound that is not below `x`.
    pub fn next_bound_up(&self, x: f64) -> Option<usize> {
        self.bounds
            .iter()
            .position(|bound| *bound >= x - x.abs() * SAME)
    }

    /// Index of the largest bound that is not above `x`.
    pub fn next_bound_down(&self, x: f64) -> Option<usize> {
        self.bounds
            .iter()
            .rposition(|bound| *bound <= x + x.abs() * SAME)
    }

    /// Events above the bound with this index.
    pub fn above(&self, index: usize) -> f64 {
        self.counts.iter().skip(index + 1).sum()
    }

    /// The same events over fewer bounds, each of which is one of ours.
    fn coarsened(&self, bounds: &Arc<[f64]>) -> Self {
        let mut counts = vec![0.0; bounds.len() + 1];
        for (index, count) in self.counts.iter().enumerate() {
            let bucket = self.bounds.get(index).map_or(bounds.len(), |upper| {
                bounds
                    .iter()
                    .position(|bound| *bound > *upper || same(*bound, *upper))
                    .unwrap_or(bounds.len())
            });
            if let Some(sum) = counts.get_mut(bucket) {
                *sum += count;
            }
        }
        Self {
            bounds: Arc::clone(bounds),
            counts,
        }
    }
}

/// Whether two lists of bounds are the same bounds.
pub fn same_bounds(a: &[f64], b: &[f64]) -> bool {
    // Mostly they are the very same: those of one series, tick after tick.
    std::ptr::eq(a, b) || (a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(*a, *b)))
}

fn same(a: f64, b: f64) -> bool {
    (a - b).abs() <= a.abs().max(b.abs()) * SAME
}

fn common_bounds(a: &[f64], b: &[f64]) -> Arc<[f64]> {
    a.iter()
        .copied()
        .filter(|bound| b.iter().any(|other| same(*bound, *other)))
        .collect()
}

fn add_each(sums: &mut [f64], more: &[f64]) {
    for (sum, count) in sums.iter_mut().zip(more) {
        *sum += count;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn histogram(bounds: &[f64], counts: &[f64]) -> HistogramCounts {
        HistogramCounts {
            bounds: bounds.into(),
            counts: counts.to_vec(),
        }
    }

    #[track_caller]
    fn check(actual: f64, expected: f64) {
        assert!(
            (actual - expected).abs() < 1e-9,
            "{actual} instead of {expected}"
        );
    }

    #[test]
    fn a_limit_on_a_bound_is_exact() {
        let h = histogram(&[0.1, 0.5, 1.0], &[5.0, 3.0, 2.0, 1.0]);
        check(h.surely_above(0.5), 3.0);
        check(h.possibly_above(0.5), 3.0);
        check(h.surely_above(0.1 + 0.4), 3.0);
    }

    #[test]
    fn a_limit_between_bounds_counts_the_surely_slow_and_the_possibly_slow() {
        let h = histogram(&[0.1, 0.5, 1.0], &[5.0, 3.0, 2.0, 1.0]);
        check(h.surely_above(0.3), 3.0);
        check(h.possibly_above(0.3), 6.0);
        check(h.surely_above(0.05), 6.0);
        check(h.possibly_above(0.05), 11.0);
        check(h.surely_above(2.0), 0.0);
        check(h.possibly_above(2.0), 1.0);
        check(h.surely_above(f64::NAN), 0.0);
    }

    #[test]
    fn the_quantile_interpolates_as_prometheus_does() {
        let h = histogram(&[0.1, 0.5, 1.0], &[5.0, 3.0, 2.0, 0.0]);
        check(h.quantile(0.5).expect("has events"), 0.1);
        check(h.quantile(0.25).expect("has events"), 0.05);
        check(h.quantile(0.65).expect("has events"), 0.3);
        check(h.quantile(1.0).expect("has events"), 1.0);
        let open = histogram(&[0.1, 0.5], &[1.0, 0.0, 9.0]);
        check(open.quantile(0.95).expect("has events"), 0.5);
        let negative = histogram(&[-1.0, 2.0], &[4.0, 4.0, 0.0]);
        check(negative.quantile(0.25).expect("has events"), -1.0);
        check(negative.quantile(0.75).expect("has events"), 0.5);
    }

    #[test]
    fn there_is_no_quantile_without_events_bounds_or_sense() {
        assert_eq!(histogram(&[0.1], &[0.0, 0.0]).quantile(0.5), None);
        assert_eq!(histogram(&[], &[4.0]).quantile(0.5), None);
        assert_eq!(histogram(&[0.1], &[1.0, 0.0]).quantile(f64::NAN), None);
        assert_eq!(histogram(&[0.1], &[1.0, 0.0]).quantile(1.5), None);
    }

    #[test]
    fn different_bounds_are_merged_on_the_common_ones() {
        let mut sum = histogram(&[0.1, 0.2, 0.5], &[1.0, 2.0, 4.0, 8.0]);
        sum.add(&histogram(&[0.1, 0.5, 1.0], &[10.0, 20.0, 30.0, 40.0]));
        assert_eq!(sum, histogram(&[0.1, 0.5], &[11.0, 26.0, 78.0]));
        sum.add(&histogram(&[7.0], &[1.0, 1.0]));
        assert_eq!(sum, histogram(&[], &[117.0]));
    }
}
