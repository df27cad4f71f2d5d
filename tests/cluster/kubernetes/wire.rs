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
    /// The next patch is carried out, its answer gets lost.
    lose_answer: AtomicBool,
    /// Happens just before the next patch arrives.
    before_patch: Mutex<Option<BoxFuture<'static, ()>>>,
    /// Patches that were carried out, and those that were not.
    done: AtomicUsize,
    refused: AtomicUsize,
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

    /// How many patches were carried out.
    pub(super) fn done(&self) -> usize {
        self.done.load(Ordering::SeqCst)
    }

    /// How many were refused: a controller may always have been quicker.
    pub(super) fn refused(&self) -> usize {
        self.refused.load(Ordering::SeqCst)
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
        let answer = inner.send(request).await?;
        if !answer.status().is_success() {
            self.refused.fetch_add(1, Ordering::SeqCst);
            return Ok(answer);
        }
        self.done.fetch_add(1, Ordering::SeqCst);
        if self.lose_answer.swap(false, Ordering::SeqCst) {
            return Err("the answer was lost".into());
        }
        Ok(answer)
    }
}
