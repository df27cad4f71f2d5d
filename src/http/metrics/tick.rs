//! Metrics of the loop.

use std::sync::atomic::AtomicU64;
use std::time::Duration;

use jiff::Timestamp;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

/// Counts ticks; clones share the counters.
#[derive(Debug, Clone)]
pub struct TickMetrics {
    ticks: Counter,
    missed: Counter,
    duration: Histogram,
    last: Gauge<f64, AtomicU64>,
}

impl Default for TickMetrics {
    fn default() -> Self {
        Self {
            ticks: Counter::default(),
            missed: Counter::default(),
            duration: Histogram::new([0.005, 0.02, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0]),
            last: Gauge::default(),
        }
    }
}

impl TickMetrics {
    pub(super) fn register(&self, registry: &mut Registry) {
        let Self {
            ticks,
            missed,
            duration,
            last,
        } = self;
        registry.register("ticks", "Ticks that were done", ticks.clone());
        registry.register(
            "ticks_missed",
            "Ticks that were skipped because an earlier one took too long",
            missed.clone(),
        );
        registry.register(
            "tick_duration_seconds",
            "Time of a tick, from its first question to its last record",
            duration.clone(),
        );
        registry.register(
            "last_tick_timestamp_seconds",
            "When the last tick ended, in Unix time",
            last.clone(),
        );
    }

    /// A tick ended at `at`, having taken `duration`.
    pub fn ended(&self, at: Timestamp, duration: Duration) {
        self.ticks.inc();
        self.duration.observe(duration.as_secs_f64());
        self.last.set(at.as_millisecond() as f64 / 1000.0);
    }

    /// So many ticks were skipped.
    pub fn missed(&self, number: u64) {
        self.missed.inc_by(number);
    }
}
