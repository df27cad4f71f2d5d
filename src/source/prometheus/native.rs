//! Native histograms, as the API answers with them: from sparse buckets to counters over bounds that never change.
//!
//! An answer shows only the buckets that hold something, and a client may halve its resolution while it runs. So every
//! histogram is folded into one fixed layout of at most four buckets for each doubling: the resolutions that clients
//! begin with are finer, and halving them does not change it. Folding merges whole buckets, so that counts stay exact.

use std::sync::{Arc, LazyLock};

use serde::Deserialize;

use recant_core::observation::HistogramCounters;
use recant_core::sequential::{NativeBuckets, NativeLayout};

/// Four buckets for each doubling: each is 19 % wide.
const FINEST: i8 = 2;
const COARSEST: i8 = -4;
/// Values from about 1e-6 to 131 072 have a bucket of their own: microseconds to hours, in seconds or milliseconds.
const LOWEST: i32 = -20;
const HIGHEST: i32 = 17;
/// Buckets of one histogram: more than any client keeps.
const MOST_BUCKETS: usize = 2000;

/// The layout of a schema.
struct Fixed {
    schema: i8,
    layout: NativeLayout,
    bounds: Arc<[f64]>,
}

static LAYOUTS: LazyLock<Vec<Fixed>> = LazyLock::new(|| {
    (COARSEST..=FINEST)
        .filter_map(|schema| {
            let layout = NativeLayout::between(schema, LOWEST, HIGHEST)?;
            Some(Fixed {
                schema,
                layout,
                bounds: layout.bounds().into(),
            })
        })
        .collect()
});

/// A native histogram in an answer.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub(super) struct Native {
    /// Which of its ends belong to it, its ends, and how many events lie in it; those without events are left out.
    #[serde(default)]
    buckets: Vec<(u8, String, String, String)>,
}

impl Native {
    /// Counters over the fixed layout; an error says why there are none.
    pub(super) fn counters(&self) -> Result<HistogramCounters, String> {
        let buckets = self.read()?;
        let schema = buckets.schema.min(FINEST);
        let Fixed { layout, bounds, .. } = LAYOUTS
            .iter()
            .find(|fixed| fixed.schema == schema)
            .ok_or_else(|| format!("the native histogram has the unknown schema {schema}"))?;
        let mut counters = vec![0.0; bounds.len() + 1];
        if !layout.fold(&buckets, &mut counters) {
            return Err(if buckets.zero_threshold > 1e-6 {
                format!(
                    "the native histogram counts everything up to {} as zero: lower the zero threshold of the service",
                    buckets.zero_threshold
                )
            } else {
                "the native histogram has a bucket with less than no events".to_owned()
            });
        }
        let mut below = 0.0;
        for counter in &mut counters {
            below += *counter;
            *counter = below;
        }
        Ok(HistogramCounters {
            bounds: Arc::clone(bounds),
            counters,
        })
    }

    fn read(&self) -> Result<NativeBuckets, String> {
        if self.buckets.len() > MOST_BUCKETS {
            return Err(format!(
                "the native histogram has {} buckets: more than {MOST_BUCKETS} are not read",
                self.buckets.len()
            ));
        }
        let mut above: Vec<(f64, f64, f64)> = Vec::with_capacity(self.buckets.len());
        let mut read = NativeBuckets {
            // Of one that holds nothing above zero: as fine as any.
            schema: FINEST,
            zero_count: 0.0,
            zero_threshold: 0.0,
            positive: Vec::new(),
            negative: 0.0,
        };
        for (_, left, right, count) in &self.buckets {
            let number = |text: &str| {
                text.parse::<f64>().map_err(|_| {
                    format!("a bucket of the native histogram has {text:?}, which is no number")
                })
            };
            let (left, right, count) = (number(left)?, number(right)?, number(count)?);
            if left > 0.0 && right > left {
                above.push((left, right, count));
            } else if left <= 0.0 && right >= 0.0 && left.is_finite() {
                read.zero_count += count;
                read.zero_threshold = read.zero_threshold.max(right);
            } else if right < 0.0 {
                read.negative += count;
            } else {
                return Err(CUSTOM.to_owned());
            }
        }
        let finite = above.iter().find(|(_, right, _)| right.is_finite());
        if let Some((left, right, _)) = finite {
            read.schema = schema_of(*left, *right).ok_or(CUSTOM)?;
        }
        let per_doubling = f64::from(read.schema).exp2();
        for (left, right, count) in above {
            // The last bucket of all ends at infinity.
            let index = left.log2() * per_doubling + 1.0;
            let fits = schema_of(left, right) == Some(read.schema) || right.is_infinite();
            if !fits || (index - index.round()).abs() > 1e-3 {
                return Err(CUSTOM.to_owned());
            }
            #[expect(
                clippy::cast_possible_truncation,
                reason = "at most 1074 doublings of 256 buckets each"
            )]
            read.positive.push((index.round() as i32, count));
        }
        Ok(read)
    }
}

