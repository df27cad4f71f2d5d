//! The audit trail for people: what happened and why, one decision a paragraph.

mod beginnings;
mod endings;
mod operation;
mod people;
mod steps;

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;

use crate::analysis::WayBack;
use crate::command::{Command, CommandId};
use crate::guard::Hold;
use crate::ids::{NoticeId, PlanId, RuleName, TargetId};
use crate::incident::IncidentEnd;
use crate::notice::{Delivery, DeliveryOutcome};
use crate::operation::{Cause, OperationEvent};
use crate::pause::PauseNews;
use crate::record::{Record, Standing};
use crate::saga::PlanEnd;
use crate::verify::VerificationEnd;
use crate::wording::{plural, short};

pub use steps::step;
use steps::{action, result};

/// Characters of a digest that people are shown: enough to tell two sets apart.
const SHOWN_DIGEST: usize = 13;

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
    /// Incidents have a paragraph of their own, and their scalings with them.
    incidents: BTreeMap<String, usize>,
    scalings: BTreeMap<PlanId, usize>,
    /// The last incident of each rule.
    open_incidents: BTreeMap<(TargetId, RuleName), usize>,
    notices: BTreeMap<NoticeId, usize>,
    commands: BTreeMap<CommandId, usize>,
}

impl Story {
    /// Takes in the next record.
    pub fn tell(&mut self, at: Timestamp, record: &Record) {
        let mut texts = texts(record).into_iter();
        let Some(first) = texts.next() else { return };
        let place = match record {
            Record::Started { .. }
            | Record::Compacted { .. }
            | Record::Reloaded { .. }
            | Record::ReloadRefused { .. }
            | Record::Alerted { .. }
            | Record::Silenced { .. }
            | Record::SourceLost { .. }
            | Record::SourceBack { .. } => self.begin(at, None, first),
            Record::Commanded { command } => {
                let place = self.of_command(at, command, first);
                self.commands.insert(command.id(), place);
                place
            }
            Record::CommandEnded { command, .. } => {
                let Some(place) = self.commands.remove(command) else {
                    return;
                };
                self.line(at, place, first);
                place
            }
            Record::TargetSeen { target, .. } => self.begin(at, Some(target), first),
            Record::AnalysisBegan { analysis } => self.begin(at, Some(&analysis.target), first),
            Record::IncidentBegan { incident, .. } => {
                let place = self.begin(at, None, first);
                self.incidents.insert(incident.id.0.clone(), place);
                self.open_incidents
                    .insert((incident.target.clone(), incident.rule.clone()), place);
                place
            }
            Record::Noticed(notice)
            | Record::NoticeHeld { notice, .. }
            | Record::NoticeReleased { notice, .. } => {
                let of_incident = notice
                    .correlation
                    .as_ref()
                    .and_then(|correlation| self.incidents.get(correlation.as_str()));
                let of_target = notice
                    .target
                    .as_ref()
                    .and_then(|target| self.open.get(target));
                let place = of_incident
                    .or(of_target)
                    .copied()
                    .unwrap_or_else(|| self.paragraphs.len().saturating_sub(1));
                self.notices.insert(notice.id.clone(), place);
                self.line(at, place, first);
                place
            }
            Record::NoticeEnded(delivery) => {
                let Some(place) = self.notices.get(&delivery.notice).copied() else {
                    return;
                };
                self.line(at, place, first);
                place
            }
            _ => {
                if let Some(place) = self.of_incident(record) {
                    self.line(at, place, first);
                    for text in texts {
                        self.line(at, place, text);
                    }
                    return;
                }
                let Some(target) = self.target(record) else {
                    return;
                };
                match self.open.get(&target).copied() {
                    Some(place) => {
                        self.line(at, place, first);
                        place
                    }
                    None => self.begin(at, Some(&target), format!("{target}: {first}")),
                }
            }
        };
        for text in texts {
            self.line(at, place, text);
        }
    }

    /// All paragraphs, in the order in which they began.
    pub fn into_paragraphs(self) -> Vec<Paragraph> {
        self.paragraphs
    }

    /// What is under way with its target, else one of its own.
    fn of_command(&mut self, at: Timestamp, command: &Command, first: String) -> usize {
        let target = command.order.target();
        match target.and_then(|target| self.open.get(target).copied()) {
            Some(place) => {
                self.line(at, place, first);
                place
            }
            None => self.begin(at, target, first),
        }
    }

