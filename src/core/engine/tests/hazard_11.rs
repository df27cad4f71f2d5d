//! Hazard 11: false positives erode trust. What is good and noisy is left alone and called nothing else; what is called bad
//! says by which rule, which numbers, against what, and what held the rollback.

use jiff::SignedDuration;

use super::rules::{Setup, errors, latency, no_worse, success};
use super::target::{BAD, Behaviour, GOOD};
use super::world::{World, at};
use crate::analysis::Ending;
use crate::guard::{Guard, GuardSettings};
use crate::notice::{NoticeKind, Severity};
use crate::record::Record;
use crate::rule::Rule;

/// Limits of 5 % errors and half a second, 95 % good answers, and no worse than what ran before.
fn rules() -> Vec<Rule> {
    [errors(0.05), success(0.95), no_worse(), latency(Some(0.5))]
        .into_iter()
        .enumerate()
        .map(|(index, rule)| Rule {
            name: format!("http/rule-{index}").as_str().into(),
            ..rule
        })
        .collect()
}

#[test]
fn hazard_11_many_good_releases_with_noise_are_left_alone_and_never_called_bad() {
    // As good as what runs, or a little worse than that, and well within the limits.
    let noisy = |errors: f64, slow: f64| Behaviour {
        errors,
        slow,
        ..GOOD
    };
    let kinds = [
        noisy(0.0, 0.7),
        noisy(0.002, 1.0),
        noisy(0.004, 1.1),
        noisy(0.001, 1.2),
    ];
    let mut released = 0;
    for seed in 1..=6 {
        let mut world = World::settled(Setup {
            seed,
            watch: 600,
            ..Setup::with(rules())
        });
        for (index, behaviour) in kinds.into_iter().enumerate() {
            let revision = format!("v{}", index + 2);
            world.target().behave(&revision, behaviour);
            world.ship(&revision);
            world.run(640);
            released += 1;
        }
        assert!(world.plans().is_empty(), "{}", world.transcript());
        assert!(world.target().writes.is_empty());
        assert_eq!(world.endings().len(), kinds.len());
        for ending in world.endings() {
            assert!(
                matches!(ending, Ending::Pass | Ending::Inconclusive { .. }),
                "{ending:?}\n{}",
                world.transcript()
            );
        }
        let failed = world.count(|record| matches!(record, Record::Failed { .. }));
        assert_eq!(failed, 0, "{}", world.transcript());
        for notice in &world.notices {
            assert!(
                matches!(notice.kind, NoticeKind::Passed | NoticeKind::Inconclusive),
                "{notice:?}"
            );
            assert_ne!(notice.severity, Severity::Critical, "{notice:?}");
            let text = format!("{} {}", notice.headline, notice.sentences.concat());
            for word in ["is bad", "was found bad", "fails", "rolling back"] {
                assert!(!text.to_lowercase().contains(word), "`{word}`: {text}");
            }
        }
    }
    assert_eq!(released, 24);
}

#[test]
fn hazard_11_what_is_called_bad_shows_rule_numbers_limit_and_the_guard_that_held_it() {
    let guards = GuardSettings {
        actions_per_hour: 0,
        ..GuardSettings::only(SignedDuration::ZERO, 0)
    };
    for held in [false, true] {
        let mut setup = Setup::default();
        if held {
            setup.guards = guards.clone();
        }
        let mut world = World::settled(setup);
        world.target().behave("v2", BAD);
        world.ship("v2");
        let kind = if held {
            NoticeKind::Held
        } else {
            NoticeKind::RollingBack
        };
        world.run_until(120, |world| world.told(kind) == 1);
        let told = world.read(kind);
        // Which rule, what was measured of how many, and what is allowed.
        assert!(told.contains("`http/errors`"), "{told}");
        let sentence = told
            .lines()
            .find(|line| line.contains(" requests were bad"))
            .unwrap_or_else(|| panic!("no numbers: {told}"));
        assert!(sentence.contains(" % of "), "{sentence}");
        assert!(sentence.contains("the limit is 5 %"), "{sentence}");
        // The same is in the record, which is what an explanation is made of.
        let findings = world
            .records(|record| match record {
                Record::Failed { findings, .. } => Some(findings.clone()),
                _ => None,
            })
            .next()
            .expect("it has failed")
            .1;
        assert!(
            findings
                .iter()
                .any(|finding| sentence.contains(&finding.sentence)),
            "{findings:?}"
        );
        if !held {
            continue;
        }
        assert!(told.contains("Held by guard `actions per hour`"), "{told}");
        assert!(
            told.contains("Without the hold it would go back to"),
            "{told}"
        );
        let snapshot = world.engine.snapshot(at(world.now));
        let holds = &snapshot.targets[0].holds;
        assert!(
            holds.iter().any(|hold| hold.guard == Guard::ActionRate),
            "{holds:?}"
        );
    }
}
