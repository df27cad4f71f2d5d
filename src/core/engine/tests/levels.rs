//! Rules about values: what is taken back, what is held, and what nobody is to blame for.

use super::rules::{Setup, error_count, errors, gauge};
use super::target::{BAD, Behaviour, GOOD};
use super::world::{World, at};
use crate::analysis::Ending;
use crate::guard::Guard;
use crate::ids::TargetKind;
use crate::notice::NoticeKind;
use crate::observation::{LevelReading, Levels, Observation, SeriesKey};
use crate::record::Record;
use crate::rule::What;
use crate::verify::VerificationEnd;

/// A worker without requests, whose memory must not be above 100 for a minute.
fn worker() -> World {
    let mut world = World::settled(Setup::with(vec![gauge("memory", 100.0, 60)]));
    world.target().rate = 0;
    world
        .target()
        .values
        .insert("v1".to_owned(), |_, _| Some(50.0));
    world.run(30);
    world
}

fn held_by(world: &World, guard: Guard) -> bool {
    world.count(|record| matches!(record, Record::HoldBegan { hold, .. } if hold.guard == guard))
        > 0
}

#[test]
fn memory_that_grows_to_its_limit_is_taken_back() {
    let mut world = worker();
    let shipped = world.now;
    world
        .target()
        .values
        .insert("v2".to_owned(), |age, _| Some(50.0 + age as f64));
    world.ship("v2");
    world.run_until(200, |world| !world.commands.is_empty());
    // Above the limit from the 51st second of the first pod on, and then for a minute.
    let took = world.now - shipped;
    assert!(
        (111..=116).contains(&took),
        "{took} s\n{}",
        world.transcript()
    );
    world.run(60);
    assert_eq!(world.target().serving(), ["v1"], "{}", world.transcript());
    let gone = |record: &Record| {
        matches!(
            record,
            Record::VerificationEnded {
                end: VerificationEnd::Gone,
                ..
            }
        )
    };
    assert_eq!(world.count(gone), 1, "{}", world.transcript());
    insta::assert_snapshot!(world.read(NoticeKind::RollingBack));
}

#[test]
fn a_release_that_stays_within_its_limit_passes_without_a_request() {
    let mut world = worker();
    // For less than a minute at a time it is above.
    world.target().values.insert("v2".to_owned(), |_, now| {
        Some(if now % 60 < 45 { 120.0 } else { 80.0 })
    });
    world.ship("v2");
    world.run(400);
    assert_eq!(world.endings(), [Ending::Pass], "{}", world.transcript());
    let traffic = |record: &Record| matches!(record, Record::FirstTraffic { .. });
    assert_eq!(world.count(traffic), 1);
}

#[test]
fn a_queue_that_was_too_long_before_the_release_is_not_its_doing() {
    let mut world = World::settled(Setup::with(vec![gauge("queue_length", 100.0, 60)]));
    world.target().whole_value = Some(|_, _| Some(500.0));
    world.run(30);
    world.ship("v2");
    world.run(500);
    assert!(world.plans().is_empty(), "{}", world.transcript());
    assert!(
        held_by(&world, Guard::BaselineAlsoBad),
        "{}",
        world.transcript()
    );
    let endings = world.endings();
    assert!(
        matches!(endings.as_slice(), [Ending::Inconclusive { reason }] if reason.contains("before the release already")),
        "{endings:?}"
    );
}

#[test]
fn a_queue_that_grows_too_long_after_the_release_takes_it_back() {
    let mut world = World::settled(Setup::with(vec![gauge("queue_length", 100.0, 60)]));
    world.target().whole_value = Some(|_, now| Some(if now < 120 { 20.0 } else { 300.0 }));
    world.run(30);
    world.ship("v2");
    world.run_until(200, |world| !world.commands.is_empty());
    assert!((180..=184).contains(&world.now), "{}", world.transcript());
}

#[test]
fn a_queue_that_grew_before_the_canary_served_is_not_its_doing() {
    let mut world = World::settled(Setup::with(vec![gauge("queue_length", 100.0, 30)]));
    world.target().whole_value = Some(|_, now| Some(if now < 95 { 20.0 } else { 300.0 }));
    world.target().behave(
        "v2",
        Behaviour {
            ready: false,
            ..GOOD
        },
    );
    world.run(30);
    world.ship("v2");
    world.run(20);
    world.target().behave("v2", GOOD);
    world.run(120);
    assert!(world.plans().is_empty(), "{}", world.transcript());
    assert!(
        held_by(&world, Guard::BaselineAlsoBad),
        "{}",
        world.transcript()
    );
}

