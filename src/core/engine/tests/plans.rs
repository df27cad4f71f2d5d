//! Plans under way: every result at every step, waits that do not end, and whether they helped.

use super::rules::Setup;
use super::target::{BAD, Behaviour, GOOD};
use super::world::World;
use crate::notice::NoticeKind;
use crate::plan::{Step, StepResult};
use crate::record::Record;
use crate::saga::PlanEnd;
use crate::verify::VerificationEnd;

fn reason() -> String {
    "for a reason".to_owned()
}

/// A promoted Rollout, the longest plan there is, until v2 turns bad.
fn promoted() -> World {
    let mut world = World::new(Setup::rollout());
    world.target().rate = 40;
    world.run(60);
    world.ship("v2");
    world.run(5);
    let now = world.now;
    world.target().promote(now);
    world.run(10);
    world.target().behave("v2", BAD);
    world
}

fn verifications(world: &World) -> Vec<VerificationEnd> {
    world
        .records(|record| match record {
            Record::VerificationEnded { end, .. } => Some(end.clone()),
            _ => None,
        })
        .map(|(_, end)| end)
        .collect()
}

#[test]
fn every_result_of_every_step_leads_somewhere() {
    // Step 0 undoes, step 2 promotes in full; the others wait.
    for index in [0, 2] {
        for (result, goes_on) in [
            (StepResult::Done, true),
            (StepResult::AlreadyDone, true),
            (StepResult::Fenced { reason: reason() }, false),
            (StepResult::Refused { reason: reason() }, false),
            (StepResult::Failed { reason: reason() }, false),
        ] {
            let mut world = promoted();
            let made_up = result.clone();
            world.step_result = Some(Box::new(move |command| {
                // A step that is said to be done is done.
                (command.index == index
                    && !matches!(made_up, StepResult::Done | StepResult::AlreadyDone))
                .then(|| made_up.clone())
            }));
            world.run(200);
            let ends = world.plan_ends();
            let told = world.kinds();
            let case = format!("{result:?} at step {index}\n{}", world.transcript());
            if goes_on {
                assert_eq!(ends, [PlanEnd::Done], "{case}");
                assert_eq!(
                    told,
                    [NoticeKind::RollingBack, NoticeKind::Restored],
                    "{case}"
                );
                continue;
            }
            let expected = match result {
                StepResult::Fenced { .. } => PlanEnd::Fenced { reason: reason() },
                _ => PlanEnd::Stuck { reason: reason() },
            };
            assert_eq!(ends, [expected], "{case}");
            assert_eq!(
                told,
                [NoticeKind::RollingBack, NoticeKind::RollbackFailed],
                "{case}"
            );
            assert_eq!(world.plans().len(), 1, "nothing further is tried: {case}");
        }
    }
}

#[test]
fn a_step_that_is_not_carried_out_is_told() {
    let mut world = World::settled(Setup::default());
    world.step_result = Some(Box::new(|_| {
        Some(StepResult::Refused {
            reason: "not allowed to patch deployments in namespace `shop`".to_owned(),
        })
    }));
    world.target().behave("v2", BAD);
    world.ship("v2");
    world.run(60);
    insta::assert_snapshot!(world.read(NoticeKind::RollbackFailed));
}

#[test]
fn the_executor_may_take_its_time() {
    let mut world = promoted();
    world.executor_takes = 50;
    world.run(200);
    assert_eq!(world.plan_ends(), [PlanEnd::Done], "{}", world.transcript());
    assert_eq!(world.commands.len(), 2, "no step is handed out twice");
}

#[test]
fn an_executor_that_never_answers_is_asked_again_and_given_up_in_the_end() {
    let mut world = World::settled(Setup::default());
    world.executor_takes = 1_000_000;
    world.step_result = Some(Box::new(|_| Some(StepResult::Failed { reason: reason() })));
    world.target().behave("v2", BAD);
    world.ship("v2");
    world.run(900);
    assert!(world.commands.len() > 2, "{}", world.transcript());
    assert!(
        matches!(world.plan_ends().as_slice(), [PlanEnd::Stuck { .. }]),
        "{}",
        world.transcript()
    );
    assert_eq!(
        world.kinds(),
        [NoticeKind::RollingBack, NoticeKind::RollbackFailed]
    );
}

#[test]
fn results_and_deliveries_that_come_twice_or_late_change_nothing() {
    let mut world = promoted();
    world.stutter = true;
    world.run(100);
    let before = world.transcript();
    assert_eq!(world.plan_ends(), [PlanEnd::Done], "{before}");
    assert_eq!(
        world.count(|record| matches!(record, Record::StepEnded(_))),
        2
    );
    // Long after the plan has ended, and of plans that never were.
    let late = world.commands[0].1.clone();
    for plan in [late.plan.as_str(), "nobody's"] {
        world.tick(crate::engine::Inputs {
            steps: vec![crate::plan::StepOutcome {
                plan: plan.into(),
                index: 0,
                result: StepResult::Fenced { reason: reason() },
            }],
            ..Default::default()
        });
    }
    assert_eq!(world.transcript(), before);
    assert!(world.engine.ledger().pending.is_empty());
}

