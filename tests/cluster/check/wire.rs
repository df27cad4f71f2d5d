//! Stands between the program and the API server, with the identity of its client, and counts what goes through.

use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use kube::Client;
use tokio_util::sync::CancellationToken;

use crate::local_server::LocalServer;

/// Asking what one may do is a POST by its form; nothing is stored.
const REVIEWS: &str = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";

/// A running wire; it stops when it is dropped.
pub(super) struct Wire {
    server: Option<LocalServer>,
    namespace: String,
    seen: Arc<Seen>,
}

#[derive(Default)]
struct Seen {
    reads: Mutex<u64>,
    writes: Mutex<Vec<String>>,
}

#[derive(Clone)]
struct Passing {
    client: Client,
    seen: Arc<Seen>,
}

impl Wire {
    /// Passes everything on with `client`.
    pub(super) async fn start(client: Client, namespace: &str) -> Self {
        let seen = Arc::new(Seen::default());
        let passing = Passing {
            client,
            seen: Arc::clone(&seen),
        };
        let router = Router::new().fallback(pass).with_state(passing);
        Self {
            server: Some(LocalServer::start(router, CancellationToken::new()).await),
            namespace: namespace.to_owned(),
            seen,
        }
    }

    /// One that nobody listens to.
    pub(super) fn to_nowhere(namespace: &str) -> Self {
        Self {
            server: None,
            namespace: namespace.to_owned(),
            seen: Arc::default(),
        }
    }

    pub(super) fn url(&self) -> &str {
        self.server
            .as_ref()
            .map_or("http://127.0.0.1:1", LocalServer::url)
    }

    pub(super) fn namespace(&self) -> &str {
        &self.namespace
    }

    /// Requests that change nothing.
    pub(super) fn reads(&self) -> u64 {
        *self
            .seen
            .reads
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Every other request: method and path.
    pub(super) fn writes(&self) -> Vec<String> {
        let writes = self.seen.writes.lock();
        writes.unwrap_or_else(PoisonError::into_inner).clone()
    }
}

async fn pass(State(passing): State<Passing>, request: Request) -> Response {
    let Passing { client, seen } = passing;
    let (mut parts, body) = request.into_parts();
    let path = parts.uri.path().to_owned();
    if parts.method == Method::GET || path == REVIEWS {
        *seen.reads.lock().unwrap_or_else(PoisonError::into_inner) += 1;
    } else {
        let mut writes = seen.writes.lock().unwrap_or_else(PoisonError::into_inner);
        writes.push(format!("{} {path}", parts.method));
    }
    parts.headers.remove(header::HOST);
    let Ok(body) = to_bytes(body, 1 << 20).await else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    let request = axum::http::Request::from_parts(parts, kube::client::Body::from(body));
    match client.send(request).await {
        Ok(answer) => answer.map(Body::new),
        Err(error) => (StatusCode::BAD_GATEWAY, error.to_string()).into_response(),
    }
}
