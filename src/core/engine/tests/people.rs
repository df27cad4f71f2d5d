//! People's orders: taken once, held by the same guards, and answered with what came of them.

use std::collections::BTreeSet;

use jiff::SignedDuration;

use super::rules::Setup;
use super::target::{BAD, Behaviour, GOOD};
use super::world::{World, at};
use crate::analysis::Ending;
use crate::command::{By, Command, CommandOutcome, Lasting, Order, Reach};
use crate::engine::{Given, Inputs, Reply};
use crate::guard::{Guard, GuardSettings};
use crate::notice::NoticeKind;
use crate::record::Record;
use crate::saga::PlanEnd;

pub(super) fn command(key: &str, order: Order) -> Command {
    Command {
        key: key.to_owned(),
        by: By {
            caller: "ops".to_owned(),
            identity: None,
        },
        reason: "looks wrong to me".to_owned(),
        order,
        overrides: BTreeSet::new(),
    }
}

pub(super) fn give(world: &mut World, command: Command, dry_run: bool) -> Reply {
    world.replies.clear();
    world.tick(Inputs {
        commands: vec![Given { command, dry_run }],
        ..Inputs::default()
    });
    // What the cluster was asked first is there within seconds.
    for _ in 0..20 {
        if world.replies.is_empty() && world.crashes == 0 {
            world.second();
        }
    }
    world.replies.pop().expect("each is answered")
}

pub(super) fn rollback(world: &World, to: Option<&str>) -> Order {
    Order::Rollback {
        target: world.setup.id("checkout"),
        to: to.map(str::to_owned),
    }
}

#[track_caller]
pub(super) fn done(outcome: &CommandOutcome) -> String {
    match outcome {
        CommandOutcome::Done { said, .. } => said.clone(),
        CommandOutcome::Held { .. } | CommandOutcome::Refused { .. } => panic!("{outcome:?}"),
    }
}

#[track_caller]
pub(super) fn refused(outcome: &CommandOutcome) -> String {
    match outcome {
        CommandOutcome::Refused { reason } => reason.clone(),
        CommandOutcome::Held { .. } | CommandOutcome::Done { .. } => panic!("{outcome:?}"),
    }
}

#[track_caller]
pub(super) fn held(outcome: &CommandOutcome) -> Vec<Guard> {
    match outcome {
        CommandOutcome::Held { holds } => holds.iter().map(|hold| hold.guard).collect(),
        CommandOutcome::Refused { .. } | CommandOutcome::Done { .. } => panic!("{outcome:?}"),
    }
}

/// A good v2 that is being watched beside nothing: only a person would take it back.
pub(super) fn shipped() -> World {
    let mut world = World::settled(Setup::default());
    world.target().behave("v2", GOOD);
    world.ship("v2");
    world.run(40);
    world
}

#[test]
fn a_persons_rollback_needs_no_evidence_and_goes_the_same_way() {
    let mut world = shipped();
    let order = rollback(&world, None);
    let reply = give(&mut world, command("1", order.clone()), false);
    let said = done(&reply.outcome);
    assert!(
        said.contains("goes from revision v2 back to revision v1"),
        "{said}"
    );
    world.run(90);
    assert_eq!(world.target().serving(), ["v1"]);
    assert_eq!(world.plan_ends(), [PlanEnd::Done]);
    assert_eq!(
        world.endings(),
        [Ending::Superseded {
            reason: "`ops` took revision v2 back".to_owned()
        }]
    );
    assert_eq!(world.told(NoticeKind::RollingBack), 1);
    insta::assert_snapshot!(world.read(NoticeKind::RollingBack));
    // The service is looked at afterwards by all its rules.
    world.run_until(300, |world| world.told(NoticeKind::Restored) == 1);
    insta::assert_snapshot!(world.read(NoticeKind::Restored));
    // The same key does nothing twice, and says what became of it; another order under it is refused.
    let records = world.journal.len();
    assert_eq!(give(&mut world, command("1", order), false), reply);
    assert_eq!(world.journal.len(), records);
    let other = rollback(&world, Some("v2"));
    let reply = give(&mut world, command("1", other), false);
    assert!(refused(&reply.outcome).contains("was used for another command"));
    // What was taken back by a person did not fail: it may be shipped again, and is judged again.
    world.ship("v2");
    world.run(10);
    let begun = world.count(|record| matches!(record, Record::AnalysisBegan { .. }));
    assert_eq!(begun, 2);
}

