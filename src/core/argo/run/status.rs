//! The status of a run, in the controller's own shape.

use std::collections::BTreeMap;

use jiff::{Timestamp, Unit};

use super::super::Phase;
use super::super::json::Json;
use super::assess::Counters;

/// One look at a metric.
#[derive(Debug, Clone, PartialEq)]
pub struct Measurement {
    pub phase: Phase,
    pub message: String,
    /// What was measured, as a text.
    pub value: String,
    pub metadata: BTreeMap<String, String>,
    pub started_at: Option<Timestamp>,
    pub finished_at: Option<Timestamp>,
    /// When to ask again for a measurement that is not finished.
    pub resume_at: Option<Timestamp>,
}

impl Measurement {
    /// One that has begun and knows nothing yet.
    pub fn started(at: Timestamp) -> Self {
        Self {
            phase: Phase::Running,
            message: String::new(),
            value: String::new(),
            metadata: BTreeMap::new(),
            started_at: Some(at),
            finished_at: None,
            resume_at: None,
        }
    }
}

/// What has become of a metric.
#[derive(Debug, Clone, PartialEq)]
pub struct MetricResult {
    pub name: String,
    pub phase: Phase,
    pub message: String,
    pub dry_run: bool,
    pub counters: Counters,
    pub measurements: Vec<Measurement>,
    pub metadata: BTreeMap<String, String>,
}

impl MetricResult {
    pub(super) fn new(name: &str, dry_run: bool) -> Self {
        Self {
            name: name.to_owned(),
            phase: Phase::Running,
            message: String::new(),
            dry_run,
            counters: Counters::default(),
            measurements: Vec::new(),
            metadata: BTreeMap::new(),
        }
    }
}

/// How many metrics there are, and how many of the completed ones are what.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Summary {
    pub count: u32,
    pub successful: u32,
    pub failed: u32,
    pub inconclusive: u32,
    pub error: u32,
}

/// The status of a run; without a phase nothing has been done yet.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Status {
    pub phase: Option<Phase>,
    pub message: String,
    pub started_at: Option<Timestamp>,
    pub completed_at: Option<Timestamp>,
    pub metric_results: Vec<MetricResult>,
    pub run_summary: Summary,
    pub dry_run_summary: Option<Summary>,
}

impl Status {
    pub(super) fn index_of(&self, name: &str) -> Option<usize> {
        self.metric_results
            .iter()
            .position(|result| result.name == name)
    }

    /// The result of a metric, once it was measured.
    pub fn result(&self, name: &str) -> Option<&MetricResult> {
        self.index_of(name)
            .and_then(|index| self.metric_results.get(index))
    }

    /// As the API server keeps it: times are whole seconds.
    pub fn as_stored(&self) -> Self {
        let mut stored = self.clone();
        let cut = |time: &mut Option<Timestamp>| {
            *time = time.map(|time| {
                let rounding = jiff::TimestampRound::new()
                    .smallest(Unit::Second)
                    .mode(jiff::RoundMode::Floor);
                time.round(rounding).unwrap_or(time)
            });
        };
        cut(&mut stored.started_at);
        cut(&mut stored.completed_at);
        for result in &mut stored.metric_results {
            for measurement in &mut result.measurements {
                cut(&mut measurement.started_at);
                cut(&mut measurement.finished_at);
                cut(&mut measurement.resume_at);
            }
        }
        stored
    }

    /// The `status` of an `AnalysisRun` document.
    pub fn to_json(&self) -> Json {
        let stored = self.as_stored();
        let mut fields = Fields::default();
        fields.text("phase", stored.phase.map_or("", Phase::name));
        fields.text("message", &stored.message);
        fields.time("startedAt", stored.started_at);
        fields.time("completedAt", stored.completed_at);
        let results = stored.metric_results.iter().map(of_result).collect();
        fields.list("metricResults", results);
        fields.set("runSummary", of_summary(&stored.run_summary));
        if let Some(summary) = &stored.dry_run_summary {
            fields.set("dryRunSummary", of_summary(summary));
        }
        fields.done()
    }
}

fn of_result(result: &MetricResult) -> Json {
    let mut fields = Fields::default();
    fields.text("name", &result.name);
    fields.text("phase", result.phase.name());
    fields.text("message", &result.message);
    if result.dry_run {
        fields.set("dryRun", Json::Bool(true));
    }
    let n = &result.counters;
    for (name, value) in [
        ("count", n.count),
        ("successful", n.successful),
        ("failed", n.failed),
        ("inconclusive", n.inconclusive),
        ("error", n.error),
        ("consecutiveError", n.consecutive_error),
        ("consecutiveSuccess", n.consecutive_success),
    ] {
        fields.number(name, value);
    }
    fields.texts("metadata", &result.metadata);
    let measurements = result.measurements.iter().map(of_measurement).collect();
    fields.list("measurements", measurements);
    fields.done()
}

fn of_measurement(measurement: &Measurement) -> Json {
    let mut fields = Fields::default();
    fields.text("phase", measurement.phase.name());
    fields.text("message", &measurement.message);
    fields.text("value", &measurement.value);
    fields.texts("metadata", &measurement.metadata);
    fields.time("startedAt", measurement.started_at);
    fields.time("finishedAt", measurement.finished_at);
    fields.time("resumeAt", measurement.resume_at);
    fields.done()
}

fn of_summary(summary: &Summary) -> Json {
    let mut fields = Fields::default();
    for (name, value) in [
        ("count", summary.count),
        ("successful", summary.successful),
        ("failed", summary.failed),
        ("inconclusive", summary.inconclusive),
        ("error", summary.error),
    ] {
        fields.number(name, i64::from(value));
    }
    fields.done()
}

/// Fields of an object; empty ones are left out, as Go's `omitempty` does.
#[derive(Default)]
struct Fields(BTreeMap<String, Json>);

impl Fields {
    fn set(&mut self, name: &str, value: Json) {
        self.0.insert(name.to_owned(), value);
    }

    fn text(&mut self, name: &str, value: &str) {
        if !value.is_empty() {
            self.set(name, Json::String(value.to_owned()));
        }
    }

    fn texts(&mut self, name: &str, values: &BTreeMap<String, String>) {
        if !values.is_empty() {
            let value =
                |(key, value): (&String, &String)| (key.clone(), Json::String(value.clone()));
            self.set(name, Json::Object(values.iter().map(value).collect()));
        }
    }

    fn number(&mut self, name: &str, value: i64) {
        if value != 0 {
            self.set(name, Json::Number(value as f64));
        }
    }

    fn time(&mut self, name: &str, value: Option<Timestamp>) {
        if let Some(time) = value {
            self.text(name, &time.to_string());
        }
    }

    fn list(&mut self, name: &str, values: Vec<Json>) {
        if !values.is_empty() {
            self.set(name, Json::Array(values));
        }
    }

    fn done(self) -> Json {
        Json::Object(self.0)
    }
}
