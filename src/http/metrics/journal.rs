//! Metrics of the journal.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::registry::Registry;

/// Counts appends; clones share the counters.
#[derive(Debug, Clone, Default)]
pub struct JournalMetrics {
    records: Counter,
    failures: Counter,
}

impl JournalMetrics {
    pub(super) fn register(&self, registry: &mut Registry) {
        let Self { records, failures } = self;
        registry.register(
            "journal_records",
            "Records written to the journal",
            records.clone(),
        );
        registry.register(
            "journal_write_failures",
            "Writes to the journal that failed; nothing is done without its record",
            failures.clone(),
        );
    }

    /// So many records were written.
    pub fn appended(&self, records: usize) {
        self.records.inc_by(records as u64);
    }

    /// A write failed.
    pub fn failed(&self) {
        self.failures.inc();
    }
}