#[test]
fn wherever_the_journal_is_cut_a_person_gets_one_rollback_or_none() {
    let whole = {
        let mut world = shipped();
        let begin = world.journal.len();
        let order = rollback(&world, None);
        give(&mut world, command("1", order), false);
        begin..world.journal.len()
    };
    assert!(whole.len() > 4, "{whole:?}");
    for cut in whole {
        for leave in [false, true] {
            let mut world = shipped();
            world.crash_at = Some(cut);
            world.effects_leave = leave;
            let order = rollback(&world, None);
            world.tick(Inputs {
                commands: vec![Given {
                    command: command("1", order),
                    dry_run: false,
                }],
                ..Inputs::default()
            });
            assert_eq!(world.crashes, 1, "{cut}");
            world.run(200);
            let plans = world.plans().len();
            assert!(plans <= 1, "{}", world.transcript());
            let back = world.target().serving() == ["v1"];
            assert_eq!(back, plans == 1, "{cut}: {}", world.transcript());
            assert!(world.engine.ledger().people.open.is_empty());
            let told = world.count(|record| {
                matches!(record, Record::Noticed(notice) if notice.kind == NoticeKind::RollingBack)
            });
            assert_eq!(told, plans, "{cut}");
        }
    }
}

#[test]
fn guards_hold_a_person_too_unless_they_are_overridden_by_name() {
    let mut world = shipped();
    world.setup.guards = GuardSettings {
        actions_per_hour: 0,
        ..GuardSettings::only(SignedDuration::from_mins(10), 0)
    };
    world.restart();
    world.run(5);
    let order = rollback(&world, None);
    let reply = give(&mut world, command("1", order.clone()), false);
    assert_eq!(held(&reply.outcome), [Guard::ActionRate]);
    assert!(world.plans().is_empty());
    let overriding = Command {
        overrides: [Guard::ActionRate].into(),
        ..command("2", order.clone())
    };
    // A dry run says the same, shows the first write, and leaves no record.
    let records = world.journal.len();
    let dry = give(&mut world, overriding.clone(), true);
    assert!(done(&dry.outcome).starts_with("would go from"), "{dry:?}");
    assert!(dry.steps[0].rollback().is_some());
    let dry = give(&mut world, command("3", order.clone()), true);
    assert_eq!(held(&dry.outcome), [Guard::ActionRate]);
    assert!(
        !dry.steps.is_empty(),
        "what would be written is shown all the same"
    );
    assert_eq!(world.journal.len(), records);
    let reply = give(&mut world, overriding, false);
    let CommandOutcome::Done { overridden, .. } = &reply.outcome else {
        panic!("{reply:?}");
    };
    assert_eq!(overridden.len(), 1);
    assert!(
        world
            .read(NoticeKind::RollingBack)
            .contains("Guard `actions per hour` was overridden by that order"),
        "{}",
        world.read(NoticeKind::RollingBack)
    );
}

#[test]
fn the_kill_switch_and_a_revision_that_failed_stop_everybody() {
    let mut world = World::settled(Setup::default());
    world.target().behave("v2", BAD);
    world.ship("v2");
    world.run_until(120, |world| world.plan_ends().len() == 1);
    let failed = rollback(&world, Some("v2"));
    let reply = give(&mut world, command("1", failed), false);
    assert!(
        refused(&reply.outcome)
            .contains("failed its watch, and Recant never goes back to such a one"),
        "{reply:?}"
    );
    let there = rollback(&world, Some("v1"));
    let reply = give(&mut world, command("2", there), false);
    assert!(refused(&reply.outcome).contains("is at revision v1 already"));
    let unknown = rollback(&world, Some("v77"));
    let reply = give(&mut world, command("3", unknown), false);
    assert!(refused(&reply.outcome).contains("has no revision `v77`; it has"));

    let mut world = shipped();
    world.target().kill_switch = Some("namespace `shop`".to_owned());
    world.run(2);
    let order = rollback(&world, None);
    let reply = give(&mut world, command("1", order.clone()), false);
    assert_eq!(held(&reply.outcome), [Guard::KillSwitch]);
    for guard in Guard::ALL
        .into_iter()
        .filter(|guard| !guard.may_be_overridden())
    {
        let overriding = Command {
            overrides: [guard].into(),
            ..command(guard.as_str(), order.clone())
        };
        let reply = give(&mut world, overriding, false);
        assert!(refused(&reply.outcome).contains("cannot be overridden by anybody"));
    }
    world.run(60);
    assert!(world.target().writes.is_empty());
}

