//! Kayenta's REST API: its canary configs, executions and judge, as Argo's `kayenta` provider and clients of Spinnaker's
//! kind call them. Judged by `core/kayenta`, from samples of the Prometheus that the settings name.
//!
//! What is not here: standalone analyses, comparisons of judges, archives, pipelines, other metric stores. What a config
//! asks for and cannot be honoured is refused by its name. Account names are taken as they are: there is one account.

mod config;
mod execution;
mod handlers;
mod mix;
mod query;
mod request;
mod run;
mod store;

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post};
use jiff::Timestamp;
use tokio::sync::Semaphore;

use super::Access;
use super::access;
use crate::source::prometheus::Series;

use execution::Executions;
use mix::PairLists;
use store::Configs;

pub use store::StoreError;

/// Executions that fetch and judge at once; more wait.
const AT_ONCE: usize = 2;

/// Where samples come from.
#[async_trait]
pub trait Ranges: Send + Sync + std::fmt::Debug {
    /// Every series of an expression between two moments (seconds since 1970), at each `step` seconds.
    ///
    /// # Errors
    /// Why there is no usable answer, as a sentence for people.
    async fn range(
        &self,
        promql: &str,
        from: i64,
        to: i64,
        step: i64,
    ) -> Result<Vec<Series>, String>;
}

/// What the paths of Kayenta work with. Clones share it.
#[derive(Debug, Clone)]
pub struct Kayenta(Arc<Parts>);

#[derive(Debug)]
struct Parts {
    /// `None`: no Prometheus is configured, and only samples that come with a request are judged.
    ranges: Option<Arc<dyn Ranges>>,
    configs: Mutex<Configs>,
    executions: Mutex<Executions>,
    pairs: Mutex<PairLists>,
    at_work: Semaphore,
}

impl Kayenta {
    /// With the configs of a folder, which new ones are written to; without one they go with the process.
    ///
    /// # Errors
    /// The folder or one of its files cannot be read.
    pub fn new(
        ranges: Option<Arc<dyn Ranges>>,
        folder: Option<PathBuf>,
    ) -> Result<Self, StoreError> {
        Ok(Self(Arc::new(Parts {
            ranges,
            configs: Mutex::new(Configs::load(folder)?),
            executions: Mutex::default(),
            pairs: Mutex::default(),
            at_work: Semaphore::new(AT_ONCE),
        })))
    }

    /// Its paths, below `/kayenta`.
    pub(super) fn router(self, access: Access) -> Router {
        let reads = Router::new()
            .route("/canaryConfig", get(handlers::configs))
            .route("/canaryConfig/{id}", get(handlers::config))
            .route("/canary/executions", get(handlers::executions))
            .route(
                "/canary/{id}",
                get(handlers::execution).post(handlers::start),
            )
            .route("/judges", get(handlers::judges))
            .route("/judges/judge", post(handlers::judge))
            .route("/metricSetPairList", post(handlers::store_pairs))
            .route("/metricSetPairList/{id}", get(handlers::pairs))
            .route("/credentials", get(handlers::credentials))
            .route_layer(from_fn_with_state(access.clone(), access::may_read));
        // Whoever writes a config, or brings one along, says what is asked of Prometheus.
        let writes = Router::new()
            .route("/canaryConfig", post(handlers::create))
            .route(
                "/canaryConfig/{id}",
                axum::routing::put(handlers::replace).delete(handlers::delete),
            )
            .route("/canary", post(handlers::start_ad_hoc))
            .route_layer(from_fn_with_state(access, access::may_report));
        let router = reads.merge(writes).with_state(self);
        Router::new().nest("/kayenta", router)
    }

    fn configs(&self) -> MutexGuard<'_, Configs> {
        lock(&self.0.configs)
    }

    fn executions(&self) -> MutexGuard<'_, Executions> {
        lock(&self.0.executions)
    }

    fn pairs(&self) -> MutexGuard<'_, PairLists> {
        lock(&self.0.pairs)
    }
}

/// Nothing in these can panic half way.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A name that nothing had before, in this process or one before it. It need not be hard to guess.
fn new_id() -> String {
    static MADE: AtomicU64 = AtomicU64::new(0);
    let number = MADE.fetch_add(1, Ordering::Relaxed);
    format!("{:013x}-{number:06x}", Timestamp::now().as_millisecond())
}
