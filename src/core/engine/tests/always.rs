//! Rules between releases: incidents, their recovery, and what is scaled because of them.

mod crash;
mod scaling;
mod values;

use std::sync::Arc;
use std::time::Duration;

use super::rules::{CHANNEL, Setup, errors};
use super::target::{BAD, GOOD};
use super::workers::{state, worker};
use super::world::{World, at};
use crate::guard::Guard;
use crate::incident::{IncidentEnd, ScalingEnd};
use crate::notice::NoticeKind;
use crate::observation::{Cause, Observation};
use crate::record::Record;
use crate::rule::{Always, Rule, Scale, ScaleTo};

/// To five workers.
pub(super) fn to_five() -> Scale {
    Scale {
        target: worker(),
        to: ScaleTo::Replicas(5),
        ceiling: None,
        undo_after: None,
    }
}

pub(super) fn undone_after(seconds: u64) -> Scale {
    Scale {
        undo_after: Some(Duration::from_secs(seconds)),
        ..to_five()
    }
}

/// At most 5 % of errors in a minute, for ten seconds.
pub(super) fn always(scale: Option<Scale>) -> Always {
    Always {
        recovery: Always::RECOVERY,
        rule: Arc::new(Rule {
            lasting: Duration::from_secs(10),
            ..errors(0.05)
        }),
        window: Duration::from_mins(1),
        scale,
        run: None,
        notify: vec![CHANNEL.into()],
    }
}

pub(super) fn setup(scale: Option<Scale>) -> Setup {
    Setup {
        always: vec![always(scale)],
        ..Setup::default()
    }
}

/// A service that has been good for a minute, with two workers.
pub(super) fn settled(setup: Setup) -> World {
    let mut world = World::settled(setup);
    world.workers.state = Some(state(2));
    world
}

pub(super) fn breaks(world: &mut World) {
    world.target().behave("v1", BAD);
    world.run_until(60, |world| incidents(world) > 0);
}

pub(super) fn heals(world: &mut World) {
    world.target().behave("v1", GOOD);
    let before = ended(world).len();
    world.run_until(300, |world| ended(world).len() > before);
}

pub(super) fn incidents(world: &World) -> usize {
    world.count(|record| matches!(record, Record::IncidentBegan { .. }))
}

pub(super) fn ended(world: &World) -> Vec<IncidentEnd> {
    let ended = world.records(|record| match record {
        Record::IncidentEnded { end, .. } => Some(end.clone()),
        _ => None,
    });
    ended.map(|(_, end)| end).collect()
}

pub(super) fn scalings(world: &World) -> Vec<ScalingEnd> {
    let ended = world.records(|record| match record {
        Record::ScalingEnded { end, .. } => Some(end.clone()),
        _ => None,
    });
    ended.map(|(_, end)| end).collect()
}

fn guards(world: &World) -> Vec<Guard> {
    let held = world.records(|record| match record {
        Record::ScalingHeld { hold, .. } => Some(hold.guard),
        _ => None,
    });
    held.map(|(_, guard)| guard).collect()
}

pub(super) fn numbers(world: &World) -> Vec<(u32, u32)> {
    let writes = world.workers.writes.iter();
    writes.map(|change| (change.from, change.to)).collect()
}

/// How long after its last bad answer a rule of this recovery, and of so long a `for`, has recovered; its window is
/// half a minute.
fn recovers_in(recovery: u64, lasting: u64) -> i64 {
    let always = Always {
        rule: Arc::new(Rule {
            lasting: Duration::from_secs(lasting),
            ..errors(0.05)
        }),
        window: Duration::from_secs(30),
        recovery: Duration::from_secs(recovery),
        ..always(None)
    };
    let mut world = settled(Setup {
        always: vec![always],
        ..Setup::default()
    });
    breaks(&mut world);
    let good_since = world.now;
    heals(&mut world);
    assert_eq!(ended(&world).len(), 1, "{}", world.transcript());
    world.now - good_since
}

#[test]
fn it_has_recovered_when_it_was_kept_for_as_long_as_the_watch_says_and_as_it_must_be_broken() {
    let (quick, usual, slow) = (recovers_in(10, 0), recovers_in(60, 0), recovers_in(90, 0));
    assert_eq!(
        (usual - quick, slow - usual),
        (50, 30),
        "{quick} {usual} {slow}"
    );
    // What must be broken for so long is not well any sooner.
    assert_eq!(recovers_in(10, 40), recovers_in(40, 40));
    assert_eq!(recovers_in(60, 40) - recovers_in(10, 40), 20);
}

#[test]
fn a_broken_rule_is_one_incident_until_it_has_recovered() {
    let mut world = settled(setup(None));
    let bad_since = world.now;
    breaks(&mut world);
    assert!(world.now - bad_since >= 10, "it has to last");
    world.run(120);
    assert_eq!(incidents(&world), 1, "{}", world.transcript());
    assert!(world.plans().is_empty(), "no release, no rollback");
    let snapshot = world.engine.snapshot(at(world.now));
    let open = snapshot.targets[0].always[0].incident.as_ref();
    assert!(open.is_some_and(|open| open.scale.is_none()));
    let good_since = world.now;
    heals(&mut world);
    assert!(
        world.now - good_since >= 60,
        "it has to be kept for a minute"
    );
    world.run(120);
    assert_eq!(
        world.kinds(),
        [NoticeKind::IncidentBegan, NoticeKind::IncidentEnded]
    );
    assert_eq!(world.notices[0].correlation, world.notices[1].correlation);
    insta::assert_snapshot!(world.read(NoticeKind::IncidentBegan));
    insta::assert_snapshot!(world.read(NoticeKind::IncidentEnded));
    world.target().behave("v1", BAD);
    world.run(60);
    assert_eq!(incidents(&world), 2, "it is armed again");
}

