//! Rules between releases: incidents, their recovery, and what is scaled because of them.

use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;

use super::rules::{CHANNEL, Setup, errors};
use super::target::{BAD, GOOD};
use super::workers::{autoscaler, state, worker};
use super::world::{World, at};
use crate::guard::Guard;
use crate::incident::{IncidentEnd, ScalingEnd};
use crate::notice::NoticeKind;
use crate::observation::{Cause, Observation};
use crate::record::Record;
use crate::rule::{Always, Rule, Scale, ScaleTo};
use crate::scaling::{Budget, ScaleObject};

/// To five workers.
fn to_five() -> Scale {
    Scale {
        target: worker(),
        to: ScaleTo::Replicas(5),
        ceiling: None,
        undo_after: None,
    }
}

fn undone_after(seconds: u64) -> Scale {
    Scale {
        undo_after: Some(Duration::from_secs(seconds)),
        ..to_five()
    }
}

/// At most 5 % of errors in a minute, for ten seconds.
pub(super) fn always(scale: Option<Scale>) -> Always {
    Always {
        rule: Arc::new(Rule {
            lasting: Duration::from_secs(10),
            ..errors(0.05)
        }),
        window: Duration::from_mins(1),
        scale,
        notify: vec![CHANNEL.into()],
    }
}

fn setup(scale: Option<Scale>) -> Setup {
    Setup {
        always: vec![always(scale)],
        ..Setup::default()
    }
}

/// A service that has been good for a minute, with two workers.
fn settled(setup: Setup) -> World {
    let mut world = World::settled(setup);
    world.workers.state = Some(state(2));
    world
}

fn breaks(world: &mut World) {
    world.target().behave("v1", BAD);
    world.run_until(60, |world| incidents(world) > 0);
}

fn heals(world: &mut World) {
    world.target().behave("v1", GOOD);
    let before = ended(world).len();
    world.run_until(300, |world| ended(world).len() > before);
}

fn incidents(world: &World) -> usize {
    world.count(|record| matches!(record, Record::IncidentBegan { .. }))
}

fn ended(world: &World) -> Vec<IncidentEnd> {
    let ended = world.records(|record| match record {
        Record::IncidentEnded { end, .. } => Some(end.clone()),
        _ => None,
    });
    ended.map(|(_, end)| end).collect()
}

fn scalings(world: &World) -> Vec<ScalingEnd> {
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

fn numbers(world: &World) -> Vec<(u32, u32)> {
    let writes = world.workers.writes.iter();
    writes.map(|change| (change.from, change.to)).collect()
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
    world.run_until(200, |world| !ended(world).is_empty());
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

/// From the first error to the undo.
fn story(prepare: impl Fn(&mut World)) -> World {
    let mut world = settled(setup(Some(undone_after(90))));
    prepare(&mut world);
    world.target().behave("v1", BAD);
    world.run(80);
    world.target().behave("v1", GOOD);
    world.run(280);
    world
}

#[test]
fn an_incident_survives_a_crash_at_every_record() {
    let whole = story(|_| {});
    assert_eq!(numbers(&whole), [(2, 5), (5, 2)], "{}", whole.transcript());
    let records = whole.journal.len();
    let begin = settled(setup(Some(undone_after(90)))).journal.len();
    for cut in begin + 1..=records {
        for effects_leave in [false, true] {
            let world = story(|world| {
                world.crash_at = Some(cut);
                world.effects_leave = effects_leave;
            });
            let case = format!(
                "cut behind record {cut} of {records}, effects had left: {effects_leave}\n{}",
                world.transcript()
            );
            assert_eq!(world.crashes, 1, "{case}");
            assert_eq!(numbers(&world), [(2, 5), (5, 2)], "{case}");
            assert_eq!(incidents(&world), 1, "{case}");
            assert_eq!(ended(&world).len(), 1, "{case}");
            let mut noticed: Vec<NoticeKind> = world
                .records(|record| match record {
                    Record::Noticed(notice) => Some(notice.kind),
                    _ => None,
                })
                .map(|(_, kind)| kind)
                .collect();
            noticed.sort_unstable();
            assert_eq!(
                noticed,
                [
                    NoticeKind::IncidentBegan,
                    NoticeKind::Scaled,
                    NoticeKind::ScalingUndone,
                    NoticeKind::IncidentEnded,
                ],
                "{case}"
            );
            assert!(world.engine.ledger().pending.is_empty(), "{case}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    /// Whatever happens: at most one scaling per incident, no scaling lowers, an undo never goes below where it began;
    /// and (asserted by the world in every tick) the journal folds to the live state.
    #[test]
    fn scalings_never_lower_and_never_repeat(
        seed in any::<u64>(),
        asked in prop_oneof![(1..9_u32).prop_map(ScaleTo::Replicas), (101..400_u32).prop_map(ScaleTo::Factor)],
        ceiling in prop::option::of(1..12_u32),
        with_autoscaler in any::<bool>(),
        needs in 0..5_u32,
        events in prop::collection::vec((0..8_u8, 1..90_i64), 1..25),
    ) {
        let scale = Scale { target: worker(), to: asked, ceiling, undo_after: Some(Duration::from_mins(1)) };
        let mut setup = setup(Some(scale));
        setup.seed = seed;
        setup.guards.actions_per_hour = 1_000;
        let mut world = settled(setup);
        let workers = world.workers.state.as_mut().expect("it is there");
        workers.budgets.push(Budget { name: "worker".to_owned(), needs });
        if with_autoscaler {
            workers.autoscalers.push(autoscaler(1, 6));
        }
        let mut version = 1;
        for (event, seconds) in events {
            match event {
                0 | 1 => world.target().behave("v1", BAD),
                2 | 3 => world.target().behave("v1", GOOD),
                4 => world.restart(),
                5 => world.workers.meanwhile = Some(|state| state.replicas += 1),
                6 => if let Some(state) = &mut world.workers.state { state.replicas = 3 },
                _ => {
                    version += 1;
                    let hash = format!("v{version}");
                    world.ship(&hash);
                }
            }
            world.run(seconds);
        }
        let plans: Vec<_> = world
            .records(|record| match record {
                Record::ScalingBegan { plan } => Some((**plan).clone()),
                _ => None,
            })
            .map(|(_, plan)| plan)
            .collect();
        let mut ids: Vec<_> = plans.iter().map(|plan| plan.id.clone()).collect();
        ids.sort();
        ids.dedup();
        prop_assert_eq!(ids.len(), plans.len(), "a plan twice: {}", world.transcript());
        prop_assert!(world.workers.writes.len() <= plans.len());
        for plan in &plans {
            let change = &plan.change;
            prop_assert_eq!(change.to > change.from, !plan.undo, "{:?}", plan);
            if plan.undo {
                prop_assert!(change.to >= needs, "{:?}", plan);
            } else {
                prop_assert!(ceiling.is_none_or(|ceiling| change.to <= ceiling), "{:?}", plan);
            }
            if with_autoscaler {
                let by_it = matches!(change.object, ScaleObject::Autoscaler { .. });
                prop_assert!(by_it && change.to <= 6, "{:?}", plan);
            }
        }
    }
}
