//! Metrics of the sources.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use recant_core::observation::{Cause, Observation};
use recant_core::rule::SourceKind;

/// Counts questions and answers; clones share the counters.
#[derive(Debug, Clone, Default)]
pub struct SourceMetrics {
    queries: Family<SourceLabel, Counter>,
    failures: Family<FailureLabels, Counter>,
    observations: Family<ResultLabels, Counter>,
    up: Family<SourceLabel, Gauge>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct SourceLabel {
    source: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct FailureLabels {
    source: &'static str,
    cause: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ResultLabels {
    source: &'static str,
    result: &'static str,
}

const CAUSES: [Cause; 4] = [Cause::Down, Cause::Partial, Cause::Malformed, Cause::Clock];
const RESULTS: [&str; 3] = ["reading", "no_data", "unavailable"];

impl SourceMetrics {
    pub(super) fn register(&self, registry: &mut Registry) {
        let Self {
            queries,
            failures,
            observations,
            up,
        } = self;
        registry.register(
            "source_queries",
            "Questions asked, one per query whatever number of targets wants it",
            queries.clone(),
        );
        registry.register(
            "source_failures",
            "Observations that could not be used, by cause",
            failures.clone(),
        );
        registry.register(
            "observations",
            "Observations, one per query and target",
            observations.clone(),
        );
        registry.register(
            "source_up",
            "1 when the source's last round had an answer for at least one target, else 0",
            up.clone(),
        );
    }

    /// The source is in use: its series exist from now on, so that the first failure is an increase.
    pub fn begin(&self, source: SourceKind) {
        let source = name(source);
        drop(self.queries.get_or_create(&SourceLabel { source }));
        for cause in CAUSES {
            let cause = cause_name(cause);
            drop(
                self.failures
                    .get_or_create(&FailureLabels { source, cause }),
            );
        }
        for result in RESULTS {
            let labels = ResultLabels { source, result };
            drop(self.observations.get_or_create(&labels));
        }
        self.up.get_or_create(&SourceLabel { source }).set(1);
    }

    /// One round of so many questions came back, with the observations of their targets.
    pub fn answered<'a>(
        &self,
        source: SourceKind,
        questions: usize,
        round: impl IntoIterator<Item = &'a Observation>,
    ) {
        let source = name(source);
        let label = SourceLabel { source };
        self.queries.get_or_create(&label).inc_by(questions as u64);
        let mut any = None;
        for observation in round {
            let (result, usable) = match observation {
                Observation::Reading(_) | Observation::Levels(_) => ("reading", true),
                Observation::NoData { .. } => ("no_data", true),
                Observation::Unavailable { cause, reason: _ } => {
                    let cause = cause_name(*cause);
                    let labels = FailureLabels { source, cause };
                    self.failures.get_or_create(&labels).inc();
                    ("unavailable", false)
                }
            };
            let labels = ResultLabels { source, result };
            self.observations.get_or_create(&labels).inc();
            any = Some(any.unwrap_or(false) || usable);
        }
        // A round without questions says nothing about the source.
        if let Some(any) = any {
            self.up.get_or_create(&label).set(i64::from(any));
        }
    }
}

pub(in crate::http) fn name(source: SourceKind) -> &'static str {
    match source {
        SourceKind::Prometheus => "prometheus",
        SourceKind::Scrape => "scrape",
        SourceKind::Kubernetes => "kubernetes",
        SourceKind::HttpJson => "http_json",
        SourceKind::Redis => "redis",
        SourceKind::Alerts => "alerts",
    }
}

fn cause_name(cause: Cause) -> &'static str {
    match cause {
        Cause::Down => "down",
        Cause::Partial => "partial",
        Cause::Malformed => "malformed",
        Cause::Clock => "clock",
    }
}
