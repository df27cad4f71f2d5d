//! The `prometheus` provider: an instant or a range query, and the numbers of its answer.
//!
//! The answer is read as Prometheus' own Go client reads it: a sample without a value counts as 0, and so does a native
//! histogram; a text is an error, and a missing `status` none.

use jiff::Timestamp;

use super::super::condition::Conditions;
use super::super::expression::{Expression, Outcome, duration, parse_float, truncate};
use super::super::json::{self, Json};
use super::super::metric::{Metric, text};
use super::{Fault, FaultClass, Measured, Response, judged};

/// Seconds for a query, if the metric says nothing.
const DEFAULT_TIMEOUT: u64 = 30;

/// The `prometheus` part of a metric, ready to be asked.
#[derive(Debug, Clone)]
pub struct Prometheus {
    /// Without a slash at the end.
    pub address: String,
    query: String,
    range: Option<[String; 3]>,
    pub headers: Vec<(String, String)>,
    pub insecure: bool,
    /// Seconds; with 0 the controller asks nothing and times out at once.
    pub timeout: u64,
    conditions: Conditions,
}

/// A form to post, and where below the address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query {
    pub path: &'static str,
    pub form: Vec<(&'static str, String)>,
}

fn bad_address(text: &str) -> Fault {
    Fault::new(FaultClass::BadAddress, text)
}

/// Whether an address has a scheme and a host.
fn is_url(address: &str) -> bool {
    let Some((scheme, rest)) = address.split_once("://") else {
        return false;
    };
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let letters = |text: &str| {
        text.starts_with(|first: char| first.is_ascii_alphabetic())
            && text
                .chars()
                .all(|next| next.is_ascii_alphanumeric() || matches!(next, '+' | '-' | '.'))
    };
    letters(scheme) && !host.is_empty() && !address.chars().any(|next| next.is_ascii_control())
}

impl Prometheus {
    /// Reads it. `default` is the address that is taken if the metric names none.
    ///
    /// # Errors
    /// What keeps the controller from making the provider; `OAuth2` and `SigV4` by name, since Recant does not speak them.
    pub fn new(metric: &Metric, default: &str) -> Result<Self, Fault> {
        let part = metric.provider.get("prometheus").unwrap_or(&Json::Null);
        let wrong = |error: super::super::metric::WrongType| {
            Fault::new(FaultClass::WrongType, error.to_string())
        };
        let field = |name: &str| text(part, name).map_err(wrong);
        let written = field("address")?;
        let address = if written.is_empty() {
            default.to_owned()
        } else {
            written
        };
        if address.is_empty() {
            return Err(bad_address("prometheus address is not configured"));
        }
        if !is_url(&address) {
            return Err(bad_address("prometheus address is not is url format"));
        }
        let token = part
            .get("authentication")
            .and_then(|authentication| authentication.get("oauth2"))
            .and_then(|oauth2| oauth2.get("tokenUrl"))
            .and_then(Json::as_str);
        let sigv4 = part
            .get("authentication")
            .and_then(|authentication| authentication.get("sigv4"))
            .is_some_and(|_| address.contains("aps-workspaces"));
        if token.is_some_and(|token| !token.is_empty()) || sigv4 {
            return Err(Fault::new(
                FaultClass::Unsupported,
                "`authentication` of the prometheus provider is not supported by Recant: take a token in a header, from a secret argument",
            ));
        }
        let timeout = match part.get("timeout") {
            Some(Json::Number(seconds)) => u64::try_from(truncate(*seconds)).map_err(|_| {
                Fault::new(
                    FaultClass::BadTimeout,
                    "prometheus timeout should not be negative",
                )
            })?,
            Some(_) | None => DEFAULT_TIMEOUT,
        };
        let mut headers = Vec::new();
        for header in part
            .get("headers")
            .and_then(Json::as_array)
            .unwrap_or_default()
        {
            let of = |name: &str| text(header, name).map_err(wrong);
            headers.push((of("key")?, of("value")?));
        }
        let range = match part.get("rangeQuery") {
            Some(range @ Json::Object(_)) => {
                let of = |name: &str| text(range, name).map_err(wrong);
                Some([of("start")?, of("end")?, of("step")?])
            }
            Some(_) | None => None,
        };
        Ok(Self {
            address: address.trim_end_matches('/').to_owned(),
            query: field("query")?,
            range,
            headers,
            insecure: part.get("insecure") == Some(&Json::Bool(true)),
            timeout,
            conditions: Conditions::new(&metric.success_condition, &metric.failure_condition),
        })
    }

