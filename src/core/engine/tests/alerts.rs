//! Rules about alerts: they speak against a release, never for it, and only by what began with it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::always::{always, ended, incidents};
use super::rules::{Setup, alert as about, errors};
use super::world::{World, at};
use crate::analysis::Ending;
use crate::engine::Inputs;
use crate::guard::Guard;
use crate::hook::{Alert, Hook, MOST_ALERTS};
use crate::judge::State;
use crate::notice::NoticeKind;
use crate::record::Record;
use crate::rule::{AlertScope, AlertSelector, Always};
use crate::verify::VerificationEnd;

const SELECTOR: fn() -> AlertSelector = || AlertSelector {
    name: "HighErrorRate".to_owned(),
    labels: BTreeMap::from([("service".to_owned(), "${name}".to_owned())]),
    scope: AlertScope::Target,
    pending: Duration::ZERO,
};

fn world(selector: AlertSelector, lasting: u64) -> World {
    World::settled(Setup::with(vec![errors(0.05), about(selector, lasting)]))
}

/// An alert about the target, with these labels besides.
fn alert(world: &mut World, labels: &[(&str, &str)], starts: i64, over: Option<i64>) -> Alert {
    let target = world.target().id.clone();
    let mut all = SELECTOR().example(&target);
    for (label, value) in labels {
        all.insert((*label).to_owned(), (*value).to_owned());
    }
    Alert {
        fingerprint: format!("{labels:?}"),
        labels: all,
        summary: None,
        starts: at(starts),
        ended: over.map(at),
        by: None,
    }
}

fn report(world: &mut World, labels: &[(&str, &str)], starts: i64, over: Option<i64>) {
    let alert = alert(world, labels, starts, over);
    world.tick(Inputs {
        hooks: vec![Hook::Alert(alert)],
        ..Inputs::default()
    });
}

fn held_by(world: &World, guard: Guard) -> bool {
    world.count(|record| matches!(record, Record::HoldBegan { hold, .. } if hold.guard == guard))
        > 0
}

fn state(world: &World) -> State {
    let snapshot = world.engine.snapshot(at(world.now));
    let analysis = snapshot.targets[0].analysis.as_ref().expect("it is judged");
    let is = |finding: &&crate::judge::Finding| finding.rule.as_str() == "shop/alert";
    let found = analysis.findings.iter().find(is);
    found.expect("it says something").state
}

#[test]
fn an_alert_that_fires_after_a_release_takes_it_back() {
    let mut world = world(SELECTOR(), 0);
    world.ship("v2");
    world.run(40);
    let now = world.now;
    assert_eq!(state(&world), State::NoData);
    report(&mut world, &[], now, None);
    let took = world.run_until(10, |world| !world.commands.is_empty());
    assert!(took <= 2, "{took} s\n{}", world.transcript());
    insta::assert_snapshot!(world.read(NoticeKind::RollingBack));
    // It goes on until Alertmanager says that it is over.
    world.run(20);
    let over = world.now;
    report(&mut world, &[], now, Some(over));
    world.run(120);
    assert_eq!(world.target().serving(), ["v1"], "{}", world.transcript());
    let ends = world.records(|record| match record {
        Record::VerificationEnded { end, .. } => Some(end.clone()),
        _ => None,
    });
    let ends: Vec<VerificationEnd> = ends.map(|(_, end)| end).collect();
    assert_eq!(ends, [VerificationEnd::Gone], "{}", world.transcript());
}

#[test]
fn an_alert_from_before_the_release_does_not_condemn_it() {
    let mut world = world(SELECTOR(), 0);
    let before = world.now;
    report(&mut world, &[], before, None);
    world.run(5);
    world.ship("v2");
    world.run(60);
    assert_eq!(state(&world), State::BaselineAlsoBad);
    assert!(held_by(&world, Guard::BaselineAlsoBad));
    assert!(
        !world.engine.snapshot(at(world.now)).targets[0]
            .analysis
            .as_ref()
            .is_some_and(|a| a.passing)
    );
    // Over, and back again: now it is the release's.
    let now = world.now;
    report(&mut world, &[], before, Some(now));
    world.run(5);
    assert_eq!(state(&world), State::Within);
    assert!(world.plans().is_empty(), "{}", world.transcript());
    let now = world.now;
    report(&mut world, &[], now, None);
    world.run_until(10, |world| !world.commands.is_empty());
}

