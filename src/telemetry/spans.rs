//! From records to spans: ticks, rounds of questions, and for each incident its analysis, decisions, steps and notices.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use opentelemetry::trace::{
    Span as _, SpanBuilder, SpanContext, Status, TraceContextExt as _, TraceFlags, TraceState,
    Tracer as _,
};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::trace::SdkTracer;
use recant_core::analysis::Ending;
use recant_core::ids::{AnalysisId, NoticeId, PlanId, TargetId};
use recant_core::notice::DeliveryOutcome;
use recant_core::plan::StepResult;
use recant_core::record::Record;
use recant_core::saga::PlanEnd;
use recant_core::verify::VerificationEnd;

use super::ids::{Ids, of_incident};

/// Things under way that are remembered at most: their ends may never come.
const MOST: usize = 10_000;

/// Makes spans.
#[derive(Debug)]
pub struct Spans {
    tracer: SdkTracer,
    ids: Ids,
    ratio: f64,
    /// What is left over of the ratio until it makes a whole one.
    share: f64,
    begun: BTreeMap<AnalysisId, Timestamp>,
    /// The last analysis of each target.
    runs: BTreeMap<TargetId, AnalysisId>,
    plans: BTreeMap<PlanId, (AnalysisId, TargetId)>,
    steps: BTreeMap<(PlanId, usize), (Timestamp, String)>,
    notices: BTreeMap<NoticeId, (Timestamp, Option<AnalysisId>, String)>,
}

/// What a span is about.
struct Named {
    name: &'static str,
    from: SystemTime,
    to: SystemTime,
    attributes: Vec<KeyValue>,
    /// Why it went wrong, if it did.
    fault: Option<String>,
}

impl Spans {
    pub(super) fn new(tracer: SdkTracer, ids: Ids, ratio: f64) -> Self {
        Self {
            tracer,
            ids,
            ratio,
            share: 0.0,
            begun: BTreeMap::new(),
            runs: BTreeMap::new(),
            plans: BTreeMap::new(),
            steps: BTreeMap::new(),
            notices: BTreeMap::new(),
        }
    }

    /// A tick, and what its records say. One that did nothing is traced as the ratio says.
    pub fn ticked(&mut self, at: Timestamp, took: Duration, records: &[Record]) {
        let (from, to) = (time(at), time(at) + took);
        let did = records
            .iter()
            .any(|record| !matches!(record, Record::Checkpoint { .. }));
        if did || self.chosen() {
            let mut runs: BTreeSet<String> = BTreeSet::new();
            for record in records {
                runs.extend(self.correlation(record).map(|id| id.0));
            }
            let mut attributes = vec![KeyValue::new("tick.records", count(records.len()))];
            // One attribute for one incident, so that it is found by the same filter as everything else of it.
            let joined = runs.into_iter().collect::<Vec<_>>().join(",");
            if !joined.is_empty() {
                attributes.push(KeyValue::new("run.id", joined));
            }
            self.emit(
                None,
                Named {
                    name: "tick",
                    from,
                    to,
                    attributes,
                    fault: None,
                },
            );
        }
        for record in records {
            self.record(at, (from, to), record);
        }
    }

    /// A round of questions to one source.
    pub fn asked(&mut self, source: String, took: Duration, questions: usize, unavailable: usize) {
        if !self.chosen() {
            return;
        }
        let to = SystemTime::now();
        self.emit(
            None,
            Named {
                name: "questions",
                from: to.checked_sub(took).unwrap_or(to),
                to,
                attributes: vec![
                    KeyValue::new("source.kind", source),
                    KeyValue::new("source.questions", count(questions)),
                    KeyValue::new("source.unavailable", count(unavailable)),
                ],
                fault: (unavailable > 0).then(|| "some answers could not be used".to_owned()),
            },
        );
    }