#[test]
fn a_process_that_was_told_to_write_nothing_writes_nothing_for_a_person_either() {
    let mut world = shipped();
    world.setup.guards.dry_run = true;
    world.restart();
    world.run(5);
    let order = rollback(&world, None);
    let overriding = Command {
        overrides: [Guard::DryRun].into(),
        ..command("1", order)
    };
    assert_eq!(
        held(&give(&mut world, overriding, false).outcome),
        [Guard::DryRun]
    );
}

#[test]
fn a_hold_keeps_a_bad_release_where_it_is_until_it_is_resumed_or_over() {
    for resumed in [true, false] {
        let mut world = World::settled(Setup {
            watch: 900,
            ..Setup::default()
        });
        let target = world.setup.id("checkout");
        let lasts = Lasting::Seconds(300);
        let hold = Order::Hold {
            target: target.clone(),
            lasts,
        };
        let said = done(&give(&mut world, command("1", hold), false).outcome);
        assert!(
            said.starts_with("nothing is done to Deployment shop/checkout until"),
            "{said}"
        );
        let began = world.now;
        world.target().behave("v2", BAD);
        world.ship("v2");
        world.run(100);
        assert!(world.plans().is_empty());
        assert_eq!(world.told(NoticeKind::Held), 1);
        assert_eq!(world.told(NoticeKind::Ordered), 1);
        // The clock of a hold does not begin anew with the process.
        world.restart();
        if resumed {
            insta::assert_snapshot!(world.read(NoticeKind::Held));
            let resume = Order::Resume {
                target: target.clone(),
            };
            let said = done(&give(&mut world, command("2", resume.clone()), false).outcome);
            assert!(said.contains("its hold"), "{said}");
            // Who set it and who lifted it, as people read it.
            insta::assert_snapshot!("holds_are_told", world.read(NoticeKind::Ordered));
            world.run_until(5, |world| world.plans().len() == 1);
            let again = give(&mut world, command("3", resume), false);
            assert!(refused(&again.outcome).starts_with("nothing that a person ends holds"));
        } else {
            world.run_until(400, |world| world.plans().len() == 1);
            assert!(
                (300..310).contains(&(world.now - began)),
                "{}",
                world.now - began
            );
        }
    }
}

#[test]
fn a_freeze_reaches_as_far_as_it_says() {
    let mut world = World::settled(Setup::default());
    let freeze = |reach| Order::Freeze {
        reach,
        lasts: Lasting::Until(at(100_000)),
    };
    let namespace = |name: &str| Reach::Namespace {
        namespace: name.to_owned(),
    };
    give(&mut world, command("1", freeze(namespace("other"))), false);
    give(&mut world, command("2", freeze(namespace("shop"))), false);
    world.target().behave("v2", BAD);
    world.ship("v2");
    world.run(60);
    assert!(world.plans().is_empty());
    let snapshot = world.engine.snapshot(at(world.now));
    let holds = &snapshot.targets[0].holds;
    assert_eq!(holds.len(), 1, "{holds:?}");
    assert_eq!(
        (holds[0].guard, holds[0].until),
        (Guard::Freeze, Some(at(100_000)))
    );
    insta::assert_snapshot!(holds[0].reason);
    let everything = Order::Unfreeze {
        reach: Reach::Everything,
    };
    let reply = give(&mut world, command("3", everything), false);
    assert!(refused(&reply.outcome).contains("frozen are: namespace `other`, namespace `shop`"));
    let shop = Order::Unfreeze {
        reach: namespace("shop"),
    };
    done(&give(&mut world, command("4", shop), false).outcome);
    world.run_until(5, |world| world.plans().len() == 1);
    // Set twice and lifted once; who hears of it is who hears of releases in reach.
    insta::assert_snapshot!("freezes_are_told", world.read(NoticeKind::Ordered));
    let of_other = world
        .notices
        .iter()
        .find(|notice| notice.headline.contains("`other`"));
    assert_eq!(of_other, None, "nobody is in reach of it");
    let past = Order::Freeze {
        reach: Reach::Everything,
        lasts: Lasting::Until(at(1)),
    };
    let reply = give(&mut world, command("5", past), false);
    assert!(refused(&reply.outcome).contains("is over already"));
}

