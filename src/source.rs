//! Where measurements come from: the seam `Source`, and its adapters.

use async_trait::async_trait;

use jiff::{SignedDuration, Timestamp};

use recant_core::ids::{PodName, TargetId};
use recant_core::observation::{Cause, Observation};
use recant_core::rule::{Question, ScrapeEndpoint};
use recant_core::target::{Pod, Revision};

#[cfg(feature = "whole")]
mod buckets;
#[cfg(feature = "whole")]
pub mod exposition;
#[cfg(feature = "whole")]
mod http;
#[cfg(feature = "whole")]
pub mod http_json;
#[cfg(feature = "whole")]
pub mod kubernetes;
#[cfg(feature = "whole")]
pub mod prometheus;
#[cfg(feature = "whole")]
pub mod redis;
#[cfg(feature = "whole")]
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

    /// Whether it knows what was.
    fn has_range(&self) -> bool {
        false
    }

    /// Answers a question as of many moments that have passed.
    ///
    /// # Errors
    /// Why there is no answer: nothing may be decided from a part of one.
    async fn read_range(&self, _query: &RangeQuery) -> Result<Vec<Past>, NoRange> {
        Err(NoRange {
            cause: Cause::Down,
            reason: NO_HISTORY.to_owned(),
        })
    }

    /// Which pods, or values of the label that tells arms apart, had samples of a question's metric in a stretch of
    /// the past, whoever they are of. What came and went between two moments may be missing.
    ///
    /// # Errors
    /// Why there is no answer: nothing may be decided from a part of one.
    async fn read_lives(&self, _query: &RangeQuery) -> Result<Vec<Life>, NoRange> {
        Err(NoRange {
            cause: Cause::Down,
            reason: NO_HISTORY.to_owned(),
        })
    }
}

const NO_HISTORY: &str = "this source keeps no history: it only knows what is now";

/// One question about a stretch of the past.
#[derive(Debug, Clone)]
pub struct RangeQuery {
    pub question: Question,
    pub targets: Vec<RangeTarget>,
    pub from: Timestamp,
    pub to: Timestamp,
    /// Between two moments, whole seconds; the moments are multiples of it since 1970, so that whoever asks for the
    /// same stretch asks for the same moments.
    pub step: SignedDuration,
}

/// From when to when something had samples.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Life {
    /// Empty: its series have no such label.
    pub namespace: String,
    /// Empty: its series have no such label.
    pub pod: PodName,
    /// The value of the label that tells arms apart; empty: the question has none.
    pub arm: String,
    /// The newest sample at the first moment that shows it,
    pub first: Timestamp,
    /// and at the last one.
    pub last: Timestamp,
}

/// A target that wants to know its past.
#[derive(Debug, Clone)]
pub struct RangeTarget {
    pub target: QueryTarget,
    /// Pods of these belong to it although they are gone.
    pub revisions: Vec<Revision>,
}

/// The answers as of one moment, one for each target, in their order.
#[derive(Debug, Clone, PartialEq)]
pub struct Past {
    pub at: Timestamp,
    pub observations: Vec<Observation>,
}

/// Why nothing is known of the past.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct NoRange {
    pub cause: Cause,
    pub reason: String,
}
