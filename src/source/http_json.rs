//! The source that takes a number out of a JSON document that an HTTP service gives.
//!
//! Every document is fetched once per look, however many rules want a number of it. Exactly one number must be there:
//! none, several, or a text that looks like one are told, and never guessed at.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use futures::future::join_all;
use jiff::{SignedDuration, Timestamp};
use reqwest::header::{ACCEPT, AUTHORIZATION, DATE, HeaderValue};
use reqwest::{Url, redirect};
use secrecy::ExposeSecret as _;
use serde_json::Value;
use tokio::time::{Instant, timeout_at};

use recant_core::observation::{Cause, LevelReading, Levels, Observation, SeriesKey};
use recant_core::rule::{HttpJson as Question, Level, SecretRef, What};

use super::http::{Fault, address, fault_of, read_body, redirect_fault};
use super::{Query, Source};
use crate::clock::Clock;
use crate::secrets::Secrets;

mod number;

use number::number;

/// By when all answers of one look are here.
pub const TIMEOUT: Duration = Duration::from_secs(5);
/// Documents longer than this are not read to their end.
const LONGEST_DOCUMENT: usize = 1024 * 1024;
/// With a clock further off than this, nothing is decided.
const MOST_SKEW: SignedDuration = SignedDuration::from_secs(30);

/// Asks any number of HTTP services.
#[derive(Debug)]
pub struct HttpJson {
    client: reqwest::Client,
    secrets: Secrets,
    clock: Now,
    timeout: Duration,
}

/// A clock in a struct that is shown for debugging.
struct Now(Clock);

impl std::fmt::Debug for Now {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Clock")
    }
}

/// What makes two questions one request.
type Request<'a> = (&'a str, Option<&'a SecretRef>);

/// A document and the moment when it was true.
struct Document {
    value: Value,
    at: Timestamp,
}

impl HttpJson {
    /// A source over its own HTTP client.
    ///
    /// # Errors
    /// When the system's certificates cannot be loaded.
    pub fn new(secrets: Secrets, clock: Clock) -> Result<Self, reqwest::Error> {
        Self::with_timeout(secrets, clock, TIMEOUT)
    }

    /// The same with another deadline for each look.
    ///
    /// # Errors
    /// When the system's certificates cannot be loaded.
    pub fn with_timeout(
        secrets: Secrets,
        clock: Clock,
        timeout: Duration,
    ) -> Result<Self, reqwest::Error> {
        crate::tls::install();
        let client = reqwest::Client::builder()
            .user_agent(concat!("recant/", env!("CARGO_PKG_VERSION")))
            .redirect(redirect::Policy::none())
            .build()?;
        Ok(Self {
            client,
            secrets,
            clock: Now(clock),
            timeout,
        })
    }

    async fn document(&self, (url, secret): Request<'_>, by: Instant) -> Result<Document, Fault> {
        let fetched = timeout_at(by, self.fetch(url, secret)).await;
        fetched.unwrap_or_else(|_| {
            Err(Fault::down(format!(
                "did not answer within {:?}",
                self.timeout
            )))
        })
    }

    async fn fetch(&self, url: &str, secret: Option<&SecretRef>) -> Result<Document, Fault> {
        let mut request = self.client.get(url).header(ACCEPT, "application/json");
        if let Some(secret) = secret {
            let unusable = |reason: String| {
                Fault::down(format!(
                    "was not asked: its `authorization` cannot be had: {reason}"
                ))
            };
            let text = self
                .secrets
                .resolve(secret)
                .await
                .map_err(|error| unusable(error.to_string()))?;
            let mut value = HeaderValue::from_str(text.expose_secret()).map_err(|_| {
                unusable("it holds a character that no HTTP header can carry".to_owned())
            })?;
            value.set_sensitive(true);
            request = request.header(AUTHORIZATION, value);
        }
        let response = request.send().await.map_err(|error| fault_of(&error))?;
        let at = (self.clock.0)();
        if let Some(fault) = redirect_fault(&response) {
            return Err(fault);
        }
        let status = response.status().as_u16();
        if status != 200 {
            let advice = match status {
                401 | 403 => ". Check what the rule's `authorization` refers to",
                404 => ". Check the rule's `url`",
                _ => "",
            };
            return Err(Fault::down(format!("answered {status}{advice}")));
        }
        let date = response
            .headers()
            .get(DATE)
            .and_then(|date| date.to_str().ok())
            .and_then(|date| jiff::fmt::rfc2822::parse(date).ok());
        if let Some(date) = date {
            let off = date.timestamp().duration_until(at).abs();
            if off > MOST_SKEW {
                return Err(Fault {
                    cause: Cause::Clock,
                    reason: format!(
                        "has a clock {} s off ours: nothing is decided until they agree within {} s. \
                         Check the time service on both machines, and that no cache answers",
                        off.as_secs(),
                        MOST_SKEW.as_secs()
                    ),
                });
            }
        }
        let body = read_body(response, LONGEST_DOCUMENT).await?;
        let value = serde_json::from_slice(&body)
            .map_err(|error| Fault::malformed(format!("sent what is no JSON: {error}")))?;
        Ok(Document { value, at })
    }
}

#[async_trait]
impl Source for HttpJson {
    async fn read(&self, queries: &[Query]) -> Vec<Vec<Observation>> {
        let by = Instant::now() + self.timeout;
        let mut requests: BTreeMap<Request<'_>, ()> = BTreeMap::new();
        for query in queries {
            if let Some(asked) = asked(&query.question.what) {
                requests.insert(request(asked), ());
            }
        }
        let fetched = requests
            .into_keys()
            .map(|request| async move { (request, self.document(request, by).await) });
        let documents: BTreeMap<Request<'_>, Result<Document, Fault>> =
            join_all(fetched).await.into_iter().collect();
        queries
            .iter()
            .map(|query| {
                let observation = match asked(&query.question.what) {
                    Some(asked) => observation(asked, documents.get(&request(asked))),
                    None => Observation::Unavailable {
                        cause: Cause::Malformed,
                        reason: "no HTTP service can answer this question".to_owned(),
                    },
                };
                vec![observation; query.targets.len()]
            })
            .collect()
    }
}

fn asked(what: &What) -> Option<&Question> {
    match what {
        What::Level(Level::HttpJson(asked)) => Some(asked),
        What::Level(
            Level::Gauge(_)
            | Level::Promql(_)
            | Level::Kubernetes(_)
            | Level::Redis(_)
            | Level::Alert(_),
        )
        | What::Ratio { .. }
        | What::Histogram { .. } => None,
    }
}

fn request(question: &Question) -> Request<'_> {
    (&question.url, question.authorization.as_ref())
}

fn observation(question: &Question, document: Option<&Result<Document, Fault>>) -> Observation {
    let found = match document {
        Some(Ok(document)) => number(&document.value, &question.path).map(|value| LevelReading {
            key: SeriesKey::Whole,
            at: document.at,
            value,
        }),
        Some(Err(fault)) => Err(fault.clone()),
        None => Err(Fault::down("was not asked")),
    };
    match found {
        Ok(reading) => Observation::Levels(Levels {
            readings: vec![reading],
            unusable: Vec::new(),
        }),
        Err(Fault { cause, reason }) => Observation::Unavailable {
            cause,
            reason: format!("{} {reason}", place(&question.url)),
        },
    }
}

/// The service without what its path and query may hold of secrets.
fn place(url: &str) -> String {
    match Url::parse(url) {
        Ok(url) => format!("the service at `{}`", address(&url)),
        Err(_) => "the service".to_owned(),
    }
}
