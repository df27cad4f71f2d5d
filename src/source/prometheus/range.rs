//! The past of a question: the very same expression, evaluated at many moments by a range query.

use std::collections::BTreeMap;

use jiff::Timestamp;
use tokio::time::timeout;

use recant_core::ids::PodName;
use recant_core::rule::{Level, What};
use recant_core::target::{Pod, is_pod_of, prefix_of_pods};

use super::ask::Instants;
use super::query::Grouping;
use super::{Prometheus, collect, deliver, query};
use crate::source::http::Fault;
use crate::source::{Past, QueryTarget, RangeQuery, RangeTarget};

/// Between two moments, in seconds. A sample that did not change is known by its time, so more than one look at it
/// costs little; with a slower scrape interval nothing is missed.
const STEP: i64 = 5;
/// Moments that are asked for at once: answers stay small.
const MOMENTS: i64 = 120;
/// Moments of all the past together: what a server allows for one query.
const MOST_MOMENTS: i64 = 11_000;
/// Pods that are gone, for one target.
const MOST_GONE: usize = 5_000;

impl Prometheus {
    pub(super) async fn range(&self, query: &RangeQuery) -> Result<Vec<Past>, Fault> {
        let What::Level(Level::Promql(promql)) = &query.question.what else {
            let targets = || query.targets.iter().map(|target| &target.target);
            let grouping = Grouping::new(&self.options, &query.question);
            let text = query::promql(&query.question, &grouping, targets());
            return self.range_of(query, &text).await;
        };
        if !promql.names_target() {
            return self.range_of(query, &promql.query).await;
        }
        let mut all: Vec<Past> = Vec::new();
        for target in &query.targets {
            let one = RangeQuery {
                question: query.question.clone(),
                targets: vec![target.clone()],
                ..*query
            };
            let text = promql.for_target(&target.target.id);
            // The same moments for each.
            let past = self.range_of(&one, &text).await?;
            if all.is_empty() {
                all = past;
            } else {
                for (moment, more) in all.iter_mut().zip(past) {
                    moment.observations.extend(more.observations);
                }
            }
        }
        Ok(all)
    }

    async fn range_of(&self, query: &RangeQuery, text: &str) -> Result<Vec<Past>, Fault> {
        let grouping = Grouping::new(&self.options, &query.question);
        let mut past = Vec::new();
        let (first, last) = moments(query.from, query.to);
        let mut from = first;
        while from <= last {
            let to = last.min(from + (MOMENTS - 1) * STEP);
            let asked = self.ask_between(text, from, to, STEP);
            let mut instants = self.in_time(timeout(self.options.timeout, asked).await)?;
            let targets = with_gone_pods(&query.targets, &grouping, &instants);
            let targets: Vec<&QueryTarget> = targets.iter().collect();
            let mut second = from;
            while second <= to {
                let at = Timestamp::from_second(second)
                    .map_err(|_| Fault::malformed("was asked about an impossible time"))?;
                let rows = instants.remove(&at).unwrap_or_default();
                let collected = collect::collect(&rows, &grouping, &query.question)?;
                past.push(Past {
                    at,
                    observations: deliver::deliver(
                        &collected,
                        &grouping,
                        &query.question,
                        &targets,
                    ),
                });
                second += STEP;
            }
            from = to + STEP;
        }
        Ok(past)
    }
}

/// The first and the last moment, in whole steps: whoever asks for the same stretch asks for the same moments.
fn moments(from: Timestamp, to: Timestamp) -> (i64, i64) {
    let last = to.as_second().div_euclid(STEP) * STEP;
    let first = (from.as_second() + STEP - 1).div_euclid(STEP) * STEP;
    (first.max(last - (MOST_MOMENTS - 1) * STEP), last)
}

/// The targets with the pods that this answer shows to have been theirs.
fn with_gone_pods(
    targets: &[RangeTarget],
    grouping: &Grouping,
    instants: &Instants,
) -> Vec<QueryTarget> {
    let mut names: BTreeMap<&str, std::collections::BTreeSet<&str>> = BTreeMap::new();
    for row in instants.values().flatten() {
        let value = |label: Option<&str>| label.and_then(|label| row.labels.get(label));
        if let Some(pod) = value(Some(&grouping.pod)) {
            let namespace = value(grouping.namespace.as_deref());
            let namespace = namespace.map_or("", String::as_str);
            names.entry(namespace).or_default().insert(pod);
        }
    }
    let mut with = Vec::with_capacity(targets.len());
    for RangeTarget { target, revisions } in targets {
        let mut target = target.clone();
        let namespace = match grouping.namespace {
            Some(_) => target.id.namespace.as_str(),
            None => "",
        };
        let mut gone = Vec::new();
        for name in names.get(namespace).into_iter().flatten() {
            let name = PodName((*name).to_owned());
            if gone.len() >= MOST_GONE || target.pods.iter().any(|pod| pod.name == name) {
                continue;
            }
            let revision = revisions.iter().find(|revision| {
                is_pod_of(&name, &prefix_of_pods(&target.id.name, &revision.hash))
            });
            gone.extend(revision.map(|revision| Pod {
                name,
                hash: revision.hash.clone(),
                created: revision.created,
                ready: false,
                terminating: true,
                ip: None,
                metrics: None,
                unready_reason: None,
            }));
        }
        target.pods.extend(gone);
        with.push(target);
    }
    with
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_lie_within_the_stretch_and_are_bounded() {
        let at = |second| Timestamp::from_second(second).expect("in range");
        assert_eq!(moments(at(11), at(29)), (15, 25));
        assert_eq!(moments(at(15), at(25)), (15, 25));
        assert_eq!(moments(at(16), at(19)), (20, 15), "none");
        let (first, last) = moments(at(0), at(1_000_000));
        assert_eq!((last - first) / STEP + 1, MOST_MOMENTS);
    }
}
