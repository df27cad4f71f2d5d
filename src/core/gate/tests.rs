use jiff::Timestamp;

use super::*;
use crate::ids::{AnalysisId, TargetId, TargetKind, WatchName};
use crate::judge::{Limits, Measured, Phase};

fn finding(state: State) -> Finding {
    let nothing = Measured {
        events: 0.0,
        bad: 0.0,
        value: None,
        or_more: false,
    };
    Finding {
        rule: "http/error-rate".into(),
        state,
        dry_run: false,
        canary: nothing,
        baseline: None,
        limits: Limits::default(),
        since: None,
        reaches_limit_in: None,
        compared: None,
        proof: None,
        sentence: "3 % of 100 requests".to_owned(),
    }
}

/// A Rollout whose revision `new` is judged.
fn target() -> TargetSnapshot {
    TargetSnapshot {
        on_request: false,
        watch: WatchName {
            namespace: "shop".to_owned(),
            name: "checkout".to_owned(),
        },
        target: TargetId {
            namespace: "shop".to_owned(),
            kind: TargetKind::Rollout,
            name: "checkout".to_owned(),
        },
        seen: true,
        current: Some("new".into()),
        standing: None,
        failed: None,
        blind: None,
        analysis: Some(AnalysisSnapshot {
            id: AnalysisId("one".to_owned()),
            canary: "new".into(),
            baseline: Some("old".into()),
            phase: Phase::Beside,
            began: Timestamp::UNIX_EPOCH,
            ends: Timestamp::UNIX_EPOCH,
            failed: false,
            passing: false,
            score: Some(61.0),
            findings: vec![finding(State::TooLittle)],
            way_back: None,
        }),
        plan: None,
        verifying: false,
        holds: Vec::new(),
        traffic: None,
        rules_without_data: Vec::new(),
        markers: Vec::new(),
        always: Vec::new(),
    }
}

fn with(change: impl FnOnce(&mut TargetSnapshot, &mut AnalysisSnapshot)) -> TargetSnapshot {
    let mut target = target();
    let mut analysis = target.analysis.take().expect("it has one");
    change(&mut target, &mut analysis);
    target.analysis = Some(analysis);
    target
}

fn ended(standing: Option<Standing>) -> TargetSnapshot {
    TargetSnapshot {
        on_request: false,
        analysis: None,
        standing,
        ..target()
    }
}

#[test]
fn an_analysis_says_what_it_has_found_so_far() {
    let passing = with(|_, analysis| analysis.passing = true);
    let cases = [
        (target(), Gate::Running),
        (passing, Gate::Open),
        (with(|_, analysis| analysis.failed = true), Gate::Failed),
        // It passed earlier, and now both arms are bad: nothing goes on into a shared outage.
        (
            with(|_, analysis| {
                analysis.passing = true;
                analysis.findings.push(finding(State::BaselineAlsoBad));
            }),
            Gate::Held,
        ),
        (
            with(|_, analysis| {
                analysis.passing = true;
                analysis.findings.push(Finding {
                    dry_run: true,
                    ..finding(State::BaselineAlsoBad)
                });
            }),
            Gate::Open,
        ),
    ];
    for (target, gate) in cases {
        let answer = of_revision(&target, &"new".into());
        assert_eq!(answer.gate, gate, "{answer:?}");
        assert_eq!(answer.score, Some(61.0));
        assert_eq!(of_newest(&target), answer);
    }
}

#[test]
fn nothing_opens_while_nobody_can_look_and_a_verdict_stays() {
    let blind = |target: &mut TargetSnapshot| target.blind = Some("Prometheus is down".to_owned());
    let passing = with(|target, analysis| {
        blind(target);
        analysis.passing = true;
    });
    let failed = with(|target, analysis| {
        blind(target);
        analysis.failed = true;
    });
    assert_eq!(of_revision(&passing, &"new".into()).gate, Gate::Blind);
    assert_eq!(of_revision(&failed, &"new".into()).gate, Gate::Failed);
    let unseen = with(|target, analysis| {
        target.seen = false;
        analysis.passing = true;
    });
    assert_eq!(of_revision(&unseen, &"new".into()).gate, Gate::Blind);
    assert_eq!(of_newest(&unseen).gate, Gate::Blind);
}

#[test]
fn after_its_analysis_a_revision_is_what_was_found() {
    let at = Timestamp::UNIX_EPOCH;
    for (standing, gate) in [
        (Some(Standing::KnownGood { at }), Gate::Open),
        (Some(Standing::Failed { at }), Gate::Failed),
        (Some(Standing::Inconclusive { at }), Gate::Inconclusive),
        (None, Gate::Inconclusive),
    ] {
        let answer = of_revision(&ended(standing), &"new".into());
        assert_eq!(answer.gate, gate, "{answer:?}");
    }
}

#[test]
fn a_verdict_is_of_the_revision_that_was_asked_for() {
    // The revision before is known good; the one that is asked for was not seen yet.
    let mut before = ended(Some(Standing::KnownGood {
        at: Timestamp::UNIX_EPOCH,
    }));
    before.current = Some("old".into());
    assert_eq!(of_revision(&before, &"new".into()).gate, Gate::Running);
    // It failed, and the target is back at the revision before.
    before.failed = Some("new".into());
    assert_eq!(of_revision(&before, &"new".into()).gate, Gate::Failed);
    // Another one is judged.
    let passing = with(|_, analysis| analysis.passing = true);
    assert_eq!(of_revision(&passing, &"other".into()).gate, Gate::Running);
}
