//! The process dies at any record: the next one goes on from there, with one rollback, and no notice lost (P4, P5).

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::rules::{Setup, errors, latency};
use super::target::{BAD, Behaviour, GOOD};
use super::world::World;
use crate::ids::TargetKind;
use crate::notice::{Notice, NoticeKind, Severity};
use crate::record::Record;
use crate::saga::PlanEnd;
use crate::verify::VerificationEnd;

/// A whole rollback of v2.
fn rollback(kind: TargetKind, prepare: impl Fn(&mut World)) -> World {
    let mut world = World::new(Setup {
        kind,
        ..Setup::with(vec![errors(0.05), latency(None)])
    });
    world.target().rate = 40;
    world.target().roll = 4;
    prepare(&mut world);
    world.run(40);
    world.target().behave("v2", Behaviour { slow: 4.0, ..BAD });
    world.ship("v2");
    world.run(12);
    // What is left of v2 by then is promoted: the longer plan.
    world.run(120);
    world
}

/// A rollback after a promotion.
fn promoted(prepare: impl Fn(&mut World)) -> World {
    let mut world = World::new(Setup::rollout());
    world.target().rate = 40;
    prepare(&mut world);
    world.run(40);
    world.ship("v2");
    world.run(10);
    let now = world.now;
    world.target().promote(now);
    world.run(20);
    world.target().behave("v2", BAD);
    world.run(120);
    world
}

/// What must be the same whenever the process died.
#[track_caller]
fn same_end(world: &mut World, case: &str) {
    let story = format!("{case}\n{}", world.transcript());
    assert_eq!(world.plans().len(), 1, "exactly one rollback; {story}");
    assert_eq!(world.plan_ends(), [PlanEnd::Done], "{story}");
    assert_eq!(world.target().serving(), ["v1"], "{story}");
    let writes: BTreeSet<String> = world
        .target()
        .writes
        .iter()
        .map(|(_, step)| format!("{step:?}"))
        .collect();
    assert_eq!(
        writes.len(),
        world.target().writes.len(),
        "no write twice; {story}"
    );
    let verified = world.records(|record| match record {
        Record::VerificationEnded { end, .. } => Some(end.clone()),
        _ => None,
    });
    let verified: Vec<_> = verified.map(|(_, end)| end).collect();
    assert_eq!(verified, [VerificationEnd::Gone], "{story}");
    let told: BTreeSet<NoticeKind> = world
        .notices
        .iter()
        .chain(&world.repeats)
        .map(|notice| notice.kind)
        .collect();
    assert_eq!(
        told,
        BTreeSet::from([NoticeKind::RollingBack, NoticeKind::Restored]),
        "no notice is lost, and none is new; {story}"
    );
    let noticed = world.records(|record| match record {
        Record::Noticed(notice) => Some(notice.kind),
        _ => None,
    });
    let noticed: Vec<_> = noticed.map(|(_, kind)| kind).collect();
    assert_eq!(
        noticed,
        [NoticeKind::RollingBack, NoticeKind::Restored],
        "{story}"
    );
    assert!(world.engine.ledger().pending.is_empty(), "{story}");
    let analysed = world.count(|record| matches!(record, Record::AnalysisEnded { .. }));
    assert_eq!(analysed, 1, "{story}");
}

fn at_every_record(story: impl Fn(&dyn Fn(&mut World)) -> World) {
    let mut whole = story(&|_| {});
    same_end(&mut whole, "without a crash");
    let records = whole.journal.len();
    for cut in 1..=records {
        for effects_leave in [false, true] {
            let mut world = story(&|world| {
                world.crash_at = Some(cut);
                world.effects_leave = effects_leave;
            });
            assert_eq!(world.crashes, 1);
            same_end(
                &mut world,
                &format!("cut behind record {cut} of {records}, effects had left: {effects_leave}"),
            );
        }
    }
}

