//! Rules between releases that read values: a queue, a rate.

use std::sync::Arc;
use std::time::Duration;

use super::{always, ended, incidents, numbers, to_five};
use crate::engine::tests::rules::{Setup, error_count, gauge};
use crate::engine::tests::target::BAD;
use crate::engine::tests::workers::state;
use crate::engine::tests::world::World;
use crate::notice::NoticeKind;
use crate::rule::{Always, Rule, Scale};

/// A queue that must not be longer than 100 for half a minute.
fn queue(scale: Option<Scale>) -> World {
    let mut world = World::settled(watched(gauge("queue_length", 100.0, 30), scale));
    world.workers.state = Some(state(2));
    world
}

fn watched(rule: Rule, scale: Option<Scale>) -> Setup {
    Setup {
        always: vec![Always {
            recovery: Always::RECOVERY,
            rule: Arc::new(rule),
            window: Duration::from_mins(5),
            ..always(scale)
        }],
        ..Setup::default()
    }
}

fn lengthen(world: &mut World, value: fn(i64, i64) -> Option<f64>) {
    world.target().whole_value = Some(value);
}

#[test]
fn a_queue_that_is_too_long_is_one_incident_with_more_workers() {
    let mut world = queue(Some(to_five()));
    lengthen(&mut world, |_, _| Some(40.0));
    world.run(120);
    assert_eq!(incidents(&world), 0, "{}", world.transcript());
    let long_since = world.now;
    lengthen(&mut world, |_, _| Some(150.0));
    world.run_until(60, |world| incidents(world) > 0);
    let took = world.now - long_since;
    assert!((30..=33).contains(&took), "{took} s");
    world.run(120);
    assert_eq!(numbers(&world), [(2, 5)], "{}", world.transcript());
    lengthen(&mut world, |_, _| Some(3.0));
    world.run_until(120, |world| !ended(world).is_empty());
    assert_eq!(incidents(&world), 1);
    insta::assert_snapshot!(world.read(NoticeKind::IncidentBegan));
    insta::assert_snapshot!(world.read(NoticeKind::IncidentEnded));
}

#[test]
fn a_queue_that_cannot_be_read_neither_opens_nor_ends_an_incident() {
    let mut world = queue(None);
    lengthen(&mut world, |_, _| Some(150.0));
    world.run_until(60, |world| incidents(world) > 0);
    // Gone, and not short: the source has no series of it any more.
    lengthen(&mut world, |_, _| None);
    world.run(400);
    assert!(ended(&world).is_empty(), "{}", world.transcript());
    assert_eq!(world.told(NoticeKind::RuleWithoutData), 1);
    lengthen(&mut world, |_, _| Some(3.0));
    world.run_until(180, |world| !ended(world).is_empty());
    assert_eq!(incidents(&world), 1);
}

#[test]
fn a_rate_is_counted_over_its_own_window() {
    let mut world = World::settled(watched(error_count(100.0, 60), None));
    world.run(120);
    assert_eq!(incidents(&world), 0, "{}", world.transcript());
    world.target().behave("v1", BAD);
    world.run_until(60, |world| incidents(world) > 0);
    insta::assert_snapshot!(world.read(NoticeKind::IncidentBegan));
}

#[test]
fn how_long_a_value_has_been_beyond_survives_a_short_restart() {
    let mut world = queue(None);
    lengthen(&mut world, |_, _| Some(40.0));
    world.run(70);
    let long_since = world.now;
    lengthen(&mut world, |_, _| Some(150.0));
    // A checkpoint is written within the first ticks that see it.
    world.run(10);
    world.restart();
    world.run_until(60, |world| incidents(world) > 0);
    let took = world.now - long_since;
    assert!(
        (30..=35).contains(&took),
        "{took} s\n{}",
        world.transcript()
    );
}

#[test]
fn without_rules_for_releases_none_is_judged() {
    let mut world = World::settled(Setup {
        rules: Vec::new(),
        ..watched(gauge("queue_length", 100.0, 30), Some(to_five()))
    });
    world.workers.state = Some(state(2));
    lengthen(&mut world, |_, _| Some(40.0));
    world.ship("v2");
    world.run(120);
    assert!(world.endings().is_empty(), "{}", world.transcript());
    assert!(world.plans().is_empty() && world.kinds().is_empty());
    assert_eq!(world.target().serving(), ["v2"], "{}", world.transcript());
    lengthen(&mut world, |_, _| Some(150.0));
    world.run_until(60, |world| !world.workers.writes.is_empty());
}
