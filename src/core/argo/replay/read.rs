//! Fields of recordings, with what is wrong with them.

use jiff::{SignedDuration, Timestamp};

use super::super::argument::{Argument, ValueFrom};
use super::super::expression::truncate;
use super::super::json::Json;
use super::super::run::{Retention, RunSpec};
use super::RecordingError;

/// Where the clock of recordings starts.
const START: &str = "2026-01-01T00:00:00Z";

/// The time that is some seconds after the start of the clock.
pub(super) fn after_start(seconds: f64) -> Result<Timestamp, RecordingError> {
    let wrong = || RecordingError::Time(seconds.to_string());
    let start: Timestamp = START.parse().map_err(|_| wrong())?;
    later(start, span(seconds)?).ok_or_else(wrong)
}

/// Seconds after the start of the clock.
pub(super) fn seconds(time: Timestamp) -> f64 {
    START.parse().map_or(0.0, |start: Timestamp| {
        time.duration_since(start).as_secs_f64()
    })
}

/// A span of seconds.
pub(super) fn span(seconds: f64) -> Result<SignedDuration, RecordingError> {
    SignedDuration::try_from_secs_f64(seconds)
        .map_err(|_| RecordingError::Time(seconds.to_string()))
}

pub(super) fn later(time: Timestamp, span: SignedDuration) -> Option<Timestamp> {
    time.checked_add(span).ok()
}

fn wrong(field: &str, needed: &'static str, found: &Json) -> RecordingError {
    RecordingError::Wrong {
        field: field.to_owned(),
        needed,
        found: found.describe(),
    }
}

/// A text; nothing is an empty one.
pub(super) fn text(json: &Json, field: &str) -> Result<String, RecordingError> {
    match json.get(field) {
        None | Some(Json::Null) => Ok(String::new()),
        Some(Json::String(text)) => Ok(text.clone()),
        Some(other) => Err(wrong(field, "a text", other)),
    }
}

/// A number, if there is one.
pub(super) fn number(json: &Json, field: &str) -> Result<Option<f64>, RecordingError> {
    match json.get(field) {
        None | Some(Json::Null) => Ok(None),
        Some(Json::Number(value)) => Ok(Some(*value)),
        Some(other) => Err(wrong(field, "a number", other)),
    }
}

/// A boolean; nothing is false.
pub(super) fn flag(json: &Json, field: &str) -> Result<bool, RecordingError> {
    match json.get(field) {
        None | Some(Json::Null) => Ok(false),
        Some(Json::Bool(value)) => Ok(*value),
        Some(other) => Err(wrong(field, "true or false", other)),
    }
}

/// A list; nothing is an empty one.
pub(super) fn list<'j>(json: &'j Json, field: &str) -> Result<&'j [Json], RecordingError> {
    match json.get(field) {
        None | Some(Json::Null) => Ok(&[]),
        Some(Json::Array(items)) => Ok(items),
        Some(other) => Err(wrong(field, "a list", other)),
    }
}

/// An object of the given fields.
pub(super) fn object(fields: Vec<(&str, Json)>) -> Json {
    let field = |(name, value): (&str, Json)| (name.to_owned(), value);
    Json::Object(fields.into_iter().map(field).collect())
}

pub(super) fn word(text: &str) -> Json {
    Json::String(text.to_owned())
}

/// The spec of a run as recordings write it: a metric without provider has a `web` one.
///
/// # Errors
/// Fields of a wrong type.
pub(super) fn run_spec(case: &Json) -> Result<RunSpec, RecordingError> {
    let mut metrics = Vec::new();
    for metric in list(case, "metrics")? {
        let Json::Object(fields) = metric else {
            return Err(wrong("metrics", "a list of objects", metric));
        };
        let mut fields = fields.clone();
        let web = object(vec![("url", word("http://STUB"))]);
        fields
            .entry("provider".to_owned())
            .or_insert_with(|| object(vec![("web", web)]));
        metrics.push(Json::Object(fields));
    }
    let mut dry_run = Vec::new();
    for rule in list(case, "dryRun")? {
        dry_run.push(match rule {
            Json::String(name) => name.clone(),
            other => text(other, "metricName")?,
        });
    }
    let mut measurement_retention = Vec::new();
    for rule in list(case, "measurementRetention")? {
        measurement_retention.push(Retention {
            metric_name: text(rule, "metricName")?,
            limit: truncate(number(rule, "limit")?.unwrap_or(0.0)),
        });
    }
    Ok(RunSpec {
        metrics,
        args: arguments(case)?,
        dry_run,
        measurement_retention,
        terminate: false,
        ttl_strategy: None,
    })
}

fn arguments(case: &Json) -> Result<Vec<Argument>, RecordingError> {
    let mut args = Vec::new();
    for arg in list(case, "args")? {
        let from = arg.get("valueFrom");
        let part = |name: &str| from.and_then(|from| from.get(name));
        let value_from = match (part("secretKeyRef"), part("fieldRef"), from) {
            (Some(secret), _, _) => Some(ValueFrom::SecretKeyRef {
                name: text(secret, "name")?,
                key: text(secret, "key")?,
            }),
            (None, Some(field), _) => Some(ValueFrom::FieldRef {
                path: text(field, "fieldPath")?,
            }),
            (None, None, Some(_)) => Some(ValueFrom::Nothing),
            (None, None, None) => None,
        };
        args.push(Argument {
            name: text(arg, "name")?,
            value: arg.get("value").map(|_| text(arg, "value")).transpose()?,
            value_from,
        });
    }
    Ok(args)
}
