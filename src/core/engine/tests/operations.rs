//! Operations: several changes begun by an incident or a failed release, as one, and taken back as one.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;

use super::always::{always, breaks, heals, numbers, to_five};
use super::objects::{Objects, api};
use super::rules::Setup;
use super::target::BAD;
use super::workers::{state, worker};
use super::world::World;
use crate::change::ObjectRef;
use crate::guard::Guard;
use crate::notice::NoticeKind;
use crate::operation::{OperationEnd, OperationEvent};
use crate::record::Record;
use crate::rule::{
    Always, Colour, EvidenceRule, Runbook, Scale, ScaleTarget, ScaleTo, ScaleUp, Task, WhenStuck,
};

fn set_env() -> Task {
    Task::SetEnv {
        object: api(),
        container: None,
        name: "MAINTENANCE_MODE".into(),
        value: "true".into(),
    }
}

/// Five workers, ready, and then the variable.
fn emergency(when_stuck: WhenStuck) -> Runbook {
    Runbook {
        name: "emergency".into(),
        steps: vec![
            Task::Scale {
                scale: to_five(),
                ready: Some(Duration::from_mins(1)),
                evidence: None,
            },
            set_env(),
        ],
        undo_after: Some(Duration::from_mins(2)),
        when_stuck,
    }
}

fn setup(runbook: Runbook) -> Setup {
    Setup {
        always: vec![Always {
            recovery: Always::RECOVERY,
            run: Some(Arc::new(runbook)),
            ..always(None)
        }],
        ..Setup::default()
    }
}

fn settled(setup: Setup) -> World {
    let mut world = World::settled(setup);
    world.workers.state = Some(state(2));
    world.objects = Objects::with_api();
    world
}

fn ends(world: &World) -> Vec<OperationEnd> {
    let ends = world.records(|record| match record {
        Record::Operation(OperationEvent::Ended { end, .. }) => Some(end.clone()),
        _ => None,
    });
    ends.map(|(_, end)| end).collect()
}

fn begun(world: &World) -> usize {
    world.count(|record| matches!(record, Record::Operation(OperationEvent::Began { .. })))
}

fn guards(world: &World) -> Vec<Guard> {
    let held = world.records(|record| match record {
        Record::Operation(OperationEvent::Held { hold, .. }) => Some(hold.guard),
        _ => None,
    });
    held.map(|(_, guard)| guard).collect()
}

const SET: &str = "Deployment shop/api: set MAINTENANCE_MODE of container `app` to \"true\"";

#[test]
fn the_emergency_set_is_done_once_in_an_incident_and_taken_back_as_one() {
    let mut world = settled(setup(emergency(WhenStuck::Stop)));
    breaks(&mut world);
    world.run_until(30, |world| ends(world).len() == 1);
    assert_eq!(numbers(&world), [(2, 5)], "{}", world.transcript());
    assert_eq!(world.objects.writes, [SET]);
    assert_eq!(ends(&world), [OperationEnd::Done]);
    insta::assert_snapshot!(world.read(NoticeKind::OperationBegan));
    insta::assert_snapshot!(world.read(NoticeKind::OperationEnded));
    // Not before the incident is over, and not again within it.
    world.run(300);
    assert_eq!(begun(&world), 1, "{}", world.transcript());
    heals(&mut world);
    let healed = world.now;
    world.run_until(300, |world| ends(world).len() == 2);
    assert!(world.now - healed >= 120, "{}", world.transcript());
    assert_eq!(numbers(&world), [(2, 5), (5, 2)]);
    assert_eq!(world.objects.environment(), json!([]));
    insta::assert_snapshot!(world.read(NoticeKind::OperationUndone));
    world.run(5);
    assert!(
        world.engine.ledger().operations.is_empty(),
        "nothing is left of it"
    );
    assert_eq!(world.engine.ledger().actions.len(), 2, "P11 counts them");
}

#[test]
fn nothing_is_begun_before_all_of_it_is_possible() {
    for (spoil, guard) in [
        (
            (|world: &mut World| world.objects.all.clear()) as fn(&mut World),
            Guard::ObjectChanged,
        ),
        (
            |world: &mut World| {
                let object = world.objects.all.get_mut(&api()).expect("there");
                object["metadata"]["annotations"] = json!({"recant.dev/kill-switch": "on"});
            },
            Guard::KillSwitch,
        ),
        (
            |world: &mut World| {
                let object = world.objects.all.get_mut(&api()).expect("there");
                object["spec"]["paused"] = json!(true);
            },
            Guard::ObjectChanged,
        ),
        (
            |world: &mut World| world.objects.unreadable = true,
            Guard::SourceUnavailable,
        ),
        (
            |world: &mut World| world.workers.state = None,
            Guard::ObjectChanged,
        ),
    ] {
        let mut world = settled(setup(emergency(WhenStuck::Stop)));
        spoil(&mut world);
        breaks(&mut world);
        world.run(60);
        assert_eq!(guards(&world), [guard], "{}", world.transcript());
        assert_eq!(
            world.told(NoticeKind::OperationHeld),
            1,
            "{}",
            world.transcript()
        );
        assert!(world.workers.writes.is_empty() && world.objects.writes.is_empty());
        // When what is in the way goes, all of it is done.
        world.workers.state = Some(state(2));
        world.objects = Objects::with_api();
        world.run_until(30, |world| ends(world).len() == 1);
        assert_eq!(numbers(&world), [(2, 5)]);
        assert_eq!(world.objects.writes, [SET]);
    }
}

