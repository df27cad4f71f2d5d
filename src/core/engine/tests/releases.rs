//! Which revision is judged, which is not, and what ends an analysis before its time.

use super::rules::{Setup, errors};
use super::target::{BAD, Behaviour, GOOD};
use super::world::World;
use crate::analysis::Ending;
use crate::notice::NoticeKind;
use crate::plan::Step;
use crate::record::Record;
use crate::verify::VerificationEnd;

fn slow() -> Behaviour {
    // Bad enough to be suspected, not to be sure within seconds.
    Behaviour {
        errors: 0.3,
        ..GOOD
    }
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

fn dry() -> Setup {
    Setup {
        dry_run: true,
        ..Setup::default()
    }
}

#[test]
fn a_second_release_supersedes_the_first_and_the_way_back_stays() {
    let mut world = World::settled(Setup {
        watch: 60,
        ..Setup::default()
    });
    world.ship("v2");
    world.run(80);
    world.ship("v3");
    world.run(20);
    world.target().behave("v4", BAD);
    world.ship("v4");
    world.run_until(60, |world| !world.commands.is_empty());
    assert_eq!(
        world.endings()[..2],
        [
            Ending::Pass,
            Ending::Superseded {
                reason: "revision v4 came".to_owned()
            }
        ]
    );
    assert_eq!(
        world.step(0),
        Step::UndoDeployment { to: "v2".into() },
        "v3 was neither good nor bad"
    );
    let began = world.records(|record| match record {
        Record::AnalysisBegan { analysis } => Some(analysis.baseline.clone()),
        _ => None,
    });
    let baselines: Vec<_> = began.map(|(_, baseline)| baseline).collect();
    assert_eq!(
        baselines,
        [Some("v1".into()), Some("v2".into()), Some("v2".into())]
    );
}

#[test]
fn our_own_undo_coming_back_is_verified_and_not_analysed() {
    let mut world = World::settled(Setup::default());
    world.target().behave("v2", BAD);
    world.ship("v2");
    world.run(200);
    assert_eq!(
        world.count(|record| matches!(record, Record::AnalysisBegan { .. })),
        1
    );
    assert_eq!(verifications(&world), [VerificationEnd::Gone]);
    assert_eq!(
        world.kinds(),
        [NoticeKind::RollingBack, NoticeKind::Restored]
    );
}

#[test]
fn a_persons_undo_of_a_bad_release_ends_its_analysis_and_is_verified() {
    let mut world = World::settled(dry());
    world.target().behave("v2", slow());
    world.ship("v2");
    world.run(20);
    world.ship("v1");
    world.run(60);
    insta::assert_snapshot!(world.transcript());
    insta::assert_snapshot!(world.read(NoticeKind::Restored));
}

#[test]
fn a_persons_undo_of_a_good_release_is_no_news() {
    let mut world = World::settled(Setup::default());
    world.ship("v2");
    world.run(20);
    world.ship("v1");
    world.run(60);
    assert!(world.notices.is_empty(), "{}", world.transcript());
    assert!(verifications(&world).is_empty());
    assert_eq!(
        world.endings(),
        [Ending::Superseded {
            reason: "revision v1 came".to_owned()
        }]
    );
}

#[test]
fn a_known_good_revision_that_comes_back_is_not_judged_again() {
    let mut world = World::settled(Setup {
        watch: 60,
        ..Setup::default()
    });
    world.ship("v2");
    world.run(80);
    world.ship("v3");
    world.run(80);
    world.target().behave("v2", BAD);
    world.ship("v2");
    world.run(80);
    assert_eq!(
        world.count(|record| matches!(record, Record::AnalysisBegan { .. })),
        2
    );
    assert!(world.plans().is_empty(), "never roll back a rollback");
}

#[test]
fn a_failed_revision_that_comes_back_is_told_once_and_not_judged() {
    let mut world = World::settled(Setup::default());
    world.target().behave("v2", BAD);
    world.ship("v2");
    world.run(60);
    world.ship("v2");
    world.run(60);
    world.restart();
    world.run(60);
    assert_eq!(world.told(NoticeKind::FailedRevisionBack), 1);
    assert_eq!(world.plans().len(), 1);
    assert_eq!(
        world.count(|record| matches!(record, Record::AnalysisBegan { .. })),
        1
    );
    insta::assert_snapshot!(world.read(NoticeKind::FailedRevisionBack));
}

#[test]
fn a_failed_revision_that_is_put_back_during_the_rollback_ends_it_at_once() {
    // A GitOps tool heals within seconds.
    let mut world = World::settled(Setup::default());
    world.target().roll = 20;
    world.target().behave("v2", BAD);
    world.ship("v2");
    world.run_until(60, |world| !world.commands.is_empty());
    world.run(3);
    world.ship("v2");
    world.run(30);
    assert_eq!(
        world.kinds(),
        [NoticeKind::RollingBack, NoticeKind::RollbackFailed],
        "{}",
        world.transcript()
    );
    insta::assert_snapshot!(world.read(NoticeKind::RollbackFailed));
    world.run(700);
    assert_eq!(world.target().writes.len(), 1);
    assert_eq!(world.notices.len(), 2);
}

#[test]
fn a_failed_revision_that_is_put_back_during_the_verification_is_one_piece_of_news() {
    let mut world = World::settled(Setup::default());
    world.target().behave("v2", BAD);
    world.ship("v2");
    world.run_until(60, |world| {
        world.count(|record| matches!(record, Record::VerificationBegan { .. })) > 0
    });
    world.ship("v2");
    world.run(300);
    assert_eq!(
        world.kinds(),
        [NoticeKind::RollingBack, NoticeKind::FailedRevisionBack],
        "{}",
        world.transcript()
    );
}

#[test]
fn a_release_during_the_rollback_is_judged_and_the_rollback_is_given_up() {
    let mut world = World::settled(Setup::default());
    world.target().roll = 20;
    world.target().behave("v2", BAD);
    world.ship("v2");
    world.run_until(60, |world| !world.commands.is_empty());
    world.run(2);
    world.ship("v3");
    world.run(400);
    assert_eq!(
        world.kinds(),
        [
            NoticeKind::RollingBack,
            NoticeKind::RollbackFailed,
            NoticeKind::Passed
        ],
        "{}",
        world.transcript()
    );
    assert_eq!(world.target().serving(), ["v3"]);
}

#[test]
fn a_release_during_the_verification_is_told_as_not_verified() {
    let mut world = World::settled(Setup::default());
    world.target().behave("v2", BAD);
    world.ship("v2");
    world.run_until(60, |world| {
        world.count(|record| matches!(record, Record::VerificationBegan { .. })) > 0
    });
    world.ship("v3");
    world.run(10);
    assert_eq!(
        world.kinds(),
        [NoticeKind::RollingBack, NoticeKind::NotRestored],
        "{}",
        world.transcript()
    );
}

#[test]
fn a_target_that_is_deleted_takes_everything_under_way_with_it() {
    let mut world = World::settled(Setup::default());
    world.ship("v2");
    world.run(20);
    world.target().delete();
    world.run(20);
    assert_eq!(
        world.endings(),
        [Ending::Superseded {
            reason: "Deployment shop/checkout was deleted".to_owned()
        }]
    );
    let now = world.now;
    world.target().recreate("v2", now);
    world.run(400);
    assert!(world.notices.is_empty(), "{}", world.transcript());
}

#[test]
fn a_target_that_is_created_again_during_a_rollback_is_not_touched() {
    let mut world = World::settled(Setup::default());
    world.target().roll = 20;
    world.target().behave("v2", BAD);
    world.ship("v2");
    world.run_until(60, |world| !world.commands.is_empty());
    world.run(2);
    let now = world.now;
    world.target().delete();
    world.target().recreate("v2", now);
    world.run(100);
    assert_eq!(
        world.kinds(),
        [NoticeKind::RollingBack, NoticeKind::RollbackFailed],
        "{}",
        world.transcript()
    );
    assert_eq!(world.target().writes.len(), 1);
    assert_eq!(world.target().serving(), ["v2"]);
}

#[test]
fn a_target_that_was_created_again_while_the_agent_was_away_is_new() {
    let mut world = World::settled(Setup::default());
    world.ship("v2");
    world.run(20);
    let now = world.now;
    world.target().delete();
    world.target().recreate("v3", now);
    world.restart();
    world.run(60);
    assert_eq!(
        world.endings(),
        [Ending::Superseded {
            reason: "Deployment shop/checkout was deleted and created again".to_owned()
        }]
    );
    assert!(world.notices.is_empty());
}

#[test]
fn a_release_while_the_agent_was_away_is_judged_when_it_is_back() {
    let mut world = World::settled(Setup::default());
    world.target().behave("v2", BAD);
    let now = world.now;
    world.target().ship("v2", now);
    for second in now..now + 600 {
        world.target().second(second);
    }
    world.now += 600;
    world.restart();
    world.run_until(60, |world| !world.commands.is_empty());
    world.run(60);
    assert_eq!(world.target().serving(), ["v1"], "{}", world.transcript());
}

#[test]
fn two_namespaces_may_release_the_same_thing_in_the_same_second() {
    let mut world = World::new(Setup {
        targets: vec!["checkout", "cart"],
        ..Setup::with(vec![errors(0.05)])
    });
    // As if they had the same name: ids of analyses are made of name, hash and second.
    world.run(60);
    for name in ["checkout", "cart"] {
        world.named(name).behave("v2", BAD);
        let now = world.now;
        world.named(name).ship("v2", now);
    }
    world.run(60);
    let plans: std::collections::BTreeSet<_> = world.plans().into_iter().collect();
    assert_eq!(plans.len(), 2);
    let numbers: Vec<String> = plans
        .iter()
        .map(|plan| {
            plan.as_str()
                .rsplit('-')
                .next()
                .unwrap_or_default()
                .to_owned()
        })
        .collect();
    assert_ne!(numbers[0], numbers[1]);
    for name in ["checkout", "cart"] {
        assert_eq!(world.named(name).serving(), ["v1"]);
    }
}

#[test]
fn news_of_a_failed_revision_belong_to_the_analysis_that_found_it_bad() {
    let mut world = World::settled(Setup::default());
    world.target().behave("v2", BAD);
    world.ship("v2");
    world.run(60);
    // Another release comes in between; it is not what the news are about.
    world.ship("v3");
    world.run(10);
    world.ship("v2");
    world.run(10);
    let mut notices = world.notices.iter();
    let news = notices.find(|notice| notice.kind == NoticeKind::FailedRevisionBack);
    let news = news.expect("it was told");
    assert_eq!(
        news.correlation.as_ref(),
        world.plans().first(),
        "{}",
        world.transcript()
    );
}
