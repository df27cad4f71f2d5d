//! Recorded assessments: the phase that counters give a metric, and whether a completed run is past its time.

use super::super::Phase;
use super::super::expression::truncate;
use super::super::json::Json;
use super::super::metric::Metric;
use super::super::run::{Counters, Run, RunSpec, TtlStrategy, assess, limit};
use super::RecordingError;
use super::read::{after_start, flag, list, number, object, text, word};

fn phase(case: &Json, field: &str) -> Result<Option<Phase>, RecordingError> {
    let name = text(case, field)?;
    if name.is_empty() {
        return Ok(None);
    }
    let field = field.to_owned();
    match Phase::of(&name) {
        Some(phase) => Ok(Some(phase)),
        None => Err(RecordingError::Phase { field, text: name }),
    }
}

/// The phase of a metric in any state.
pub(super) fn metric(case: &Json) -> Result<Json, RecordingError> {
    let written = case.get("metric").unwrap_or(&Json::Null);
    let metric = Metric::of(written).map_err(RecordingError::Metric)?;
    let mut n = [0; 7];
    for (counter, written) in n.iter_mut().zip(list(case, "n")?) {
        if let Json::Number(value) = written {
            *counter = truncate(*value);
        }
    }
    let [
        count,
        successful,
        failed,
        inconclusive,
        error,
        consecutive_error,
        consecutive_success,
    ] = n;
    let counters = Counters {
        count,
        successful,
        failed,
        inconclusive,
        error,
        consecutive_error,
        consecutive_success,
    };
    let was = phase(case, "was")?.unwrap_or(Phase::Running);
    let last = phase(case, "last")?;
    let is = assess(&metric, was, &counters, last, flag(case, "terminating")?);
    let mut fields = vec![("phase", word(is.name()))];
    if let Some(limit) = limit(&metric, &counters) {
        let exceeded = vec![
            ("phase", word(limit.phase.name())),
            ("text", word(&limit.text)),
        ];
        fields.push(("limit", object(exceeded)));
    }
    Ok(object(fields))
}

/// Whether a completed run is past its time.
pub(super) fn expired(case: &Json) -> Result<Json, RecordingError> {
    let strategy = case.get("ttlStrategy").filter(|it| **it != Json::Null);
    let ttl_strategy = match strategy {
        None => None,
        Some(written) => {
            let seconds = |field: &str| -> Result<Option<i32>, RecordingError> {
                Ok(number(written, field)?.and_then(|value| i32::try_from(truncate(value)).ok()))
            };
            Some(TtlStrategy {
                after_completion: seconds("secondsAfterCompletion")?,
                after_failure: seconds("secondsAfterFailure")?,
                after_success: seconds("secondsAfterSuccess")?,
            })
        }
    };
    let mut run = Run::new(RunSpec {
        ttl_strategy,
        ..RunSpec::default()
    });
    run.status.phase = phase(case, "runPhase")?;
    let now = after_start(0.0)?;
    if let Some(ago) = number(case, "completedAgo")? {
        run.status.completed_at = Some(after_start(-ago)?);
    }
    Ok(object(vec![("expired", Json::Bool(run.is_expired(now)))]))
}
