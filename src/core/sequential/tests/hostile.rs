//! Broken input says what happens: no panic, no nonsense. Time that goes backwards is seen by the engine, and by gauges.

use std::sync::Arc;

use proptest::prelude::*;

use super::arbitrary::{anything, beside, compare, limit, settings};
use crate::sequential::{
    GaugeCompare, GaugeLimit, JudgeRule, Measured, QuantileCompare, QuantileLimit,
    QuantileLimitBeside, QuantileTolerance, RatioLimit, Settings, Span,
};

fn bounds() -> Arc<[f64]> {
    Arc::from([0.1, 0.5, 1.0])
}

/// One of each kind.
fn rules() -> Vec<JudgeRule> {
    let tolerance = QuantileTolerance::default;
    vec![
        JudgeRule::RatioLimit(limit(settings())),
        JudgeRule::RatioCompare(compare(settings())),
        JudgeRule::RatioLimitBeside(beside(settings())),
        JudgeRule::QuantileLimit(
            QuantileLimit::new(0.95, 0.3, bounds(), settings()).expect("good parameters"),
        ),
        JudgeRule::QuantileCompare(
            QuantileCompare::new(0.95, bounds(), &tolerance(), settings())
                .expect("good parameters"),
        ),
        JudgeRule::QuantileLimitBeside(
            QuantileLimitBeside::new(0.95, 0.3, bounds(), tolerance(), settings())
                .expect("good parameters"),
        ),
        JudgeRule::GaugeLimit(GaugeLimit::new(10.0, 60.0, None).expect("good parameters")),
        JudgeRule::GaugeCompare(GaugeCompare::new(1.0, 0.0, 4, 240, 200).expect("good parameters")),
    ]
}

