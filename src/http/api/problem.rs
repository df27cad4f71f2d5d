//! What is said to a request that gets no answer: `application/problem+json` (RFC 9457), with what to do next. Whatever
//! the server's own parts refuse gets the same form; only dialects that know another one keep theirs.

use std::panic::AssertUnwindSafe;

use axum::Json;
use axum::extract::Request;
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures::FutureExt as _;
use recant_core::wording::short;
use serde::Serialize;

/// Headers of one request, and bytes of all of them. The connection itself ends a little above.
const MOST_HEADERS: usize = 100;
const MOST_HEADER_BYTES: usize = 16 << 10;
/// Bytes of path and query.
const LONGEST_URI: usize = 8 << 10;
/// Of an answer that is put into this form.
const MOST_BYTES: usize = 4 << 10;

/// The answer is in the form that its dialect knows, and stays so.
#[derive(Debug, Clone, Copy)]
pub(super) struct InDialect;

/// A request that gets no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Problem {
    pub(super) status: StatusCode,
    /// What happened, to what, and what to do next. Without secrets, and without a full stop at the end.
    pub(super) detail: String,
}

#[derive(Serialize)]
struct Document<'a, D> {
    r#type: &'static str,
    title: &'a str,
    status: u16,
    detail: &'a str,
    /// The same, where clients of Kayenta look for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<D>,
}

impl Problem {
    pub(super) fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self {
            status,
            detail: detail.into(),
        }
    }

    /// The request cannot be understood.
    pub(super) fn bad(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, detail)
    }

    /// Not now: the same request may well get an answer later.
    pub(super) fn unavailable(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, detail)
    }

    /// The problem with what the caller's own dialect reads beside it.
    pub(super) fn with<D: Serialize>(&self, data: Option<D>) -> Response {
        self.document(data, None)
    }

    /// The problem with its text as clients of Kayenta read it.
    pub(super) fn with_message(&self) -> Response {
        self.document::<()>(None, Some(&self.detail))
    }

    fn document<D: Serialize>(&self, data: Option<D>, message: Option<&str>) -> Response {
        let document = Document {
            r#type: "about:blank",
            title: self.status.canonical_reason().unwrap_or("Error"),
            status: self.status.as_u16(),
            detail: &self.detail,
            message,
            data,
        };
        let mut response = (self.status, Json(document)).into_response();
        let kind = HeaderValue::from_static("application/problem+json");
        response.headers_mut().insert(header::CONTENT_TYPE, kind);
        if self.status == StatusCode::TOO_MANY_REQUESTS {
            let soon = HeaderValue::from_static("1");
            response.headers_mut().insert(header::RETRY_AFTER, soon);
        }
        if self.status == StatusCode::UNAUTHORIZED {
            let wanted = HeaderValue::from_static("Bearer realm=\"recant\"");
            response
                .headers_mut()
                .insert(header::WWW_AUTHENTICATE, wanted);
        }
        response
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        self.with::<()>(None)
    }
}

/// Sees to it that every refusal is a problem, whichever part refuses.
pub(super) async fn in_form(request: Request, next: Next) -> Response {
    if let Err(problem) = fits(&request) {
        return problem.into_response();
    }
    let answered = AssertUnwindSafe(next.run(request)).catch_unwind().await;
    let Ok(response) = answered else {
        tracing::error!("a request made a part of the API port fail, which is a fault of Recant");
        let detail = "it failed, which is a fault of Recant: see its log";
        return Problem::new(StatusCode::INTERNAL_SERVER_ERROR, detail).into_response();
    };
    let status = response.status();
    let refused = status.is_client_error() || status.is_server_error();
    if !refused || response.extensions().get::<InDialect>().is_some() {
        return response;
    }
    let kind = response.headers().get(header::CONTENT_TYPE);
    let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    // The façade of Prometheus, say, has errors of its own in JSON.
    if kind.starts_with("application/") && kind.contains("json") {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    let said = axum::body::to_bytes(body, MOST_BYTES).await;
    let said = said.unwrap_or_default();
    let said = short(String::from_utf8_lossy(&said).trim(), 500);
    let detail = match said.as_str() {
        "" if status == StatusCode::METHOD_NOT_ALLOWED => {
            "this path does not take this method: the header `Allow` names those that it does"
                .to_owned()
        }
        "" => "the request cannot be taken: see /openapi.json for what can".to_owned(),
        said => format!("{said}: see /openapi.json for what can be asked"),
    };
    let problem = Problem::new(status, detail).into_response();
    let (made, body) = problem.into_parts();
    parts.headers.remove(header::CONTENT_LENGTH);
    parts.headers.extend(made.headers);
    Response::from_parts(parts, body)
}

fn fits(request: &Request) -> Result<(), Problem> {
    let uri = request.uri();
    let length = uri.path().len() + uri.query().map_or(0, str::len);
    if length > LONGEST_URI {
        let detail =
            format!("path and query are longer than {LONGEST_URI} bytes: ask for less at once");
        return Err(Problem::new(StatusCode::URI_TOO_LONG, detail));
    }
    let headers = request.headers();
    let bytes: usize = headers
        .iter()
        .map(|(name, value)| name.as_str().len() + value.len())
        .sum();
    if headers.len() > MOST_HEADERS || bytes > MOST_HEADER_BYTES {
        let detail = format!(
            "the request has more than {MOST_HEADERS} headers, or more than {} KiB of them: send fewer",
            MOST_HEADER_BYTES / 1024
        );
        let status = StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE;
        return Err(Problem::new(status, detail));
    }
    Ok(())
}
