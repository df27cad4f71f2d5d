//! What people order changed besides a rollback, and what their rollbacks have to pass: the same guards, the same looks, the
//! same plan, once, whoever crashes when.

use std::time::Duration;

use super::always::{numbers, settled, setup, to_five, undone_after};
use super::drifting::{kept_by_git, suspending};
use super::people::{command, done, give, held, refused, rollback, shipped};
use super::workers::worker;
use super::world::World;
use crate::command::{Command, CommandOutcome, Lasting, Order, Reach};
use crate::guard::Guard;
use crate::ids::{TargetId, TargetKind};
use crate::notice::NoticeKind;
use crate::operation::OperationEvent;
use crate::plan::SyncSwitch;
use crate::preflight::Preflight;
use crate::record::Record;
use crate::rule::{Scale, ScaleTo, Task};

/// To so many workers, for two minutes.
fn scaling(to: ScaleTo) -> Order {
    Order::Change {
        target: TargetId {
            namespace: "shop".to_owned(),
            kind: TargetKind::Deployment,
            name: "worker".to_owned(),
        },
        task: Box::new(Task::Scale {
            scale: Scale { to, ..to_five() },
            ready: None,
            evidence: None,
        }),
        undo_after: Some(Duration::from_mins(2)),
    }
}

/// A watch names the workers in an action; its rule is kept.
fn with_workers() -> World {
    settled(setup(Some(undone_after(600))))
}

fn begun(world: &World) -> usize {
    world.count(|record| matches!(record, Record::Operation(OperationEvent::Began { .. })))
}

#[test]
fn a_person_scales_once_and_it_is_taken_back_in_time() {
    let mut world = with_workers();
    let records = world.journal.len();
    let dry = give(
        &mut world,
        command("0", scaling(ScaleTo::Replicas(5))),
        true,
    );
    assert_eq!(
        done(&dry.outcome),
        "would scale Deployment shop/worker from 2 to 5 replicas; taken back after 2 min"
    );
    assert_eq!(dry.steps.len(), 1);
    assert_eq!(world.journal.len(), records, "a dry run leaves no record");

    let order = scaling(ScaleTo::Replicas(5));
    let reply = give(&mut world, command("1", order.clone()), false);
    assert!(done(&reply.outcome).starts_with("begun: scale Deployment shop/worker from 2 to 5"));
    world.run(10);
    assert_eq!(numbers(&world), [(2, 5)], "{}", world.transcript());
    insta::assert_snapshot!(world.read(NoticeKind::OperationBegan));
    // The same key does nothing twice, and says what became of it.
    assert_eq!(give(&mut world, command("1", order), false), reply);
    world.run(150);
    assert_eq!(numbers(&world), [(2, 5), (5, 2)], "{}", world.transcript());
    assert_eq!(begun(&world), 2, "the scaling, and that it was taken back");
    world.run(5);
    assert!(world.engine.ledger().operations.is_empty());
    assert!(world.engine.ledger().people.open.is_empty());
    assert_eq!(world.engine.ledger().actions.len(), 2, "P11 counts them");
}

#[test]
fn guards_hold_a_change_unless_they_are_overridden_and_some_always_do() {
    let mut world = with_workers();
    let freeze = Order::Freeze {
        reach: Reach::Everything,
        lasts: Lasting::Seconds(600),
    };
    done(&give(&mut world, command("f", freeze), false).outcome);
    let order = || scaling(ScaleTo::Factor(200));
    let reply = give(&mut world, command("1", order()), false);
    assert_eq!(held(&reply.outcome), [Guard::Freeze]);
    let dry = give(&mut world, command("2", order()), true);
    assert_eq!(held(&dry.outcome), [Guard::Freeze]);
    assert_eq!(
        dry.steps.len(),
        1,
        "what would be written is shown all the same"
    );
    world.run(5);
    assert!(numbers(&world).is_empty());
    let overriding = |key: &str| Command {
        overrides: [Guard::Freeze].into(),
        ..command(key, order())
    };
    // The kill switch is looked at on the object itself.
    world.workers.state.as_mut().expect("there").kill_switch = Some("namespace shop".to_owned());
    world.run(6);
    let reply = give(&mut world, overriding("3"), false);
    assert_eq!(held(&reply.outcome), [Guard::KillSwitch]);
    world.workers.state.as_mut().expect("there").kill_switch = None;
    world.run(6);
    let reply = give(&mut world, overriding("4"), false);
    let CommandOutcome::Done { overridden, .. } = &reply.outcome else {
        panic!("{reply:?}");
    };
    assert_eq!(overridden.len(), 1);
    world.run(5);
    assert_eq!(numbers(&world), [(2, 4)], "{}", world.transcript());
}

