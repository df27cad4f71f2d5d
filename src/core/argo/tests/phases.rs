//! All recorded runs: what is asked of providers, phases, counters, messages, times.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::oracle::{argument_list, differ, json, report, retention, set};
use crate::argo::Phase;
use crate::argo::argument::Secrets;
use crate::argo::json::Json;
use crate::argo::run::{Answer, Measurement, Run, RunSpec, Status, Task, What};

/// A time of the recordings: seconds after the start of 2026.
fn at(seconds: f64) -> Timestamp {
    let start: Timestamp = "2026-01-01T00:00:00Z".parse().expect("a time");
    start + SignedDuration::from_secs_f64(seconds)
}

fn seconds(time: Timestamp) -> f64 {
    time.duration_since(at(0.0)).as_secs_f64()
}

/// Answers as the script of a case says.
struct Provider<'c> {
    script: &'c Value,
    taken: BTreeMap<String, usize>,
    asked: BTreeMap<String, usize>,
    calls: Vec<String>,
}

impl Provider<'_> {
    /// Entry `index` of a list, or its last one.
    fn entry(list: &Value, index: usize) -> Option<&Value> {
        let list = list.as_array()?;
        list.get(index).or_else(|| list.last())
    }

    fn answer(&mut self, task: &Task, clock: Timestamp) -> (Answer, Timestamp) {
        let name = task.metric.name.clone();
        let index = self.taken.get(&name).copied().unwrap_or_default();
        let script = &self.script[name.as_str()];
        let (entry, what) = match &task.what {
            What::Run => (Self::entry(script, index), "run"),
            What::Resume(_) => (Self::entry(script, index - 1), "resume"),
            What::Terminate(_) => (Self::entry(script, index - 1), "terminate"),
        };
        let entry = entry.expect("the script has an answer").clone();
        if what == "run" {
            self.taken.insert(name.clone(), index + 1);
            self.asked.insert(name.clone(), 0);
        }
        if let Some(error) = entry["providerError"].as_str() {
            self.calls.push(format!("no-provider:{name}"));
            return (Answer::NoProvider(error.to_owned()), clock);
        }
        self.calls.push(format!("{what}:{name}"));
        let mut measurement = match &task.what {
            What::Run => Measurement::started(clock),
            What::Resume(open) | What::Terminate(open) => open.clone(),
        };
        let spoken = match what {
            "run" => entry,
            "resume" => {
                let asked = self.asked.entry(name).or_default();
                let answer = Self::entry(&entry["resume"], *asked).cloned();
                *asked += 1;
                answer.expect("the script has an answer to this")
            }
            _ => match entry.get("terminate") {
                Some(terminate) => terminate.clone(),
                // It comes back unchanged.
                None => return (Answer::Measured(measurement), clock),
            },
        };
        let end = clock + SignedDuration::from_secs_f64(spoken["latency"].as_f64().unwrap_or(0.0));
        measurement.phase = Phase::of(spoken["phase"].as_str().expect("a phase")).expect("a phase");
        spoken["message"]
            .as_str()
            .unwrap_or_default()
            .clone_into(&mut measurement.message);
        measurement.resume_at = None;
        if measurement.phase.is_complete() {
            measurement.finished_at = Some(end);
        } else if let Some(after) = spoken["resumeAfter"].as_f64() {
            measurement.resume_at = Some(end + SignedDuration::from_secs_f64(after));
        }
        (Answer::Measured(measurement), end)
    }
}

fn spec(case: &Value) -> RunSpec {
    let list = |field: &str| case[field].as_array().cloned().unwrap_or_default();
    let metrics = list("metrics")
        .iter()
        .map(|metric| {
            let Json::Object(mut fields) = json(metric) else {
                panic!("a metric is an object");
            };
            // Each has one web provider.
            let web =
                Json::Object([("url".to_owned(), Json::String("http://x".to_owned()))].into());
            let provider = Json::Object([("web".to_owned(), web)].into());
            fields.entry("provider".to_owned()).or_insert(provider);
            Json::Object(fields)
        })
        .collect();
    RunSpec {
        metrics,
        args: argument_list(&case["args"]),
        dry_run: list("dryRun")
            .iter()
            .map(|rule| rule.as_str().expect("a name").to_owned())
            .collect(),
        measurement_retention: retention(&case["measurementRetention"]),
        terminate: false,
        ttl_strategy: None,
    }
}

