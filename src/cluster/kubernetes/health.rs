//! Whether the watches work: for readiness, and for one log line per change.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// An error that was not repeated for this long is over: a watch that fails tries again within seconds, and one that
/// works on a quiet namespace says nothing.
const OVER: Duration = Duration::from_secs(30);

/// How one watch is doing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WatchStatus {
    pub namespace: String,
    /// `deployments.apps`
    pub resource: String,
    /// It has shown everything once.
    pub synced: bool,
    /// Why it does not work now; what it showed before stays in use.
    pub error: Option<String>,
}

/// All watches.
#[derive(Debug, Default)]
pub(super) struct Health {
    watches: Mutex<BTreeMap<(String, String), Watch>>,
}

#[derive(Debug, Default)]
struct Watch {
    synced: bool,
    error: Option<(Instant, String)>,
}

impl Health {
    pub(super) fn register(&self, namespace: &str, resource: &str) {
        self.lock()
            .entry((namespace.to_owned(), resource.to_owned()))
            .or_default();
    }

    /// It ended because nothing needs it any more.
    pub(super) fn unregister(&self, namespace: &str, resource: &str) {
        self.lock()
            .remove(&(namespace.to_owned(), resource.to_owned()));
    }

    pub(super) fn works(&self, namespace: &str, resource: &str, synced: bool) {
        let mut watches = self.lock();
        // One that was unregistered may have a last word.
        let Some(watch) = watches.get_mut(&(namespace.to_owned(), resource.to_owned())) else {
            return;
        };
        watch.synced |= synced;
        if watch.error.take().is_some() {
            tracing::info!(
                namespace,
                resource,
                "watching `{resource}` in namespace `{namespace}` works again"
            );
        }
    }

    pub(super) fn failed(&self, namespace: &str, resource: &str, error: String, now: Instant) {
        let mut watches = self.lock();
        let Some(watch) = watches.get_mut(&(namespace.to_owned(), resource.to_owned())) else {
            return;
        };
        if watch.error.as_ref().is_none_or(|(_, last)| *last != error) {
            tracing::warn!(
                namespace,
                resource,
                "watching `{resource}` in namespace `{namespace}` fails: {error}"
            );
        }
        watch.error = Some((now, error));
    }

    pub(super) fn statuses(&self, now: Instant) -> Vec<WatchStatus> {
        self.lock()
            .iter()
            .map(|((namespace, resource), watch)| WatchStatus {
                namespace: namespace.clone(),
                resource: resource.clone(),
                synced: watch.synced,
                error: watch
                    .error
                    .as_ref()
                    .filter(|(since, _)| now.duration_since(*since) < OVER)
                    .map(|(_, error)| error.clone()),
            })
            .collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<(String, String), Watch>> {
        self.watches.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_over_when_it_works_or_is_not_repeated() {
        let health = Health::default();
        let now = Instant::now();
        health.register("shop", "pods");
        let error = |now| health.statuses(now)[0].error.clone();
        assert!(!health.statuses(now)[0].synced);
        health.failed("shop", "pods", "no".into(), now);
        assert_eq!(error(now).as_deref(), Some("no"));
        assert_eq!(error(now + OVER), None);
        health.works("shop", "pods", true);
        assert_eq!(error(now), None);
        health.works("shop", "pods", false);
        assert!(health.statuses(now)[0].synced);
    }
}
