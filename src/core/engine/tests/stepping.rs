//! Releases whose traffic is stepped: on with the evidence, back on a Fail, once, whoever crashes when.

use std::time::Duration;

use super::routes::{object, route, set};
use super::rules::Setup;
use super::target::BAD;
use super::world::{World, at};
use crate::analysis::Ending;
use crate::notice::NoticeKind;
use crate::record::Record;
use crate::rule::Stepped;
use crate::stepping::SteppingEnd;

fn setup() -> Setup {
    Setup {
        stepped: Some(Stepped {
            route: route(),
            steps: vec![10, 50, 100],
            each: Duration::from_mins(1),
        }),
        ..Setup::default()
    }
}

/// v1 has served for a minute; the canary gets what its weight says.
fn world(setup: Setup) -> World {
    let mut world = World::new(setup);
    world.routes.object = Some(object(0));
    run(&mut world, 60);
    world
}

/// Requests follow the weights.
fn run(world: &mut World, seconds: i64) {
    for _ in 0..seconds {
        let rate = usize::try_from(world.routes.canary() * 2).expect("a small number");
        world.target().rate = rate;
        world.second();
    }
}

#[track_caller]
fn run_until(world: &mut World, most: i64, done: impl Fn(&World) -> bool) -> i64 {
    let began = world.now;
    while !done(world) {
        assert!(world.now - began < most, "{}", world.transcript());
        run(world, 1);
    }
    world.now - began
}

fn ends(world: &World) -> Vec<SteppingEnd> {
    world
        .records(|record| match record {
            Record::SteppingEnded { end, .. } => Some(end.clone()),
            _ => None,
        })
        .map(|(_, end)| end)
        .collect()
}

#[test]
fn a_good_release_gets_its_traffic_step_by_step() {
    let mut world = world(setup());
    world.ship("v2");
    run_until(&mut world, 1_500, |world| !ends(world).is_empty());
    assert_eq!(world.routes.writes, [10, 50, 100], "{}", world.transcript());
    assert_eq!(ends(&world), [SteppingEnd::Passed]);
    assert_eq!(world.endings(), [Ending::Pass]);
    let at: Vec<i64> = world
        .records(|record| matches!(record, Record::TrafficReached { .. }).then_some(()))
        .map(|(second, ())| second)
        .collect();
    assert!(at[1] - at[0] >= 60 && at[2] - at[1] >= 60, "{at:?}");
    let passed = world.when(|record| matches!(record, Record::AnalysisEnded { .. }));
    assert!(
        passed - at[2] >= 300,
        "the watch counts from the last step: {at:?} {passed}"
    );
    // The same share again is no write, and the actions of others are not used up by steps.
    assert!(world.engine.ledger().actions.is_empty());
    insta::assert_snapshot!(world.read(NoticeKind::Traffic));
}

#[test]
fn a_bad_release_loses_its_traffic_before_it_is_taken_back() {
    let mut world = world(setup());
    world.target().behave("v2", BAD);
    world.ship("v2");
    run_until(&mut world, 600, |world| !world.plan_ends().is_empty());
    assert_eq!(world.routes.writes, [10, 0], "{}", world.transcript());
    assert_eq!(ends(&world), [SteppingEnd::Back]);
    let back =
        world.when(|record| matches!(record, Record::TrafficBegan { plan } if plan.percent == 0));
    let rollback = world.when(|record| matches!(record, Record::PlanBegan { .. }));
    assert!(back <= rollback, "{}", world.transcript());
    insta::assert_snapshot!(world.read(NoticeKind::Traffic));
}

#[test]
fn a_release_that_turns_bad_at_a_later_step_goes_back_to_nothing() {
    let mut world = world(setup());
    world.ship("v2");
    run_until(&mut world, 1_000, |world| world.routes.writes.len() == 2);
    world.target().behave("v2", BAD);
    run_until(&mut world, 300, |world| !ends(world).is_empty());
    assert_eq!(world.routes.writes, [10, 50, 0]);
    assert_eq!(world.target().current, "v1");
}

#[test]
fn a_weight_that_somebody_sets_meanwhile_stays() {
    let mut world = world(setup());
    world.ship("v2");
    run_until(&mut world, 300, |world| world.routes.writes.len() == 1);
    run(&mut world, 20);
    set(world.routes.object.as_mut().expect("is there"), 30);
    run_until(&mut world, 60, |world| !ends(world).is_empty());
    assert!(
        matches!(ends(&world).as_slice(), [SteppingEnd::TakenOver { .. }]),
        "{}",
        world.transcript()
    );
    run(&mut world, 600);
    assert_eq!(world.routes.canary(), 30);
    // The release itself is judged on, and its watch counts from there.
    assert_eq!(world.endings(), [Ending::Pass]);
    insta::assert_snapshot!(world.read(NoticeKind::Traffic));
}

#[test]
fn a_hand_between_the_decision_and_the_write_is_left_alone() {
    let mut world = world(setup());
    world.routes.meanwhile = Some(|object| set(object, 7));
    world.ship("v2");
    run_until(&mut world, 300, |world| world.routes.writes.len() == 1);
    // Nothing of ours stood there yet: the decision is made anew, from what is there now.
    assert_eq!(world.told(NoticeKind::TrafficHeld), 1);
    assert_eq!(world.routes.writes, [10]);
}

