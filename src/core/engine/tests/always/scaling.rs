//! What is scaled in an incident: once, never lower, and taken back when asked.

use std::sync::Arc;

use super::{
    breaks, guards, heals, incidents, numbers, scalings, settled, setup, to_five, undone_after,
};
use crate::engine::tests::rules::Setup;
use crate::engine::tests::target::{BAD, GOOD};
use crate::engine::tests::workers::{autoscaler, state};
use crate::engine::tests::world::{World, at};
use crate::guard::Guard;
use crate::incident::ScalingEnd;
use crate::notice::NoticeKind;
use crate::record::Record;
use crate::rule::Rule;
use crate::scaling::{Budget, ScaleObject};
use crate::snapshot::Doing;

#[test]
fn workers_are_scaled_once_in_an_incident_and_again_in_the_next() {
    let mut world = settled(setup(Some(to_five())));
    breaks(&mut world);
    world.run(5);
    assert_eq!(numbers(&world), [(2, 5)], "{}", world.transcript());
    // Somebody takes them away again: that is not ours to argue with.
    world.workers.state = Some(state(2));
    world.run(120);
    assert_eq!(numbers(&world), [(2, 5)]);
    assert_eq!(world.told(NoticeKind::Scaled), 1);
    insta::assert_snapshot!(world.read(NoticeKind::Scaled));
    heals(&mut world);
    insta::assert_snapshot!(world.read(NoticeKind::IncidentEnded));
    world.target().behave("v1", BAD);
    world.run_until(60, |world| incidents(world) == 2);
    world.run(5);
    assert_eq!(numbers(&world), [(2, 5), (2, 5)]);
    assert_eq!(world.engine.ledger().actions.len(), 2, "P11 counts them");
}

/// What readers see of the rule's scaling, whenever it is another thing than the second before.
#[test]
fn readers_see_whether_a_scaling_or_its_undo_is_decided_or_carried_out() {
    let mut world = settled(setup(Some(undone_after(90))));
    let mut seen: Vec<Option<Doing>> = Vec::new();
    let mut watch = |world: &mut World, seconds: usize| {
        for _ in 0..seconds {
            world.run(1);
            let doing = world.engine.snapshot(at(world.now)).targets[0].always[0].doing;
            if seen.last() != Some(&doing) {
                seen.push(doing);
            }
        }
    };
    world.target().behave("v1", BAD);
    watch(&mut world, 60);
    world.target().behave("v1", GOOD);
    watch(&mut world, 300);
    assert_eq!(numbers(&world), [(2, 5), (5, 2)], "{}", world.transcript());
    let (deciding, acting) = (Some(Doing::Deciding), Some(Doing::Acting));
    let both = [None, deciding, acting, None, deciding, acting, None];
    assert_eq!(seen, both, "{}", world.transcript());
}

#[test]
fn what_is_large_enough_is_left_alone_and_told() {
    let mut world = settled(setup(Some(to_five())));
    world.workers.state = Some(state(6));
    breaks(&mut world);
    world.run(60);
    assert!(world.workers.writes.is_empty());
    assert_eq!(world.told(NoticeKind::Scaled), 1);
    assert!(
        matches!(scalings(&world).as_slice(), [ScalingEnd::Nothing { .. }]),
        "{}",
        world.transcript()
    );
    insta::assert_snapshot!(world.read(NoticeKind::Scaled));
}

#[test]
fn an_autoscaler_s_minimum_is_raised_in_place_of_the_replicas() {
    let mut world = settled(setup(Some(undone_after(120))));
    let mut workers = state(2);
    workers.autoscalers.push(autoscaler(2, 4));
    world.workers.state = Some(workers);
    breaks(&mut world);
    world.run(5);
    let change = &world.workers.writes[0];
    assert!(matches!(change.object, ScaleObject::Autoscaler { .. }));
    assert_eq!(numbers(&world), [(2, 4)], "capped by its maximum");
    assert!(
        world.read(NoticeKind::Scaled).contains("no more than 4"),
        "{}",
        world.read(NoticeKind::Scaled)
    );
    heals(&mut world);
    world.run_until(300, |world| world.workers.writes.len() == 2);
    assert_eq!(numbers(&world), [(2, 4), (4, 2)]);
}

