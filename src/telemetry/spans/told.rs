//! The span, or the memory of a beginning, that each kind of record leads to.

use std::time::SystemTime;

use jiff::Timestamp;
use opentelemetry::KeyValue;
use recant_core::analysis::Ending;
use recant_core::explain;
use recant_core::ids::AnalysisId;
use recant_core::incident::{IncidentEnd, ScalingEnd};
use recant_core::notice::{Delivery, DeliveryOutcome};
use recant_core::operation::OperationEvent;
use recant_core::pause::PauseNews;
use recant_core::plan::{Action, PauseWrite, StepOutcome, StepResult, SyncSwitch};
use recant_core::record::Record;
use recant_core::saga::PlanEnd;
use recant_core::verify::VerificationEnd;

use super::under_way::{run, scale};
use super::{Named, Spans, count, of_incident, time};

type Tick = (SystemTime, SystemTime);

/// A decision is made within the tick that says it.
fn decision(
    target: &impl ToString,
    (from, to): Tick,
    more: Vec<KeyValue>,
    fault: Option<String>,
) -> Named {
    let mut attributes = vec![KeyValue::new("target.name", target.to_string())];
    attributes.extend(more);
    Named {
        name: "decision",
        from,
        to,
        attributes,
        fault,
    }
}

impl Spans {
    pub(super) fn tell(&mut self, at: Timestamp, tick: Tick, record: &Record) {
        let of = self.under_way.run_of(record);
        let of = of.as_ref();
        match record {
            Record::AnalysisBegan { analysis } => {
                self.under_way.begin(analysis.id.clone(), at);
                self.under_way
                    .analysed(analysis.target.clone(), analysis.id.clone());
            }
            Record::Failed {
                target, findings, ..
            } => {
                let rules: Vec<&str> = findings
                    .iter()
                    .filter(|finding| finding.fails())
                    .map(|finding| finding.rule.as_str())
                    .collect();
                let more = vec![
                    KeyValue::new("verdict", "fail"),
                    KeyValue::new("rules", rules.join(",")),
                ];
                self.emit(of, decision(target, tick, more, None));
            }
            Record::PlanBegan { plan } => {
                let target = plan.fence.target.clone();
                let more = vec![
                    KeyValue::new("decision", "act"),
                    KeyValue::new("plan.id", plan.id.0.clone()),
                    KeyValue::new("plan.steps", count(plan.steps.len())),
                ];
                self.emit(of, decision(&target, tick, more, None));
                self.under_way
                    .planned(plan.id.clone(), plan.analysis.clone(), target);
            }
            Record::HoldBegan { target, hold }
            | Record::TrafficHeld { target, hold }
            | Record::Operation(OperationEvent::Held { target, hold, .. }) => {
                let more = vec![
                    KeyValue::new("decision", "hold"),
                    KeyValue::new("guard", hold.guard.to_string()),
                ];
                self.emit(of, decision(target, tick, more, None));
            }
            Record::VerificationEnded { target, end, .. } => {
                let (result, fault) = match end {
                    VerificationEnd::Gone => ("gone", None),
                    VerificationEnd::Remains { reason } => ("remains", Some(reason.clone())),
                    VerificationEnd::Unknown { reason } => ("unknown", Some(reason.clone())),
                };
                let more = vec![KeyValue::new("symptom", result)];
                self.emit(of, decision(target, tick, more, fault));
            }
            Record::StepBegun(command) => {
                let what = match &command.action {
                    Action::Rollback(rollback) => explain::step(&rollback.step),
                    Action::Scale(change) => scale(change),
                    Action::Change(change) => change.in_words(),
                    Action::Sync(sync) => match sync.switch {
                        SyncSwitch::Suspend => "suspend the self-heal".to_owned(),
                        SyncSwitch::Resume => "resume the self-heal".to_owned(),
                    },
                    Action::Pause(pause) => match pause.write {
                        PauseWrite::Pause { .. } => "pause the Deployment".to_owned(),
                        PauseWrite::Resume => "resume the Deployment".to_owned(),
                    },
                    Action::Evidence(evidence) => evidence.in_words(),
                    Action::Apply(apply) => apply.in_words(),
                    Action::Webhook(call) => call.in_words(),
                };
                let step = (command.plan.clone(), command.index);
                self.under_way.step_begun(step, at, what);
            }
            Record::StepEnded(outcome) => self.step(at, tick, of, outcome),
            Record::PlanEnded { target, plan, end } => {
                let (result, fault) = match end {
                    PlanEnd::Done => ("done", None),
                    PlanEnd::Fenced { reason } => ("fenced", Some(reason.clone())),
                    PlanEnd::Stuck { reason } => ("stuck", Some(reason.clone())),
                };
                let more = vec![
                    KeyValue::new("plan.id", plan.0.clone()),
                    KeyValue::new("plan.end", result),
                ];
                self.emit(of, decision(target, tick, more, fault));
                self.under_way.plan_ended(plan);
            }
            Record::AnalysisEnded {
                target,
                analysis,
                revision,
                ending,
                ..
            } => {
                let ending = match ending {
                    Ending::Pass => "pass",
                    Ending::Fail => "fail",
                    Ending::Inconclusive { .. } => "inconclusive",
                    Ending::Superseded { .. } => "superseded",
                };
                let attributes = vec![
                    KeyValue::new("target.name", target.to_string()),
                    KeyValue::new("revision", revision.0.clone()),
                    KeyValue::new("verdict", ending),
                ];
                self.whole("analysis", analysis, (at, tick), attributes);
            }
            Record::IncidentBegan { incident, .. } => {
                self.under_way.begin(run(&incident.id), at);
                self.under_way.broken(
                    incident.target.clone(),
                    incident.rule.clone(),
                    run(&incident.id),
                );
                let more = vec![
                    KeyValue::new("decision", "incident"),
                    KeyValue::new("rule.name", incident.rule.0.clone()),
                ];
                self.emit(of, decision(&incident.target, tick, more, None));
            }
            Record::IncidentEnded {
                target,
                rule,
                incident,
                end,
            } => {
                let ended = match end {
                    IncidentEnd::Recovered { .. } => "recovered",
                    IncidentEnd::Dropped { .. } => "dropped",
                };
                let attributes = vec![
                    KeyValue::new("target.name", target.to_string()),
                    KeyValue::new("rule.name", rule.0.clone()),
                    KeyValue::new("incident.end", ended),
                ];
                self.whole("incident", &run(incident), (at, tick), attributes);
            }
            Record::ScalingBegan { plan } => {
                let more = vec![
                    KeyValue::new("decision", if plan.undo { "set back" } else { "scale" }),
                    KeyValue::new("plan.id", plan.id.0.clone()),
                    KeyValue::new("rule.name", plan.rule.0.clone()),
                ];
                self.emit(of, decision(&plan.change.target, tick, more, None));
                self.under_way
                    .planned(plan.id.clone(), run(&plan.incident), plan.target.clone());
            }
            Record::Operation(OperationEvent::Began { operation }) => {
                let more = vec![
                    KeyValue::new("decision", "operation"),
                    KeyValue::new("plan.id", operation.id.0.clone()),
                    KeyValue::new("operation.title", operation.title.clone()),
                ];
                self.emit(of, decision(&operation.target, tick, more, None));
                if let Some(of) = of {
                    let (id, target) = (operation.id.clone(), operation.target.clone());
                    self.under_way.planned(id, of.clone(), target);
                }
            }
            Record::TrafficBegan { plan } => {
                let more = vec![
                    KeyValue::new("decision", "traffic"),
                    KeyValue::new("plan.id", plan.id.0.clone()),
                    KeyValue::new("traffic.percent", i64::from(plan.percent)),
                ];
                self.emit(of, decision(&plan.target, tick, more, None));
                self.under_way
                    .planned(plan.id.clone(), plan.analysis.clone(), plan.target.clone());
            }
            Record::ScalingHeld { target, rule, hold } => {
                let more = vec![
                    KeyValue::new("decision", "hold"),
                    KeyValue::new("guard", hold.guard.to_string()),
                    KeyValue::new("rule.name", rule.0.clone()),
                ];
                self.emit(of, decision(target, tick, more, None));
            }
            Record::ScalingEnded {
                target,
                rule,
                undo,
                end,
            } => {
                let (result, fault) = match end {
                    ScalingEnd::Done => ("done", None),
                    ScalingEnd::Nothing { .. } => ("nothing", None),
                    ScalingEnd::NotReady { reason } => ("not ready", Some(reason.clone())),
                    ScalingEnd::Fenced { reason } => ("fenced", Some(reason.clone())),
                    ScalingEnd::Stuck { reason } => ("stuck", Some(reason.clone())),
                };
                let more = vec![
                    KeyValue::new("rule.name", rule.0.clone()),
                    KeyValue::new("scaling.undo", *undo),
                    KeyValue::new("plan.end", result),
                ];
                self.emit(of, decision(target, tick, more, fault));
            }
            Record::Noticed(notice) => {
                if !notice.channels.is_empty() {
                    self.under_way.noticed(
                        notice.id.clone(),
                        at,
                        notice.correlation.clone(),
                        notice.headline.clone(),
                    );
                }
            }
            Record::NoticeEnded(delivery) => self.notice(at, tick, of, delivery),
            Record::Pause { target, news } => {
                let decided = match &**news {
                    PauseNews::Began { pause } => {
                        if let Some(run) = &pause.analysis {
                            self.under_way
                                .planned(pause.id.clone(), run.clone(), target.clone());
                        }
                        "pause"
                    }
                    PauseNews::Resuming { .. } => "resume",
                    PauseNews::Found { .. }
                    | PauseNews::Reached(_)
                    | PauseNews::Stuck { .. }
                    | PauseNews::Ended { .. } => return,
                };
                let more = vec![KeyValue::new("decision", decided)];
                self.emit(of, decision(target, tick, more, None));
            }
            Record::TargetGone { target } => self.under_way.gone(target),
            // The span of their tick says that there was something; what it was is in the journal.
            Record::Started { .. }
            | Record::Compacted { .. }
            | Record::Reloaded { .. }
            | Record::ReloadRefused { .. }
            | Record::Alerted { .. }
            | Record::Marked { .. }
            | Record::Silenced { .. }
            | Record::Commanded { .. }
            | Record::ApprovalAsked { .. }
            | Record::CommandEnded { .. }
            | Record::NoticeHeld { .. }
            | Record::NoticeReleased { .. }
            | Record::TakenUp { .. }
            | Record::LetGo { .. }
            | Record::TargetSeen { .. }
            | Record::Ran { .. }
            | Record::RevisionReturned { .. }
            | Record::Promoted { .. }
            | Record::BaselineGone { .. }
            | Record::FirstTraffic { .. }
            | Record::Drift { .. }
            | Record::Checkpoint { .. }
            | Record::HoldEnded { .. }
            | Record::SteppingBegan { .. }
            | Record::TrafficReached { .. }
            | Record::SteppingEnded { .. }
            | Record::Awaited { .. }
            | Record::VerificationBegan { .. }
            | Record::SourceLost { .. }
            | Record::SourceBack { .. }
            | Record::RuleWithoutData { .. }
            | Record::AlwaysCheckpoint { .. }
            | Record::DataLost { .. }
            | Record::Operation(
                OperationEvent::Settled { .. }
                | OperationEvent::Ended { .. }
                | OperationEvent::Closed { .. },
            )
            | Record::DataBack { .. } => {}
        }
    }