    fn begin(&mut self, at: Timestamp, target: Option<&TargetId>, title: String) -> usize {
        let place = self.paragraphs.len();
        if let Some(target) = target {
            self.open.insert(target.clone(), place);
        }
        self.paragraphs.push(Paragraph {
            began: at,
            title,
            lines: Vec::new(),
        });
        place
    }

    fn line(&mut self, at: Timestamp, place: usize, text: String) {
        if let Some(paragraph) = self.paragraphs.get_mut(place) {
            paragraph.lines.push((at, text));
        }
    }

    /// The paragraph of the incident that a record is about.
    fn of_incident(&mut self, record: &Record) -> Option<usize> {
        match record {
            Record::ScalingBegan { plan } => {
                let place = self.incidents.get(plan.incident.as_str()).copied()?;
                self.scalings.insert(plan.id.clone(), place);
                self.open_incidents
                    .insert((plan.target.clone(), plan.rule.clone()), place);
                Some(place)
            }
            Record::Operation(event) => {
                let place = match event {
                    OperationEvent::Began { operation } => match &operation.cause {
                        Cause::Incident { incident, .. } => {
                            self.incidents.get(incident.as_str()).copied()
                        }
                        Cause::Release { .. } | Cause::Person { .. } => {
                            self.open.get(&operation.target).copied()
                        }
                    },
                    OperationEvent::Held { operation, .. }
                    | OperationEvent::Settled { operation, .. }
                    | OperationEvent::Ended { operation, .. }
                    | OperationEvent::Closed { operation, .. } => {
                        self.scalings.get(operation).copied()
                    }
                }?;
                self.scalings.insert(event.id().clone(), place);
                Some(place)
            }
            Record::StepBegun(command) => self.scalings.get(&command.plan).copied(),
            Record::StepEnded(outcome) => self.scalings.get(&outcome.plan).copied(),
            Record::IncidentEnded { incident, .. } => {
                self.incidents.get(incident.as_str()).copied()
            }
            Record::ScalingHeld { target, rule, .. }
            | Record::ScalingEnded { target, rule, .. } => {
                let key = (target.clone(), rule.clone());
                self.open_incidents.get(&key).copied()
            }
            _ => None,
        }
    }

    /// The target that a record is about; those of plans are remembered.
    fn target(&mut self, record: &Record) -> Option<TargetId> {
        match record {
            Record::PlanBegan { plan } => {
                self.plans
                    .insert(plan.id.clone(), plan.fence.target.clone());
                Some(plan.fence.target.clone())
            }
            Record::Pause { target, news } => {
                if let PauseNews::Began { pause } | PauseNews::Found { pause } = &**news {
                    self.plans.insert(pause.id.clone(), target.clone());
                }
                Some(target.clone())
            }
            Record::StepBegun(command) => match command.fence() {
                Some(fence) => Some(fence.target.clone()),
                None => self.plans.get(&command.plan).cloned(),
            },
            Record::StepEnded(outcome) => self.plans.get(&outcome.plan).cloned(),
            Record::Awaited { plan, .. } => self.plans.get(plan).cloned(),
            Record::AnalysisBegan { analysis } => Some(analysis.target.clone()),
            Record::VerificationBegan { verification } => Some(verification.target.clone()),
            Record::Drift { target, .. }
            | Record::TakenUp { target, .. }
            | Record::LetGo { target, .. }
            | Record::TargetSeen { target, .. }
            | Record::Ran { target, .. }
            | Record::TargetGone { target }
            | Record::RevisionReturned { target, .. }
            | Record::Promoted { target }
            | Record::BaselineGone { target }
            | Record::FirstTraffic { target }
            | Record::Checkpoint { target, .. }
            | Record::Failed { target, .. }
            | Record::HoldBegan { target, .. }
            | Record::HoldEnded { target, .. }
            | Record::AnalysisEnded { target, .. }
            | Record::PlanEnded { target, .. }
            | Record::VerificationEnded { target, .. }
            | Record::RuleWithoutData { target, .. }
            | Record::IncidentEnded { target, .. }
            | Record::ScalingHeld { target, .. }
            | Record::ScalingEnded { target, .. }
            | Record::AlwaysCheckpoint { target, .. }
            | Record::DataLost { target, .. }
            | Record::TrafficHeld { target, .. }
            | Record::TrafficReached { target, .. }
            | Record::SteppingEnded { target, .. }
            | Record::DataBack { target, .. } => Some(target.clone()),
            Record::SteppingBegan { stepping } => Some(stepping.target.clone()),
            Record::TrafficBegan { plan } => {
                self.plans.insert(plan.id.clone(), plan.target.clone());
                Some(plan.target.clone())
            }
            Record::IncidentBegan { incident, .. } => Some(incident.target.clone()),
            Record::Operation(event) => Some(event.target().clone()),
            Record::ScalingBegan { plan } => Some(plan.target.clone()),
            Record::Noticed(notice)
            | Record::NoticeHeld { notice, .. }
            | Record::NoticeReleased { notice, .. } => notice.target.clone(),
            Record::Marked { marker } => Some(marker.target.clone()),
            Record::ApprovalAsked { approval } => Some(approval.target.clone()),
            Record::Started { .. }
            | Record::Compacted { .. }
            | Record::Reloaded { .. }
            | Record::ReloadRefused { .. }
            | Record::Alerted { .. }
            | Record::Silenced { .. }
            | Record::Commanded { .. }
            | Record::CommandEnded { .. }
            | Record::SourceLost { .. }
            | Record::SourceBack { .. }
            | Record::NoticeEnded(_) => None,
        }
    }
}

