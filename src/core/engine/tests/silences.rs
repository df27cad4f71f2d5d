//! Silences: they hold notices, and actions where that is set; what was held is told afterwards, and an outage of
//! Alertmanager holds nothing that was not silenced.

use super::always::{always, incidents};
use super::rules::{CHANNEL, Setup, errors};
use super::target::BAD;
use super::world::{World, at};
use crate::engine::{Inputs, Silences};
use crate::guard::{Guard, GuardSettings, Silenced};
use crate::ids::ChannelName;
use crate::notice::NoticeKind;
use crate::record::Record;
use crate::silence::{LabelMatcher, Silence};

fn silence(label: &str, value: &str, ends: i64) -> Silence {
    Silence {
        id: "8a4b".to_owned(),
        matchers: vec![LabelMatcher {
            name: label.to_owned(),
            value: value.to_owned(),
            is_regex: false,
            is_equal: true,
        }],
        starts: at(0),
        ends: at(ends),
        by: "alice".to_owned(),
        comment: "moving the database".to_owned(),
    }
}

fn tell(world: &mut World, silences: Vec<Silence>) {
    world.tick(Inputs {
        silences: vec![Silences {
            channel: ChannelName(CHANNEL.to_owned()),
            silences,
        }],
        ..Inputs::default()
    });
}

fn world(silences: Silenced) -> World {
    let setup = Setup::with(vec![errors(0.05)]);
    let guards = GuardSettings {
        silences,
        ..setup.guards
    };
    World::settled(Setup { guards, ..setup })
}

fn held_by(world: &World, guard: Guard) -> usize {
    world.count(|record| matches!(record, Record::HoldBegan { hold, .. } if hold.guard == guard))
}

fn written(world: &World) -> usize {
    world.count(|record| matches!(record, Record::Silenced { .. }))
}

#[test]
fn a_silence_holds_notices_and_what_came_of_it_is_told_once_it_is_over() {
    let mut world = world(Silenced::Act);
    let ends = world.now + 200;
    tell(&mut world, vec![silence("namespace", "shop", ends)]);
    world.target().behave("v2", BAD);
    world.ship("v2");
    world.run(120);
    // It acted, and nobody was told.
    assert_eq!(world.target().serving(), ["v1"], "{}", world.transcript());
    assert_eq!(world.kinds(), [], "{}", world.transcript());
    let shown = world.engine.snapshot(at(world.now));
    assert_eq!(shown.silences.len(), 1);
    assert_eq!(shown.held_notices.len(), 1, "{:?}", shown.held_notices);
    assert!(shown.held_notices[0].silence.contains("by alice until"));
    // Nobody tells whether it still holds: to its end it does, across a restart too.
    world.restart();
    world.run(60);
    assert_eq!(world.kinds(), [], "{}", world.transcript());
    world.run(60);
    assert_eq!(
        world.kinds(),
        [NoticeKind::Restored],
        "{}",
        world.transcript()
    );
    assert!(world.engine.ledger().held.is_empty());
    insta::assert_snapshot!(world.read(NoticeKind::Restored));
    world.run(60);
    assert_eq!(world.kinds().len(), 1);
}

#[test]
fn actions_wait_where_that_is_set_and_a_silence_that_is_taken_back_lets_them_go() {
    let mut world = world(Silenced::Hold);
    let ends = world.now + 10_000;
    tell(&mut world, vec![silence("deployment", "checkout", ends)]);
    world.target().behave("v2", BAD);
    world.ship("v2");
    world.run(60);
    assert!(world.plans().is_empty(), "{}", world.transcript());
    assert_eq!(held_by(&world, Guard::Silence), 1, "{}", world.transcript());
    let snapshot = world.engine.snapshot(at(world.now));
    let hold = &snapshot.targets[0].holds[0];
    assert_eq!(hold.until, Some(at(ends)));
    insta::assert_snapshot!(hold.reason);
    // Told again and again, it is written down once.
    for _ in 0..3 {
        tell(&mut world, vec![silence("deployment", "checkout", ends)]);
    }
    assert_eq!(written(&world), 1);
    tell(&mut world, Vec::new());
    world.run_until(10, |world| !world.commands.is_empty());
    assert_eq!(written(&world), 2);
}

#[test]
fn what_is_not_silenced_is_not_held() {
    for silences in [
        Vec::new(),
        vec![silence("namespace", "other", 10_000)],
        vec![silence("alertname", "HighErrorRate", 10_000)],
        vec![silence("namespace", "shop", 61)],
        vec![Silence {
            starts: at(9_000),
            ..silence("namespace", "shop", 10_000)
        }],
    ] {
        let mut world = world(Silenced::Hold);
        tell(&mut world, silences.clone());
        world.target().behave("v2", BAD);
        world.ship("v2");
        world.run_until(30, |world| !world.commands.is_empty());
        assert!(!world.kinds().is_empty(), "{silences:?}");
    }
}

#[test]
fn scalings_wait_as_well() {
    let setup = Setup {
        always: vec![always(Some(super::always::to_five()))],
        ..Setup::default()
    };
    let guards = GuardSettings {
        silences: Silenced::Hold,
        ..setup.guards
    };
    let mut world = World::settled(Setup { guards, ..setup });
    world.workers.state = Some(super::workers::state(2));
    let ends = world.now + 10_000;
    tell(
        &mut world,
        vec![silence("alertname", "RecantRuleBroken", ends)],
    );
    super::always::breaks(&mut world);
    world.run_until(200, |world| incidents(world) > 0);
    world.run(30);
    assert!(world.workers.writes.is_empty(), "{}", world.transcript());
    tell(&mut world, Vec::new());
    world.run_until(60, |world| !world.workers.writes.is_empty());
}

#[test]
fn an_alertmanager_that_is_no_channel_any_more_silences_nothing() {
    let mut world = world(Silenced::Hold);
    world.tick(Inputs {
        silences: vec![Silences {
            channel: ChannelName("gone".to_owned()),
            silences: vec![silence("namespace", "shop", 10_000)],
        }],
        ..Inputs::default()
    });
    assert!(
        world.engine.ledger().silences.is_empty(),
        "{}",
        world.transcript()
    );
}
