use proptest::prelude::*;
use recant_core::ids::TargetKind;
use recant_core::judge::{CountsEvidence, Evidence};
use recant_core::measurement::{Counts, RatioCounts};
use recant_core::record::Standing;

use super::*;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_767_225_600 + second).expect("in range")
}

fn target(name: &str) -> TargetId {
    TargetId {
        namespace: "shop".to_owned(),
        kind: TargetKind::Deployment,
        name: name.to_owned(),
    }
}

fn seen(name: &str) -> Record {
    Record::TargetSeen {
        target: target(name),
        uid: "1".to_owned(),
        stable: "v1".into(),
        unready: false,
    }
}

fn state(names: &[&str]) -> State {
    let mut state = State::default();
    for name in names {
        state.apply(at(0), &[seen(name)]);
    }
    let targets: Vec<_> = names.iter().map(|name| target(name)).collect();
    state.look(&targets, at(0));
    state
}

#[test]
fn what_was_written_is_read_again() {
    assert_eq!(State::decode(&BTreeMap::new()), Ok(State::default()));
    let state = state(&["checkout", "payments"]);
    let texts = state.encode().expect("it fits");
    assert_eq!(State::decode(&texts), Ok(state));
}

#[test]
fn what_a_newer_recant_or_a_hand_wrote_is_refused() {
    let good = state(&["checkout"]).encode().expect("it fits");
    let with = |key: &str, value: &str| {
        let mut texts = good.clone();
        texts.insert(key.to_owned(), value.to_owned());
        State::decode(&texts).expect_err("is refused")
    };
    assert_eq!(with("format", "2"), CompactError::Newer { found: 2 });
    let edited = good["state"].replace("v1", "v2");
    assert_eq!(with("state", &edited), CompactError::Edited);
    assert_eq!(with("state", ""), CompactError::Edited);
    assert_eq!(with("digest", ""), CompactError::Edited);
    assert!(matches!(with("format", "x"), CompactError::Foreign { .. }));
    let mut texts = good.clone();
    texts.remove("digest");
    assert!(matches!(
        State::decode(&texts),
        Err(CompactError::Foreign { .. })
    ));
    let strangers = BTreeMap::from([("nginx.conf".to_owned(), "worker 1;".to_owned())]);
    assert!(matches!(
        State::decode(&strangers),
        Err(CompactError::Foreign { .. })
    ));
}

#[test]
fn targets_of_other_runs_stay_until_nobody_has_looked_for_a_week() {
    let mut state = state(&["checkout", "payments"]);
    state.look(&[target("checkout")], at(6 * 86_400));
    assert!(state.ledger.targets.contains_key(&target("payments")));
    assert_eq!(state.looked(&target("payments")), Some(at(0)));
    state.look(&[target("checkout")], at(7 * 86_400));
    assert!(!state.ledger.targets.contains_key(&target("payments")));
    assert_eq!(state.looked(&target("checkout")), Some(at(7 * 86_400)));
}

#[test]
fn evidence_goes_first_when_it_is_too_much() {
    let mut state = State::default();
    let names: Vec<String> = (0..40).map(|number| format!("service-{number}")).collect();
    for name in &names {
        // 300 rules with a full window each.
        let evidence = (0..300)
            .map(|rule| {
                let mut evidence = CountsEvidence::new(Some(counts(1.0, 0.0)));
                evidence.events = f64::from(rule);
                (
                    format!("http/rule-{rule}").as_str().into(),
                    Evidence::Counts(evidence),
                )
            })
            .collect();
        let checkpoint = Record::Checkpoint {
            target: target(name),
            evidence,
            findings: Vec::new(),
            measurements: Vec::new(),
        };
        state.apply(at(0), &[seen(name), checkpoint]);
    }
    assert!(serde_json::to_string(&state).expect("JSON").len() > MOST_BYTES);
    let texts = state.encode().expect("it fits without the evidence");
    let size: usize = texts.values().map(String::len).sum();
    assert!(size <= MOST_BYTES + 100, "{size}");
    let back = State::decode(&texts).expect("is a state");
    assert_eq!(back.ledger.targets.len(), names.len());
    assert!(!back.recent.is_empty());
}

#[test]
fn records_for_people_are_bounded() {
    let mut state = State::default();
    for number in 0..1000 {
        let started = Record::Started {
            version: "x".repeat(2000) + &number.to_string(),
        };
        state.apply(at(number), &[started]);
    }
    assert_eq!(state.recent.len(), MOST_RECENT);
    let texts = state.encode().expect("it fits");
    let back = State::decode(&texts).expect("is a state");
    assert!((40..MOST_RECENT).contains(&back.recent.len()));
    assert_eq!(back.recent.last().map(|recent| recent.at), Some(at(999)));
}

fn counts(events: f64, part: f64) -> Counts {
    Counts::Ratio(RatioCounts { events, part })
}

proptest! {
    /// To the last bit, whatever was counted: the next run must decide as this one would have.
    #[test]
    fn every_count_survives(
        numbers in proptest::collection::vec((0..1_u64 << 49, 0..1_u64 << 49, any::<u32>()), 1..20),
    ) {
        let mut state = state(&["checkout"]);
        for (events, part, second) in numbers {
            let (events, part) = (events as f64, part as f64);
            let mut evidence = CountsEvidence::new(Some(counts(events, part)));
            evidence.events = part;
            evidence.bad = events;
            let at = at(i64::from(second));
            let known = state.ledger.targets.get_mut(&target("checkout")).expect("seen");
            known.standings.insert("v2".into(), Standing::Failed { at });
            let record = Record::Checkpoint {
                target: target("checkout"),
                evidence: BTreeMap::from([("http/a".into(), Evidence::Counts(evidence))]),
                findings: Vec::new(),
                measurements: Vec::new(),
            };
            state.apply(at, &[record]);
            let back = State::decode(&state.encode().expect("it fits")).expect("is a state");
            prop_assert_eq!(back, state.clone());
        }
    }
}