#[test]
fn what_cannot_be_changed_is_refused_with_what_to_do() {
    let mut world = with_workers();
    let fewer = give(
        &mut world,
        command("1", scaling(ScaleTo::Replicas(1))),
        false,
    );
    let said = refused(&fewer.outcome);
    assert!(
        said.contains("has 2 replicas already, and 1 are wanted"),
        "{said}"
    );
    assert!(said.contains("Recant never lowers"), "{said}");
    let mut order = scaling(ScaleTo::Replicas(5));
    if let Order::Change { target, task, .. } = &mut order {
        target.name = "mailer".to_owned();
        let mut scale = to_five();
        scale.target.name = "mailer".to_owned();
        **task = Task::Scale {
            scale,
            ready: None,
            evidence: None,
        };
    }
    let unknown = give(&mut world, command("2", order), false);
    let said = refused(&unknown.outcome);
    assert!(
        said.contains("no Watch has Deployment shop/mailer as its target"),
        "{said}"
    );
    // What cannot be read is no reason to write.
    world.workers.unreadable = true;
    world.run(6);
    let reply = give(
        &mut world,
        command("3", scaling(ScaleTo::Replicas(5))),
        false,
    );
    assert_eq!(held(&reply.outcome), [Guard::SourceUnavailable]);
    world.workers.unreadable = false;
    world.workers.state = None;
    world.run(6);
    let reply = give(
        &mut world,
        command("4", scaling(ScaleTo::Replicas(5))),
        false,
    );
    assert_eq!(held(&reply.outcome), [Guard::ObjectChanged]);
    assert_eq!(begun(&world), 0);
    assert_eq!(worker().name, "worker");
}

#[test]
fn a_change_that_was_ordered_is_made_once_or_not_at_all_whoever_crashes_when() {
    let mut whole = with_workers();
    let before = whole.journal.len();
    let order = || command("1", scaling(ScaleTo::Replicas(5)));
    give(&mut whole, order(), false);
    whole.run(10);
    let records = whole.journal.len() - before;
    assert!(records >= 6, "{}", whole.transcript());
    for cut in 1..records {
        for effects_leave in [false, true] {
            let mut world = with_workers();
            world.crash_at = Some(before + cut);
            world.effects_leave = effects_leave;
            give(&mut world, order(), false);
            world.run(30);
            let writes = numbers(&world);
            let case = format!("cut behind {cut}: {}", world.transcript());
            assert_eq!(writes.len(), begun(&world), "{case}");
            assert!(writes.is_empty() || writes == [(2, 5)], "{case}");
            let people = &world.engine.ledger().people;
            assert!(people.open.is_empty(), "{case}");
            let id = order().id();
            let done = people
                .over(&id)
                .is_some_and(|over| matches!(over.outcome, CommandOutcome::Done { .. }));
            assert_eq!(done, !writes.is_empty(), "{case}");
        }
    }
}

