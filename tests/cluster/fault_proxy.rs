//! Stands in front of a Prometheus, or of several as a load balancer does, and breaks their answers on command.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use jiff::fmt::rfc2822::DateTimePrinter;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::bed::Bed;
use crate::local_server::LocalServer;

/// More than any clock in a cluster with time synchronisation is wrong by.
const AHEAD: SignedDuration = SignedDuration::from_secs(60);
/// Less than would be refused by itself: two servers of a pair differ by this.
const BEHIND: SignedDuration = SignedDuration::from_secs(8);

/// Prometheus' answers to the tests are a few kilobytes.
const LIMIT: usize = 16 << 20;

/// What the proxy does with a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Passes question and answer.
    None,
    /// Answers 503 in plain text, as a load balancer does.
    Unavailable,
    /// Passes the answer with every value replaced by NaN.
    NotANumber,
    /// Answers well, with nothing in it.
    Empty,
    /// Answers 200 with something that is not JSON.
    Garbage,
    /// Takes the question and never answers.
    Hang,
    /// Passes the answer with a warning, as Thanos does when a store is missing.
    Partial,
    /// Passes the answer with a `Date` and times of evaluation that are a minute ahead, as from a machine whose clock
    /// is wrong.
    Ahead,
    /// Asks as of 8 s ago, as a server that is behind with its scrapes would answer.
    Behind,
    /// Sends to a login page, as a proxy with single sign-on does.
    Redirect,
}

/// A running proxy; it stops when it is dropped.
#[derive(Debug)]
pub(crate) struct FaultProxy {
    server: LocalServer,
    state: Arc<Proxy>,
}

#[derive(Debug)]
struct Proxy {
    http: reqwest::Client,
    upstreams: Vec<String>,
    fault: Mutex<Fault>,
    /// How many questions came since the fault was set.
    questions: Mutex<u64>,
    turn: AtomicUsize,
    stop: CancellationToken,
}

impl FaultProxy {
    /// Starts one that passes everything to `upstreams` (without a slash at the end), in turn.
    pub(crate) async fn start(bed: &Bed, upstreams: &[String]) -> Self {
        let stop = CancellationToken::new();
        let state = Arc::new(Proxy {
            http: bed.http().clone(),
            upstreams: upstreams.to_vec(),
            fault: Mutex::new(Fault::None),
            questions: Mutex::new(0),
            turn: AtomicUsize::new(0),
            stop: stop.clone(),
        });
        let router = Router::new().fallback(pass).with_state(Arc::clone(&state));
        Self {
            server: LocalServer::start(router, stop).await,
            state,
        }
    }

    pub(crate) fn url(&self) -> &str {
        self.server.url()
    }

    /// From the next question on.
    pub(crate) fn set(&self, fault: Fault) {
        *self
            .state
            .fault
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = fault;
        *self
            .state
            .questions
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = 0;
    }

