//! Records in the words of a trace.

use recant_core::record::Record;

/// One line; `None`: it says little.
pub(crate) fn line(record: &Record) -> Option<String> {
    Some(match record {
        Record::Checkpoint { .. } | Record::AlwaysCheckpoint { .. } => return None,
        Record::Started { .. } => "starts".to_owned(),
        Record::Compacted { through, .. } => format!("drops its records up to {through}"),
        Record::Ran { target, revision } => format!("sees that {revision} of {target} ran"),
        Record::TargetSeen { target, stable, .. } => format!("sees {target} at {stable}"),
        Record::TargetGone { target } => format!("{target} is gone"),
        Record::RevisionReturned {
            target, revision, ..
        } => format!("{revision} of {target} is back"),
        Record::AnalysisBegan { analysis } => {
            format!("analysis {} begins ({:?})", analysis.id, analysis.phase)
        }
        Record::Promoted { target } => format!("{target} is promoted"),
        Record::BaselineGone { target } => format!("the baseline of {target} is gone"),
        Record::FirstTraffic { target } => format!("{target} has traffic"),
        Record::Failed { analysis, .. } => format!("{analysis} has failed"),
        Record::HoldBegan { target, hold } => {
            format!("{} holds {target}: {}", hold.guard, hold.reason)
        }
        Record::HoldEnded { target, hold } => format!("{} holds {target} no more", hold.guard),
        Record::AnalysisEnded {
            analysis, ending, ..
        } => format!("{analysis} ends: {ending:?}"),
        Record::PlanBegan { plan } => format!("{} begins: back to {}", plan.id, plan.to.revision),
        Record::StepBegun(command) => format!("step {} of {} begins", command.index, command.plan),
        Record::StepEnded(outcome) => {
            format!(
                "step {} of {} ends: {:?}",
                outcome.index, outcome.plan, outcome.result
            )
        }
        Record::Awaited { plan, index } => format!("step {index} of {plan} is over"),
        Record::PlanEnded { plan, end, .. } => format!("{plan} ends: {end:?}"),
        Record::VerificationBegan { verification } => {
            format!("verification of {} begins", verification.revision)
        }
        Record::VerificationEnded { target, end, .. } => {
            format!("verification of {target} ends: {end:?}")
        }
        Record::SourceLost { reason, .. } => format!("the source is lost: {reason}"),
        Record::SourceBack { .. } => "the source is back".to_owned(),
        Record::RuleWithoutData { rule, .. } => format!("{rule} has no data"),
        Record::Noticed(notice) => format!(
            "notice {} ({:?}): {}",
            notice.id, notice.kind, notice.headline
        ),
        Record::NoticeEnded(delivery) => {
            format!(
                "notice {} to {}: {:?}",
                delivery.notice, delivery.channel, delivery.outcome
            )
        }
        Record::Reloaded { .. }
        | Record::ReloadRefused { .. }
        | Record::IncidentBegan { .. }
        | Record::IncidentEnded { .. }
        | Record::Operation(_)
        | Record::ScalingBegan { .. }
        | Record::Pause { .. }
        | Record::Drift { .. }
        | Record::SteppingBegan { .. }
        | Record::TrafficBegan { .. }
        | Record::TrafficHeld { .. }
        | Record::TrafficReached { .. }
        | Record::SteppingEnded { .. }
        | Record::ScalingHeld { .. }
        | Record::ScalingEnded { .. }
        | Record::DataLost { .. }
        | Record::DataBack { .. }
        | Record::Alerted { .. }
        | Record::TakenUp { .. }
        | Record::LetGo { .. }
        | Record::Silenced { .. }
        | Record::Commanded { .. }
        | Record::ApprovalAsked { .. }
        | Record::CommandEnded { .. }
        | Record::NoticeHeld { .. }
        | Record::NoticeReleased { .. }
        | Record::Marked { .. } => format!("{record:?}"),
    })
}
