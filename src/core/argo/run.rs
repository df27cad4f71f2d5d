//! A run of an analysis as a state machine: which measurements are due, what their answers make of the metrics and of
//! the run, and when to look again.
//!
//! One [`Run::begin`] and one [`Run::finish`] are one reconcile of the controller. Between two of them the status goes
//! through the API server there, which keeps whole seconds: [`Status::as_stored`] does the same.

mod assess;
mod schedule;
mod status;

use jiff::Timestamp;

use super::Phase;
use super::argument::{Argument, Secrets, Unresolved};
use super::json::Json;
use super::metric::{Metric, WrongType};
use super::validate::{Invalid, matching, validate};

pub use self::assess::{Counters, Limit, assess, limit};
pub use self::status::{Measurement, MetricResult, Status, Summary};

/// Measurements that are kept of a metric, if no rule says otherwise.
pub const KEPT_MEASUREMENTS: usize = 10;

/// How many measurements are kept of the metrics whose names match.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retention {
    pub metric_name: String,
    /// 0 and less is the default.
    pub limit: i64,
}

/// How long a completed run is kept, in seconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TtlStrategy {
    pub after_completion: Option<i32>,
    pub after_failure: Option<i32>,
    pub after_success: Option<i32>,
}

/// What is asked of a run.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RunSpec {
    /// As written, with placeholders.
    pub metrics: Vec<Json>,
    pub args: Vec<Argument>,
    /// Names, as unanchored regular expressions, of metrics whose failures do not count.
    pub dry_run: Vec<String>,
    pub measurement_retention: Vec<Retention>,
    pub terminate: bool,
    pub ttl_strategy: Option<TtlStrategy>,
}

/// What to ask of the provider of a metric.
#[derive(Debug, Clone, PartialEq)]
pub struct Task {
    /// With its arguments, secrets included: do not log it.
    pub metric: Metric,
    pub what: What,
}

/// The three things that can be asked of a provider.
#[derive(Debug, Clone, PartialEq)]
pub enum What {
    Run,
    Resume(Measurement),
    Terminate(Measurement),
}

/// What a provider answered.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    Measured(Measurement),
    /// It could not even be made.
    NoProvider(String),
}

/// A run and its status.
#[derive(Debug, Clone, PartialEq)]
pub struct Run {
    pub spec: RunSpec,
    pub status: Status,
}

/// Why a run cannot be measured: it is an Error, without a time of completion.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Unfit {
    Arguments(Unresolved),
    Type(WrongType),
    Spec(Invalid),
}

impl Unfit {
    fn message(&self) -> String {
        match self {
            Self::Arguments(why) => format!("Unable to resolve metric arguments: {why}"),
            Self::Type(why) => format!("Unable to resolve metric arguments: {why}"),
            Self::Spec(why) => format!("Analysis spec invalid: {why}"),
        }
    }
}

/// What a reconcile is about to do.
#[derive(Debug, Clone, PartialEq)]
pub struct Round {
    pub tasks: Vec<Task>,
    metrics: Vec<Metric>,
    dry: Vec<String>,
    kept: Vec<(String, i64)>,
    secrets: Vec<String>,
}

impl Run {
    pub fn new(spec: RunSpec) -> Self {
        Self {
            spec,
            status: Status::default(),
        }
    }

    /// What is due now. `None`: the run is complete, or has just become an Error because it cannot be measured.
    pub fn begin(&mut self, secrets: &Secrets, now: Timestamp) -> Option<Round> {
        if self.status.phase.is_some_and(Phase::is_complete) {
            return None;
        }
        match self.prepare(secrets, now) {
            Ok(round) => Some(round),
            Err(unfit) => {
                self.status.phase = Some(Phase::Error);
                self.status.message = unfit.message();
                None
            }
        }
    }

    fn prepare(&self, secrets: &Secrets, now: Timestamp) -> Result<Round, Unfit> {
        let without_secrets: Vec<Argument> = self
            .spec
            .args
            .iter()
            .map(Argument::without_secret)
            .collect();
        let mut metrics = Vec::new();
        for metric in &self.spec.metrics {
            metrics.push(resolved(metric, &without_secrets)?);
        }
        validate(&metrics).map_err(Unfit::Spec)?;
        let names: Vec<&str> = metrics.iter().map(|metric| metric.name.as_str()).collect();
        let dry = matching(&self.spec.dry_run, "dryRun", String::as_str, &names)
            .map_err(Unfit::Spec)?
            .into_iter()
            .map(|(name, _)| name)
            .collect();
        let kept = matching(
            &self.spec.measurement_retention,
            "measurementRetention",
            |rule| rule.metric_name.as_str(),
            &names,
        )
        .map_err(Unfit::Spec)?
        .into_iter()
        .map(|(name, rule)| (name, rule.limit))
        .collect();

        let (args, hidden) = secrets.reveal(&self.spec.args).map_err(Unfit::Arguments)?;
        let terminating = self.is_terminating();
        let mut tasks = Vec::new();
        for (index, metric) in metrics.iter().enumerate() {
            let Some(what) = schedule::due(metric, &self.status, terminating, now) else {
                continue;
            };
            if let Some(written) = self.spec.metrics.get(index) {
                let metric = resolved(written, &args)?;
                tasks.push(Task { metric, what });
            }
        }
        Ok(Round {
            tasks,
            metrics,
            dry,
            kept,
            secrets: hidden,
        })
    }

