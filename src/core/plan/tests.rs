//! Every arm of the fence.

use super::*;
use crate::rule::{ScaleKind, ScaleTarget};
use crate::scaling::Autoscaler;
use crate::target::{ForRollback, RolloutStatus};

const UID: &str = "3a3c";

fn target(kind: TargetKind) -> TargetId {
    TargetId {
        namespace: "shop".into(),
        kind,
        name: "checkout".into(),
    }
}

fn command(kind: TargetKind, step: Step) -> RollbackStep {
    RollbackStep {
        fence: Fence {
            target: target(kind),
            uid: UID.into(),
            judged: "bad".into(),
            number: None,
        },
        step,
    }
}

fn deployment() -> TargetState {
    bare(target(TargetKind::Deployment), UID, "bad")
}

/// A workload with this template, and with nothing else that a fence could ask about.
pub(super) fn bare(id: TargetId, uid: &str, current: &str) -> TargetState {
    TargetState {
        id,
        uid: uid.to_owned(),
        current: Some(current.into()),
        paused: false,
        complete: false,
        rollout: None,
        revisions: Vec::new(),
        pods: Vec::new(),
        kill_switch: None,
        last_plan: None,
        labels: std::collections::BTreeMap::new(),
        for_rollback: ForRollback::default(),
        pause: None,
        rolling: None,
        owner: None,
        shipped_by: None,
    }
}

/// In flight: the judged revision is the canary.
fn rollout() -> TargetState {
    TargetState {
        id: target(TargetKind::Rollout),
        rollout: Some(RolloutStatus {
            stable: Some("good".into()),
            aborted: false,
            promote_full: false,
            phase: "Paused".into(),
            message: "CanaryPauseStep".into(),
            workload_ref: false,
            active: None,
        }),
        ..deployment()
    }
}

fn with_status(change: impl FnOnce(&mut RolloutStatus)) -> TargetState {
    let mut state = rollout();
    change(state.rollout.as_mut().expect("a rollout has a status"));
    state
}

fn undo() -> RollbackStep {
    command(
        TargetKind::Deployment,
        Step::UndoDeployment { to: "good".into() },
    )
}

fn undo_rollout() -> RollbackStep {
    command(TargetKind::Rollout, Step::UndoRollout { to: "good".into() })
}

fn abort() -> RollbackStep {
    command(TargetKind::Rollout, Step::AbortRollout)
}

fn promote() -> RollbackStep {
    command(TargetKind::Rollout, Step::PromoteFull { of: "good".into() })
}

/// `says`: empty for an admission without reason, else a part of the reason.
fn check(command: &RollbackStep, fresh: &TargetState, expect: &str, says: &str) {
    let (kind, reason) = match command.admit(&"p1".into(), fresh) {
        Admission::Write => ("write", String::new()),
        Admission::AlreadyDone => ("done", String::new()),
        Admission::NotYet { reason } => ("not yet", reason),
        Admission::Fenced { reason } => ("fenced", reason),
    };
    assert_eq!(kind, expect, "{:?}: {reason}", command.step);
    assert!(reason.contains(says), "{:?}: {reason}", command.step);
}

fn all_writes() -> [(RollbackStep, TargetState); 4] {
    let at_good = TargetState {
        current: Some("good".into()),
        ..with_status(|status| status.stable = Some("bad".into()))
    };
    [
        (undo(), deployment()),
        (undo_rollout(), rollout()),
        (abort(), rollout()),
        (promote(), at_good),
    ]
}

#[test]
fn writes_to_an_object_that_is_as_it_was_judged() {
    for (command, fresh) in all_writes() {
        check(&command, &fresh, "write", "");
    }
}

#[test]
fn nothing_is_written_to_an_object_created_again() {
    for (command, mut fresh) in all_writes() {
        fresh.uid = "77aa".into();
        // Not even its marks count: they were set on another object.
        fresh.last_plan = Some("p1".into());
        check(&command, &fresh, "fenced", "deleted and created again");
    }
}

#[test]
fn nothing_is_written_to_another_object() {
    for (command, mut fresh) in all_writes() {
        fresh.id.name = "pay".into();
        check(&command, &fresh, "fenced", "in place of");
    }
}

#[test]
fn nothing_is_written_with_the_kill_switch_on() {
    for (command, mut fresh) in all_writes() {
        fresh.kill_switch = Some("namespace shop".into());
        check(&command, &fresh, "fenced", "namespace shop");
    }
}

