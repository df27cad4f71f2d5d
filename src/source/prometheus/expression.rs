//! Rules in raw `PromQL`: asked as they are, and handed to the targets that their series are about.
//!
//! Series with the pod label are of the target that owns the pod. An expression that was asked for one target alone
//! (it names it by a placeholder) is of that target; others without the label are of every target that asks.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::{FutureExt as _, StreamExt as _};
use tokio::time::{Instant, timeout_at};

use recant_core::observation::{Observation, SeriesKey};
use recant_core::rule::{Promql, PromqlRange, Question};

use super::Prometheus;
use super::answer::{Row, decode_value};
use super::collect::{Collected, RowKey, collect};
use super::deliver::{Share, observation};
use super::query::Grouping;
use crate::source::QueryTarget;
use crate::source::http::Fault;

/// Targets that an expression is asked for at once, where it names the target.
const AT_ONCE: usize = 4;

impl Prometheus {
    /// Answers an expression for each target, in their order.
    pub(super) async fn express(
        &self,
        question: &Question,
        promql: &Promql,
        targets: &[&QueryTarget],
        by: Instant,
    ) -> Vec<Observation> {
        if !promql.names_target() {
            return self
                .express_for(question, promql, promql.query.clone(), targets, by)
                .await;
        }
        let asked: Vec<_> = targets
            .iter()
            .map(|target| {
                let text = promql.for_target(&target.id);
                async move {
                    self.express_for(question, promql, text, &[*target], by)
                        .await
                }
                .boxed()
            })
            .collect();
        futures::stream::iter(asked)
            .buffered(AT_ONCE)
            .flat_map(futures::stream::iter)
            .collect()
            .await
    }

    async fn express_for(
        &self,
        question: &Question,
        promql: &Promql,
        text: String,
        targets: &[&QueryTarget],
        by: Instant,
    ) -> Vec<Observation> {
        let asked = timeout_at(by, async {
            match promql.range {
                None => self.ask(&text, decode_value).await,
                Some(range) => self.ask_values(&text, range).await,
            }
        });
        let rows = self.in_time(asked.await);
        let grouping = Grouping::new(&self.options, question);
        match rows.and_then(|rows| collect(&rows, &grouping, question)) {
            Ok(collected) => deliver(&collected, question, targets),
            Err(fault) => self.unavailable(&fault, targets.len()),
        }
    }

    /// The values of the last so much, oldest first. Points are at whole steps: the next look asks for the same ones.
    async fn ask_values(&self, promql: &str, range: PromqlRange) -> Result<Vec<Row>, Fault> {
        let whole = |duration: Duration| i64::try_from(duration.as_secs()).unwrap_or(i64::MAX);
        let (step, length) = (whole(range.step).max(1), whole(range.range));
        let end = (self.clock)().as_second().div_euclid(step) * step;
        let instants = self.ask_between(promql, end.saturating_sub(length), end, step);
        Ok(instants.await?.into_values().flatten().collect())
    }
}

/// One observation for each target, in their order.
pub(super) fn deliver(
    answer: &BTreeMap<RowKey, Collected>,
    question: &Question,
    targets: &[&QueryTarget],
) -> Vec<Observation> {
    let by_pod = answer.keys().any(|key| !key.pod.is_empty());
    targets
        .iter()
        .map(|target| {
            let mut share = Share::default();
            for (key, collected) in answer {
                let namespace = &target.id.namespace;
                if !key.namespace.is_empty() && key.namespace != *namespace {
                    continue;
                }
                let key = if !key.arm.is_empty() {
                    SeriesKey::Label(key.arm.clone())
                } else if let Some(pod) =
                    target.pods.iter().find(|pod| pod.name.as_str() == key.pod)
                {
                    SeriesKey::Pod {
                        namespace: namespace.clone(),
                        pod: pod.name.clone(),
                    }
                } else if by_pod {
                    // Another target's pod; or, beside series that say whose they are, one that does not.
                    continue;
                } else {
                    SeriesKey::Whole
                };
                share.take(&key, collected, question);
            }
            observation(share, question, target)
        })
        .collect()
}