#[test]
fn nothing_is_led_to_pods_that_are_not_ready() {
    let mut world = world(setup());
    world.routes.empty = true;
    world.ship("v2");
    run(&mut world, 120);
    assert!(world.routes.writes.is_empty());
    assert_eq!(
        world.told(NoticeKind::TrafficHeld),
        1,
        "{}",
        world.transcript()
    );
    world.routes.empty = false;
    run_until(&mut world, 60, |world| world.routes.writes == [10]);
}

#[test]
fn guards_hold_a_step_and_let_it_go_on() {
    let mut world = world(setup());
    world.routes.killed = true;
    world.ship("v2");
    run(&mut world, 120);
    assert!(world.routes.writes.is_empty(), "{}", world.transcript());
    assert_eq!(world.told(NoticeKind::TrafficHeld), 1);
    insta::assert_snapshot!(world.read(NoticeKind::TrafficHeld));
    world.routes.killed = false;
    run_until(&mut world, 60, |world| world.routes.writes == [10]);
    let mut dry = setup();
    dry.dry_run = true;
    let mut world = self::world(dry);
    world.target().behave("v2", BAD);
    world.ship("v2");
    run(&mut world, 120);
    assert!(world.routes.writes.is_empty());
}

#[test]
fn the_next_release_begins_at_the_first_step_again() {
    let mut world = world(setup());
    world.ship("v2");
    run_until(&mut world, 1_000, |world| world.routes.writes.len() == 2);
    world.ship("v3");
    run_until(&mut world, 300, |world| world.routes.writes.len() == 3);
    assert_eq!(world.routes.writes, [10, 50, 10], "{}", world.transcript());
    assert!(matches!(
        ends(&world).as_slice(),
        [SteppingEnd::Over { .. }]
    ));
}

#[test]
fn what_the_release_before_left_is_lowered_before_the_new_pods_are_there() {
    let mut world = world(setup());
    set(world.routes.object.as_mut().expect("is there"), 100);
    world.target().roll = 120;
    world.ship("v2");
    let took = run_until(&mut world, 60, |world| world.routes.writes == [10]);
    assert!(took < 10, "{took} s\n{}", world.transcript());
}

#[test]
fn readers_see_the_share_the_step_and_what_it_waits_for() {
    let mut world = world(setup());
    let traffic = |world: &World| {
        let shown = world.engine.snapshot(at(world.now));
        shown.targets[0].traffic.clone().expect("it is stepped")
    };
    world.routes.object = None;
    world.ship("v2");
    run(&mut world, 60);
    let held = traffic(&world);
    assert_eq!((held.percent, held.step, held.next), (None, 0, Some(10)));
    let waits = held.waits_for.expect("it goes on");
    assert!(
        waits.starts_with("guard `object changed` to let it go on"),
        "{waits}"
    );
    assert!(held.held.is_some());

    world.routes.object = Some(object(0));
    run_until(&mut world, 300, |world| world.routes.writes.len() == 1);
    run(&mut world, 3);
    let first = traffic(&world);
    assert_eq!(
        (first.percent, first.step, first.next),
        (Some(10), 1, Some(50))
    );
    assert_eq!(first.steps, [10, 50, 100]);
    assert_eq!(
        (first.route.as_str(), first.held),
        ("HTTPRoute shop/checkout", None)
    );
    let waits = first.waits_for.expect("it goes on");
    assert!(waits.contains("1 min"), "{waits}");
    run_until(&mut world, 1_500, |world| !ends(world).is_empty());
    let over = traffic(&world);
    assert_eq!((over.percent, over.step, over.next), (Some(100), 3, None));
    assert_eq!(over.waits_for, None);
    assert!(over.ended.expect("it is over").contains("it passed"));
}

#[test]
fn without_the_route_it_is_held_and_told() {
    let mut world = world(setup());
    world.routes.object = None;
    world.ship("v2");
    run(&mut world, 60);
    let told = world.read(NoticeKind::TrafficHeld);
    assert!(
        told.contains("HTTPRoute shop/checkout does not exist"),
        "{told}"
    );
}

/// Whatever the journal is cut off behind, each step is written once and the release gets to its end.
#[test]
fn a_crash_behind_any_record_repeats_no_step() {
    let mut whole = world(setup());
    whole.ship("v2");
    run_until(&mut whole, 600, |world| world.routes.writes.len() == 2);
    let records = whole.journal.len();
    let first = whole
        .journal
        .iter()
        .position(|(_, record)| matches!(record, Record::SteppingBegan { .. }))
        .expect("it begins");
    let mut tried = 0;
    for crash_at in first..records {
        let (_, record) = &whole.journal[crash_at - 1];
        let about = matches!(
            record,
            Record::SteppingBegan { .. }
                | Record::TrafficBegan { .. }
                | Record::TrafficReached { .. }
                | Record::StepBegun(_)
                | Record::StepEnded(_)
        );
        if !about {
            continue;
        }
        for leave in [false, true] {
            let mut world = world(setup());
            world.crash_at = Some(crash_at);
            world.effects_leave = leave;
            world.ship("v2");
            run_until(&mut world, 1_000, |world| world.routes.writes.len() >= 2);
            assert_eq!(world.crashes, 1, "behind record {crash_at}");
            assert_eq!(world.routes.writes, [10, 50], "{}", world.transcript());
            tried += 1;
        }
    }
    assert!(tried >= 12, "{tried}");
}
