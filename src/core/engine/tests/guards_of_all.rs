//! Guards that look at all targets, or at the clock: each holds, says so once, and lets go when its reason has gone.

use jiff::SignedDuration;
use jiff::tz::TimeZone;

use super::rules::Setup;
use super::target::BAD;
use super::world::World;
use crate::guard::{AtMost, Freeze, Guard, GuardSettings, Times};
use crate::notice::NoticeKind;
use crate::plan::StepResult;
use crate::record::Record;

fn settled(targets: &[&'static str], guards: impl Fn(&mut GuardSettings)) -> World {
    let mut setup = Setup {
        targets: targets.to_vec(),
        guards: GuardSettings::only(SignedDuration::ZERO, 100),
        watch: 3600,
        ..Setup::default()
    };
    guards(&mut setup.guards);
    World::settled(setup)
}

fn ship_bad(world: &mut World, name: &str, version: &str) {
    let now = world.now;
    world.named(name).behave(version, BAD);
    world.named(name).ship(version, now);
}

fn holds(world: &World, guard: Guard) -> (usize, usize) {
    let began = world
        .count(|record| matches!(record, Record::HoldBegan { hold, .. } if hold.guard == guard));
    let ended = world
        .count(|record| matches!(record, Record::HoldEnded { hold, .. } if hold.guard == guard));
    (began, ended)
}

#[track_caller]
fn plans_until(world: &mut World, seconds: i64, plans: usize) -> i64 {
    world.run_until(seconds, |world| world.plans().len() == plans)
}

fn refuse_all(world: &mut World) {
    world.step_result = Some(Box::new(|_| {
        Some(StepResult::Refused {
            reason: "not allowed to patch deployments".to_owned(),
        })
    }));
}

#[test]
fn after_failed_rollbacks_nothing_is_tried_for_a_while_and_then_one_alone() {
    let names = ["cart", "checkout", "search", "tax"];
    let mut world = settled(&names, |guards| {
        guards.breaker = Times {
            number: 2,
            within: SignedDuration::from_secs(300),
        };
    });
    refuse_all(&mut world);
    for name in ["cart", "checkout"] {
        ship_bad(&mut world, name, "v2");
        world.run(30);
    }
    let last = world.now;
    assert_eq!(world.plans().len(), 2, "{}", world.transcript());
    ship_bad(&mut world, "search", "v2");
    ship_bad(&mut world, "tax", "v2");
    world.run(100);
    assert_eq!(holds(&world, Guard::CircuitBreaker), (2, 0));
    insta::assert_snapshot!(world.read(NoticeKind::Held));
    // Half open: one is tried, the other waits for what comes of it.
    world.step_result = None;
    plans_until(&mut world, 300, 3);
    assert!(world.now - last > 250, "{}", world.transcript());
    world.run(2);
    assert_eq!(world.plans().len(), 3, "{}", world.transcript());
    // It helped: the breaker is closed.
    plans_until(&mut world, 120, 4);
    assert!(world.engine.ledger().setbacks.is_empty());
    world.run(60);
    assert_eq!(world.named("tax").serving(), ["v1"]);
}

#[test]
fn one_more_failure_opens_the_breaker_for_the_whole_time_again() {
    let mut world = settled(&["cart", "checkout"], |guards| {
        guards.breaker = Times {
            number: 1,
            within: SignedDuration::from_secs(200),
        };
    });
    refuse_all(&mut world);
    ship_bad(&mut world, "cart", "v2");
    plans_until(&mut world, 60, 1);
    ship_bad(&mut world, "checkout", "v2");
    plans_until(&mut world, 260, 2);
    let second = world.now;
    ship_bad(&mut world, "cart", "v3");
    plans_until(&mut world, 260, 3);
    assert!(world.now - second >= 200, "{} s", world.now - second);
}

#[test]
fn a_target_that_was_rolled_back_again_and_again_is_left_to_a_person() {
    let mut world = settled(&["checkout"], |guards| {
        guards.flapping = Times {
            number: 2,
            within: SignedDuration::from_secs(400),
        };
    });
    for version in ["v2", "v3"] {
        ship_bad(&mut world, "checkout", version);
        world.run(60);
    }
    let first = world.when(|record| matches!(record, Record::PlanBegan { .. }));
    assert_eq!(world.plans().len(), 2, "{}", world.transcript());
    ship_bad(&mut world, "checkout", "v4");
    world.run(60);
    assert_eq!(holds(&world, Guard::Flapping), (1, 0));
    insta::assert_snapshot!(world.read(NoticeKind::Held));
    plans_until(&mut world, 400, 3);
    assert_eq!(world.now - first, 400);
}

#[test]
fn many_releases_that_fail_at_once_are_held_and_go_back_when_no_more_join() {
    let names = ["cart", "checkout", "search", "tax", "users"];
    let mut world = settled(&names, |guards| {
        guards.many_at_once = Times {
            number: 3,
            within: SignedDuration::from_secs(120),
        };
    });
    for name in names {
        ship_bad(&mut world, name, "v2");
    }
    world.run(100);
    // Who is first cannot know; from the third on it is no longer the release.
    assert_eq!(world.plans().len(), 2, "{}", world.transcript());
    assert_eq!(holds(&world, Guard::ManyAtOnce), (3, 0));
    insta::assert_snapshot!(world.read(NoticeKind::Held));
    let mut failed = world.records(|record| matches!(record, Record::Failed { .. }).then_some(()));
    let last = failed.by_ref().last().map(|(at, ())| at).expect("failed");
    drop(failed);
    plans_until(&mut world, 200, 5);
    // And a second for what the nodes say, who are asked where several fail.
    assert_eq!(world.now - last, 121);
}

#[test]
fn one_at_a_time_waits_until_the_one_before_is_seen_to_have_helped() {
    let mut world = settled(&["cart", "checkout"], |guards| {
        guards.at_once = AtMost::Number(1);
    });
    ship_bad(&mut world, "cart", "v2");
    ship_bad(&mut world, "checkout", "v2");
    plans_until(&mut world, 60, 1);
    let gone = |world: &World| {
        world.count(|record| matches!(record, Record::VerificationEnded { .. })) > 0
    };
    world.run_until(120, |world| {
        let (gone, plans) = (gone(world), world.plans().len());
        assert!(gone || plans == 1, "{}", world.transcript());
        gone
    });
    plans_until(&mut world, 5, 2);
    assert_eq!(AtMost::Percent(10).of(25), 2);
    assert_eq!(AtMost::Percent(10).of(3), 1);
}

#[test]
fn nothing_is_rolled_back_in_a_freeze_and_at_its_end_what_still_fails_is() {
    let mut world = settled(&["checkout"], |guards| {
        // The world begins at midnight.
        let freeze = Freeze::read("0 0 * * * for 5m", |_| None::<TimeZone>).expect("reads");
        guards.freezes = vec![freeze].into();
    });
    ship_bad(&mut world, "checkout", "v2");
    world.run(60);
    assert_eq!(holds(&world, Guard::Freeze), (1, 0));
    insta::assert_snapshot!(world.read(NoticeKind::Held));
    plans_until(&mut world, 300, 1);
    assert_eq!(world.now, 300);
}

#[test]
fn outside_of_its_namespaces_it_only_tells() {
    let mut world = settled(&["checkout"], |guards| {
        guards.namespaces = vec!["staging".to_owned(), "tools".to_owned()].into();
    });
    ship_bad(&mut world, "checkout", "v2");
    world.run(200);
    assert_eq!(holds(&world, Guard::Scope), (1, 0));
    assert!(world.plans().is_empty());
    insta::assert_snapshot!(world.read(NoticeKind::Held));
}

#[test]
fn without_the_labels_that_it_needs_it_only_tells() {
    let mut world = settled(&["cart", "checkout"], |guards| {
        guards.labels = vec![("team".to_owned(), "shop".to_owned())].into();
    });
    let label = ("team".to_owned(), "shop".to_owned());
    world.named("cart").labels.extend([label]);
    world.run(2);
    ship_bad(&mut world, "checkout", "v2");
    world.run(100);
    assert_eq!(holds(&world, Guard::Scope), (1, 0));
    assert!(world.plans().is_empty());
    insta::assert_snapshot!(world.read(NoticeKind::Held));
    ship_bad(&mut world, "cart", "v2");
    plans_until(&mut world, 100, 1);
}

#[test]
fn when_nodes_are_not_well_and_others_fail_too_nothing_is_taken_back_until_they_are() {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    use crate::target::{NodeReport, TroubledPod};

    let mut world = settled(&["cart", "checkout"], |_| {});
    let well = Arc::new(AtomicBool::new(false));
    let now = Arc::clone(&well);
    world.nodes_say = Some(Box::new(move |_, pods| {
        let troubled = pods.iter().take(2).map(|pod| TroubledPod {
            pod: pod.clone(),
            node: "node-1".to_owned(),
            why: "NotReady".to_owned(),
        });
        Ok(NodeReport {
            pods: 3,
            troubled: if now.load(Ordering::Relaxed) {
                Vec::new()
            } else {
                troubled.collect()
            },
        })
    }));
    // The first that fails fails alone: nobody asks about nodes then.
    for name in ["cart", "checkout"] {
        world.named(name).kill_switch = Some("namespace `shop`".to_owned());
        ship_bad(&mut world, name, "v2");
    }
    world.run(60);
    for name in ["cart", "checkout"] {
        world.named(name).kill_switch = None;
    }
    world.run(60);
    assert_eq!(
        holds(&world, Guard::Nodes),
        (2, 0),
        "{}",
        world.transcript()
    );
    assert!(world.plans().is_empty());
    let snapshot = world.engine.snapshot(super::world::at(world.now));
    insta::assert_snapshot!(snapshot.targets[0].holds[0].reason);
    well.store(true, Ordering::Relaxed);
    plans_until(&mut world, 90, 2);
}

#[test]
fn nodes_that_cannot_be_read_hold_nothing() {
    let mut world = settled(&["cart", "checkout"], |_| {});
    world.nodes_say = Some(Box::new(|_, _| Err("not allowed to get nodes".to_owned())));
    for name in ["cart", "checkout"] {
        ship_bad(&mut world, name, "v2");
    }
    plans_until(&mut world, 60, 2);
    assert_eq!(holds(&world, Guard::Nodes), (0, 0));
}
