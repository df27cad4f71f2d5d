//! What Recant counts about itself, typed: one struct per part, all of them registered here.

mod api;
mod config;
mod journal;
mod source;
mod tick;
mod work;

use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

use crate::notify::metrics::NotifyMetrics;

pub use api::ApiMetrics;
pub(in crate::http) use api::CallerLabel;
pub use config::ConfigMetrics;
pub use journal::JournalMetrics;
pub use source::SourceMetrics;
pub(in crate::http) use source::name as source_name;
pub use tick::TickMetrics;
pub use work::{ActionOutcome, WorkMetrics};

/// All metrics of the agent; clones share the counters.
#[derive(Debug, Clone, Default)]
pub struct Metrics {
    pub tick: TickMetrics,
    pub source: SourceMetrics,
    pub work: WorkMetrics,
    pub journal: JournalMetrics,
    pub config: ConfigMetrics,
    pub notify: NotifyMetrics,
    pub api: ApiMetrics,
}

impl Metrics {
    /// A registry with all metrics; every name begins with `recant_`.
    pub fn registry(&self) -> Registry {
        let Self {
            tick,
            source,
            work,
            journal,
            config,
            notify,
            api,
        } = self;
        let mut registry = Registry::with_prefix("recant");
        registry.register(
            "build",
            "Version of Recant",
            Info::new([("version", env!("CARGO_PKG_VERSION"))]),
        );
        tick.register(&mut registry);
        source.register(&mut registry);
        work.register(&mut registry);
        journal.register(&mut registry);
        config.register(&mut registry);
        notify.register(&mut registry);
        api.register(&mut registry);
        registry
    }
}
