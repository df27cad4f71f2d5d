//! A recorded run: a spec, a script of measurements, and the times at which the controller looks at it.

use super::super::Phase;
use super::super::argument::Secrets;
use super::super::json::Json;
use super::super::run::{MetricResult, Run, Summary};
use super::read::{after_start, flag, list, number, object, run_spec, seconds, word};
use super::{Look, RecordingError, Script, look, through};

use jiff::Timestamp;

/// Answers a recorded run, step by step; without `steps` at the times that the run itself asks for.
pub(super) fn answer(case: &Json) -> Result<Json, RecordingError> {
    let mut run = Run::new(run_spec(case)?);
    let mut script = Script::of(case.get("script").unwrap_or(&Json::Null))?;
    let secrets = Secrets::default();
    let steps = list(case, "steps")?;
    let mut answered = Vec::new();
    let mut started = None;
    if steps.is_empty() {
        let mut looked = |run: &Run, at: Timestamp, was: bool, seen: &Look| {
            started = started.or(run.status.started_at);
            answered.push(step(run, at, was, seen));
        };
        through(
            &mut run,
            &mut script,
            &secrets,
            None,
            &mut |_, _| {},
            &mut looked,
        )?;
    }
    for written in steps {
        let missing = || RecordingError::Missing("steps[].at".to_owned());
        let at = after_start(number(written, "at")?.ok_or_else(missing)?)?;
        let terminate = flag(written, "terminate")?;
        run.spec.terminate |= terminate;
        let was_complete = run.status.phase.is_some_and(Phase::is_complete);
        let seen = look(&mut run, &mut script, &secrets, at, &mut |_, _| {})?;
        let mut told = step(&run, at, was_complete, &seen);
        if let (true, Json::Object(fields)) = (terminate, &mut told) {
            fields.insert("terminate".to_owned(), Json::Bool(true));
        }
        answered.push(told);
        started = started.or(run.status.started_at);
        run.status = run.status.as_stored();
    }
    let mut fields = vec![("steps", Json::Array(answered))];
    fields.extend(started.map(|started| ("startedAt", time(started))));
    Ok(object(fields))
}

fn step(run: &Run, at: Timestamp, was_complete: bool, seen: &Look) -> Json {
    let status = &run.status;
    let results = status.metric_results.iter();
    let metrics = results.map(|it| (it.name.clone(), metric(it))).collect();
    let mut fields = vec![
        ("at", time(at)),
        ("metrics", Json::Object(metrics)),
        ("phase", word(status.phase.map_or("", Phase::name))),
    ];
    if !status.message.is_empty() {
        let class = word(class(&status.message));
        let message = vec![("class", class), ("text", word(&status.message))];
        fields.push(("message", object(message)));
    }
    if !seen.calls.is_empty() {
        let calls = seen.calls.iter().map(|call| word(call)).collect();
        fields.push(("calls", Json::Array(calls)));
    }
    if seen.end > at {
        fields.push(("end", time(seen.end)));
    }
    if let Some(next) = seen.next {
        fields.push(("next", time(next)));
    }
    if status.phase.is_some_and(Phase::is_complete) && !was_complete {
        let completed = status.completed_at.map_or(Json::Null, time);
        fields.push(("completedAt", completed));
        fields.push(("runSummary", summary(&status.run_summary)));
        if let Some(dry) = status.dry_run_summary.filter(|dry| dry.count > 0) {
            fields.push(("dryRunSummary", summary(&dry)));
        }
    }
    object(fields)
}

fn metric(result: &MetricResult) -> Json {
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
    let mut fields = vec![
        ("phase", word(result.phase.name())),
        ("n", Json::Array(counters.map(whole).to_vec())),
    ];
    if !result.message.is_empty() {
        fields.push(("message", word(&result.message)));
    }
    if result.dry_run {
        fields.push(("dryRun", Json::Bool(true)));
    }
    let kept = i64::try_from(result.measurements.len()).unwrap_or(i64::MAX);
    if kept != n.count + n.error {
        fields.push(("kept", whole(kept)));
    }
    if let Some(open) = result
        .measurements
        .last()
        .filter(|last| !last.phase.is_complete())
    {
        let mut told = vec![("phase", word(open.phase.name()))];
        if let Some(resume) = open.resume_at {
            told.push(("resumeAt", time(resume)));
        }
        fields.push(("open", object(told)));
    }
    object(fields)
}

/// The kind of a run's message, which is always one of the controller's own sentences.
fn class(message: &str) -> &'static str {
    if message.starts_with("Analysis spec invalid") {
        return "invalid-spec";
    }
    if message.starts_with("Unable to resolve metric arguments") {
        return "unresolved-argument";
    }
    for (words, class) in [
        ("assessed Failed due to", "failed-over-limit"),
        ("assessed Inconclusive due to", "inconclusive-over-limit"),
        ("assessed Error due to", "errors-over-limit"),
    ] {
        if message.contains(words) {
            return class;
        }
    }
    if message.starts_with("Run Terminated") {
        "terminated"
    } else {
        "other"
    }
}

fn summary(summary: &Summary) -> Json {
    let numbers = [
        summary.count,
        summary.successful,
        summary.failed,
        summary.inconclusive,
        summary.error,
    ];
    Json::Array(numbers.map(|value| whole(i64::from(value))).to_vec())
}

fn whole(value: i64) -> Json {
    Json::Number(value as f64)
}

/// Seconds after the start of the clock, to the millisecond.
fn time(time: Timestamp) -> Json {
    Json::Number((seconds(time) * 1000.0).round() / 1000.0)
}
