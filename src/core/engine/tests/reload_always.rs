//! Rules between releases that change while they are looked at: what stays goes on, and what goes ends and is told.

use std::sync::Arc;

use super::always::{
    always, breaks, ended, heals, incidents, numbers, scalings, settled, setup, to_five,
    undone_after,
};
use super::reload::reload;
use super::rules::{errors, success};
use super::target::BAD;
use crate::engine::Inputs;
use crate::incident::{IncidentEnd, ScalingEnd};
use crate::notice::NoticeKind;
use crate::record::Record;
use crate::rule::{Always, Rule};

/// Another rule, which is always kept.
fn kept() -> Always {
    Always {
        recovery: Always::RECOVERY,
        rule: Arc::new(success(0.01)),
        ..always(None)
    }
}

#[test]
fn an_incident_goes_on_through_reloads_that_keep_its_rule() {
    let mut world = settled(setup(None));
    breaks(&mut world);
    world.setup.always.insert(0, kept());
    reload(&mut world);
    world.run(20);
    world.setup.always[1].scale = Some(to_five());
    reload(&mut world);
    world.run(20);
    assert!(ended(&world).is_empty(), "{}", world.transcript());
    heals(&mut world);
    assert_eq!(
        world.kinds(),
        [NoticeKind::IncidentBegan, NoticeKind::IncidentEnded],
        "{}",
        world.transcript()
    );
    // What is done is decided when an incident begins.
    assert!(numbers(&world).is_empty());
    world.target().behave("v1", BAD);
    world.run(60);
    assert_eq!(numbers(&world), [(2, 5)], "{}", world.transcript());
}

#[test]
fn a_broken_rule_is_found_as_soon_as_without_the_reloads() {
    let begins = |every: i64| {
        let mut world = settled(setup(None));
        world.target().behave("v1", BAD);
        for second in 0..90 {
            if every > 0 && second % every == 0 {
                // The watch changes each time, and this rule does not.
                world.setup.watch += 1;
                reload(&mut world);
            }
            world.second();
        }
        world.when(|record| matches!(record, Record::IncidentBegan { .. }))
    };
    assert_eq!(begins(0), begins(1));
}

#[test]
fn a_limit_that_changes_leaves_the_incident_to_the_new_rule() {
    let mut world = settled(setup(None));
    breaks(&mut world);
    let rule = Rule {
        lasting: world.setup.always[0].rule.lasting,
        ..errors(0.9)
    };
    world.setup.always[0].rule = Arc::new(rule);
    let changed = world.now;
    reload(&mut world);
    world.run_until(120, |world| !ended(world).is_empty());
    assert!(
        world.now - changed >= 60,
        "it is kept by the new limit for a minute: {}",
        world.transcript()
    );
    assert!(matches!(ended(&world)[..], [IncidentEnd::Recovered { .. }]));
}

#[test]
fn an_incident_of_a_rule_that_is_gone_ends_and_is_told() {
    for watch_goes in [false, true] {
        let mut world = settled(setup(None));
        breaks(&mut world);
        if watch_goes {
            world.setup.targets = vec!["payments"];
        } else {
            world.setup.always = vec![kept()];
        }
        reload(&mut world);
        let ended = ended(&world);
        assert!(
            matches!(&ended[..], [IncidentEnd::Dropped { reason }] if reason.contains("any more")),
            "{ended:?}"
        );
        assert_eq!(world.told(NoticeKind::IncidentEnded), 1);
        if !watch_goes {
            insta::assert_snapshot!(world.read(NoticeKind::IncidentEnded));
        }
        reload(&mut world);
        world.run(120);
        assert_eq!(incidents(&world), 1, "{}", world.transcript());
        assert_eq!(world.told(NoticeKind::IncidentEnded), 1);
    }
}

#[test]
fn what_a_rule_scaled_stays_and_is_told_when_the_rule_goes_before_the_undo() {
    let mut world = settled(setup(Some(undone_after(120))));
    breaks(&mut world);
    world.run_until(30, |world| !numbers(world).is_empty());
    heals(&mut world);
    world.setup.always.clear();
    reload(&mut world);
    let ends = scalings(&world);
    assert!(
        matches!(ends.last(), Some(ScalingEnd::Nothing { reason }) if reason.contains("any more")),
        "{ends:?}"
    );
    assert_eq!(world.told(NoticeKind::ScalingUndone), 1);
    insta::assert_snapshot!(world.read(NoticeKind::ScalingUndone));
    world.run(300);
    assert_eq!(numbers(&world), [(2, 5)], "nothing is set back");
}

#[test]
fn a_crash_after_a_reload_does_not_judge_by_what_an_old_limit_gathered() {
    let mut world = settled(setup(None));
    breaks(&mut world);
    let rule = Rule {
        lasting: world.setup.always[0].rule.lasting,
        ..errors(0.04)
    };
    world.setup.always[0].rule = Arc::new(rule);
    reload(&mut world);
    let taken = world.records(|record| match record {
        Record::AlwaysCheckpoint { evidence, .. } => Some(evidence.clone()),
        _ => None,
    });
    let (second, last) = taken.last().expect("evidence was recorded");
    assert_eq!(second, world.now, "in the tick of the reload");
    assert!(!last.is_empty());
    world.restart();
    world.run(60);
    assert!(ended(&world).is_empty(), "{}", world.transcript());
    assert_eq!(incidents(&world), 1);
}

#[test]
fn an_answer_about_a_workload_counts_in_the_tick_that_brings_it() {
    let mut world = settled(setup(Some(to_five())));
    world.target().behave("v1", BAD);
    for _ in 0..60 {
        world.second();
        let scales = world.seen();
        if scales.is_empty() {
            continue;
        }
        // The same second: nothing else is due.
        world.tick(Inputs {
            scales,
            ..Inputs::default()
        });
        break;
    }
    let began = world.count(|record| matches!(record, Record::ScalingBegan { .. }));
    assert_eq!(began, 1, "{}", world.transcript());
}
