//! A world's journal in words, a line for each record that says something.

use std::fmt::Write as _;

use super::World;
use crate::analysis::Ending;
use crate::plan::StepResult;
use crate::record::Record;
use crate::saga::PlanEnd;

impl World {
    /// All that happened, a line each, with the second.
    pub(in crate::engine::tests) fn transcript(&self) -> String {
        let mut text = String::new();
        for (second, record) in &self.journal {
            if let Some(line) = line(record) {
                writeln!(text, "{second:>5} {line}").expect("is memory");
            }
        }
        text
    }
}

fn line(record: &Record) -> Option<String> {
    Some(match record {
        Record::Started { .. }
        | Record::Compacted { .. }
        | Record::Checkpoint { .. }
        | Record::AlwaysCheckpoint { .. }
        | Record::NoticeEnded(_) => return None,
        Record::IncidentBegan { finding, .. } => format!("incident begins: {}", finding.sentence),
        Record::IncidentEnded { end, .. } => format!("incident ends: {end:?}"),
        Record::ScalingBegan { plan } => plan.in_words(),
        Record::Operation(_) => crate::explain::texts(record).join("\n"),
        Record::ScalingHeld { hold, .. } => format!("scaling is held: {}", of(hold)),
        Record::ScalingEnded { end, .. } => format!("scaling ends: {end:?}"),
        Record::SteppingBegan { .. } => "stepping begins".to_owned(),
        Record::TrafficBegan { plan } => format!("traffic: {}", plan.in_words()),
        Record::TrafficHeld { hold, .. } => format!("traffic is held: {}", of(hold)),
        Record::TrafficReached { reached, .. } => format!("traffic is at {} %", reached.percent),
        Record::SteppingEnded { end, .. } => format!("stepping ends: {}", end.in_words()),
        Record::DataBack { rule, .. } => format!("{rule} has data"),
        Record::Ran { target, revision } => format!("{target}: {revision} ran"),
        Record::TargetSeen { target, stable, .. } => format!("{target} is seen, at {stable}"),
        Record::TakenUp { target, by } => format!("{target} is taken up by {by}"),
        Record::LetGo { target, reason } => format!("{target} is let go: {reason}"),
        Record::TargetGone { target } => format!("{target} is gone"),
        Record::RevisionReturned { revision, .. } => format!("{revision} is back"),
        Record::AnalysisBegan { analysis } => format!(
            "analysis of {} begins, beside {}",
            analysis.canary,
            analysis
                .baseline
                .as_ref()
                .map_or("nothing", |baseline| baseline.as_str())
        ),
        Record::Promoted { .. } => "promoted".to_owned(),
        Record::BaselineGone { .. } => "the baseline has gone".to_owned(),
        Record::FirstTraffic { .. } => "first traffic".to_owned(),
        Record::Failed { findings, .. } => {
            let failing: Vec<&str> = findings
                .iter()
                .filter(|finding| finding.fails())
                .map(|finding| finding.rule.as_str())
                .collect();
            format!("failed by {}", failing.join(", "))
        }
        Record::HoldBegan { hold, .. } => format!("hold begins: {}", of(hold)),
        Record::HoldEnded { hold, .. } => format!("hold ends: {}", of(hold)),
        Record::AnalysisEnded {
            revision, ending, ..
        } => match ending {
            Ending::Pass => format!("{revision} passes"),
            Ending::Fail => format!("{revision} has failed"),
            Ending::Inconclusive { reason } => format!("{revision} is unclear: {reason}"),
            Ending::Superseded { reason } => format!("{revision} is superseded: {reason}"),
        },
        Record::PlanBegan { plan } => {
            let good = if plan.to.known_good {
                ", known good"
            } else {
                ""
            };
            format!("plan begins: back to {}{good}", plan.to.revision)
        }
        Record::StepBegun(command) => format!("step {} begins", command.index),
        Record::StepEnded(outcome) => {
            let result = match &outcome.result {
                StepResult::Done => "done".to_owned(),
                StepResult::Kept { place, .. } => format!("kept in {place}"),
                StepResult::Called { repeated, .. } => format!("called, repeated: {repeated}"),
                StepResult::AlreadyDone => "already done".to_owned(),
                StepResult::Fenced { reason } => format!("fenced: {reason}"),
                StepResult::Refused { reason } => format!("refused: {reason}"),
                StepResult::Failed { reason } => format!("failed: {reason}"),
            };
            format!("step {} ends: {result}", outcome.index)
        }
        Record::Awaited { index, .. } => format!("step {index} is over"),
        Record::Drift { news, .. } => format!("drift: {news:?}"),
        Record::Pause { news, .. } => format!("pause: {news:?}"),
        Record::PlanEnded { end, .. } => match end {
            PlanEnd::Done => "plan ends".to_owned(),
            PlanEnd::Fenced { reason } => format!("plan is fenced: {reason}"),
            PlanEnd::Stuck { reason } => format!("plan is stuck: {reason}"),
        },
        Record::VerificationBegan { verification } => {
            format!("verification of {} begins", verification.revision)
        }
        Record::VerificationEnded { end, .. } => format!("verification ends: {end:?}"),
        Record::SourceLost { reason, .. } => format!("source lost: {reason}"),
        Record::SourceBack { .. } => "source back".to_owned(),
        Record::RuleWithoutData { rule, .. } | Record::DataLost { rule, .. } => {
            format!("{rule} has no data")
        }
        Record::Reloaded { .. } => "reloaded".to_owned(),
        Record::ReloadRefused { .. } => "reload refused".to_owned(),
        Record::Alerted { alert } => format!("alert: {}", alert.in_words()),
        Record::Silenced { silences, .. } => format!("silences: {}", silences.len()),
        Record::ApprovalAsked { approval } => format!("asks for approval of {}", approval.plan),
        Record::Commanded { command } => format!("ordered: {}", command.order),
        Record::CommandEnded { outcome, .. } => format!("order over: {outcome:?}"),
        Record::NoticeHeld { notice, .. } => {
            format!("held ({:?}): {}", notice.kind, notice.headline)
        }
        Record::NoticeReleased { notice, .. } => {
            format!("told late ({:?}): {}", notice.kind, notice.headline)
        }
        Record::Marked { marker } => format!("marker: {}", marker.in_words()),
        Record::Noticed(notice) => format!("told ({:?}): {}", notice.kind, notice.headline),
    })
}

fn of(hold: &crate::guard::Hold) -> String {
    match &hold.rule {
        Some(rule) => format!("{} ({rule})", hold.guard),
        None => hold.guard.to_string(),
    }
}
