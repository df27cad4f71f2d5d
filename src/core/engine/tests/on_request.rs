//! Targets that are watched because somebody asked about them: judged like any other, few at once, and let go again.

use super::rules::Setup;
use super::target::BAD;
use super::world::{World, at};
use crate::analysis::Ending;
use crate::engine::Inputs;
use crate::hook::Hook;
use crate::ids::WatchName;
use crate::record::Record;
use crate::snapshot::TargetSnapshot;

fn setup(asked: &[&'static str], most: usize) -> Setup {
    Setup {
        targets: Vec::new(),
        asked: asked.to_vec(),
        most_asked: most,
        ..Setup::default()
    }
}

fn by(name: &str) -> WatchName {
    WatchName {
        namespace: "shop".to_owned(),
        name: name.to_owned(),
    }
}

fn ask(world: &mut World, name: &str) {
    let target = world.setup.id(name);
    world.tick(Inputs {
        hooks: vec![Hook::Wanted {
            target: target.clone(),
            by: by("asked"),
        }],
        ..Inputs::default()
    });
    world.show_again(&target);
}

fn watched(world: &World) -> Vec<String> {
    let snapshot = world.engine.snapshot(at(world.now));
    let name = |target: &TargetSnapshot| target.target.name.clone();
    snapshot.targets.iter().map(name).collect()
}

#[test]
fn what_is_asked_about_is_judged_from_then_on_also_after_a_restart() {
    let mut world = World::settled(setup(&["checkout"], 200));
    assert!(watched(&world).is_empty(), "nobody asked");
    ask(&mut world, "checkout");
    ask(&mut world, "checkout");
    world.run(60);
    let taken = |record: &Record| matches!(record, Record::TakenUp { .. });
    assert_eq!(world.count(taken), 1, "{}", world.transcript());
    world.target().behave("v2", BAD);
    world.ship("v2");
    world.run(3);
    world.restart();
    assert_eq!(watched(&world), ["checkout"]);
    world.run_until(120, |world| world.endings() == [Ending::Fail]);
    world.run(60);
    assert_eq!(world.plans().len(), 1, "it was taken back");
}

#[test]
fn what_is_over_is_let_go_and_forgotten() {
    let mut world = World::settled(setup(&["checkout"], 200));
    ask(&mut world, "checkout");
    world.run(30);
    world.ship("v2");
    world.run_until(600, |world| world.endings() == [Ending::Pass]);
    assert_eq!(watched(&world), ["checkout"]);
    let waited = world.run_until(3700, |world| watched(world).is_empty());
    assert!((3590..=3610).contains(&waited), "{waited}");
    let ledger = world.engine.ledger();
    assert!(ledger.taken.is_empty() && ledger.targets.is_empty());
    world.restart();
    world.run(5);
    assert!(watched(&world).is_empty());
}

#[test]
fn there_are_never_more_than_allowed_and_the_longest_idle_makes_room() {
    let mut world = World::settled(setup(&["a", "b", "c"], 2));
    ask(&mut world, "a");
    world.run(10);
    ask(&mut world, "b");
    world.run(10);
    ask(&mut world, "c");
    assert_eq!(watched(&world), ["a", "b"], "both may be asked about again");
    let a = world.setup.id("a");
    let now = world.now;
    let target = world.targets.get_mut(&a).expect("it is there");
    target.ship("v2", now);
    world.run(150);
    ask(&mut world, "c");
    assert_eq!(
        watched(&world),
        ["a", "c"],
        "that of which nothing is judged"
    );
    // None at all, and what nothing allows.
    world.setup.most_asked = 0;
    super::reload::reload(&mut world);
    ask(&mut world, "b");
    let before = world.journal.len();
    for number in 0..3000 {
        let mut target = world.setup.id("stranger");
        target.name = format!("stranger-{number}");
        let elsewhere = crate::ids::TargetId {
            namespace: "pay".to_owned(),
            ..target.clone()
        };
        let wanted = |target, name| Hook::Wanted {
            target,
            by: by(name),
        };
        world.tick(Inputs {
            hooks: vec![wanted(target, "other"), wanted(elsewhere, "asked")],
            ..Inputs::default()
        });
    }
    assert_eq!(world.journal.len(), before, "{}", world.transcript());
    assert_eq!(watched(&world), ["a", "c"]);
}

#[test]
fn what_no_watch_allows_any_more_is_let_go() {
    for restarts in [false, true] {
        let mut world = World::settled(setup(&["checkout"], 200));
        ask(&mut world, "checkout");
        world.run(5);
        world.ship("v2");
        world.run(5);
        world.setup.asked.clear();
        if restarts {
            world.restart();
            world.run(1);
        } else {
            super::reload::reload(&mut world);
        }
        assert!(watched(&world).is_empty());
        let endings = world.endings();
        assert!(
            matches!(endings.as_slice(), [Ending::Superseded { .. }]),
            "{endings:?}"
        );
        let ledger = world.engine.ledger();
        assert!(ledger.taken.is_empty() && ledger.targets.is_empty());
    }
}

#[test]
fn one_that_a_watch_names_by_then_stays() {
    let mut world = World::settled(setup(&["checkout"], 200));
    ask(&mut world, "checkout");
    world.run(5);
    world.ship("v2");
    world.run(5);
    world.setup.targets = vec!["checkout"];
    super::reload::reload(&mut world);
    world.run(4000);
    assert_eq!(watched(&world), ["checkout"]);
    assert_eq!(world.endings(), [Ending::Pass]);
    let snapshot = world.engine.snapshot(at(world.now));
    assert!(!snapshot.targets[0].on_request);
}
