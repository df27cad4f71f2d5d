//! SIGKILL at every step of a rollback; then the same journal, and a new process.

use std::time::{Duration, Instant};

use futures::future::join_all;
use recant_core::ids::TargetKind;
use recant_core::notice::NoticeKind;
use recant_core::record::Record;

use super::{Incident, WITHIN};
use crate::agent::Options;
use crate::case::figure;
use crate::case::run;
use crate::wait::wait_for;

/// When the process is killed.
#[derive(Debug, Clone, Copy)]
enum Point {
    /// As soon as such a record is durable.
    Record(&'static str, fn(&Record) -> bool),
    /// As soon as so many of them are.
    Nth(&'static str, usize, fn(&Record) -> bool),
    /// When the object shows the undo, which the journal only knows as begun.
    Unrecorded,
}

const FAILED: Point = Point::Record("failed", |record| matches!(record, Record::Failed { .. }));
const PLAN_BEGAN: Point = Point::Record("plan-began", |record| {
    matches!(record, Record::PlanBegan { .. })
});
const STEP_BEGUN: Point = Point::Record("step-begun", |record| {
    matches!(record, Record::StepBegun(_))
});
const STEP_ENDED: Point = Point::Record("step-ended", |record| {
    matches!(record, Record::StepEnded(_))
});
const AWAITED: Point = Point::Record("awaited", |record| matches!(record, Record::Awaited { .. }));
const PLAN_ENDED: Point = Point::Record("plan-ended", |record| {
    matches!(record, Record::PlanEnded { .. })
});
const VERIFICATION_BEGAN: Point = Point::Record("verification-began", |record| {
    matches!(record, Record::VerificationBegan { .. })
});
const VERIFICATION_ENDED: Point = Point::Record("verification-ended", |record| {
    matches!(record, Record::VerificationEnded { .. })
});
const FIRST_NOTICED: Point = Point::Record(
    "first-noticed",
    |record| matches!(record, Record::Noticed(notice) if notice.kind == NoticeKind::RollingBack),
);
/// Two notices, to two channels each.
const NOTICE_ENDED: [Point; 4] = [
    Point::Nth("notice-ended-1", 1, is_notice_ended),
    Point::Nth("notice-ended-2", 2, is_notice_ended),
    Point::Nth("notice-ended-3", 3, is_notice_ended),
    Point::Nth("notice-ended-4", 4, is_notice_ended),
];
const LAST_NOTICED: Point = Point::Record("last-noticed", |record| {
    matches!(record, Record::Noticed(notice)
        if matches!(notice.kind, NoticeKind::Restored | NoticeKind::NotRestored))
});
/// A promoted Rollout: the second write.
const PROMOTE_BEGUN: Point = Point::Record(
    "promote-begun",
    |record| matches!(record, Record::StepBegun(command) if command.index == 2),
);
const PROMOTE_ENDED: Point = Point::Record(
    "promote-ended",
    |record| matches!(record, Record::StepEnded(outcome) if outcome.index == 2),
);
const RESTORED: Point = Point::Record("restored", |record| {
    matches!(record, Record::Awaited { index: 3, .. })
});

fn is_notice_ended(record: &Record) -> bool {
    matches!(record, Record::NoticeEnded(_))
}

impl Point {
    fn name(self) -> &'static str {
        match self {
            Self::Record(name, _) | Self::Nth(name, _, _) => name,
            Self::Unrecorded => "unrecorded",
        }
    }

    /// Waits for the point and kills the agent.
    async fn strike(self, incident: &Incident) {
        let agent = &incident.agent;
        match self {
            Self::Record(name, is) => {
                agent.catch_record(name, WITHIN, is).await;
                agent.kill();
            }
            Self::Nth(name, number, is) => {
                let mut seen = 0;
                let nth = |record: &Record| {
                    seen += usize::from(is(record));
                    seen >= number
                };
                agent.catch_record(name, WITHIN, nth).await;
                agent.kill();
            }
            Self::Unrecorded => {
                agent
                    .catch_record("a step", WITHIN, |record| {
                        matches!(record, Record::StepBegun(_))
                    })
                    .await;
                let length = incident
                    .journal_file()
                    .metadata()
                    .expect("it is there")
                    .len();
                agent.limit_files(Some(length)).await;
                wait_for("the undo to show on the object", WITHIN, || async {
                    let plan = incident.plan_on_object().await;
                    plan.ok_or_else(|| "no plan is named".to_owned())
                })
                .await;
                agent.kill();
                // The limit may have come too late: then what was written since is taken away again.
                incident.cut_off(|record| matches!(record, Record::StepEnded(_)));
            }
        }
    }
}

/// Each in a namespace of its own, with an agent of its own, at the same time.
async fn killed_at(kind: TargetKind, points: &[Point]) {
    let whole = join_all(points.iter().map(|point| killed_once(kind, *point))).await;
    let (slowest, point) = whole
        .iter()
        .zip(points)
        .max_by_key(|(took, _)| **took)
        .expect("there are points");
    figure(&format!(
        "{kind} killed at `{}`: told and verified {:.1} s after the new start, the slowest of {}",
        point.name(),
        slowest.as_secs_f64(),
        points.len()
    ));
}

/// Returns the time from the new start to the end of the story.
async fn killed_once(kind: TargetKind, point: Point) -> Duration {
    let incident = Incident::begin(point.name(), kind, Options::default()).await;
    incident.ship().await;
    point.strike(&incident).await;
    let open = incident.agent.ledger().pending;
    let begun = Instant::now();
    incident.agent.launch_piped();
    incident.agent.wait_ready().await;
    incident.settled().await;
    let took = begun.elapsed();
    incident.assert_whole().await;
    // Not the time of the kill: what was sent just before may arrive just after.
    let journal = incident.agent.journal();
    let started = journal.iter().rfind(|entry| is_started(&entry.record));
    let started = started.map(|entry| entry.at).expect("it started");
    let unmarked = incident.messages().into_iter().find(|message| {
        message.at > started && !message.repeat && open.keys().any(|id| id.0 == message.notice)
    });
    assert_eq!(unmarked, None, "told before the kill, perhaps");
    took
}

#[test]
fn killed_when_a_deployment_was_judged() {
    run(killed_at(
        TargetKind::Deployment,
        &[FAILED, PLAN_BEGAN, FIRST_NOTICED, STEP_BEGUN],
    ));
}

#[test]
fn killed_while_a_deployment_is_undone() {
    run(killed_at(
        TargetKind::Deployment,
        &[Point::Unrecorded, STEP_ENDED, AWAITED, PLAN_ENDED],
    ));
}

#[test]
fn killed_when_a_deployment_was_undone() {
    run(killed_at(
        TargetKind::Deployment,
        &[VERIFICATION_BEGAN, VERIFICATION_ENDED, LAST_NOTICED],
    ));
}

#[test]
fn killed_while_people_are_told() {
    run(killed_at(TargetKind::Deployment, &NOTICE_ENDED));
}

#[test]
fn killed_while_a_promoted_rollout_is_undone() {
    run(killed_at(
        TargetKind::Rollout,
        &[STEP_BEGUN, Point::Unrecorded, STEP_ENDED, AWAITED],
    ));
}

#[test]
fn killed_while_a_promoted_rollout_is_promoted_back() {
    run(killed_at(
        TargetKind::Rollout,
        &[PROMOTE_BEGUN, PROMOTE_ENDED, RESTORED, VERIFICATION_ENDED],
    ));
}

#[test]
fn killed_again_and_again() {
    run(async {
        let incident = Incident::begin("again", TargetKind::Deployment, Options::default()).await;
        incident.ship().await;
        STEP_BEGUN.strike(&incident).await;
        for point in [
            Point::Nth("the second start", 2, is_started),
            Point::Nth("the third start", 3, is_started),
            AWAITED,
            LAST_NOTICED,
        ] {
            incident.agent.launch_piped();
            point.strike(&incident).await;
        }
        incident.agent.launch_piped();
        incident.agent.wait_ready().await;
        incident.settled().await;
        incident.assert_whole().await;
    });
}

fn is_started(record: &Record) -> bool {
    matches!(record, Record::Started { .. })
}