const CUSTOM: &str = "the native histogram has buckets of its own (schema -53), of which an answer does not show the \
    empty ones: set `always_scrape_classic_histograms: true` in Prometheus, and leave \
    `convert_classic_histograms_to_nhcb` out";

/// The schema whose buckets are as wide as this one; `None`: none is.
fn schema_of(left: f64, right: f64) -> Option<i8> {
    let doublings = right.log2() - left.log2();
    (COARSEST..=8).find(|schema| {
        let width = (-f64::from(*schema)).exp2();
        (doublings / width - 1.0).abs() < 1e-3
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn native(buckets: &[(u8, f64, f64, f64)]) -> Native {
        let text = |value: &f64| value.to_string();
        Native {
            buckets: buckets
                .iter()
                .map(|(ends, left, right, count)| (*ends, text(left), text(right), text(count)))
                .collect(),
        }
    }

    /// Bucket `index` of a schema with so many events.
    fn bucket(schema: i8, index: i32, count: f64) -> (u8, f64, f64, f64) {
        let bound = |index: i32| (f64::from(index) * (-f64::from(schema)).exp2()).exp2();
        (0, bound(index - 1), bound(index), count)
    }

    fn up_to(counters: &HistogramCounters, bound: f64) -> f64 {
        let place = counters
            .bounds
            .iter()
            .position(|it| *it >= bound * (1.0 - 1e-12));
        counters.counters[place.expect("a bound")]
    }

    #[test]
    fn buckets_of_every_schema_keep_their_events() {
        for schema in -4..=8 {
            // Two doublings around 1 in each: (0.25, 1] and (1, 4].
            let far = if schema < 0 { 1 } else { 2 << schema };
            let buckets: Vec<_> = (1 - far..=far)
                .map(|index| bucket(schema, index, 3.0))
                .collect();
            let counters = native(&buckets).counters().expect("can be read");
            let half = 3.0 * f64::from(far);
            assert!((up_to(&counters, 1.0) - half).abs() < 1e-9, "{schema}");
            let all = counters.counters.last().expect("one");
            assert!((all - 2.0 * half).abs() < 1e-9, "{schema}");
        }
    }

    #[test]
    fn halving_the_resolution_changes_neither_bounds_nor_counts() {
        let fine = native(&[bucket(3, -3, 4.0), bucket(3, -2, 5.0), bucket(3, 9, 2.0)]);
        let coarse = native(&[bucket(2, -1, 9.0), bucket(2, 5, 2.0)]);
        assert_eq!(fine.counters(), coarse.counters());
        let empty = native(&[]).counters().expect("can be read");
        assert_eq!(empty.bounds, fine.counters().expect("can be read").bounds);
        assert!(empty.counters.iter().all(|counter| *counter == 0.0));
    }

    #[test]
    fn what_lies_outside_goes_to_the_ends() {
        let read = native(&[
            (3, -0.000_000_1, 0.000_000_1, 2.0),
            (1, -4.0, -2.0, 3.0),
            bucket(3, -400, 5.0),
            bucket(3, 400, 7.0),
        ]);
        let counters = read.counters().expect("can be read");
        assert!((counters.counters[0] - 10.0).abs() < 1e-9);
        assert!((up_to(&counters, 131_072.0) - 10.0).abs() < 1e-9);
        assert!((counters.counters.last().expect("one") - 17.0).abs() < 1e-9);
    }

    #[test]
    fn what_cannot_be_counted_says_why() {
        for (buckets, reason) in [
            (vec![(0, 0.1, 0.25, 4.0)], "schema -53"),
            (vec![(0, f64::NEG_INFINITY, 0.1, 4.0)], "schema -53"),
            (vec![bucket(3, 1, 4.0), bucket(2, 5, 4.0)], "schema -53"),
            (vec![bucket(3, 1, -4.0)], "less than no events"),
            (vec![(3, -0.5, 0.5, 4.0)], "zero threshold"),
            (vec![bucket(3, 1, 1.0); 2001], "2001 buckets"),
        ] {
            let said = native(&buckets).counters().expect_err(reason);
            assert!(said.contains(reason), "{said}");
        }
        let words = Native {
            buckets: vec![(0, "a".into(), "1".into(), "1".into())],
        };
        assert!(words.counters().expect_err("no number").contains("\"a\""));
    }
}