#[test]
fn the_guards_of_all_actions_hold_for_operations() {
    let with = |change: fn(&mut Setup)| {
        let mut setup = setup(emergency(WhenStuck::Stop));
        change(&mut setup);
        setup
    };
    for (guard, setup) in [
        (
            Guard::KillSwitch,
            with(|setup| setup.guards.kill_switch = true),
        ),
        (Guard::DryRun, with(|setup| setup.guards.dry_run = true)),
        (
            Guard::Scope,
            with(|setup| setup.guards.namespaces = Arc::new(["other".to_owned()])),
        ),
        (
            Guard::ActionRate,
            with(|setup| setup.guards.actions_per_hour = 0),
        ),
        (
            Guard::BlastRadius,
            with(|setup| setup.guards.at_once = crate::guard::AtMost::Number(0)),
        ),
        (
            Guard::DryRun,
            with(|setup| {
                let rule = crate::rule::Rule {
                    dry_run: true,
                    ..(*setup.always[0].rule).clone()
                };
                setup.always[0].rule = Arc::new(rule);
            }),
        ),
    ] {
        let mut world = settled(setup);
        breaks(&mut world);
        world.run(60);
        assert_eq!(guards(&world), [guard], "{}", world.transcript());
        assert_eq!(world.told(NoticeKind::OperationHeld), 1);
        assert!(world.workers.writes.is_empty() && world.objects.writes.is_empty());
    }
}

#[test]
fn what_is_done_only_in_part_is_told_and_taken_back_if_asked() {
    for when_stuck in [WhenStuck::Stop, WhenStuck::Undo] {
        let mut world = settled(setup(emergency(when_stuck)));
        // New pods do not get ready: the variable is not set.
        world.workers.stuck = true;
        breaks(&mut world);
        world.run_until(120, |world| !ends(world).is_empty());
        assert!(
            matches!(ends(&world).as_slice(), [OperationEnd::Partly { .. }]),
            "{}",
            world.transcript()
        );
        assert!(world.objects.writes.is_empty());
        world.run(60);
        match when_stuck {
            WhenStuck::Undo => {
                assert_eq!(numbers(&world), [(2, 5), (5, 2)], "{}", world.transcript());
            }
            WhenStuck::Stop | WhenStuck::GoOn => {
                assert_eq!(numbers(&world), [(2, 5)]);
                insta::assert_snapshot!(world.read(NoticeKind::OperationEnded));
            }
        }
    }
    let mut world = settled(setup(emergency(WhenStuck::GoOn)));
    world.workers.stuck = true;
    breaks(&mut world);
    world.run_until(120, |world| !ends(world).is_empty());
    assert_eq!(world.objects.writes, [SET]);
    assert!(matches!(
        ends(&world).as_slice(),
        [OperationEnd::Partly { .. }]
    ));
}

#[test]
fn only_what_is_still_as_it_was_set_is_taken_back() {
    let mut world = settled(setup(emergency(WhenStuck::Stop)));
    breaks(&mut world);
    world.run_until(30, |world| ends(world).len() == 1);
    // A person wants eight workers.
    world.workers.state = Some(state(8));
    heals(&mut world);
    world.run_until(300, |world| ends(world).len() == 2);
    assert_eq!(numbers(&world), [(2, 5)], "{}", world.transcript());
    assert_eq!(world.objects.environment(), json!([]));
    let told = world.read(NoticeKind::OperationUndone);
    assert!(told.contains("somebody else changed it"), "{told}");
}