#[test]
fn waiting_for_pods_that_never_become_ready_ends_after_ten_minutes() {
    let mut world = World::settled(Setup::default());
    world.target().behave("v2", BAD);
    world.ship("v2");
    world.run_until(60, |world| !world.commands.is_empty());
    world.target().behave(
        "v1",
        Behaviour {
            ready: false,
            ..GOOD
        },
    );
    world.run(650);
    let ends = world.plan_ends();
    let [PlanEnd::Stuck { reason }] = ends.as_slice() else {
        panic!("{}", world.transcript());
    };
    assert!(reason.contains("not restored after 10 min"), "{reason}");
    assert!(reason.contains("are not ready: `checkout-v1-"), "{reason}");
    insta::assert_snapshot!(world.read(NoticeKind::RollbackFailed));
}

#[test]
fn a_last_pod_that_hangs_does_not_hold_the_verification_up() {
    // Three of four pods of the way back serve, and no bad one: the fourth finds no node.
    let mut world = World::settled(Setup::default());
    world.target().behave("v2", BAD);
    world.ship("v2");
    world.run_until(60, |world| !world.commands.is_empty());
    world.target().hangs = Some("v1".to_owned());
    world.run(100);
    assert_eq!(world.plan_ends(), [PlanEnd::Done], "{}", world.transcript());
    assert_eq!(verifications(&world), [VerificationEnd::Gone]);
}

#[test]
fn a_symptom_that_remains_is_told_and_nothing_further_is_tried() {
    let mut world = World::settled(Setup {
        watch: 30,
        ..Setup::default()
    });
    world.ship("v2");
    world.run(60);
    world.target().behave("v3", BAD);
    world.ship("v3");
    world.run_until(60, |world| !world.commands.is_empty());
    world.target().behave("v2", BAD);
    world.run(300);
    assert!(
        matches!(
            verifications(&world).as_slice(),
            [VerificationEnd::Remains { .. }]
        ),
        "{}",
        world.transcript()
    );
    assert_eq!(world.plans().len(), 1, "v1 is not tried");
    insta::assert_snapshot!(world.read(NoticeKind::NotRestored));
}

#[test]
fn without_traffic_after_the_rollback_nothing_is_verified() {
    let mut world = World::settled(Setup::default());
    world.target().behave("v2", BAD);
    world.ship("v2");
    world.run_until(60, |world| !world.commands.is_empty());
    world.target().rate = 0;
    world.run(200);
    assert!(
        matches!(
            verifications(&world).as_slice(),
            [VerificationEnd::Unknown { .. }]
        ),
        "{}",
        world.transcript()
    );
    insta::assert_snapshot!(world.read(NoticeKind::NotRestored));
}

#[test]
fn what_the_bad_pods_still_had_to_report_is_not_the_symptom() {
    // The last scrape of the bad pods comes after the rollback.
    let mut world = World::new(Setup {
        scrape: 15,
        ..Setup::default()
    });
    world.run(120);
    world.target().behave("v2", BAD);
    world.ship("v2");
    world.run(200);
    assert_eq!(
        verifications(&world),
        [VerificationEnd::Gone],
        "{}",
        world.transcript()
    );
}

#[test]
fn a_decision_of_hours_ago_is_not_carried_out() {
    let mut world = World::settled(Setup::default());
    world.target().behave("v2", BAD);
    world.ship("v2");
    world.run(2);
    // The process dies when the plan is in the journal, and before its step.
    let plan = |world: &World| world.count(|record| matches!(record, Record::PlanBegan { .. }));
    let mut trial = World::settled(Setup::default());
    trial.target().behave("v2", BAD);
    trial.ship("v2");
    trial.run_until(60, |world| plan(world) > 0);
    let cut = trial
        .journal
        .iter()
        .position(|(_, record)| matches!(record, Record::PlanBegan { .. }));
    world.crash_at = cut.map(|index| index + 1);
    world.run_until(60, |world| world.crashes > 0);
    world.now += 3 * 3600;
    world.run(120);
    assert!(world.target().writes.is_empty(), "{}", world.transcript());
    assert!(
        matches!(world.plan_ends().as_slice(), [PlanEnd::Stuck { .. }]),
        "{}",
        world.transcript()
    );
    assert_eq!(
        world.kinds(),
        [NoticeKind::RollingBack, NoticeKind::RollbackFailed]
    );
}

#[test]
fn the_undo_is_the_one_write_of_a_deployments_rollback() {
    let mut world = World::settled(Setup::default());
    world.target().behave("v2", BAD);
    world.ship("v2");
    world.run(120);
    let writes: Vec<Step> = world
        .target()
        .writes
        .iter()
        .map(|(_, step)| step.clone())
        .collect();
    assert_eq!(writes, [Step::UndoDeployment { to: "v1".into() }]);
}

#[test]
fn a_step_that_may_have_been_carried_out_is_not_told_as_one_that_was_not() {
    for (result, headline) in [
        (
            StepResult::Refused { reason: reason() },
            "The rollback of Rollout shop/checkout was not carried out",
        ),
        (
            StepResult::Failed { reason: reason() },
            "The rollback of Rollout shop/checkout may have been carried out in part",
        ),
    ] {
        let mut world = promoted();
        world.step_result = Some(Box::new(move |_| Some(result.clone())));
        world.run(60);
        let mut notices = world.notices.iter();
        let told = notices.find(|notice| notice.kind == NoticeKind::RollbackFailed);
        assert_eq!(told.expect("it was told").headline, headline);
    }
}

#[test]
fn a_step_that_an_earlier_process_handed_out_is_handed_out_as_such() {
    let mut world = promoted();
    world.executor_takes = 1000;
    world.run_until(60, |world| !world.commands.is_empty());
    world.restart();
    world.run(5);
    let again: Vec<bool> = world.commands.iter().map(|(_, one)| one.again).collect();
    assert_eq!(again, [false, true]);
}
