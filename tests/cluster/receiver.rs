//! Takes webhooks as Slack and others do, keeps what came, and answers as a test wants.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::local_server::LocalServer;
use crate::wait::wait_for;

/// How a receiver answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reply {
    /// 200 and `ok`, as Slack does.
    Accept,
    /// 500.
    Fail,
    /// 429 with this `Retry-After`.
    SlowDown { seconds: u32 },
    /// Takes the body and never answers.
    Hang,
    /// 302 to another address of the same server.
    Redirect,
    /// Takes the body and closes the connection without a whole answer: nobody knows whether it was taken.
    Cut,
}

/// One request that came.
#[derive(Debug, Clone)]
pub(crate) struct Received {
    pub(crate) at: Timestamp,
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
    /// What it was answered with.
    pub(crate) reply: Reply,
}

impl Received {
    /// The body as JSON; panics when it is none.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body)
            .unwrap_or_else(|error| panic!("a webhook's body is no JSON ({error}): {}", self.body))
    }
}

/// A running receiver; it stops when it is dropped.
#[derive(Debug)]
pub(crate) struct Receiver {
    server: LocalServer,
    desk: Arc<Desk>,
}

#[derive(Debug)]
struct Desk {
    inside: Mutex<Inside>,
    stop: CancellationToken,
}

#[derive(Debug)]
struct Inside {
    reply: Reply,
    received: Vec<Received>,
}

impl Receiver {
    /// Starts one that accepts everything, on every path.
    pub(crate) async fn start() -> Self {
        let stop = CancellationToken::new();
        let desk = Arc::new(Desk {
            inside: Mutex::new(Inside {
                reply: Reply::Accept,
                received: Vec::new(),
            }),
            stop: stop.clone(),
        });
        let router = Router::new()
            .fallback(receive)
            .with_state(Arc::clone(&desk));
        Self {
            server: LocalServer::start(router, stop).await,
            desk,
        }
    }

    pub(crate) fn url(&self) -> &str {
        self.server.url()
    }

    /// From the next request on.
    pub(crate) fn set(&self, reply: Reply) {
        self.desk.inside().reply = reply;
    }

    /// Everything that came, accepted or not.
    pub(crate) fn received(&self) -> Vec<Received> {
        self.desk.inside().received.clone()
    }

    /// Waits until so many have been accepted, and returns these.
    pub(crate) async fn wait_accepted(&self, count: usize, within: Duration) -> Vec<Received> {
        wait_for(&format!("{count} accepted webhooks"), within, || async {
            let all = self.received();
            let accepted: Vec<Received> = all
                .iter()
                .filter(|received| received.reply == Reply::Accept)
                .cloned()
                .collect();
            if accepted.len() >= count {
                Ok(accepted)
            } else {
                let replies: Vec<Reply> = all.iter().map(|received| received.reply).collect();
                Err(format!("answered {replies:?}"))
            }
        })
        .await
    }
}

impl Desk {
    fn inside(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn receive(
    State(desk): State<Arc<Desk>>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let reply = {
        let mut inside = desk.inside();
        let reply = inside.reply;
        inside.received.push(Received {
            at: Timestamp::now(),
            path: uri.path().to_owned(),
            headers,
            body: String::from_utf8_lossy(&body).into_owned(),
            reply,
        });
        reply
    };
    match reply {
        Reply::Accept => "ok".into_response(),
        Reply::Fail => (StatusCode::INTERNAL_SERVER_ERROR, "server_error").into_response(),
        Reply::SlowDown { seconds } => {
            let after = [(header::RETRY_AFTER, seconds.to_string())];
            (StatusCode::TOO_MANY_REQUESTS, after, "rate_limited").into_response()
        }
        Reply::Hang => {
            desk.stop.cancelled().await;
            StatusCode::GATEWAY_TIMEOUT.into_response()
        }
        Reply::Redirect => (StatusCode::FOUND, [(header::LOCATION, "/elsewhere")]).into_response(),
        Reply::Cut => {
            // An error in the body before its first byte: the connection is closed with nothing sent.
            let cut = futures::stream::iter([Err::<Bytes, _>(std::io::Error::other("cut"))]);
            Body::from_stream(cut).into_response()
        }
    }
}