#[test]
fn what_runs_beside_it_and_is_no_better_holds_a_rollback() {
    let mut world = World::settled(Setup {
        kind: TargetKind::Rollout,
        ..Setup::with(vec![gauge("memory", 100.0, 30)])
    });
    world.target().values.insert("v1".to_owned(), |_, now| {
        Some(if now < 100 { 50.0 } else { 130.0 })
    });
    world.target().values.insert("v2".to_owned(), |_, now| {
        Some(if now < 100 { 50.0 } else { 140.0 })
    });
    world.ship("v2");
    world.run(120);
    assert!(world.plans().is_empty(), "{}", world.transcript());
    assert!(
        held_by(&world, Guard::BaselineAlsoBad),
        "{}",
        world.transcript()
    );
    // The old revision is well again, and the new one is not.
    world
        .target()
        .values
        .insert("v1".to_owned(), |_, _| Some(50.0));
    world.run_until(10, |world| !world.plans().is_empty());
}

#[test]
fn a_gauge_that_vanishes_is_told_and_nothing_is_done() {
    let mut world = worker();
    world
        .target()
        .values
        .insert("v2".to_owned(), |age, _| (age < 40).then_some(120.0));
    world.ship("v2");
    world.run(360);
    assert!(world.plans().is_empty(), "{}", world.transcript());
    assert!(held_by(&world, Guard::NoData), "{}", world.transcript());
    assert!(
        matches!(
            world.endings().as_slice(),
            [] | [Ending::Inconclusive { .. }]
        ),
        "{}",
        world.transcript()
    );
    world.run(400);
    assert!(
        matches!(world.endings().as_slice(), [Ending::Inconclusive { .. }]),
        "{}",
        world.transcript()
    );
}

#[test]
fn too_many_errors_in_a_minute_are_taken_back() {
    for seed in 1..=5 {
        let mut world = World::settled(Setup {
            seed,
            ..Setup::with(vec![error_count(10.0, 60)])
        });
        world.target().behave("v2", BAD);
        world.ship("v2");
        let took = world.run_until(30, |world| !world.commands.is_empty());
        assert!(took <= 12, "{took} s\n{}", world.transcript());
        world.run(120);
        assert_eq!(world.target().serving(), ["v1"], "{}", world.transcript());

        let mut good = World::settled(Setup {
            seed,
            ..Setup::with(vec![error_count(10.0, 60)])
        });
        good.ship("v2");
        good.run(400);
        assert_eq!(good.endings(), [Ending::Pass], "{}", good.transcript());
    }
}

#[test]
fn a_canary_that_never_serves_fails_by_its_values() {
    let restarts = gauge("restarts", 3.0, 0);
    let mut world = World::settled(Setup::with(vec![errors(0.05), restarts]));
    world
        .target()
        .values
        .insert("v1".to_owned(), |_, _| Some(0.0));
    world
        .target()
        .values
        .insert("v2".to_owned(), |age, _| Some((age / 10) as f64));
    world.target().behave(
        "v2",
        Behaviour {
            ready: false,
            ..GOOD
        },
    );
    world.ship("v2");
    let took = world.run_until(100, |world| !world.commands.is_empty());
    assert!(
        (40..=45).contains(&took),
        "{took} s\n{}",
        world.transcript()
    );
    let traffic = |record: &Record| matches!(record, Record::FirstTraffic { .. });
    assert_eq!(world.count(traffic), 0, "{}", world.transcript());
}

#[test]
fn values_alone_are_no_traffic_beside_a_rule_that_counts() {
    let mut world = World::settled(Setup::with(vec![errors(0.05), gauge("memory", 100.0, 60)]));
    world.target().rate = 0;
    world
        .target()
        .values
        .insert("v1".to_owned(), |_, _| Some(50.0));
    world
        .target()
        .values
        .insert("v2".to_owned(), |_, _| Some(50.0));
    world.ship("v2");
    world.run(400);
    let endings = world.endings();
    assert!(
        matches!(endings.as_slice(), [Ending::Inconclusive { reason }] if reason.contains("no traffic")),
        "{}",
        world.transcript()
    );
}

