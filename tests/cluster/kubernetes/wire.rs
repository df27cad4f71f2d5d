//! A client of the real API server whose wire can be broken: calls fail, answers get lost, somebody else is quicker.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use axum::http::{Method, Request, Response};
use futures::future::BoxFuture;
use kube::Client;
use kube::client::Body;

/// What happens between a client and the API server.
#[derive(Default)]
pub(super) struct Wire {
    /// No request arrives.
    down: AtomicBool,
    /// The next patch arrives, its answer does not.
    lose_answer: AtomicBool,
    /// Happens just before the next patch arrives.
    before_patch: Mutex<Option<BoxFuture<'static, ()>>>,
    patches: AtomicUsize,
}

type Answer = Result<Response<Body>, tower::BoxError>;

impl Wire {
    /// A client over this wire.
    pub(super) fn client(self: &Arc<Self>, inner: Client) -> Client {
        let wire = Arc::clone(self);
        let service = tower::service_fn(move |request: Request<Body>| {
            let wire = Arc::clone(&wire);
            let inner = inner.clone();
            async move { wire.carry(inner, request).await }
        });
        Client::new(service, "default")
    }

    pub(super) fn set_down(&self, down: bool) {
        self.down.store(down, Ordering::SeqCst);
    }

    pub(super) fn lose_next_answer(&self) {
        self.lose_answer.store(true, Ordering::SeqCst);
    }

    pub(super) fn before_next_patch(&self, happens: impl Future<Output = ()> + Send + 'static) {
        let mut slot = self.before_patch.lock().expect("nobody panics with it");
        *slot = Some(Box::pin(happens));
    }

    /// How many patches arrived.
    pub(super) fn patches(&self) -> usize {
        self.patches.load(Ordering::SeqCst)
    }

    async fn carry(&self, inner: Client, request: Request<Body>) -> Answer {
        if self.down.load(Ordering::SeqCst) {
            return Err("the wire is down".into());
        }
        if request.method() != Method::PATCH {
            return Ok(inner.send(request).await?);
        }
        let happens = self
            .before_patch
            .lock()
            .expect("nobody panics with it")
            .take();
        if let Some(happens) = happens {
            happens.await;
        }
        self.patches.fetch_add(1, Ordering::SeqCst);
        let answer = inner.send(request).await?;
        if self.lose_answer.swap(false, Ordering::SeqCst) {
            return Err("the answer was lost".into());
        }
        Ok(answer)
    }
}
