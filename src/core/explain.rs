//! The audit trail for people: what happened and why, one decision a paragraph.

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;

use crate::analysis::{Analysis, Ending, WayBack};
use crate::guard::Hold;
use crate::ids::{NoticeId, PlanId, TargetId};
use crate::notice::{Delivery, DeliveryOutcome};
use crate::plan::{Step, StepResult};
use crate::record::{Record, Standing};
use crate::saga::PlanEnd;
use crate::verify::VerificationEnd;

/// One decision, or one event that belongs to none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paragraph {
    pub began: Timestamp,
    pub title: String,
    pub lines: Vec<(Timestamp, String)>,
}

impl fmt::Display for Paragraph {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:.0}  {}", self.began, self.title)?;
        for (at, line) in &self.lines {
            writeln!(f, "  {}  {line}", at.strftime("%H:%M:%S"))?;
        }
        Ok(())
    }
}

/// Tells the records of a journal, in their order.
#[derive(Debug, Default)]
pub struct Story {
    paragraphs: Vec<Paragraph>,
    /// The paragraph that further records about a target belong to.
    open: BTreeMap<TargetId, usize>,
    plans: BTreeMap<PlanId, TargetId>,
    notices: BTreeMap<NoticeId, usize>,
}

impl Story {
    /// Takes in the next record.
    pub fn tell(&mut self, at: Timestamp, record: &Record) {
        match record {
            Record::Started { version } => {
                self.begin(at, None, format!("Recant {version} started"));
            }
            Record::TargetSeen { target, stable, .. } => {
                self.begin(
                    at,
                    Some(target),
                    format!("{target} seen: revision {stable} is the way back"),
                );
            }
            Record::AnalysisBegan { analysis } => {
                let title = format!(
                    "{}: revision {} is watched",
                    analysis.target, analysis.canary
                );
                self.begin(at, Some(&analysis.target), title);
                self.line(at, &analysis.target, began(analysis));
            }
            Record::SourceLost { source, reason } => {
                self.begin(at, None, format!("source {source:?} lost: {reason}"));
            }
            Record::SourceBack { source } => {
                self.begin(at, None, format!("source {source:?} answers again"));
            }
            Record::PlanBegan { plan } => {
                let target = plan.fence.target.clone();
                self.plans.insert(plan.id.clone(), target.clone());
                let steps: Vec<String> = plan.steps.iter().map(step).collect();
                self.line(
                    at,
                    &target,
                    format!(
                        "decided: act; plan `{}`: {}",
                        plan.id,
                        steps.join(", then ")
                    ),
                );
            }
            Record::StepBegun(command) => {
                self.line(
                    at,
                    &command.fence.target,
                    format!("step {} begins: {}", command.index + 1, step(&command.step)),
                );
            }
            Record::StepEnded(outcome) => {
                self.of_plan(
                    at,
                    &outcome.plan,
                    format!("step {} {}", outcome.index + 1, result(&outcome.result)),
                );
            }
            Record::Awaited { plan, index } => {
                self.of_plan(at, plan, format!("step {} is over: it happened", index + 1));
            }
            Record::Noticed(notice) => {
                let to: Vec<String> = notice
                    .channels
                    .iter()
                    .map(|channel| format!("`{channel}`"))
                    .collect();
                let to = if to.is_empty() {
                    "nobody (no channel is set)".to_owned()
                } else {
                    to.join(", ")
                };
                let text = format!("told {to}: {}", notice.headline);
                let paragraph = match notice
                    .target
                    .as_ref()
                    .and_then(|target| self.open.get(target))
                {
                    Some(paragraph) => *paragraph,
                    None => self.paragraphs.len().saturating_sub(1),
                };
                self.notices.insert(notice.id.clone(), paragraph);
                self.line_in(at, paragraph, text);
            }
            Record::NoticeEnded(Delivery {
                notice,
                channel,
                outcome,
            }) => {
                if let Some(paragraph) = self.notices.get(notice).copied() {
                    let text = match outcome {
                        DeliveryOutcome::Delivered => format!("delivered to `{channel}`"),
                        DeliveryOutcome::GivenUp { reason } => {
                            format!("not delivered to `{channel}`, given up: {reason}")
                        }
                    };
                    self.line_in(at, paragraph, text);
                }
            }
            // The evidence of a moment is for the machine; what it led to is told.
            Record::Checkpoint { .. } => {}
            Record::TargetGone { target }
            | Record::RevisionReturned { target, .. }
            | Record::Promoted { target }
            | Record::BaselineGone { target }
            | Record::FirstTraffic { target }
            | Record::Failed { target, .. }
            | Record::HoldBegan { target, .. }
            | Record::HoldEnded { target, .. }
            | Record::AnalysisEnded { target, .. }
            | Record::PlanEnded { target, .. }
            | Record::VerificationEnded { target, .. }
            | Record::RuleWithoutData { target, .. } => {
                for text in about(record) {
                    self.line(at, target, text);
                }
            }
            Record::VerificationBegan { verification } => {
                let text = format!(
                    "verifying that the symptom is gone with revision {}",
                    verification.revision
                );
                self.line(at, &verification.target, text);
            }
        }
    }

    /// All paragraphs, in the order in which they began.
    pub fn into_paragraphs(self) -> Vec<Paragraph> {
        self.paragraphs
    }

    fn begin(&mut self, at: Timestamp, target: Option<&TargetId>, title: String) {
        if let Some(target) = target {
            self.open.insert(target.clone(), self.paragraphs.len());
        }
        self.paragraphs.push(Paragraph {
            began: at,
            title,
            lines: Vec::new(),
        });
    }

