use std::sync::{Arc, Mutex};

use opentelemetry::trace::{SpanId, TracerProvider as _};
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{SdkTracerProvider, SpanData, SpanExporter};
use serde_json::{Value, json};

use super::*;

/// Keeps what it is given.
#[derive(Debug, Clone, Default)]
struct Kept(Arc<Mutex<Vec<SpanData>>>);

impl SpanExporter for Kept {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        self.0.lock().expect("nobody panicked").extend(batch);
        Ok(())
    }
}

/// One process: its spans, and the fold of what it recorded.
struct Process {
    kept: Kept,
    // Its end would end the spans.
    _provider: SdkTracerProvider,
    spans: Spans,
    ledger: Ledger,
    second: i64,
}

impl Process {
    fn start(ratio: f64, ledger: Ledger) -> Self {
        let (kept, ids) = (Kept::default(), Ids::default());
        let provider = SdkTracerProvider::builder()
            .with_simple_exporter(kept.clone())
            .with_id_generator(ids.clone())
            .build();
        Self {
            spans: Spans::new(provider.tracer("recant"), ids, ratio).resuming(&ledger),
            kept,
            _provider: provider,
            ledger,
            second: 0,
        }
    }

    /// One tick a second, with these records as the journal has them.
    fn tick(&mut self, records: Vec<Value>) {
        self.second += 1;
        let begin: Timestamp = "2026-01-01T00:00:00Z".parse().expect("is a timestamp");
        let at = begin + jiff::SignedDuration::from_secs(self.second);
        let records: Vec<Record> = records
            .into_iter()
            .map(|record| serde_json::from_value(tagged(record)).expect("is a record"))
            .collect();
        for record in &records {
            self.ledger.apply(at, record);
        }
        self.spans.ticked(at, Duration::from_millis(2), &records);
    }

    fn spans(&self) -> Vec<SpanData> {
        self.kept.0.lock().expect("nobody panicked").clone()
    }
}

/// `{"kind": {fields}}` as the journal has it: the kind is a field, too.
fn tagged(record: Value) -> Value {
    let Value::Object(outer) = record else {
        panic!("{record} is no object");
    };
    let (kind, mut fields) = outer.into_iter().next().expect("it has a kind");
    fields["record"] = json!(kind);
    fields
}

fn target() -> Value {
    json!({"namespace": "shop", "kind": "Deployment", "name": "worker"})
}

fn text(span: &SpanData, key: &str) -> String {
    span.attributes
        .iter()
        .find(|attribute| attribute.key.as_str() == key)
        .map(|attribute| attribute.value.as_str().into_owned())
        .unwrap_or_default()
}

fn began() -> Value {
    let incident = json!({
        "id": "worker-queue-1", "watch": {"namespace": "shop", "name": "worker"}, "target": target(),
        "rule": "queue/depth", "scale": null,
    });
    let finding = json!({
        "rule": "queue/depth", "state": "failing", "baseline": null, "since": null, "sentence": "it is 120",
        "canary": {"events": 3.0, "bad": 3.0, "value": 120.0},
    });
    json!({"incidentBegan": {"incident": incident, "finding": finding}})
}

fn change() -> Value {
    json!({
        "target": target(), "uid": "u", "object": {"object": "workload"}, "from": 2, "to": 5,
    })
}

fn scaled() -> Vec<Value> {
    let plan = json!({
        "id": "worker-queue-1-scale", "incident": "worker-queue-1", "target": target(), "rule": "queue/depth",
        "change": change(), "undo": false, "undoAfter": null, "notes": [],
    });
    let notice = json!({
        "id": "worker-queue-1-n1", "at": "2026-01-01T00:00:01Z", "kind": "scaled", "severity": "warning",
        "watch": null, "target": target(), "correlation": "worker-queue-1", "headline": "Scaled worker",
        "sentences": [], "facts": [], "links": [], "channels": ["team"],
    });
    let mut step = change();
    step["plan"] = json!("worker-queue-1-scale");
    step["index"] = json!(0);
    step["deadline"] = json!("2026-01-01T00:01:00Z");
    vec![
        json!({"scalingBegan": {"plan": plan}}),
        json!({"noticed": notice}),
        json!({"stepBegun": step}),
    ]
}

fn ended() -> Vec<Value> {
    vec![
        json!({"stepEnded": {"plan": "worker-queue-1-scale", "index": 0, "result": "done"}}),
        json!({"scalingEnded": {"target": target(), "rule": "queue/depth", "undo": false, "end": {"scaled": "done"}}}),
        json!({"noticeEnded": {"notice": "worker-queue-1-n1", "channel": "team", "outcome": {"outcome": "delivered"}}}),
        json!({"incidentEnded": {
            "target": target(), "rule": "queue/depth", "incident": "worker-queue-1",
            "end": {"ended": "recovered", "sentence": "it is 3"},
        }}),
    ]
}

/// All of the incident is one trace below one span, which is as long as the incident.
fn check(spans: &[SpanData]) {
    let of_incident: Vec<&SpanData> = spans.iter().filter(|span| span.name != "tick").collect();
    let names: Vec<&str> = of_incident.iter().map(|span| span.name.as_ref()).collect();
    assert_eq!(
        names,
        [
            "decision", "decision", "step", "decision", "notice", "incident"
        ]
    );
    let root = of_incident[5];
    assert_eq!(root.parent_span_id, SpanId::INVALID);
    for span in &of_incident {
        assert_eq!(text(span, "run.id"), "worker-queue-1", "{span:?}");
        assert_eq!(
            span.span_context.trace_id(),
            root.span_context.trace_id(),
            "{span:?}"
        );
        if span.name != "incident" {
            assert_eq!(span.parent_span_id, root.span_context.span_id(), "{span:?}");
        }
    }
    let step = of_incident[2];
    assert_eq!(
        text(step, "step"),
        "scale Deployment shop/worker from 2 to 5 replicas"
    );
    assert_eq!(text(step, "target.name"), "Deployment shop/worker");
    assert_eq!(text(of_incident[4], "notice.headline"), "Scaled worker");
    let lasted = root
        .end_time
        .duration_since(root.start_time)
        .expect("it ends later");
    assert_eq!(lasted.as_secs(), 2);
    for tick in spans.iter().filter(|span| span.name == "tick") {
        assert_eq!(text(tick, "run.id"), "worker-queue-1");
    }
}

#[test]
fn an_incident_and_its_scaling_are_one_trace() {
    let mut process = Process::start(0.0, Ledger::default());
    process.tick(vec![began()]);
    process.tick(scaled());
    process.tick(ended());
    check(&process.spans());
}

#[test]
fn a_trace_goes_on_after_a_restart() {
    let mut first = Process::start(0.0, Ledger::default());
    first.tick(vec![began()]);
    first.tick(scaled());
    let mut second = Process::start(0.0, first.ledger.clone());
    second.second = first.second;
    second.tick(ended());
    let mut spans = first.spans();
    spans.extend(second.spans());
    check(&spans);
}

#[test]
fn ticks_that_did_nothing_are_traced_as_the_ratio_says() {
    for (ratio, traced) in [(0.0, 0), (0.25, 25), (1.0, 100)] {
        let mut process = Process::start(ratio, Ledger::default());
        for _ in 0..100 {
            process.tick(Vec::new());
        }
        assert_eq!(process.spans().len(), traced, "{ratio}");
    }
}