#[test]
fn one_that_is_told_late_or_was_pending_before_is_from_before() {
    let selector = AlertSelector {
        pending: Duration::from_mins(5),
        ..SELECTOR()
    };
    for (selector, delay) in [(SELECTOR(), -5), (selector, 100)] {
        let mut world = world(selector, 0);
        let shipped = world.now;
        world.ship("v2");
        world.run(150);
        // Grouping delays what began before; what held for five minutes began before, too.
        report(&mut world, &[], shipped + delay, None);
        world.run(30);
        assert_eq!(state(&world), State::BaselineAlsoBad, "{delay}");
        assert!(world.plans().is_empty(), "{}", world.transcript());
    }
}

#[test]
fn that_none_fires_passes_nothing_and_stands_in_nobodys_way() {
    let mut with_errors = world(SELECTOR(), 0);
    with_errors.ship("v2");
    with_errors.run(400);
    assert_eq!(
        with_errors.endings(),
        [Ending::Pass],
        "{}",
        with_errors.transcript()
    );
    assert!(!held_by(&with_errors, Guard::NoData));
    let without = |record: &Record| matches!(record, Record::RuleWithoutData { .. });
    assert_eq!(with_errors.count(without), 0);

    // Without any other rule nothing can be called good.
    let alone = || World::settled(Setup::with(vec![about(SELECTOR(), 0)]));
    let mut quiet = alone();
    quiet.ship("v2");
    quiet.run(400);
    let ends = quiet.endings();
    let Some(Ending::Inconclusive { reason }) = ends.first() else {
        panic!("{}", quiet.transcript());
    };
    assert_eq!(
        reason,
        "only alerts speak of it, and that none was reported is no proof that all is well"
    );
    let mut bad = alone();
    bad.ship("v2");
    bad.run(40);
    let now = bad.now;
    report(&mut bad, &[], now, None);
    bad.run_until(10, |world| !world.commands.is_empty());
}

#[test]
fn one_that_begins_after_the_way_back_says_that_the_symptom_remains() {
    let mut world = world(SELECTOR(), 0);
    world.ship("v2");
    world.run(40);
    let now = world.now;
    report(&mut world, &[], now, None);
    world.run(20);
    // It still fires, and may be over when Alertmanager speaks next.
    assert_eq!(
        world.told(NoticeKind::NotRestored),
        0,
        "{}",
        world.transcript()
    );
    let again = world.now;
    report(&mut world, &[("cluster", "b")], again, None);
    world.run(3);
    insta::assert_snapshot!(world.read(NoticeKind::NotRestored));
}

#[test]
fn one_that_must_last_is_waited_for_and_forgiven_when_it_is_over() {
    let mut world = world(SELECTOR(), 60);
    world.ship("v2");
    world.run(40);
    let now = world.now;
    report(&mut world, &[], now, None);
    world.run(50);
    assert_eq!(state(&world), State::Unsure);
    let over = world.now;
    report(&mut world, &[], now, Some(over));
    world.run(60);
    assert!(world.plans().is_empty(), "{}", world.transcript());
    let now = world.now;
    report(&mut world, &[], now, None);
    let took = world.run_until(80, |world| !world.commands.is_empty());
    assert!((59..=63).contains(&took), "{took}");
}

#[test]
fn pods_tell_whose_alert_it_is() {
    let selector = || AlertSelector {
        labels: BTreeMap::new(),
        ..SELECTOR()
    };
    let pod = |world: &mut World, hash: &str| {
        let state = world.target().state(0);
        let pod = state.pods.iter().find(|pod| pod.hash.as_str() == hash);
        pod.expect("it runs").name.to_string()
    };
    // Of the new revision: its fault. Of the old one too: not its fault. Of a stranger: nobody's.
    for (of, taken_back) in [
        (&["v2"][..], true),
        (&["v1"], false),
        (&["v1", "v2"], false),
        (&["?"], false),
    ] {
        let mut world = World::settled(Setup {
            kind: crate::ids::TargetKind::Rollout,
            ..Setup::with(vec![errors(0.05), about(selector(), 0)])
        });
        world.ship("v2");
        world.run(40);
        let now = world.now;
        for hash in of {
            let pod = match *hash {
                "?" => "stranger-1".to_owned(),
                hash => pod(&mut world, hash),
            };
            report(&mut world, &[("pod", &pod)], now, None);
        }
        world.run(10);
        assert_eq!(
            !world.plans().is_empty(),
            taken_back,
            "{of:?} {}",
            world.transcript()
        );
    }
}

