//! A source that failed a round already.

use async_trait::async_trait;

use recant_core::observation::{Cause, Observation};

use crate::source::{NoRange, Query, Source};

/// A source of which the past could not be had: what it says of now is not used either, since the counters of then
/// and now would be one moment's events.
#[derive(Debug)]
pub(super) struct Unusable {
    pub(super) cause: Cause,
    pub(super) reason: String,
}

impl From<NoRange> for Unusable {
    fn from(NoRange { cause, reason }: NoRange) -> Self {
        Self { cause, reason }
    }
}

#[async_trait]
impl Source for Unusable {
    async fn read(&self, queries: &[Query]) -> Vec<Vec<Observation>> {
        let unavailable = || Observation::Unavailable {
            cause: self.cause,
            reason: self.reason.clone(),
        };
        queries
            .iter()
            .map(|query| query.targets.iter().map(|_| unavailable()).collect())
            .collect()
    }
}
