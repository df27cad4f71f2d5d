//! Values of a release beside those of its baseline: what is only told, and what decides.

use std::time::Duration;

use super::rules::{Setup, error_count, gauge};
use super::target::{BAD, SeriesAre, Value};
use super::world::{World, at};
use crate::analysis::Ending;
use crate::ids::TargetKind;
use crate::judge::{Compared, Evidence, Finding};
use crate::notice::NoticeKind;
use crate::record::Record;
use crate::rule::{Check, LevelCompare, LevelLimit, Rule};
use crate::verify::VerificationEnd;

/// Far above all values, so that only the comparison can say anything.
const FAR: f64 = 10_000.0;

fn compared(mut rule: Rule, decides: bool) -> Rule {
    let Check::Level(check) = &mut rule.check else {
        panic!("a rule about a value");
    };
    check.compare = Some(LevelCompare {
        margin: 0.2,
        plus: 1.0,
        decides,
    });
    rule
}

fn at_least(mut rule: Rule, min: f64) -> Rule {
    let Check::Level(check) = &mut rule.check else {
        panic!("a rule about a value");
    };
    check.limit = LevelLimit::Min(min);
    rule
}

fn memory(decides: bool) -> Rule {
    compared(gauge("memory", FAR, 30), decides)
}

/// A canary of a Rollout beside its baseline, for as long as it is not promoted.
fn canary(rule: Rule, old: Value, new: Value) -> World {
    let mut world = World::settled(Setup {
        kind: TargetKind::Rollout,
        ..Setup::with(vec![rule])
    });
    world.target().values.insert("v1".to_owned(), old);
    world.target().values.insert("v2".to_owned(), new);
    world.run(30);
    world.ship("v2");
    world
}

/// Up and down by 20 %, not in step with anything.
fn noise(now: i64) -> f64 {
    0.8 + ((now * 7919) % 41) as f64 / 100.0
}

const OLD: Value = |_, now| Some(100.0 * noise(now));

const EQUAL: Value = |_, now| Some(100.0 * noise(now + 17));

const MORE: Value = |_, now| Some(140.0 * noise(now + 17));

const HALF: Value = |_, now| Some(50.0 * noise(now + 17));

fn finding(world: &World) -> Finding {
    let snapshot = world.engine.snapshot(at(world.now));
    let target = snapshot.targets.first().expect("a target");
    let analysis = target.analysis.as_ref().expect("a release is judged");
    analysis.findings.first().expect("a finding").clone()
}

/// What the verdict was found from.
fn failed(world: &World) -> Finding {
    let findings = |record: &Record| match record {
        Record::Failed { findings, .. } => findings.first().cloned(),
        _ => None,
    };
    let mut journal = world.journal.iter();
    journal
        .find_map(|(_, record)| findings(record))
        .expect("it failed")
}

fn beside(world: &World) -> Compared {
    let finding = finding(world);
    finding.compared.expect("it is compared")
}

#[test]
fn what_is_surely_more_than_the_baseline_is_told_and_decides_nothing() {
    let mut world = canary(memory(false), OLD, MORE);
    world.run(200);
    let compared = beside(&world);
    assert!(compared.against > 100.0_f64.ln(), "{compared:?}");
    assert!(compared.worse + 2 >= compared.stretches, "{compared:?}");
    assert!(!compared.fails && !compared.decides);
    insta::assert_snapshot!(finding(&world).sentence);
    world.run(500);
    assert!(world.plans().is_empty(), "{}", world.transcript());
    let proof = finding(&world).proof.expect("a release is judged");
    assert!(proof.against.abs() < 1e-9, "{proof:?}");
}

#[test]
fn a_comparison_that_decides_takes_back_what_is_within_its_limit() {
    let mut world = canary(memory(true), OLD, MORE);
    let took = world.run_until(300, |world| !world.commands.is_empty());
    // The first block is ten ticks, later ones four and more; ln(200) / ln(1.96) of them at least.
    assert!((40..=120).contains(&took), "{took} s");
    assert!(failed(&world).compared.is_some_and(|it| it.fails));
    let notice = world.read(NoticeKind::RollingBack);
    assert!(notice.contains("if the release were fine"), "{notice}");
    insta::assert_snapshot!(notice);
    // What was wrong cannot be seen any more, nor that it is gone.
    world.run(200);
    let ends: Vec<VerificationEnd> = world
        .records(|record| match record {
            Record::VerificationEnded { end, .. } => Some(end.clone()),
            _ => None,
        })
        .map(|(_, end)| end)
        .collect();
    assert!(
        matches!(ends.as_slice(), [VerificationEnd::Unknown { reason }] if reason.contains("failed by its comparison")),
        "{ends:?}"
    );
}

#[test]
fn a_difference_of_many_times_its_scatter_is_found_at_once() {
    const STEADY: Value = |_, now| Some(100.0 + 5.0 * noise(now));
    const FAR_ABOVE: Value = |_, now| Some(900.0 + 5.0 * noise(now + 17));
    let mut world = canary(memory(true), STEADY, FAR_ABOVE);
    let took = world.run_until(300, |world| !world.commands.is_empty());
    assert!((40..=90).contains(&took), "{took} s");
}

