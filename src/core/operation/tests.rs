//! What lasts about an operation, and what it needs next.

use serde_json::json;

use super::*;
use crate::change::{Annotation, Edit};
use crate::plan::StepOutcome;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).expect("a time")
}

fn change(name: &str) -> Step {
    Step::Change {
        change: Box::new(Change {
            object: ObjectRef {
                api_version: "v1".into(),
                kind: "ConfigMap".into(),
                namespace: "shop".into(),
                name: name.into(),
            },
            uid: "u".into(),
            edit: Edit::Annotation(Annotation {
                key: "a".into(),
                from: None,
                to: Some("b".into()),
            }),
        }),
    }
}

fn state(when_stuck: WhenStuck) -> OperationState {
    let operation = Operation {
        id: "i-run".into(),
        title: "emergency".into(),
        watch: WatchName {
            namespace: "shop".into(),
            name: "checkout".into(),
        },
        target: TargetId {
            namespace: "shop".into(),
            kind: crate::ids::TargetKind::Deployment,
            name: "checkout".into(),
        },
        cause: Cause::Incident {
            rule: "queue/depth".into(),
            incident: IncidentId("i".into()),
        },
        steps: vec![change("one"), change("two"), change("three")],
        undo_after: Some(Duration::from_mins(1)),
        when_stuck,
        undoes: None,
        then_down: None,
        follows: None,
        notify: Vec::new(),
        notes: Vec::new(),
    };
    OperationState::new(operation, at(0))
}

impl OperationState {
    /// Hands the next step out and takes its result in.
    fn goes(&mut self, now: i64, result: StepResult) {
        let Next::Execute(command) = self.advance(at(now), false) else {
            panic!("{:?}", self.advance(at(now), false));
        };
        self.step_begun(&command);
        assert_eq!(self.advance(at(now), true), Next::Wait);
        self.step_ended(
            at(now),
            &StepOutcome {
                plan: command.plan,
                index: command.index,
                result,
            },
        );
    }
}

fn fenced() -> StepResult {
    StepResult::Fenced {
        reason: "somebody else".into(),
    }
}

#[test]
fn all_steps_are_done_in_order_and_taken_back_when_the_incident_has_been_over_for_long_enough() {
    let mut state = state(WhenStuck::Stop);
    for now in 1..=3 {
        state.goes(now, StepResult::Done);
    }
    assert_eq!(state.advance(at(4), false), Next::End(OperationEnd::Done));
    state.end(at(4), OperationEnd::Done, true);
    assert_eq!(state.advance(at(5), false), Next::Rest);
    assert!(state.may_be_undone());
    assert_eq!(state.undo_at(), None, "the incident is open");
    state.incident_ended(at(100), &IncidentId("another".into()));
    assert_eq!(state.undo_at(), None);
    state.incident_ended(at(100), &IncidentId("i".into()));
    let undo_at = state.undo_at().expect("its incident is over");
    assert!(undo_at >= at(160) && undo_at <= at(166), "{undo_at}");
    let names: Vec<String> = state
        .carried_out()
        .filter_map(Step::object)
        .map(|object| object.name)
        .collect();
    assert_eq!(names, ["one", "two", "three"]);
}

#[test]
fn a_step_that_cannot_be_done_stops_the_rest_or_not_as_was_asked() {
    for (when_stuck, undone) in [
        (WhenStuck::Stop, (64, 70)),
        (WhenStuck::GoOn, (64, 70)),
        // At once, although the incident is open.
        (WhenStuck::Undo, (4, 4)),
    ] {
        let mut state = state(when_stuck);
        state.goes(1, StepResult::Done);
        state.goes(2, fenced());
        if when_stuck == WhenStuck::GoOn {
            state.goes(3, StepResult::Done);
        }
        let partly = OperationEnd::Partly {
            reason: "somebody else".into(),
        };
        assert_eq!(state.advance(at(4), false), Next::End(partly.clone()));
        state.end(at(4), partly, when_stuck == WhenStuck::Undo);
        let undo_at = state.undo_at().expect("it is taken back");
        let (from, to) = undone;
        assert!(
            undo_at >= at(from) && undo_at <= at(to),
            "{when_stuck:?}: {undo_at}"
        );
    }
    let mut state = state(WhenStuck::Undo);
    state.goes(1, fenced());
    let Next::End(end) = state.advance(at(2), false) else {
        panic!("it has ended");
    };
    assert!(matches!(end, OperationEnd::NotDone { .. }));
    state.end(at(2), end, false);
    assert!(!state.may_be_undone() && state.undo_at().is_none());
}

#[test]
fn an_old_decision_writes_nothing_and_says_when_it_is_not_known_what_was_written() {
    let old = WAIT + 1;
    let fresh = state(WhenStuck::Stop);
    assert!(matches!(
        fresh.advance(at(WAIT - 1), false),
        Next::Execute(_)
    ));
    assert!(matches!(
        fresh.advance(at(old), false),
        Next::End(OperationEnd::NotDone { .. })
    ));
    let mut handed = fresh.clone();
    let Next::Execute(command) = handed.advance(at(0), false) else {
        panic!("a step");
    };
    assert!(!command.again);
    handed.step_begun(&command);
    // The next process repeats it, and says so.
    let Next::Execute(command) = handed.advance(at(1), false) else {
        panic!("a step");
    };
    assert!(command.again);
    let Next::End(OperationEnd::Partly { reason }) = handed.advance(at(old), false) else {
        panic!("it is over");
    };
    assert!(reason.contains("not known"), "{reason}");
}

const WAIT: i64 = 600;

#[test]
fn a_result_that_came_twice_or_late_changes_nothing() {
    let mut state = state(WhenStuck::Stop);
    state.goes(1, StepResult::Done);
    let before = state.clone();
    state.step_ended(
        at(2),
        &StepOutcome {
            plan: "i-run".into(),
            index: 0,
            result: fenced(),
        },
    );
    assert_eq!(state, before);
    let json = serde_json::to_value(&state).expect("written");
    assert_eq!(json["operation"]["steps"][0]["work"], json!("change"));
    let read: OperationState = serde_json::from_value(json).expect("read");
    assert_eq!(read, state);
}

#[test]
fn hazard_09_what_was_done_together_is_not_taken_back_all_at_once() {
    let undone = || -> Vec<i64> {
        let times = (0..40).map(|number| {
            let mut state = state(WhenStuck::Stop);
            state.operation.id = PlanId(format!("checkout-{number}-run"));
            for now in 1..=3 {
                state.goes(now, StepResult::Done);
            }
            state.end(at(4), OperationEnd::Done, false);
            let undo_at = state.undo_at().expect("it is taken back");
            (undo_at.as_millisecond() - at(64).as_millisecond()).max(-1)
        });
        times.collect()
    };
    let times = undone();
    // After a minute, and a tenth of that at most.
    assert!(
        times.iter().all(|time| (0..=6000).contains(time)),
        "{times:?}"
    );
    for second in 0..6 {
        let within = times.iter().filter(|time| *time / 1000 == second);
        assert!(within.count() <= 15, "{times:?}");
    }
    assert_eq!(undone(), times, "a replay does it at the same times");
}
