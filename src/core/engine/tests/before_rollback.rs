//! What is checked before a rollback begins: each holds it, is told with what to do, and lets it go when its reason goes.

use super::rules::Setup;
use super::target::{BAD, Behaviour, GOOD};
use super::world::World;
use crate::guard::Guard;
use crate::notice::NoticeKind;
use crate::plan::Step;
use crate::preflight::Preflight;
use crate::record::Record;

fn bad(setup: Setup) -> World {
    let mut world = World::settled(setup);
    world.target().behave("v2", BAD);
    world.ship("v2");
    world
}

/// Held by this guard alone, and told so.
#[track_caller]
fn held(world: &World, guard: Guard, says: &str) {
    assert!(world.plans().is_empty(), "{}", world.transcript());
    let of_guard =
        |record: &Record| matches!(record, Record::HoldBegan { hold, .. } if hold.guard == guard);
    assert_eq!(world.count(of_guard), 1, "{}", world.transcript());
    assert_eq!(world.told(NoticeKind::Held), 1, "{}", world.transcript());
    let notice = world.read(NoticeKind::Held);
    assert!(notice.contains(says), "{notice}");
}

#[test]
fn nothing_goes_below_the_floor() {
    for (floor, says) in [
        ("v2", "revision v1 (number 1) is below the floor `v2`"),
        ("2", "revision v1 (number 1) is below the floor `2`"),
        (" 7 ", "is below the floor `7`"),
        ("v9", "is `v9`, which is no revision that it has"),
        ("two", "is `two`, which is no revision that it has"),
    ] {
        let mut world = bad(Setup::default());
        world.target().for_rollback.floor = Some(floor.to_owned());
        world.run(60);
        held(&world, Guard::Floor, says);
        // Without it the rollback begins by itself.
        world.target().for_rollback.floor = None;
        world.run_until(5, |world| !world.commands.is_empty());
    }
    for floor in ["v1", "1", "0"] {
        let mut world = bad(Setup::default());
        world.target().for_rollback.floor = Some(floor.to_owned());
        world.run_until(60, |world| !world.commands.is_empty());
    }
}

#[test]
fn what_the_way_back_needs_must_exist() {
    let mut world = bad(Setup::default());
    world.preflight = Some(Preflight {
        missing: vec!["ConfigMap `checkout-v1` (volume `config`)".to_owned()],
        ..Preflight::default()
    });
    world.run(60);
    held(
        &world,
        Guard::Configuration,
        "revision v1 needs what does not exist: ConfigMap `checkout-v1` (volume `config`); create it again",
    );
    // Somebody creates it again.
    world.preflight = Some(Preflight::default());
    world.run_until(20, |world| !world.commands.is_empty());
    assert_eq!(world.step(0), Step::UndoDeployment { to: "v1".into() });
}

#[test]
fn a_migration_is_not_cut_off() {
    let mut world = bad(Setup::default());
    world.preflight = Some(Preflight {
        jobs: vec!["Job `migrate`".to_owned()],
        ..Preflight::default()
    });
    world.run(60);
    held(
        &world,
        Guard::Migration,
        "Job `migrate` of this release has not ended yet",
    );
    world.preflight = Some(Preflight::default());
    world.run_until(20, |world| !world.commands.is_empty());
}

#[test]
fn what_is_at_work_besides_is_told_and_holds_nothing() {
    let mut world = bad(Setup::default());
    world.preflight = Some(Preflight {
        notes: vec!["PodDisruptionBudget `web` allows no eviction now.".to_owned()],
        ..Preflight::default()
    });
    world.run_until(60, |world| !world.commands.is_empty());
    let notice = world.read(NoticeKind::RollingBack);
    assert!(notice.contains("PodDisruptionBudget `web`"), "{notice}");
}

#[test]
fn a_look_without_an_answer_holds_nothing_up_for_long() {
    let mut world = bad(Setup::default());
    world.preflight = None;
    world.run_until(60, |world| !world.commands.is_empty());
    let notice = world.read(NoticeKind::RollingBack);
    assert!(
        notice.contains("could not be looked at: no answer"),
        "{notice}"
    );
}

#[test]
fn the_same_template_is_no_way_back() {
    let mut world = bad(Setup::default());
    world.target().for_rollback.same_as_current = ["v1".into()].into();
    world.run(60);
    held(
        &world,
        Guard::NoWayBack,
        "has the same template as the one that failed",
    );
}

#[test]
fn what_never_ran_is_no_way_back() {
    let mut world = World::new(Setup::default());
    let never = Behaviour {
        ready: false,
        ..GOOD
    };
    world.target().behave("v1", never);
    world.run(30);
    world.target().behave("v2", BAD);
    world.ship("v2");
    world.run(90);
    held(
        &world,
        Guard::NoWayBack,
        "was never seen with a pod that was ready",
    );
    assert_eq!(
        world.count(|record| matches!(record, Record::Ran { .. })),
        0
    );
}

#[test]
fn without_history_it_says_why_the_way_back_is_gone() {
    let mut world = bad(Setup::default());
    world.target().forget("v1");
    world.target().for_rollback.history_limit = Some(0);
    world.run(100);
    held(
        &world,
        Guard::NoWayBack,
        "`revisionHistoryLimit: 0` keeps none",
    );
}