    /// How many questions came since the fault was set: a test of a fault that nobody met shows nothing.
    pub(crate) fn questions(&self) -> u64 {
        *self
            .state
            .questions
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

async fn pass(State(proxy): State<Arc<Proxy>>, request: Request) -> Response {
    *proxy
        .questions
        .lock()
        .unwrap_or_else(PoisonError::into_inner) += 1;
    let fault = *proxy.fault.lock().unwrap_or_else(PoisonError::into_inner);
    let range = request.uri().path().ends_with("query_range");
    match fault {
        Fault::None => proxy.forward(request, |_| ()).await,
        Fault::NotANumber => proxy.forward(request, blank_values).await,
        Fault::Partial => proxy.forward(request, add_warning).await,
        Fault::Ahead => {
            let date =
                DateTimePrinter::new().timestamp_to_rfc9110_string(&(Timestamp::now() + AHEAD));
            let answer = proxy.forward(request, evaluate_later).await;
            (
                [(header::DATE, date.expect("a date of this century"))],
                answer,
            )
                .into_response()
        }
        Fault::Behind => {
            let then = (Timestamp::now() - BEHIND).as_millisecond();
            let (parts, body) = request.into_parts();
            let Ok(mut body) = axum::body::to_bytes(body, LIMIT).await.map(Vec::from) else {
                return StatusCode::BAD_REQUEST.into_response();
            };
            let time = format!("&time={}.{:03}", then / 1000, then % 1000);
            body.extend_from_slice(time.as_bytes());
            let asked = Request::from_parts(parts, Body::from(body));
            proxy.forward(asked, |_| ()).await
        }
        Fault::Unavailable => {
            (StatusCode::SERVICE_UNAVAILABLE, "no server is available").into_response()
        }
        Fault::Empty => {
            let shape = if range { "matrix" } else { "vector" };
            let answer = json!({"status": "success", "data": {"resultType": shape, "result": []}});
            axum::Json(answer).into_response()
        }
        Fault::Garbage => {
            let page = "<html>\u{0}{\"status\":\"success\",\"data\":";
            ([(header::CONTENT_TYPE, "application/json")], page).into_response()
        }
        Fault::Hang => {
            proxy.stop.cancelled().await;
            StatusCode::GATEWAY_TIMEOUT.into_response()
        }
        Fault::Redirect => (StatusCode::FOUND, [(header::LOCATION, "/login")]).into_response(),
    }
}

impl Proxy {
    async fn forward(&self, request: Request, change: impl FnOnce(&mut Value)) -> Response {
        match self.exchange(request, change).await {
            Ok(response) => response,
            Err(error) => (StatusCode::BAD_GATEWAY, error.to_string()).into_response(),
        }
    }

    async fn exchange(
        &self,
        request: Request,
        change: impl FnOnce(&mut Value),
    ) -> anyhow::Result<Response> {
        let (parts, body) = request.into_parts();
        let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
        let body = axum::body::to_bytes(body, LIMIT).await?;
        let turn = self.turn.fetch_add(1, Ordering::Relaxed) % self.upstreams.len();
        let upstream = &self.upstreams[turn];
        let mut forwarded = self
            .http
            .request(parts.method, format!("{upstream}{path}"))
            .body(body);
        for name in [header::CONTENT_TYPE, header::AUTHORIZATION] {
            if let Some(value) = parts.headers.get(&name) {
                forwarded = forwarded.header(name, value);
            }
        }
        let answer = forwarded.send().await?;
        let status = answer.status();
        let json = HeaderValue::from_static("application/json");
        let kind = answer
            .headers()
            .get(header::CONTENT_TYPE)
            .cloned()
            .unwrap_or(json);
        let mut bytes: Bytes = answer.bytes().await?;
        if let Ok(mut value) = serde_json::from_slice::<Value>(&bytes) {
            change(&mut value);
            bytes = serde_json::to_vec(&value)?.into();
        }
        Ok((status, [(header::CONTENT_TYPE, kind)], Body::from(bytes)).into_response())
    }
}

fn blank_values(answer: &mut Value) {
    let Some(result) = answer
        .pointer_mut("/data/result")
        .and_then(Value::as_array_mut)
    else {
        return;
    };
    for series in result {
        if let Some(value) = series.pointer_mut("/value/1") {
            *value = json!("NaN");
        }
        for point in series
            .pointer_mut("/values")
            .and_then(Value::as_array_mut)
            .into_iter()
            .flatten()
        {
            point[1] = json!("NaN");
        }
    }
}

fn evaluate_later(answer: &mut Value) {
    let result = answer.pointer_mut("/data/result");
    for series in result.and_then(Value::as_array_mut).into_iter().flatten() {
        if let Some(time) = series.pointer_mut("/value/0")
            && let Some(seconds) = time.as_f64()
        {
            *time = json!(seconds + AHEAD.as_secs_f64());
        }
    }
}

fn add_warning(answer: &mut Value) {
    answer["warnings"] = json!(["partial response: store `replica-2` did not answer"]);
}
