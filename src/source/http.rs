//! What the sources that ask over HTTP share: bodies bounded while they stream, and errors that name no secrets.

use std::error::Error as _;

use reqwest::StatusCode;
use reqwest::header::LOCATION;

use recant_core::observation::Cause;

/// Why there is no usable answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) cause: Cause,
    /// A phrase that follows the name of the server: `answered 503`.
    pub(super) reason: String,
}

impl Fault {
    pub(super) fn down(reason: impl Into<String>) -> Self {
        Self {
            cause: Cause::Down,
            reason: reason.into(),
        }
    }

    pub(super) fn malformed(reason: impl Into<String>) -> Self {
        Self {
            cause: Cause::Malformed,
            reason: reason.into(),
        }
    }
}

/// The whole body, decompressed; an error as soon as it is longer than `limit` bytes.
pub(super) async fn read_body(
    mut response: reqwest::Response,
    limit: usize,
) -> Result<Vec<u8>, Fault> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| fault_of(&error))? {
        if body.len() + chunk.len() > limit {
            return Err(Fault::malformed(format!(
                "sent an answer larger than {} MiB: it was cut off",
                limit / (1024 * 1024)
            )));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// What a transport error means, without the URL (which may hold what a person typed into it).
pub(super) fn fault_of(error: &reqwest::Error) -> Fault {
    if error.is_timeout() {
        return Fault::down("did not answer in time");
    }
    // The innermost cause is the one that says something: `connection refused`.
    let mut innermost: Option<&dyn std::error::Error> = error.source();
    while let Some(next) = innermost.and_then(std::error::Error::source) {
        innermost = Some(next);
    }
    let detail = innermost.map_or_else(
        || "the request failed".to_owned(),
        |cause| excerpt(&cause.to_string()),
    );
    if error.is_connect() {
        Fault::down(format!("cannot be reached: {detail}"))
    } else if error.is_decode() {
        Fault::malformed(format!("sent a body that cannot be decoded: {detail}"))
    } else {
        Fault::down(format!("did not answer: {detail}"))
    }
}

/// The fault of a redirect. None is followed: it would carry credentials to a host that nobody named.
pub(super) fn redirect_fault(response: &reqwest::Response) -> Option<Fault> {
    let status = response.status();
    if !status.is_redirection() || status == StatusCode::NOT_MODIFIED {
        return None;
    }
    let location = response
        .headers()
        .get(LOCATION)
        .and_then(|location| location.to_str().ok())
        .and_then(|location| response.url().join(location).ok());
    let place = location.map_or_else(
        || "nowhere".to_owned(),
        |url| format!("`{}{}`", address(&url), excerpt(url.path())),
    );
    Some(Fault::down(format!(
        "answered {} with a redirect to {place}, which is not followed: give that address if it is the right one",
        status.as_u16()
    )))
}

/// Scheme, host and port, without credentials.
pub(super) fn address(url: &reqwest::Url) -> String {
    url.origin().ascii_serialization()
}

/// At most 200 characters of foreign text, on one line.
pub(super) fn excerpt(text: &str) -> String {
    const MOST: usize = 200;
    let mut short: String = text
        .chars()
        .take(MOST)
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    if text.chars().nth(MOST).is_some() {
        short.push('…');
    }
    short.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_text_is_short_and_on_one_line() {
        assert_eq!(excerpt("a\r\nb\u{1b}[31m"), "a  b [31m");
        assert_eq!(excerpt(&"x".repeat(5000)).chars().count(), 201);
    }

    #[test]
    fn addresses_carry_no_credentials() {
        let url = "https://user:secret@prom.example:9090/x?token=y"
            .parse()
            .expect("is a URL");
        assert_eq!(address(&url), "https://prom.example:9090");
    }
}
