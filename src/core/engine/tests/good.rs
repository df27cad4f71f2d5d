//! Good releases are left alone, and become the way back.

use super::rules::{Setup, errors, latency, no_worse, success};
use super::target::BAD;
use super::world::World;
use crate::analysis::Ending;
use crate::notice::NoticeKind;
use crate::plan::Step;
use crate::record::{Record, Standing};

fn everything() -> Vec<crate::rule::Rule> {
    vec![
        errors(0.05),
        success(0.95),
        no_worse(),
        latency(Some(0.5)),
        latency(None),
    ]
    .into_iter()
    .enumerate()
    .map(|(index, rule)| crate::rule::Rule {
        name: format!("http/rule-{index}").as_str().into(),
        ..rule
    })
    .collect()
}

#[test]
fn a_good_release_passes_ten_times_out_of_ten_and_nothing_is_written() {
    for seed in 1..=10 {
        let mut world = World::settled(Setup {
            seed,
            watch: 1800,
            ..Setup::with(everything())
        });
        world.ship("v2");
        world.run(1835);
        assert_eq!(world.endings(), [Ending::Pass], "{}", world.transcript());
        assert!(world.target().writes.is_empty());
        assert_eq!(world.kinds(), [NoticeKind::Passed]);
        let known = &world.engine.ledger().targets[&world.setup.id("checkout")];
        assert!(matches!(
            known.standings[&"v2".into()],
            Standing::KnownGood { .. }
        ));
    }
}

#[test]
fn a_good_canary_of_a_rollout_passes_after_its_promotion() {
    for seed in 1..=10 {
        let mut world = World::settled(Setup {
            seed,
            rules: everything(),
            ..Setup::rollout()
        });
        world.target().rate = 40;
        world.ship("v2");
        world.run(600);
        assert!(world.endings().is_empty(), "{}", world.transcript());
        let now = world.now;
        world.target().promote(now);
        let promoted = world.now;
        world.run_until(400, |world| !world.endings().is_empty());
        assert_eq!(world.endings(), [Ending::Pass], "{}", world.transcript());
        assert!((300..=340).contains(&(world.now - promoted)));
        assert!(world.target().writes.is_empty());
    }
}

#[test]
fn one_revision_at_first_sight_is_the_way_back_and_not_judged() {
    let mut world = World::new(Setup::default());
    world.target().behave("v1", BAD);
    world.run(120);
    assert_eq!(
        world.transcript(),
        "    1 Deployment shop/checkout is seen, at v1\n"
    );
}

#[test]
fn of_two_revisions_at_first_sight_the_newer_is_judged() {
    let mut world = World::new(Setup::default());
    world.target().roll = 60;
    world.target().behave("v2", BAD);
    world.target().ship("v2", -20);
    for second in -19..=0 {
        world.target().second(second);
    }
    world.run_until(60, |world| !world.commands.is_empty());
    assert_eq!(
        world.step(0),
        Step::UndoDeployment { to: "v1".into() },
        "{}",
        world.transcript()
    );
}

#[test]
fn the_way_back_is_the_last_revision_known_good() {
    let mut world = World::settled(Setup {
        watch: 60,
        ..Setup::default()
    });
    world.ship("v2");
    world.run(70);
    world.target().behave("v3", BAD);
    world.ship("v3");
    world.run_until(60, |world| !world.commands.is_empty());
    assert_eq!(world.step(0), Step::UndoDeployment { to: "v2".into() });
    assert!(
        world
            .read(NoticeKind::RollingBack)
            .contains("revision v2, the last one known good"),
        "{}",
        world.read(NoticeKind::RollingBack)
    );
}

#[test]
fn what_a_person_went_back_to_is_the_way_back_from_then_on() {
    let mut world = World::settled(Setup {
        watch: 60,
        ..Setup::default()
    });
    world.ship("v2");
    world.run(70);
    world.ship("v3");
    world.run(70);
    assert_eq!(world.endings(), [Ending::Pass, Ending::Pass]);
    // Something that no rule sees is wrong with v3.
    world.ship("v2");
    world.run(30);
    world.target().behave("v4", BAD);
    world.ship("v4");
    world.run_until(60, |world| !world.commands.is_empty());
    assert_eq!(
        world.step(0),
        Step::UndoDeployment { to: "v2".into() },
        "{}",
        world.transcript()
    );
}

