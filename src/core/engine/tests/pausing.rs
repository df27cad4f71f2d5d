//! `release: {pauseAt: …}`: a Deployment waits for its evidence at its first pods, and never stays paused for nothing.

use super::rules::{Setup, errors};
use super::target::{BAD, Behaviour, GOOD};
use super::world::{World, at};
use crate::analysis::Ending;
use crate::guard::GuardSettings;
use crate::ids::PlanId;
use crate::ledger::Ledger;
use crate::notice::{NoticeKind, Severity};
use crate::pause::{PauseEnd, PauseNews};
use crate::plan::{PauseWrite, StepResult};
use crate::record::Record;
use crate::rule::PauseAt;
use crate::saga::PlanEnd;
use crate::target::OwnPause;

fn setup() -> Setup {
    Setup {
        pause_at: Some(PauseAt::Pods(1)),
        ..Setup::with(vec![errors(0.05)])
    }
}

/// v1 has served for a minute; a release takes two seconds for each of its four pods.
fn world(setup: Setup, prepare: impl Fn(&mut World)) -> World {
    let mut world = World::new(setup);
    world.target().rate = 40;
    world.target().roll = 8;
    prepare(&mut world);
    world.run(60);
    world
}

fn ends(world: &World) -> Vec<PauseEnd> {
    world
        .records(|record| match record {
            Record::Pause { news, .. } => match &**news {
                PauseNews::Ended { end } => Some(end.clone()),
                _ => None,
            },
            _ => None,
        })
        .map(|(_, end)| end)
        .collect()
}

fn paused(world: &World) -> bool {
    world
        .targets
        .values()
        .any(|target| target.state(world.now).paused)
}

fn writes(world: &mut World) -> Vec<&'static str> {
    let writes = &world.target().pauses;
    writes
        .iter()
        .map(|(_, write)| match write {
            PauseWrite::Pause { .. } => "pause",
            PauseWrite::Resume => "resume",
        })
        .collect()
}

#[test]
fn a_good_release_waits_for_its_evidence_and_goes_on() {
    let mut world = world(setup(), |_| {});
    world.ship("v2");
    world.run_until(10, paused);
    assert_eq!(world.target().serving(), ["v1", "v2"]);
    world.run_until(250, |world| !ends(world).is_empty());
    assert_eq!(ends(&world), [PauseEnd::Resumed], "{}", world.transcript());
    world.run(320);
    assert_eq!(world.target().serving(), ["v2"]);
    assert_eq!(writes(&mut world), ["pause", "resume"]);
    assert_eq!(world.endings(), [Ending::Pass], "{}", world.transcript());
    assert_eq!(
        world.kinds(),
        [
            NoticeKind::Paused,
            NoticeKind::PauseEnded,
            NoticeKind::Passed
        ]
    );
    insta::assert_snapshot!(format!(
        "{}{}",
        world.read(NoticeKind::Paused),
        world.read(NoticeKind::PauseEnded)
    ));
}

#[test]
fn a_bad_release_is_taken_back_while_it_is_paused_and_reaches_no_further_pod() {
    let mut world = world(setup(), |_| {});
    world.target().behave("v2", BAD);
    world.ship("v2");
    world.run_until(10, paused);
    let mut most = 0;
    for _ in 0..200 {
        world.second();
        let state = world.target().state(0);
        most = most.max(state.pods_of(&"v2".into()));
    }
    assert_eq!(most, 1, "{}", world.transcript());
    assert_eq!(world.plan_ends(), [PlanEnd::Done]);
    assert_eq!(ends(&world), [PauseEnd::Undone]);
    // The undo resumes it: one write.
    assert_eq!(writes(&mut world), ["pause"]);
    assert_eq!(world.target().writes.len(), 1);
    assert!(!paused(&world));
    assert_eq!(world.target().serving(), ["v1"]);
    assert_eq!(
        world.kinds(),
        [
            NoticeKind::Paused,
            NoticeKind::RollingBack,
            NoticeKind::Restored
        ]
    );
}

/// A pod that never becomes ready has no evidence.
#[test]
fn without_evidence_it_goes_on_at_the_end_of_the_watch_and_that_is_told() {
    let mut world = world(setup(), |_| {});
    world.target().behave(
        "v2",
        Behaviour {
            ready: false,
            ..GOOD
        },
    );
    world.ship("v2");
    world.run_until(10, paused);
    world.run(500);
    assert_eq!(ends(&world), [PauseEnd::Resumed], "{}", world.transcript());
    assert!(!paused(&world));
    assert!(matches!(
        world.endings().as_slice(),
        [Ending::Inconclusive { .. }]
    ));
    let told = world
        .notices
        .iter()
        .find(|notice| notice.kind == NoticeKind::PauseEnded)
        .expect("it is told");
    assert_eq!(told.severity, Severity::Warning);
    assert!(
        told.sentences.concat().contains("without a verdict"),
        "{told:?}"
    );
}

