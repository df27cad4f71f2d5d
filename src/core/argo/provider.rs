//! The pure halves of the providers: what is asked of a server, and what becomes of its answer.

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;

use super::condition::{Conditions, Phase};
use super::expression::{Class, Outcome};

pub mod kayenta;
pub mod prometheus;
pub mod web;

/// A request to a server.
#[derive(Clone, PartialEq, Eq)]
pub struct Request {
    pub method: String,
    pub url: String,
    /// In their order; of two with one name the last counts.
    pub headers: Vec<(String, String)>,
    pub body: Option<String>,
    /// Seconds for the whole request.
    pub timeout: u64,
    pub insecure: bool,
}

impl fmt::Debug for Request {
    /// Headers and body may hold secrets, and so may the query of an address.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let address = self.url.split('?').next().unwrap_or_default();
        write!(f, "{} {address}", self.method)
    }
}

/// A server's answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Response<'r> {
    pub status: u16,
    pub body: &'r [u8],
}

/// The kind of what went wrong in a measurement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultClass {
    Condition(Class),
    HttpStatus,
    Timeout,
    Redirect,
    BadAddress,
    BadRequest,
    Connection,
    BadEncoding,
    BodyConflict,
    JsonPath,
    JsonPathSyntax,
    NoValue,
    OAuth2,
    /// The controller's own process ends there.
    EndsController,
    PrometheusError,
    BadResponseBody,
    BadTime,
    BadTimeout,
    ConfigNotFound,
    BadExecutionId,
    MissingField,
    WrongType,
    Json,
    /// What Recant does not do, although the controller does.
    Unsupported,
}

impl FaultClass {
    /// As in recordings.
    pub fn name(self) -> String {
        match self {
            Self::Condition(class) => return format!("condition/{}", class.name()),
            Self::HttpStatus => "http-status",
            Self::Timeout => "timeout",
            Self::Redirect => "redirect",
            Self::BadAddress => "bad-address",
            Self::BadRequest => "bad-request",
            Self::Connection => "connection",
            Self::BadEncoding => "bad-encoding",
            Self::BodyConflict => "body-conflict",
            Self::JsonPath => "json-path",
            Self::JsonPathSyntax => "json-path-syntax",
            Self::NoValue => "no-value",
            Self::OAuth2 => "oauth2",
            Self::EndsController => "panic",
            Self::PrometheusError => "prometheus-error",
            Self::BadResponseBody => "bad-response-body",
            Self::BadTime => "bad-time",
            Self::BadTimeout => "bad-timeout",
            Self::ConfigNotFound => "config-not-found",
            Self::BadExecutionId => "bad-execution-id",
            Self::MissingField => "missing-field",
            Self::WrongType => "wrong-type",
            Self::Json => "json",
            Self::Unsupported => "unsupported",
        }
        .to_owned()
    }
}

/// Why a measurement is an Error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    pub class: FaultClass,
    pub text: String,
}

impl Fault {
    /// A fault in words.
    pub fn new(class: FaultClass, text: impl Into<String>) -> Self {
        Self {
            class,
            text: text.into(),
        }
    }
}

/// What a finished measurement says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Measured {
    pub phase: Phase,
    pub value: String,
    pub metadata: BTreeMap<String, String>,
}

/// The phase that conditions give an outcome.
fn judged(
    conditions: &Conditions,
    outcome: &Outcome,
    value: String,
    now: Timestamp,
) -> Result<Measured, Fault> {
    match conditions.phase(outcome, now) {
        Ok(phase) => Ok(Measured {
            phase,
            value,
            metadata: BTreeMap::new(),
        }),
        Err(error) => Err(Fault::new(
            FaultClass::Condition(error.class()),
            error.to_string(),
        )),
    }
}
