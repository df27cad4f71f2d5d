//! A small HTTP server on a free loopback port, stopped when it is dropped.

use axum::Router;
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};

/// A running server.
#[derive(Debug)]
pub(crate) struct LocalServer {
    url: String,
    _stop: DropGuard,
}

impl LocalServer {
    /// Serves `router` until this is dropped. `stop` ends answers that would hang for ever.
    pub(crate) async fn start(router: Router, stop: CancellationToken) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0")
            .await
            .expect("loopback has a free port");
        let address = listener
            .local_addr()
            .expect("a bound socket has an address");
        let stopped = stop.clone().cancelled_owned();
        tokio::spawn(async move {
            axum::serve(listener, router)
                .with_graceful_shutdown(stopped)
                .await
        });
        Self {
            url: format!("http://{address}"),
            _stop: stop.drop_guard(),
        }
    }

    /// `http://127.0.0.1:PORT`, without a slash at the end.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }
}
