//! A script of measurements: per metric those that are taken, in their order, the last one repeating.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use super::super::condition::{Conditions, Phase};
use super::super::expression::Outcome;
use super::super::json::{self, Json};
use super::super::metric::Metric;
use super::super::run::{Answer, Measurement, Status, Task, What};
use super::read::{later, list, number, span, text};
use super::{RecordingError, outcome, with_floats};

/// One answer of a provider.
#[derive(Debug, Clone, PartialEq)]
struct Said {
    what: Saying,
    latency: SignedDuration,
    message: String,
    resume_after: Option<SignedDuration>,
}

#[derive(Debug, Clone, PartialEq)]
enum Saying {
    Phase(Phase),
    /// What was measured, for the conditions to judge, and its text.
    Result(Outcome, String),
}

/// What is said of one measurement until it is finished.
#[derive(Debug, Clone, PartialEq)]
enum Entry {
    NoProvider(String),
    Taken(Box<Taken>),
}

#[derive(Debug, Clone, PartialEq)]
struct Taken {
    first: Said,
    resume: Vec<Said>,
    terminate: Option<Said>,
}

/// The measurements of a run, and how far they were used.
#[derive(Debug, Clone, PartialEq)]
pub struct Script {
    entries: BTreeMap<String, Vec<Entry>>,
    taken: BTreeMap<String, usize>,
    asked: BTreeMap<String, usize>,
    /// Metrics without a count that were measured.
    endless: BTreeSet<String>,
}

impl Script {
    /// Reads an object of lists, by names of metrics.
    ///
    /// # Errors
    /// What is no such script, with the place.
    pub fn of(script: &Json) -> Result<Self, RecordingError> {
        let Json::Object(metrics) = script else {
            return Err(RecordingError::Wrong {
                field: "script".to_owned(),
                needed: "an object of lists, by names of metrics",
                found: script.describe(),
            });
        };
        let mut entries = BTreeMap::new();
        for name in metrics.keys() {
            let written = list(script, name)?;
            let field = format!("script.{name}");
            let read: Result<Vec<Entry>, RecordingError> =
                written.iter().map(|one| entry(one, &field)).collect();
            entries.insert(name.clone(), read?);
        }
        Ok(Self {
            entries,
            taken: BTreeMap::new(),
            asked: BTreeMap::new(),
            endless: BTreeSet::new(),
        })
    }

    /// Whether all was told, and nothing is left to measure but metrics without end.
    pub(super) fn is_used_up(&self, status: &Status) -> bool {
        let told = |(name, entries): (&String, &Vec<Entry>)| {
            self.taken.get(name).copied().unwrap_or_default() >= entries.len()
                || status
                    .result(name)
                    .is_some_and(|result| result.phase.is_complete())
        };
        let mut open = status
            .metric_results
            .iter()
            .filter(|result| !result.phase.is_complete())
            .peekable();
        open.peek().is_some()
            && self.entries.iter().all(told)
            && open.all(|result| self.endless.contains(&result.name))
    }

    /// Answers for a provider; `calls` takes down what was asked.
    pub(super) fn answer(
        &mut self,
        task: &Task,
        clock: Timestamp,
        calls: &mut Vec<String>,
    ) -> Result<(Answer, Timestamp), RecordingError> {
        let name = &task.metric.name;
        let missing = || RecordingError::NoScript(name.clone());
        let entries = self.entries.get(name).ok_or_else(missing)?;
        let index = self.taken.get(name).copied().unwrap_or_default();
        let (index, what) = match &task.what {
            What::Run => (index, "run"),
            What::Resume(_) => (index.saturating_sub(1), "resume"),
            What::Terminate(_) => (index.saturating_sub(1), "terminate"),
        };
        let entry = nth(entries, index).ok_or_else(missing)?;
        if matches!(task.what, What::Run) {
            self.taken.insert(name.clone(), index + 1);
            self.asked.insert(name.clone(), 0);
            if task.metric.effective_count().is_none() {
                self.endless.insert(name.clone());
            }
        }
        let taken = match entry {
            Entry::NoProvider(error) => {
                calls.push(format!("no-provider:{name}"));
                return Ok((Answer::NoProvider(error.clone()), clock));
            }
            Entry::Taken(taken) => taken,
        };
        calls.push(format!("{what}:{name}"));
        let (open, said) = match &task.what {
            What::Run => (Measurement::started(clock), Some(&taken.first)),
            What::Resume(open) => {
                let asked = self.asked.entry(name.clone()).or_default();
                *asked += 1;
                (open.clone(), nth(&taken.resume, *asked - 1))
            }
            What::Terminate(open) => (open.clone(), taken.terminate.as_ref()),
        };
        // What nothing is said of comes back as it was.
        Ok(match said {
            None => (Answer::Measured(open), clock),
            Some(said) => {
                let end = later(clock, said.latency).unwrap_or(clock);
                let measurement = measured(open, said, &task.metric, end);
                (Answer::Measured(measurement), end)
            }
        })
    }
}

/// An element of a list, or its last one.
fn nth<T>(list: &[T], index: usize) -> Option<&T> {
    list.get(index).or_else(|| list.last())
}

fn measured(open: Measurement, said: &Said, metric: &Metric, end: Timestamp) -> Measurement {
    let mut measurement = open;
    measurement.message.clone_from(&said.message);
    measurement.phase = match &said.what {
        Saying::Phase(phase) => *phase,
        Saying::Result(outcome, value) => {
            let conditions = Conditions::new(&metric.success_condition, &metric.failure_condition);
            match conditions.phase(outcome, end) {
                Ok(phase) => {
                    measurement.value.clone_from(value);
                    phase
                }
                Err(error) => {
                    measurement.message = error.to_string();
                    Phase::Error
                }
            }
        }
    };
    measurement.resume_at = None;
    if measurement.phase.is_complete() {
        measurement.finished_at = Some(end);
    } else if let Some(after) = said.resume_after {
        measurement.resume_at = later(end, after);
    }
    measurement
}

fn entry(written: &Json, field: &str) -> Result<Entry, RecordingError> {
    if written.get("providerError").is_some() {
        return Ok(Entry::NoProvider(text(written, "providerError")?));
    }
    let resume: Result<Vec<Said>, RecordingError> = list(written, "resume")?
        .iter()
        .map(|one| said(one, field))
        .collect();
    Ok(Entry::Taken(Box::new(Taken {
        first: said(written, field)?,
        resume: resume?,
        terminate: match written.get("terminate") {
            None | Some(Json::Null) => None,
            Some(terminate) => Some(said(terminate, field)?),
        },
    })))
}

fn said(written: &Json, field: &str) -> Result<Said, RecordingError> {
    let what = match (written.get("result"), written.get("phase")) {
        (Some(result), None) => {
            let result = with_floats(result.clone());
            let value = match text(written, "value")? {
                empty if empty.is_empty() => json::compact(&result),
                value => value,
            };
            Saying::Result(outcome(&text(written, "shape")?, result)?, value)
        }
        (_, Some(_)) => {
            let name = text(written, "phase")?;
            let phase = Phase::of(&name).ok_or_else(|| RecordingError::Phase {
                field: field.to_owned(),
                text: name,
            })?;
            Saying::Phase(phase)
        }
        (None, None) => {
            let field = format!("{field}[].phase");
            return Err(RecordingError::Missing(field));
        }
    };
    let seconds = |name: &str| number(written, name)?.map(span).transpose();
    Ok(Said {
        what,
        latency: seconds("latency")?.unwrap_or_default(),
        message: text(written, "message")?,
        resume_after: seconds("resumeAfter")?,
    })
}
