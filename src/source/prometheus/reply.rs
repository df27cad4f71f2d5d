//! What came back from Prometheus, before it is looked into: whole or not, when it was given, by whose clock.

use jiff::SignedDuration;
use jiff::Timestamp;
use reqwest::header::DATE;

use recant_core::observation::Cause;

use super::answer;
use crate::source::http::{Fault, fault_of, read_body, redirect_fault};

/// Answers longer than this are not read to their end.
const LONGEST_ANSWER: usize = 16 * 1024 * 1024;
/// Error pages are read up to this.
const LONGEST_ERROR: usize = 64 * 1024;
/// With a clock further off than this, nothing is decided.
const MOST_SKEW: SignedDuration = SignedDuration::from_secs(30);

/// The body of a good answer, and when it was given.
pub(super) struct Body {
    pub(super) bytes: Vec<u8>,
    pub(super) date: Option<Timestamp>,
}

/// Why nothing came back.
pub(super) fn unsent(error: &prometheus_http_query::Error) -> Fault {
    match error {
        prometheus_http_query::Error::Client(error) => {
            match std::error::Error::source(error)
                .and_then(|source| source.downcast_ref::<reqwest::Error>())
            {
                Some(error) => fault_of(error),
                None => Fault::down(format!("could not be asked: {error}")),
            }
        }
        other => Fault::down(format!("could not be asked: {other}")),
    }
}

/// All of a good answer; a bad one is a fault.
pub(super) async fn body(response: reqwest::Response) -> Result<Body, Fault> {
    if let Some(fault) = redirect_fault(&response) {
        return Err(fault);
    }
    let status = response.status();
    if !status.is_success() {
        let body = read_body(response, LONGEST_ERROR).await.unwrap_or_default();
        let detail = answer::error_text(&body);
        let advice = match status.as_u16() {
            401 | 403 => " Check the credentials that Recant was given for it.",
            404 => " Check the path in its address.",
            _ => "",
        };
        return Err(Fault::down(format!(
            "answered {}: \"{detail}\".{advice}",
            status.as_u16()
        )));
    }
    let date = response
        .headers()
        .get(DATE)
        .and_then(|date| date.to_str().ok())
        .and_then(|date| jiff::fmt::rfc2822::parse(date).ok())
        .map(|date| date.timestamp());
    let bytes = read_body(response, LONGEST_ANSWER).await?;
    Ok(Body { bytes, date })
}

/// Whether the server's clock can be trusted, who said `server` some time between `sent` and `received`.
pub(super) fn skew(server: Timestamp, sent: Timestamp, received: Timestamp) -> Result<(), Fault> {
    let behind = server.duration_until(sent);
    let ahead = received.duration_until(server);
    let (off, way) = if ahead > behind {
        (ahead, "ahead of")
    } else {
        (behind, "behind")
    };
    if off <= MOST_SKEW {
        return Ok(());
    }
    Err(Fault {
        cause: Cause::Clock,
        reason: format!(
            "has a clock {} s {way} ours: nothing is decided until they agree within {} s. \
             Check the time service on both machines",
            off.as_secs(),
            MOST_SKEW.as_secs()
        ),
    })
}
