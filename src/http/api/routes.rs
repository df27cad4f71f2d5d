//! The paths of the API port: none can be added without the scope that it needs and a description for /openapi.json.

use axum::Router;
use axum::extract::Request;
use axum::handler::Handler;
use axum::middleware::from_fn_with_state;
use axum::routing::{MethodFilter, any, on};
use recant_core::access::Scope;

use super::access::{Access, Busy, Guard, guard};
use super::openapi::Operation;

/// What a path needs.
#[derive(Debug, Clone, Copy)]
pub(super) struct Needs {
    /// `None`: a signature, which its handler checks.
    pub(super) scope: Option<Scope>,
    /// Who signs, as metrics and journal call them.
    signer: &'static str,
    busy: Busy,
}

impl Needs {
    /// A caller with this scope; 429 when there is no room.
    pub(super) fn scope(scope: Scope) -> Self {
        Self {
            scope: Some(scope),
            signer: "",
            busy: Busy::TooMany,
        }
    }

    /// A signature of a deployment marker.
    pub(super) fn signature() -> Self {
        Self::signature_of("markerKey")
    }

    /// A signature.
    pub(super) fn signature_of(signer: &'static str) -> Self {
        Self {
            scope: None,
            signer,
            busy: Busy::TooMany,
        }
    }

    /// What it says when there is no room.
    pub(super) fn when_busy(self, busy: Busy) -> Self {
        Self { busy, ..self }
    }
}

/// Paths with their descriptions.
#[derive(Debug)]
pub(super) struct Routes<S> {
    router: Router<S>,
    operations: Vec<Operation>,
    access: Access,
    prefix: &'static str,
}

impl<S: Clone + Send + Sync + 'static> Routes<S> {
    /// None yet; all will lie below `prefix`.
    pub(super) fn new(access: &Access, prefix: &'static str) -> Self {
        Self {
            router: Router::new(),
            operations: Vec::new(),
            access: access.clone(),
            prefix,
        }
    }

    pub(super) fn get<H: Handler<T, S>, T: 'static>(
        self,
        path: &str,
        needs: Needs,
        operation: Operation,
        handler: H,
    ) -> Self {
        self.add((MethodFilter::GET, "get"), path, needs, operation, handler)
    }

    pub(super) fn post<H: Handler<T, S>, T: 'static>(
        self,
        path: &str,
        needs: Needs,
        operation: Operation,
        handler: H,
    ) -> Self {
        self.add(
            (MethodFilter::POST, "post"),
            path,
            needs,
            operation,
            handler,
        )
    }

    pub(super) fn put<H: Handler<T, S>, T: 'static>(
        self,
        path: &str,
        needs: Needs,
        operation: Operation,
        handler: H,
    ) -> Self {
        self.add((MethodFilter::PUT, "put"), path, needs, operation, handler)
    }

    pub(super) fn delete<H: Handler<T, S>, T: 'static>(
        self,
        path: &str,
        needs: Needs,
        operation: Operation,
        handler: H,
    ) -> Self {
        let method = (MethodFilter::DELETE, "delete");
        self.add(method, path, needs, operation, handler)
    }

    fn add<H: Handler<T, S>, T: 'static>(
        mut self,
        (filter, method): (MethodFilter, &'static str),
        path: &str,
        needs: Needs,
        operation: Operation,
        handler: H,
    ) -> Self {
        let path = format!("{}{path}", self.prefix);
        let before = self.guard(&path, needs);
        let route = on(filter, handler).route_layer(from_fn_with_state(before, guard));
        self.router = self.router.route(&path, route);
        self.operations.push(operation.at(method, path, needs));
        self
    }

    /// What answers whatever else there could be below a path, by refusing it in its dialect: there is nothing to describe.
    pub(super) fn nothing_else<H: Handler<T, S>, T: 'static>(
        mut self,
        path: &str,
        needs: Needs,
        handler: H,
    ) -> Self {
        let path = format!("{}{path}", self.prefix);
        let route = any(handler).layer(from_fn_with_state(self.guard(&path, needs), guard));
        self.router = self.router.route(&path, route);
        self
    }

    fn guard(&self, path: &str, needs: Needs) -> Guard {
        let Needs {
            scope,
            signer,
            busy,
        } = needs;
        Guard {
            access: self.access.clone(),
            path: path.into(),
            scope,
            signer,
            busy,
        }
    }

    /// Both.
    pub(super) fn merge(mut self, other: Self) -> Self {
        self.router = self.router.merge(other.router);
        self.operations.extend(other.operations);
        self
    }

    /// With what its handlers work with.
    pub(super) fn with_state(self, state: S) -> Routes<()> {
        let Self {
            router,
            operations,
            access,
            prefix,
        } = self;
        Routes {
            router: router.with_state(state),
            operations,
            access,
            prefix,
        }
    }
}

impl Routes<()> {
    /// What there is so far.
    pub(super) fn operations(&self) -> &[Operation] {
        &self.operations
    }

    /// The paths, and what answers where there is none.
    pub(super) fn or_else<H: Handler<T, ()>, T: 'static>(self, fallback: H) -> Router {
        self.router.fallback(fallback)
    }
}

/// The request's caller, as reports name it.
pub(super) fn reporter(request: &Request) -> Option<String> {
    let caller = request.extensions().get::<super::access::Caller>();
    caller.map(|caller| caller.name.to_string())
}
