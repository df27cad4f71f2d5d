//! The `web` provider: one request, and the first value that a path finds in its answer.

use jiff::Timestamp;

use super::super::condition::{Conditions, Phase};
use super::super::json::{self, Json, JsonError};
use super::super::json_path::{JsonPath, PathError};
use super::super::metric::{Metric, WrongType, text};
use super::{Fault, FaultClass, Measured, Request, Response, judged};

/// Seconds for the whole request, if the metric says nothing.
const DEFAULT_TIMEOUT: u64 = 10;

/// The `web` part of a metric, ready to be asked.
#[derive(Debug, Clone)]
pub struct Web {
    request: Result<Request, Fault>,
    path: JsonPath,
    conditions: Conditions,
}

impl Web {
    /// Reads it.
    ///
    /// # Errors
    /// What keeps the controller from making the provider: a path that is none, an incomplete `OAuth2`. `OAuth2` is
    /// refused by name, since Recant does not speak it.
    pub fn new(metric: &Metric) -> Result<Self, Fault> {
        let web = metric.provider.get("web").unwrap_or(&Json::Null);
        let field = |name: &str| text(web, name).map_err(|error| wrong(&error));
        check_oauth2(web)?;
        let path = JsonPath::new(&field("jsonPath")?)
            .map_err(|error| Fault::new(FaultClass::JsonPathSyntax, error.to_string()))?;
        Ok(Self {
            request: request(web),
            path,
            conditions: Conditions::new(&metric.success_condition, &metric.failure_condition),
        })
    }

    /// What is asked.
    ///
    /// # Errors
    /// Bodies that contradict each other or the method.
    pub fn request(&self) -> Result<&Request, Fault> {
        self.request.as_ref().map_err(Clone::clone)
    }

    /// What an answer means. Any 2xx that is no JSON is Successful, and the conditions are never looked at (recorded).
    ///
    /// # Errors
    /// Any other status; JSON that is deeper or longer than is read; a path that leads nowhere; a condition that cannot be evaluated.
    pub fn measured(&self, response: &Response<'_>, now: Timestamp) -> Result<Measured, Fault> {
        if !(200..300).contains(&response.status) {
            return Err(Fault::new(
                FaultClass::HttpStatus,
                format!("received non 2xx response code: {}", response.status),
            ));
        }
        let body = match json::parse(response.body) {
            Ok(body) => body,
            // It may well be JSON, which the controller would judge: it must not pass unjudged.
            Err(error @ (JsonError::TooDeep | JsonError::TooLong { .. })) => {
                let text = format!("the answer is more than is looked at: {error}");
                return Err(Fault::new(FaultClass::Json, text));
            }
            Err(
                JsonError::Ended { .. }
                | JsonError::Unexpected { .. }
                | JsonError::NumberOutOfRange { .. },
            ) => {
                return Ok(Measured {
                    phase: Phase::Successful,
                    value: String::from_utf8_lossy(response.body).into_owned(),
                    metadata: std::collections::BTreeMap::new(),
                });
            }
        };
        let found = self.path.first(&body).map_err(|error| {
            let class = match &error {
                PathError::Syntax(_) => FaultClass::JsonPathSyntax,
                PathError::NotFound(_) => FaultClass::JsonPath,
                PathError::NoValue => FaultClass::NoValue,
                PathError::NullBody => FaultClass::EndsController,
            };
            Fault::new(class, error.to_string())
        })?;
        judged(&self.conditions, &found.outcome, found.value, now)
    }
}

fn wrong(error: &WrongType) -> Fault {
    Fault::new(FaultClass::WrongType, error.to_string())
}

fn check_oauth2(web: &Json) -> Result<(), Fault> {
    let oauth2 = web
        .get("authentication")
        .and_then(|authentication| authentication.get("oauth2"))
        .unwrap_or(&Json::Null);
    let set = |name: &str| {
        let value = oauth2.get(name).and_then(Json::as_str);
        value.is_some_and(|value| !value.is_empty())
    };
    if !set("tokenUrl") {
        return Ok(());
    }
    if !set("clientId") || !set("clientSecret") {
        return Err(Fault::new(
            FaultClass::OAuth2,
            "missing mandatory parameter in metric for OAuth2 setup",
        ));
    }
    Err(Fault::new(
        FaultClass::Unsupported,
        "`authentication.oauth2` is not supported by Recant: take a token in a header, from a secret argument",
    ))
}

/// What Go's client refuses, or sends as it is, where others mend it.
fn check_address(url: &str) -> Result<(), Fault> {
    if url.chars().any(|character| character.is_ascii_control()) {
        return Err(Fault::new(
            FaultClass::BadAddress,
            "the address holds a control character",
        ));
    }
    let query = url.split('#').next().and_then(|url| url.split_once('?'));
    if query.is_some_and(|(_, query)| query.contains(' ')) {
        return Err(Fault::new(
            FaultClass::HttpStatus,
            "the query holds a blank, which the controller sends as it is and servers answer with 400: write %20",
        ));
    }
    Ok(())
}

fn request(web: &Json) -> Result<Request, Fault> {
    let field = |name: &str| text(web, name).map_err(|error| wrong(&error));
    let method = field("method")?;
    let method = if method.is_empty() {
        "GET".to_owned()
    } else {
        method
    };
    let plain = field("body")?;
    let json_body = web.get("jsonBody").filter(|body| **body != Json::Null);
    if !plain.is_empty() && json_body.is_some() {
        return Err(Fault::new(
            FaultClass::BodyConflict,
            "use either Body or JSONBody; both cannot exists for WebMetric payload",
        ));
    }
    if method == "GET" && (!plain.is_empty() || json_body.is_some()) {
        return Err(Fault::new(
            FaultClass::BodyConflict,
            "Body/JSONBody can only be used with POST or PUT WebMetric Method types",
        ));
    }
    let mut headers: Vec<(String, String)> = Vec::new();
    for header in web
        .get("headers")
        .and_then(Json::as_array)
        .unwrap_or_default()
    {
        let part = |name: &str| text(header, name).map_err(|error| wrong(&error));
        headers.push((part("key")?, part("value")?));
    }
    if json_body.is_some() {
        headers.push(("Content-Type".to_owned(), "application/json".to_owned()));
    }
    let timeout = match web.get("timeoutSeconds") {
        Some(Json::Number(seconds)) if *seconds >= 1.0 => {
            u64::try_from(super::super::expression::truncate(*seconds)).unwrap_or(DEFAULT_TIMEOUT)
        }
        Some(_) | None => DEFAULT_TIMEOUT,
    };
    let url = field("url")?;
    check_address(&url)?;
    Ok(Request {
        method,
        url,
        headers,
        body: match json_body {
            Some(body) => Some(json::compact(body)),
            None => Some(plain).filter(|body| !body.is_empty()),
        },
        timeout,
        insecure: web.get("insecure") == Some(&Json::Bool(true)),
    })
}