#[test]
fn samples_whose_clock_goes_back_decide_nothing() {
    let mut world = worker();
    world
        .target()
        .values
        .insert("v2".to_owned(), |_, _| Some(120.0));
    world.lie = Some(Box::new(|_, question, now| {
        let What::Level(_) = question.what else {
            return None;
        };
        // Each sample is older than the one before.
        (now > 100).then(|| {
            Observation::Levels(Levels {
                readings: vec![LevelReading {
                    key: SeriesKey::Whole,
                    at: at(200 - now),
                    value: 120.0,
                }],
                unusable: Vec::new(),
            })
        })
    }));
    world.ship("v2");
    world.run(300);
    assert!(world.plans().is_empty(), "{}", world.transcript());
    world.run(600);
    let endings = world.endings();
    assert!(
        matches!(endings.as_slice(), [Ending::Inconclusive { reason }] if reason.contains("went back")),
        "{endings:?}"
    );
}

#[test]
fn a_history_from_before_the_release_is_not_held_against_it() {
    let mut world = World::settled(Setup::with(vec![gauge("queue_length", 100.0, 60)]));
    // Every look shows the last ten minutes, as a range query does.
    world.lie = Some(Box::new(|_, _, now| {
        let readings = (now - 600..=now)
            .filter(|second| second % 15 == 0)
            .map(|second| LevelReading {
                key: SeriesKey::Whole,
                at: at(second),
                value: if second < 80 { 500.0 } else { 20.0 },
            })
            .collect();
        Some(Observation::Levels(Levels {
            readings,
            unusable: Vec::new(),
        }))
    }));
    world.run(40);
    world.ship("v2");
    world.run(400);
    assert!(world.plans().is_empty(), "{}", world.transcript());
    assert_eq!(world.endings(), [Ending::Pass], "{}", world.transcript());
}

#[test]
fn two_series_for_one_pod_are_named_and_decide_nothing() {
    const REASON: &str = "Prometheus: `memory` has 2 series where one is expected";
    let mut world = worker();
    world.lie = Some(Box::new(|_, _, _| {
        Some(Observation::Levels(Levels {
            readings: Vec::new(),
            unusable: vec![REASON.to_owned()],
        }))
    }));
    world.ship("v2");
    world.run(120);
    assert!(world.plans().is_empty(), "{}", world.transcript());
    let held: Vec<String> = world
        .records(|record| match record {
            Record::HoldBegan { hold, .. } => Some(hold.reason.clone()),
            _ => None,
        })
        .map(|(_, reason)| reason)
        .collect();
    assert!(
        held.iter().any(|reason| reason.contains(REASON)),
        "{held:?}"
    );
}

#[test]
fn a_restart_does_not_begin_the_wait_anew() {
    let mut world = World::settled(Setup::with(vec![gauge("memory", 100.0, 90)]));
    world
        .target()
        .values
        .insert("v2".to_owned(), |_, _| Some(120.0));
    world.ship("v2");
    let shipped = world.now;
    // A checkpoint is written once a minute.
    world.run(75);
    world.restart();
    world.run_until(100, |world| !world.commands.is_empty());
    let took = world.now - shipped;
    assert!(
        (91..=97).contains(&took),
        "{took} s\n{}",
        world.transcript()
    );
}

#[test]
fn where_a_value_is_heading_is_told_and_decides_nothing() {
    let mut world = worker();
    world
        .target()
        .values
        .insert("v2".to_owned(), |age, _| Some(20.0 + age as f64 * 0.25));
    world.ship("v2");
    world.run(100);
    let snapshot = world.engine.snapshot(at(world.now));
    let findings = snapshot
        .targets
        .first()
        .and_then(|target| target.analysis.as_ref())
        .map(|analysis| analysis.findings.clone())
        .unwrap_or_default();
    let finding = findings.first().expect("a finding");
    let seconds = finding.reaches_limit_in.expect("it is heading there");
    assert!(
        (150.0..400.0).contains(&seconds),
        "{seconds}: {}",
        finding.sentence
    );
    assert!(
        finding.sentence.contains("if it goes on like this"),
        "{}",
        finding.sentence
    );
    let json = serde_json::to_value(finding).expect("is JSON");
    assert!(json.get("reachesLimitIn").is_some(), "{json}");
    assert!(world.plans().is_empty());
}
