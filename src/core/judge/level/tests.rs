use std::time::Duration;

use serde::Deserialize;

use super::trend::line;
use super::*;
use crate::rule::{
    ArmsBy, Check, Judging, Level, LevelMetric, LevelUnit, Over, Rule, Sampled, Selector,
};

const PATIENCE: SignedDuration = SignedDuration::from_hours(1);

/// What the reference of judge.md gives for `GaugeLimit` and for trends.
#[derive(Deserialize)]
struct Vectors {
    limits: Vec<Limit>,
    trends: Vec<Points>,
}

#[derive(Deserialize)]
struct Limit {
    name: String,
    limit: f64,
    #[serde(rename = "for")]
    lasting: f64,
    samples: Vec<(i64, Option<f64>)>,
    held: Vec<bool>,
}

#[derive(Deserialize)]
struct Points {
    points: Vec<(f64, f64)>,
    limit: f64,
    slope: f64,
    reaches: Option<f64>,
}

fn vectors() -> Vectors {
    serde_json::from_str(include_str!("vectors.json")).expect("are vectors")
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_767_225_600 + second).expect("in range")
}

fn gauge(limit: LevelLimit) -> LevelCheck {
    let selector = Selector {
        metric: "queue".to_owned(),
        matchers: Vec::new(),
    };
    LevelCheck {
        metric: LevelMetric {
            sampled: Sampled::Level(Level::Gauge(selector)),
            over: Over::Max,
            unit: LevelUnit::Number,
        },
        limit,
        compare: None,
    }
}

fn rate(max: f64, per: u64) -> LevelCheck {
    let mut check = gauge(LevelLimit::Max(max));
    check.metric.sampled = Sampled::Rate {
        counter: Selector {
            metric: "errors_total".to_owned(),
            matchers: Vec::new(),
        },
        per: Duration::from_secs(per),
    };
    check
}

fn rule(check: LevelCheck, lasting: u64) -> Rule {
    Rule {
        name: "shop/queue".into(),
        arms: ArmsBy::Pod,
        lasting: Duration::from_secs(lasting),
        dry_run: false,
        judging: Judging::default(),
        check: Check::Level(check),
    }
}

fn one(second: i64, value: f64) -> LevelArms {
    LevelArms {
        canary: vec![Sample {
            at: at(second),
            value,
        }],
        ..LevelArms::default()
    }
}

#[test]
fn limits_hold_as_in_the_reference() {
    let limits = vectors().limits;
    assert!(limits.len() > 20);
    for Limit {
        name,
        limit,
        lasting,
        samples,
        held,
    } in limits
    {
        let check = gauge(LevelLimit::Max(limit));
        let lasting = Duration::from_secs_f64(lasting);
        let mut evidence = LevelEvidence::default();
        for ((second, value), held) in samples.iter().zip(held) {
            evidence.update(&check, lasting, &one(*second, value.unwrap_or(f64::NAN)));
            let seen = evidence.judge(&check, lasting, Phase::Alone, at(*second), PATIENCE);
            let fails = seen.state == State::Failing;
            assert_eq!(fails, held, "{name} at {second}");
        }
    }
}

#[test]
fn a_min_is_the_mirror_image_of_a_max() {
    for Limit {
        limit,
        lasting,
        samples,
        ..
    } in vectors().limits
    {
        let lasting = Duration::from_secs_f64(lasting);
        let (max, min) = (
            gauge(LevelLimit::Max(limit)),
            gauge(LevelLimit::Min(-limit)),
        );
        let (mut above, mut below) = (LevelEvidence::default(), LevelEvidence::default());
        for (second, value) in samples {
            let value = value.unwrap_or(f64::INFINITY);
            above.update(&max, lasting, &one(second, value));
            below.update(&min, lasting, &one(second, -value));
            let states = [(&mut above, &max), (&mut below, &min)].map(|(evidence, check)| {
                evidence
                    .judge(check, lasting, Phase::Alone, at(second), PATIENCE)
                    .state
            });
            assert_eq!(states[0], states[1]);
        }
    }
}

#[test]
fn trends_are_as_in_the_reference() {
    let near = |a: f64, b: f64| (a - b).abs() <= 1e-6 * b.abs().max(1.0);
    for Points {
        points,
        limit,
        slope,
        reaches,
    } in vectors().trends
    {
        let Some(line) = line(&points) else {
            assert!(points.len() < 2 && slope.abs() < 1e-12);
            continue;
        };
        assert!(near(line.slope, slope), "{} for {slope}", line.slope);
        let seconds = (limit - line.now) / line.slope;
        let found = if line.now >= limit {
            Some(0.0)
        } else {
            (line.slope > 0.0).then_some(seconds)
        };
        match (found, reaches) {
            (Some(found), Some(reaches)) => assert!(near(found, reaches), "{found} for {reaches}"),
            (found, reaches) => assert_eq!(found, reaches),
        }
    }
}

