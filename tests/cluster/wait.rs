//! Waiting on conditions: bounded, level-triggered, and a failure says what was seen last.

use std::fmt::Debug;
use std::pin::pin;
use std::time::Duration;

use futures::StreamExt as _;
use kube::runtime::{WatchStreamExt as _, watcher};
use kube::{Api, Resource};
use serde::de::DeserializeOwned;
use tokio::time::{Instant, sleep, timeout_at};

/// How often a condition is looked at.
const PERIOD: Duration = Duration::from_millis(50);

/// Looks until `look` returns a value; panics with the last `Err` when that takes longer than `within`.
pub(crate) async fn wait_for<T, F>(what: &str, within: Duration, mut look: impl FnMut() -> F) -> T
where
    F: Future<Output = Result<T, String>>,
{
    let deadline = Instant::now() + within;
    let mut last = "nothing yet".to_owned();
    loop {
        let Ok(looked) = timeout_at(deadline, look()).await else {
            panic!("waited {within:?} for {what}; it hung; last seen: {last}");
        };
        match looked {
            Ok(value) => return value,
            Err(seen) => last = seen,
        }
        assert!(
            Instant::now() < deadline,
            "waited {within:?} for {what}; last seen: {last}"
        );
        sleep(PERIOD).await;
    }
}

/// The same for what can be looked at without waiting. What was seen last is put into words only when it must be told.
pub(crate) async fn wait_until<T>(
    what: &str,
    within: Duration,
    mut look: impl FnMut() -> Option<T>,
    seen: impl FnOnce() -> String,
) -> T {
    let deadline = Instant::now() + within;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(
            Instant::now() < deadline,
            "waited {within:?} for {what}; last seen: {}",
            seen()
        );
        sleep(PERIOD).await;
    }
}

/// The same for an object of the cluster, which is watched: every state of it is looked at, at once, and waiting costs
/// the API server nothing.
pub(crate) async fn wait_object<K, T>(
    api: &Api<K>,
    name: &str,
    what: &str,
    within: Duration,
    mut look: impl FnMut(&K) -> Result<T, String>,
) -> T
where
    K: Resource + Clone + DeserializeOwned + Debug + Send + 'static,
{
    let deadline = Instant::now() + within;
    let config = watcher::Config::default().fields(&format!("metadata.name={name}"));
    let states = watcher(api.clone(), config).default_backoff();
    let mut states = pin!(states.applied_objects());
    let mut last = "no such object".to_owned();
    loop {
        let state = timeout_at(deadline, states.next())
            .await
            .unwrap_or_else(|_| panic!("waited {within:?} for {what}; last seen: {last}"));
        let looked = match state.expect("a watch has no end") {
            Ok(object) => look(&object),
            Err(error) => Err(error.to_string()),
        };
        match looked {
            Ok(value) => return value,
            Err(seen) => last = seen,
        }
    }
}
