//! Analyses (judge.md 14.6, 14.11 to 14.14).

use proptest::prelude::*;

use super::arbitrary::{beside, settings, ticks};
use crate::sequential::{Analysis, Reading, State, Verdict, WhenUnclear};

fn reading() -> impl Strategy<Value = Reading> {
    (-20.0..12.0, -20.0..12.0).prop_map(|(bad, good)| Reading::test(bad, good))
}

fn analysis(weights: &[f64]) -> Analysis {
    Analysis::new(weights, 0.01, 0.05).expect("good parameters")
}

proptest! {
    #[test]
    fn fail_stays_and_passing_ends_only_in_fail(
        ticks in prop::collection::vec(prop::collection::vec(reading(), 3), 1..30),
        weights in prop::collection::vec(0.0..5.0, 3),
    ) {
        let mut analysis = analysis(&weights);
        let mut last = State::Undecided;
        for readings in &ticks {
            let state = analysis.judge(readings);
            let may = match last {
                State::Undecided => true,
                State::Passing => state != State::Undecided,
                State::Fail => state == State::Fail,
            };
            prop_assert!(may, "{state:?} after {last:?}");
            last = state;
        }
        let end = analysis.finish(WhenUnclear::Inconclusive);
        let expected = match last {
            State::Undecided => Verdict::Inconclusive,
            State::Passing => Verdict::Pass,
            State::Fail => Verdict::Fail,
        };
        prop_assert_eq!(end, expected);
        prop_assert_eq!(analysis.finish(WhenUnclear::Pass), end);
        let state = analysis.state();
        prop_assert_eq!(analysis.judge(&[Reading::test(99.0, 0.0); 3]), state, "the watch is over");
    }

    #[test]
    fn shares_sum_to_one_and_order_does_not_matter(
        rules in prop::collection::vec((reading(), 0.1..5.0), 1..8),
    ) {
        let split = |rules: &[(Reading, f64)]| -> (Vec<Reading>, Vec<f64>) {
            rules.iter().copied().unzip()
        };
        let (readings, weights) = split(&rules);
        let forward = analysis(&weights);
        let sum: f64 = forward.shares(&readings).sum();
        prop_assert!((sum - 1.0).abs() < 1e-9, "{sum}");
        let mut reversed = rules.clone();
        reversed.reverse();
        let (backward, weights) = split(&reversed);
        let other = analysis(&weights);
        prop_assert!((forward.log_bad(&readings) - other.log_bad(&backward)).abs() < 1e-9);
        prop_assert!((forward.score(&readings) - other.score(&backward)).abs() < 1e-9);
    }

    #[test]
    fn a_rule_in_two_halves_is_one_rule(a in reading(), b in reading(), weight in 0.1..5.0) {
        let whole = analysis(&[weight, 1.0]);
        let halves = analysis(&[weight / 2.0, weight / 2.0, 1.0]);
        prop_assert!((whole.log_bad(&[a, b]) - halves.log_bad(&[a, a, b])).abs() < 1e-9);
        let (mut one, mut two) = (whole, halves);
        prop_assert_eq!(one.judge(&[a, b]), two.judge(&[a, a, b]));
    }

    /// 14.11: of one or two equal user rules, here with `max` and `compare`, and of all weights alike.
    #[test]
    fn one_tick_never_fails_an_analysis_that_stood_at_nothing(
        first in ticks(), second in ticks(), times in prop::sample::select(vec![1.0, 1e4]),
    ) {
        let mut rules = [beside(settings()), beside(settings())];
        let mut analysis = analysis(&[1.0; 4]);
        for (one, two) in first.into_iter().zip(second) {
            let readings = |rules: &[crate::sequential::RatioLimitBeside; 2]| {
                let [a, b] = rules;
                [a.reading(), a.compare().reading(), b.reading(), b.compare().reading()]
            };
            let before = analysis.log_bad(&readings(&rules));
            for (rule, tick) in rules.iter_mut().zip([one, two]) {
                rule.update(tick.0 * times, tick.1 * times, tick.2 * times, tick.3 * times);
            }
            let was = analysis.state();
            let state = analysis.judge(&readings(&rules));
            prop_assert!(before > 0.0 || was == State::Fail || state != State::Fail);
        }
    }
}

#[test]
fn a_silent_rule_blocks_the_pass_and_an_advisory_one_decides_nothing() {
    let passes = Reading::test(-1.0, 9.0);
    let mut missing = analysis(&[1.0, 1.0]);
    assert_eq!(missing.judge(&[passes]), State::Undecided);
    let mut advisory = analysis(&[1.0, 0.0]);
    assert_eq!(
        advisory.judge(&[passes, Reading::test(50.0, 0.0)]),
        State::Passing
    );
    let mut nobody = analysis(&[0.0, 0.0]);
    assert_eq!(
        nobody.judge(&[Reading::test(50.0, 50.0); 2]),
        State::Undecided
    );
    assert_eq!(
        nobody.finish(WhenUnclear::Inconclusive),
        Verdict::Inconclusive
    );
}

#[test]
fn at_least_holds_passing_back_and_no_fail() {
    let passes = Reading::test(-1.0, 9.0);
    let mut held = analysis(&[1.0]).at_least(3);
    let states: Vec<State> = (0..3).map(|_| held.judge(&[passes])).collect();
    assert_eq!(states, [State::Undecided, State::Undecided, State::Passing]);
    let mut bad = analysis(&[1.0]).at_least(3);
    assert_eq!(bad.judge(&[Reading::test(5.0, 0.0)]), State::Fail);
}

#[test]
fn nonsense_is_refused() {
    for weights in [&[f64::NAN][..], &[-1.0], &[f64::INFINITY]] {
        assert!(Analysis::new(weights, 0.01, 0.05).is_err(), "{weights:?}");
    }
    for (alpha, beta) in [
        (0.0, 0.05),
        (0.01, 0.0),
        (f64::NAN, 0.05),
        (1.0, 0.05),
        (0.01, 1.0),
    ] {
        assert!(
            Analysis::new(&[1.0], alpha, beta).is_err(),
            "{alpha} {beta}"
        );
    }
}
