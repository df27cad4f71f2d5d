//! One way to post a body to a secret address: bounded in time and size, no redirects, and errors without the address.

use std::error::Error as _;
use std::time::Duration;

use jiff::Timestamp;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use reqwest::{StatusCode, Url, redirect};
use secrecy::{ExposeSecret, SecretString};

use super::NotifyError;

/// Deadline of one attempt, from the name lookup to the last byte of the answer.
pub const TIMEOUT: Duration = Duration::from_secs(10);
/// How much of an answer is read.
const MAX_ANSWER_BYTES: usize = 4096;

/// The HTTP client of all channels.
#[derive(Debug, Clone)]
pub struct HttpClient {
    client: reqwest::Client,
}

/// What the receiver said.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) host: String,
    pub(super) status: StatusCode,
    retry_after: Option<Duration>,
    /// The first bytes of the body; an error where the connection broke before its end.
    pub(super) body: Result<String, String>,
}

impl HttpClient {
    /// A client with the default deadline.
    ///
    /// # Errors
    /// When the system's certificates cannot be loaded.
    pub fn new() -> Result<Self, reqwest::Error> {
        Self::with_timeout(TIMEOUT)
    }

    /// A client with another deadline for each attempt.
    ///
    /// # Errors
    /// When the system's certificates cannot be loaded.
    pub fn with_timeout(timeout: Duration) -> Result<Self, reqwest::Error> {
        crate::tls::install();
        let client = reqwest::Client::builder()
            .user_agent(concat!("recant/", env!("CARGO_PKG_VERSION")))
            .timeout(timeout)
            .connect_timeout(timeout)
            .redirect(redirect::Policy::none())
            // Messages are rare: a kept connection would mostly be found dead, with the fate of the message unknown.
            .pool_max_idle_per_host(0)
            .build()?;
        Ok(Self { client })
    }

    /// Posts a JSON body. `place` says in errors where the address came from.
    pub(super) async fn post(
        &self,
        address: &SecretString,
        place: &str,
        header: Option<(HeaderName, HeaderValue)>,
        body: Vec<u8>,
    ) -> Result<Answer, NotifyError> {
        let (url, host) = parse(address, place)?;
        let request = self
            .client
            .post(url)
            .header(CONTENT_TYPE, "application/json")
            .body(body);
        send(request, host, header, MAX_ANSWER_BYTES).await
    }

    /// Reads from a secret address, at most so many bytes.
    pub(super) async fn get(
        &self,
        address: &SecretString,
        place: &str,
        header: Option<(HeaderName, HeaderValue)>,
        most: usize,
    ) -> Result<Answer, NotifyError> {
        let (url, host) = parse(address, place)?;
        send(self.client.get(url), host, header, most).await
    }
}

/// The address, and what of it may be shown.
fn parse(address: &SecretString, place: &str) -> Result<(Url, String), NotifyError> {
    let url = Url::parse(address.expose_secret())
        .ok()
        .filter(|url| matches!(url.scheme(), "http" | "https"))
        .ok_or_else(|| NotifyError::Address {
            place: place.to_owned(),
        })?;
    let host = match (url.host_str(), url.port()) {
        (Some(host), Some(port)) => format!("{host}:{port}"),
        (Some(host), None) => host.to_owned(),
        (None, _) => "the receiver".to_owned(),
    };
    Ok((url, host))
}

async fn send(
    mut request: reqwest::RequestBuilder,
    host: String,
    header: Option<(HeaderName, HeaderValue)>,
    most: usize,
) -> Result<Answer, NotifyError> {
    if let Some((name, value)) = header {
        request = request.header(name, value);
    }
    let response = match request.send().await {
        Ok(response) => response,
        Err(error) => return Err(classify(host, error)),
    };
    Ok(Answer {
        host,
        status: response.status(),
        retry_after: retry_after(response.headers(), Timestamp::now()),
        body: read_some(response, most).await,
    })
}

impl Answer {
    /// For services that tell a failure in the body of a success.
    pub(super) fn set_status(&mut self, status: u16) {
        self.status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY);
    }

    /// The error that the status stands for, if it is not 2xx; `explain` says what the receiver meant.
    pub(super) fn into_success(
        self,
        explain: impl FnOnce(&str) -> String,
    ) -> Result<Self, NotifyError> {
        let Self {
            host,
            status,
            retry_after,
            body,
        } = self;
        let number = status.as_u16();
        if status.is_success() {
            return Ok(Self {
                host,
                status,
                retry_after,
                body,
            });
        }
        Err(match number {
            429 => NotifyError::Throttled { host, retry_after },
            300..=399 => NotifyError::Redirected {
                host,
                status: number,
            },
            // Request Timeout and Too Early ask for another try; all of 5xx may pass.
            408 | 425 | 500.. => NotifyError::Failing {
                host,
                status: number,
                retry_after,
            },
            _ => NotifyError::Refused {
                host,
                status: number,
                answer: explain(body.as_deref().unwrap_or_default()),
            },
        })
    }
}

fn classify(host: String, error: reqwest::Error) -> NotifyError {
    let not_sent = error.is_connect() || error.is_builder();
    let reason = describe(error);
    if not_sent {
        NotifyError::Unreachable { host, reason }
    } else {
        NotifyError::NoAnswer { host, reason }
    }
}

/// The innermost cause says most (`Connection refused`); the outer ones repeat each other.
pub(super) fn describe(error: reqwest::Error) -> String {
    if error.is_timeout() {
        return "nothing came in time".to_owned();
    }
    let error = error.without_url();
    let mut reason = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        reason = inner.to_string();
        source = inner.source();
    }
    reason
}

async fn read_some(mut response: reqwest::Response, most: usize) -> Result<String, String> {
    let mut body = Vec::new();
    while body.len() < most {
        match response.chunk().await {
            Ok(Some(chunk)) => body.extend_from_slice(&chunk),
            Ok(None) => break,
            Err(error) => return Err(describe(error)),
        }
    }
    body.truncate(most);
    Ok(String::from_utf8_lossy(&body).into_owned())
}

/// RFC 9110: seconds, or a date.
fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = jiff::fmt::rfc2822::parse(text).ok()?.timestamp();
    Duration::try_from(date.duration_since(now)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_read_as_seconds_or_as_a_date() {
        let now: Timestamp = "2026-01-01T00:00:00Z".parse().expect("a time");
        let check = |text: &'static str, expected: Option<u64>| {
            let headers = HeaderMap::from_iter([(RETRY_AFTER, HeaderValue::from_static(text))]);
            assert_eq!(
                retry_after(&headers, now),
                expected.map(Duration::from_secs),
                "{text}"
            );
        };
        check("30", Some(30));
        check(" 0 ", Some(0));
        check("Thu, 01 Jan 2026 00:02:00 GMT", Some(120));
        check("Wed, 31 Dec 2025 23:59:00 GMT", None);
        check("-1", None);
        check("1.5", None);
        check("soon", None);
        check("", None);
    }
}
