//! Argo Rollouts: in flight an abort, after promotion an undo with full promotion.

use super::rules::Setup;
use super::target::{BAD, Behaviour, GOOD};
use super::world::World;
use crate::analysis::Ending;
use crate::guard::Guard;
use crate::notice::NoticeKind;
use crate::plan::Step;
use crate::record::Record;
use crate::saga::PlanEnd;

fn in_flight(setup: Setup) -> World {
    let mut world = World::new(setup);
    world.target().rate = 40;
    world.run(60);
    world.ship("v2");
    world.run(5);
    world
}

fn steps(world: &World) -> Vec<Step> {
    world
        .commands
        .iter()
        .filter_map(|(_, command)| Some(command.rollback()?.step.clone()))
        .collect()
}

#[test]
fn a_bad_canary_in_flight_is_aborted() {
    let mut world = World::new(Setup::rollout());
    world.target().rate = 40;
    world.run(60);
    world.target().behave("v2", BAD);
    world.ship("v2");
    world.run(60);
    insta::assert_snapshot!(world.transcript());
    insta::assert_snapshot!(world.read(NoticeKind::RollingBack));
    assert_eq!(world.target().serving(), ["v1"]);
}

#[test]
fn a_promoted_release_is_undone_and_promoted_in_full() {
    let mut world = in_flight(Setup::rollout());
    let now = world.now;
    world.target().promote(now);
    world.run(30);
    world.target().behave("v2", BAD);
    world.run(60);
    insta::assert_snapshot!(world.transcript());
    assert_eq!(
        steps(&world),
        [
            Step::UndoRollout { to: "v1".into() },
            Step::PromoteFull { of: "v1".into() }
        ]
    );
    assert_eq!(world.target().serving(), ["v1"]);
    assert_eq!(
        world.kinds(),
        [NoticeKind::RollingBack, NoticeKind::Restored]
    );
}

#[test]
fn a_rollback_waits_for_a_promotion_in_full_and_undoes_it_then() {
    let mut world = in_flight(Setup::rollout());
    world.target().roll = 30;
    world.target().behave("v2", BAD);
    let now = world.now;
    world.target().promote(now);
    world.run(120);
    assert!(
        world.count(|record| matches!(record, Record::HoldBegan { hold, .. }
            if hold.guard == Guard::UnderWay))
            == 1,
        "{}",
        world.transcript()
    );
    assert_eq!(
        steps(&world)[0],
        Step::UndoRollout { to: "v1".into() },
        "{}",
        world.transcript()
    );
    assert_eq!(world.target().serving(), ["v1"]);
}

#[test]
fn a_rollout_that_a_person_aborted_is_verified_if_it_looked_bad() {
    let mut world = in_flight(Setup {
        dry_run: true,
        ..Setup::rollout()
    });
    world.target().behave("v2", BAD);
    world.run(20);
    world.target().aborted = true;
    world.run(60);
    assert_eq!(
        world.endings(),
        [Ending::Superseded {
            reason: "somebody aborted the Rollout".to_owned()
        }]
    );
    assert_eq!(
        world.told(NoticeKind::Restored),
        1,
        "{}",
        world.transcript()
    );
    assert!(world.plans().is_empty());
}

#[test]
fn a_retry_of_an_aborted_release_is_told_and_not_judged() {
    let mut world = in_flight(Setup::rollout());
    world.target().behave("v2", BAD);
    world.run(60);
    assert_eq!(world.told(NoticeKind::Restored), 1);
    // `kubectl argo rollouts retry`: the template does not change.
    world.target().aborted = false;
    world.run(60);
    assert_eq!(world.told(NoticeKind::FailedRevisionBack), 1);
    assert_eq!(world.plans().len(), 1);
}

#[test]
fn an_abort_never_goes_back_to_a_revision_that_failed() {
    // v2 is bad, and is promoted all the same while Recant only looks on; v3 comes on top of it.
    let mut setup = Setup::rollout();
    setup.watch = 60;
    let mut world = World::new(setup);
    world.target().rate = 40;
    world.run(60);
    world.target().behave("v2", BAD);
    world.target().kill_switch = Some("namespace shop".to_owned());
    world.ship("v2");
    world.run(20);
    let now = world.now;
    world.target().promote(now);
    world.run(120);
    assert_eq!(world.endings(), [Ending::Fail], "{}", world.transcript());
    world.target().kill_switch = None;
    world.target().behave(
        "v3",
        Behaviour {
            errors: 0.9,
            ..GOOD
        },
    );
    world.ship("v3");
    world.run(60);
    assert_eq!(
        steps(&world)[0],
        Step::UndoRollout { to: "v1".into() },
        "{}",
        world.transcript()
    );
    assert_eq!(world.plan_ends(), [PlanEnd::Done]);
    assert_eq!(world.target().serving(), ["v1"]);
}

