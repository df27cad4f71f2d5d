//! Executions: what became of each, in Kayenta's own document. The oldest that are over go when there is no room.

use std::sync::Arc;

use indexmap::IndexMap;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};

use super::new_id;

/// Executions that are kept.
const MOST: usize = 100;
/// Executions that are not over.
const MOST_RUNNING: usize = 16;

/// What an execution was started with.
#[derive(Debug, Clone)]
pub(super) struct Started {
    pub(super) application: String,
    pub(super) config_id: Option<String>,
    pub(super) config: Value,
    pub(super) request: Value,
    /// The length of its scopes, if they have one.
    pub(super) duration: Option<SignedDuration>,
    /// How many metrics it fetches.
    pub(super) metrics: usize,
    /// Account names and the parent's id, as they were given.
    pub(super) given: Map<String, Value>,
    pub(super) at: Timestamp,
}

/// How far it is.
#[derive(Debug, Clone)]
enum State {
    Running,
    Succeeded { at: Timestamp, judged: Value },
    Terminal { at: Timestamp, error: String },
}

#[derive(Debug, Clone)]
struct Execution {
    started: Arc<Started>,
    state: State,
}

/// All that are kept, oldest first.
#[derive(Debug, Default)]
pub(super) struct Executions {
    all: IndexMap<String, Execution>,
}

impl Executions {
    /// Begins one; its id. `None`: too many run.
    pub(super) fn begin(&mut self, started: Started) -> Option<String> {
        let runs = |execution: &Execution| matches!(execution.state, State::Running);
        if self
            .all
            .values()
            .filter(|execution| runs(execution))
            .count()
            >= MOST_RUNNING
        {
            return None;
        }
        while self.all.len() >= MOST {
            let over = self.all.values().position(|execution| !runs(execution))?;
            self.all.shift_remove_index(over);
        }
        let id = new_id();
        let execution = Execution {
            started: Arc::new(started),
            state: State::Running,
        };
        self.all.insert(id.clone(), execution);
        Some(id)
    }

    pub(super) fn end(&mut self, id: &str, at: Timestamp, outcome: Result<Value, String>) {
        if let Some(execution) = self.all.get_mut(id) {
            execution.state = match outcome {
                Ok(judged) => State::Succeeded { at, judged },
                Err(error) => State::Terminal { at, error },
            };
        }
    }

    pub(super) fn status(&self, id: &str) -> Option<Value> {
        self.all.get(id).map(|execution| status(id, execution))
    }

    /// Of these applications (all when there is none), the newest first.
    pub(super) fn of_applications(&self, applications: &[String], most: usize) -> Vec<Value> {
        let wanted = |execution: &Execution| {
            applications.is_empty() || applications.contains(&execution.started.application)
        };
        self.all
            .iter()
            .rev()
            .filter(|(_, execution)| wanted(execution))
            .take(most)
            .map(|(id, execution)| status(id, execution))
            .collect()
    }
}

fn status(id: &str, execution: &Execution) -> Value {
    let Execution { started, state } = execution;
    let (word, stages) = match state {
        State::Running => ("running", "running"),
        State::Succeeded { .. } => ("succeeded", "succeeded"),
        State::Terminal { .. } => ("terminal", "terminal"),
    };
    let mut stage_status = Map::new();
    stage_status.insert("setupContext".to_owned(), json!("succeeded"));
    for number in 0..started.metrics {
        stage_status.insert(format!("fetchControl{number}"), json!(stages));
        stage_status.insert(format!("fetchExperiment{number}"), json!(stages));
    }
    stage_status.insert("mixMetrics".to_owned(), json!(stages));
    stage_status.insert("judge".to_owned(), json!(stages));
    let mut document = started.given.clone();
    let mut set = |name: &str, value: Value| {
        document.insert(name.to_owned(), value);
    };
    set("application", json!(started.application));
    set("pipelineId", json!(id));
    set("stageStatus", Value::Object(stage_status));
    set("status", json!(word));
    set("complete", json!(!matches!(state, State::Running)));
    set("config", started.config.clone());
    set("canaryExecutionRequest", started.request.clone());
    if let Some(config) = &started.config_id {
        set("canaryConfigId", json!(config));
    }
    for moment in ["buildTime", "startTime"] {
        set(
            &format!("{moment}Millis"),
            json!(started.at.as_millisecond()),
        );
        set(&format!("{moment}Iso"), json!(started.at));
    }
    match state {
        State::Running => {}
        State::Succeeded { at, judged } => {
            let mut result = Map::new();
            result.insert("judgeResult".to_owned(), judged.clone());
            if let Some(duration) = started.duration {
                result.insert("canaryDuration".to_owned(), json!(iso(duration)));
            }
            set("result", Value::Object(result));
            set("endTimeMillis", json!(at.as_millisecond()));
            set("endTimeIso", json!(at));
        }
        State::Terminal { at, error } => {
            set(
                "exception",
                json!({"details": {"error": error, "errors": [error]}}),
            );
            set("endTimeMillis", json!(at.as_millisecond()));
            set("endTimeIso", json!(at));
        }
    }
    Value::Object(document)
}

/// As Java writes a duration: `PT1H30M`.
fn iso(duration: SignedDuration) -> String {
    let seconds = duration.as_secs();
    let parts = [
        (seconds / 3600, 'H'),
        (seconds / 60 % 60, 'M'),
        (seconds % 60, 'S'),
    ];
    let mut written = "PT".to_owned();
    for (count, unit) in parts {
        if count > 0 {
            written.push_str(&count.to_string());
            written.push(unit);
        }
    }
    if seconds <= 0 {
        written.push_str("0S");
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    fn started() -> Started {
        Started {
            application: "shop".to_owned(),
            config_id: None,
            config: json!({}),
            request: json!({}),
            duration: Some(SignedDuration::from_secs(5400)),
            metrics: 1,
            given: Map::new(),
            at: Timestamp::UNIX_EPOCH,
        }
    }

    #[test]
    fn executions_are_bounded_and_those_that_run_stay() {
        let mut executions = Executions::default();
        let first = executions.begin(started()).expect("there is room");
        let mut over = Vec::new();
        for _ in 0..MOST + 20 {
            let id = executions.begin(started()).expect("there is room");
            executions.end(&id, Timestamp::UNIX_EPOCH, Ok(json!({})));
            over.push(id);
        }
        assert_eq!(executions.all.len(), MOST);
        assert!(executions.status(&first).is_some());
        assert!(executions.status(&over[0]).is_none());
        for _ in 1..MOST_RUNNING {
            executions.begin(started()).expect("there is room");
        }
        assert_eq!(executions.begin(started()), None);
        let last = executions
            .status(&over[over.len() - 1])
            .expect("it is kept");
        assert_eq!(last["result"]["canaryDuration"], "PT1H30M");
    }
}
