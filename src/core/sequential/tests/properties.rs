//! What holds for any ticks (judge.md 14): of one rule. Of gates and of analyses see the files beside.

use proptest::prelude::*;

use super::arbitrary::{Tick, beside, compare, limit, settings, tick, ticks, unlearned};
use crate::sequential::{RatioCompare, RatioLimit, Settings, Span};

fn run_limit(settings: Settings, ticks: &[Tick]) -> RatioLimit {
    let mut rule = limit(settings);
    for (n, e, _, _) in ticks {
        rule.update(*n, *e);
    }
    rule
}

fn run_compare(settings: Settings, ticks: &[Tick]) -> RatioCompare {
    let mut rule = compare(settings);
    for (n_c, e_c, n_b, e_b) in ticks {
        rule.update(*n_c, *e_c, *n_b, *e_b);
    }
    rule
}

/// So small an alpha that no tick of the counts drawn here is bounded by the lift.
fn unlifted() -> Settings {
    Settings {
        alpha: 1e-12,
        ..unlearned()
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    /// 14.1
    #[test]
    fn evidence_starts_at_one_and_stays_finite(ticks in ticks()) {
        prop_assert!(limit(settings()).log_bad() == 0.0);
        prop_assert!(compare(settings()).log_good() == 0.0);
        let (limit, compare) = (run_limit(settings(), &ticks), run_compare(settings(), &ticks));
        for log in [limit.log_bad(), limit.log_good(), compare.log_bad(), compare.log_good()] {
            prop_assert!(log.is_finite());
        }
    }

    /// 14.2
    #[test]
    fn an_empty_tick_changes_only_the_age_of_what_waits(
        ticks in ticks(),
        odd in prop::sample::select(vec![0.0, f64::NAN, -3.0, f64::INFINITY]),
    ) {
        let mut rule = run_limit(settings(), &ticks);
        let before = rule.clone();
        rule.update(odd, 0.0);
        if odd != 0.0 {
            rule.update(10.0, odd);
        }
        prop_assert_eq!(&rule, &before);

        let mut rule = run_compare(settings(), &ticks);
        let before = rule.clone();
        rule.update(odd, 0.0, if odd == 0.0 { 0.0 } else { 50.0 }, 0.0);
        // A tick with both arms drops what waits: then both are the same again.
        rule.update(10.0, 1.0, 10.0, 1.0);
        let mut same = before;
        same.update(10.0, 1.0, 10.0, 1.0);
        prop_assert_eq!(rule, same);
    }

    /// 14.3
    #[test]
    fn restored_evidence_goes_on_to_the_same_bits(
        first in ticks(),
        then in ticks(),
        warm in prop::collection::vec((0_u32..50, 0_u32..10), 0..20),
    ) {
        let mut rule = beside(settings());
        for (n, e) in warm {
            rule.warm(f64::from(n), f64::from(e));
        }
        let run = |rule: &mut crate::sequential::RatioLimitBeside, ticks: &[Tick]| {
            for (n_c, e_c, n_b, e_b) in ticks {
                rule.update(*n_c, *e_c, *n_b, *e_b);
            }
        };
        run(&mut rule, &first);
        let text = serde_json::to_string(&rule).expect("it is written");
        let mut restored = serde_json::from_str(&text).expect("it is read");
        prop_assert_eq!(&restored, &rule);
        run(&mut rule, &then);
        run(&mut restored, &then);
        prop_assert_eq!(
            serde_json::to_string(&restored).expect("it is written"),
            serde_json::to_string(&rule).expect("it is written")
        );
    }

    /// 14.5: only with `learn` off.
    #[test]
    fn more_bad_events_never_speak_for_the_canary(ticks in ticks(), at in any::<prop::sample::Index>()) {
        let at = at.index(ticks.len());
        let mut more = ticks.clone();
        let mut worse_baseline = ticks.clone();
        if let (Some(canary), Some(baseline)) = (more.get_mut(at), worse_baseline.get_mut(at)) {
            canary.1 = (canary.1 + 1.0).min(canary.0);
            baseline.3 = (baseline.3 + 1.0).min(baseline.2);
        }
        let settings = unlifted();
        let (a, b) = (run_limit(settings, &ticks), run_limit(settings, &more));
        prop_assert!(b.log_bad() >= a.log_bad() - 1e-9 && b.log_good() <= a.log_good() + 1e-9);
        let a = run_compare(settings, &ticks);
        let b = run_compare(settings, &more);
        prop_assert!(b.log_bad() >= a.log_bad() - 1e-9 && b.log_good() <= a.log_good() + 1e-9);
        let b = run_compare(settings, &worse_baseline);
        prop_assert!(b.log_bad() <= a.log_bad() + 1e-9 && b.log_good() >= a.log_good() - 1e-9);
    }

    /// 14.8
    #[test]
    fn counts_of_one_arm_wait_for_the_other_and_no_longer(
        n_c in 1_u32..50, n_b in 1_u32..50, between in 0_u64..8, wait in 0_u64..8,
    ) {
        let new = || {
            let tolerance = crate::sequential::Tolerance { wait: Some(wait), ..Default::default() };
            RatioCompare::new(tolerance, settings()).expect("good parameters")
        };
        let (n_c, n_b) = (f64::from(n_c), f64::from(n_b));
        let mut apart = new();
        apart.update(n_c, 1.0, 0.0, 0.0);
        (0..between).for_each(|_| apart.update(0.0, 0.0, 0.0, 0.0));
        apart.update(0.0, 0.0, n_b, 1.0);
        let mut at_once = new();
        at_once.update(n_c, 1.0, n_b, 1.0);
        if between < wait {
            prop_assert_eq!(&apart, &at_once);
        } else {
            prop_assert_eq!(apart.judged(), 0);
        }
        let mut waiting = new();
        waiting.update(n_c, n_c, 0.0, 0.0);
        waiting.update(n_c, 1.0, n_b, 1.0);
        prop_assert_eq!(&waiting, &at_once, "a tick with both arms stands alone");
    }

    /// 14.11
    #[test]
    fn fewer_than_confirm_ticks_never_fail(
        ticks in prop::collection::vec(tick(), 4),
        confirm in 2_u8..=5,
        alpha in prop::sample::select(vec![0.05, 0.01, 1e-4, 1e-9]),
    ) {
        let settings = Settings { alpha, confirm: Some(confirm), ..settings() };
        let (mut limit, mut compare, mut beside) = (limit(settings), compare(settings), beside(settings));
        for (n_c, e_c, n_b, e_b) in ticks.iter().take(usize::from(confirm) - 1) {
            // Much more of the same, too.
            let [n_c, e_c, n_b, e_b] = [n_c, e_c, n_b, e_b].map(|count| count * 1e6);
            limit.update(n_c, e_c);
            compare.update(n_c, e_c, n_b, e_b);
            beside.update(n_c, e_c, n_b, e_b);
            let level = settings.bad_level();
            prop_assert!(limit.log_bad() < level && compare.log_bad() < level);
            prop_assert!(beside.reading().log_bad < level);
        }
    }

    /// 14.11
    #[test]
    fn one_tick_never_decides(ticks in ticks(), last in tick(), times in prop::sample::select(vec![1.0, 1e3, 1e9])) {
        let last = (last.0 * times, last.1 * times, last.2 * times, last.3 * times);
        let mut limit = run_limit(settings(), &ticks);
        let mut compare = run_compare(settings(), &ticks);
        let before = [limit.reading(), compare.reading()];
        limit.update(last.0, last.1);
        compare.update(last.0, last.1, last.2, last.3);
        for (before, after) in before.into_iter().zip([limit.reading(), compare.reading()]) {
            prop_assert!(before.log_bad > 0.0 || after.log_bad < settings().bad_level());
            prop_assert!(before.log_good > 0.0 || after.log_good < settings().good_level());
        }
    }
}

/// 14.11, where it is nearest to breaking: little is known, so that all late starts have kept their weight.
#[test]
fn one_burst_after_little_traffic_does_not_decide() {
    for horizon in [200, 1800, 86_400] {
        let settings = Settings {
            span: Span::Release { horizon },
            ..settings()
        };
        let mut limit = RatioLimit::new(1e-6, settings).expect("good parameters");
        let mut compare = compare(settings);
        for _ in 0..horizon {
            limit.update(1.0, 0.0);
            compare.update(1e-3, 0.0, 1e-3, 0.0);
        }
        assert!(limit.log_bad() <= 0.0 && compare.log_bad() <= 0.0);
        limit.update(1e9, 1e9);
        compare.update(1e9, 1e9, 1e9, 0.0);
        let level = settings.bad_level();
        assert!(
            limit.log_bad() > 1.0 && limit.log_bad() < level,
            "{}",
            limit.log_bad()
        );
        assert!(
            compare.log_bad() > 1.0 && compare.log_bad() < level,
            "{}",
            compare.log_bad()
        );
    }
}