/// What a record says, in lines for people; the first alone tells what happened.
pub fn texts(record: &Record) -> Vec<String> {
    match record {
        Record::Started { version } => vec![format!("Recant {version} started")],
        Record::Compacted {
            through,
            from,
            until,
            ..
        } => vec![format!(
            "records 0 to {through} of this journal, from {from:.0} to {until:.0}, were dropped, as the settings say"
        )],
        Record::Reloaded {
            digest,
            watches,
            new,
            changed,
            gone,
            need_restart,
        } => beginnings::reloaded(digest, [*watches, *new, *changed, *gone], need_restart),
        Record::ReloadRefused { digest, faults } => {
            let mut lines = vec![format!(
                "changed rules or settings (set {}) cannot be used; those loaded before go on to hold",
                short(digest, SHOWN_DIGEST)
            )];
            lines.extend(faults.iter().cloned());
            lines
        }
        Record::Alerted { alert } => vec![match (alert.ended, &alert.summary) {
            (Some(_), _) => format!("alert is over: {}", alert.in_words()),
            (None, Some(summary)) => {
                format!("alert: {}: {}", alert.in_words(), short(summary, 300))
            }
            (None, None) => format!("alert: {}", alert.in_words()),
        }],
        Record::Commanded { command } => people::commanded(command),
        Record::ApprovalAsked { approval } => vec![format!(
            "people are asked to approve plan `{}`, until {:.0}",
            approval.plan, approval.expires
        )],
        Record::CommandEnded { outcome, .. } => people::command_ended(outcome),
        Record::Silenced { channel, silences } => {
            let mut lines = vec![format!(
                "Alertmanager `{channel}` has {} that may concern a target",
                plural(silences.len(), "silence")
            )];
            lines.extend(
                silences
                    .iter()
                    .map(|silence| format!("silenced {}", silence.in_words())),
            );
            lines
        }
        Record::NoticeHeld { notice, silence } => vec![format!(
            "not told, for it is silenced {}: {}",
            silence.in_words(),
            notice.headline
        )],
        Record::NoticeReleased { notice, .. } => {
            vec![format!("told after a silence: {}", notice.headline)]
        }
        Record::Marked { marker } => vec![format!("CI tells: {}", marker.in_words())],
        Record::TakenUp { by, .. } => {
            vec![format!("somebody asked about it: taken up by Watch {by}")]
        }
        Record::LetGo { reason, .. } => vec![format!("let go: {reason}")],
        Record::Ran { revision, .. } => vec![format!("a pod of revision {revision} was ready")],
        Record::TargetSeen { target, stable, .. } => {
            vec![format!("{target} seen: revision {stable} is the way back")]
        }
        Record::AnalysisBegan { analysis } => vec![
            format!(
                "{}: revision {} is watched",
                analysis.target, analysis.canary
            ),
            beginnings::began(analysis),
        ],
        Record::SourceLost { source, reason } => vec![format!("source {source:?} lost: {reason}")],
        Record::SourceBack { source } => vec![format!("source {source:?} answers again")],
        Record::PlanBegan { plan } => {
            let steps: Vec<String> = plan.steps.iter().map(step).collect();
            let decided = match &plan.by {
                Some(by) => format!("ordered by {by}"),
                None => "decided: act".to_owned(),
            };
            vec![format!(
                "{decided}; plan `{}`: {}",
                plan.id,
                steps.join(", then ")
            )]
        }
        Record::StepBegun(command) => {
            vec![format!(
                "step {} begins: {}",
                command.index + 1,
                action(&command.action)
            )]
        }
        Record::StepEnded(outcome) => {
            vec![format!(
                "step {} {}",
                outcome.index + 1,
                result(&outcome.result)
            )]
        }
        Record::Awaited { index, .. } => vec![format!("step {} is over: it happened", index + 1)],
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
            vec![format!("told {to}: {}", notice.headline)]
        }
        Record::NoticeEnded(Delivery {
            channel, outcome, ..
        }) => vec![match outcome {
            DeliveryOutcome::Delivered => format!("delivered to `{channel}`"),
            DeliveryOutcome::GivenUp { reason } => {
                format!("not delivered to `{channel}`, given up: {reason}")
            }
        }],
        Record::VerificationBegan { verification } => {
            vec![format!(
                "verifying that the symptom is gone with revision {}",
                verification.revision
            )]
        }
        // The evidence of a moment is for the machine; what it led to is told.
        Record::Checkpoint { .. } | Record::AlwaysCheckpoint { .. } => Vec::new(),
        Record::IncidentBegan { incident, finding } => {
            let mut lines = vec![
                format!("{}: rule `{}` is broken", incident.target, incident.rule),
                format!("incident `{}` of watch `{}`", incident.id, incident.watch),
                finding.sentence.clone(),
            ];
            lines.extend(
                incident
                    .scale
                    .as_ref()
                    .map(|scale| format!("what is to be done: scale {scale}")),
            );
            lines
        }
        Record::IncidentEnded { end, .. } => match end {
            IncidentEnd::Recovered { sentence } => {
                vec!["the incident is over".to_owned(), sentence.clone()]
            }
            IncidentEnd::Dropped { reason } => vec![format!("the incident is dropped: {reason}")],
        },
        Record::ScalingBegan { plan } => vec![format!(
            "decided: act; plan `{}`: {}",
            plan.id,
            plan.in_words()
        )],
        Record::Operation(event) => operation::lines(event),
        Record::ScalingHeld { hold, .. } => vec![held("the scaling is held", hold)],
        Record::ScalingEnded { undo, end, .. } => vec![endings::scaling_ended(*undo, end)],
        Record::SteppingBegan { stepping } => vec![beginnings::began_stepping(stepping)],
        Record::TrafficBegan { plan } => vec![format!(
            "decided: act; plan `{}`: {}",
            plan.id,
            plan.in_words()
        )],
        Record::TrafficHeld { hold, .. } => vec![held("its traffic is held", hold)],
        Record::TrafficReached { reached, .. } => {
            vec![format!("it has {} % of the traffic", reached.percent)]
        }
        Record::SteppingEnded { end, .. } => vec![end.in_words()],
        Record::DataBack { rule, .. } => vec![format!("rule `{rule}` has data again")],
        Record::TargetGone { .. } => vec!["the object is gone".to_owned()],
        Record::RevisionReturned {
            revision, standing, ..
        } => {
            let standing = match standing {
                Some(Standing::KnownGood { at }) => format!(", known good since {at:.0}"),
                Some(Standing::Failed { at }) => format!(", which failed at {at:.0}"),
                Some(Standing::Inconclusive { .. }) | None => String::new(),
            };
            vec![format!("the target is at revision {revision}{standing}")]
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
        } => endings::ended(
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
        Record::Pause { news, .. } => vec![endings::pause(news)],
        Record::Drift { news, .. } => vec![endings::drift(news)],
        Record::RuleWithoutData { rule, reason, .. } | Record::DataLost { rule, reason, .. } => {
            vec![format!("rule `{rule}` has no data: {reason}")]
        }
    }
}

fn held(word: &str, hold: &Hold) -> String {
    let until = hold
        .until
        .map_or_else(String::new, |until| format!(", until {until:.0}"));
    format!("{word} by guard \"{}\": {}{until}", hold.guard, hold.reason)
}