#[test]
fn the_baseline_of_a_canary_is_the_stable_revision_beside_it() {
    let mut world = in_flight(Setup {
        watch: 30,
        ..Setup::rollout()
    });
    // Nobody can say of v2 whether it is good, and it is promoted.
    world.lie = Some(Box::new(|_, _, _| {
        Some(crate::observation::Observation::NoData {
            reason: "there is no such metric".to_owned(),
        })
    }));
    let now = world.now;
    world.target().promote(now);
    world.run(400);
    assert!(
        matches!(world.endings().as_slice(), [Ending::Inconclusive { .. }]),
        "{}",
        world.transcript()
    );
    world.lie = None;
    world.ship("v3");
    world.run(5);
    let known = &world.engine.ledger().targets[&world.setup.id("checkout")];
    let analysis = known.analysis.as_ref().expect("v3 is judged");
    assert_eq!(analysis.baseline, Some("v2".into()));
}

#[test]
fn a_comparison_beside_the_stable_pods_takes_a_bad_canary_back_and_no_good_one() {
    let compared = Setup {
        rules: vec![super::rules::no_worse()],
        ..Setup::rollout()
    };
    for seed in 1..=5 {
        let mut world = in_flight(Setup {
            seed,
            ..compared.clone()
        });
        world.run(300);
        assert!(world.plans().is_empty(), "{}", world.transcript());
        world.target().behave("v2", BAD);
        let took = world.run_until(60, |world| !world.commands.is_empty());
        assert!(took <= 10, "{took} s\n{}", world.transcript());
        assert!(
            world
                .read(NoticeKind::RollingBack)
                .contains("the baseline beside it had"),
            "{}",
            world.read(NoticeKind::RollingBack)
        );
    }
}

/// v2 is promoted and, before it was judged, superseded by v3.
fn superseded_when_promoted() -> World {
    let mut world = in_flight(Setup {
        watch: 120,
        ..Setup::rollout()
    });
    let now = world.now;
    world.target().promote(now);
    world.run(10);
    assert_eq!(world.target().stable, "v2");
    world.ship("v3");
    world.run(5);
    world
}

#[test]
fn a_release_that_was_superseded_after_its_promotion_is_no_way_back() {
    for promoted in [false, true] {
        let mut world = superseded_when_promoted();
        if promoted {
            let now = world.now;
            world.target().promote(now);
            world.run(10);
            assert_eq!(world.target().stable, "v3");
        }
        world.target().behave("v3", BAD);
        world.run(90);
        assert_eq!(
            steps(&world),
            [
                Step::UndoRollout { to: "v1".into() },
                Step::PromoteFull { of: "v1".into() }
            ],
            "promoted: {promoted}\n{}",
            world.transcript()
        );
        assert_eq!(world.plan_ends(), [PlanEnd::Done]);
        assert_eq!(world.target().serving(), ["v1"]);
    }
}

#[test]
fn an_abort_back_to_a_superseded_release_is_better_than_nothing() {
    let mut world = superseded_when_promoted();
    world.target().forget("v1");
    world.target().behave("v3", BAD);
    world.run(90);
    assert_eq!(
        steps(&world),
        [Step::AbortRollout],
        "{}",
        world.transcript()
    );
    assert_eq!(world.target().serving(), ["v2"]);
    world.run(300);
    let judged = world.count(|record| matches!(record, Record::AnalysisBegan { .. }));
    assert_eq!(judged, 2, "what a rollback led to is not judged again");
}

#[test]
fn a_superseded_release_that_a_person_goes_back_to_is_judged() {
    let mut world = superseded_when_promoted();
    world.target().aborted = true;
    world.run(5);
    let known = &world.engine.ledger().targets[&world.setup.id("checkout")];
    let analysis = known.analysis.as_ref().expect("v2 is judged");
    assert_eq!(analysis.canary, "v2".into());
    world.target().behave("v2", BAD);
    world.run(90);
    // The spec is still at v3: what to do about that is the person's to say, who is told.
    let held = world.read(NoticeKind::Held);
    assert!(held.contains("revision v2 is bad"), "{held}");
    assert!(steps(&world).is_empty(), "{}", world.transcript());
}

#[test]
fn an_abort_that_was_carried_out_is_not_repeated_on_what_a_person_ships_again() {
    let mut world = in_flight(Setup::rollout());
    world.target().behave("v2", BAD);
    world.run_until(60, |world| !world.commands.is_empty());
    assert!(world.target().aborted);
    // The answer is lost with the process, and nobody saw the Rollout aborted.
    world.ship("v2");
    world.restart();
    world.run(60);
    assert_eq!(world.target().writes.len(), 1, "{}", world.transcript());
    assert!(!world.target().aborted, "the person's word counts");
    assert!(
        matches!(world.plan_ends().as_slice(), [PlanEnd::Fenced { .. }]),
        "{:?}",
        world.plan_ends()
    );
    assert_eq!(world.told(NoticeKind::RollbackFailed), 1);
}
