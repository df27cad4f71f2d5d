//! The API port: what other programs ask about releases, each in its own dialect, and what they report.
//!
//! Answers come from the last snapshot: no request makes a source, the cluster or the engine work, but for Kayenta's,
//! which are judged from samples of their own. What is reported waits in one bounded queue for the next tick.
//!
//! | path | for |
//! |---|---|
//! | `GET /argo/v1/analysis` | Argo Rollouts' `web` provider |
//! | `POST /flagger/{hook}` | Flagger's webhooks |
//! | `POST /alertmanager/v1/webhook` | Alertmanager, as a receiver |
//! | `POST /markers` | CI: what was deployed when |
//! | `/kayenta/…` | Kayenta's REST API |
//! | `/prometheus/api/v1/…` | what asks a Prometheus: Argo's `prometheus` provider, Grafana, promtool |

mod access;
mod alertmanager;
mod argo;
mod body;
mod flagger;
pub mod kayenta;
mod look_up;
mod markers;
mod problem;
pub mod prometheus;
mod token;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::{get, post};

use recant_core::hook::Hook;
use recant_core::snapshot::Snapshot;

use super::Ops;
use super::finder::Finder;
use super::health::Readiness;
use super::metrics::ApiMetrics;
use super::reports::Reports;
use super::serve::Limits;
use super::view::{Unviewable, View};
use kayenta::Kayenta;
use problem::Problem;
use prometheus::History;

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
    finder: Arc<Finder>,
    reports: Reports,
    marker_key: Option<Arc<Token>>,
    kayenta: Kayenta,
    history: History,
}

impl Api {
    /// An API that shows what the ops port shows, and puts reports into the queue. Markers are signed with
    /// `marker_key`; without one there are none.
    pub fn new(
        ops: &Ops,
        reports: Reports,
        marker_key: Option<Arc<Token>>,
        kayenta: Kayenta,
    ) -> Self {
        Self {
            view: ops.view.clone(),
            readiness: ops.readiness.clone(),
            finder: ops.finder.clone(),
            reports,
            marker_key,
            kayenta,
            history: History::default(),
        }
    }

    /// The past of Recant's own series; whoever makes the API feeds it.
    pub fn history(&self) -> History {
        self.history.clone()
    }

    /// The paths of the API port.
    pub fn router(self, access: Access, metrics: &ApiMetrics) -> Router {
        let reads = Router::new()
            .route("/argo/v1/analysis", get(argo::analysis))
            .route("/flagger/{hook}", post(flagger::ask))
            .merge(prometheus::router())
            .route_layer(from_fn_with_state(access.clone(), access::may_read));
        let hooks = Router::new()
            .route("/flagger/event", post(flagger::hear))
            .route("/flagger/post-rollout", post(flagger::hear))
            .route("/alertmanager/v1/webhook", post(alertmanager::webhook))
            .route_layer(from_fn_with_state(access.clone(), access::may_report));
        // Its signature says who sends it.
        let markers = Router::new().route("/markers", post(markers::mark));
        let kayenta = self.kayenta.clone().router(access);
        let metrics = metrics.clone();
        Router::new()
            .merge(reads)
            .merge(hooks)
            .merge(markers)
            .with_state(self)
            .merge(kayenta)
            .fallback(not_found)
            .method_not_allowed_fallback(wrong_method)
            .layer(from_fn(move |request, next| {
                metrics.clone().count(request, next)
            }))
    }

    /// Waits until reports are durable.
    async fn submit(&self, hooks: Vec<Hook>) -> Result<(), Problem> {
        let submitted = self.reports.submit(hooks).await;
        submitted.map_err(|why| Problem::unavailable(format!("not taken: {why}; send it again")))
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
    let detail = "there is nothing here; there are GET /argo/v1/analysis, POST /flagger/HOOK, \
                  POST /alertmanager/v1/webhook, POST /markers, Kayenta's API below /kayenta and a Prometheus' below /prometheus";
    Problem::new(StatusCode::NOT_FOUND, detail)
}

async fn wrong_method() -> Problem {
    let detail = "this path does not take this method; see the README for what it takes";
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, detail)
}