/// A resolve that overtakes what it resolves would leave an alert standing.
#[test]
fn notices_are_sent_again_in_the_order_in_which_they_were_made() {
    let mut world = World::settled(Setup::with(vec![errors(0.05)]));
    let book = world.setup.book();
    let now = super::world::at(world.now);
    let made: Vec<String> = (1..=12)
        .map(|number| format!("v2-{}-n{number}", 14 - number))
        .collect();
    for id in &made {
        let notice = Notice {
            id: id.as_str().into(),
            at: now,
            kind: NoticeKind::RollingBack,
            severity: Severity::Critical,
            watch: None,
            target: None,
            correlation: None,
            headline: String::new(),
            sentences: vec![],
            facts: vec![],
            links: vec![],
            channels: book.channels.keys().cloned().collect(),
        };
        let record = Record::Noticed(Box::new(notice));
        world.shadow.apply(now, &record);
    }
    world.restart();
    world.run(1);
    let again: Vec<&str> = world.repeats.iter().map(|told| told.id.as_str()).collect();
    assert_eq!(again, made);
}

#[test]
fn a_deployments_rollback_survives_a_crash_at_every_record() {
    at_every_record(|prepare| rollback(TargetKind::Deployment, prepare));
}

#[test]
fn an_abort_survives_a_crash_at_every_record() {
    at_every_record(|prepare| rollback(TargetKind::Rollout, prepare));
}

#[test]
fn an_undo_of_a_promoted_rollout_survives_a_crash_at_every_record() {
    at_every_record(|prepare| promoted(prepare));
}

#[test]
fn the_rules_that_had_failed_are_known_after_a_restart() {
    let mut world = World::new(Setup::with(vec![errors(0.05), latency(None)]));
    world.run(60);
    world.target().roll = 20;
    world.target().behave("v2", Behaviour { slow: 4.0, ..GOOD });
    world.ship("v2");
    world.run_until(60, |world| !world.commands.is_empty());
    world.restart();
    world.run_until(60, |world| {
        world.count(|record| matches!(record, Record::VerificationEnded { .. })) > 0
    });
    let verification = world.records(|record| match record {
        Record::VerificationBegan { verification } => Some(verification.rules.clone()),
        _ => None,
    });
    let rules: Vec<_> = verification.map(|(_, rules)| rules).collect();
    assert_eq!(rules, [vec!["http/latency".into()]]);
    assert!(
        world
            .read(NoticeKind::Restored)
            .contains("before the release"),
        "it is still compared with what was before: {}",
        world.read(NoticeKind::Restored)
    );
}

#[test]
fn counts_go_on_where_they_stood_across_a_short_restart() {
    let mut world = World::settled(Setup {
        watch: 3600,
        ..Setup::default()
    });
    world.ship("v2");
    world.run(90);
    // The agent is away for twenty seconds. Its last checkpoint is half a minute old, and a pod is newer than that.
    world.target().replicas = 5;
    world.run(2);
    world.restart();
    for _ in 0..20 {
        world.now += 1;
        let now = world.now;
        world.target().second(now);
    }
    world.run(60);
    let id = world.setup.id("checkout");
    let counted = world.engine.live[&id].rules[0].evidence.events();
    let served = world.target().served("v2");
    assert!(
        (counted - served).abs() < 0.5,
        "{counted} of {served} requests were counted"
    );
}

#[test]
fn the_baseline_is_not_taken_for_gone_because_the_agent_was() {
    let mut world = World::new(Setup::rollout());
    world.target().rate = 40;
    world.run(60);
    world.ship("v2");
    world.run(100);
    world.restart();
    world.run(60);
    assert_eq!(
        world.count(|record| matches!(record, Record::BaselineGone { .. })),
        0,
        "{}",
        world.transcript()
    );
}