#[test]
fn an_equal_release_passes_when_its_comparison_says_so_too() {
    let mut world = canary(memory(true), OLD, EQUAL);
    world.run(35);
    let early = finding(&world).proof.expect("a release is judged");
    // The limit has been kept for long enough; the comparison has seen three stretches.
    assert!(early.in_favour < early.in_favour_needed, "{early:?}");
    world.run(120);
    let later = finding(&world).proof.expect("a release is judged");
    assert!(later.in_favour >= later.in_favour_needed, "{later:?}");
    assert!(world.plans().is_empty(), "{}", world.transcript());
}

#[test]
fn with_a_min_less_than_the_baseline_is_worse() {
    let rule = || compared(at_least(gauge("throughput", FAR, 30), 1.0), true);
    let mut world = canary(rule(), OLD, HALF);
    world.run_until(300, |world| !world.commands.is_empty());
    let sentence = failed(&world).sentence;
    assert!(
        sentence.contains("stretches below what is allowed"),
        "{sentence}"
    );
    let mut world = canary(rule(), OLD, MORE);
    world.run(300);
    assert!(world.plans().is_empty(), "{}", world.transcript());
    assert_eq!(beside(&world).worse, 0);
}

#[test]
fn the_mean_of_each_arm_is_compared_however_many_pods_it_has() {
    /// One of the pods shows four times as much, whatever the revision.
    const UNEVEN: Value = |age, now| {
        Some(if age % 7 == 0 {
            400.0
        } else {
            100.0 * noise(now)
        })
    };
    let mut world = canary(memory(true), UNEVEN, UNEVEN);
    world.run(300);
    assert!(world.plans().is_empty(), "{}", world.transcript());
}

#[test]
fn errors_are_compared_by_the_pod() {
    let rule = compared(error_count(FAR, 60), true);
    let mut world = canary(rule.clone(), OLD, OLD);
    world.target().behave("v2", BAD);
    world.run_until(300, |world| !world.commands.is_empty());
    let compared = failed(&world).compared.expect("it is compared");
    // `plus` is one error in a minute.
    assert!(
        compared.canary > 10.0 * compared.baseline.max(1.0),
        "{compared:?}"
    );
    let mut world = canary(rule, OLD, OLD);
    world.run(300);
    assert!(world.plans().is_empty(), "{}", world.transcript());
}

#[test]
fn a_value_of_the_whole_service_passes_by_its_limit_alone() {
    let mut world = World::settled(Setup::with(vec![memory(true)]));
    world.target().series = SeriesAre::Whole;
    world.target().whole_value = Some(|_, _| Some(20.0));
    world.run(30);
    world.ship("v2");
    world.run(500);
    assert_eq!(world.endings(), [Ending::Pass], "{}", world.transcript());
}

#[test]
fn once_the_baseline_has_gone_the_limit_alone_lets_it_pass() {
    let mut world = World::settled(Setup::with(vec![memory(true)]));
    world.target().values.insert("v1".to_owned(), OLD);
    world.target().values.insert("v2".to_owned(), MORE);
    world.run(30);
    world.ship("v2");
    world.run(100);
    let compared = beside(&world);
    assert!(compared.over, "{compared:?}");
    let sentence = finding(&world).sentence;
    assert!(
        sentence.contains("the baseline while that ran"),
        "{sentence}"
    );
    world.run(400);
    assert_eq!(world.endings(), [Ending::Pass], "{}", world.transcript());
}

#[test]
fn a_metric_that_only_the_new_revision_has_is_not_compared() {
    let mut world = canary(memory(true), |_, _| None, MORE);
    world.run(120);
    let proof = finding(&world).proof.expect("a release is judged");
    assert!(proof.in_favour >= proof.in_favour_needed, "{proof:?}");
    assert_eq!(finding(&world).compared, None);
}

#[test]
fn a_comparison_is_taken_up_again_bit_for_bit() {
    let mut world = canary(memory(true), OLD, EQUAL);
    world.run(100);
    let checkpoint = |world: &World| {
        let evidence = |record: &Record| match record {
            Record::Checkpoint { evidence, .. } => evidence.values().next().cloned(),
            _ => None,
        };
        let found = world.journal.iter().rev();
        let (_, record) = found.clone().find(|(_, it)| evidence(it).is_some())?;
        evidence(record)
    };
    let before = checkpoint(&world).expect("a checkpoint");
    let text = serde_json::to_string(&before).expect("is JSON");
    assert!(text.contains("\"beside\""), "{text}");
    let read: Evidence = serde_json::from_str(&text).expect("reads what it wrote");
    assert_eq!(read, before);
    let stretches = beside(&world).stretches;
    world.restart();
    world.run(2);
    let again = beside(&world);
    // Since the checkpoint, a minute at most.
    assert!(
        again.stretches > 0 && again.stretches <= stretches,
        "{again:?}"
    );
    world.run(100);
    assert!(beside(&world).stretches > stretches);
}

#[test]
fn what_is_no_number_or_of_another_time_is_not_compared() {
    /// Infinite every third second, and nothing for a while.
    fn broken(_: i64, now: i64) -> Option<f64> {
        match now % 30 {
            0..10 => None,
            second if second % 3 == 0 => Some(f64::INFINITY),
            second if second % 3 == 1 => Some(1e300),
            _ => Some(100.0 * noise(now)),
        }
    }
    let mut rule = memory(true);
    rule.lasting = Duration::from_mins(1);
    let mut world = canary(rule, OLD, broken);
    world.run(300);
    let compared = beside(&world);
    assert!(
        compared.canary.is_finite() && compared.canary < 200.0,
        "{compared:?}"
    );
    assert!(world.plans().is_empty(), "{}", world.transcript());
}
