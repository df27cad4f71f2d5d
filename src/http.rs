//! The ops port: what Kubernetes, Prometheus and people ask about Recant itself. Only reads, and no secrets. What other
//! programs ask about releases is a port of its own: `api`.
//!
//! | path | answer |
//! |---|---|
//! | `/healthz` | 200 while the loop ticks, 503 when it is stuck: restart it |
//! | `/readyz` | 200 when it works, 503 with the reasons why it does not yet |
//! | `/metrics` | `OpenMetrics` about itself |
//! | `/snapshot` | JSON: what it watches and what it thinks of it |

pub mod api;
pub mod approval;
pub mod certificate;
pub mod finder;
pub mod health;
pub mod metrics;
pub mod orders;
mod peer;
pub mod reports;
pub mod serve;
pub mod snapshot;
pub mod view;

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use prometheus_client::registry::Registry;

use finder::Finder;
use health::{Health, Readiness};
use snapshot::SnapshotCell;
use view::View;

/// What the ops port shows. Clones share the same parts.
#[derive(Debug, Clone)]
pub struct Ops {
    pub health: Arc<Health>,
    pub readiness: Arc<Readiness>,
    pub registry: Arc<Registry>,
    pub snapshot: Arc<SnapshotCell>,
    /// The same as other programs are answered from it.
    pub view: Arc<View>,
    /// Finds workloads by the names that others use of them.
    pub finder: Arc<Finder>,
}

impl Ops {
    /// The paths of the ops port.
    pub fn router(self) -> Router {
        Router::new()
            .route("/healthz", get(healthz))
            .route("/readyz", get(readyz))
            .route("/metrics", get(metrics))
            .route("/snapshot", get(snapshot))
            .fallback(not_found)
            .with_state(self)
    }
}

async fn healthz(State(ops): State<Ops>) -> Response {
    match ops.health.check() {
        Ok(text) => (StatusCode::OK, text).into_response(),
        Err(text) => (StatusCode::SERVICE_UNAVAILABLE, text).into_response(),
    }
}

async fn readyz(State(ops): State<Ops>) -> Response {
    let reasons = ops.readiness.reasons();
    if reasons.is_empty() {
        return (StatusCode::OK, "ready\n").into_response();
    }
    let lines: Vec<String> = reasons
        .iter()
        .map(|(part, reason)| format!("- {part}: {reason}\n"))
        .collect();
    let text = format!("not ready:\n{}", lines.concat());
    (StatusCode::SERVICE_UNAVAILABLE, text).into_response()
}

async fn metrics(State(ops): State<Ops>) -> Response {
    let mut text = String::new();
    match prometheus_client::encoding::text::encode(&mut text, &ops.registry) {
        Ok(()) => {
            let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
            ([(header::CONTENT_TYPE, kind)], text).into_response()
        }
        Err(error) => {
            tracing::error!(%error, "the metrics could not be written out");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

async fn snapshot(State(ops): State<Ops>) -> Response {
    match ops.snapshot.to_json() {
        Ok(json) => ([(header::CONTENT_TYPE, "application/json")], json).into_response(),
        Err(error) => {
            tracing::error!(%error, "the snapshot could not be written out");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

async fn not_found() -> Response {
    let text = "there is nothing here; there are /healthz, /readyz, /metrics and /snapshot\n";
    (StatusCode::NOT_FOUND, text).into_response()
}
