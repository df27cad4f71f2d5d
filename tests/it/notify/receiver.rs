//! HTTP receivers on loopback that do as they are told.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use futures::stream;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

/// What to answer to one request.
pub(crate) enum Reply {
    Status(StatusCode, HeaderMap, &'static str),
    /// Never.
    Hang,
    /// Status 200, and a body without end.
    Endless,
    /// Status 200, and a body that breaks off.
    Half,
}

impl Reply {
    pub(crate) fn status(status: u16, body: &'static str) -> Self {
        Self::Status(
            StatusCode::from_u16(status).unwrap(),
            HeaderMap::new(),
            body,
        )
    }

    pub(crate) fn with(mut self, name: &'static str, value: &str) -> Self {
        if let Self::Status(_, headers, _) = &mut self {
            headers.insert(name, value.parse().unwrap());
        }
        self
    }
}

/// A request as it arrived.
#[derive(Clone)]
pub(crate) struct Request {
    pub(crate) at: Instant,
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

impl Request {
    pub(crate) fn header(&self, name: &str) -> String {
        self.headers[name].to_str().unwrap().to_owned()
    }
}

/// Answers by its replies in turn, then with an empty 200, or what [`Receiver::then`] says.
pub(crate) struct Receiver {
    pub(crate) base: String,
    shared: Arc<Mutex<Shared>>,
}

#[derive(Default)]
struct Shared {
    replies: VecDeque<Reply>,
    then: Option<(StatusCode, &'static str)>,
    requests: Vec<Request>,
}

impl Receiver {
    pub(crate) async fn start(replies: impl IntoIterator<Item = Reply>) -> Self {
        let shared = Arc::new(Mutex::new(Shared {
            replies: replies.into_iter().collect(),
            then: None,
            requests: Vec::new(),
        }));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().fallback(answer).with_state(shared.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { base, shared }
    }

    /// What is answered when there are no more replies.
    pub(crate) fn then(self, reply: Reply) -> Self {
        if let Reply::Status(status, _, body) = reply {
            self.shared.lock().unwrap().then = Some((status, body));
        }
        self
    }

    pub(crate) fn requests(&self) -> Vec<Request> {
        self.shared.lock().unwrap().requests.clone()
    }
}

async fn answer(
    State(shared): State<Arc<Mutex<Shared>>>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let reply = {
        let mut shared = shared.lock().unwrap();
        shared.requests.push(Request {
            at: Instant::now(),
            path: uri.path().to_owned(),
            headers,
            body: serde_json::from_slice(&body).unwrap(),
        });
        match (shared.replies.pop_front(), shared.then) {
            (None, Some((status, body))) => Some(Reply::Status(status, HeaderMap::new(), body)),
            (reply, _) => reply,
        }
    };
    match reply {
        None => StatusCode::OK.into_response(),
        Some(Reply::Status(status, headers, body)) => (status, headers, body).into_response(),
        Some(Reply::Hang) => std::future::pending().await,
        Some(Reply::Half) => {
            let chunks = stream::iter([
                Ok(Bytes::from_static(b"o")),
                Err(std::io::Error::other("it breaks off")),
            ]);
            Body::from_stream(chunks).into_response()
        }
        Some(Reply::Endless) => {
            let chunks =
                stream::repeat_with(|| Ok::<_, std::io::Error>(Bytes::from_static(&[b'x'; 1024])));
            Body::from_stream(chunks).into_response()
        }
    }
}

/// A receiver that reads whole requests, and then closes the connection without an answer.
pub(crate) struct Cutting {
    pub(crate) base: String,
    bodies: Arc<Mutex<Vec<String>>>,
}

impl Cutting {
    pub(crate) fn bodies(&self) -> Vec<String> {
        self.bodies.lock().unwrap().clone()
    }
}

/// Cuts so many connections, then gives `answer`.
pub(crate) async fn cuts_connections(cuts: usize, answer: &'static str) -> Cutting {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let bodies: Arc<Mutex<Vec<String>>> = Arc::default();
    tokio::spawn({
        let bodies = bodies.clone();
        async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut request = String::new();
                // The body is one object, and it ends with `}}`.
                while !request.ends_with("}}") {
                    let mut chunk = [0; 4096];
                    let length = stream.read(&mut chunk).await.unwrap();
                    request.push_str(std::str::from_utf8(&chunk[..length]).unwrap());
                }
                let count = {
                    let mut bodies = bodies.lock().unwrap();
                    bodies.push(request);
                    bodies.len()
                };
                if count > cuts {
                    stream.write_all(answer.as_bytes()).await.unwrap();
                }
            }
        }
    });
    Cutting { base, bodies }
}
