//! Rules that change while releases are watched: what did not change goes on, and nothing is lost or judged twice.

use super::rules::{Setup, errors, latency, success};
use super::target::{BAD, GOOD};
use super::world::World;
use crate::engine::{Inputs, Loaded, Refused, Reload};
use crate::notice::NoticeKind;
use crate::record::Record;

/// The agent found changed files, with what `setup` says now.
pub(super) fn reload(world: &mut World) {
    for name in world.setup.targets.clone() {
        let id = world.setup.id(name);
        let seed = world.setup.seed;
        let target = || super::target::Target::new(id.clone(), seed);
        world.targets.entry(id.clone()).or_insert_with(target);
    }
    let loaded = Loaded {
        book: world.setup.book(),
        settings: world.setup.settings(),
        digest: "good".to_owned(),
        need_restart: Vec::new(),
    };
    world.tick(Inputs {
        reloads: vec![Reload::Loaded(Box::new(loaded))],
        ..Inputs::default()
    });
}

fn refuse(world: &mut World, digest: &str) {
    let refused = Refused {
        digest: digest.to_owned(),
        faults: vec!["rules/http.yaml:3:1: there is no field `maxx`".to_owned()],
    };
    world.tick(Inputs {
        reloads: vec![Reload::Refused(refused)],
        ..Inputs::default()
    });
}

fn events(world: &World, rule: &str) -> f64 {
    let snapshot = world.engine.snapshot(super::world::at(world.now));
    let analysis = snapshot.targets[0].analysis.as_ref().expect("one runs");
    let finding = analysis
        .findings
        .iter()
        .find(|finding| finding.rule.as_str() == rule)
        .unwrap_or_else(|| panic!("no finding of {rule}: {analysis:?}"));
    finding.canary.events
}

#[test]
fn a_reload_of_the_same_changes_nothing() {
    let run = |every: i64| {
        let mut world = World::settled(Setup::default());
        world.target().behave("v2", BAD);
        world.ship("v2");
        for second in 0..90 {
            if every > 0 && second % every == 0 {
                reload(&mut world);
            }
            world.second();
        }
        let journal: Vec<Record> = world
            .journal
            .iter()
            .map(|(_, record)| record.clone())
            .filter(|record| !matches!(record, Record::Reloaded { .. }))
            .collect();
        (journal, world.kinds())
    };
    let (quiet, told) = run(0);
    assert!(told.contains(&NoticeKind::Restored), "{told:?}");
    let (reloaded, told_too) = run(1);
    assert_eq!(told, told_too);
    assert_eq!(quiet, reloaded);
}

#[test]
fn evidence_of_a_rule_that_stays_is_kept_and_a_new_one_begins_empty() {
    let mut world = World::settled(Setup::with(vec![errors(0.05)]));
    world.ship("v2");
    world.run(40);
    let before = events(&world, "http/errors");
    assert!(before > 100.0, "{before}");
    world.setup.rules.push(latency(Some(1.0)));
    reload(&mut world);
    world.second();
    assert!(events(&world, "http/errors") >= before * 0.8);
    world.run(2);
    let new = events(&world, "http/latency");
    assert!(new < before / 4.0, "{new} of {before}");
    world.run(10);
    assert!(events(&world, "http/latency") > new, "it is measured");
    assert!(world.endings().is_empty(), "{}", world.transcript());
    world.run(300);
    assert_eq!(world.told(NoticeKind::Passed), 1, "{}", world.transcript());
}

#[test]
fn a_tighter_limit_finds_what_the_old_one_let_pass_and_begins_with_empty_evidence() {
    let mut world = World::settled(Setup::with(vec![errors(0.5)]));
    world.target().behave("v2", BAD);
    world.ship("v2");
    world.run(60);
    assert!(world.plans().is_empty(), "{}", world.transcript());
    world.setup.rules = vec![errors(0.05)];
    reload(&mut world);
    assert!(
        world.plans().is_empty(),
        "no evidence yet: {}",
        world.transcript()
    );
    world.run_until(20, |world| !world.plans().is_empty());
}

