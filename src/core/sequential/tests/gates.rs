//! A limit beside a baseline (judge.md 14.15, 14.16).

use proptest::prelude::*;

use super::arbitrary::{anything, beside, compare, settings, ticks};
use crate::sequential::{RatioLimitBeside, Settings};

fn run(rule: &mut RatioLimitBeside, tick: (f64, f64, f64, f64)) {
    rule.update(tick.0, tick.1, tick.2, tick.3);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn a_closed_gate_holds_the_limit_back(
        ticks in ticks(),
        times in prop::sample::select(vec![1.0, 100.0]),
        alpha in prop::sample::select(vec![0.05, 0.01, 1e-4]),
    ) {
        let settings = Settings { alpha, ..settings() };
        let mut rule = beside(settings);
        for (n_c, e_c, n_b, e_b) in ticks {
            let before = rule.shown();
            let judged = rule.compare().judged();
            run(&mut rule, (n_c * times, e_c * times, n_b * times, e_b * times));
            let shown = rule.shown();
            let reading = rule.reading();
            prop_assert!(reading.log_bad <= shown.log_bad_limit);
            prop_assert!(shown.open || reading.log_bad < settings.bad_level());
            let (low, high) = (
                shown.log_good_limit.min(shown.log_good_beside),
                shown.log_good_limit.max(shown.log_good_beside),
            );
            prop_assert!((low - 1e-9..=high + 1e-9).contains(&reading.log_good));
            let opened = shown.open && !before.open;
            prop_assert!(!opened || rule.compare().judged() > judged, "by a tick with nothing to judge");
            prop_assert!(shown.open || !before.open, "it stays open");
        }
    }

    #[test]
    fn the_comparison_inside_is_that_of_one_alone(ticks in ticks(), odd in anything()) {
        let mut rule = beside(settings());
        let mut alone = compare(settings());
        for (index, (n_c, e_c, n_b, e_b)) in ticks.into_iter().enumerate() {
            // Now and then something odd: unusable ticks are empty for both.
            let e_b = if index % 5 == 4 { odd } else { e_b };
            run(&mut rule, (n_c, e_c, n_b, e_b));
            alone.update(n_c, e_c, n_b, e_b);
            prop_assert_eq!(rule.compare(), &alone);
        }
    }
}

#[test]
fn both_arms_bad_is_no_fault_of_the_canary() {
    let mut rule = beside(settings());
    for _ in 0..100 {
        run(&mut rule, (100.0, 30.0, 100.0, 30.0));
    }
    let shown = rule.shown();
    assert!(!shown.open && rule.baseline_also_bad(), "{shown:?}");
    assert!(shown.log_bad_limit > settings().bad_level());
    assert!(rule.reading().log_bad < 0.0);
    for _ in 0..100 {
        run(&mut rule, (100.0, 100.0, 100.0, 100.0));
    }
    assert!(!rule.shown().open, "all of it bad in both arms");
}