    /// What is asked at this time.
    ///
    /// # Errors
    /// Ends of a range that are no times, a step that is no duration.
    pub fn query(&self, now: Timestamp) -> Result<Query, Fault> {
        let Some([start, end, step]) = &self.range else {
            return Ok(Query {
                path: "/api/v1/query",
                form: vec![("query", self.query.clone()), ("time", seconds(now))],
            });
        };
        let time = |name: &str, source: &str| {
            Expression::new(source)
                .time(now)
                .map(seconds)
                .map_err(|error| {
                    Fault::new(
                        FaultClass::BadTime,
                        format!("failed to parse rangeQuery.{name} as time: {error}"),
                    )
                })
        };
        let (start, end) = (time("start", start)?, time("end", end)?);
        let step = duration(step).map_err(|error| {
            Fault::new(
                FaultClass::BadTime,
                format!("failed to parse rangeQuery.step as duration: {error}"),
            )
        })?;
        Ok(Query {
            path: "/api/v1/query_range",
            form: vec![
                ("query", self.query.clone()),
                ("start", start),
                ("end", end),
                ("step", format!("{}", step as f64 / 1e9)),
            ],
        })
    }

    /// What an answer means.
    ///
    /// # Errors
    /// Other statuses than 2xx; what is no answer of Prometheus; its errors; conditions that cannot be evaluated.
    pub fn measured(&self, response: &Response<'_>, now: Timestamp) -> Result<Measured, Fault> {
        let (data, warnings) = answered(response)?;
        let (outcome, value) = read(data.as_ref())?;
        let mut measured = judged(&self.conditions, &outcome, value, now)?;
        if !warnings.is_empty() {
            let quoted: Vec<String> = warnings.iter().map(|it| format!("\"{it}\"")).collect();
            measured
                .metadata
                .insert("warnings".to_owned(), quoted.join(", "));
        }
        Ok(measured)
    }
}

/// Unix seconds with as many digits as are needed, as Go's client writes them.
fn seconds(time: Timestamp) -> String {
    let whole = time.as_nanosecond().div_euclid(1_000_000_000);
    let rest = time.as_nanosecond().rem_euclid(1_000_000_000);
    format!("{}", whole as f64 + rest as f64 / 1e9)
}

fn bad_body(text: impl Into<String>) -> Fault {
    Fault::new(FaultClass::BadResponseBody, text)
}

/// `data` and the warnings of an answer.
fn answered(response: &Response<'_>) -> Result<(Option<Json>, Vec<String>), Fault> {
    let status = response.status;
    let told = matches!(status, 400 | 422);
    if !(200..300).contains(&status) && !told {
        return Err(Fault::new(
            FaultClass::HttpStatus,
            match status / 100 {
                4 => format!("client_error: client error: {status}"),
                5 => format!("server_error: server error: {status}"),
                _ => format!("bad_response: bad response code {status}"),
            },
        ));
    }
    if status == 204 {
        return Ok((None, Vec::new()));
    }
    let body = json::parse(response.body)
        .map_err(|error| bad_body(format!("bad_response: the body is no JSON: {error}")))?;
    let field = |name: &str| match body.get(name) {
        None | Some(Json::Null) => Ok(""),
        Some(Json::String(text)) => Ok(text.as_str()),
        Some(other) => Err(bad_body(format!(
            "bad_response: `{name}` is {}",
            other.describe()
        ))),
    };
    if !matches!(body, Json::Object(_) | Json::Null) {
        return Err(bad_body(format!(
            "bad_response: the body is {}",
            body.describe()
        )));
    }
    let (state, kind, error) = (field("status")?, field("errorType")?, field("error")?);
    let mut warnings = Vec::new();
    match body.get("warnings") {
        None | Some(Json::Null) => {}
        Some(Json::Array(items)) => {
            for item in items {
                match item {
                    Json::String(text) => warnings.push(text.clone()),
                    Json::Null => warnings.push(String::new()),
                    other => {
                        return Err(bad_body(format!(
                            "bad_response: a warning is {}",
                            other.describe()
                        )));
                    }
                }
            }
        }
        Some(other) => {
            return Err(bad_body(format!(
                "bad_response: `warnings` is {}",
                other.describe()
            )));
        }
    }
    if state == "error" {
        return Err(Fault::new(
            FaultClass::PrometheusError,
            format!("{kind}: {error}"),
        ));
    }
    if told && state == "success" {
        return Err(bad_body(
            "bad_response: inconsistent body for response code",
        ));
    }
    Ok((body.get("data").cloned(), warnings))
}

fn read(data: Option<&Json>) -> Result<(Outcome, String), Fault> {
    let Some(data @ Json::Object(_)) = data else {
        return Err(bad_body("the answer has no `data`"));
    };
    let kind = data
        .get("resultType")
        .and_then(Json::as_str)
        .unwrap_or_default();
    let result = data.get("result");
    let result = result.ok_or_else(|| bad_body(format!("a {kind} without `result`")));
    match kind {
        "scalar" => {
            let value = scalar(result?)?;
            Ok((Outcome::Number(value), number(value)))
        }
        "vector" => {
            let mut values = Vec::new();
            for sample in items(result?)? {
                values.extend(sample_of(sample)?);
            }
            Ok(numbers(values))
        }
        "matrix" => {
            let mut values = Vec::new();
            for stream in items(result?)? {
                stream_of(stream, &mut values)?;
            }
            Ok(numbers(values))
        }
        other => Err(bad_body(format!("unexpected value type {other:?}"))),
    }
}

