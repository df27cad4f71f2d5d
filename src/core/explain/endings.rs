//! How analyses, scalings and steps ended, in words.

use crate::analysis::Ending;
use crate::drift::DriftNews;
use crate::git_sync;
use crate::incident::ScalingEnd;
use crate::pause::{PauseEnd, PauseNews, Reached};
use crate::suspension::SuspensionNews;

pub(super) fn ended(ending: &Ending, findings: impl Iterator<Item = String>) -> Vec<String> {
    match ending {
        Ending::Pass => {
            let mut lines = vec!["verdict: Pass; the revision is known good".to_owned()];
            lines.extend(findings);
            lines
        }
        Ending::Fail => vec!["the analysis ends".to_owned()],
        Ending::Inconclusive { reason } => vec![format!("verdict: Inconclusive; {reason}")],
        Ending::Superseded { reason } => {
            vec![format!("superseded, neither good nor bad: {reason}")]
        }
    }
}

pub(super) fn scaling_ended(undo: bool, end: &ScalingEnd) -> String {
    match (undo, end) {
        (false, ScalingEnd::Done) => "the scaling is done".to_owned(),
        (true, ScalingEnd::Done) => "the scaling is taken back".to_owned(),
        (false, ScalingEnd::Nothing { reason }) => format!("nothing to scale: {reason}"),
        (true, ScalingEnd::Nothing { reason }) => format!("left as it is: {reason}"),
        (_, ScalingEnd::NotReady { reason }) => {
            format!("the scaling is done, but its pods are not ready: {reason}")
        }
        (_, ScalingEnd::Fenced { reason }) => {
            format!("the scaling stopped, the object was changed: {reason}")
        }
        (_, ScalingEnd::Stuck { reason }) => format!("the scaling stopped: {reason}"),
    }
}

pub(super) fn pause(news: &PauseNews) -> String {
    match news {
        PauseNews::Began { pause } => format!(
            "decided: pause the release at its first pods (asked {}); plan `{}`, until {:.0} at the latest",
            pause.asked, pause.id, pause.until
        ),
        PauseNews::Found { pause } => format!(
            "it was found paused by plan `{}` of another process, until {:.0}",
            pause.id, pause.until
        ),
        PauseNews::Reached(Reached { pods, of }) => {
            format!("paused at {pods} of {of} pods")
        }
        PauseNews::Resuming { reason } => format!("decided: let the release go on, {reason}"),
        PauseNews::Stuck { reason } => format!("it stays paused: {reason}"),
        PauseNews::Ended { end } => match end {
            PauseEnd::Resumed => "the release goes on".to_owned(),
            PauseEnd::Undone => "the rollback ended the pause".to_owned(),
            PauseEnd::BySomebody { reason } => format!("the pause is over: {reason}"),
            PauseEnd::NotPaused { reason } => format!("not paused: {reason}"),
        },
    }
}

fn suspended(news: &SuspensionNews) -> String {
    match news {
        SuspensionNews::Began { suspension } => format!(
            "decided: suspend {} before the rollback; plan `{}`",
            git_sync::object_ref(&suspension.owner),
            suspension.id
        ),
        SuspensionNews::Reminded => "it still is suspended".to_owned(),
        SuspensionNews::Resuming { reason } => format!("decided: resume it, {reason}"),
        SuspensionNews::Stuck { reason } => format!("it cannot be resumed: {reason}"),
        SuspensionNews::Ended { reason } => format!("the suspension is over: {reason}"),
    }
}

pub(super) fn drift(news: &DriftNews) -> String {
    match news {
        DriftNews::Began { drift } => format!(
            "it belongs to {}, which may revert that: watched until {:.0}",
            drift.owner, drift.until
        ),
        DriftNews::Held => "the rollback has held for a sync period".to_owned(),
        DriftNews::Reverted { by } => format!("the rollback was reverted by `{by}`"),
        DriftNews::Suspension { suspension } => suspended(suspension),
        DriftNews::Over { reason } => {
            format!("whether the rollback would have held is not known: {reason}")
        }
    }
}
