//! The API port: what other programs ask about releases, each in its own dialect, and what they report.
//!
//! Answers come from the last snapshot: no request makes a source, the cluster or the engine work. What is reported
//! waits in one bounded queue for the next tick.
//!
//! | path | for |
//! |---|---|
//! | `GET /argo/v1/analysis` | Argo Rollouts' `web` provider |

mod access;
mod argo;
mod problem;
mod token;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::get;

use recant_core::snapshot::Snapshot;

use super::Ops;
use super::health::Readiness;
use super::metrics::ApiMetrics;
use super::serve::Limits;
use super::view::{Unviewable, View};
use problem::Problem;

pub use access::Access;
pub use token::Token;

/// Bounds of the API port.
pub fn limits() -> Limits {
    Limits {
        connections: 512,
        headers: Duration::from_secs(5),
        connection: Duration::from_secs(20),
        shutdown: Duration::from_secs(2),
    }
}

/// What the API port answers from. Clones share the same parts.
#[derive(Debug, Clone)]
pub struct Api {
    view: Arc<View>,
    readiness: Arc<Readiness>,
}

impl Api {
    /// An API that shows what the ops port shows.
    pub fn new(ops: &Ops) -> Self {
        Self {
            view: ops.view.clone(),
            readiness: ops.readiness.clone(),
        }
    }

    /// The paths of the API port.
    pub fn router(self, access: Access, metrics: &ApiMetrics) -> Router {
        let reads = Router::new()
            .route("/argo/v1/analysis", get(argo::analysis))
            .route_layer(from_fn_with_state(access, access::may_read));
        let metrics = metrics.clone();
        Router::new()
            .merge(reads)
            .fallback(not_found)
            .method_not_allowed_fallback(wrong_method)
            .layer(from_fn(move |request, next| {
                metrics.clone().count(request, next)
            }))
            .with_state(self)
    }

    /// The last snapshot.
    fn snapshot(&self) -> Result<Arc<Snapshot>, Problem> {
        let why = match self.view.load() {
            Ok(snapshot) => return Ok(snapshot),
            Err(Unviewable::Stale(age)) => format!(
                "nothing was looked at for {} s, so what was known then says nothing about now",
                age.as_secs()
            ),
            Err(Unviewable::Starting) => "nothing was looked at yet".to_owned(),
        };
        let reasons = self.readiness.reasons();
        let parts: Vec<String> = reasons
            .iter()
            .map(|(part, reason)| format!("{part}: {reason}"))
            .collect();
        let detail = match parts.as_slice() {
            [] => why,
            parts => format!("{why} ({})", parts.join("; ")),
        };
        Err(Problem::unavailable(detail))
    }
}

async fn not_found() -> Problem {
    let detail = "there is nothing here; there is GET /argo/v1/analysis";
    Problem::new(StatusCode::NOT_FOUND, detail)
}

async fn wrong_method() -> Problem {
    let detail = "this path does not take this method; see the README for what it takes";
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, detail)
}
