//! The `kayenta` provider: it looks a configuration up, starts an execution and asks for its score every 15 seconds.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::super::condition::Phase;
use super::super::expression::{duration, number_text, truncate};
use super::super::json::{self, Json, JsonError};
use super::super::metric::{Metric, WrongType, text};
use super::{Fault, FaultClass, Measured, Request, Response};

/// When an execution that is not complete is asked for again.
pub const RESUME_AFTER: SignedDuration = SignedDuration::from_secs(15);
/// Seconds for a request.
const TIMEOUT: u64 = 15;

/// The `kayenta` part of a metric, ready to be asked.
#[derive(Debug, Clone, PartialEq)]
pub struct Kayenta {
    part: Json,
    interval: String,
    pass: i64,
    marginal: i64,
}

fn wrong(error: &WrongType) -> Fault {
    Fault::new(FaultClass::WrongType, error.to_string())
}

impl Kayenta {
    /// Reads it.
    ///
    /// # Errors
    /// A threshold that is no number.
    pub fn new(metric: &Metric) -> Result<Self, Fault> {
        let part = metric.provider.get("kayenta").unwrap_or(&Json::Null);
        let threshold = part.get("threshold").unwrap_or(&Json::Null);
        let whole = |name: &'static str| match threshold.get(name) {
            None | Some(Json::Null) => Ok(0),
            Some(Json::Number(value)) => Ok(truncate(*value)),
            Some(other) => Err(wrong(&WrongType {
                field: format!("threshold.{name}"),
                needed: "a whole number",
                found: other.describe(),
            })),
        };
        Ok(Self {
            part: part.clone(),
            interval: metric.interval.clone(),
            pass: whole("pass")?,
            marginal: whole("marginal")?,
        })
    }

    fn field(&self, name: &str) -> Result<String, Fault> {
        text(&self.part, name).map_err(|error| wrong(&error))
    }

    fn get(&self, rest: &str) -> Result<Request, Fault> {
        Ok(Request {
            method: "GET".to_owned(),
            url: format!("{}{rest}", self.field("address")?),
            headers: Vec::new(),
            body: None,
            timeout: TIMEOUT,
            insecure: false,
        })
    }

    /// Asks for the configurations. The controller passes the storage account as that of configurations.
    ///
    /// # Errors
    /// Fields of a wrong type.
    pub fn lookup(&self) -> Result<Request, Fault> {
        self.get(&format!(
            "/canaryConfig?application={}&configurationAccountName={}",
            self.field("application")?,
            self.field("storageAccountName")?
        ))
    }

    /// The id of the configuration that the metric names.
    ///
    /// # Errors
    /// Any status but 200; no list of configurations; none of this name.
    pub fn looked_up(&self, response: &Response<'_>) -> Result<String, Fault> {
        if response.status != 200 {
            return Err(Fault::new(
                FaultClass::HttpStatus,
                format!("Invalid Response: HTTP {}", response.status),
            ));
        }
        let wanted = self.field("canaryConfigName")?;
        let body = json::parse_first(response.body).map_err(|error| bad_json(&error))?;
        let mut found = None;
        let configurations = match &body {
            Json::Array(items) => items.as_slice(),
            Json::Null => &[],
            other => return Err(wrong_type("the list of configurations", other)),
        };
        for configuration in configurations {
            let (mut id, mut name) = (String::new(), String::new());
            let fields = match configuration {
                Json::Object(fields) => fields,
                Json::Null => &BTreeMap::new(),
                other => return Err(wrong_type("a configuration", other)),
            };
            for (key, value) in fields {
                // Names of fields are compared without regard to case.
                match (key.to_lowercase().as_str(), value) {
                    (_, Json::Null) | ("updatedtimestampiso", Json::String(_)) => {}
                    ("id", Json::String(text)) => id.clone_from(text),
                    ("name", Json::String(text)) => name.clone_from(text),
                    ("updatedtimestamp", Json::Number(value)) if value.fract() == 0.0 => {}
                    ("applications", Json::Array(items))
                        if items.iter().all(|item| item.as_str().is_some()) => {}
                    (
                        known @ ("id"
                        | "name"
                        | "updatedtimestamp"
                        | "updatedtimestampiso"
                        | "applications"),
                        other,
                    ) => return Err(wrong_type(known, other)),
                    (_, _) => {}
                }
            }
            if name == wanted {
                found.get_or_insert(id);
            }
        }
        found.ok_or_else(|| Fault::new(FaultClass::ConfigNotFound, "Canary config not found"))
    }

    /// Starts an execution. `started` is when the run began, which only `lookback` needs.
    ///
    /// # Errors
    /// Scopes of which only one side has a time; no way to know the start.
    pub fn start(
        &self,
        config: &str,
        started: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<Request, Fault> {
        let mut scopes = BTreeMap::new();
        let written = self.part.get("scopes").and_then(Json::as_array);
        for scope in written.unwrap_or_default() {
            let name = text(scope, "name").map_err(|error| wrong(&error))?;
            scopes.insert(name, self.scope(scope, started, now)?);
        }
        let whole = |value: i64| Json::Number(value as f64);
        let thresholds = [
            ("pass".to_owned(), whole(self.pass)),
            ("marginal".to_owned(), whole(self.marginal)),
        ];
        let body = Json::Object(
            [
                ("scopes".to_owned(), Json::Object(scopes)),
                ("thresholds".to_owned(), Json::Object(thresholds.into())),
            ]
            .into(),
        );
        let mut request = self.get(&format!(
            "/canary/{config}?application={}&metricsAccountName={}&configurationAccountName={}&storageAccountName={}",
            self.field("application")?,
            self.field("metricsAccountName")?,
            self.field("configurationAccountName")?,
            self.field("storageAccountName")?
        ))?;
        "POST".clone_into(&mut request.method);
        request
            .headers
            .push(("Content-Type".to_owned(), "application/json".to_owned()));
        request.body = Some(json::compact(&body));
        Ok(request)
    }

    fn scope(
        &self,
        scope: &Json,
        started: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<Json, Fault> {
        let side = |name: &str| scope.get(name).cloned().unwrap_or(Json::Null);
        let sides = [side("controlScope"), side("experimentScope")];
        let of = |side: &Json, name: &str| text(side, name).map_err(|error| wrong(&error));
        let mut times = BTreeMap::new();
        for name in ["start", "end"] {
            let (one, other) = (of(&sides[0], name)?, of(&sides[1], name)?);
            if one.is_empty() != other.is_empty() {
                return Err(Fault::new(
                    FaultClass::BadTime,
                    format!(
                        "controlScope.{name} and experimentScope.{name} must both be set or be empty"
                    ),
                ));
            }
            if one.is_empty() {
                let time = if name == "end" {
                    now
                } else {
                    self.start_time(started, now)?
                };
                let time = Timestamp::from_second(time.as_second()).unwrap_or(time);
                times.insert(name, time.to_string());
            }
        }
        let detail = |side: &Json| -> Result<Json, Fault> {
            let mut fields = BTreeMap::new();
            for (name, from) in [("scope", "scope"), ("location", "region")] {
                fields.insert(name.to_owned(), Json::String(of(side, from)?));
            }
            let step = side.get("step").cloned().unwrap_or(Json::Number(0.0));
            fields.insert("step".to_owned(), step);
            for name in ["start", "end"] {
                let time = match times.get(name) {
                    Some(time) => time.clone(),
                    None => of(side, name)?,
                };
                fields.insert(name.to_owned(), Json::String(time));
            }
            Ok(Json::Object(fields))
        };
        Ok(Json::Object(
            [
                ("controlScope".to_owned(), detail(&sides[0])?),
                ("experimentScope".to_owned(), detail(&sides[1])?),
            ]
            .into(),
        ))
    }

    fn start_time(&self, started: Option<Timestamp>, now: Timestamp) -> Result<Timestamp, Fault> {
        if self.part.get("lookback") == Some(&Json::Bool(true)) {
            return started.ok_or_else(|| {
                Fault::new(
                    FaultClass::EndsController,
                    "`lookback` without a start needs a run that has begun, and at the first measurement none has: the controller itself ends there. Set `start` of the scopes, or `initialDelay`",
                )
            });
        }
        let interval = duration(&self.interval).map_err(|error| {
            Fault::new(
                FaultClass::BadTime,
                format!("Invalid duration {:?}: {error}", self.interval),
            )
        })?;
        let before = now.checked_sub(SignedDuration::from_nanos(interval));
        Ok(before.unwrap_or(now))
    }

    /// The id of the execution that was started.
    ///
    /// # Errors
    /// Any status but 200; a body that is no object; an empty id.
    pub fn started(&self, response: &Response<'_>) -> Result<String, Fault> {
        let body = object(response)?;
        let id = match body.get("canaryExecutionId") {
            None | Some(Json::Null) => "<nil>".to_owned(),
            Some(Json::String(text)) => text.clone(),
            Some(Json::Number(value)) => number_text(*value),
            Some(other) => super::super::expression::display(other),
        };
        if id.is_empty() {
            return Err(Fault::new(
                FaultClass::BadExecutionId,
                "Invalid canaryExecutionId",
            ));
        }
        Ok(id)
    }

    /// Asks for an execution.
    ///
    /// # Errors
    /// An address of a wrong type.
    pub fn poll(&self, execution: &str) -> Result<Request, Fault> {
        self.get(&format!("/canary/{execution}"))
    }

    /// What has become of an execution; `None`: it is not complete yet.
    ///
    /// # Errors
    /// Any status but 200; a body that says neither that it is complete nor its score.
    pub fn polled(&self, response: &Response<'_>) -> Result<Option<Measured>, Fault> {
        let body = object(response)?;
        match nested(&body, &["complete"])? {
            None => {
                return Err(Fault::new(
                    FaultClass::MissingField,
                    "Missing Complete Status",
                ));
            }
            Some(Json::Bool(false)) => return Ok(None),
            Some(Json::Bool(true)) => {}
            Some(other) => return Err(wrong_type("complete", other)),
        }
        let score = match nested(&body, &["result", "judgeResult", "score", "score"])? {
            None => return Err(Fault::new(FaultClass::MissingField, "Missing Score")),
            Some(Json::Number(score)) => truncate(*score),
            Some(other) => return Err(wrong_type("the score", other)),
        };
        let phase = if score >= self.pass {
            Phase::Successful
        } else if score >= self.marginal {
            Phase::Inconclusive
        } else {
            Phase::Failed
        };
        Ok(Some(Measured {
            phase,
            value: score.to_string(),
            metadata: BTreeMap::new(),
        }))
    }
}

fn bad_json(error: &JsonError) -> Fault {
    let class = match error {
        JsonError::NumberOutOfRange { .. } => FaultClass::WrongType,
        JsonError::Ended { .. }
        | JsonError::Unexpected { .. }
        | JsonError::TooDeep
        | JsonError::TooLong { .. } => FaultClass::Json,
    };
    Fault::new(class, format!("the answer is no JSON: {error}"))
}

fn wrong_type(what: &str, found: &Json) -> Fault {
    Fault::new(
        FaultClass::WrongType,
        format!(
            "{what} is {}, which is not what Kayenta answers",
            found.describe()
        ),
    )
}

fn object(response: &Response<'_>) -> Result<Json, Fault> {
    if response.status != 200 {
        return Err(Fault::new(FaultClass::HttpStatus, "Invalid Response"));
    }
    match json::parse(response.body).map_err(|error| bad_json(&error))? {
        Json::Null => Ok(Json::Object(BTreeMap::new())),
        body @ Json::Object(_) => Ok(body),
        other => Err(wrong_type("the answer", &other)),
    }
}

/// A field within fields; null on the way is nothing, anything else that has no fields is an error.
fn nested<'b>(body: &'b Json, path: &[&str]) -> Result<Option<&'b Json>, Fault> {
    let mut at = body;
    for name in path {
        at = match at {
            Json::Null => return Ok(None),
            Json::Object(fields) => match fields.get(*name) {
                Some(value) => value,
                None => return Ok(None),
            },
            other => return Err(wrong_type(name, other)),
        };
    }
    Ok(Some(at))
}
