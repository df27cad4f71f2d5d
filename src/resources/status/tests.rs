use jiff::SignedDuration;
use recant_core::ids::{TargetId, TargetKind, WatchName};

use super::*;

fn now() -> Timestamp {
    "2026-01-01T00:00:00Z".parse().expect("a time")
}

fn standing() -> Standing {
    Standing {
        uid: "u".to_owned(),
        generation: 3,
        good: true,
        kept: false,
        faults: Vec::new(),
        warnings: Vec::new(),
        lacking: Vec::new(),
    }
}

fn target() -> TargetSnapshot {
    TargetSnapshot {
        watch: WatchName {
            namespace: "shop".to_owned(),
            name: "checkout".to_owned(),
        },
        target: TargetId {
            namespace: "shop".to_owned(),
            kind: TargetKind::Deployment,
            name: "checkout".to_owned(),
        },
        on_request: false,
        seen: true,
        current: Some("a".into()),
        standing: None,
        failed: None,
        blind: None,
        analysis: None,
        plan: None,
        verifying: false,
        holds: Vec::new(),
        traffic: None,
        rules_without_data: Vec::new(),
        markers: Vec::new(),
        always: Vec::new(),
    }
}

fn said(status: &WatchStatus) -> Vec<String> {
    let truth = |truth: Truth| match truth {
        Truth::True => "True",
        Truth::False => "False",
        Truth::Unknown => "Unknown",
    };
    status
        .conditions
        .iter()
        .map(|c| format!("{}={} {}", c.kind, truth(c.status), c.reason))
        .collect()
}

#[test]
fn what_does_not_change_is_the_same_status_at_any_time() {
    let history = History::default();
    let (standing, target) = (standing(), target());
    let of = |before: &WatchStatus, at| {
        of_watch(&standing, Shown::Target(&target), &history, before, at).expect("a status")
    };
    let first = of(&WatchStatus::default(), now());
    assert_eq!(
        said(&first),
        [
            "Ready=True Watching",
            "Judging=False Idle",
            "Healthy=True NothingBroken",
            "Acting=False Idle"
        ]
    );
    assert_eq!(first.target.as_deref(), Some("Deployment/checkout"));
    let later = now() + SignedDuration::from_hours(3);
    assert_eq!(of(&first, later), first);
    // Read back from the API server it is the same, too.
    let text = serde_json::to_string(&first).expect("JSON");
    let back: WatchStatus = serde_json::from_str(&text).expect("a status");
    assert_eq!(of(&back, later), first);
}

#[test]
fn only_what_changed_gets_a_new_time() {
    let history = History::default();
    let standing = standing();
    let mut target = target();
    let first = of_watch(
        &standing,
        Shown::Target(&target),
        &history,
        &WatchStatus::default(),
        now(),
    )
    .expect("a status");
    target.failed = Some("a".into());
    let later = now() + SignedDuration::from_mins(5);
    let second =
        of_watch(&standing, Shown::Target(&target), &history, &first, later).expect("a status");
    let times: Vec<(&str, &str)> = second
        .conditions
        .iter()
        .map(|c| (c.reason.as_str(), c.last_transition_time.as_str()))
        .collect();
    assert_eq!(
        times,
        [
            ("Watching", "2026-01-01T00:00:00Z"),
            ("Idle", "2026-01-01T00:00:00Z"),
            ("ReleaseFailed", "2026-01-01T00:05:00Z"),
            ("Idle", "2026-01-01T00:00:00Z"),
        ]
    );
}

#[test]
fn a_document_says_why_it_does_not_hold() {
    let history = History::default();
    let bad = Standing {
        good: false,
        faults: vec!["rules[0]: there is no rule set `x`".to_owned()],
        ..standing()
    };
    let kept = Standing {
        kept: true,
        ..bad.clone()
    };
    let lacking = Standing {
        lacking: vec!["`patch` on `deployments.apps`".to_owned()],
        ..standing()
    };
    let missing = TargetSnapshot {
        seen: false,
        ..target()
    };
    let target = target();
    let cases = [
        (&bad, Shown::Nothing, "Ready=False Invalid"),
        (&kept, Shown::Target(&target), "Ready=False InvalidKeptLast"),
        (&lacking, Shown::Nothing, "Ready=False Forbidden"),
        (&bad, Shown::NotYet, "Ready=False Invalid"),
    ];
    for (standing, shown, ready) in cases {
        let status = of_watch(standing, shown, &history, &WatchStatus::default(), now());
        let status = status.expect("a status");
        assert_eq!(said(&status).first().map(String::as_str), Some(ready));
    }
    let good = standing();
    let status = of_watch(
        &good,
        Shown::Target(&missing),
        &history,
        &WatchStatus::default(),
        now(),
    );
    let status = status.expect("a status");
    assert_eq!(
        said(&status),
        [
            "Ready=False TargetMissing",
            "Judging=False Idle",
            "Healthy=Unknown TargetMissing",
            "Acting=False Idle"
        ]
    );
    // What is not known yet is not said.
    let nothing = of_watch(
        &good,
        Shown::NotYet,
        &history,
        &WatchStatus::default(),
        now(),
    );
    assert_eq!(nothing, None);
}
