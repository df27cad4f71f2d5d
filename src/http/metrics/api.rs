//! Metrics of the API port.
//!
//! Paths that are not served are counted as one: labels must not grow with what strangers ask for. Callers are those of
//! the settings, by the name that they have there.

use std::sync::Arc;

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

/// Counts requests; clones share the counters.
#[derive(Debug, Clone, Default)]
pub struct ApiMetrics {
    requests: Family<RequestLabels, Counter>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    dialect: &'static str,
    caller: String,
    status: u16,
}

/// Whose request an answer is for.
#[derive(Debug, Clone)]
pub(in crate::http) struct CallerLabel(pub(in crate::http) Arc<str>);

/// The first part of each path that is served.
const DIALECTS: [&str; 6] = [
    "argo",
    "flagger",
    "alertmanager",
    "markers",
    "kayenta",
    "prometheus",
];

impl ApiMetrics {
    pub(super) fn register(&self, registry: &mut Registry) {
        let Self { requests } = self;
        registry.register(
            "api_requests",
            "Requests to the API port, by dialect, caller and status of the answer",
            requests.clone(),
        );
    }

    /// Answers the request, and counts it.
    pub(in crate::http) async fn count(self, request: Request, next: Next) -> Response {
        let first = request.uri().path().split('/').nth(1).unwrap_or_default();
        let dialect = DIALECTS
            .into_iter()
            .find(|dialect| *dialect == first)
            .unwrap_or("other");
        let response = next.run(request).await;
        let status = response.status().as_u16();
        let caller = response.extensions().get::<CallerLabel>();
        let caller = caller.map_or_else(|| "none".to_owned(), |label| label.0.to_string());
        self.requests
            .get_or_create(&RequestLabels {
                dialect,
                caller,
                status,
            })
            .inc();
        response
    }
}
