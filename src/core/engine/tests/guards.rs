//! Every guard: it holds, is told once, is in the journal, ends, and then what was held happens, or does not.

use jiff::SignedDuration;

use super::rules::{Setup, errors, latency};
use super::target::{BAD, Behaviour, GOOD};
use super::world::World;
use crate::analysis::Ending;
use crate::guard::{Guard, GuardSettings};
use crate::notice::NoticeKind;
use crate::record::Record;
use crate::rule::Rule;

fn bad(setup: Setup) -> World {
    let mut world = World::settled(setup);
    world.target().behave("v2", BAD);
    world.ship("v2");
    world
}

fn began(world: &World, guard: Guard) -> usize {
    world.count(|record| matches!(record, Record::HoldBegan { hold, .. } if hold.guard == guard))
}

fn ended(world: &World, guard: Guard) -> usize {
    world.count(|record| matches!(record, Record::HoldEnded { hold, .. } if hold.guard == guard))
}

/// Held from the beginning, told once, and seen in the snapshot.
#[track_caller]
fn held(world: &World, guard: Guard) {
    assert!(world.plans().is_empty(), "{}", world.transcript());
    assert_eq!(began(world, guard), 1, "{}", world.transcript());
    assert_eq!(ended(world, guard), 0, "{}", world.transcript());
    assert_eq!(world.told(NoticeKind::Held), 1, "{}", world.transcript());
    let snapshot = world.engine.snapshot(super::world::at(world.now));
    let holds = &snapshot.targets[0].holds;
    assert!(
        holds.iter().any(|hold| hold.guard == guard),
        "{holds:?} in the snapshot"
    );
}

fn with_guards(change: impl Fn(&mut GuardSettings)) -> Setup {
    let mut setup = Setup::default();
    change(&mut setup.guards);
    setup
}

#[test]
fn a_kill_switch_that_is_lifted_while_the_rule_fails_lets_the_rollback_go() {
    let mut world = World::settled(Setup::default());
    world.target().kill_switch = Some("namespace `shop`".to_owned());
    world.target().behave("v2", BAD);
    world.ship("v2");
    world.run(100);
    held(&world, Guard::KillSwitch);
    assert!(world.target().writes.is_empty());
    insta::assert_snapshot!(world.read(NoticeKind::Held));
    world.target().kill_switch = None;
    let took = world.run_until(60, |world| !world.commands.is_empty());
    assert!(took <= 2, "{took} s");
    assert_eq!(ended(&world, Guard::KillSwitch), 1);
    world.run(60);
    assert_eq!(world.target().serving(), ["v1"]);
}

#[test]
fn a_kill_switch_that_is_lifted_after_the_symptom_has_gone_lets_nothing_happen() {
    let mut world = World::settled(Setup::default());
    world.target().kill_switch = Some("namespace `shop`".to_owned());
    world.target().behave("v2", BAD);
    world.ship("v2");
    world.run(60);
    world.target().behave("v2", GOOD);
    world.run(60);
    world.target().kill_switch = None;
    world.run(250);
    assert!(world.plans().is_empty(), "{}", world.transcript());
    assert_eq!(began(&world, Guard::SymptomGone), 1);
    assert_eq!(world.endings(), [Ending::Fail]);
    insta::assert_snapshot!(world.transcript());
    insta::assert_snapshot!(world.read(NoticeKind::Held));
}

#[test]
fn the_kill_switch_of_the_settings_holds_everything() {
    let mut world = bad(with_guards(|guards| guards.kill_switch = true));
    world.run(100);
    held(&world, Guard::KillSwitch);
    world.run(400);
    assert!(world.target().writes.is_empty());
}

#[test]
fn a_dry_run_of_the_process_or_of_the_watch_tells_and_does_nothing() {
    for setup in [
        with_guards(|guards| guards.dry_run = true),
        Setup {
            dry_run: true,
            ..Setup::default()
        },
    ] {
        let mut world = bad(setup);
        world.run(100);
        held(&world, Guard::DryRun);
        assert!(
            world
                .read(NoticeKind::Held)
                .contains("Without the dry run it would go back to revision v1"),
            "{}",
            world.read(NoticeKind::Held)
        );
        world.run(400);
        assert!(world.target().writes.is_empty());
        assert_eq!(
            world.told(NoticeKind::Held),
            2,
            "at its beginning, and at its end"
        );
        assert_eq!(world.endings(), [Ending::Fail]);
    }
}

