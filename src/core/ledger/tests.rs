use super::*;
use crate::ids::{RevisionHash, TargetKind};
use crate::record::Standing;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_767_225_600 + second).expect("in range")
}

fn target() -> TargetId {
    TargetId {
        namespace: "shop".to_owned(),
        kind: TargetKind::Deployment,
        name: "checkout".to_owned(),
    }
}

fn ledger() -> TargetLedger {
    let mut ledger = Ledger::default();
    let seen = Record::TargetSeen {
        target: target(),
        uid: "1".to_owned(),
        stable: "v1".into(),
        unready: false,
    };
    ledger.apply(at(0), &seen);
    ledger.targets.remove(&target()).expect("was seen")
}

fn way_back(ledger: &TargetLedger, canary: &str) -> Option<(RevisionHash, bool)> {
    let way_back = ledger.way_back(&canary.into())?;
    Some((way_back.revision, way_back.known_good))
}

#[test]
fn the_way_back_is_known_good_or_was_stable_and_never_failed() {
    let mut ledger = ledger();
    assert_eq!(way_back(&ledger, "v2"), Some(("v1".into(), false)));
    assert_eq!(way_back(&ledger, "v1"), None);
    let good = |second| Standing::KnownGood { at: at(second) };
    ledger.standings.insert("v3".into(), good(3));
    ledger.standings.insert("v2".into(), good(2));
    assert_eq!(way_back(&ledger, "v4"), Some(("v3".into(), true)));
    assert_eq!(way_back(&ledger, "v3"), Some(("v2".into(), true)));
    ledger.stable = "v2".into();
    assert_eq!(
        way_back(&ledger, "v4"),
        Some(("v2".into(), true)),
        "what ran last"
    );
    ledger.standings.clear();
    ledger
        .standings
        .insert("v2".into(), Standing::Failed { at: at(4) });
    assert_eq!(way_back(&ledger, "v4"), None);
}

#[test]
fn records_about_targets_and_plans_that_are_not_known_change_nothing() {
    let mut ledger = Ledger::default();
    let before = ledger.clone();
    ledger.apply(at(1), &Record::FirstTraffic { target: target() });
    ledger.apply(
        at(1),
        &Record::Awaited {
            plan: "nobody's".into(),
            index: 7,
        },
    );
    assert_eq!(ledger, before);
}