#[test]
fn notices_to_a_channel_that_is_gone_are_given_up() {
    let mut world = World::settled(Setup::default());
    world.target().behave("v2", BAD);
    world.ship("v2");
    let noticed = |world: &World| world.count(|record| matches!(record, Record::Noticed(_))) > 0;
    let mut trial = World::settled(Setup::default());
    trial.target().behave("v2", BAD);
    trial.ship("v2");
    trial.run_until(60, noticed);
    world.crash_at = Some(trial.journal.len());
    world.setup.channels = vec!["oncall"];
    world.run_until(60, |world| world.crashes > 0);
    assert_eq!(world.engine.ledger().pending.len(), 1);
    world.run(2);
    assert!(world.engine.ledger().pending.is_empty());
    assert!(world.repeats.is_empty());
}

#[test]
fn what_no_watch_names_any_more_is_ended() {
    let mut world = World::settled(Setup {
        targets: vec!["cart", "checkout"],
        ..Setup::default()
    });
    let now = world.now;
    world.executor_takes = 1_000_000;
    world.named("cart").behave("v2", BAD);
    world.named("cart").ship("v2", now);
    world.run_until(60, |world| !world.commands.is_empty());
    world.setup.targets = vec!["checkout"];
    world.restart();
    world.run(20);
    let cart = &world.engine.ledger().targets[&world.setup.id("cart")];
    assert!(cart.plan.is_none() && cart.analysis.is_none());
    assert!(cart.has_failed(&"v2".into()), "what is known of v2 stays");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    /// P5 is asserted by the world in every tick; here over histories that nobody thought of.
    #[test]
    fn the_journal_folds_to_the_live_state_whatever_happens(
        kind in prop_oneof![Just(TargetKind::Deployment), Just(TargetKind::Rollout)],
        seed in any::<u64>(),
        events in prop::collection::vec((0..12_u8, 1..40_i64), 1..25),
    ) {
        let mut world = World::new(Setup {
            kind,
            seed,
            watch: 60,
            ..Setup::with(vec![errors(0.05), latency(None)])
        });
        world.target().rate = 20;
        world.run(20);
        let mut version = 1;
        for (event, seconds) in events {
            let now = world.now;
            match event {
                0 => {
                    version += 1;
                    world.ship(&format!("v{version}"));
                }
                1 => {
                    version += 1;
                    world.target().behave(&format!("v{version}"), BAD);
                    world.ship(&format!("v{version}"));
                }
                2 => world.ship("v1"),
                3 => world.restart(),
                4 => world.target().promote(now),
                5 => world.target().aborted = true,
                6 => {
                    let target = world.target();
                    target.paused = !target.paused;
                }
                7 => {
                    let target = world.target();
                    target.kill_switch = match target.kill_switch {
                        Some(_) => None,
                        None => Some("namespace shop".to_owned()),
                    };
                }
                8 => {
                    world.target().delete();
                    world.run(2);
                    let now = world.now;
                    world.target().recreate("v1", now);
                }
                9 => {
                    let length = world.journal.len();
                    world.crash_at = Some(length + 3);
                    world.effects_leave = seed % 2 == 0;
                }
                10 => world.now -= 30,
                _ => world.target().rate = usize::try_from(seconds % 3).unwrap_or(0) * 20,
            }
            world.run(seconds);
        }
        world.run(30);
        // At most one rollback per analysis, and never back to a revision that had failed.
        let plans = world.plans();
        let analyses: BTreeSet<_> = plans.iter().collect();
        prop_assert_eq!(analyses.len(), plans.len());
        let mut failed = BTreeSet::new();
        for (_, record) in &world.journal {
            match record {
                Record::AnalysisEnded { revision, ending: crate::analysis::Ending::Fail, .. } => {
                    failed.insert(revision.clone());
                }
                Record::TargetSeen { .. } => failed.clear(),
                Record::PlanBegan { plan } => {
                    prop_assert!(!failed.contains(&plan.to.revision), "{}", world.transcript());
                }
                _ => {}
            }
        }
    }
}
