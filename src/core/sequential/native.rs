//! Native histograms as counts over fixed bounds, merged to one schema for the analysis (judge.md 7).
//!
//! Bucket `i` of schema `s` holds values in (b^(i-1), b^i] with b = 2^(2^-s) (Prometheus, "Native histograms", schemas
//! -4 to 8). Halving the resolution by one schema merges bucket `i` into bucket `ceil(i/2)`, which is exact.

use serde::{Deserialize, Serialize};

use super::tally::usable;

/// Buckets that a layout has at most: Prometheus' own default limit for one histogram.
const MOST_BUCKETS: i64 = 160;
const SCHEMAS: std::ops::RangeInclusive<i8> = -4..=8;

/// What one native histogram counted in one stretch of time, per bucket and not cumulative.
#[derive(Debug, Clone, PartialEq)]
pub struct NativeBuckets {
    /// -4 to 8.
    pub schema: i8,
    /// Values round zero: at most `zero_threshold` away from it.
    pub zero_count: f64,
    pub zero_threshold: f64,
    /// Index and count of each populated bucket above zero.
    pub positive: Vec<(i32, f64)>,
    /// Of all values below the zero bucket.
    pub negative: f64,
}

/// The buckets of an analysis: chosen once, from its history or its first tick.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NativeLayout {
    schema: i8,
    /// Index of the first and of the last bucket with a bound of its own.
    first: i32,
    last: i32,
}

impl NativeLayout {
    /// The finest layout of at most 160 buckets that holds everything seen, with room for one doubling above.
    /// `None` when nothing was seen that lies above zero, or a schema is none.
    pub fn covering(seen: &[NativeBuckets]) -> Option<Self> {
        let schema = seen.iter().map(|buckets| buckets.schema).min()?;
        if !seen.iter().all(|buckets| SCHEMAS.contains(&buckets.schema)) {
            return None;
        }
        (*SCHEMAS.start()..=schema).rev().find_map(|schema| {
            let indices = seen.iter().flat_map(move |buckets| {
                let populated = buckets.positive.iter().filter(|(_, count)| *count > 0.0);
                populated.map(move |(index, _)| coarser(*index, buckets.schema - schema))
            });
            let (first, last) = (indices.clone().min()?, indices.max()?);
            // One doubling: 2^schema buckets, or one where a bucket is wider than that.
            let room = 1_i32 << schema.max(0);
            let last = last.saturating_add(room);
            let width = i64::from(last) - i64::from(first) + 1;
            (width <= MOST_BUCKETS).then_some(Self {
                schema,
                first,
                last,
            })
        })
    }

    /// A layout that does not depend on what is seen: from `2^lowest` to `2^highest`. `None` for an unknown schema.
    pub fn between(schema: i8, lowest: i32, highest: i32) -> Option<Self> {
        if !SCHEMAS.contains(&schema) {
            return None;
        }
        let index = |exponent: i32| {
            if schema >= 0 {
                exponent.saturating_mul(1 << schema)
            } else {
                // Up to the next bound.
                let width = 1 << -schema;
                exponent.saturating_add(width - 1).div_euclid(width)
            }
        };
        Some(Self {
            schema,
            first: index(lowest),
            last: index(highest),
        })
    }

    /// Upper bounds of its buckets, ascending.
    pub fn bounds(&self) -> Vec<f64> {
        (self.first..=self.last)
            .map(|index| self.bound(index))
            .filter(|bound| bound.is_finite())
            .collect()
    }

    fn bound(&self, index: i32) -> f64 {
        (f64::from(index) * (-f64::from(self.schema)).exp2()).exp2()
    }

    /// Counts over these bounds, the last above all of them, into `counts`. False, and all zero, for a histogram that is
    /// coarser than the layout, or whose counts cannot be counts: a tick without traffic.
    pub fn fold(&self, buckets: &NativeBuckets, counts: &mut [f64]) -> bool {
        counts.fill(0.0);
        let steps = buckets.schema - self.schema;
        let broken = |count: f64| !usable(count);
        let width = counts.len();
        if steps < 0
            || !SCHEMAS.contains(&buckets.schema)
            || broken(buckets.zero_count)
            || broken(buckets.negative)
            || buckets.positive.iter().any(|(_, count)| broken(*count))
            // The zero bucket reaches beyond the first bound: what lies above that is not known.
            || buckets.zero_count > 0.0 && buckets.zero_threshold > self.bound(self.first)
        {
            return false;
        }
        let mut add = |bucket: usize, count: f64| {
            if let Some(sum) = counts.get_mut(bucket.min(width.saturating_sub(1))) {
                *sum += count;
            }
        };
        add(0, buckets.zero_count + buckets.negative);
        for (index, count) in &buckets.positive {
            let offset = i64::from(coarser(*index, steps)) - i64::from(self.first);
            add(usize::try_from(offset).unwrap_or(0), *count);
        }
        true
    }
}

