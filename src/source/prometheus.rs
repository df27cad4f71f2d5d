//! The source that asks a Prometheus, or anything that answers like one, over its HTTP API.
//!
//! It asks for raw counters and their sample times; what happened between two looks is worked out by measurement.
//! One query per question, however many targets ask it, so that the load grows with the rules.

use std::collections::BTreeMap;

use async_trait::async_trait;
use futures::{FutureExt as _, StreamExt as _};
use prometheus_http_query::Client;
use reqwest::{Certificate, Url, redirect};
use tokio::time::{Instant, timeout_at};

use recant_core::ids::TargetId;
use recant_core::observation::{Cause, Observation};
use recant_core::rule::{Level, Question, What};

use super::http::{Fault, address};
use super::{Life, NoRange, Past, Query, QueryTarget, RangeQuery, Source};
use crate::clock::Clock;

mod answer;
mod ask;
mod auth;
mod collect;
mod deliver;
mod expression;
mod native;
mod options;
mod query;
mod range;
pub mod recorded;
mod reply;
mod series;
#[cfg(test)]
mod tests;

pub use options::{Auth, Credential, PrometheusOptions, PrometheusOptionsError};
pub use series::Series;

use query::Grouping;

/// A Prometheus.
pub struct Prometheus {
    client: Client,
    /// For messages: no credentials in it.
    address: String,
    options: PrometheusOptions,
    clock: Clock,
}

impl std::fmt::Debug for Prometheus {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Prometheus")
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

/// All that ask the same question.
struct Group<'a> {
    /// Each target once.
    targets: Vec<&'a QueryTarget>,
    /// Which query and which of its targets gets the answer of which of `targets`.
    askers: Vec<(usize, usize, usize)>,
}

impl Prometheus {
    /// A source over its own HTTP client. Nothing is sent yet. The TLS provider must be installed, see
    /// [`crate::tls::install`].
    pub fn new(options: PrometheusOptions, clock: Clock) -> Result<Self, PrometheusOptionsError> {
        let url: Url = options
            .url
            .parse()
            .map_err(|_| PrometheusOptionsError::address(&options.url))?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(PrometheusOptionsError::CredentialsInAddress);
        }
        if !matches!(url.scheme(), "http" | "https")
            || url.host().is_none()
            || url.query().is_some()
            || url.fragment().is_some()
        {
            return Err(PrometheusOptionsError::address(&options.url));
        }
        let mut builder = reqwest::Client::builder()
            .redirect(redirect::Policy::none())
            .user_agent(concat!("recant/", env!("CARGO_PKG_VERSION")));
        if let Some(pem) = &options.ca {
            let authorities =
                Certificate::from_pem_bundle(pem).map_err(PrometheusOptionsError::Authorities)?;
            builder = builder.tls_certs_only(authorities);
        } else if url.scheme() == "http" {
            // No redirect leads to TLS, so no authorities are needed where there may be none (an empty image).
            builder = builder.tls_certs_only([]);
        }
        let client = builder.build().map_err(PrometheusOptionsError::Client)?;
        let client = Client::from(client, options.url.trim_end_matches('/'))
            .map_err(|_| PrometheusOptionsError::address(&options.url))?;
        Ok(Self {
            client,
            address: address(&url),
            options,
            clock,
        })
    }

    async fn answer(
        &self,
        question: &Question,
        group: &Group<'_>,
        by: Instant,
    ) -> Vec<Observation> {
        let targets = &group.targets;
        match &question.what {
            What::Level(Level::Promql(promql)) => {
                return self.express(question, promql, targets, by).await;
            }
            What::Level(
                Level::Kubernetes(_) | Level::HttpJson(_) | Level::Redis(_) | Level::Alert(_),
            ) => {
                let reason = "Prometheus cannot answer this: another source was meant";
                return deliver::unavailable(Cause::Malformed, reason, targets.len());
            }
            What::Ratio { .. } | What::Histogram { .. } | What::Level(Level::Gauge(_)) => {}
        }
        let grouping = Grouping::new(&self.options, question);
        let text = query::promql(question, &grouping, targets.iter().copied());
        let rows = self.in_time(timeout_at(by, self.ask(&text, answer::decode)).await);
        let collected = rows.and_then(|rows| collect::collect(&rows, &grouping, question));
        match collected {
            Ok(collected) => deliver::deliver(&collected, &grouping, question, targets),
            Err(fault) => self.unavailable(&fault, targets.len()),
        }
    }
}

#[async_trait]
impl Source for Prometheus {
    async fn read(&self, queries: &[Query]) -> Vec<Vec<Observation>> {
        let by = Instant::now() + self.options.timeout;
        let groups = group(queries);
        // In whatever order they answer: a query that hangs must not keep the others from being asked.
        let asked: Vec<_> = groups
            .iter()
            .map(|(question, group)| {
                async move { (group, self.answer(question, group, by).await) }.boxed()
            })
            .collect();
        let answers: Vec<(&Group<'_>, Vec<Observation>)> = futures::stream::iter(asked)
            .buffer_unordered(self.options.concurrency.max(1))
            .collect()
            .await;
        let mut observations: Vec<Vec<Observation>> = queries
            .iter()
            .map(|query| {
                deliver::unavailable(Cause::Down, "Prometheus was not asked", query.targets.len())
            })
            .collect();
        for (group, answer) in answers {
            for (query, place, index) in &group.askers {
                let slot = observations
                    .get_mut(*query)
                    .and_then(|query| query.get_mut(*place));
                if let (Some(slot), Some(observation)) = (slot, answer.get(*index)) {
                    *slot = observation.clone();
                }
            }
        }
        observations
    }

    fn has_range(&self) -> bool {
        true
    }

    async fn read_range(&self, query: &RangeQuery) -> Result<Vec<Past>, NoRange> {
        self.range(query)
            .await
            .map_err(|Fault { cause, reason }| NoRange {
                cause,
                reason: format!("Prometheus at `{}` {reason}", self.address),
            })
    }

    async fn read_lives(&self, query: &RangeQuery) -> Result<Vec<Life>, NoRange> {
        self.lives(query)
            .await
            .map_err(|Fault { cause, reason }| NoRange {
                cause,
                reason: format!("Prometheus at `{}` {reason}", self.address),
            })
    }
}

/// Equal questions are asked once, whoever asks them.
fn group(queries: &[Query]) -> BTreeMap<&Question, Group<'_>> {
    let mut groups: BTreeMap<&Question, Group<'_>> = BTreeMap::new();
    let mut places: BTreeMap<(&Question, &TargetId), usize> = BTreeMap::new();
    for (query_index, query) in queries.iter().enumerate() {
        let group = groups.entry(&query.question).or_insert_with(|| Group {
            targets: Vec::new(),
            askers: Vec::new(),
        });
        for (place, target) in query.targets.iter().enumerate() {
            let index = *places
                .entry((&query.question, &target.id))
                .or_insert_with(|| {
                    group.targets.push(target);
                    group.targets.len() - 1
                });
            group.askers.push((query_index, place, index));
        }
    }
    groups
}