#[test]
fn what_was_reached_is_said_when_the_race_is_lost() {
    let mut world = world(setup(), |world| world.executor_takes = 1);
    // Half of the pods in the first second.
    world.target().roll = 2;
    world.ship("v2");
    world.run_until(10, |world| world.told(NoticeKind::Paused) > 0);
    let told = world.read(NoticeKind::Paused);
    assert!(told.contains("paused at 2 of 4 pods; asked 1"), "{told}");
}

#[test]
fn a_release_that_is_through_before_the_pause_is_not_paused_and_that_is_told() {
    let mut world = world(setup(), |_| {});
    world.target().roll = 1;
    world.step_result = Some(Box::new(|command| {
        (command.plan.as_str().ends_with("-pause")).then(|| StepResult::Fenced {
            reason: "revision v2 of Deployment shop/checkout had all its pods already".to_owned(),
        })
    }));
    world.ship("v2");
    world.run(60);
    assert!(matches!(
        ends(&world).as_slice(),
        [PauseEnd::NotPaused { .. }]
    ));
    assert_eq!(world.told(NoticeKind::PauseEnded), 1);
    assert!(writes(&mut world).is_empty());
}

#[test]
fn a_person_who_resumes_it_ends_the_pause_and_is_not_overruled() {
    let mut world = world(setup(), |_| {});
    world.ship("v2");
    world.run_until(20, |world| world.told(NoticeKind::Paused) > 0);
    let now = world.now;
    world.target().resume_by_hand(now);
    world.run(400);
    assert!(
        matches!(ends(&world).as_slice(), [PauseEnd::BySomebody { .. }]),
        "{}",
        world.transcript()
    );
    assert_eq!(writes(&mut world), ["pause"]);
    assert_eq!(world.endings(), [Ending::Pass]);
}

/// A person pauses it again: that is theirs, and a fence.
#[test]
fn a_persons_pause_stays_a_fence() {
    let mut world = world(setup(), |_| {});
    world.ship("v2");
    world.run_until(20, |world| world.told(NoticeKind::Paused) > 0);
    world.target().resume();
    world.target().paused = true;
    world.target().behave("v2", BAD);
    world.run(250);
    assert!(world.plans().is_empty(), "{}", world.transcript());
    assert_eq!(writes(&mut world), ["pause"]);
    let held = world.read(NoticeKind::Held);
    assert!(held.contains("was paused by somebody"), "{held}");
}

#[test]
fn a_bad_release_that_cannot_be_taken_back_stays_paused_for_a_person() {
    let mut world = world(
        Setup {
            rollback: false,
            ..setup()
        },
        |_| {},
    );
    world.target().behave("v2", BAD);
    world.ship("v2");
    world.run(1500);
    assert!(paused(&world), "{}", world.transcript());
    assert_eq!(writes(&mut world), ["pause"]);
    assert_eq!(world.told(NoticeKind::LeftPaused), 1);
    insta::assert_snapshot!(world.read(NoticeKind::LeftPaused));
}

#[test]
fn another_template_shipped_while_it_is_paused_goes_on() {
    let mut world = world(setup(), |_| {});
    world.ship("v2");
    world.run_until(20, |world| world.told(NoticeKind::Paused) > 0);
    // The controller makes nothing of it while it is paused.
    if let Some(pause) = &mut world.target().pause {
        pause.changed = true;
    }
    world.run_until(10, |world| !ends(world).is_empty());
    assert_eq!(ends(&world), [PauseEnd::Resumed]);
    assert_eq!(writes(&mut world), ["pause", "resume"]);
}

#[test]
fn a_resume_that_is_not_allowed_is_told_once_and_tried_again() {
    let mut world = world(setup(), |_| {});
    world.step_result = Some(Box::new(|command| {
        (command.index == 1 && command.plan.as_str().ends_with("-pause")).then(|| {
            StepResult::Refused {
                reason: "not allowed to patch deployments.apps in namespace `shop`".to_owned(),
            }
        })
    }));
    world.ship("v2");
    world.run(400);
    assert_eq!(
        world.told(NoticeKind::LeftPaused),
        1,
        "{}",
        world.transcript()
    );
    assert!(paused(&world));
    world.step_result = None;
    world.run(60);
    assert!(!paused(&world), "{}", world.transcript());
    assert_eq!(ends(&world), [PauseEnd::Resumed]);
}