#[test]
fn nothing_is_written_to_a_paused_object() {
    for (command, mut fresh) in all_writes() {
        fresh.paused = true;
        check(&command, &fresh, "fenced", "paused by somebody else");
    }
}

#[test]
fn waits_while_the_controller_lags() {
    for (command, mut fresh) in all_writes() {
        fresh.current = None;
        check(&command, &fresh, "not yet", "has not seen the latest spec");
    }
}

#[test]
fn another_revision_than_the_judged_one_is_left_alone() {
    for (command, mut fresh) in all_writes() {
        fresh.current = Some("newer".into());
        check(
            &command,
            &fresh,
            "fenced",
            "at revision newer, no longer at",
        );
    }
}

#[test]
fn a_repeated_undo_is_recognised_while_the_controller_lags() {
    for (command, mut fresh) in [(undo(), deployment()), (undo_rollout(), rollout())] {
        fresh.last_plan = Some("p1".into());
        fresh.current = None;
        check(&command, &fresh, "done", "");
        fresh.current = Some("good".into());
        check(&command, &fresh, "done", "");
        fresh.last_plan = Some("p0".into());
        check(&command, &fresh, "fenced", "somebody else took bad back");
    }
}

#[test]
fn the_judged_revision_is_never_the_way_back() {
    let back = command(
        TargetKind::Deployment,
        Step::UndoDeployment { to: "bad".into() },
    );
    check(&back, &deployment(), "fenced", "is the one that was judged");
}

#[test]
fn a_step_for_another_kind_is_refused() {
    let mut step = undo();
    step.fence.target.kind = TargetKind::Rollout;
    check(&step, &rollout(), "fenced", "is no Deployment");
    let mut step = undo_rollout();
    step.fence.target.kind = TargetKind::Deployment;
    check(&step, &deployment(), "fenced", "is no Rollout");
    for mut step in [abort(), promote()] {
        step.fence.target.kind = TargetKind::Deployment;
        check(&step, &deployment(), "fenced", "is no Rollout");
    }
}

#[test]
fn an_abort_that_would_be_dropped_is_not_written() {
    let done = with_status(|status| status.aborted = true);
    check(&abort(), &done, "done", "");
    let promoted = with_status(|status| status.stable = Some("bad".into()));
    check(&abort(), &promoted, "fenced", "has been promoted since");
    let promoting = with_status(|status| status.promote_full = true);
    check(&abort(), &promoting, "fenced", "promoted in full");
    let first = with_status(|status| status.stable = None);
    check(&abort(), &first, "fenced", "no stable revision");
}

#[test]
fn promotes_only_the_way_back() {
    let at_good = |change: fn(&mut RolloutStatus)| TargetState {
        current: Some("good".into()),
        ..with_status(|status| {
            status.stable = Some("bad".into());
            change(status);
        })
    };
    check(&promote(), &at_good(|s| s.promote_full = true), "done", "");
    check(
        &promote(),
        &at_good(|s| s.stable = Some("good".into())),
        "done",
        "",
    );
    check(
        &promote(),
        &at_good(|s| s.aborted = true),
        "fenced",
        "aborted by somebody else",
    );
    let at_another = TargetState {
        current: Some("newer".into()),
        ..at_good(|_| {})
    };
    check(&promote(), &at_another, "fenced", "newer");
}

#[test]
fn waiting_steps_write_nothing() {
    for step in [
        Step::AwaitRestored,
        Step::AwaitCurrent {
            hash: "good".into(),
        },
    ] {
        let mut fresh = deployment();
        fresh.current = None;
        check(&command(TargetKind::Deployment, step), &fresh, "done", "");
    }
}

fn worker() -> ScaleTarget {
    ScaleTarget {
        namespace: "shop".into(),
        kind: ScaleKind::Deployment,
        name: "worker".into(),
    }
}

fn two_workers() -> ScaleState {
    ScaleState {
        uid: UID.into(),
        replicas: 2,
        ready: 2,
        paused: false,
        kill_switch: None,
        last_scaling: None,
        labels: std::collections::BTreeMap::new(),
        autoscalers: Vec::new(),
        budgets: Vec::new(),
    }
}

fn autoscaler() -> Autoscaler {
    Autoscaler {
        name: "worker".into(),
        uid: "h1".into(),
        min: 2,
        max: 10,
        owner: None,
        last_scaling: None,
        keda: None,
    }
}

/// From 2 to 5, by the workload or by its autoscaler.
fn to_five(object: ScaleObject) -> ScaleChange {
    ScaleChange {
        target: worker(),
        uid: UID.into(),
        object,
        from: 2,
        to: 5,
    }
}