    /// So many of those that need not be traced are, evenly.
    fn chosen(&mut self) -> bool {
        self.share += self.ratio;
        let chosen = self.share >= 1.0;
        if chosen {
            self.share -= 1.0;
        }
        chosen
    }

    fn correlation(&self, record: &Record) -> Option<AnalysisId> {
        let of_plan = |plan: &PlanId| self.plans.get(plan).map(|(run, _)| run.clone());
        match record {
            Record::AnalysisBegan { analysis } => Some(analysis.id.clone()),
            Record::Failed { analysis, .. } | Record::AnalysisEnded { analysis, .. } => {
                Some(analysis.clone())
            }
            Record::PlanBegan { plan } => Some(plan.analysis.clone()),
            Record::StepBegun(command) => of_plan(&command.plan),
            Record::StepEnded(outcome) => of_plan(&outcome.plan),
            Record::PlanEnded { plan, .. } => of_plan(plan),
            Record::VerificationBegan { verification } => Some(verification.analysis.clone()),
            Record::HoldBegan { target, .. } | Record::VerificationEnded { target, .. } => {
                self.runs.get(target).cloned()
            }
            Record::Noticed(notice) => notice.correlation.clone(),
            _ => None,
        }
    }

    fn record(&mut self, at: Timestamp, (from, to): (SystemTime, SystemTime), record: &Record) {
        let run = self.correlation(record);
        let decision = |target: &TargetId, more: Vec<KeyValue>, fault: Option<String>| {
            let mut attributes = vec![KeyValue::new("target.name", target.to_string())];
            attributes.extend(more);
            Named {
                name: "decision",
                from,
                to,
                attributes,
                fault,
            }
        };
        match record {
            Record::AnalysisBegan { analysis } => {
                keep(&mut self.begun, analysis.id.clone(), at);
                keep(&mut self.runs, analysis.target.clone(), analysis.id.clone());
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
                self.emit(run.as_ref(), decision(target, more, None));
            }
            Record::PlanBegan { plan } => {
                let target = plan.fence.target.clone();
                let more = vec![
                    KeyValue::new("decision", "act"),
                    KeyValue::new("plan.id", plan.id.0.clone()),
                    KeyValue::new("plan.steps", count(plan.steps.len())),
                ];
                self.emit(run.as_ref(), decision(&target, more, None));
                let of = (plan.analysis.clone(), target);
                keep(&mut self.plans, plan.id.clone(), of);
            }
            Record::HoldBegan { target, hold } => {
                let more = vec![
                    KeyValue::new("decision", "hold"),
                    KeyValue::new("guard", hold.guard.to_string()),
                ];
                self.emit(run.as_ref(), decision(target, more, None));
            }
            Record::VerificationEnded { target, end, .. } => {
                let (result, fault) = match end {
                    VerificationEnd::Gone => ("gone", None),
                    VerificationEnd::Remains { reason } => ("remains", Some(reason.clone())),
                    VerificationEnd::Unknown { reason } => ("unknown", Some(reason.clone())),
                };
                let more = vec![KeyValue::new("symptom", result)];
                self.emit(run.as_ref(), decision(target, more, fault));
            }
            Record::StepBegun(command) => {
                let what = (at, format!("{:?}", command.step));
                keep(&mut self.steps, (command.plan.clone(), command.index), what);
            }
            Record::StepEnded(outcome) => {
                let key = (outcome.plan.clone(), outcome.index);
                let (begun, step) = self
                    .steps
                    .remove(&key)
                    .unwrap_or_else(|| (at, String::new()));
                let target = self
                    .plans
                    .get(&outcome.plan)
                    .map_or_else(String::new, |(_, target)| target.to_string());
                let (result, fault) = match &outcome.result {
                    StepResult::Done => ("done", None),
                    StepResult::AlreadyDone => ("already done", None),
                    StepResult::Fenced { reason } => ("fenced", Some(reason)),
                    StepResult::Refused { reason } => ("refused", Some(reason)),
                    StepResult::Failed { reason } => ("failed", Some(reason)),
                };
                self.emit(
                    run.as_ref(),
                    Named {
                        name: "step",
                        from: time(begun),
                        to,
                        attributes: vec![
                            KeyValue::new("target.name", target),
                            KeyValue::new("plan.id", outcome.plan.0.clone()),
                            KeyValue::new("step.index", count(outcome.index)),
                            KeyValue::new("step", step),
                            KeyValue::new("step.result", result),
                        ],
                        fault: fault.cloned(),
                    },
                );
            }
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
                self.emit(run.as_ref(), decision(target, more, fault));
                self.plans.remove(plan);
            }
            Record::AnalysisEnded {
                target,
                analysis,
                revision,
                ending,
                ..
            } => {
                let begun = self.begun.remove(analysis).unwrap_or(at);
                let ending = match ending {
                    Ending::Pass => "pass",
                    Ending::Fail => "fail",
                    Ending::Inconclusive { .. } => "inconclusive",
                    Ending::Superseded { .. } => "superseded",
                };
                let whole = Named {
                    name: "analysis",
                    from: time(begun),
                    to,
                    attributes: vec![
                        KeyValue::new("run.id", analysis.0.clone()),
                        KeyValue::new("target.name", target.to_string()),
                        KeyValue::new("revision", revision.0.clone()),
                        KeyValue::new("verdict", ending),
                    ],
                    fault: None,
                };
                let ids = self.ids.clone();
                ids.with(of_incident(&analysis.0), || self.emit(None, whole));
            }
            Record::Noticed(notice) => {
                let what = (at, notice.correlation.clone(), notice.headline.clone());
                if !notice.channels.is_empty() {
                    keep(&mut self.notices, notice.id.clone(), what);
                }
            }
            Record::NoticeEnded(delivery) => {
                // A notice has several channels, and each its own end.
                let (begun, run, headline) = self
                    .notices
                    .get(&delivery.notice)
                    .cloned()
                    .unwrap_or_else(|| (at, None, String::new()));
                let fault = match &delivery.outcome {
                    DeliveryOutcome::Delivered => None,
                    DeliveryOutcome::GivenUp { reason } => Some(reason.clone()),
                };
                self.emit(
                    run.as_ref(),
                    Named {
                        name: "notice",
                        from: time(begun),
                        to,
                        attributes: vec![
                            KeyValue::new("notice.id", delivery.notice.0.clone()),
                            KeyValue::new("notice.headline", headline),
                            KeyValue::new("channel.name", delivery.channel.0.clone()),
                        ],
                        fault,
                    },
                );
            }
            _ => {}
        }
    }

    /// Hands a finished span over; never waits.
    fn emit(&self, run: Option<&AnalysisId>, named: Named) {
        let Named {
            name,
            from,
            to,
            mut attributes,
            fault,
        } = named;
        let parent = match run {
            Some(run) => {
                attributes.push(KeyValue::new("run.id", run.0.clone()));
                let (trace, span) = of_incident(&run.0);
                let context =
                    SpanContext::new(trace, span, TraceFlags::SAMPLED, true, TraceState::NONE);
                Context::new().with_remote_span_context(context)
            }
            None => Context::new(),
        };
        let builder = SpanBuilder::from_name(name)
            .with_start_time(from)
            .with_attributes(attributes);
        let mut span = self.tracer.build_with_context(builder, &parent);
        if let Some(fault) = fault {
            span.set_status(Status::error(fault));
        }
        span.end_with_timestamp(to);
    }
}

/// Remembers, and forgets the oldest by name when that are too many.
fn keep<K: Ord, V>(map: &mut BTreeMap<K, V>, key: K, value: V) {
    if map.len() >= MOST {
        map.pop_first();
    }
    map.insert(key, value);
}

fn time(at: Timestamp) -> SystemTime {
    SystemTime::from(at)
}

fn count(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