#[test]
fn guards_hold_a_scaling_and_are_told_once() {
    let keda = || {
        let mut workers = state(2);
        workers.autoscalers.push(crate::scaling::Autoscaler {
            owner: Some("ScaledObject `worker`".to_owned()),
            ..autoscaler(1, 9)
        });
        workers
    };
    let with = |change: fn(&mut Setup)| {
        let mut setup = setup(Some(to_five()));
        change(&mut setup);
        setup
    };
    let dry_rule = |setup: &mut Setup| {
        let rule = Rule {
            dry_run: true,
            ..(*setup.always[0].rule).clone()
        };
        setup.always[0].rule = Arc::new(rule);
    };
    let plain = || state(2);
    let stopped = || crate::scaling::ScaleState {
        kill_switch: Some("namespace shop".to_owned()),
        ..state(2)
    };
    let paused = || crate::scaling::ScaleState {
        paused: true,
        ..state(2)
    };
    for (guard, setup, workers) in [
        (
            Guard::KillSwitch,
            with(|setup| setup.guards.kill_switch = true),
            Some(plain()),
        ),
        (
            Guard::DryRun,
            with(|setup| setup.guards.dry_run = true),
            Some(plain()),
        ),
        (
            Guard::DryRun,
            with(|setup| setup.dry_run = true),
            Some(plain()),
        ),
        (Guard::DryRun, with(dry_rule), Some(plain())),
        (
            Guard::ActionRate,
            with(|setup| setup.guards.actions_per_hour = 0),
            Some(plain()),
        ),
        (Guard::KillSwitch, with(|_| {}), Some(stopped())),
        (Guard::ObjectChanged, with(|_| {}), Some(paused())),
        (Guard::ObjectChanged, with(|_| {}), None),
        (Guard::Autoscaler, with(|_| {}), Some(keda())),
    ] {
        let mut world = settled(setup);
        world.workers.state = workers;
        breaks(&mut world);
        world.run(120);
        assert_eq!(guards(&world), [guard], "{}", world.transcript());
        assert_eq!(world.told(NoticeKind::ScalingHeld), 1, "{guard}");
        assert!(world.workers.writes.is_empty(), "{guard}");
        let snapshot = world.engine.snapshot(at(world.now));
        let open = snapshot.targets[0].always[0].incident.as_ref();
        let held = open.and_then(|open| open.held.as_ref());
        assert_eq!(held.map(|hold| hold.guard), Some(guard));
        assert!(
            world
                .read(NoticeKind::ScalingHeld)
                .contains("scale Deployment shop/worker to 5 replicas"),
            "{}",
            world.read(NoticeKind::ScalingHeld)
        );
        heals(&mut world);
    }
}

#[test]
fn a_kill_switch_that_is_lifted_lets_the_scaling_go() {
    let mut world = settled(setup(Some(to_five())));
    let workers = world.workers.state.as_mut().expect("it is there");
    workers.kill_switch = Some("namespace shop".to_owned());
    breaks(&mut world);
    world.run(30);
    assert!(world.workers.writes.is_empty());
    world
        .workers
        .state
        .as_mut()
        .expect("it is there")
        .kill_switch = None;
    world.run_until(15, |world| !world.workers.writes.is_empty());
}

#[test]
fn actions_of_an_hour_count_scalings_and_rollbacks() {
    let mut setup = setup(Some(to_five()));
    setup.guards.actions_per_hour = 1;
    let mut world = settled(setup);
    breaks(&mut world);
    world.run(5);
    heals(&mut world);
    world.target().behave("v2", BAD);
    world.ship("v2");
    world.run(60);
    assert!(world.plans().is_empty(), "{}", world.transcript());
    let held = world.count(
        |record| matches!(record, Record::HoldBegan { hold, .. } if hold.guard == Guard::ActionRate),
    );
    assert_eq!(held, 1);
}