#[test]
fn a_persons_rollback_passes_the_checks_before_a_rollback_too() {
    let missing = Preflight {
        missing: vec!["ConfigMap `checkout-v1` (volume `config`)".to_owned()],
        notes: vec!["PodDisruptionBudget `web` allows no eviction now.".to_owned()],
        ..Preflight::default()
    };
    let migrating = Preflight {
        jobs: vec!["Job `migrate`".to_owned()],
        ..Preflight::default()
    };
    for (seen, guard) in [
        (missing, Guard::Configuration),
        (migrating, Guard::Migration),
    ] {
        let mut world = shipped();
        world.preflight = Some(seen);
        let order = rollback(&world, None);
        let reply = give(&mut world, command("1", order.clone()), false);
        assert_eq!(held(&reply.outcome), [guard]);
        let dry = give(&mut world, command("2", order.clone()), true);
        assert_eq!(held(&dry.outcome), [guard]);
        assert!(!dry.steps.is_empty());
        world.run(20);
        assert!(world.plans().is_empty());
        let despite = Command {
            overrides: [guard].into(),
            ..command("3", order)
        };
        let reply = give(&mut world, despite, false);
        assert!(done(&reply.outcome).contains("back to revision v1"));
        let told = world.read(NoticeKind::RollingBack);
        let line = format!("Guard `{guard}` was overridden by that order");
        assert!(told.contains(&line), "{told}");
        world.run(60);
        assert_eq!(world.target().serving(), ["v1"]);
    }
    // What no word overrides.
    let mut world = shipped();
    world.target().for_rollback.floor = Some("v2".to_owned());
    world.run(3);
    let order = rollback(&world, None);
    let reply = give(&mut world, command("1", order.clone()), false);
    assert_eq!(held(&reply.outcome), [Guard::Floor]);
    let despite = Command {
        overrides: [Guard::Floor].into(),
        ..command("2", order)
    };
    let said = refused(&give(&mut world, despite, false).outcome);
    assert!(said.contains("cannot be overridden by anybody"), "{said}");
    assert!(world.plans().is_empty());
}

#[test]
fn a_look_that_nobody_answers_does_not_keep_a_person_waiting_for_long() {
    let mut world = shipped();
    world.preflight = None;
    let order = rollback(&world, None);
    let reply = give(&mut world, command("1", order), false);
    assert!(done(&reply.outcome).contains("back to revision v1"));
    let told = world.read(NoticeKind::RollingBack);
    assert!(told.contains("could not be looked at: no answer"), "{told}");
}

#[test]
fn self_heal_is_suspended_before_a_persons_rollback_as_well() {
    let mut world = World::settled(suspending());
    kept_by_git(&mut world);
    world.ship("v2");
    world.run(40);
    let order = rollback(&world, None);
    let reply = give(&mut world, command("1", order), false);
    assert!(done(&reply.outcome).contains("back to revision v1"));
    world.run(60);
    assert_eq!(world.target().serving(), ["v1"], "{}", world.transcript());
    let switches: Vec<SyncSwitch> = world.target().syncs.iter().map(|(_, how)| *how).collect();
    assert_eq!(switches, [SyncSwitch::Suspend], "{}", world.transcript());
    let place = |wanted: fn(&Record) -> bool| {
        let mut records = world.journal.iter();
        records
            .position(|(_, record)| wanted(record))
            .expect("it is there")
    };
    let commanded = place(|record| matches!(record, Record::Commanded { .. }));
    let suspended = place(|record| matches!(record, Record::Drift { .. }));
    let began = place(|record| matches!(record, Record::PlanBegan { .. }));
    assert!(commanded < suspended && suspended < began);
    assert_eq!(
        world.count(|record| matches!(record, Record::Commanded { .. })),
        1
    );
}

#[test]
fn who_does_not_wait_for_the_suspension_gets_nothing_done_and_self_heal_is_resumed() {
    let mut world = World::settled(suspending());
    kept_by_git(&mut world);
    world.ship("v2");
    world.run(40);
    world.executor_takes = 5;
    let order = rollback(&world, None);
    world.order_and_leave(command("1", order));
    world.run(60);
    assert!(world.plans().is_empty(), "{}", world.transcript());
    assert!(world.engine.ledger().people.open.is_empty());
    let known = world
        .engine
        .ledger()
        .people
        .over
        .last()
        .expect("it is over");
    let CommandOutcome::Refused { reason } = &known.outcome else {
        panic!("{known:?}");
    };
    assert!(
        reason.contains("did not wait until it could begin"),
        "{reason}"
    );
    assert!(world.target().self_heal, "{}", world.transcript());
}