/// Whatever the journal is cut off behind, a hold that is set is told once.
#[test]
fn a_hold_is_told_once_whoever_crashes_when() {
    let begin = || World::settled(Setup::default());
    let order = |world: &World| Order::Hold {
        target: world.setup.id("checkout"),
        lasts: Lasting::Seconds(600),
    };
    let mut whole = begin();
    let before = whole.journal.len();
    let hold = order(&whole);
    give(&mut whole, command("1", hold), false);
    let records = whole.journal.len() - before;
    assert!(records >= 3, "{}", whole.transcript());
    for cut in 1..=records {
        for effects_leave in [false, true] {
            let mut world = begin();
            world.crash_at = Some(before + cut);
            world.effects_leave = effects_leave;
            let hold = order(&world);
            give(&mut world, command("1", hold), false);
            world.run(5);
            let set = world.engine.ledger().people.holds.len();
            let told = world.count(|record| {
                matches!(record, Record::Noticed(notice) if notice.kind == NoticeKind::Ordered)
            });
            assert_eq!(told, set, "{cut}: {}", world.transcript());
            assert!(world.engine.ledger().people.untold.is_empty());
        }
    }
}

#[test]
fn resume_unlatches_a_target_that_flaps() {
    let guards = GuardSettings {
        flapping: crate::guard::Times {
            number: 1,
            within: SignedDuration::from_hours(24),
        },
        ..GuardSettings::only(SignedDuration::ZERO, 10)
    };
    let mut world = World::settled(Setup {
        guards,
        ..Setup::default()
    });
    for revision in ["v2", "v3"] {
        world.target().behave(revision, BAD);
        world.ship(revision);
        world.run(100);
    }
    assert_eq!(world.plans().len(), 1);
    let order = Order::Resume {
        target: world.setup.id("checkout"),
    };
    let said = done(&give(&mut world, command("1", order), false).outcome);
    assert!(said.contains("guard `flapping`"), "{said}");
    world.run_until(5, |world| world.plans().len() == 2);
}

#[test]
fn what_is_not_watched_is_refused_and_a_second_rollback_waits_for_nothing() {
    let mut world = shipped();
    let mut elsewhere = world.setup.id("checkout");
    elsewhere.name = "cart".to_owned();
    let order = Order::Rollback {
        target: elsewhere,
        to: None,
    };
    let reply = give(&mut world, command("1", order), false);
    assert!(refused(&reply.outcome).contains("is not watched"));
    let order = rollback(&world, None);
    done(&give(&mut world, command("2", order.clone()), false).outcome);
    // Somebody else at the same time: one rollback.
    let reply = give(&mut world, command("3", order), false);
    assert!(held(&reply.outcome).contains(&Guard::UnderWay), "{reply:?}");
    world.run(60);
    assert_eq!(world.plans().len(), 1);
    assert_eq!(world.target().writes.len(), 1);
}

#[test]
fn a_revision_whose_image_never_ran_here_is_held_by_name() {
    let mut world = World::settled(Setup::default());
    let never = Behaviour {
        ready: false,
        ..GOOD
    };
    world.target().behave("v2", never);
    world.ship("v2");
    world.run(40);
    world.target().behave("v3", GOOD);
    world.ship("v3");
    world.run(60);
    let order = rollback(&world, Some("v2"));
    let reply = give(&mut world, command("1", order), false);
    let CommandOutcome::Held { holds } = &reply.outcome else {
        panic!("{:?}", reply.outcome);
    };
    assert_eq!(holds[0].guard, Guard::NoWayBack, "{holds:?}");
    let reason = &holds[0].reason;
    assert!(
        reason.contains("never seen to run here") && reason.contains(":v2`"),
        "{reason}"
    );
    // One that ran is taken, also after a restart.
    world.restart();
    world.run(5);
    let order = rollback(&world, Some("v1"));
    done(&give(&mut world, command("2", order), false).outcome);
}
