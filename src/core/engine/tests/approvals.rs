//! A rollback that waits for a person: asked once, agreed to once, for a time and for that plan alone. And a dependency
//! that fails: then the release is left alone.

use std::collections::BTreeSet;

use jiff::SignedDuration;

use super::rules::Setup;
use super::target::{BAD, GOOD};
use super::world::{World, at};
use crate::command::{By, Command, CommandOutcome, Order};
use crate::engine::{Given, Inputs};
use crate::guard::{Guard, GuardSettings};
use crate::ids::PlanId;
use crate::notice::NoticeKind;
use crate::record::Record;

fn approve(world: &mut World, key: &str, plan: &PlanId) -> CommandOutcome {
    world.replies.clear();
    let command = Command {
        key: key.to_owned(),
        by: By {
            caller: "ops".to_owned(),
            identity: Some("anna".to_owned()),
        },
        reason: "I have looked".to_owned(),
        order: Order::Approve { plan: plan.clone() },
        overrides: BTreeSet::new(),
    };
    world.tick(Inputs {
        commands: vec![Given {
            command,
            dry_run: false,
        }],
        ..Inputs::default()
    });
    world.replies.pop().expect("each is answered").outcome
}

#[track_caller]
fn refused(outcome: &CommandOutcome) -> &str {
    match outcome {
        CommandOutcome::Refused { reason } => reason,
        CommandOutcome::Held { .. } | CommandOutcome::Done { .. } => panic!("{outcome:?}"),
    }
}

#[track_caller]
fn done(outcome: &CommandOutcome) -> &str {
    match outcome {
        CommandOutcome::Done { said, .. } => said,
        CommandOutcome::Held { .. } | CommandOutcome::Refused { .. } => panic!("{outcome:?}"),
    }
}

/// A bad release whose rollback waits for somebody, and its plan.
fn waiting() -> (World, PlanId) {
    let mut world = World::settled(Setup {
        approval: true,
        watch: 7200,
        ..Setup::default()
    });
    world.target().behave("v2", BAD);
    world.ship("v2");
    world.run(60);
    assert!(world.plans().is_empty(), "{}", world.transcript());
    let plan = asked(&world).pop().expect("somebody was asked");
    (world, plan)
}

fn asked(world: &World) -> Vec<PlanId> {
    world
        .records(|record| match record {
            Record::ApprovalAsked { approval } => Some(approval.plan.clone()),
            _ => None,
        })
        .map(|(_, plan)| plan)
        .collect()
}

#[test]
fn a_rollback_waits_until_somebody_agrees_and_then_goes_once() {
    let (mut world, plan) = waiting();
    assert_eq!(asked(&world).len(), 1);
    assert_eq!(world.told(NoticeKind::Held), 1, "{}", world.transcript());
    insta::assert_snapshot!(world.read(NoticeKind::Held));
    let snapshot = world.engine.snapshot(at(world.now));
    assert_eq!(snapshot.targets[0].holds[0].guard, Guard::Approval);
    assert_eq!(snapshot.approvals.len(), 1);
    // Neither a restart nor time asks twice.
    world.restart();
    world.run(300);
    assert_eq!(asked(&world).len(), 1);
    let outcome = approve(&mut world, "1", &plan);
    assert!(
        done(&outcome).contains("goes from revision v2 back to v1"),
        "{outcome:?}"
    );
    world.run_until(5, |world| world.plans().len() == 1);
    // A repeat says the same; somebody else is told that it is over.
    assert_eq!(approve(&mut world, "1", &plan), outcome);
    let late = approve(&mut world, "2", &plan);
    assert!(refused(&late).contains("it was carried out"), "{late:?}");
    world.run(90);
    assert_eq!(world.plans().len(), 1);
    assert_eq!(world.target().serving(), ["v1"]);
}

#[test]
fn two_people_agree_once() {
    let (mut world, plan) = waiting();
    // Something else holds it, so that the agreement is not used up at once.
    world.target().kill_switch = Some("namespace `shop`".to_owned());
    world.run(5);
    let first = approve(&mut world, "1", &plan);
    assert!(
        done(&first).contains(
            "nothing is done to Deployment shop/checkout while it is held by `kill switch`"
        ),
        "{first:?}"
    );
    let second = approve(&mut world, "2", &plan);
    assert!(
        refused(&second).contains("was approved already, by `ops` (anna)"),
        "{second:?}"
    );
    world.target().kill_switch = None;
    world.run_until(5, |world| world.plans().len() == 1);
}