fn items(result: &Json) -> Result<&[Json], Fault> {
    match result {
        Json::Null => Ok(&[]),
        Json::Array(items) => Ok(items),
        other => Err(bad_body(format!("`result` is {}", other.describe()))),
    }
}

/// Go's `'f'` format: no exponent.
fn number(value: f64) -> String {
    if value.is_finite() {
        format!("{value}")
    } else {
        json::number(value)
    }
}

fn numbers(values: Vec<f64>) -> (Outcome, String) {
    let texts: Vec<String> = values.iter().copied().map(number).collect();
    (Outcome::Numbers(values), format!("[{}]", texts.join(",")))
}

/// A number in quotes.
fn value_of(value: &Json) -> Result<f64, Fault> {
    let Json::String(text) = value else {
        return Err(bad_body("sample value must be a quoted string"));
    };
    parse_float(text).map_err(|_| bad_body(format!("the sample value {text:?} is no number")))
}

fn time_of(value: &Json) -> Result<(), Fault> {
    match value {
        Json::Number(_) => Ok(()),
        other => Err(bad_body(format!(
            "a time of a sample is {}",
            other.describe()
        ))),
    }
}

/// `[time, value]` as Go's decoder reads it: what is missing is 0, what is too much is left out.
fn pair_of(pair: &Json) -> Result<f64, Fault> {
    let parts = match pair {
        Json::Null => return Ok(0.0),
        Json::Array(parts) => parts,
        other => return Err(bad_body(format!("a sample is {}", other.describe()))),
    };
    if let Some(time) = parts.first().filter(|time| **time != Json::Null) {
        time_of(time)?;
    }
    match parts.get(1) {
        None | Some(Json::Null) => Ok(0.0),
        Some(value) => value_of(value),
    }
}

fn scalar(pair: &Json) -> Result<f64, Fault> {
    let parts = match pair {
        Json::Array(parts) => parts.as_slice(),
        Json::Null => &[],
        other => return Err(bad_body(format!("a scalar is {}", other.describe()))),
    };
    if let Some(time) = parts.first().filter(|time| **time != Json::Null) {
        time_of(time)?;
    }
    match parts.get(1) {
        Some(value @ Json::String(_)) => value_of(value),
        _ => Err(bad_body("error parsing sample value: it is no text")),
    }
}

fn labels_fit(of: &Json) -> Result<(), Fault> {
    match of.get("metric") {
        None | Some(Json::Null) => Ok(()),
        Some(Json::Object(labels))
            if labels
                .values()
                .all(|value| matches!(value, Json::String(_) | Json::Null)) =>
        {
            Ok(())
        }
        Some(_) => Err(bad_body("the labels of a series are no texts")),
    }
}

/// The value of a series; none for `null`.
fn sample_of(sample: &Json) -> Result<Option<f64>, Fault> {
    match sample {
        Json::Null => return Ok(None),
        Json::Object(_) => {}
        other => return Err(bad_body(format!("a series is {}", other.describe()))),
    }
    labels_fit(sample)?;
    let value = match sample.get("value") {
        Some(pair) => pair_of(pair)?,
        None => 0.0,
    };
    match sample.get("histogram") {
        None | Some(Json::Null) => Ok(Some(value)),
        Some(Json::Array(_)) => Ok(Some(0.0)),
        Some(other) => Err(bad_body(format!("a histogram is {}", other.describe()))),
    }
}

fn stream_of(stream: &Json, values: &mut Vec<f64>) -> Result<(), Fault> {
    let fields = match stream {
        Json::Null => return Ok(()),
        Json::Object(fields) => fields,
        other => return Err(bad_body(format!("a series is {}", other.describe()))),
    };
    let unknown = fields
        .keys()
        .find(|name| !matches!(name.as_str(), "metric" | "values" | "histograms"));
    if let Some(name) = unknown {
        return Err(bad_body(format!("unexpected key: {name}")));
    }
    labels_fit(stream)?;
    match fields.get("values") {
        None | Some(Json::Null) => Ok(()),
        Some(Json::Array(pairs)) => {
            for pair in pairs {
                let Some([time, value]) = pair.as_array() else {
                    return Err(bad_body("SamplePair must be [timestamp, value]"));
                };
                time_of(time)?;
                values.push(value_of(value)?);
            }
            Ok(())
        }
        Some(other) => Err(bad_body(format!("`values` is {}", other.describe()))),
    }
}
