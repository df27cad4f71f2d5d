//! Reports of others: in the journal once each, whatever is repeated and whenever the agent starts anew.

use std::collections::BTreeMap;

use super::rules::Setup;
use super::world::{World, at};
use crate::engine::Inputs;
use crate::hook::{Alert, Hook, Marker};
use crate::ids::TargetId;
use crate::record::Record;

fn report(world: &mut World, hooks: Vec<Hook>) {
    world.tick(Inputs {
        hooks,
        ..Inputs::default()
    });
}

fn alert(ended: Option<i64>) -> Hook {
    Hook::Alert(Alert {
        fingerprint: "00ff".to_owned(),
        labels: BTreeMap::from([("alertname".to_owned(), "HighErrorRate".to_owned())]),
        summary: None,
        starts: at(1),
        ended: ended.map(at),
        by: None,
    })
}

fn marker(target: &TargetId, id: &str) -> Hook {
    Hook::Marker(Marker {
        id: id.to_owned(),
        target: target.clone(),
        version: "1.4.2".to_owned(),
        commit: None,
        at: at(1),
        url: None,
        by: None,
    })
}

#[test]
fn a_report_is_written_down_once_also_across_a_restart() {
    let mut world = World::settled(Setup::default());
    let target = world.target().id.clone();
    let stranger = TargetId {
        name: "stranger".to_owned(),
        ..target.clone()
    };
    let reports = |world: &World| {
        world.count(|record| matches!(record, Record::Alerted { .. } | Record::Marked { .. }))
    };
    let hooks = || vec![alert(None), marker(&target, "a"), marker(&stranger, "b")];
    report(&mut world, hooks());
    report(&mut world, hooks());
    assert_eq!(reports(&world), 2, "{}", world.transcript());
    world.restart();
    report(&mut world, hooks());
    world.run(2);
    assert_eq!(reports(&world), 2, "{}", world.transcript());
    let snapshot = world.engine.snapshot(at(world.now));
    assert_eq!(snapshot.alerts.len(), 1);
    assert_eq!(snapshot.targets[0].markers.len(), 1);

    report(&mut world, vec![alert(Some(30)), alert(None)]);
    assert_eq!(reports(&world), 3, "{}", world.transcript());
    assert!(world.engine.snapshot(at(world.now)).alerts.is_empty());
    // What is told of releases is not touched by any of it.
    assert!(world.plans().is_empty() && world.notices.is_empty());
}