    /// Whether nothing new is measured any more: asked for, or a metric that counts has gone wrong.
    pub fn is_terminating(&self) -> bool {
        self.spec.terminate
            || self.status.metric_results.iter().any(|result| {
                !result.dry_run
                    && matches!(
                        result.phase,
                        Phase::Failed | Phase::Error | Phase::Inconclusive
                    )
            })
    }

    /// Takes the answers, one for each task in its order; `now` is the time after the measurements. Answers when to
    /// look again: a time that has passed is now.
    pub fn finish(
        &mut self,
        round: &Round,
        answers: Vec<Answer>,
        now: Timestamp,
    ) -> Option<Timestamp> {
        for (task, answer) in round.tasks.iter().zip(answers) {
            self.take(round, task, answer, now);
        }
        let (phase, message) = self.assess_run(&round.metrics, &round.dry, now);
        if self.status.phase != Some(phase) {
            self.status.phase = Some(phase);
            self.status.message = message;
            if phase.is_complete() {
                self.status.completed_at.get_or_insert(now);
            }
        }
        for result in &mut self.status.metric_results {
            let rule = round.kept.iter().find(|(name, _)| *name == result.name);
            let most = rule
                .and_then(|(_, limit)| usize::try_from(*limit).ok())
                .filter(|limit| *limit > 0)
                .unwrap_or(KEPT_MEASUREMENTS);
            let surplus = result.measurements.len().saturating_sub(most);
            result.measurements.drain(..surplus);
        }
        schedule::next(&round.metrics, &self.status, now).map(|next| next.max(now))
    }

    fn take(&mut self, round: &Round, task: &Task, answer: Answer, now: Timestamp) {
        let before = match &task.what {
            What::Run => None,
            What::Resume(measurement) | What::Terminate(measurement) => Some(measurement),
        };
        let mut measurement = match answer {
            Answer::Measured(measurement) => measurement,
            Answer::NoProvider(message) => Measurement {
                phase: Phase::Error,
                message,
                ..before.cloned().unwrap_or_else(|| Measurement::started(now))
            },
        };
        let terminated = matches!(task.what, What::Terminate(_));
        if terminated && matches!(measurement.phase, Phase::Successful | Phase::Inconclusive) {
            "Metric Terminated".clone_into(&mut measurement.message);
        }
        if measurement.phase.is_complete() {
            measurement.finished_at.get_or_insert(now);
        }
        for secret in round.secrets.iter().filter(|secret| !secret.is_empty()) {
            measurement.message = measurement.message.replace(secret.as_str(), "*****");
        }
        let name = &task.metric.name;
        let index = self.status.index_of(name).unwrap_or_else(|| {
            self.status
                .metric_results
                .push(MetricResult::new(name, round.dry.contains(name)));
            self.status.metric_results.len() - 1
        });
        if let Some(result) = self.status.metric_results.get_mut(index) {
            result.counters.count(measurement.phase);
            match (before, result.measurements.last_mut()) {
                (Some(_), Some(last)) => *last = measurement,
                (Some(_) | None, _) => result.measurements.push(measurement),
            }
        }
    }

    /// Whether a completed run is older than its strategy keeps it.
    pub fn is_expired(&self, now: Timestamp) -> bool {
        let (Some(phase), Some(strategy), Some(completed)) = (
            self.status.phase.filter(|phase| phase.is_complete()),
            self.spec.ttl_strategy,
            self.status.completed_at,
        ) else {
            return false;
        };
        let special = match phase {
            Phase::Successful => strategy.after_success,
            Phase::Failed => strategy.after_failure,
            Phase::Pending | Phase::Running | Phase::Error | Phase::Inconclusive => None,
        };
        let seconds = now.duration_since(completed).as_secs();
        special
            .or(strategy.after_completion)
            .is_some_and(|most| seconds > i64::from(most))
    }
}

fn resolved(written: &Json, args: &[Argument]) -> Result<Metric, Unfit> {
    let json = super::argument::resolve_json(written, args).map_err(Unfit::Arguments)?;
    Metric::of(&json).map_err(Unfit::Type)
}
