use jiff::{SignedDuration, Timestamp};

use super::*;
use crate::ids::WatchName;
use crate::judge::Phase;
use crate::target::{ForRollback, Replacement, RolloutStatus};

fn at(second: i64) -> Timestamp {
    Timestamp::UNIX_EPOCH
        .checked_add(SignedDuration::from_secs(second))
        .expect("a time")
}

fn pod(name: &str, hash: &str, ready: bool) -> Pod {
    Pod {
        name: name.into(),
        hash: hash.into(),
        created: at(0),
        ready,
        terminating: false,
        ip: None,
        metrics: None,
        unready_reason: None,
    }
}

fn state(kind: TargetKind, current: &str, pods: Vec<Pod>) -> TargetState {
    TargetState {
        id: TargetId {
            namespace: "shop".to_owned(),
            kind,
            name: "web".to_owned(),
        },
        uid: "uid".to_owned(),
        current: Some(current.into()),
        paused: false,
        complete: false,
        rollout: None,
        revisions: Vec::new(),
        pods,
        kill_switch: None,
        last_plan: None,
        labels: std::collections::BTreeMap::new(),
        pause: None,
        rolling: None,
        owner: None,
        shipped_by: None,
        for_rollback: ForRollback {
            replacement: Replacement {
                waits_for_ready: kind == TargetKind::StatefulSet,
                ..Replacement::default()
            },
            ..ForRollback::default()
        },
    }
}

fn plan(state: &TargetState, stuck_pods: StuckPods) -> PlanState {
    let analysis = Analysis {
        id: "a1".into(),
        watch: WatchName {
            namespace: "shop".to_owned(),
            name: "web".to_owned(),
        },
        target: state.id.clone(),
        uid: state.uid.clone(),
        canary: "bad".into(),
        baseline: None,
        phase: Phase::Alone,
        began: at(0),
        first_traffic: None,
        promoted: None,
        failed: None,
        stepped: false,
        in_full: None,
    };
    let to = WayBack {
        revision: "good".into(),
        known_good: true,
    };
    PlanState::new(rollback(&analysis, state, &to, stuck_pods), at(0))
}

#[test]
fn stuck_pods_are_deleted_only_if_the_watch_says_so_and_only_of_a_stateful_set() {
    let steps = |kind, stuck_pods| {
        let pods = vec![pod("web-1", "bad", false), pod("web-0", "good", true)];
        plan(&state(kind, "bad", pods), stuck_pods).plan.steps
    };
    let to = || RevisionHash::from("good");
    for kind in [TargetKind::StatefulSet, TargetKind::DaemonSet] {
        assert_eq!(
            steps(kind, StuckPods::Tell),
            [Step::ApplyRevision { to: to() }, Step::AwaitRestored]
        );
    }
    assert_eq!(steps(TargetKind::DaemonSet, StuckPods::Delete).len(), 2);
    assert_eq!(
        steps(TargetKind::StatefulSet, StuckPods::Delete),
        [
            Step::ApplyRevision { to: to() },
            Step::AwaitStuck,
            Step::DeleteStuckPods { to: to() },
            Step::AwaitRestored,
        ]
    );
}

#[test]
fn a_pod_is_stuck_when_the_controller_had_time_for_it() {
    let stuck = || vec![pod("web-1", "bad", false), pod("web-0", "good", true)];
    let mut plan = plan(
        &state(TargetKind::StatefulSet, "bad", stuck()),
        StuckPods::Delete,
    );
    plan.next = 1;
    let advance = |plan: &PlanState, second, current: &str, pods| {
        let seen = state(TargetKind::StatefulSet, current, pods);
        plan.advance(at(second), Some(&seen), true)
    };
    assert_eq!(advance(&plan, 9, "bad", stuck()), Advance::Wait);
    assert_eq!(advance(&plan, 1, "good", stuck()), Advance::Wait);
    assert_eq!(advance(&plan, 9, "good", stuck()), Advance::Awaited);
    // A ready pod of the bad revision is replaced by the controller.
    let ready = || vec![pod("web-1", "bad", true), pod("web-0", "good", true)];
    assert_eq!(advance(&plan, 9, "good", ready()), Advance::Wait);
    let all_good = || vec![pod("web-1", "good", true), pod("web-0", "good", true)];
    assert_eq!(advance(&plan, 40, "good", all_good()), Advance::Awaited);
    // In the end people are told which pod it is.
    plan.next = 3;
    let end = advance(&plan, 700, "good", stuck());
    let Advance::End(PlanEnd::Stuck { reason }) = end else {
        panic!("{end:?}");
    };
    assert!(
        reason.contains("`kubectl delete pod -n shop web-1`"),
        "{reason}"
    );
}

#[test]
fn of_a_blue_green_rollout_the_active_service_decides() {
    let with = |active: Option<&str>| {
        let pods = vec![pod("p1", "bad", true), pod("p2", "good", true)];
        let mut state = state(TargetKind::Rollout, "bad", pods);
        state.rollout = Some(RolloutStatus {
            stable: Some("good".into()),
            aborted: true,
            promote_full: false,
            phase: "Degraded".to_owned(),
            message: String::new(),
            workload_ref: false,
            active: active.map(Into::into),
        });
        state
    };
    let mut plan = plan(&with(Some("good")), StuckPods::Tell);
    assert_eq!(plan.plan.steps, [Step::AbortRollout, Step::AwaitRestored]);
    plan.next = 1;
    let advance = |active| plan.advance(at(9), Some(&with(active)), true);
    assert_eq!(
        advance(Some("good")),
        Advance::Awaited,
        "the preview may run on"
    );
    assert_eq!(advance(Some("bad")), Advance::Wait);
    assert_eq!(advance(None), Advance::Wait, "a canary still serves");
}
