//! Kayenta's REST API: its canary configs, executions and judge, as Argo's `kayenta` provider and clients of Spinnaker's
//! kind call them. Judged by `core/kayenta`, from samples of the Prometheus that the settings name.
//!
//! What is not here: standalone analyses, comparisons of judges, archives, pipelines, other metric stores. What a config
//! asks for and cannot be honoured is refused by its name. Account names are taken as they are: there is one account.

mod config;
mod described;
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

use arc_swap::ArcSwap;
use async_trait::async_trait;
use jiff::Timestamp;
use recant_core::access::Scope;
use tokio::sync::Semaphore;

use super::Access;
use super::routes::{Needs, Routes};
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
    ranges: ArcSwap<Option<Arc<dyn Ranges>>>,
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
            ranges: ArcSwap::from_pointee(ranges),
            configs: Mutex::new(Configs::load(folder)?),
            executions: Mutex::default(),
            pairs: Mutex::default(),
            at_work: Semaphore::new(AT_ONCE),
        })))
    }

    /// Takes samples from there from now on; executions that have begun end as they began.
    pub fn ask(&self, ranges: Option<Arc<dyn Ranges>>) {
        self.0.ranges.store(Arc::new(ranges));
    }

    fn ranges(&self) -> Option<Arc<dyn Ranges>> {
        Option::clone(&self.0.ranges.load())
    }

    /// Its paths, below `/kayenta`.
    pub(super) fn routes(self, access: &Access) -> Routes<()> {
        let reads = Needs::scope(Scope::Read);
        // Whoever writes a config, or brings one along, says what is asked of Prometheus.
        let writes = Needs::scope(Scope::Administer);
        Routes::new(access, "/kayenta")
            .get(
                "/canaryConfig",
                reads,
                described::configs(),
                handlers::configs,
            )
            .post(
                "/canaryConfig",
                writes,
                described::create(),
                handlers::create,
            )
            .get(
                "/canaryConfig/{id}",
                reads,
                described::config(),
                handlers::config,
            )
            .put(
                "/canaryConfig/{id}",
                writes,
                described::replace(),
                handlers::replace,
            )
            .delete(
                "/canaryConfig/{id}",
                writes,
                described::delete(),
                handlers::delete,
            )
            .post(
                "/canary",
                writes,
                described::start_ad_hoc(),
                handlers::start_ad_hoc,
            )
            .get(
                "/canary/executions",
                reads,
                described::executions(),
                handlers::executions,
            )
            .get(
                "/canary/{id}",
                reads,
                described::execution(),
                handlers::execution,
            )
            .post("/canary/{id}", reads, described::start(), handlers::start)
            .get("/judges", reads, described::judges(), handlers::judges)
            .post("/judges/judge", reads, described::judge(), handlers::judge)
            .post(
                "/metricSetPairList",
                reads,
                described::store_pairs(),
                handlers::store_pairs,
            )
            .get(
                "/metricSetPairList/{id}",
                reads,
                described::pairs(),
                handlers::pairs,
            )
            .get(
                "/credentials",
                reads,
                described::credentials(),
                handlers::credentials,
            )
            .with_state(self)
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
