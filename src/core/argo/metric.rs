//! A metric of an analysis as its document says it.

use std::fmt;

use thiserror::Error;

use super::expression::{DurationError, NumberError, duration, parse_int};
use super::json::Json;

/// A count or a limit: a number, or a text that should hold one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IntOrString {
    Int(i64),
    Text(String),
}

impl IntOrString {
    /// The number. A text that holds none counts as 0, as in the controller.
    pub fn value(&self) -> i64 {
        match self {
            Self::Int(value) => *value,
            Self::Text(text) => match parse_int(text) {
                Ok(value) => value,
                Err(NumberError::Range) if text.starts_with('-') => i64::MIN,
                Err(NumberError::Range) => i64::MAX,
                Err(NumberError::Syntax) => 0,
            },
        }
    }
}

impl fmt::Display for IntOrString {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Int(value) => write!(f, "{value}"),
            Self::Text(text) => f.write_str(text),
        }
    }
}

/// A field that has the wrong type for the controller to read it.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("`{field}` has to be {needed}, and is {found}")]
pub struct WrongType {
    pub field: String,
    pub needed: &'static str,
    pub found: &'static str,
}

/// The spec of one metric. Empty texts are fields that are not set.
#[derive(Debug, Clone, PartialEq)]
pub struct Metric {
    pub name: String,
    pub interval: String,
    pub initial_delay: String,
    pub count: Option<IntOrString>,
    pub success_condition: String,
    pub failure_condition: String,
    pub failure_limit: Option<IntOrString>,
    pub inconclusive_limit: Option<IntOrString>,
    pub consecutive_error_limit: Option<IntOrString>,
    pub consecutive_success_limit: Option<IntOrString>,
    /// As it is written: `prometheus`, `web` and the like, with what belongs to them.
    pub provider: Json,
}

/// What the controller takes for `consecutiveErrorLimit` if there is none.
pub const DEFAULT_CONSECUTIVE_ERROR_LIMIT: i64 = 4;

/// The providers that the controller knows, one of which a metric has.
pub const PROVIDERS: [&str; 11] = [
    "prometheus",
    "job",
    "web",
    "wavefront",
    "kayenta",
    "datadog",
    "newRelic",
    "cloudWatch",
    "graphite",
    "influxdb",
    "skywalking",
];

impl Metric {
    /// Reads it as Go's decoder does: unknown fields are left out, null is not set.
    ///
    /// # Errors
    /// The first field of a wrong type.
    pub fn of(json: &Json) -> Result<Self, WrongType> {
        if !matches!(json, Json::Object(_)) {
            return Err(WrongType {
                field: "metric".to_owned(),
                needed: "an object",
                found: json.describe(),
            });
        }
        let provider = match json.get("provider") {
            Some(provider @ Json::Object(_)) => provider.clone(),
            None | Some(Json::Null) => Json::Object(std::collections::BTreeMap::new()),
            Some(other) => {
                return Err(WrongType {
                    field: "provider".to_owned(),
                    needed: "an object",
                    found: other.describe(),
                });
            }
        };
        Ok(Self {
            name: text(json, "name")?,
            interval: text(json, "interval")?,
            initial_delay: text(json, "initialDelay")?,
            count: number(json, "count")?,
            success_condition: text(json, "successCondition")?,
            failure_condition: text(json, "failureCondition")?,
            failure_limit: number(json, "failureLimit")?,
            inconclusive_limit: number(json, "inconclusiveLimit")?,
            consecutive_error_limit: number(json, "consecutiveErrorLimit")?,
            consecutive_success_limit: number(json, "consecutiveSuccessLimit")?,
            provider,
        })
    }

    /// How many measurements end it; `None` if it goes on for ever.
    pub fn effective_count(&self) -> Option<i64> {
        match self.count.as_ref().map(IntOrString::value) {
            None | Some(0) if self.interval.is_empty() => Some(1),
            None | Some(0) => None,
            Some(count) => Some(count),
        }
    }

    pub(super) fn failure_limit_or_default(&self) -> i64 {
        limit(self.failure_limit.as_ref(), 0)
    }

    pub(super) fn inconclusive_limit_or_default(&self) -> i64 {
        limit(self.inconclusive_limit.as_ref(), 0)
    }

    pub(super) fn error_limit_or_default(&self) -> i64 {
        limit(
            self.consecutive_error_limit.as_ref(),
            DEFAULT_CONSECUTIVE_ERROR_LIMIT,
        )
    }

    pub(super) fn success_limit_or_default(&self) -> i64 {
        limit(self.consecutive_success_limit.as_ref(), 0)
    }

    /// The interval in nanoseconds; `None` if none is set.
    ///
    /// # Errors
    /// What is no duration of Go's.
    pub fn interval_nanoseconds(&self) -> Result<Option<i64>, DurationError> {
        nanoseconds(&self.interval)
    }

    /// The initial delay in nanoseconds; `None` if none is set.
    ///
    /// # Errors
    /// What is no duration of Go's.
    pub fn initial_delay_nanoseconds(&self) -> Result<Option<i64>, DurationError> {
        nanoseconds(&self.initial_delay)
    }
}

fn limit(limit: Option<&IntOrString>, default: i64) -> i64 {
    limit.map_or(default, IntOrString::value)
}

fn nanoseconds(text: &str) -> Result<Option<i64>, DurationError> {
    if text.is_empty() {
        return Ok(None);
    }
    duration(text).map(Some)
}

pub(super) fn text(json: &Json, field: &str) -> Result<String, WrongType> {
    match json.get(field) {
        None | Some(Json::Null) => Ok(String::new()),
        Some(Json::String(text)) => Ok(text.clone()),
        Some(other) => Err(WrongType {
            field: field.to_owned(),
            needed: "a text",
            found: other.describe(),
        }),
    }
}

pub(super) fn number(json: &Json, field: &str) -> Result<Option<IntOrString>, WrongType> {
    match json.get(field) {
        None | Some(Json::Null) => Ok(None),
        Some(Json::String(text)) => Ok(Some(IntOrString::Text(text.clone()))),
        Some(Json::Number(value))
            if value.fract() == 0.0
                && (f64::from(i32::MIN)..=f64::from(i32::MAX)).contains(value) =>
        {
            Ok(Some(IntOrString::Int(super::expression::truncate(*value))))
        }
        Some(other) => Err(WrongType {
            field: field.to_owned(),
            needed: "a whole number of 32 bits, or a text",
            found: other.describe(),
        }),
    }
}
