//! A tick allocates nothing (judge.md 13): every kind of rule, and the analysis over them.

use std::sync::Arc;

use allocation_counter::measure;

use super::arbitrary::{beside, compare, limit, settings};
use crate::sequential::{
    Analysis, EndlessLimit, GaugeCompare, GaugeLimit, QuantileCompare, QuantileLimit,
    QuantileLimitBeside, QuantileTolerance, Settings,
};

#[track_caller]
fn none(mut tick: impl FnMut(f64)) {
    // Both quiet ticks and an outage.
    let counted = measure(|| {
        for index in 0..200_u32 {
            tick(f64::from(index));
        }
    });
    assert_eq!(counted.count_total, 0, "{counted:?}");
}

#[test]
fn a_tick_allocates_nothing() {
    let bad = |tick: f64| if tick > 150.0 { 30.0 } else { 1.0 };
    let mut rule = limit(settings());
    none(|tick| rule.update(100.0, bad(tick)));
    let mut rule = compare(settings());
    none(|tick| rule.update(100.0, bad(tick), 50.0, 1.0));
    let mut rule = beside(settings());
    none(|tick| rule.update(100.0, bad(tick), 50.0, 1.0));
    let mut rule = beside(settings());
    none(|_| rule.warm(100.0, 1.0));
    let mut rule = EndlessLimit::new(0.01, Settings::default()).expect("good parameters");
    let mut changes = 0;
    none(|tick| changes += u32::from(rule.update(100.0, bad(tick)).is_some()));
    assert_eq!(changes, 1, "it fired");

    let bounds: Arc<[f64]> = Arc::from([0.1, 0.2, 0.5, 1.0, 2.0]);
    let of = |slow: f64| [90.0, 5.0, 3.0, slow, 0.0, 0.0];
    let tolerance = QuantileTolerance::default();
    let mut rule = QuantileLimit::new(0.95, 0.3, Arc::clone(&bounds), settings()).expect("good");
    none(|tick| rule.update(&of(bad(tick))));
    let mut rule =
        QuantileCompare::new(0.95, Arc::clone(&bounds), &tolerance, settings()).expect("good");
    none(|tick| rule.update(&of(bad(tick)), &of(1.0)));
    let mut rule =
        QuantileLimitBeside::new(0.95, 0.3, bounds, tolerance, settings()).expect("good");
    none(|tick| rule.update(&of(bad(tick)), if tick > 180.0 { &[] } else { &[1.0; 6] }));

    let mut rule = GaugeLimit::new(10.0, 60.0, None).expect("good parameters");
    none(|tick| rule.update(tick, bad(tick)));
    let mut rule = GaugeCompare::new(1.0, 0.0, 4, 240, 200).expect("good parameters");
    none(|tick| rule.update(bad(tick), 1.0));
}

#[test]
fn an_analysis_allocates_nothing() {
    let mut rules = [beside(settings()), beside(settings())];
    let mut analysis = Analysis::new(&[1.0; 4], 0.01, 0.05).expect("good parameters");
    none(|tick| {
        for rule in &mut rules {
            rule.update(100.0, tick / 20.0, 100.0, 1.0);
        }
        let [a, b] = &rules;
        let readings = [
            a.reading(),
            a.compare().reading(),
            b.reading(),
            b.compare().reading(),
        ];
        let state = analysis.judge(&readings);
        let shares: f64 = analysis.shares(&readings).sum();
        assert!(
            (shares - 1.0).abs() < 1e-9 && analysis.score(&readings) <= 100.0,
            "{state:?}"
        );
    });
}