#[test]
fn a_question_is_over_after_its_time_and_is_asked_anew() {
    let (mut world, plan) = waiting();
    world.target().kill_switch = Some("namespace `shop`".to_owned());
    world.run(1800);
    let late = approve(&mut world, "1", &plan);
    assert!(refused(&late).contains("could be given until"), "{late:?}");
    world.target().kill_switch = None;
    world.run(10);
    assert_eq!(asked(&world).len(), 2);
    assert!(
        world.plans().is_empty(),
        "what nobody agreed to is not done"
    );
    // An agreement does not last longer than its question either.
    world.target().kill_switch = Some("namespace `shop`".to_owned());
    world.run(5);
    done(&approve(&mut world, "2", &plan));
    world.run(1900);
    world.target().kill_switch = None;
    world.run(10);
    assert!(world.plans().is_empty(), "{}", world.transcript());
    assert_eq!(asked(&world).len(), 3);
}

#[test]
fn after_another_release_nobody_agrees_to_the_old_plan() {
    let (mut world, plan) = waiting();
    world.target().behave("v3", GOOD);
    world.ship("v3");
    world.run(20);
    let outcome = approve(&mut world, "1", &plan);
    assert!(
        refused(&outcome).contains("another revision came"),
        "{outcome:?}"
    );
    let outcome = approve(&mut world, "2", &"made-up".into());
    assert!(
        refused(&outcome).contains("nobody was asked about it"),
        "{outcome:?}"
    );
    world.run(60);
    assert!(world.plans().is_empty());
}

#[test]
fn an_agreement_after_the_symptom_has_gone_waits_for_it_to_come_back() {
    let (mut world, plan) = waiting();
    world.target().behave("v2", GOOD);
    world.run(90);
    let outcome = approve(&mut world, "1", &plan);
    assert!(done(&outcome).contains("`symptom gone`"), "{outcome:?}");
    world.run(60);
    assert!(world.plans().is_empty(), "{}", world.transcript());
    world.target().behave("v2", BAD);
    world.run_until(60, |world| world.plans().len() == 1);
}

#[test]
fn the_settings_ask_for_every_watch_and_a_persons_own_order_needs_nobody_else() {
    let mut guards = GuardSettings::only(SignedDuration::from_mins(10), 10);
    guards.approval.required = true;
    let mut world = World::settled(Setup {
        guards,
        ..Setup::default()
    });
    world.target().behave("v2", BAD);
    world.ship("v2");
    world.run(60);
    assert_eq!((asked(&world).len(), world.plans().len()), (1, 0));
    let command = Command {
        key: "1".to_owned(),
        by: By {
            caller: "ops".to_owned(),
            identity: None,
        },
        reason: String::new(),
        order: Order::Rollback {
            target: world.setup.id("checkout"),
            to: None,
        },
        overrides: BTreeSet::new(),
    };
    world.tick(Inputs {
        commands: vec![Given {
            command,
            dry_run: false,
        }],
        ..Inputs::default()
    });
    assert_eq!(world.plans().len(), 1, "{}", world.transcript());
}

#[test]
fn while_a_dependency_fails_a_failing_release_is_held_and_goes_when_only_it_fails() {
    let mut world = World::settled(Setup {
        targets: vec!["checkout", "database"],
        depends: vec![("checkout", "database")],
        watch: 1800,
        ..Setup::default()
    });
    let now = world.now;
    world.named("database").behave("v9", BAD);
    world.named("checkout").behave("v2", BAD);
    for (name, revision) in [("database", "v9"), ("checkout", "v2")] {
        world.named(name).kill_switch = (name == "database").then(|| "namespace `shop`".to_owned());
        world.named(name).ship(revision, now);
    }
    world.run(90);
    assert!(world.plans().is_empty(), "{}", world.transcript());
    let checkout = world.setup.id("checkout");
    let holds = &world.engine.ledger().targets[&checkout].holds;
    assert_eq!(
        holds.iter().map(|hold| hold.guard).collect::<Vec<_>>(),
        [Guard::Dependency]
    );
    insta::assert_snapshot!(holds[0].reason);
    // Its own release is taken back by somebody: what still fails then is this one.
    world.named("database").behave("v9", GOOD);
    let now = world.now;
    world.named("database").behave("v10", GOOD);
    world.named("database").ship("v10", now);
    world.run_until(120, |world| world.plans().len() == 1);
}
