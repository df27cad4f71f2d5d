//! A small Prometheus, read-only, over Recant's own series: for Argo's `prometheus` provider, Grafana and promtool.
//!
//! Answers come from the last snapshot, and for the past from an hour of points that are kept in memory (`history`);
//! no source is asked. An outage never reads as success: Argo takes an empty vector for one under some conditions, so
//! while Recant cannot look there is 503, be it at all or at what is asked for, and a verdict or a score of nothing that
//! is watched is 422. Expressions are selectors, numbers, and what is cheap on both; everything else is refused by name.

mod alerts;
mod answer;
mod data;
mod described;
mod evaluate;
mod expression;
mod families;
mod handlers;
mod history;
mod parameters;
mod selector;
mod series;

use recant_core::access::Scope;

use super::Api;
use super::access::Access;
use super::routes::{Needs, Routes};

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
pub(super) fn routes(access: &Access) -> Routes<Api> {
    let reads = Needs::scope(Scope::Read);
    let api = |routes: Routes<Api>| {
        routes
            .get("/query", reads, described::query("get"), handlers::query)
            .post("/query", reads, described::query("post"), handlers::query)
            .get(
                "/query_range",
                reads,
                described::range("get"),
                handlers::query_range,
            )
            .post(
                "/query_range",
                reads,
                described::range("post"),
                handlers::query_range,
            )
            .get("/series", reads, described::series("get"), handlers::series)
            .post(
                "/series",
                reads,
                described::series("post"),
                handlers::series,
            )
            .get("/labels", reads, described::labels("get"), handlers::labels)
            .post(
                "/labels",
                reads,
                described::labels("post"),
                handlers::labels,
            )
            .get(
                "/label/{name}/values",
                reads,
                described::values(),
                handlers::values,
            )
            .get(
                "/metadata",
                reads,
                described::metadata(),
                handlers::metadata,
            )
            .get("/rules", reads, described::rules(), alerts::rules)
            .get("/alerts", reads, described::alerts(), alerts::alerts)
            .get(
                "/status/buildinfo",
                reads,
                described::build(),
                handlers::build,
            )
            .nothing_else("/{*rest}", reads, handlers::not_here)
    };
    Routes::new(access, "/prometheus")
        .get(
            "/-/healthy",
            reads,
            described::ready("prometheus.healthy"),
            handlers::ready,
        )
        .get(
            "/-/ready",
            reads,
            described::ready("prometheus.ready"),
            handlers::ready,
        )
        .merge(api(Routes::new(access, "/prometheus/api/v1")))
}