#[test]
fn a_dry_rule_tells_and_does_not_stop_the_others() {
    let dry = Rule {
        dry_run: true,
        ..errors(0.05)
    };
    let mut world = World::settled(Setup::with(vec![dry, latency(Some(0.25))]));
    world.target().behave("v2", BAD);
    world.ship("v2");
    world.run(100);
    held(&world, Guard::DryRun);
    insta::assert_snapshot!(world.read(NoticeKind::Held));
    world.target().behave("v2", Behaviour { slow: 4.0, ..BAD });
    world.run_until(60, |world| !world.commands.is_empty());
    assert!(
        !world.read(NoticeKind::RollingBack).contains("http/errors"),
        "{}",
        world.read(NoticeKind::RollingBack)
    );
}

#[test]
fn without_rollback_a_failed_release_is_told_and_left() {
    let mut world = bad(Setup {
        rollback: false,
        ..Setup::default()
    });
    world.run(100);
    assert_eq!(world.endings(), [Ending::Fail]);
    assert_eq!(world.kinds(), [NoticeKind::Held]);
    assert!(world.plans().is_empty());
    insta::assert_snapshot!(world.read(NoticeKind::Held));
}

#[test]
fn a_second_rollback_waits_for_the_cool_down_and_then_goes() {
    let mut world = bad(with_guards(|guards| {
        guards.cool_down = SignedDuration::from_secs(120);
    }));
    world.run(40);
    assert_eq!(world.plans().len(), 1);
    let first = world.when(|record| matches!(record, Record::PlanBegan { .. }));
    world.target().behave("v3", BAD);
    world.ship("v3");
    world.run(30);
    assert_eq!(began(&world, Guard::CoolDown), 1);
    assert_eq!(world.told(NoticeKind::Held), 1);
    insta::assert_snapshot!(world.read(NoticeKind::Held));
    world.run_until(120, |world| world.plans().len() == 2);
    assert_eq!(world.now - first, 120);
    world.run(30);
    assert_eq!(world.target().serving(), ["v1"]);
}

#[test]
fn only_so_many_rollbacks_an_hour_are_made_over_all_targets() {
    let mut setup = with_guards(|guards| guards.actions_per_hour = 2);
    setup.targets = vec!["cart", "checkout", "search"];
    setup.watch = 7200;
    let mut world = World::settled(setup);
    for (index, name) in ["cart", "checkout", "search"].into_iter().enumerate() {
        let now = world.now;
        world.named(name).behave("v2", BAD);
        world.named(name).ship("v2", now);
        world.run(60);
        assert_eq!(world.plans().len(), (index + 1).min(2));
    }
    let first = world.when(|record| matches!(record, Record::PlanBegan { .. }));
    assert_eq!(began(&world, Guard::ActionRate), 1);
    insta::assert_snapshot!(world.read(NoticeKind::Held));
    world.run_until(3600, |world| world.plans().len() == 3);
    assert_eq!(world.now - first, 3600);
    assert_eq!(world.told(NoticeKind::Held), 1);
}

#[test]
fn no_rollback_an_hour_is_a_limit_too() {
    let mut world = bad(with_guards(|guards| guards.actions_per_hour = 0));
    world.run(100);
    held(&world, Guard::ActionRate);
}

#[test]
fn a_baseline_as_bad_as_the_canary_is_told_and_ends_without_a_verdict() {
    let mut world = World::new(Setup {
        watch: 60,
        ..Setup::rollout()
    });
    world.target().rate = 40;
    world.run(60);
    world.ship("v2");
    world.run(20);
    world.target().behave("v1", BAD);
    world.target().behave("v2", BAD);
    world.run(60);
    held(&world, Guard::BaselineAlsoBad);
    insta::assert_snapshot!(world.read(NoticeKind::Held));
    world.target().behave("v1", GOOD);
    world.target().behave("v2", GOOD);
    world.run(60);
    assert_eq!(ended(&world, Guard::BaselineAlsoBad), 1);
}