    /// The first span of a trace, from the beginning of what it is about to its end.
    fn whole(
        &mut self,
        name: &'static str,
        run: &AnalysisId,
        (at, (_, to)): (Timestamp, Tick),
        mut attributes: Vec<KeyValue>,
    ) {
        let begun = self.under_way.end(run).unwrap_or(at);
        attributes.push(KeyValue::new("run.id", run.0.clone()));
        let whole = Named {
            name,
            from: time(begun),
            to,
            attributes,
            fault: None,
        };
        let ids = self.ids.clone();
        ids.with(of_incident(&run.0), || self.emit(None, whole));
    }

    fn step(
        &mut self,
        at: Timestamp,
        (_, to): Tick,
        of: Option<&AnalysisId>,
        outcome: &StepOutcome,
    ) {
        let step = (outcome.plan.clone(), outcome.index);
        let begun = self.under_way.step_ended(&step);
        let (begun, what) = begun.unwrap_or_else(|| (at, String::new()));
        let target = self.under_way.target_of(&outcome.plan);
        let target = target.map_or_else(String::new, ToString::to_string);
        let (result, fault) = match &outcome.result {
            StepResult::Done => ("done", None),
            StepResult::Kept { .. } => ("kept", None),
            StepResult::Called { .. } => ("called", None),
            StepResult::AlreadyDone => ("already done", None),
            StepResult::Fenced { reason } => ("fenced", Some(reason)),
            StepResult::Refused { reason } => ("refused", Some(reason)),
            StepResult::Failed { reason } => ("failed", Some(reason)),
        };
        self.emit(
            of,
            Named {
                name: "step",
                from: time(begun),
                to,
                attributes: vec![
                    KeyValue::new("target.name", target),
                    KeyValue::new("plan.id", outcome.plan.0.clone()),
                    KeyValue::new("step.index", count(outcome.index)),
                    KeyValue::new("step", what),
                    KeyValue::new("step.result", result),
                ],
                fault: fault.cloned(),
            },
        );
    }

    fn notice(&self, at: Timestamp, (_, to): Tick, of: Option<&AnalysisId>, delivery: &Delivery) {
        let (begun, headline) = self.under_way.notice(&delivery.notice).unwrap_or((at, ""));
        let fault = match &delivery.outcome {
            DeliveryOutcome::Delivered => None,
            DeliveryOutcome::GivenUp { reason } => Some(reason.clone()),
        };
        self.emit(
            of,
            Named {
                name: "notice",
                from: time(begun),
                to,
                attributes: vec![
                    KeyValue::new("notice.id", delivery.notice.0.clone()),
                    KeyValue::new("notice.headline", headline.to_owned()),
                    KeyValue::new("channel.name", delivery.channel.0.clone()),
                ],
                fault,
            },
        );
    }
}