#[test]
fn a_moment_beyond_the_limit_is_no_incident_and_a_moment_within_no_recovery() {
    let mut world = settled(Setup {
        always: vec![Always {
            recovery: Always::RECOVERY,
            rule: Arc::new(Rule {
                lasting: Duration::from_mins(1),
                ..errors(0.05)
            }),
            window: Duration::from_secs(30),
            ..always(None)
        }],
        ..Setup::default()
    });
    for _ in 0..3 {
        world.target().behave("v1", BAD);
        world.run(20);
        world.target().behave("v1", GOOD);
        world.run(60);
    }
    assert_eq!(incidents(&world), 0, "{}", world.transcript());
    world.target().behave("v1", BAD);
    world.run_until(120, |world| incidents(world) > 0);
    for _ in 0..3 {
        world.target().behave("v1", GOOD);
        world.run(60);
        world.target().behave("v1", BAD);
        world.run(30);
    }
    assert!(ended(&world).is_empty(), "{}", world.transcript());
}

#[test]
fn no_incident_begins_while_a_release_fails_and_an_open_one_goes_on() {
    let mut world = settled(setup(None));
    world.target().behave("v2", BAD);
    world.ship("v2");
    world.run(40);
    assert_eq!(world.plans().len(), 1);
    world.run(120);
    assert_eq!(incidents(&world), 0, "{}", world.transcript());
    // Old pain goes on through a release.
    let mut world = settled(setup(None));
    breaks(&mut world);
    world.ship("v2");
    world.run(30);
    assert!(ended(&world).is_empty());
    assert_eq!(incidents(&world), 1);
}

#[test]
fn no_data_neither_opens_nor_ends_an_incident_and_is_told_once() {
    let mut world = settled(setup(None));
    breaks(&mut world);
    world.lie = Some(Box::new(|_, _, _| {
        Some(Observation::NoData {
            reason: "nothing exposes it".to_owned(),
        })
    }));
    world.run(900);
    assert!(ended(&world).is_empty(), "{}", world.transcript());
    assert_eq!(world.told(NoticeKind::RuleWithoutData), 1);
    insta::assert_snapshot!(world.read(NoticeKind::RuleWithoutData));
    world.lie = None;
    world.target().behave("v1", GOOD);
    world.run_until(600, |world| !ended(world).is_empty());
    assert_eq!(
        world.count(|record| matches!(record, Record::DataBack { .. })),
        1
    );
}

#[test]
fn a_lost_source_is_told_once_and_not_for_each_rule() {
    let mut world = settled(setup(None));
    world.lie = Some(Box::new(|_, _, _| {
        Some(Observation::Unavailable {
            cause: Cause::Down,
            reason: "connection refused".to_owned(),
        })
    }));
    world.run(900);
    assert_eq!(world.told(NoticeKind::RuleWithoutData), 0);
    assert_eq!(incidents(&world), 0);
}

#[test]
fn a_target_that_is_deleted_drops_its_incidents() {
    let mut world = settled(setup(Some(to_five())));
    breaks(&mut world);
    world.run(5);
    world.target().delete();
    world.run(5);
    assert!(matches!(
        ended(&world).as_slice(),
        [IncidentEnd::Dropped { .. }]
    ));
}

#[test]
fn an_incident_of_a_rule_that_is_watched_no_longer_is_dropped() {
    let mut world = settled(setup(Some(undone_after(60))));
    breaks(&mut world);
    world.run(5);
    world.setup.always.clear();
    world.restart();
    world.run(5);
    assert!(matches!(
        ended(&world).as_slice(),
        [IncidentEnd::Dropped { .. }]
    ));
    let known = &world.engine.ledger().always[&world.setup.id("checkout")];
    assert!(known.incidents.is_empty() && known.scaled.is_empty());
}

#[test]
fn quiet_rules_write_nothing_and_busy_ones_a_checkpoint_a_minute() {
    let checkpoints =
        |world: &World| world.count(|record| matches!(record, Record::AlwaysCheckpoint { .. }));
    let mut world = settled(setup(None));
    world.run(600);
    assert_eq!(checkpoints(&world), 0, "{}", world.transcript());
    breaks(&mut world);
    let before = checkpoints(&world);
    world.run(600);
    let more = checkpoints(&world) - before;
    assert!((9..=11).contains(&more), "{more}");
}

#[test]
fn evidence_goes_on_across_a_short_restart() {
    let mut world = settled(setup(None));
    breaks(&mut world);
    world.target().behave("v1", GOOD);
    world.run(90);
    world.restart();
    world.run(1);
    assert!(ended(&world).is_empty());
    heals(&mut world);
    assert_eq!(
        world.kinds(),
        [NoticeKind::IncidentBegan, NoticeKind::IncidentEnded]
    );
}