#[test]
fn until_one_is_known_good_the_way_back_is_what_was_stable_before_the_release() {
    // Too short a watch for a verdict: v2 ends unclear, and goes on serving.
    let mut world = World::settled(Setup {
        watch: 60,
        ..Setup::default()
    });
    world.target().rate = 1;
    world.target().every = 10;
    world.ship("v2");
    world.run(100);
    assert!(
        matches!(world.endings().as_slice(), [Ending::Inconclusive { .. }]),
        "{}",
        world.transcript()
    );
    world.target().rate = 10;
    world.target().every = 1;
    world.target().behave("v3", BAD);
    world.ship("v3");
    world.run_until(60, |world| !world.commands.is_empty());
    assert_eq!(
        world.step(0),
        Step::UndoDeployment { to: "v2".into() },
        "{}",
        world.transcript()
    );
}

#[track_caller]
fn unclear(world: &World) -> String {
    match world.endings().as_slice() {
        [Ending::Inconclusive { reason }] => reason.clone(),
        _ => panic!("{}", world.transcript()),
    }
}

#[test]
fn too_little_data_at_the_end_of_the_watch_is_no_pass() {
    let mut world = World::settled(Setup {
        watch: 120,
        ..Setup::default()
    });
    world.target().rate = 1;
    world.target().every = 10;
    world.ship("v2");
    world.run_until(200, |world| !world.endings().is_empty());
    let reason = unclear(&world);
    assert_eq!(
        reason,
        "`http/errors` saw 12 of the 20 events that it needs"
    );
    assert_eq!(world.kinds(), [NoticeKind::Inconclusive]);
}

#[test]
fn what_is_missing_is_said_with_how_long_it_takes_at_this_traffic() {
    let mut world = World::settled(Setup {
        watch: 300,
        ..Setup::default()
    });
    world.target().rate = 1;
    world.target().every = 6;
    world.ship("v2");
    world.run_until(400, |world| !world.endings().is_empty());
    insta::assert_snapshot!(unclear(&world));
}

#[test]
fn no_traffic_is_no_pass_and_unready_pods_are_named() {
    let mut world = World::settled(Setup {
        watch: 120,
        ..Setup::default()
    });
    world.target().behave(
        "v2",
        super::target::Behaviour {
            ready: false,
            ..super::target::GOOD
        },
    );
    world.ship("v2");
    world.run_until(200, |world| !world.endings().is_empty());
    insta::assert_snapshot!(world.read(NoticeKind::Inconclusive), @r"
    Deployment shop/checkout: no verdict on revision v2
      It was watched for 2 min: revision v2 had no traffic; 4 pods are not ready: `checkout-v2-00005`, `checkout-v2-00006`, `checkout-v2-00007` and `checkout-v2-00008` (container app: CrashLoopBackOff).
      It stays as it is, and does not count as known good.
      | Revision: v2 (number 2, 2 min 1 s old)
      | Image: registry.example/checkout:v2
      | Pods of the revision: 4 of 8
    ");
}

#[test]
fn a_rollout_that_is_never_promoted_ends_after_a_day() {
    let mut world = World::settled(Setup::rollout());
    world.target().rate = 40;
    world.ship("v2");
    world.run(60);
    world.now += 86_400 - 120;
    world.run(30);
    assert!(world.endings().is_empty(), "{}", world.transcript());
    world.run(40);
    let reason = unclear(&world);
    assert_eq!(reason, "the Rollout was not promoted within 24 h");
}

#[test]
fn a_promotion_within_one_look_is_seen() {
    // The cluster shows the canary and its promotion in one piece of news.
    let mut world = World::settled(Setup::rollout());
    world.ship("v2");
    world.target().stable = "v2".to_owned();
    world.run_until(400, |world| !world.endings().is_empty());
    assert_eq!(world.endings(), [Ending::Pass], "{}", world.transcript());
    assert!(world.count(|record| matches!(record, Record::Promoted { .. })) == 1);
}

#[test]
fn dry_rules_alone_make_nothing_known_good() {
    let rule = crate::rule::Rule {
        dry_run: true,
        ..errors(0.05)
    };
    let mut world = World::settled(Setup {
        watch: 60,
        ..Setup::with(vec![rule])
    });
    world.ship("v2");
    world.run(70);
    assert!(
        matches!(world.endings().as_slice(), [Ending::Inconclusive { .. }]),
        "{}",
        world.transcript()
    );
}