#[test]
fn pods_of_others_and_pods_that_went_are_told_apart() {
    // The exporter's own pod, on an alert that names the Deployment: the whole target.
    let mut world = world(SELECTOR(), 0);
    world.ship("v2");
    world.run(40);
    let now = world.now;
    report(&mut world, &[("pod", "kube-state-metrics-1")], now, None);
    world.run_until(5, |world| !world.commands.is_empty());

    // A pod of the old revision that is gone: not the new one's fault, whatever it said at its end.
    let mut world = self::world(SELECTOR(), 0);
    let state = world.target().state(0);
    let old = state.pods[0].name.to_string();
    world.ship("v2");
    world.run(40);
    let now = world.now;
    report(&mut world, &[("pod", &old)], now, None);
    world.run(30);
    assert!(world.plans().is_empty(), "{}", world.transcript());
}

#[test]
fn it_goes_on_across_a_restart() {
    let mut world = world(SELECTOR(), 120);
    world.ship("v2");
    world.run(40);
    let now = world.now;
    report(&mut world, &[], now, None);
    world.run(70);
    world.restart();
    let took = world.run_until(70, |world| !world.commands.is_empty());
    assert!((40..=60).contains(&took), "{took}\n{}", world.transcript());
}

#[test]
fn between_releases_it_is_one_incident() {
    let rule = Arc::new(about(SELECTOR(), 0));
    let mut world = World::settled(Setup {
        always: vec![Always {
            recovery: Always::RECOVERY,
            rule,
            ..always(None)
        }],
        ..Setup::default()
    });
    world.run(400);
    assert_eq!(
        (incidents(&world), world.told(NoticeKind::RuleWithoutData)),
        (0, 0)
    );
    let now = world.now;
    report(&mut world, &[], now, None);
    world.run_until(5, |world| incidents(world) == 1);
    // Nothing is heard of it for long: it goes on.
    world.run(700);
    assert!(ended(&world).is_empty(), "{}", world.transcript());
    let over = world.now;
    report(&mut world, &[], now, Some(over));
    world.run_until(200, |world| !ended(world).is_empty());
    assert_eq!(incidents(&world), 1);
}

#[test]
fn nothing_that_is_taken_is_lost_where_there_is_no_room() {
    let mut world = world(SELECTOR(), 0);
    world.ship("v2");
    world.run(40);
    let now = world.now;
    let number = |world: &mut World, number: usize, over| {
        Hook::Alert(Alert {
            fingerprint: format!("n{number}"),
            ..alert(world, &[("service", "other")], now, over)
        })
    };
    let tick = |world: &mut World, hooks| {
        world.no_room = false;
        world.tick(Inputs {
            hooks,
            ..Inputs::default()
        });
        world.no_room
    };
    // In one tick, two deliveries of which each alone has room.
    let many: Vec<Hook> = (0..MOST_ALERTS)
        .map(|n| number(&mut world, n, None))
        .collect();
    assert!(!tick(&mut world, many.clone()));
    let symptom = Hook::Alert(alert(&mut world, &[], now, None));
    assert!(tick(&mut world, vec![symptom.clone()]), "it would be lost");
    assert!(world.plans().is_empty());
    // What is known needs no room, and what is over makes some.
    assert!(!tick(&mut world, many));
    let over = number(&mut world, 7, Some(now));
    assert!(!tick(&mut world, vec![over, symptom]));
    world.run_until(10, |world| !world.commands.is_empty());
    assert_eq!(
        world.engine.ledger().reported.firing(at(world.now)).count(),
        MOST_ALERTS
    );
}
