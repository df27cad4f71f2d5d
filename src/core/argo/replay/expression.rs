//! A recorded result: the phase that conditions give it, or where, at which stage and why they give none.

use jiff::Timestamp;

use super::super::condition::{ConditionError, Conditions, Phase};
use super::super::expression::Outcome;
use super::super::json::Json;
use super::RecordingError;
use super::read::{object, text, word};

/// Answers `result`, `shape`, `successCondition` and `failureCondition` with the phase, or the error.
///
/// # Errors
/// Fields of a wrong type; a shape that does not go with its result.
pub fn answer(case: &Json, now: Timestamp) -> Result<Json, RecordingError> {
    let result = with_floats(case.get("result").cloned().unwrap_or(Json::Null));
    let result = outcome(&text(case, "shape")?, result)?;
    let conditions = Conditions::new(
        &text(case, "successCondition")?,
        &text(case, "failureCondition")?,
    );
    Ok(match conditions.phase(&result, now) {
        Ok(phase) => object(vec![("phase", word(phase.name()))]),
        Err(error) => {
            let phase = word(Phase::Error.name());
            object(vec![("phase", phase), ("error", fault(&error))])
        }
    })
}

fn fault(error: &ConditionError) -> Json {
    let mut fields = vec![
        ("where", word(error.condition.field())),
        ("stage", word(error.cause.stage.name())),
        ("class", word(error.class().name())),
        ("text", word(&error.to_string())),
    ];
    if error.no_data {
        let cause = vec![
            ("class", word(error.cause.class.name())),
            ("text", word(&error.cause.to_string())),
        ];
        fields.push(("cause", object(cause)));
    }
    object(fields)
}

/// `{"$float": "NaN"}` stands for a number that JSON lacks.
pub fn with_floats(value: Json) -> Json {
    match value {
        Json::Array(items) => Json::Array(items.into_iter().map(with_floats).collect()),
        Json::Object(fields) => match fields.get("$float").and_then(Json::as_str) {
            Some("NaN") => Json::Number(f64::NAN),
            Some("+Inf") => Json::Number(f64::INFINITY),
            Some("-Inf") => Json::Number(f64::NEG_INFINITY),
            Some(_) | None => {
                let field = |(name, value)| (name, with_floats(value));
                Json::Object(fields.into_iter().map(field).collect())
            }
        },
        other => other,
    }
}

/// A result with its Go type; without a shape a list of numbers is a vector of Prometheus.
///
/// # Errors
/// A shape that does not go with the value.
pub fn outcome(shape: &str, value: Json) -> Result<Outcome, RecordingError> {
    let numbers = |items: &[Json]| -> Option<Vec<f64>> {
        items
            .iter()
            .map(|item| match item {
                Json::Number(value) => Some(*value),
                _ => None,
            })
            .collect()
    };
    let refused = |found: &'static str| RecordingError::Shape {
        shape: shape.to_owned(),
        found,
    };
    Ok(match (shape, value) {
        ("float64s", Json::Array(items)) => Outcome::Numbers(
            numbers(&items).ok_or_else(|| refused("a list that holds more than numbers"))?,
        ),
        ("", Json::Array(items)) => match numbers(&items) {
            Some(numbers) => Outcome::Numbers(numbers),
            None => Outcome::Json(Json::Array(items)),
        },
        ("float64", Json::Number(value)) => Outcome::Number(value),
        ("nil-pointer", Json::Null) => Outcome::Nothing,
        ("json" | "", value) => Outcome::Json(value),
        (_, value) => return Err(refused(value.describe())),
    })
}