    fn of_plan(&mut self, at: Timestamp, plan: &PlanId, text: String) {
        if let Some(target) = self.plans.get(plan).cloned() {
            self.line(at, &target, text);
        }
    }

    fn line(&mut self, at: Timestamp, target: &TargetId, text: String) {
        match self.open.get(target) {
            Some(paragraph) => self.line_in(at, *paragraph, text),
            None => self.begin(at, Some(target), format!("{target}: {text}")),
        }
    }

    fn line_in(&mut self, at: Timestamp, paragraph: usize, text: String) {
        if let Some(paragraph) = self.paragraphs.get_mut(paragraph) {
            paragraph.lines.push((at, text));
        }
    }
}

fn began(analysis: &Analysis) -> String {
    let against = match &analysis.baseline {
        Some(baseline) => format!("compared with revision {baseline} while that runs"),
        None => "without a baseline".to_owned(),
    };
    format!(
        "analysis `{}` by watch `{}`, {against}",
        analysis.id, analysis.watch
    )
}

fn about(record: &Record) -> Vec<String> {
    match record {
        Record::TargetGone { .. } => vec!["the object is gone".to_owned()],
        Record::RevisionReturned {
            revision, standing, ..
        } => {
            let standing = match standing {
                Some(Standing::KnownGood { at }) => format!(", known good since {at:.0}"),
                Some(Standing::Failed { at }) => format!(", which failed at {at:.0}"),
                Some(Standing::Inconclusive { .. }) | None => String::new(),
            };
            vec![format!("revision {revision} is back{standing}")]
        }
        Record::Promoted { .. } => vec!["the Rollout was promoted".to_owned()],
        Record::BaselineGone { .. } => {
            vec!["the baseline has gone; from here the revision is judged alone".to_owned()]
        }
        Record::FirstTraffic { .. } => vec!["first traffic; the watch counts from here".to_owned()],
        Record::Failed {
            findings, way_back, ..
        } => {
            let mut lines: Vec<String> = findings
                .iter()
                .map(|finding| finding.sentence.clone())
                .collect();
            let to = match way_back {
                Some(WayBack {
                    revision,
                    known_good: true,
                }) => format!("way back: {revision}, known good"),
                Some(WayBack {
                    revision,
                    known_good: false,
                }) => {
                    format!("way back: {revision}, stable before the release")
                }
                None => "no way back is known".to_owned(),
            };
            lines.insert(0, format!("verdict: Fail; {to}"));
            lines
        }
        Record::HoldBegan { hold, .. } => vec![held("held", hold)],
        Record::HoldEnded { hold, .. } => {
            vec![format!("no longer held by guard \"{}\"", hold.guard)]
        }
        Record::AnalysisEnded {
            ending, findings, ..
        } => ended(
            ending,
            findings.iter().map(|finding| finding.sentence.clone()),
        ),
        Record::PlanEnded { end, .. } => vec![match end {
            PlanEnd::Done => "the plan is done: no pod of the bad revision serves".to_owned(),
            PlanEnd::Fenced { reason } => {
                format!("the plan stopped, the object was changed: {reason}")
            }
            PlanEnd::Stuck { reason } => format!("the plan stopped: {reason}"),
        }],
        Record::VerificationEnded { end, findings, .. } => {
            let first = match end {
                VerificationEnd::Gone => "verified: the symptom is gone".to_owned(),
                VerificationEnd::Remains { reason } => format!("the symptom remains: {reason}"),
                VerificationEnd::Unknown { reason } => format!("not verified: {reason}"),
            };
            let mut lines = vec![first];
            if *end == VerificationEnd::Gone {
                lines.extend(findings.iter().map(|finding| finding.sentence.clone()));
            }
            lines
        }
        Record::RuleWithoutData { rule, reason, .. } => {
            vec![format!("rule `{rule}` has no data: {reason}")]
        }
        Record::Started { .. }
        | Record::TargetSeen { .. }
        | Record::AnalysisBegan { .. }
        | Record::Checkpoint { .. }
        | Record::PlanBegan { .. }
        | Record::StepBegun(_)
        | Record::StepEnded(_)
        | Record::Awaited { .. }
        | Record::VerificationBegan { .. }
        | Record::SourceLost { .. }
        | Record::SourceBack { .. }
        | Record::Noticed(_)
        | Record::NoticeEnded(_) => Vec::new(),
    }
}

fn ended(ending: &Ending, findings: impl Iterator<Item = String>) -> Vec<String> {
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

fn held(word: &str, hold: &Hold) -> String {
    let until = hold
        .until
        .map_or_else(String::new, |until| format!(", until {until:.0}"));
    format!("{word} by guard \"{}\": {}{until}", hold.guard, hold.reason)
}

fn step(step: &Step) -> String {
    match step {
        Step::UndoDeployment { to } => format!("undo the Deployment to revision {to}"),
        Step::AbortRollout => "abort the Rollout".to_owned(),
        Step::UndoRollout { to } => format!("undo the Rollout to revision {to}"),
        Step::AwaitCurrent { hash } => {
            format!("wait until the controller works on revision {hash}")
        }
        Step::PromoteFull { of } => format!("promote revision {of} in full"),
        Step::AwaitRestored => "wait until no pod of the bad revision serves".to_owned(),
    }
}

fn result(result: &StepResult) -> String {
    match result {
        StepResult::Done => "done".to_owned(),
        StepResult::AlreadyDone => "had been done before".to_owned(),
        StepResult::Fenced { reason } => format!("was stopped by its fence: {reason}"),
        StepResult::Refused { reason } => format!("is not possible: {reason}"),
        StepResult::Failed { reason } => format!("failed: {reason}"),
    }
}
