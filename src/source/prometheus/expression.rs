//! Rules in raw `PromQL`: asked as they are, and handed to the targets that their series are about.
//!
//! Series with the pod label are of the target that owns the pod. An expression that was asked for one target alone
//! (it names it by a placeholder) is of that target; others without the label are of every target that asks.

use std::collections::BTreeMap;

use futures::{FutureExt as _, StreamExt as _};
use jiff::SignedDuration;
use reqwest::header::AUTHORIZATION;
use tokio::time::{Instant, timeout_at};

use recant_core::observation::{Observation, SeriesKey};
use recant_core::rule::{Promql, PromqlRange, Question};

use super::answer::{Row, decode_matrix, decode_value};
use super::collect::{Collected, RowKey, collect};
use super::deliver::{Share, observation, unavailable};
use super::query::Grouping;
use super::reply::{Body, body, skew, unsent};
use super::{Prometheus, millis};
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
                None => self.ask_value(&text).await,
                Some(range) => self.ask_values(&text, range).await,
            }
        });
        let rows = asked.await.unwrap_or_else(|_| {
            Err(Fault::down(format!(
                "did not answer within {:?}",
                self.options.timeout
            )))
        });
        let grouping = Grouping::new(&self.options, question);
        match rows.and_then(|rows| collect(&rows, &grouping, question)) {
            Ok(collected) => deliver(&collected, question, targets),
            Err(Fault { cause, reason }) => {
                let reason = format!("Prometheus at `{}` {reason}", self.address);
                unavailable(cause, &reason, targets.len())
            }
        }
    }

    /// The value as of now.
    async fn ask_value(&self, promql: &str) -> Result<Vec<Row>, Fault> {
        let mut request = self
            .client
            .query(promql)
            .timeout(millis(self.options.timeout));
        if let Some(credentials) = self.authorization()? {
            request = request.header(AUTHORIZATION, credentials);
        }
        let sent = (self.clock)();
        let response = request.post_raw().await.map_err(|error| unsent(&error))?;
        let received = (self.clock)();
        let Body { bytes, date } = body(response).await?;
        let rows = decode_value(&bytes)?;
        if let Some(server) = rows.first().map(|row| row.evaluated).or(date) {
            skew(server, sent, received)?;
        }
        Ok(rows)
    }

    /// The values of the last so much, oldest first. Points are at whole steps: the next look asks for the same ones.
    async fn ask_values(&self, promql: &str, range: PromqlRange) -> Result<Vec<Row>, Fault> {
        let sent = (self.clock)();
        let step = i64::try_from(range.step.as_secs())
            .unwrap_or(i64::MAX)
            .max(1);
        let length = i64::try_from(range.range.as_secs()).unwrap_or(i64::MAX);
        let end = sent.as_second().div_euclid(step) * step;
        let mut request = self
            .client
            .query_range(promql, end.saturating_sub(length), end, step as f64)
            .timeout(millis(self.options.timeout));
        if let Some(credentials) = self.authorization()? {
            request = request.header(AUTHORIZATION, credentials);
        }
        let response = request.post_raw().await.map_err(|error| unsent(&error))?;
        let received = (self.clock)();
        let Body { bytes, date } = body(response).await?;
        if let Some(server) = date {
            // The header counts in whole seconds.
            skew(server + SignedDuration::from_millis(500), sent, received)?;
        }
        Ok(decode_matrix(&bytes)?.into_values().flatten().collect())
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