fn by_autoscaler() -> ScaleObject {
    ScaleObject::Autoscaler {
        name: "worker".into(),
        uid: "h1".into(),
    }
}

fn check_scale(change: &ScaleChange, fresh: &ScaleState, expect: &str, says: &str) {
    let (kind, reason) = match change.admit(&"p1".into(), Some(fresh)) {
        Admission::Write => ("write", String::new()),
        Admission::AlreadyDone => ("done", String::new()),
        Admission::NotYet { reason } => ("not yet", reason),
        Admission::Fenced { reason } => ("fenced", reason),
    };
    assert_eq!(kind, expect, "{change:?}: {reason}");
    assert!(reason.contains(says), "{change:?}: {reason}");
}

/// What a change of two workers is held against, and how what is there is changed.
type Case = (
    &'static str,
    fn(&mut ScaleState),
    &'static str,
    &'static str,
);

#[test]
fn every_arm_of_a_scaling_s_fence() {
    let cases: [Case; 6] = [
        ("as decided", |_| {}, "write", ""),
        ("again", |s| s.uid = "77".into(), "fenced", "created again"),
        (
            "paused",
            |s| s.paused = true,
            "fenced",
            "paused by somebody",
        ),
        (
            "stopped",
            |s| s.kill_switch = Some("namespace shop".into()),
            "fenced",
            "namespace shop",
        ),
        (
            "changed",
            |s| s.replicas = 3,
            "fenced",
            "set to 3 replicas, no longer to 2",
        ),
        (
            "an autoscaler came",
            |s| s.autoscalers.push(autoscaler()),
            "fenced",
            "`worker` scales Deployment shop/worker now",
        ),
    ];
    for (_, change, expect, says) in cases {
        let mut fresh = two_workers();
        change(&mut fresh);
        check_scale(&to_five(ScaleObject::Workload), &fresh, expect, says);
    }
    let gone = to_five(ScaleObject::Workload).admit(&"p1".into(), None);
    assert!(matches!(gone, Admission::Fenced { .. }), "{gone:?}");
}

#[test]
fn a_repeated_scaling_is_recognised_whatever_came_after_it() {
    let mut fresh = two_workers();
    fresh.last_scaling = Some("p1".into());
    fresh.replicas = 7;
    fresh.kill_switch = Some("namespace shop".into());
    check_scale(&to_five(ScaleObject::Workload), &fresh, "done", "");
    fresh.uid = "77".into();
    check_scale(
        &to_five(ScaleObject::Workload),
        &fresh,
        "fenced",
        "created again",
    );
}

#[test]
fn an_autoscaler_s_minimum_has_the_same_fence() {
    let mut fresh = two_workers();
    let change = to_five(by_autoscaler());
    check_scale(&change, &fresh, "fenced", "does not exist any more");
    fresh.autoscalers.push(autoscaler());
    // The replicas are the autoscaler's own business.
    fresh.replicas = 4;
    check_scale(&change, &fresh, "write", "");
    fresh.autoscalers[0].min = 3;
    check_scale(&change, &fresh, "fenced", "set to 3 replicas");
    fresh.autoscalers[0].last_scaling = Some("p1".into());
    check_scale(&change, &fresh, "done", "");
    fresh.autoscalers[0].uid = "h2".into();
    check_scale(&change, &fresh, "fenced", "created again");
}

#[test]
fn steps_of_both_kinds_are_read_as_they_were_written() {
    let rollback = undo();
    for action in [
        Action::Rollback(rollback),
        Action::Scale(to_five(ScaleObject::Workload)),
        Action::Scale(to_five(by_autoscaler())),
    ] {
        let command = StepCommand {
            plan: "p1".into(),
            index: 0,
            action,
            deadline: "2026-01-01T00:10:00Z".parse().expect("a timestamp"),
            again: true,
        };
        let json = serde_json::to_string(&command).expect("is JSON");
        let read: StepCommand = serde_json::from_str(&json).expect("reads what it wrote");
        assert_eq!(read, command, "{json}");
    }
    // As journals before scaling hold it.
    let old = r#"{"plan":"p1","index":0,"fence":{"target":{"namespace":"shop","kind":"Deployment","name":"checkout"},
        "uid":"3a3c","judged":"bad"},"step":{"step":"undoDeployment","to":"good"},"deadline":"2026-01-01T00:10:00Z"}"#;
    let read: StepCommand = serde_json::from_str(old).expect("an old record");
    assert_eq!(read.action, Action::Rollback(undo()));
}
