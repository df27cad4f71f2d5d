//! Sources that fail: nothing is rolled back, people are told once, and work resumes by itself (P7, P8).

use super::rules::{Setup, errors, latency};
use super::target::{BAD, Behaviour, GOOD};
use super::world::{World, at};
use crate::analysis::Ending;
use crate::guard::Guard;
use crate::notice::NoticeKind;
use crate::observation::{
    Cause, Cumulative, HistogramCounters, Observation, Reading, SeriesKey, SeriesReading,
};
use crate::record::Record;
use crate::rule::What;

fn unavailable(cause: Cause, reason: &str) -> Observation {
    Observation::Unavailable {
        cause,
        reason: reason.to_owned(),
    }
}

fn ways_to_fail() -> Vec<Observation> {
    vec![
        unavailable(Cause::Down, "connection refused"),
        unavailable(Cause::Partial, "the answer is partial: a store is missing"),
        unavailable(Cause::Malformed, "two series where one is expected"),
        unavailable(Cause::Clock, "its clock differs by 45 s"),
    ]
}

#[test]
fn a_failing_source_is_told_once_and_work_resumes_by_itself() {
    for failure in ways_to_fail() {
        let mut world = World::settled(Setup::default());
        world.target().behave("v2", BAD);
        let answer = failure.clone();
        world.lie = Some(Box::new(move |_, _, _| Some(answer.clone())));
        world.ship("v2");
        world.run(120);
        assert!(world.plans().is_empty(), "{}", world.transcript());
        assert_eq!(
            world.kinds(),
            [NoticeKind::SourceUnavailable],
            "{}",
            world.transcript()
        );
        assert_eq!(
            world.count(|record| matches!(record, Record::HoldBegan { hold, .. }
                if hold.guard == Guard::SourceUnavailable)),
            1,
            "the hold is in the journal: {}",
            world.transcript()
        );
        let shown = |world: &World| world.engine.snapshot(at(world.now)).targets.remove(0);
        assert!(shown(&world).blind.is_some(), "readers see it");
        world.lie = None;
        world.run_until(20, |world| !world.commands.is_empty());
        world.run(60);
        let mut kinds = world.kinds();
        kinds.sort_unstable();
        assert_eq!(
            kinds,
            [
                NoticeKind::RollingBack,
                NoticeKind::Restored,
                NoticeKind::SourceUnavailable,
                NoticeKind::SourceRecovered
            ],
            "{}",
            world.transcript()
        );
        let shown = shown(&world);
        assert_eq!((shown.blind, shown.failed), (None, Some("v2".into())));
    }
}

#[test]
fn a_source_that_fails_for_a_moment_is_no_news() {
    let mut world = World::settled(Setup::default());
    world.lie = Some(Box::new(|_, _, now| {
        (now % 20 < 3).then(|| unavailable(Cause::Down, "connection refused"))
    }));
    world.ship("v2");
    world.run(200);
    assert!(world.notices.is_empty(), "{}", world.transcript());
}

#[test]
fn a_source_that_flaps_is_told_once() {
    let mut world = World::settled(Setup::default());
    world.lie = Some(Box::new(|_, _, now| {
        (now % 14 < 8).then(|| unavailable(Cause::Down, "connection refused"))
    }));
    world.ship("v2");
    world.run(200);
    assert_eq!(world.kinds(), [NoticeKind::SourceUnavailable]);
}

#[test]
fn a_source_that_fails_for_one_rule_leaves_the_others_at_work() {
    let mut world = World::settled(Setup::with(vec![errors(0.05), latency(Some(0.25))]));
    world.lie = Some(Box::new(|_, question, _| {
        matches!(question.what, What::Histogram { .. })
            .then(|| unavailable(Cause::Malformed, "garbage in line 7"))
    }));
    world.ship("v2");
    world.run(60);
    assert_eq!(world.kinds(), [NoticeKind::Held], "{}", world.transcript());
    insta::assert_snapshot!(world.read(NoticeKind::Held));
    world.target().behave("v2", BAD);
    world.run_until(20, |world| !world.commands.is_empty());
}

#[test]
fn a_source_that_fails_for_one_target_leaves_the_others_at_work() {
    let mut world = World::settled(Setup {
        targets: vec!["cart", "checkout"],
        ..Setup::default()
    });
    world.lie = Some(Box::new(|target, _, _| {
        (target.name == "cart").then(|| unavailable(Cause::Down, "connection refused"))
    }));
    let now = world.now;
    for name in ["cart", "checkout"] {
        world.named(name).behave("v2", BAD);
        world.named(name).ship("v2", now);
    }
    world.run(60);
    assert_eq!(world.plans().len(), 1);
    assert_eq!(world.named("checkout").serving(), ["v1"]);
    assert_eq!(world.named("cart").serving(), ["v2"]);
    assert_eq!(world.told(NoticeKind::SourceUnavailable), 0);
    assert_eq!(world.told(NoticeKind::Held), 1, "{}", world.transcript());
}