#[test]
fn a_steady_rise_is_told_and_noise_is_not() {
    let check = gauge(LevelLimit::Max(100.0));
    let rule = rule(check.clone(), 60);
    let said = |value: &dyn Fn(i64) -> f64| {
        let mut evidence = LevelEvidence::default();
        for step in 0..60 {
            evidence.update(&check, rule.lasting, &one(step * 15, value(step)));
        }
        let seen = evidence.judge(&check, rule.lasting, Phase::Alone, at(59 * 15), PATIENCE);
        seen.finding(&rule)
    };
    let rising = said(&|step| 20.0 + step as f64);
    let seconds = rising.reaches_limit_in.expect("it rises");
    assert!((seconds - 315.0).abs() < 1e-6, "{seconds}");
    assert_eq!(
        rising.sentence,
        "`shop/queue`: 79 now, the limit is 100; if it goes on like this it reaches it in 5 min 15 s"
    );
    // Up and down, a little more up.
    let noise = said(&|step| 50.0 + f64::from(i32::try_from(step * 7919 % 13).expect("small")));
    assert_eq!(noise.reaches_limit_in, None, "{}", noise.sentence);
    let falling = said(&|step| 90.0 - step as f64);
    assert_eq!(falling.reaches_limit_in, None);
    let slow = said(&|step| 20.0 + step as f64 * 0.01);
    assert_eq!(
        slow.reaches_limit_in, None,
        "too far ahead: {}",
        slow.sentence
    );
}

#[test]
fn what_was_so_before_the_release_is_not_its_doing() {
    let check = gauge(LevelLimit::Max(100.0));
    let lasting = Duration::from_secs(30);
    let mut evidence = LevelEvidence::new(true, false);
    let mut state = |second: i64, value: f64| {
        evidence.update(&check, lasting, &one(second, value));
        let seen = evidence.judge(&check, lasting, Phase::Alone, at(second), PATIENCE);
        seen.state
    };
    for second in [0, 15, 30, 45, 60] {
        assert_eq!(state(second, 120.0), State::BaselineAlsoBad);
    }
    assert_eq!(state(75, 90.0), State::Within);
    // It was well once: what comes now is new.
    assert_eq!(state(90, 120.0), State::Unsure);
    assert_eq!(state(120, 120.0), State::Failing);
}

#[test]
fn a_baseline_that_is_beyond_too_shares_the_fault_while_it_is_fresh() {
    let check = gauge(LevelLimit::Max(100.0));
    let lasting = Duration::from_secs(30);
    let rule = rule(check.clone(), 30);
    let patience = SignedDuration::from_secs(45);
    let mut evidence = LevelEvidence::default();
    let both = |second: i64, baseline: Option<f64>| LevelArms {
        canary: one(second, 120.0).canary,
        baseline: baseline
            .map(|value| Sample {
                at: at(second),
                value,
            })
            .into_iter()
            .collect(),
        means: (None, None),
    };
    for second in [0, 15, 30, 45] {
        evidence.update(&check, lasting, &both(second, Some(130.0)));
    }
    let seen = evidence.judge(&check, lasting, Phase::Beside, at(45), patience);
    assert_eq!(seen.state, State::BaselineAlsoBad);
    insta::assert_snapshot!(seen.sentence(&rule), @"`shop/queue`: 120 now, the limit is 100; the baseline beside it is at 130; the baseline is too, so it is not the release's doing");
    // It falls silent: it says nothing of the present.
    for second in [60, 75, 90] {
        evidence.update(&check, lasting, &both(second, None));
    }
    let seen = evidence.judge(&check, lasting, Phase::Beside, at(90), patience);
    assert_eq!(seen.state, State::Failing);
}

#[test]
fn rates_fail_at_once_and_are_called_good_later() {
    let check = rate(10.0, 300);
    let rule = rule(check.clone(), 0);
    let mut evidence = LevelEvidence::default();
    let mut look = |second: i64, events: f64| {
        evidence.count(
            &check,
            Duration::ZERO,
            RateArms {
                at: at(second),
                canary: Some(events),
                baseline: None,
                pods: (0, 0),
            },
        );
        let seen = evidence.judge(&check, Duration::ZERO, Phase::Alone, at(second), PATIENCE);
        (seen.state, seen.sentence(&rule))
    };
    let (state, sentence) = look(0, 1.0);
    assert_eq!(state, State::TooLittle, "{sentence}");
    assert_eq!(look(15, 0.0).0, State::TooLittle);
    let (state, sentence) = look(30, 2.0);
    assert_eq!(state, State::Within);
    insta::assert_snapshot!(sentence, @"`shop/queue`: 3 in the last 30 s, the limit is 10");
    let (state, sentence) = look(45, 8.0);
    assert_eq!(state, State::Failing);
    insta::assert_snapshot!(sentence, @"`shop/queue`: 11 in the last 45 s, the limit is 10");
    // The first has left by then.
    assert_eq!(look(300, 0.0).0, State::Within);
}

#[test]
fn evidence_survives_a_record() {
    let check = rate(10.0, 300);
    let mut evidence = LevelEvidence::default();
    for second in 0..200 {
        let tick = RateArms {
            at: at(second),
            canary: Some(0.1),
            baseline: Some(1.0),
            pods: (0, 0),
        };
        evidence.count(&check, Duration::ZERO, tick);
    }
    let text = serde_json::to_string(&evidence.compact()).expect("is JSON");
    assert!(text.len() < 20_000, "{} bytes", text.len());
    let mut read: LevelEvidence = serde_json::from_str(&text).expect("reads what it wrote");
    let seen = read.judge(&check, Duration::ZERO, Phase::Beside, at(199), PATIENCE);
    assert_eq!(seen.state, State::BaselineAlsoBad);
    let before = r#"{"canary":{"last":null,"run":null},"baseline":{"last":null,"run":null},"trend":[],"beyondBefore":false,"samples":0.0,"beyond":0.0}"#;
    let old: LevelEvidence = serde_json::from_str(before).expect("of a version before rates");
    assert_eq!(old, LevelEvidence::default());
}
