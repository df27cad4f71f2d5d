//! Recordings in the place of sources: what the controller's semantics make of measurements, of answers of servers and
//! of results that were written down before.
//!
//! The form is that of `tests/reference/argo-oracle.json`, whose cases hold what goes in beside what came out: what
//! came out there is not looked at here. The server of a recording is called `http://STUB`.

mod assess;
mod exchange;
mod expression;
mod kayenta;
mod provider;
mod read;
mod script;
mod steps;

use jiff::{SignedDuration, Timestamp};
use thiserror::Error;

use super::Phase;
use super::argument::Secrets;
use super::json::Json;
use super::run::{Answer, Measurement, Run};

pub use self::expression::{answer as expression, outcome, with_floats};
pub use self::script::Script;

use self::read::after_start;

/// Looks at one run: a metric without an end, or one that only waits, is stopped there.
pub const MOST_STEPS: usize = 10_000;

/// What is wrong with a recording.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum RecordingError {
    #[error("`{field}` has to be {needed}, and is {found}")]
    Wrong {
        field: String,
        needed: &'static str,
        found: &'static str,
    },
    #[error("`{0}` is missing")]
    Missing(String),
    #[error("`{field}`: {text:?} is no phase")]
    Phase { field: String, text: String },
    #[error("the metric `{0}` is measured, and the script holds nothing for it")]
    NoScript(String),
    #[error("{0}")]
    Metric(super::metric::WrongType),
    #[error("the shape `{shape}` does not go with {found}")]
    Shape { shape: String, found: &'static str },
    #[error("`{0}` is no time that can be counted")]
    Time(String),
    #[error(
        "it is no recording that can be replayed: it has none of `script`, `metric`, `ttlStrategy`, `web`, `prometheus`, `poll`, `responses`, `successCondition` and `failureCondition`"
    )]
    Unknown,
}

/// Answers one recording in the form of the recordings; `now` is the time at which providers are asked.
///
/// # Errors
/// What is no recording, with the field that is wrong.
pub fn answer(case: &Json, now: Timestamp) -> Result<Json, RecordingError> {
    let has = |name: &str| case.get(name).is_some();
    if has("script") {
        steps::answer(case)
    } else if has("metric") && has("n") {
        assess::metric(case)
    } else if has("runPhase") {
        assess::expired(case)
    } else if has("web") {
        provider::web(case, now)
    } else if has("prometheus") {
        provider::prometheus(case, now)
    } else if has("poll") || has("responses") {
        kayenta::answer(case, now)
    } else if has("successCondition") || has("failureCondition") || has("result") {
        expression(case, now)
    } else {
        Err(RecordingError::Unknown)
    }
}

/// One look of the controller at a run.
#[derive(Debug, Clone, PartialEq)]
struct Look {
    /// What was asked, sorted.
    calls: Vec<String>,
    /// The clock after the measurements.
    end: Timestamp,
    next: Option<Timestamp>,
}

/// Looks at a run once, with measurements from a script.
fn look(
    run: &mut Run,
    script: &mut Script,
    secrets: &Secrets,
    clock: Timestamp,
    told: &mut dyn FnMut(&str, &Measurement),
) -> Result<Look, RecordingError> {
    let mut seen = Look {
        calls: Vec::new(),
        end: clock,
        next: None,
    };
    if let Some(round) = run.begin(secrets, clock) {
        let mut answers = Vec::new();
        for task in &round.tasks {
            let (answer, ended) = script.answer(task, clock, &mut seen.calls)?;
            if let Answer::Measured(measurement) = &answer {
                told(&task.metric.name, measurement);
            }
            seen.end = seen.end.max(ended);
            answers.push(answer);
        }
        seen.next = run.finish(&round, answers, seen.end);
    }
    seen.calls.sort();
    Ok(seen)
}

/// Drives a run to its end on a clock of its own, which jumps to what is due next. A run of which nothing but metrics
/// without end is left is asked to terminate when the script is used up, and any run `terminate_after` its start.
///
/// # Errors
/// A metric that the script does not know.
pub fn drive(
    run: &mut Run,
    script: &mut Script,
    secrets: &Secrets,
    terminate_after: Option<SignedDuration>,
    told: &mut dyn FnMut(&str, &Measurement),
) -> Result<(), RecordingError> {
    through(
        run,
        script,
        secrets,
        terminate_after,
        told,
        &mut |_, _, _, _| {},
    )
}

/// As [`drive`]; `looked` hears of each look: the run, the clock, whether it was complete before, and what was seen.
fn through(
    run: &mut Run,
    script: &mut Script,
    secrets: &Secrets,
    terminate_after: Option<SignedDuration>,
    told: &mut dyn FnMut(&str, &Measurement),
    looked: &mut dyn FnMut(&Run, Timestamp, bool, &Look),
) -> Result<(), RecordingError> {
    let mut clock = after_start(0.0)?;
    let deadline = terminate_after.and_then(|after| clock.checked_add(after).ok());
    for count in 1.. {
        let late = deadline.is_some_and(|deadline| clock >= deadline);
        run.spec.terminate |= late || count > MOST_STEPS || script.is_used_up(&run.status);
        let seen = look(run, script, secrets, clock, told)?;
        looked(run, clock, false, &seen);
        run.status = run.status.as_stored();
        // A measurement that cannot be stopped leaves its run Running for ever, in the controller too.
        let stuck = run.spec.terminate && seen.calls.is_empty() && seen.next.is_none();
        if run.status.phase.is_some_and(Phase::is_complete) || stuck || count > MOST_STEPS + 1 {
            break;
        }
        match [seen.next, deadline.filter(|_| !late)]
            .into_iter()
            .flatten()
            .min()
        {
            // Due means strictly after.
            Some(next) => {
                let next = next.max(seen.end);
                clock = next
                    .saturating_add(SignedDuration::from_millis(1))
                    .unwrap_or(next);
            }
            // Nothing will ever be due: only a person can end it.
            None => run.spec.terminate = true,
        }
    }
    Ok(())
}
