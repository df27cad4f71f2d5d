//! Recorded answers of servers: routes, redirects, delays and broken connections, as the controller's client sees them.

use super::super::json::Json;
use super::super::provider::{Fault, FaultClass, Request};
use super::RecordingError;
use super::read::{number, object, text, word};

/// As Go's client, which asks ten times in all.
const MOST_REQUESTS: usize = 10;

/// What the server of recordings is called.
const SERVER: &str = "STUB";

/// Answers of servers by route, and what was asked of them.
#[derive(Debug)]
pub(super) struct Exchange<'c> {
    responses: &'c Json,
    /// In the form of the recordings.
    pub(super) asked: Vec<Json>,
}

/// An answer that came whole.
pub(super) struct Whole {
    pub(super) status: u16,
    pub(super) body: Vec<u8>,
}

fn fault(class: FaultClass, text: impl Into<String>) -> Result<Whole, Fault> {
    Err(Fault::new(class, text))
}

impl<'c> Exchange<'c> {
    pub(super) fn new(case: &'c Json) -> Self {
        Self {
            responses: case.get("responses").unwrap_or(&Json::Null),
            asked: Vec::new(),
        }
    }

    fn route(&self, method: &str, path: &str) -> Option<&'c Json> {
        let routes = [format!("{method} {path}"), path.to_owned(), "*".to_owned()];
        routes.iter().find_map(|route| self.responses.get(route))
    }

    /// Sends a request, and follows where it is sent. The outer error is the recording's, the inner one the client's.
    pub(super) fn send(
        &mut self,
        request: &Request,
    ) -> Result<Result<Whole, Fault>, RecordingError> {
        let address = match check(request) {
            Ok(address) => address,
            Err(fault) => return Ok(Err(fault)),
        };
        let (mut method, mut body) = (request.method.clone(), request.body.clone());
        let mut target = address;
        let mut waited = 0.0;
        for _ in 0..MOST_REQUESTS {
            let (path, query) = target.split_once('?').unwrap_or((&target, ""));
            let mut asked = vec![("method", word(&method)), ("path", word(path))];
            if !query.is_empty() {
                asked.push(("query", word(query)));
            }
            if let Some(body) = &body {
                asked.push(("body", word(body)));
            }
            let Some(answer) = self.route(&method, path) else {
                self.asked.push(object(asked));
                return Ok(Ok(Whole {
                    status: 404,
                    body: Vec::new(),
                }));
            };
            self.asked.push(object(asked));
            waited += number(answer, "delayMs")?.unwrap_or(0.0) / 1000.0;
            if waited > request.timeout as f64 {
                return Ok(fault(FaultClass::Timeout, "there was no answer in time"));
            }
            if !text(answer, "cut")?.is_empty() {
                return Ok(fault(FaultClass::Connection, "there was no whole answer"));
            }
            let status = number(answer, "status")?.unwrap_or(200.0);
            let status = u16::try_from(super::super::expression::truncate(status)).unwrap_or(0);
            let header = |name: &str| {
                let headers = answer.get("headers")?;
                headers.get(name).and_then(Json::as_str)
            };
            if let (301 | 302 | 303 | 307 | 308, Some(location)) = (status, header("Location")) {
                if !matches!(status, 307 | 308) {
                    if method != "HEAD" {
                        "GET".clone_into(&mut method);
                    }
                    body = None;
                }
                location.clone_into(&mut target);
                continue;
            }
            if header("Content-Encoding") == Some("gzip") {
                // Bodies are recorded as they are read: one that says gzip was none.
                return Ok(fault(FaultClass::BadEncoding, "the body cannot be decoded"));
            }
            let body = match answer.get("bodyBase64").and_then(Json::as_str) {
                // A body that came with it has no meaning.
                _ if status == 204 => Vec::new(),
                Some(encoded) => decoded(encoded),
                None => text(answer, "body")?.into_bytes(),
            };
            return Ok(Ok(Whole { status, body }));
        }
        Ok(fault(
            FaultClass::Redirect,
            "there were more than 9 redirects",
        ))
    }
}

/// The path and the query of an address that a client can ask.
fn check(request: &Request) -> Result<String, Fault> {
    let bad = |text: &str| Err(Fault::new(FaultClass::BadAddress, text));
    let is_token =
        |letter: char| letter.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(letter);
    if request.method.is_empty() || !request.method.chars().all(is_token) {
        return bad("the method is no HTTP method");
    }
    let rest = request
        .url
        .strip_prefix("http://")
        .or_else(|| request.url.strip_prefix("https://"));
    let Some(rest) = rest else {
        return bad("the address is none of http:// or https://");
    };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (host, rest) = rest.split_at(end);
    let port = host.rsplit_once(':').map(|(_, port)| port);
    if host.is_empty() {
        return bad("the address names no host");
    }
    if port.is_some_and(|port| port.is_empty() || !port.bytes().all(|digit| digit.is_ascii_digit()))
    {
        return bad("the address names a port that is no number");
    }
    if host != SERVER {
        let text =
            format!("a recording holds the answers of http://{SERVER}, and of no other server");
        return Err(Fault::new(FaultClass::Connection, text));
    }
    let control = |value: &str| {
        value
            .chars()
            .any(|letter| letter.is_control() && letter != '\t')
    };
    if request.headers.iter().any(|(_, value)| control(value)) {
        return Err(Fault::new(
            FaultClass::BadRequest,
            "a header holds a control character",
        ));
    }
    let rest = rest.split('#').next().unwrap_or_default();
    let slash = if rest.starts_with('/') { "" } else { "/" };
    Ok(format!("{slash}{}", rest.replace(' ', "%20")))
}

/// Base64; what is none is left out.
fn decoded(text: &str) -> Vec<u8> {
    let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let (mut bits, mut held, mut bytes) = (0_u32, 0_u32, Vec::new());
    for digit in text.chars() {
        let Some(value) = alphabet.find(digit).and_then(|at| u32::try_from(at).ok()) else {
            continue;
        };
        bits = (bits << 6 | value) & 0xffff;
        held += 6;
        if held >= 8 {
            held -= 8;
            bytes.extend(u8::try_from(bits >> held & 0xff));
        }
    }
    bytes
}
