//! One question to Prometheus and all of its answer: with credentials, within the deadline, by clocks that agree.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use reqwest::Response;
use reqwest::header::{AUTHORIZATION, HeaderValue};
use secrecy::ExposeSecret as _;
use tokio::time::error::Elapsed;

use recant_core::observation::Observation;

use super::answer::{Row, decode_matrix};
use super::reply::{Body, body, skew, unsent};
use super::{Auth, Prometheus, auth, deliver};
use crate::source::http::Fault;

/// The rows of each instant.
pub(super) type Instants = BTreeMap<Timestamp, Vec<Row>>;

/// The `Date` header counts in whole seconds.
const HALF_A_SECOND: SignedDuration = SignedDuration::from_millis(500);

/// An answer, and when it was asked for and came.
struct Reply {
    body: Body,
    sent: Timestamp,
    received: Timestamp,
}

impl Prometheus {
    /// Asks one query, as of now.
    pub(super) async fn ask(
        &self,
        promql: &str,
        decode: fn(&[u8]) -> Result<Vec<Row>, Fault>,
    ) -> Result<Vec<Row>, Fault> {
        let mut request = self
            .client
            .query(promql)
            .timeout(millis(self.options.timeout));
        if let Some(credentials) = self.authorization()? {
            request = request.header(AUTHORIZATION, credentials);
        }
        let reply = self.reply(request.post_raw()).await?;
        let rows = decode(&reply.body.bytes)?;
        // The time of evaluation is the clock of the server that has the samples; Date may be that of a proxy.
        if let Some(server) = rows.first().map(|row| row.evaluated).or(reply.body.date) {
            skew(server, reply.sent, reply.received)?;
        }
        Ok(rows)
    }

    /// Asks one query for a stretch of time, in seconds since 1970, in steps of so many seconds.
    pub(super) async fn ask_between(
        &self,
        promql: &str,
        from: i64,
        to: i64,
        step: i64,
    ) -> Result<Instants, Fault> {
        let mut request = self
            .client
            .query_range(promql, from, to, step as f64)
            .timeout(millis(self.options.timeout));
        if let Some(credentials) = self.authorization()? {
            request = request.header(AUTHORIZATION, credentials);
        }
        let reply = self.reply(request.post_raw()).await?;
        if let Some(server) = reply.body.date {
            skew(server + HALF_A_SECOND, reply.sent, reply.received)?;
        }
        decode_matrix(&reply.body.bytes)
    }

    async fn reply(
        &self,
        asked: impl Future<Output = Result<Response, prometheus_http_query::Error>>,
    ) -> Result<Reply, Fault> {
        let sent = (self.clock)();
        let response = asked.await.map_err(|error| unsent(&error))?;
        let received = (self.clock)();
        let body = body(response).await?;
        Ok(Reply {
            body,
            sent,
            received,
        })
    }

    /// What came within the deadline, or that nothing did.
    pub(super) fn in_time<T>(&self, asked: Result<Result<T, Fault>, Elapsed>) -> Result<T, Fault> {
        asked.unwrap_or_else(|_| {
            Err(Fault::down(format!(
                "did not answer within {:?}",
                self.options.timeout
            )))
        })
    }

    /// The same fault for so many targets.
    pub(super) fn unavailable(&self, fault: &Fault, targets: usize) -> Vec<Observation> {
        let reason = format!("Prometheus at `{}` {}", self.address, fault.reason);
        deliver::unavailable(fault.cause, &reason, targets)
    }

    fn authorization(&self) -> Result<Option<HeaderValue>, Fault> {
        let faulty = |reason: String| {
            Fault::down(format!(
                "was not asked: its credentials cannot be had: {reason}"
            ))
        };
        let text = match &self.options.auth {
            Auth::None => return Ok(None),
            Auth::Bearer(token) => auth::bearer(&token().map_err(faulty)?),
            Auth::Basic { user, password } => auth::basic(user, &password().map_err(faulty)?),
        };
        let mut value = HeaderValue::from_str(text.expose_secret()).map_err(|_| {
            faulty("they hold a character that no HTTP header can carry".to_owned())
        })?;
        value.set_sensitive(true);
        Ok(Some(value))
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