#[test]
fn wherever_it_crashes_every_change_is_made_once() {
    let run = |crash_at, effects_leave| {
        let mut world = settled(setup(emergency(WhenStuck::Stop)));
        world.crash_at = crash_at;
        world.effects_leave = effects_leave;
        breaks(&mut world);
        world.run_until(120, |world| !ends(world).is_empty());
        world.run(10);
        heals(&mut world);
        world.run_until(400, |world| ends(world).len() == 2);
        world.run(30);
        world
    };
    let whole = run(None, false);
    let first = whole
        .journal
        .iter()
        .position(|(_, record)| matches!(record, Record::IncidentBegan { .. }))
        .expect("it begins");
    for cut in first..whole.journal.len() {
        for effects_leave in [false, true] {
            let world = run(Some(cut), effects_leave);
            let story = || format!("cut at {cut}, {effects_leave}:\n{}", world.transcript());
            assert_eq!(world.crashes, 1);
            assert_eq!(numbers(&world), [(2, 5), (5, 2)], "{}", story());
            assert_eq!(world.objects.writes.len(), 2, "{}", story());
            assert_eq!(world.objects.environment(), json!([]), "{}", story());
            assert!(world.engine.ledger().operations.is_empty(), "{}", story());
            for kind in [
                NoticeKind::OperationBegan,
                NoticeKind::OperationEnded,
                NoticeKind::OperationUndone,
            ] {
                let told = |record: &Record| matches!(record, Record::Noticed(notice) if notice.kind == kind);
                assert_eq!(world.count(told), 1, "{kind:?} {}", story());
            }
        }
    }
}

#[test]
fn a_failed_release_is_taken_back_first_and_then_the_rest_is_done() {
    let runbook = Runbook {
        steps: vec![set_env()],
        undo_after: Some(Duration::from_mins(10)),
        ..emergency(WhenStuck::Stop)
    };
    let mut world = settled(Setup {
        run: Some(Arc::new(runbook)),
        ..Setup::default()
    });
    world.ship("v2");
    world.target().behave("v2", BAD);
    world.run_until(300, |world| ends(world).len() == 1);
    let place = |wanted: fn(&Record) -> bool| {
        let mut records = world.journal.iter();
        records
            .position(|(_, record)| wanted(record))
            .expect("it is there")
    };
    let restored = place(|record| matches!(record, Record::PlanEnded { .. }));
    let began = place(|record| matches!(record, Record::Operation(OperationEvent::Began { .. })));
    assert!(restored < began, "{}", world.transcript());
    assert_eq!(world.objects.writes, [SET]);
    let ended = world.now;
    world.run_until(700, |world| ends(world).len() == 2);
    assert!(world.now - ended >= 600);
    assert_eq!(world.objects.environment(), json!([]));
    world.run(60);
    assert_eq!(begun(&world), 2, "{}", world.transcript());
}

/// A P0 incident: no pods, after what they said was kept.
fn to_zero(required: bool) -> Runbook {
    Runbook {
        steps: vec![Task::Scale {
            scale: Scale {
                to: ScaleTo::Zero,
                ..to_five()
            },
            ready: None,
            evidence: Some(EvidenceRule {
                folder: None,
                lines: 100,
                required,
            }),
        }],
        ..emergency(WhenStuck::Stop)
    }
}

#[test]
fn evidence_is_kept_before_all_pods_go() {
    let mut world = settled(setup(to_zero(true)));
    breaks(&mut world);
    world.run_until(30, |world| ends(world).len() == 1);
    assert_eq!(ends(&world), [OperationEnd::Done], "{}", world.transcript());
    assert_eq!(numbers(&world), [(2, 0)]);
    assert_eq!(world.objects.writes.len(), 1, "{:?}", world.objects.writes);
    let told = world.read(NoticeKind::OperationEnded);
    assert!(
        told.contains("Evidence lies in ConfigMap shop/recant-evidence-worker-"),
        "{told}"
    );
    assert!(told.contains("sha256 ab12"), "{told}");
    heals(&mut world);
    world.run_until(300, |world| ends(world).len() == 2);
    assert_eq!(numbers(&world), [(2, 0), (0, 2)], "{}", world.transcript());
}

#[test]
fn evidence_that_cannot_be_kept_holds_or_is_told() {
    for (required, scaled) in [(true, vec![]), (false, vec![(2, 0)])] {
        let mut world = settled(setup(to_zero(required)));
        world.objects.unkept = true;
        breaks(&mut world);
        world.run_until(30, |world| ends(world).len() == 1);
        assert_eq!(numbers(&world), scaled, "{}", world.transcript());
        let told = world.read(NoticeKind::OperationEnded);
        assert!(told.contains("ot allowed to create configmaps"), "{told}");
    }
}

