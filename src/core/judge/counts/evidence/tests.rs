use super::*;
use crate::judge::State;
use crate::measurement::RatioCounts;
use crate::rule::{ArmsBy, Check, Compare, Judging, Part, RatioMetric, Rule, Selector};

const PATIENCE: SignedDuration = SignedDuration::from_secs(30);

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_767_225_600 + seconds).expect("in range")
}

fn rule() -> CountsCheck {
    let selector = |metric: &str| Selector {
        metric: metric.to_owned(),
        matchers: Vec::new(),
    };
    CountsCheck {
        metric: Metric::Ratio(RatioMetric {
            part: selector("http_errors_total"),
            part_is: Part::Bad,
            total: selector("http_requests_total"),
            absent_is_zero: false,
        }),
        max: Some(0.05),
        min: None,
        compare: None,
        least: 20,
    }
}

fn named(check: CountsCheck) -> Rule {
    Rule {
        name: "http/errors".into(),
        arms: ArmsBy::Pod,
        lasting: std::time::Duration::ZERO,
        dry_run: false,
        judging: Judging::default(),
        check: Check::Counts(check),
    }
}

/// Events, and how many of them were bad.
type Arm = Option<(f64, f64)>;

fn tick(second: i64, canary: Arm, baseline: Arm) -> Arms {
    let counts = |(events, part)| Counts::Ratio(RatioCounts { events, part });
    Arms {
        at: at(second),
        canary: canary.map(counts),
        baseline: baseline.map(counts),
    }
}

fn state(evidence: &mut CountsEvidence, phase: Phase, second: i64) -> State {
    evidence.judge(&rule(), phase, at(second), PATIENCE).state
}

#[test]
fn counts_of_the_baseline_alone_are_kept_for_the_canarys_next_look() {
    let mut evidence = CountsEvidence::default();
    for second in 0..5 {
        // The canary has samples without events, and the baseline has events.
        evidence.update(&rule(), tick(second, Some((0.0, 0.0)), Some((100.0, 40.0))));
    }
    for second in 5..8 {
        evidence.update(&rule(), tick(second, Some((20.0, 8.0)), None));
    }
    let finding = evidence.judge(&rule(), Phase::Beside, at(8), PATIENCE);
    assert_eq!(finding.state, State::BaselineAlsoBad);
    assert_eq!(
        finding
            .baseline
            .map(|arm| crate::wording::count(arm.events)),
        Some("500".to_owned())
    );
}

#[test]
fn samples_without_events_are_data() {
    let mut evidence = CountsEvidence::default();
    assert_eq!(state(&mut evidence, Phase::Alone, 0), State::NoData);
    for second in 0..100 {
        evidence.update(&rule(), tick(second, Some((0.0, 0.0)), None));
    }
    assert_eq!(state(&mut evidence, Phase::Alone, 100), State::TooLittle);
    assert_eq!(evidence.last_data, None);
    assert_eq!(state(&mut evidence, Phase::Alone, 140), State::NoData);
}

#[test]
fn one_tick_is_suspected_and_the_second_decides() {
    let mut evidence = CountsEvidence::default();
    evidence.update(&rule(), tick(0, Some((100.0, 40.0)), None));
    assert_eq!(state(&mut evidence, Phase::Alone, 0), State::Suspected);
    evidence.update(&rule(), tick(1, Some((100.0, 0.0)), None));
    assert_eq!(
        state(&mut evidence, Phase::Alone, 1),
        State::Suspected,
        "the rest is clean"
    );
    evidence.update(&rule(), tick(2, Some((100.0, 40.0)), None));
    assert_eq!(state(&mut evidence, Phase::Alone, 2), State::Failing);
}

#[test]
fn the_window_holds_two_ticks_however_far_they_are_apart() {
    let mut evidence = CountsEvidence::default();
    for minute in 0..10 {
        evidence.update(&rule(), tick(60 * minute, Some((600.0, 180.0)), None));
    }
    assert_eq!(evidence.window.len(), CONFIRM);
    assert_eq!(state(&mut evidence, Phase::Alone, 540), State::Failing);
}

