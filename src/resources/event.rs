//! Which records are Kubernetes Events on their target, and in which words.

use recant_core::analysis::Ending;
use recant_core::explain::texts;
use recant_core::ids::TargetId;
use recant_core::incident::ScalingEnd;
use recant_core::operation::{OperationEnd, OperationEvent};
use recant_core::record::Record;
use recant_core::saga::PlanEnd;
use recant_core::verify::VerificationEnd;

use crate::cluster::kubernetes::events::Weight;

/// The target, how much it weighs, reason, action, and a sentence; `None`: no event.
pub fn of_record(
    record: &Record,
) -> Option<(&TargetId, Weight, &'static str, &'static str, String)> {
    use Weight::{Normal, Warning};
    let (target, weight, reason, action) = match record {
        Record::AnalysisBegan { analysis } => (&analysis.target, Normal, "JudgingBegan", "Judge"),
        Record::Failed { target, .. } => (target, Warning, "ReleaseFailed", "Judge"),
        Record::AnalysisEnded { target, ending, .. } => match ending {
            Ending::Pass => (target, Normal, "ReleasePassed", "Judge"),
            // `ReleaseFailed` said it.
            Ending::Fail => return None,
            Ending::Inconclusive { .. } => (target, Warning, "ReleaseInconclusive", "Judge"),
            Ending::Superseded { .. } => (target, Normal, "ReleaseSuperseded", "Judge"),
        },
        // Holds of a single rule's decision come and go.
        Record::HoldBegan { target, hold } if hold.rule.is_none() => {
            (target, Warning, "ActionHeld", "Guard")
        }
        Record::PlanBegan { plan } => (&plan.fence.target, Warning, "RollingBack", "Rollback"),
        Record::PlanEnded { target, end, .. } => match end {
            PlanEnd::Done => (target, Normal, "RolledBack", "Rollback"),
            PlanEnd::Fenced { .. } => (target, Warning, "RollbackFenced", "Rollback"),
            PlanEnd::Stuck { .. } => (target, Warning, "RollbackFailed", "Rollback"),
        },
        Record::VerificationEnded { target, end, .. } => match end {
            VerificationEnd::Gone => (target, Normal, "SymptomGone", "Verify"),
            VerificationEnd::Remains { .. } => (target, Warning, "SymptomRemains", "Verify"),
            VerificationEnd::Unknown { .. } => (target, Warning, "NotVerified", "Verify"),
        },
        Record::IncidentBegan { incident, .. } => {
            (&incident.target, Warning, "IncidentBegan", "Watch")
        }
        Record::IncidentEnded { target, .. } => (target, Normal, "IncidentEnded", "Watch"),
        Record::ScalingBegan { plan } => (&plan.target, Normal, "Scaling", "Scale"),
        Record::ScalingHeld { target, .. } => (target, Warning, "ActionHeld", "Guard"),
        Record::ScalingEnded { target, end, .. } => match end {
            ScalingEnd::Done => (target, Normal, "Scaled", "Scale"),
            ScalingEnd::Nothing { .. } => return None,
            ScalingEnd::NotReady { .. } | ScalingEnd::Stuck { .. } => {
                (target, Warning, "ScalingFailed", "Scale")
            }
            ScalingEnd::Fenced { .. } => (target, Warning, "ScalingFenced", "Scale"),
        },
        Record::Operation(event) => match event {
            OperationEvent::Began { operation } => (&operation.target, Normal, "Acting", "Act"),
            OperationEvent::Held { target, .. } => (target, Warning, "ActionHeld", "Guard"),
            OperationEvent::Ended { target, end, .. } => match end {
                OperationEnd::Done => (target, Normal, "Acted", "Act"),
                OperationEnd::Partly { .. } | OperationEnd::NotDone { .. } => {
                    (target, Warning, "ActionFailed", "Act")
                }
            },
            OperationEvent::Settled { .. } | OperationEvent::Closed { .. } => return None,
        },
        Record::RuleWithoutData { target, .. } | Record::DataLost { target, .. } => {
            (target, Warning, "RuleWithoutData", "Watch")
        }
        _ => return None,
    };
    Some((target, weight, reason, action, texts(record).join("; ")))
}
