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
//! | `/approve` | people: the page of a signed link |
//! | `POST /api/v1/…` | people: roll back, hold, resume, freeze |
//! | `GET /openapi.json` | all of this, described |

mod access;
mod alertmanager;
mod approve;
mod argo;
mod body;
mod flagger;
pub mod kayenta;
mod look_up;
mod markers;
mod openapi;
mod orders;
mod problem;
pub mod prometheus;
mod routes;
mod token;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::{StatusCode, header};
use axum::middleware::from_fn;
use axum::response::IntoResponse;
use serde_json::Value;

use recant_core::access::Scope;
use recant_core::hook::Hook;
use recant_core::snapshot::Snapshot;

use super::Ops;
use super::approval::Links;
use super::finder::Finder;
use super::health::Readiness;
use super::metrics::ApiMetrics;
use super::orders::Orders;
use super::reports::Reports;
use super::serve::Limits;
use super::view::{Unviewable, View};
use access::Busy;
use kayenta::Kayenta;
use openapi::Operation;
use problem::Problem;
use prometheus::History;
use routes::{Needs, Routes};

pub use access::{Access, Load, Rates, Reviewed, Reviewer, Reviews, Roster};
pub use token::Token;

/// Bounds of the API port.
pub fn limits() -> Limits {
    Limits {
        connections: 512,
        of_one_address: 256,
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
    /// `None`: nobody orders anything here.
    orders: Option<Orders>,
    /// `None`: nothing is agreed to by links.
    links: Option<Links>,
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
            orders: None,
            links: None,
            marker_key,
            kayenta,
            history: History::default(),
        }
    }

    /// The same, and people's orders go into that queue.
    pub fn taking(self, orders: Orders) -> Self {
        Self {
            orders: Some(orders),
            ..self
        }
    }

    /// The same, and signed links lead to what they ask for.
    pub fn linked(self, links: Option<Links>) -> Self {
        Self { links, ..self }
    }

    /// The past of Recant's own series; whoever makes the API feeds it.
    pub fn history(&self) -> History {
        self.history.clone()
    }

    /// The paths of the API port.
    pub fn router(self, access: &Access, metrics: &ApiMetrics) -> Router {
        let kayenta = self.kayenta.clone().routes(access);
        let routes = Routes::new(access, "")
            .get(
                "/argo/v1/analysis",
                Needs::scope(Scope::Read),
                argo::operation(),
                argo::analysis,
            )
            .post(
                "/flagger/{hook}",
                // A check that fails is never forgotten by Flagger: what cannot be looked at must not be one.
                Needs::scope(Scope::Read).when_busy(Busy::Handler),
                flagger::asking(),
                flagger::ask,
            )
            .post(
                "/flagger/event",
                Needs::scope(Scope::Hooks),
                flagger::hearing("flagger.event", "Flagger's hook `event`: what it tells"),
                flagger::hear,
            )
            .post(
                "/flagger/post-rollout",
                Needs::scope(Scope::Hooks),
                flagger::hearing(
                    "flagger.postRollout",
                    "Flagger's hook `post-rollout`: a release is over",
                ),
                flagger::hear,
            )
            .post(
                "/alertmanager/v1/webhook",
                // It sends nothing again after an answer below 500.
                Needs::scope(Scope::Hooks).when_busy(Busy::Unavailable),
                alertmanager::operation(),
                alertmanager::webhook,
            )
            .post(
                "/markers",
                Needs::signature(),
                markers::operation(),
                markers::mark,
            )
            .merge(orders::routes(access))
            .merge(approve::routes(access))
            .merge(prometheus::routes(access))
            .with_state(self)
            .merge(kayenta);
        let described = described(access, &routes);
        let metrics = metrics.clone();
        routes
            .merge(described)
            .or_else(not_found)
            .layer(from_fn(problem::in_form))
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
            Err(Unviewable::Elsewhere(who)) => return Err(Problem::unavailable(who)),
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

/// The path that describes all paths, itself included.
fn described(access: &Access, routes: &Routes<()>) -> Routes<()> {
    let operation =
        || Operation::new("openapi", "This document").gives::<Value>(200, "An `OpenAPI` document");
    let needs = Needs::scope(Scope::Read);
    let path = "/openapi.json";
    let itself = operation().at("get", path.to_owned(), needs);
    let document = openapi::document(routes.operations().iter().chain([&itself]));
    let text: Arc<str> = document.to_string().into();
    let answer = move || {
        let text = text.clone();
        async move {
            let kind = [(header::CONTENT_TYPE, "application/json")];
            (kind, text.to_string()).into_response()
        }
    };
    Routes::new(access, "").get(path, needs, operation(), answer)
}

async fn not_found() -> Problem {
    let detail = "there is nothing here; there are GET /argo/v1/analysis, POST /flagger/HOOK, \
                  POST /alertmanager/v1/webhook, POST /markers, people's orders below /api/v1, Kayenta's API below /kayenta, \
                  a Prometheus' below /prometheus, and GET /openapi.json, which describes them";
    Problem::new(StatusCode::NOT_FOUND, detail)
}