#[test]
fn the_window_is_bounded_whatever_the_rule_needs() {
    let mut evidence = CountsEvidence::default();
    let rule = CountsCheck {
        least: 1_000_000,
        ..rule()
    };
    for second in 0..5000 {
        evidence.update(&rule, tick(second, Some((10.0, 1.0)), None));
    }
    assert!(evidence.window.len() <= MOST_TICKS);
    let kept: f64 = evidence
        .window
        .iter()
        .filter_map(|tick| tick.canary.as_ref())
        .map(Counts::total)
        .sum();
    assert!((kept - 50_000.0).abs() < 0.5, "nothing is lost: {kept}");
    assert_eq!(evidence.compact().window.len(), RECORDED_TICKS);
}

#[test]
fn a_clock_that_is_set_back_does_not_keep_old_counts_for_ever() {
    let mut evidence = CountsEvidence::default();
    evidence.update(&rule(), tick(3600, Some((100.0, 100.0)), None));
    for second in 0..60 {
        evidence.update(&rule(), tick(second, Some((100.0, 0.0)), None));
    }
    assert_eq!(state(&mut evidence, Phase::Alone, 60), State::Within);
}

#[test]
fn a_shared_fault_is_not_carried_into_the_phase_alone() {
    let mut evidence = CountsEvidence::default();
    for second in 0..10 {
        evidence.update(
            &rule(),
            tick(second, Some((100.0, 30.0)), Some((100.0, 30.0))),
        );
    }
    assert_eq!(
        state(&mut evidence, Phase::Beside, 10),
        State::BaselineAlsoBad
    );
    evidence.stand_alone(&rule());
    assert_ne!(state(&mut evidence, Phase::Alone, 10), State::Failing);
}

#[test]
fn a_thin_baseline_does_not_let_the_limit_stand_alone() {
    let mut evidence = CountsEvidence::default();
    for second in 0..3 {
        evidence.update(&rule(), tick(second, Some((90.0, 27.0)), Some((1.0, 1.0))));
    }
    assert_eq!(
        state(&mut evidence, Phase::Beside, 3),
        State::BaselineAlsoBad
    );
}

#[test]
fn a_comparison_without_anything_to_compare_with_says_nothing() {
    let compare = CountsCheck {
        max: None,
        compare: Some(Compare {
            margin: 0.5,
            plus: 0.001,
        }),
        ..rule()
    };
    let mut evidence = CountsEvidence::new(None);
    for second in 0..60 {
        evidence.update(&compare, tick(second, Some((100.0, 0.0)), None));
    }
    let seen = evidence.judge(&compare, Phase::Alone, at(60), PATIENCE);
    let finding = seen.finding(&named(compare));
    assert_eq!(finding.state, State::TooLittle, "{}", finding.sentence);
    assert!(
        finding.sentence.contains("nothing to compare with"),
        "{}",
        finding.sentence
    );
}

/// Twenty requests a second, of which so many were bad; the state after each second.
fn seconds(bad: impl IntoIterator<Item = u32>) -> Vec<State> {
    let mut evidence = CountsEvidence::default();
    let ticks = (0..).zip(bad);
    ticks
        .map(|(second, bad)| {
            let canary = Some((20.0, f64::from(bad)));
            evidence.update(&rule(), tick(second, canary, None));
            state(&mut evidence, Phase::Alone, second)
        })
        .collect()
}

#[test]
fn good_minutes_do_not_hide_a_fault_that_begins_now() {
    let good = std::iter::repeat_n(0, 120);
    let states = seconds(good.chain([6; 5]));
    assert_eq!(states[119], State::Within);
    assert_eq!(states[124], State::Failing, "{:?}", &states[119..]);
}

#[test]
fn a_service_that_keeps_its_limit_in_bursts_is_left_alone() {
    // 4 % against a limit of 5 %: now and then the end of the window alone is 3 standard errors above.
    let burst = [[0; 18].as_slice(), &[3; 7]].concat();
    let states = seconds(burst.repeat(10));
    assert!(!states.contains(&State::Failing), "{states:?}");
}