#[test]
fn guards_hold_a_pause_and_the_release_is_judged_while_it_goes_on() {
    let on = |change: fn(&mut GuardSettings)| {
        let mut setup = setup();
        change(&mut setup.guards);
        setup
    };
    for (case, setup) in [
        ("dry run", on(|guards| guards.dry_run = true)),
        ("kill switch", on(|guards| guards.kill_switch = true)),
        (
            "scope",
            on(|guards| guards.namespaces = vec!["other".to_owned()].into()),
        ),
    ] {
        let mut world = world(setup, |_| {});
        world.ship("v2");
        world.run(60);
        assert!(writes(&mut world).is_empty(), "{case}");
        let ends = ends(&world);
        let [PauseEnd::NotPaused { reason }] = ends.as_slice() else {
            panic!("{case}: {ends:?}");
        };
        assert!(reason.contains(case), "{case}: {reason}");
    }
}

#[test]
fn a_watch_that_is_gone_lets_it_go_on() {
    let mut world = world(setup(), |_| {});
    world.ship("v2");
    world.run_until(20, |world| world.told(NoticeKind::Paused) > 0);
    world.setup.targets = vec!["basket"];
    world.restart();
    world.run(5);
    assert!(!paused(&world), "{}", world.transcript());
    assert_eq!(ends(&world), [PauseEnd::Resumed]);
}

/// The journal is lost: what stands on the object is enough.
#[test]
fn a_leftover_of_a_lost_journal_goes_on_by_its_deadline() {
    let mut world = World::new(Setup {
        pause_at: None,
        ..setup()
    });
    world.target().pause = Some(OwnPause {
        plan: PlanId("lost-pause".to_owned()),
        until: Some(at(90)),
        holds: true,
        changed: false,
    });
    world.run(80);
    assert!(paused(&world));
    world.run(20);
    assert!(!paused(&world), "{}", world.transcript());
    assert_eq!(ends(&world), [PauseEnd::Resumed]);
    assert_eq!(writes(&mut world), ["resume"]);
    world.run(100);
    assert_eq!(ends(&world).len(), 1);
}

#[test]
fn a_ledger_of_an_older_version_has_no_pause() {
    let mut world = world(setup(), |_| {});
    world.ship("v2");
    world.run_until(20, |world| world.told(NoticeKind::Paused) > 0);
    let mut json = serde_json::to_value(world.engine.ledger()).expect("is JSON");
    let pair = json["targets"][0][1].as_object_mut().expect("a target");
    assert!(pair.remove("pause").is_some());
    assert!(pair.remove("lastPause").is_some());
    let read: Ledger = serde_json::from_value(json).expect("reads");
    assert!(read.targets.values().all(|known| known.pause.is_none()));
}

/// The process dies behind any record, and the effects of that tick have left or not: it is paused once, and goes on.
#[test]
fn whenever_the_process_dies_nothing_stays_paused() {
    let story = |bad: bool, prepare: &dyn Fn(&mut World)| {
        let mut world = world(setup(), |_| {});
        if bad {
            world.target().behave("v2", BAD);
        }
        prepare(&mut world);
        world.ship("v2");
        world.run(460);
        world
    };
    for bad in [false, true] {
        let whole = story(bad, &|_| {});
        let records = whole.journal.len();
        let begins = whole
            .journal
            .iter()
            .position(|(second, _)| *second >= 60)
            .expect("the release");
        for cut in begins..records {
            for effects_leave in [false, true] {
                let mut world = story(bad, &|world| {
                    world.crash_at = Some(cut);
                    world.effects_leave = effects_leave;
                });
                let case = format!(
                    "bad: {bad}, cut behind record {cut}, effects had left: {effects_leave}\n{}",
                    world.transcript()
                );
                assert!(!paused(&world), "{case}");
                let wanted: &[&str] = if bad {
                    &["pause"]
                } else {
                    &["pause", "resume"]
                };
                let written = writes(&mut world);
                // Where the crash took the time for it, it may not be paused at all; never twice.
                assert!(
                    written == wanted || written.is_empty(),
                    "{written:?} {case}"
                );
                assert_eq!(world.plans().len(), usize::from(bad), "{case}");
                let serving = world.target().serving();
                assert_eq!(serving, [if bad { "v1" } else { "v2" }], "{case}");
            }
        }
    }
}
