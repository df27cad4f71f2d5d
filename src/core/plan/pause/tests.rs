//! Every arm of the fence of a pause.

use super::*;
use crate::ids::{TargetId, TargetKind};
use crate::plan::tests::bare;
use crate::target::OwnPause;

fn target() -> TargetId {
    TargetId {
        namespace: "shop".to_owned(),
        kind: TargetKind::Deployment,
        name: "checkout".to_owned(),
    }
}

fn state() -> TargetState {
    bare(target(), "u1", "v2")
}

fn own(plan: &str, holds: bool) -> OwnPause {
    OwnPause {
        plan: plan.into(),
        until: None,
        holds,
        changed: false,
    }
}

fn paused(plan: &str, holds: bool) -> TargetState {
    TargetState {
        paused: true,
        pause: Some(own(plan, holds)),
        ..state()
    }
}

fn step(write: PauseWrite) -> PauseStep {
    PauseStep {
        fence: Fence {
            target: target(),
            uid: "u1".to_owned(),
            judged: "v2".into(),
            number: None,
        },
        write,
    }
}

fn pause() -> PauseStep {
    step(PauseWrite::Pause {
        until: Timestamp::UNIX_EPOCH,
    })
}

#[track_caller]
fn check(step: &PauseStep, fresh: &TargetState, expected: &str) {
    let found = match step.admit(&"p1".into(), fresh) {
        Admission::Write => "write".to_owned(),
        Admission::AlreadyDone => "done".to_owned(),
        Admission::NotYet { reason } => format!("not yet: {reason}"),
        Admission::Fenced { reason } => format!("fenced: {reason}"),
    };
    assert!(found.contains(expected), "{found}, expected {expected}");
}

#[test]
fn a_pause_is_written_once_and_only_in_the_release_that_is_judged() {
    check(&pause(), &state(), "write");
    check(&pause(), &paused("p1", true), "done");
    // A person has resumed it since: a repeat must not pause it again.
    let resumed = TargetState {
        pause: Some(own("p1", false)),
        ..state()
    };
    check(&pause(), &resumed, "done");
    // The mark of an earlier release.
    let earlier = TargetState {
        pause: Some(own("p0", false)),
        ..state()
    };
    check(&pause(), &earlier, "write");
    check(&pause(), &paused("p0", true), "paused by somebody else");
    let fenced = |change: fn(&mut TargetState), expected| {
        let mut fresh = state();
        change(&mut fresh);
        check(&pause(), &fresh, expected);
    };
    fenced(|fresh| fresh.uid.push('x'), "created again");
    fenced(|fresh| fresh.id.name.push('x'), "was read in place of");
    fenced(|fresh| fresh.paused = true, "paused by somebody else");
    fenced(|fresh| fresh.complete = true, "had all its pods");
    fenced(|fresh| fresh.current = Some("v3".into()), "no longer at v2");
    fenced(|fresh| fresh.current = None, "not yet");
    fenced(
        |fresh| fresh.kill_switch = Some("namespace shop".to_owned()),
        "kill switch",
    );
}

#[test]
fn only_our_own_pause_is_resumed_whatever_the_template_is_by_now() {
    let resume = step(PauseWrite::Resume);
    check(&resume, &paused("p1", true), "write");
    let shipped = TargetState {
        current: None,
        ..paused("p1", true)
    };
    check(&resume, &shipped, "write");
    check(&resume, &paused("p1", false), "done");
    check(&resume, &paused("p2", true), "done");
    check(&resume, &state(), "done");
    let stopped = TargetState {
        kill_switch: Some("namespace shop".to_owned()),
        ..paused("p1", true)
    };
    check(&resume, &stopped, "kill switch");
    let other = TargetState {
        uid: "u2".to_owned(),
        ..paused("p1", true)
    };
    check(&resume, &other, "created again");
}
