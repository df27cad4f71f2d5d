//! Serves a port: bounded in connections, header size and time, so that no client can take it from the others.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::Service;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::certificate::Certificate;
use super::peer::{self, Peer};

/// Bounds of a port. The default is what the agent uses for the ops port; tests are quicker.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Connections at once; more wait.
    pub connections: usize,
    /// Connections of one address at once; more are closed, so that the others find a place.
    pub of_one_address: usize,
    /// From the first byte to the end of the request's headers.
    pub headers: Duration,
    /// For the whole connection, which serves one request.
    pub connection: Duration,
    /// For requests at work when the server stops.
    pub shutdown: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 64,
            of_one_address: 64,
            headers: Duration::from_secs(5),
            connection: Duration::from_secs(20),
            shutdown: Duration::from_secs(2),
        }
    }
}

const MAX_HEADER_BYTES: usize = 32 * 1024;
const MAX_HEADERS: usize = 128;

/// Why the server did not start.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    #[error("cannot listen on {address}: {}", hint(source))]
    Bind {
        address: SocketAddr,
        source: io::Error,
    },
}

fn hint(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::AddrInUse => "another process does; choose another port",
        io::ErrorKind::PermissionDenied => {
            "not allowed; choose a port above 1023, or run with the right to bind"
        }
        io::ErrorKind::AddrNotAvailable => "this machine does not have the address",
        _ => "the operating system refuses",
    }
}

/// A running server.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    task: JoinHandle<()>,
    stop: CancellationToken,
}

impl Server {
    /// Listens on `address` and serves `router`; port 0 takes a free one.
    ///
    /// # Errors
    /// When the address cannot be bound.
    pub async fn start(
        address: SocketAddr,
        router: Router,
        limits: Limits,
    ) -> Result<Self, ServeError> {
        Self::start_with(address, router, limits, None).await
    }

    /// The same over TLS, when there is a certificate.
    ///
    /// # Errors
    /// When the address cannot be bound.
    pub async fn start_with(
        address: SocketAddr,
        router: Router,
        limits: Limits,
        certificate: Option<Arc<Certificate>>,
    ) -> Result<Self, ServeError> {
        let bind = |source| ServeError::Bind { address, source };
        let listener = TcpListener::bind(address).await.map_err(bind)?;
        let address = listener.local_addr().map_err(bind)?;
        let stop = CancellationToken::new();
        let task = tokio::spawn(accept(listener, router, limits, certificate, stop.clone()));
        Ok(Self {
            address,
            task,
            stop,
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Stops accepting, and waits a little for requests at work.
    pub async fn shutdown(self) {
        self.stop.cancel();
        if let Err(error) = self.task.await {
            tracing::error!(%error, "a server ended with a panic");
        }
    }
}

async fn accept(
    listener: TcpListener,
    router: Router,
    limits: Limits,
    certificate: Option<Arc<Certificate>>,
    stop: CancellationToken,
) {
    let free = Arc::new(Semaphore::new(limits.connections));
    let addresses = Addresses::default();
    let mut connections = JoinSet::new();
    loop {
        let next = async {
            let permit = free.clone().acquire_owned().await;
            (permit, listener.accept().await)
        };
        let (permit, accepted) = tokio::select! {
            // A stop goes before more work.
            biased;
            () = stop.cancelled() => break,
            // Results of old connections are not kept.
            Some(_) = connections.join_next() => continue,
            next = next => next,
        };
        match accepted {
            Ok((stream, address)) => {
                let address = address.ip().to_canonical();
                let Some(place) = addresses.take(address, limits.of_one_address) else {
                    tracing::debug!(%address, "too many connections of one address");
                    continue;
                };
                let serving = serve(
                    stream,
                    address,
                    router.clone(),
                    limits.clone(),
                    certificate.clone(),
                );
                connections.spawn(async move {
                    serving.await;
                    drop((permit, place));
                });
            }
            Err(error) => {
                // Out of file descriptors, most likely: others have to be closed first.
                tracing::warn!(%error, "a connection could not be accepted");
                sleep(Duration::from_millis(100)).await;
            }
        }
    }
    // Who connects from now on is turned away at once, not left waiting.
    drop(listener);
    let all = async { while connections.join_next().await.is_some() {} };
    if timeout(limits.shutdown, all).await.is_err() {
        connections.shutdown().await;
    }
}

/// How many connections each address has; as many addresses at most as there are connections.
#[derive(Debug, Clone, Default)]
struct Addresses(Arc<Mutex<HashMap<IpAddr, usize>>>);

/// The place of one connection, until it is dropped.
struct Place {
    of: Addresses,
    address: IpAddr,
}

impl Addresses {
    fn take(&self, address: IpAddr, most: usize) -> Option<Place> {
        let mut taken = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = taken.entry(address).or_default();
        if *count >= most {
            return None;
        }
        *count += 1;
        Some(Place {
            of: self.clone(),
            address,
        })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.of.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = taken.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                taken.remove(&self.address);
            }
        }
    }
}

async fn serve(
    stream: TcpStream,
    address: IpAddr,
    router: Router,
    limits: Limits,
    certificate: Option<Arc<Certificate>>,
) {
    let within = limits.connection;
    let mut peer = Peer {
        address,
        certificate: None,
    };
    let connection = async {
        let Some(certificate) = certificate else {
            return speak(stream, peer, router, &limits).await;
        };
        match timeout(limits.headers, certificate.acceptor().accept(stream)).await {
            Ok(Ok(stream)) => {
                let shown = stream.get_ref().1.peer_certificates();
                if let Some(first) = shown.and_then(<[_]>::first) {
                    let Some(names) = peer::names(first) else {
                        return tracing::info!(%address, "the certificate of a client cannot be read");
                    };
                    peer.certificate = Some(Arc::new(names));
                }
                speak(stream, peer, router, &limits).await;
            }
            Ok(Err(error)) => tracing::debug!(%address, %error, "a client did not agree on TLS"),
            Err(_) => tracing::debug!(%address, "a client did not come to an end with TLS"),
        }
    };
    if timeout(within, connection).await.is_err() {
        tracing::debug!(%address, "a connection took too long");
    }
}

async fn speak<S>(stream: S, peer: Peer, router: Router, limits: &Limits)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.headers)
        .max_buf_size(MAX_HEADER_BYTES)
        .max_headers(MAX_HEADERS)
        // Questions are rare: an idle connection would only take the place of another.
        .keep_alive(false)
        .serve_connection(
            TokioIo::new(stream),
            WithPeer {
                peer,
                router: TowerToHyperService::new(router),
            },
        );
    if let Err(error) = connection.await {
        tracing::debug!(%error, "a connection failed");
    }
}

/// Tells each request where it comes from.
struct WithPeer {
    peer: Peer,
    router: TowerToHyperService<Router>,
}

impl Service<hyper::Request<Incoming>> for WithPeer {
    type Response = <TowerToHyperService<Router> as Service<hyper::Request<Incoming>>>::Response;
    type Error = <TowerToHyperService<Router> as Service<hyper::Request<Incoming>>>::Error;
    type Future = <TowerToHyperService<Router> as Service<hyper::Request<Incoming>>>::Future;

    fn call(&self, mut request: hyper::Request<Incoming>) -> Self::Future {
        request.extensions_mut().insert(self.peer.clone());
        self.router.call(request)
    }
}