/// The bucket of a schema that is `steps` coarser: ceil(index / 2^steps).
fn coarser(index: i32, steps: i8) -> i32 {
    // In 64 bits, where the sum cannot overflow; at most 12 steps.
    let width = 1_i64 << steps.clamp(0, 12);
    let merged = (i64::from(index) + width - 1).div_euclid(width);
    i32::try_from(merged).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn same(actual: &[f64], expected: &[f64]) {
        let equal = |(a, b): (&f64, &f64)| (a - b).abs() < 1e-12;
        let all = actual.len() == expected.len() && actual.iter().zip(expected).all(equal);
        assert!(all, "{actual:?} instead of {expected:?}");
    }

    fn buckets(schema: i8, positive: &[(i32, f64)]) -> NativeBuckets {
        NativeBuckets {
            schema,
            zero_count: 0.0,
            zero_threshold: 1e-128,
            positive: positive.to_vec(),
            negative: 0.0,
        }
    }

    #[test]
    fn a_coarser_schema_holds_the_same_values() {
        // Schema 1: sqrt(2) steps. Bucket 3 is (2, 2.83], 4 is (2.83, 4]: both in bucket 2 of schema 0, (2, 4].
        assert_eq!(
            [1, 2, 3, 4, 5].map(|index| coarser(index, 1)),
            [1, 1, 2, 2, 3]
        );
        assert_eq!(
            [-3, -2, -1, 0].map(|index| coarser(index, 1)),
            [-1, -1, 0, 0]
        );
        assert_eq!(coarser(i32::MAX, 12), 524_288);
        assert_eq!(coarser(i32::MIN, 0), i32::MIN);
    }

    #[test]
    fn an_analysis_has_one_schema_and_one_range() {
        let fine = buckets(3, &[(-8, 4.0), (0, 5.0), (8, 1.0)]);
        let coarse = buckets(0, &[(-1, 3.0), (1, 2.0)]);
        let layout = NativeLayout::covering(&[fine.clone(), coarse]).expect("values above zero");
        same(&layout.bounds(), &[0.5, 1.0, 2.0, 4.0]);
        let mut counts = [0.0; 5];
        assert!(layout.fold(&fine, &mut counts));
        same(&counts, &[4.0, 5.0, 1.0, 0.0, 0.0]);
        assert!(layout.fold(&buckets(0, &[(-9, 2.0), (7, 6.0)]), &mut counts));
        // what lies outside goes to the ends.
        same(&counts, &[2.0, 0.0, 0.0, 0.0, 6.0]);
    }

    #[test]
    fn a_wide_range_lowers_the_schema() {
        let wide = buckets(8, &[(-5000, 1.0), (5000, 1.0)]);
        let layout = NativeLayout::covering(&[wide]).expect("values above zero");
        assert!(
            layout.bounds().len() <= 160 && layout.schema >= 1,
            "{layout:?}"
        );
        let endless = buckets(8, &[(i32::MIN, 1.0), (i32::MAX, 1.0)]);
        assert_eq!(NativeLayout::covering(&[endless]), None);
    }

    #[test]
    fn what_cannot_be_folded_is_a_tick_without_traffic() {
        let layout = NativeLayout::covering(&[buckets(2, &[(0, 1.0), (4, 1.0)])])
            .expect("values above zero");
        let mut counts = vec![9.0; layout.bounds().len() + 1];
        let zero_too_wide = NativeBuckets {
            zero_count: 1.0,
            zero_threshold: 5.0,
            ..buckets(2, &[(1, 1.0)])
        };
        for bad in [
            buckets(1, &[(1, 1.0)]),
            buckets(9, &[(1, 1.0)]),
            buckets(2, &[(1, f64::NAN)]),
            buckets(2, &[(1, -1.0)]),
            zero_too_wide,
        ] {
            assert!(!layout.fold(&bad, &mut counts), "{bad:?}");
            assert!(counts.iter().all(|count| *count == 0.0));
        }
        let around_zero = NativeBuckets {
            zero_count: 2.0,
            negative: 3.0,
            ..buckets(2, &[(-7, 4.0)])
        };
        assert!(layout.fold(&around_zero, &mut counts));
        same(counts.get(..1).unwrap_or_default(), &[9.0]);
        assert_eq!(NativeLayout::covering(&[]), None);
    }
}