/// The status in the form of the recordings.
fn told(status: &Status) -> serde_json::Map<String, Value> {
    let mut metrics = serde_json::Map::new();
    for result in &status.metric_results {
        let n = &result.counters;
        let counters = [
            n.count,
            n.successful,
            n.failed,
            n.inconclusive,
            n.error,
            n.consecutive_error,
            n.consecutive_success,
        ];
        let mut metric = serde_json::json!({"phase": result.phase.name(), "n": counters});
        if !result.message.is_empty() {
            metric["message"] = result.message.clone().into();
        }
        if result.dry_run {
            metric["dryRun"] = true.into();
        }
        let kept = i64::try_from(result.measurements.len()).expect("a few");
        if kept != n.count + n.error {
            metric["kept"] = kept.into();
        }
        if let Some(open) = result
            .measurements
            .last()
            .filter(|last| !last.phase.is_complete())
        {
            metric["open"] = serde_json::json!({"phase": open.phase.name()});
            if let Some(resume) = open.resume_at {
                metric["open"]["resumeAt"] = seconds(resume).into();
            }
        }
        metrics.insert(result.name.clone(), metric);
    }
    let mut told = serde_json::Map::new();
    told.insert("metrics".to_owned(), metrics.into());
    told.insert(
        "phase".to_owned(),
        status.phase.map_or("", Phase::name).into(),
    );
    if !status.message.is_empty() {
        told.insert("message".to_owned(), status.message.clone().into());
    }
    told
}

fn check(case: &Value, wrong: &mut Vec<String>) -> usize {
    let id = case["id"].as_str().expect("an id");
    let mut run = Run::new(spec(case));
    let mut provider = Provider {
        script: &case["script"],
        taken: BTreeMap::new(),
        asked: BTreeMap::new(),
        calls: Vec::new(),
    };
    let steps = case["steps"].as_array().expect("steps");
    for (index, step) in steps.iter().enumerate() {
        let clock = at(step["at"].as_f64().expect("a time"));
        run.spec.terminate |= step["terminate"].as_bool().unwrap_or(false);
        provider.calls.clear();
        let mut end = clock;
        let mut next = None;
        let was_complete = run.status.phase.is_some_and(Phase::is_complete);
        if let Some(round) = run.begin(&Secrets::default(), clock) {
            let mut answers = Vec::new();
            for task in &round.tasks {
                let (answer, ended) = provider.answer(task, clock);
                end = end.max(ended);
                answers.push(answer);
            }
            next = run.finish(&round, answers, end);
        }
        let mut got = told(&run.status);
        provider.calls.sort();
        if !provider.calls.is_empty() {
            got.insert("calls".to_owned(), provider.calls.clone().into());
        }
        if end > clock {
            got.insert("end".to_owned(), seconds(end).into());
        }
        if let Some(next) = next {
            got.insert("next".to_owned(), seconds(next).into());
        }
        if run.status.phase.is_some_and(Phase::is_complete) && !was_complete {
            let time = run.status.completed_at.map(seconds);
            got.insert("completedAt".to_owned(), time.into());
            let summary = |s: &crate::argo::run::Summary| {
                serde_json::json!([s.count, s.successful, s.failed, s.inconclusive, s.error])
            };
            got.insert("runSummary".to_owned(), summary(&run.status.run_summary));
            if let Some(dry) = run.status.dry_run_summary.filter(|dry| dry.count > 0) {
                got.insert("dryRunSummary".to_owned(), summary(&dry));
            }
        }
        let mut recorded = step.as_object().expect("a step").clone();
        recorded.remove("at");
        recorded.remove("terminate");
        if let Some(message) = recorded.get("message") {
            let text = message["text"].clone();
            recorded.insert("message".to_owned(), text);
        }
        differ(
            &format!("{id} step {index}"),
            &got.into(),
            &recorded.into(),
            wrong,
        );
        if index == 0 {
            let started = run.status.started_at.map(seconds);
            differ(
                &format!("{id} startedAt"),
                &started.into(),
                case.get("startedAt").unwrap_or(&Value::Null),
                wrong,
            );
        }
        run.status = run.status.as_stored();
    }
    steps.len()
}

#[test]
fn every_recorded_run_goes_as_recorded() {
    let mut wrong = Vec::new();
    let cases = set("phases");
    let steps: usize = cases.iter().map(|case| check(case, &mut wrong)).sum();
    report("phases", cases.len(), &wrong);
    assert_eq!((cases.len(), steps), (475, 1909));
}