#[test]
fn a_rule_that_was_removed_decides_no_more() {
    let mut world = World::settled(Setup::with(vec![errors(0.05), success(0.1)]));
    world.target().behave("v2", BAD);
    world.ship("v2");
    // It has traffic, and not enough of it to be judged.
    world.run_until(20, |world| {
        world.count(|record| matches!(record, Record::FirstTraffic { .. })) > 0
    });
    assert!(world.plans().is_empty(), "{}", world.transcript());
    world.setup.rules.remove(0);
    reload(&mut world);
    world.run(60);
    assert!(world.plans().is_empty(), "{}", world.transcript());
}

#[test]
fn a_watch_that_goes_ends_its_analysis_and_one_that_comes_begins_with_first_sight() {
    let mut world = World::settled(Setup::default());
    world.ship("v2");
    world.run(20);
    world.setup.targets = vec!["payments"];
    reload(&mut world);
    assert_eq!(world.endings().len(), 1, "{}", world.transcript());
    let snapshot = world.engine.snapshot(super::world::at(world.now));
    assert_eq!(snapshot.targets.len(), 1);
    world.run(30);
    let seen = world
        .records(|record| match record {
            Record::TargetSeen { target, .. } => Some(target.name.clone()),
            _ => None,
        })
        .map(|(_, name)| name)
        .collect::<Vec<_>>();
    assert_eq!(seen, ["checkout", "payments"], "{}", world.transcript());
    world.named("payments").behave("v2", BAD);
    let now = world.now;
    world.named("payments").ship("v2", now);
    world.run_until(60, |world| !world.plans().is_empty());
}

#[test]
fn a_plan_under_way_goes_on_when_rules_change() {
    let mut world = World::settled(Setup::default());
    world.target().behave("v2", BAD);
    world.ship("v2");
    world.run_until(60, |world| !world.commands.is_empty());
    world.setup.rules = vec![errors(0.05), latency(Some(1.0))];
    reload(&mut world);
    world.run(60);
    assert_eq!(world.commands.len(), 1, "{}", world.transcript());
    assert_eq!(
        world.told(NoticeKind::Restored),
        1,
        "{}",
        world.transcript()
    );
}

#[test]
fn a_refused_reload_is_told_once_per_fault_and_its_mending_once() {
    let mut world = World::settled(Setup::default());
    world.ship("v2");
    world.run(5);
    for digest in ["broken", "broken", "worse", "worse"] {
        refuse(&mut world, digest);
        world.second();
    }
    assert_eq!(world.told(NoticeKind::ReloadFailed), 2);
    let read = world.read(NoticeKind::ReloadFailed);
    assert!(read.contains("`maxx`"), "{read}");
    // The agent is told nothing anew by a restart with the same files: it could not start with them.
    reload(&mut world);
    reload(&mut world);
    world.run(310);
    assert_eq!(
        world.told(NoticeKind::Reloaded),
        1,
        "{}",
        world.transcript()
    );
    assert_eq!(world.told(NoticeKind::Passed), 1, "{}", world.transcript());
}

#[test]
fn a_restart_with_mended_files_says_so() {
    let mut world = World::settled(Setup::default());
    refuse(&mut world, "broken");
    world.restart();
    world.run(5);
    assert_eq!(
        world.told(NoticeKind::Reloaded),
        1,
        "{}",
        world.transcript()
    );
}

#[test]
fn a_crash_after_a_reload_goes_on_with_what_was_loaded() {
    let mut world = World::settled(Setup::with(vec![errors(0.5)]));
    world.target().behave("v2", GOOD);
    world.ship("v2");
    world.run(30);
    world.setup.rules = vec![errors(0.4)];
    reload(&mut world);
    world.run(5);
    world.restart();
    world.run(3);
    // Evidence of the old limit was not taken up under the new one's name.
    assert!(
        events(&world, "http/errors") < 400.0,
        "{}",
        world.transcript()
    );
}