/// From green to blue, and green goes a minute after the incident; all of it back five minutes after that.
fn to_blue() -> Runbook {
    let workload = |name: &str| ScaleTarget {
        name: name.to_owned(),
        ..worker()
    };
    Runbook {
        name: "to blue".into(),
        steps: vec![Task::Switch {
            object: service(),
            to: Colour::Labels {
                labels: [("color".to_owned(), "blue".to_owned())].into(),
            },
            up: Some(ScaleUp {
                target: workload("blue"),
                present: Some(workload("green")),
                least: 1,
                within: Duration::from_mins(1),
                then_down: Some(Duration::from_mins(1)),
            }),
        }],
        undo_after: Some(Duration::from_mins(5)),
        when_stuck: WhenStuck::Stop,
    }
}

fn service() -> ObjectRef {
    ObjectRef {
        api_version: "v1".into(),
        kind: "Service".into(),
        namespace: "shop".into(),
        name: "checkout".into(),
    }
}

fn colours() -> World {
    let mut world = settled(setup(to_blue()));
    for (name, replicas) in [("green", 3), ("blue", 0)] {
        let target = ScaleTarget {
            name: name.to_owned(),
            ..worker()
        };
        world.workers.others.insert(target, state(replicas));
    }
    let object = json!({
        "kind": "Service",
        "metadata": {"uid": "s-1", "resourceVersion": "1"},
        "spec": {"selector": {"app": "checkout", "color": "green"}},
    });
    world.objects.all.insert(service(), object);
    world
}

fn colour(world: &World) -> &str {
    let selector = &world.objects.all[&service()]["spec"]["selector"];
    selector["color"].as_str().expect("a colour")
}

#[test]
fn the_old_colour_goes_when_the_switch_has_proved_itself_and_comes_back_before_the_traffic() {
    let mut world = colours();
    breaks(&mut world);
    world.run_until(60, |world| ends(world).len() == 1);
    assert_eq!(colour(&world), "blue");
    assert_eq!(numbers(&world), [(0, 3)], "{}", world.transcript());
    insta::assert_snapshot!(world.read(NoticeKind::OperationBegan));
    // Not while the incident is open, whatever the time.
    world.run(200);
    assert_eq!(numbers(&world), [(0, 3)], "{}", world.transcript());
    heals(&mut world);
    let healed = world.now;
    // Another process takes it up.
    world.restart();
    world.run_until(120, |world| ends(world).len() == 2);
    assert!(world.now - healed >= 60, "{}", world.transcript());
    assert_eq!(numbers(&world), [(0, 3), (3, 0)]);
    // Taken back: first its pods, then the traffic.
    world.run_until(400, |world| ends(world).len() == 3);
    assert_eq!(
        numbers(&world),
        [(0, 3), (3, 0), (0, 3)],
        "{}",
        world.transcript()
    );
    assert_eq!(colour(&world), "green");
    let steps = world
        .records(|record| match record {
            Record::Operation(OperationEvent::Began { operation }) => Some(operation.clone()),
            _ => None,
        })
        .last()
        .expect("it was taken back")
        .1
        .steps;
    let words: Vec<String> = steps.iter().map(crate::operation::Step::in_words).collect();
    assert_eq!(
        words,
        [
            "scale Deployment shop/green from 0 to 3 replicas",
            "wait until 3 pods of Deployment shop/green are ready",
            "Service shop/checkout: select `color: green` in place of `color: blue`",
        ]
    );
    world.run(10);
    assert!(
        world.engine.ledger().operations.is_empty(),
        "nothing is left of it"
    );
}

#[test]
fn the_old_colour_stays_when_the_traffic_was_led_elsewhere_or_a_guard_holds() {
    let mut world = colours();
    breaks(&mut world);
    world.run_until(60, |world| ends(world).len() == 1);
    heals(&mut world);
    // A person leads it back.
    let object = world.objects.all.get_mut(&service()).expect("there");
    object["spec"]["selector"]["color"] = json!("green");
    world.run(120);
    assert_eq!(numbers(&world), [(0, 3)], "{}", world.transcript());
    assert_eq!(begun(&world), 1);
    let told = world.read(NoticeKind::OperationUndone);
    assert!(
        told.contains("Deployment shop/green is not scaled down"),
        "{told}"
    );

    let mut world = colours();
    breaks(&mut world);
    world.run_until(60, |world| ends(world).len() == 1);
    heals(&mut world);
    let green = ScaleTarget {
        name: "green".to_owned(),
        ..worker()
    };
    let held = world.workers.others.get_mut(&green).expect("there");
    held.kill_switch = Some("namespace shop".to_owned());
    world.run(120);
    assert_eq!(numbers(&world), [(0, 3)]);
    assert_eq!(
        guards(&world),
        [Guard::KillSwitch],
        "{}",
        world.transcript()
    );
    world
        .workers
        .others
        .get_mut(&green)
        .expect("there")
        .kill_switch = None;
    world.run_until(20, |world| ends(world).len() == 2);
    assert_eq!(numbers(&world), [(0, 3), (3, 0)]);
}
