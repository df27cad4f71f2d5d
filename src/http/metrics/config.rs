//! Metrics of what is configured.

use std::sync::atomic::AtomicU64;

use jiff::Timestamp;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

/// Says how the last reload went; clones share the values.
#[derive(Debug, Clone, Default)]
pub struct ConfigMetrics {
    successful: Gauge,
    succeeded_at: Gauge<f64, AtomicU64>,
}

impl ConfigMetrics {
    pub(super) fn register(&self, registry: &mut Registry) {
        let Self {
            successful,
            succeeded_at,
        } = self;
        registry.register(
            "config_last_reload_successful",
            "Whether the rules and settings as they lie there now are in use: 1, or 0 when they cannot be used",
            successful.clone(),
        );
        registry.register(
            "config_last_reload_success_timestamp_seconds",
            "When rules and settings were last loaded, in Unix time",
            succeeded_at.clone(),
        );
    }

    /// Rules and settings were loaded.
    pub fn loaded(&self, at: Timestamp) {
        self.successful.set(1);
        self.succeeded_at.set(at.as_millisecond() as f64 / 1000.0);
    }

    /// They changed, and cannot be used.
    pub fn refused(&self) {
        self.successful.set(0);
    }
}
