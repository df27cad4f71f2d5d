//! A small Prometheus, read-only, over Recant's own series: for Argo's `prometheus` provider, Grafana and promtool.
//!
//! Answers come from the last snapshot, and for the past from an hour of points that are kept in memory (`history`);
//! no source is asked. An outage never reads as success: Argo takes an empty vector for one under some conditions, so
//! while Recant cannot look there is 503, be it at all or at what is asked for, and a verdict or a score of nothing that
//! is watched is 422. Expressions are selectors, numbers, and what is cheap on both; everything else is refused by name.

mod alerts;
mod answer;
mod data;
mod evaluate;
mod expression;
mod families;
mod handlers;
mod history;
mod parameters;
mod selector;
mod series;

use axum::Router;
use axum::routing::{any, get};

use super::Api;

pub use history::History;

/// Bytes of an expression.
pub const MOST_EXPRESSION_BYTES: usize = 2048;
/// Moments of a range, as many as Prometheus gives.
pub const MOST_STEPS: usize = 11_000;
/// Series that one answer holds.
pub const MOST_SERIES: usize = 10_000;
/// Values that one answer is made of: series by moments.
pub const MOST_VALUES: usize = 100_000;
/// Series that the past is kept of.
pub const MOST_KEPT_SERIES: usize = 5_000;

/// Its paths, below `/prometheus`.
pub(super) fn router() -> Router<Api> {
    let api = Router::new()
        .route("/query", get(handlers::query).post(handlers::query))
        .route(
            "/query_range",
            get(handlers::query_range).post(handlers::query_range),
        )
        .route("/series", get(handlers::series).post(handlers::series))
        .route("/labels", get(handlers::labels).post(handlers::labels))
        .route("/label/{name}/values", get(handlers::values))
        .route("/metadata", get(handlers::metadata))
        .route("/rules", get(alerts::rules))
        .route("/alerts", get(alerts::alerts))
        .route("/status/buildinfo", get(handlers::build))
        .route("/{*rest}", any(handlers::not_here));
    let router = Router::new()
        .nest("/api/v1", api)
        .route("/-/healthy", get(handlers::ready))
        .route("/-/ready", get(handlers::ready));
    Router::new().nest("/prometheus", router)
}