#[test]
fn old_pain_is_not_blamed_on_the_release_that_follows_it() {
    let mut world = World::settled(Setup::default());
    world.target().behave("v1", BAD);
    world.run(600);
    world.target().behave("v2", BAD);
    world.ship("v2");
    world.run(100);
    held(&world, Guard::BaselineAlsoBad);
    insta::assert_snapshot!(world.read(NoticeKind::Held));
}

#[test]
fn a_release_on_top_of_a_failed_one_is_not_compared_with_that() {
    let mut world = bad(Setup {
        rollback: false,
        ..Setup::default()
    });
    world.run(700);
    world.setup.rollback = true;
    world.restart();
    world.run(600);
    world.target().behave("v3", BAD);
    world.ship("v3");
    world.run_until(60, |world| !world.commands.is_empty());
    world.run(30);
    assert_eq!(world.target().serving(), ["v1"]);
}

#[test]
fn a_paused_target_is_not_touched_until_it_is_resumed() {
    let mut world = World::settled(Setup::default());
    world.target().behave("v2", BAD);
    world.target().paused = true;
    world.ship("v2");
    world.run(60);
    held(&world, Guard::ObjectChanged);
    insta::assert_snapshot!(world.read(NoticeKind::Held));
    world.target().paused = false;
    world.run_until(5, |world| !world.commands.is_empty());
}

#[test]
fn a_way_back_that_is_gone_is_told_and_nothing_else_is_tried() {
    let mut world = bad(Setup::default());
    world.target().forget("v1");
    world.run(100);
    held(&world, Guard::NoWayBack);
    insta::assert_snapshot!(world.read(NoticeKind::Held));
}

#[test]
fn without_any_revision_that_did_not_fail_there_is_no_way_back() {
    // v1 is bad and comes back only because somebody shipped it: the hash has failed.
    let mut world = bad(Setup::default());
    world.run(60);
    assert_eq!(world.plans().len(), 1);
    let known = &world.engine.ledger().targets[&world.setup.id("checkout")];
    assert_eq!(
        known.way_back(&"v1".into()),
        None,
        "v2 failed and v1 is the canary"
    );
}

#[test]
fn little_data_beyond_the_limit_is_told_once() {
    let mut world = World::settled(Setup::default());
    world.target().rate = 1;
    world.target().every = 10;
    world.target().behave(
        "v2",
        Behaviour {
            errors: 1.0,
            ..GOOD
        },
    );
    world.ship("v2");
    world.run(120);
    held(&world, Guard::TooLittleData);
    insta::assert_snapshot!(world.read(NoticeKind::Held));
}

#[test]
fn holds_whose_words_change_every_second_are_one_hold() {
    let mut world = World::settled(Setup::default());
    world.target().kill_switch = Some("namespace `shop`".to_owned());
    world.target().behave("v2", BAD);
    world.ship("v2");
    world.run(200);
    let holds = world.count(|record| {
        matches!(
            record,
            Record::HoldBegan { .. } | Record::HoldEnded { .. } | Record::Noticed(_)
        )
    });
    assert_eq!(holds, 2, "{}", world.transcript());
}

#[test]
fn after_a_restart_a_hold_is_not_told_again() {
    let mut world = World::settled(Setup::default());
    world.target().kill_switch = Some("namespace `shop`".to_owned());
    world.target().behave("v2", BAD);
    world.ship("v2");
    world.run(60);
    world.restart();
    world.run(60);
    held(&world, Guard::KillSwitch);
    world.target().kill_switch = None;
    world.run_until(5, |world| !world.commands.is_empty());
}

#[test]
fn two_failing_rules_are_one_message() {
    let mut world = World::settled(Setup::with(vec![errors(0.05), latency(Some(0.25))]));
    world.target().rate = 40;
    world.target().behave("v2", Behaviour { slow: 8.0, ..BAD });
    world.ship("v2");
    world.run(60);
    assert_eq!(world.told(NoticeKind::RollingBack), 1);
    insta::assert_snapshot!(world.read(NoticeKind::RollingBack));
    insta::assert_snapshot!(world.read(NoticeKind::Restored));
}