#[test]
fn somebody_else_s_hand_in_between_is_left_alone() {
    let mut world = settled(setup(Some(undone_after(60))));
    world.workers.meanwhile = Some(|state| state.replicas = 3);
    breaks(&mut world);
    world.run(60);
    assert!(world.workers.writes.is_empty());
    assert_eq!(world.told(NoticeKind::ScalingFailed), 1);
    insta::assert_snapshot!(world.read(NoticeKind::ScalingFailed));
    heals(&mut world);
    world.run(120);
    assert_eq!(world.workers.replicas(), 3, "there is nothing to undo");
}

#[test]
fn a_workload_that_cannot_be_read_is_told_and_asked_again() {
    let mut world = settled(setup(Some(to_five())));
    world.workers.unreadable = true;
    breaks(&mut world);
    world.run(60);
    assert_eq!(guards(&world), [Guard::SourceUnavailable]);
    world.workers.unreadable = false;
    world.run_until(15, |world| !world.workers.writes.is_empty());
}

#[test]
fn pods_that_do_not_get_ready_are_told() {
    let mut world = settled(setup(Some(to_five())));
    world.workers.stuck = true;
    breaks(&mut world);
    world.run(330);
    assert_eq!(world.told(NoticeKind::ScalingFailed), 1);
    assert!(
        matches!(scalings(&world).as_slice(), [ScalingEnd::NotReady { .. }]),
        "{}",
        world.transcript()
    );
}

#[test]
fn a_scaling_is_taken_back_when_the_rule_has_been_kept_for_long_enough() {
    let mut world = settled(setup(Some(undone_after(600))));
    breaks(&mut world);
    world.run(5);
    heals(&mut world);
    let healed = world.now;
    world.run_until(700, |world| world.workers.writes.len() == 2);
    assert!(world.now - healed > 480, "{} s", world.now - healed);
    world.run(20);
    assert_eq!(numbers(&world), [(2, 5), (5, 2)]);
    assert_eq!(world.told(NoticeKind::ScalingUndone), 1);
    insta::assert_snapshot!(world.read(NoticeKind::ScalingUndone));
    assert!(
        world.engine.ledger().always[&world.setup.id("checkout")]
            .scaled
            .is_empty()
    );
    world.run(600);
    assert_eq!(world.workers.writes.len(), 2);
}

#[test]
fn a_second_incident_puts_the_undo_off() {
    let mut world = settled(setup(Some(undone_after(300))));
    breaks(&mut world);
    world.run(5);
    heals(&mut world);
    world.run(60);
    world.target().behave("v1", BAD);
    world.run(400);
    assert_eq!(numbers(&world), [(2, 5)], "there are five still");
    heals(&mut world);
    world.run_until(400, |world| world.workers.writes.len() == 2);
    assert_eq!(
        numbers(&world),
        [(2, 5), (5, 2)],
        "back to what there was at first"
    );
}

#[test]
fn what_somebody_else_changed_since_is_not_taken_back() {
    let mut world = settled(setup(Some(undone_after(60))));
    breaks(&mut world);
    world.run(5);
    world.workers.state.as_mut().expect("it is there").replicas = 8;
    heals(&mut world);
    world.run(60);
    assert_eq!(numbers(&world), [(2, 5)]);
    assert_eq!(world.told(NoticeKind::ScalingUndone), 1);
    insta::assert_snapshot!(world.read(NoticeKind::ScalingUndone));
}

#[test]
fn an_undo_stays_above_a_disruption_budget() {
    let mut world = settled(setup(Some(undone_after(60))));
    world.workers.state.as_mut().expect("it is there").budgets = vec![Budget {
        name: "worker".to_owned(),
        needs: 3,
    }];
    breaks(&mut world);
    world.run(5);
    heals(&mut world);
    world.run(60);
    assert_eq!(numbers(&world), [(2, 5), (5, 3)], "{}", world.transcript());
}