#[test]
fn no_data_is_told_once_and_is_neither_good_nor_bad() {
    let mut world = World::new(Setup {
        watch: 600,
        ..Setup::default()
    });
    world.lie = Some(Box::new(|_, _, _| {
        Some(Observation::NoData {
            reason: "`http_requests_total` has no series with a pod of the target".to_owned(),
        })
    }));
    world.run(60);
    world.target().behave("v2", BAD);
    world.ship("v2");
    world.run_until(700, |world| !world.endings().is_empty());
    assert_eq!(
        world.kinds(),
        [NoticeKind::RuleWithoutData, NoticeKind::Inconclusive],
        "{}",
        world.transcript()
    );
    assert_eq!(
        world.count(|record| matches!(record, Record::RuleWithoutData { .. })),
        1
    );
    insta::assert_snapshot!(world.read(NoticeKind::RuleWithoutData));
    insta::assert_snapshot!(world.read(NoticeKind::Inconclusive));
}

#[test]
fn data_that_stop_at_the_end_of_the_watch_are_waited_for() {
    let mut world = World::settled(Setup {
        watch: 120,
        ..Setup::default()
    });
    world.ship("v2");
    world.run(60);
    world.lie = Some(Box::new(|_, _, _| {
        Some(unavailable(Cause::Down, "connection refused"))
    }));
    world.run(180);
    assert!(world.endings().is_empty(), "{}", world.transcript());
    world.lie = None;
    world.run(60);
    assert_eq!(world.endings(), [Ending::Pass], "{}", world.transcript());
}

#[test]
fn data_that_never_come_back_end_the_watch_without_a_verdict() {
    let mut world = World::settled(Setup {
        watch: 120,
        ..Setup::default()
    });
    world.ship("v2");
    world.run(60);
    world.lie = Some(Box::new(|_, _, _| {
        Some(unavailable(Cause::Down, "connection refused"))
    }));
    world.run(600);
    assert!(
        matches!(world.endings().as_slice(), [Ending::Inconclusive { .. }]),
        "{}",
        world.transcript()
    );
}

#[test]
fn a_quiet_service_is_not_one_without_data() {
    let mut world = World::settled(Setup {
        watch: 3600,
        ..Setup::default()
    });
    world.target().every = 300;
    world.ship("v2");
    world.run(3000);
    assert!(world.notices.is_empty(), "{}", world.transcript());
}

#[test]
fn a_clock_that_is_set_back_blinds_nobody() {
    let mut world = World::settled(Setup::default());
    world.ship("v2");
    world.run(60);
    // The machine's clock was an hour ahead; the source's, too.
    world.now -= 3600;
    let asked = world.engine.questions(super::world::at(world.now));
    assert_eq!(asked.len(), 1, "it asks on");
    world.run(120);
    assert!(world.plans().is_empty(), "{}", world.transcript());
}

#[test]
fn odd_numbers_are_no_evidence() {
    let odd = [
        Cumulative::Ratio {
            part: Some(f64::NAN),
            total: Some(100.0),
            part_shape: true,
        },
        Cumulative::Ratio {
            part: Some(-5.0),
            total: Some(f64::INFINITY),
            part_shape: true,
        },
        Cumulative::Ratio {
            part: Some(1e300),
            total: Some(-1e300),
            part_shape: false,
        },
        Cumulative::Histogram(HistogramCounters {
            bounds: [3.0, 1.0].into(),
            counters: vec![f64::NAN],
        }),
    ];
    for value in odd {
        let mut world = World::settled(Setup::with(vec![errors(0.05), latency(Some(0.5))]));
        world.target().behave("v2", BAD);
        world.ship("v2");
        world.run(1);
        world.lie = Some(Box::new(move |_, _, now| {
            Some(Observation::Reading(Reading {
                series: (5..9)
                    .map(|pod| SeriesReading {
                        key: SeriesKey::Pod {
                            namespace: "shop".to_owned(),
                            pod: format!("checkout-v2-{pod}").as_str().into(),
                        },
                        member: None,
                        at: super::world::at(now),
                        value: value.clone(),
                    })
                    .collect(),
            }))
        }));
        world.run(100);
        assert!(world.plans().is_empty(), "{}", world.transcript());
        world.lie = None;
        world.run_until(20, |world| !world.commands.is_empty());
    }
}

#[test]
fn a_metric_of_only_the_new_revision_is_judged_alone() {
    // v2 brings a metric that v1 never had, beside a v1 that goes on serving.
    let mut world = World::new(Setup {
        rules: vec![errors(0.05), latency(Some(0.25))],
        ..Setup::rollout()
    });
    world.target().rate = 40;
    world.lie = Some(Box::new(|_, question, now| {
        (matches!(question.what, What::Histogram { .. }) && now < 70).then(|| Observation::NoData {
            reason: "not yet".to_owned(),
        })
    }));
    world.run(60);
    world.target().behave("v2", Behaviour { slow: 4.0, ..GOOD });
    world.target().hidden = vec!["v1".to_owned()];
    world.ship("v2");
    world.run_until(60, |world| !world.commands.is_empty());
}