/// Numbers as every kind of tick.
fn feed(rule: &mut JudgeRule, numbers: &[f64; 8], length: usize) {
    let [a, b, c, d, ..] = *numbers;
    let (front, back) = numbers.split_at(4);
    let shorter = back.get(..length).unwrap_or(back);
    for measured in [
        Measured::Counts { n: a, e: b },
        Measured::BothCounts {
            n_c: a,
            e_c: b,
            n_b: c,
            e_b: d,
        },
        Measured::Histogram(front),
        Measured::BothHistograms(front, shorter),
        Measured::Value { at: a, value: b },
        Measured::BothValues {
            canary: a,
            baseline: b,
        },
    ] {
        rule.update(measured);
        rule.warm(measured);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn whatever_arrives_evidence_stays_finite_and_can_be_shown_and_saved(
        ticks in prop::collection::vec((prop::array::uniform8(anything()), 0_usize..6), 1..25),
    ) {
        for mut rule in rules() {
            for (numbers, length) in &ticks {
                feed(&mut rule, numbers, *length);
                let reading = rule.reading();
                prop_assert!(reading.log_bad.is_finite() && reading.log_good.is_finite(), "{:?}", rule);
            }
            let text = serde_json::to_string(&rule).expect("it is written");
            let read: JudgeRule = serde_json::from_str(&text).expect("it is read");
            prop_assert_eq!(&read, &rule);
            let shown = serde_json::to_string(&rule.shown()).expect("it is shown");
            prop_assert!(!shown.contains("\"log_bad\":null"), "{}", shown);
            if let Some(doubt) = rule.doubt(3.0) {
                prop_assert!(!doubt.to_string().is_empty());
            }
        }
    }
}

#[test]
fn a_broken_number_makes_the_tick_empty() {
    let mut rule = beside(settings());
    (0..20).for_each(|_| rule.update(50.0, 1.0, 50.0, 1.0));
    let before = rule.clone();
    for broken in [f64::NAN, f64::INFINITY, -1.0, 1e101] {
        rule.update(broken, 0.0, 50.0, 0.0);
        rule.update(50.0, broken, 50.0, 0.0);
        rule.update(50.0, 0.0, broken, 0.0);
        rule.update(50.0, 0.0, 50.0, broken);
    }
    assert_eq!(rule, before);
}

#[test]
fn fractions_of_counts_are_counts() {
    let mut whole = limit(Settings {
        learn: false,
        ..settings()
    });
    let mut parts = whole.clone();
    whole.update(1.0, 1.0);
    (0..4).for_each(|_| parts.update(0.25, 0.25));
    assert!((whole.shown().n - parts.shown().n).abs() < 1e-12);
    assert!(parts.log_bad() > 0.0 && parts.log_bad().is_finite());
    let mut tiny = limit(settings());
    (0..100).for_each(|_| tiny.update(1e-320, 1e-320));
    assert!(tiny.log_bad().abs() < 1e-9 && tiny.shown().low.abs() < 1e-9);
}

#[test]
fn two_to_the_sixtieth_a_tick_is_judged_as_any_other_count() {
    let many = 1_152_921_504_606_846_976.0;
    let mut good = limit(settings());
    let mut bad = limit(settings());
    for _ in 0..30 {
        good.update(many, 0.001 * many);
        bad.update(many, 0.03 * many);
    }
    assert!(
        good.log_good() > settings().good_level(),
        "{}",
        good.log_good()
    );
    assert!(bad.log_bad() > settings().bad_level(), "{}", bad.log_bad());
    let shown = bad.shown();
    assert!(
        shown.low < 0.03 && 0.03 < shown.high && shown.high - shown.low < 1e-6,
        "{shown:?}"
    );
    let mut same = beside(settings());
    (0..200).for_each(|_| same.update(many, 0.03 * many, many, 0.03 * many));
    assert!(!same.shown().open && same.reading().log_bad < 0.0);
}

#[test]
fn buckets_that_change_are_ticks_without_traffic() {
    let mut rule = QuantileLimitBeside::new(
        0.95,
        0.5,
        bounds(),
        QuantileTolerance::default(),
        settings(),
    )
    .expect("good parameters");
    (0..30).for_each(|_| rule.update(&[90.0, 8.0, 2.0, 0.0], &[90.0, 8.0, 2.0, 0.0]));
    let before = rule.clone();
    rule.update(&[0.0, 100.0, 0.0], &[90.0, 8.0, 2.0, 0.0]);
    rule.update(&[0.0, 0.0, 0.0, 100.0], &[]);
    rule.update(&[0.0, 0.0, 0.0, 0.0, 100.0], &[0.0; 5]);
    rule.update(&[0.0, 0.0, f64::NAN, 100.0], &[90.0, 8.0, 2.0, 0.0]);
    assert_eq!(rule, before);
}

#[test]
fn a_baseline_that_vanishes_and_comes_back_is_met_with_the_same_moment_only() {
    let mut rule = beside(settings());
    (0..50).for_each(|_| rule.update(100.0, 0.0, 100.0, 0.0));
    let judged = rule.compare().judged();
    // It is gone for 400 ticks, in which everything errs.
    (0..400).for_each(|_| rule.update(100.0, 50.0, 0.0, 0.0));
    assert_eq!(rule.compare().judged(), judged, "nothing to compare with");
    assert!(!rule.shown().open, "the limit waits for the comparison");
    // It is back, and as bad: the old counts that waited are not held against the canary.
    (0..50).for_each(|_| rule.update(100.0, 50.0, 100.0, 50.0));
    assert_eq!(rule.compare().judged(), judged + 50);
    assert!(!rule.shown().open && rule.reading().log_bad < settings().bad_level());
}

#[test]
fn gauges_ignore_samples_that_go_back_in_time() {
    let mut rule = GaugeLimit::new(10.0, 30.0, None).expect("good parameters");
    rule.update(100.0, 20.0);
    rule.update(120.0, 20.0);
    let before = rule.clone();
    for (at, value) in [
        (110.0, 1.0),
        (120.0, 1.0),
        (f64::NAN, 1.0),
        (f64::INFINITY, 1.0),
        (130.0, f64::NAN),
    ] {
        rule.update(at, value);
        assert_eq!(rule, before, "{at} {value}");
    }
    rule.update(130.0, 20.0);
    assert!(rule.reading().log_bad > 0.0, "above its limit for 30 s");
}

#[test]
fn a_million_ticks_leave_it_as_it_was() {
    let settings = Settings {
        span: Span::Release { horizon: 1_000_000 },
        ..settings()
    };
    let mut rule = RatioLimit::new(0.02, settings).expect("good parameters");
    let mut size = 0;
    for tick in 0..1_000_000_u32 {
        let bad = f64::from(u8::from(tick % 100 == 0));
        rule.update(20.0, bad);
        if tick == 1000 {
            size = serde_json::to_string(&rule).expect("it is written").len();
        }
    }
    assert!(rule.log_bad().is_finite() && rule.log_good() > settings.good_level());
    assert!(rule.log_bad() < settings.bad_level());
    let grown = serde_json::to_string(&rule).expect("it is written").len();
    assert!(
        grown < size + 400,
        "{size} bytes grew to {grown}: nothing grows with time"
    );
    // And then it still sees a fault.
    (0..30).for_each(|_| rule.update(20.0, 6.0));
    assert!(rule.log_bad() >= settings.bad_level(), "{}", rule.log_bad());
}

#[test]
fn rules_that_make_no_sense_are_refused() {
    for p0 in [0.0, 1.0, -0.1, 2.0, f64::NAN] {
        let error = RatioLimit::new(p0, settings()).expect_err("no share");
        assert!(error.to_string().contains("`p0` is"), "{error}");
    }
    for (name, settings) in [
        (
            "alpha",
            Settings {
                alpha: 0.9,
                ..settings()
            },
        ),
        (
            "beta",
            Settings {
                beta: f64::NAN,
                ..settings()
            },
        ),
        (
            "clump",
            Settings {
                clump: 0.0,
                ..settings()
            },
        ),
        (
            "confirm",
            Settings {
                confirm: Some(1),
                ..settings()
            },
        ),
        (
            "tick",
            Settings {
                tick: -1.0,
                ..settings()
            },
        ),
        (
            "horizon",
            Settings {
                span: Span::Release { horizon: 0 },
                ..settings()
            },
        ),
        (
            "ticks",
            Settings {
                span: Span::Endless { ticks: 0 },
                ..settings()
            },
        ),
    ] {
        let error = RatioLimit::new(0.01, settings).expect_err("no settings");
        assert!(error.to_string().contains(name), "{error}");
    }
}
