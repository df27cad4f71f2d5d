//! What holds for all samples.

use proptest::prelude::*;

use super::reading::same;
use crate::kayenta::ranks::{Ranked, Search};
use crate::kayenta::round::half_up;
use crate::kayenta::{Confidence, common_language, interval};

/// Samples with ties, with values far from each other, and with such as cannot be compared plainly.
fn sample() -> impl Strategy<Value = f64> {
    prop_oneof![
        8 => (-20_i32..20).prop_map(f64::from),
        8 => -1e3..1e3_f64,
        2 => -1e-4..1e-4_f64,
        1 => prop_oneof![Just(-0.0), Just(1e300), Just(-1e300), Just(f64::INFINITY), Just(f64::NEG_INFINITY)],
    ]
}

fn samples() -> impl Strategy<Value = Vec<f64>> {
    prop_oneof![
        3 => prop::collection::vec(prop_oneof![(-20_i32..20).prop_map(f64::from), -1e3..1e3_f64], 1..60),
        1 => prop::collection::vec(sample(), 1..60),
    ]
}

proptest! {
    /// The search may take short cuts; its values are those of the plain merge, to the last bit.
    #[test]
    fn searching_counts_as_merging_does(
        experiment in samples(),
        control in samples(),
        shifts in prop::collection::vec((-1e3..1e3_f64, any::<bool>()), 1..40),
    ) {
        let ranked = Ranked::new(&experiment, &control);
        let mut search = Search::new(&ranked).expect("both have samples");
        let (low, high) = search.ends();
        let ends = (ranked.statistic(low, 0.0), ranked.statistic(high, 0.0));
        match (search.at_ends(), ends) {
            (Ok(got), (Ok(low), Ok(high))) => {
                prop_assert!(same(got.0, low) && same(got.1, high), "{:?} {} {}", got, low, high);
            }
            (got, ends) => prop_assert!(got.is_err() && (ends.0.is_err() || ends.1.is_err())),
        }
        search.restart();
        for (shift, exact) in shifts {
            // Also shifts at which values of both sides meet.
            let shift = if exact { shift.round() } else { shift };
            let (got, expected) = (search.value(shift, 0.0), ranked.statistic(shift, 0.0));
            match (got, expected) {
                (Ok(got), Ok(expected)) => prop_assert!(same(got, expected), "{} {}", got, expected),
                (got, expected) => prop_assert_eq!(got, expected),
            }
        }
    }

    /// The order of samples says nothing.
    #[test]
    fn order_does_not_matter(mut experiment in samples(), mut control in samples()) {
        let first = interval(&experiment, &control, Confidence::Percent98);
        experiment.reverse();
        control.rotate_left(1);
        let second = interval(&experiment, &control, Confidence::Percent98);
        // NaN is not equal to itself, but is written the same.
        prop_assert_eq!(format!("{first:?}"), format!("{second:?}"));
    }

    /// The effect of one on the other and that of the other on the one add up to one.
    #[test]
    fn effects_are_symmetric(experiment in samples(), control in samples()) {
        let there = common_language(&experiment, &control);
        let back = common_language(&control, &experiment);
        prop_assert!((0.0..=1.0).contains(&there));
        prop_assert!((there + back - 1.0).abs() < 1e-12);
    }

    /// A rounded score is the nearest of two decimals, and rounding it again changes nothing.
    #[test]
    fn rounding_is_to_the_nearest(score in -300.0..300.0_f64) {
        let rounded = half_up(score).expect("it is finite");
        prop_assert!((rounded - score).abs() <= 0.005 + 1e-9);
        prop_assert!(same(half_up(rounded).expect("it is finite"), rounded));
    }
}

#[test]
fn rounding_goes_by_the_decimal_text() {
    for (score, expected) in [
        (33.333_333, 33.33),
        (1.005, 1.01), // In binary it is below.
        (0.125, 0.13),
        (99.995, 100.0),
        (99.994_999, 99.99),
        (-1.005, -1.01),
        (-0.001, 0.0),
        (1e21, 1e21),
        (5e-324, 0.0),
        (86.333_333_333_333_33, 86.33),
    ] {
        assert!(same(half_up(score).expect("finite"), expected), "{score}");
    }
    assert_eq!(half_up(f64::NAN), None);
    assert_eq!(half_up(f64::INFINITY), None);
}
