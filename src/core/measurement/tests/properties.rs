//! What must hold whatever the counters do and however they are polled.

use proptest::prelude::*;

use super::*;

/// One step of a process: what it counts, and whether it restarts first.
#[derive(Debug, Clone)]
struct Stretch {
    good: u32,
    bad: u32,
    restarts: bool,
    polled: bool,
}

fn stretches(restart: f64) -> impl Strategy<Value = Vec<Stretch>> {
    let stretch = (
        0u32..50,
        0u32..20,
        prop::bool::weighted(restart),
        any::<bool>(),
    )
        .prop_map(|(good, bad, restarts, polled)| Stretch {
            good,
            bad,
            restarts,
            polled,
        });
    prop::collection::vec(stretch, 1..40)
}

/// Whatever a counter may be read as.
fn any_value() -> impl Strategy<Value = f64> {
    prop_oneof![
        4 => (0u32..1000).prop_map(f64::from),
        1 => any::<f64>(),
        1 => Just(f64::NAN),
    ]
}

fn absent_at_zero(bad: f64) -> Option<f64> {
    (bad > 0.0).then_some(bad)
}

proptest! {
    #[test]
    fn the_sum_of_increases_is_what_happened_whatever_the_polling(list in stretches(0.0)) {
        let mut bench = Bench::new(&[("a", 1)]);
        bench.nothing(0);
        let (mut total, mut bad, mut events, mut part) = (0.0, 0.0, 0.0, 0.0);
        let last = list.len() - 1;
        for (index, stretch) in list.iter().enumerate() {
            bad += f64::from(stretch.bad);
            total += f64::from(stretch.bad) + f64::from(stretch.good);
            if stretch.polled || index == last {
                let now = i64::try_from(index).expect("is small") + 2;
                let look = bench.look(now, vec![ratio("a", now, absent_at_zero(bad), total)]);
                let (more, of_these) = counted(&look, "a").expect("the sample is new");
                events += more;
                part += of_these;
            }
        }
        prop_assert_eq!((events, part), (total, bad));
    }

    #[test]
    fn restarts_never_make_counts_that_did_not_happen(list in stretches(0.2)) {
        let mut bench = Bench::new(&[("a", 1)]);
        bench.nothing(0);
        let (mut total, mut bad, mut all, mut all_bad) = (0.0, 0.0, 0.0, 0.0);
        let (mut events, mut part) = (0.0, 0.0);
        for (index, stretch) in list.iter().enumerate() {
            if stretch.restarts {
                (total, bad) = (0.0, 0.0);
            }
            bad += f64::from(stretch.bad);
            total += f64::from(stretch.bad) + f64::from(stretch.good);
            all_bad += f64::from(stretch.bad);
            all += f64::from(stretch.bad) + f64::from(stretch.good);
            if stretch.polled {
                let now = i64::try_from(index).expect("is small") + 2;
                let look = bench.look(now, vec![ratio("a", now, absent_at_zero(bad), total)]);
                if let Some((more, of_these)) = counted(&look, "a") {
                    prop_assert!(more >= 0.0 && of_these >= 0.0 && of_these <= more);
                    events += more;
                    part += of_these;
                }
            }
        }
        prop_assert!(events <= all && part <= all_bad);
    }

    #[test]
    fn the_order_of_the_series_does_not_matter(
        values in prop::collection::vec((0u32..50, 0u32..50), 1..12),
        seed in any::<u64>(),
    ) {
        let names: Vec<String> = (0..values.len()).map(|index| format!("pod-{index}")).collect();
        let known: Vec<(&str, i64)> = names.iter().map(|name| (name.as_str(), -60)).collect();
        let mut forward = Bench::new(&known);
        let mut shuffled = Bench::new(&known);
        for (tick, growth) in [(0i64, 1.0), (5, 2.0), (10, 3.0)] {
            let mut series: Vec<SeriesReading> = names
                .iter()
                .zip(&values)
                .map(|(name, (bad, good))| {
                    let (bad, good) = (f64::from(*bad) * growth, f64::from(*good) * growth);
                    ratio(name, tick, absent_at_zero(bad), bad + good)
                })
                .collect();
            let first = forward.look(tick, series.clone());
            let places = series.len();
            series.rotate_left(usize::try_from(seed % 7).expect("is small") % places);
            series.reverse();
            let second = shuffled.look(tick, series);
            prop_assert_eq!(first.series, second.series);
        }
        prop_assert_eq!(forward.measurement, shuffled.measurement);
    }

    #[test]
    fn no_sample_whatever_it_holds_panics_or_counts_less_than_nothing(
        samples in prop::collection::vec(
            (any_value(), prop::option::of(any_value()), -100i64..100, any::<bool>()),
            1..30,
        ),
    ) {
        let mut bench = Bench::new(&[("a", 1)]);
        bench.nothing(0);
        for (index, (total, part, time, shape)) in samples.into_iter().enumerate() {
            let value = Cumulative::Ratio { part, total: Some(total), part_shape: shape };
            let now = i64::try_from(index).expect("is small");
            let look = bench.look(now, vec![series(key("a"), time, value)]);
            if let Some((events, part)) = counted(&look, "a") {
                prop_assert!(events >= 0.0 && part >= 0.0 && part <= events);
            }
        }
    }

    #[test]
    fn no_histogram_whatever_it_holds_panics_or_counts_less_than_nothing(
        samples in prop::collection::vec(
            (prop::collection::vec(any_value(), 0..4), prop::collection::vec(any_value(), 0..5)),
            1..20,
        ),
        limit in any::<f64>(),
        q in any::<f64>(),
    ) {
        let mut bench = Bench::new(&[("a", 1)]);
        bench.nothing(0);
        for (index, (mut bounds, counters)) in samples.into_iter().enumerate() {
            bounds.sort_by(f64::total_cmp);
            let now = i64::try_from(index).expect("is small") + 2;
            let look = bench.look(now, vec![histogram("a", now, &bounds, &counters)]);
            for increase in look.series.values() {
                let Counts::Histogram(histogram) = &increase.counts else { continue };
                prop_assert!(histogram.counts.iter().all(|count| *count >= 0.0));
                prop_assert!(histogram.surely_above(limit) <= histogram.total());
                prop_assert!(histogram.quantile(q).is_none_or(f64::is_finite));
            }
        }
    }

    #[test]
    fn what_is_surely_above_is_possibly_above(
        counts in prop::collection::vec(0u32..100, 4),
        limit in 0.0f64..3.0,
    ) {
        let histogram = HistogramCounts {
            bounds: [0.1, 0.5, 2.0].into(),
            counts: counts.into_iter().map(f64::from).collect(),
        };
        prop_assert!(histogram.surely_above(limit) <= histogram.possibly_above(limit));
        prop_assert!(histogram.possibly_above(limit) <= histogram.total());
    }
}
