//! From records to spans: ticks, rounds of questions, and for each analysis and each incident its decisions, steps and
//! notices.

#[cfg(test)]
mod tests;
mod told;
mod under_way;

use std::collections::BTreeSet;
use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use opentelemetry::trace::{
    Span as _, SpanBuilder, SpanContext, Status, TraceContextExt as _, TraceFlags, TraceState,
    Tracer as _,
};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::trace::SdkTracer;
use recant_core::ids::AnalysisId;
use recant_core::ledger::Ledger;
use recant_core::record::Record;

use super::ids::{Ids, of_incident};

use under_way::UnderWay;

/// Makes spans.
#[derive(Debug)]
pub struct Spans {
    tracer: SdkTracer,
    ids: Ids,
    ratio: f64,
    /// What is left over of the ratio until it makes a whole one.
    share: f64,
    under_way: UnderWay,
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
            under_way: UnderWay::default(),
        }
    }

    /// Goes on with what the process before had begun.
    #[must_use]
    pub fn resuming(mut self, ledger: &Ledger) -> Self {
        self.under_way = UnderWay::of(ledger);
        self
    }

    /// A tick, and what its records say. One that did nothing is traced as the ratio says.
    pub fn ticked(&mut self, at: Timestamp, took: Duration, records: &[Record]) {
        let (from, to) = (time(at), time(at) + took);
        let did = records.iter().any(|record| {
            !matches!(
                record,
                Record::Checkpoint { .. } | Record::AlwaysCheckpoint { .. }
            )
        });
        if did || self.chosen() {
            let mut runs: BTreeSet<String> = BTreeSet::new();
            for record in records {
                runs.extend(self.under_way.run_of(record).map(|id| id.0));
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
            self.tell(at, (from, to), record);
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

fn time(at: Timestamp) -> SystemTime {
    SystemTime::from(at)
}

fn count(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
