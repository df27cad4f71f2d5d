//! Every arm of the fence.

use super::*;
use crate::target::RolloutStatus;

const UID: &str = "3a3c";

fn target(kind: TargetKind) -> TargetId {
    TargetId {
        namespace: "shop".into(),
        kind,
        name: "checkout".into(),
    }
}

fn command(kind: TargetKind, step: Step) -> StepCommand {
    StepCommand {
        plan: "p1".into(),
        index: 0,
        fence: Fence {
            target: target(kind),
            uid: UID.into(),
            judged: "bad".into(),
        },
        step,
        deadline: "2026-01-01T00:10:00Z".parse().expect("a timestamp"),
    }
}

fn deployment() -> TargetState {
    TargetState {
        id: target(TargetKind::Deployment),
        uid: UID.into(),
        current: Some("bad".into()),
        paused: false,
        complete: false,
        rollout: None,
        revisions: Vec::new(),
        pods: Vec::new(),
        kill_switch: None,
        last_plan: None,
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
        }),
        ..deployment()
    }
}

fn with_status(change: impl FnOnce(&mut RolloutStatus)) -> TargetState {
    let mut state = rollout();
    change(state.rollout.as_mut().expect("a rollout has a status"));
    state
}

fn undo() -> StepCommand {
    command(
        TargetKind::Deployment,
        Step::UndoDeployment { to: "good".into() },
    )
}

fn undo_rollout() -> StepCommand {
    command(TargetKind::Rollout, Step::UndoRollout { to: "good".into() })
}

fn abort() -> StepCommand {
    command(TargetKind::Rollout, Step::AbortRollout)
}

fn promote() -> StepCommand {
    command(TargetKind::Rollout, Step::PromoteFull { of: "good".into() })
}

/// `says`: empty for an admission without reason, else a part of the reason.
fn check(command: &StepCommand, fresh: &TargetState, expect: &str, says: &str) {
    let (kind, reason) = match command.admit(fresh) {
        Admission::Write => ("write", String::new()),
        Admission::AlreadyDone => ("done", String::new()),
        Admission::NotYet { reason } => ("not yet", reason),
        Admission::Fenced { reason } => ("fenced", reason),
    };
    assert_eq!(kind, expect, "{:?}: {reason}", command.step);
    assert!(reason.contains(says), "{:?}: {reason}", command.step);
}

fn all_writes() -> [(StepCommand, TargetState); 4] {
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
