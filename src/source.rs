//! Where measurements come from: the seam `Source`, and its adapters.

use async_trait::async_trait;

use recant_core::ids::TargetId;
use recant_core::observation::Observation;
use recant_core::rule::{Question, ScrapeEndpoint};
use recant_core::target::Pod;

mod buckets;
pub mod exposition;
mod http;
pub mod http_json;
pub mod kubernetes;
pub mod prometheus;
pub mod redis;
pub mod scrape;

/// One question about several targets: a source asks it once, however many targets want it.
#[derive(Debug, Clone)]
pub struct Query {
    pub question: Question,
    pub targets: Vec<QueryTarget>,
}

/// A target that wants the answer.
#[derive(Debug, Clone)]
pub struct QueryTarget {
    pub id: TargetId,
    /// All pods known to belong to it, those that went in the last minutes included.
    pub pods: Vec<Pod>,
    pub scrape: Option<ScrapeEndpoint>,
}

/// Answers questions about cumulative counters.
#[async_trait]
pub trait Source: Send + Sync {
    /// Answers all queries as of now: one observation per query and target, in their order.
    ///
    /// Never fails and always returns within the source's deadline: what cannot be answered is an observation.
    async fn read(&self, queries: &[Query]) -> Vec<Vec<Observation>>;
}
