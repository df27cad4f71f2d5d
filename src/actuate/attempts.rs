//! One step: attempt after attempt until it has a result, its deadline is over, or the process stops.

use std::time::Duration;

use backon::{BackoffBuilder as _, ExponentialBuilder};
use jiff::Timestamp;
use recant_core::plan::{Action, StepCommand, StepResult};
use tokio_util::sync::CancellationToken;

use super::webhook::{self, Tried};
use super::{Parts, Permit};
use crate::cluster::ClusterError;

/// A cluster that neither answers nor gives up: above all deadlines that it has of its own.
const ATTEMPT: Duration = Duration::from_mins(1);

/// How a step ended.
#[derive(Debug)]
pub(super) enum Ended {
    With(StepResult),
    /// It may be begun again by the next process.
    ByShutdown,
}

pub(super) async fn carry_out(
    parts: &Parts,
    command: &StepCommand,
    stop: &CancellationToken,
) -> Ended {
    let mut pauses = ExponentialBuilder::default()
        .with_min_delay(Duration::from_millis(100))
        .with_max_delay(Duration::from_secs(3))
        .with_jitter()
        .without_max_times()
        .build();
    // Whether an attempt, of this process or of an earlier one, may have written without our knowing.
    let mut unknown = command.again;
    loop {
        if stop.is_cancelled() {
            return Ended::ByShutdown;
        }
        let reason = match parts.gate.permit() {
            Permit::Never { reason } if unknown => {
                let reason = may_have_written(command, &reason);
                return Ended::With(StepResult::Failed { reason });
            }
            Permit::Never { reason } => return Ended::With(StepResult::Fenced { reason }),
            Permit::Later { reason } => reason,
            Permit::Act => match attempt(parts, command).await {
                Ok(Tried::Ended(
                    StepResult::Fenced { reason } | StepResult::Refused { reason },
                )) if unknown && matches!(command.action, Action::Webhook(_)) => {
                    let reason = may_have_written(command, &reason);
                    return Ended::With(StepResult::Failed { reason });
                }
                Ok(Tried::Ended(result)) => return Ended::With(result),
                Ok(Tried::Again { reason }) => reason,
                Err(error) if error.retry() => {
                    unknown |= matches!(error, ClusterError::Unreachable { .. });
                    tracing::debug!(plan.id = %command.plan, step = command.index, "an attempt failed: {error}");
                    error.to_string()
                }
                // The API server said no: nothing was written by this attempt.
                Err(error) => return Ended::With(refused(command, &error, unknown)),
            },
        };
        let pause = pauses.next().unwrap_or(Duration::from_secs(3));
        let again = (parts.clock)().checked_add(pause).unwrap_or(Timestamp::MAX);
        if again > command.deadline {
            return Ended::With(out_of_time(command, &reason, unknown));
        }
        tokio::select! {
            // Stopping comes first: the pause is for nothing then.
            biased;
            () = stop.cancelled() => return Ended::ByShutdown,
            () = tokio::time::sleep(pause) => {}
        }
    }
}

/// Not cut short by a shutdown: a write that is under way is waited for.
async fn attempt(parts: &Parts, command: &StepCommand) -> Result<Tried, ClusterError> {
    let attempt = async {
        match &command.action {
            Action::Webhook(call) => Ok(webhook::attempt(parts, command, call).await),
            Action::Rollback(_)
            | Action::Scale(_)
            | Action::Change(_)
            | Action::Pause(_)
            | Action::Evidence(_)
            | Action::Apply(_)
            | Action::Sync(_) => parts.cluster.execute(command).await.map(Tried::Ended),
        }
    };
    tokio::time::timeout(ATTEMPT, attempt)
        .await
        .unwrap_or_else(|_| {
            Err(ClusterError::Unreachable {
                reason: format!("no answer within {} s", ATTEMPT.as_secs()),
            })
        })
}

fn refused(command: &StepCommand, error: &ClusterError, unknown: bool) -> StepResult {
    let reason = match error {
        ClusterError::Forbidden { .. } => {
            format!("{error}: add it to the Role `recant` (charts/manifests/role.yaml)")
        }
        _ => error.to_string(),
    };
    if unknown {
        let reason = may_have_written(command, &reason);
        StepResult::Failed { reason }
    } else {
        StepResult::Refused { reason }
    }
}

fn out_of_time(command: &StepCommand, reason: &str, unknown: bool) -> StepResult {
    let deadline = command.deadline;
    let target = command.object();
    if unknown {
        let reason = format!(
            "it could not be done until {deadline}: {reason}; look whether {target} was changed"
        );
        StepResult::Failed { reason }
    } else {
        let reason = format!(
            "it could not be done until {deadline}, and nothing was written to {target}: {reason}"
        );
        StepResult::Refused { reason }
    }
}

fn may_have_written(command: &StepCommand, reason: &str) -> String {
    format!(
        "{reason}; an earlier attempt had no answer: look whether {} was changed",
        command.object()
    )
}
