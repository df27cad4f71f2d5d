//! The past of a question: the very same expression, evaluated at many moments by a range query.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use tokio::time::timeout;

use recant_core::ids::PodName;
use recant_core::rule::{Level, What};
use recant_core::target::{Pod, is_pod_of, prefix_of_pods};

use super::answer::{Row, timestamp};
use super::collect::RowKey;
use super::query::Grouping;
use super::{Prometheus, collect, deliver, query};
use crate::source::http::Fault;
use crate::source::{Life, Past, QueryTarget, RangeQuery, RangeTarget};

/// Moments that are asked for at once: answers stay small.
const MOMENTS: i64 = 120;
/// Moments of all the past together: what a server allows for one query.
const MOST_MOMENTS: i64 = 11_000;
/// Moments of lives that are asked for at once: one value for each pod.
const MOMENTS_OF_LIVES: i64 = 720;
/// Pods, or values of a label, whose lives are told.
const MOST_LIVES: usize = 100_000;
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
        let step = step(query);
        let (first, last) = moments(query.from, query.to, step);
        let mut from = first;
        while from <= last {
            let to = last.min(from + (MOMENTS - 1) * step);
            let asked = self.ask_between(text, from, to, step);
            let mut instants = self.in_time(timeout(self.options.timeout, asked).await)?;
            let rows = instants.values().flatten();
            let targets = with_gone_pods(&query.targets, &grouping, &pods_of(rows, &grouping));
            let targets: Vec<&QueryTarget> = targets.iter().collect();
            let mut second = from;
            while second <= to {
                let at = moment(second)?;
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
                second += step;
            }
            from = to + step;
        }
        Ok(past)
    }

    /// See [`crate::source::Source::read_lives`].
    pub(super) async fn lives(&self, query: &RangeQuery) -> Result<Vec<Life>, Fault> {
        let grouping = Grouping::new(&self.options, &query.question);
        let targets = query.targets.iter().map(|target| &target.target);
        let Some(text) = query::lives(&query.question, &grouping, targets) else {
            return Ok(Vec::new());
        };
        let step = step(query);
        let mut lives = Lives::default();
        let last = query.to.as_second().div_euclid(step) * step;
        let mut from = (query.from.as_second() + step - 1).div_euclid(step) * step;
        while from <= last {
            let to = last.min(from + (MOMENTS_OF_LIVES - 1) * step);
            let asked = self.ask_between(&text, from, to, step);
            let instants = self.in_time(timeout(self.options.timeout, asked).await)?;
            for row in instants.into_values().flatten() {
                let sampled = timestamp(row.value)
                    .ok_or_else(|| Fault::malformed("answered with an impossible time"))?;
                let value = |label: Option<&str>| label.and_then(|label| row.labels.get(label));
                lives.see(RowKey::of(value, &grouping, &query.question), sampled)?;
            }
            from = to + step;
        }
        Ok(lives.all())
    }
}

/// Lives so far, bounded in number.
#[derive(Default)]
pub(super) struct Lives(BTreeMap<RowKey, (Timestamp, Timestamp)>);

impl Lives {
    pub(super) fn see(&mut self, key: RowKey, sampled: Timestamp) -> Result<(), Fault> {
        if self.0.len() >= MOST_LIVES && !self.0.contains_key(&key) {
            return Err(Fault::malformed(format!(
                "has samples of more than {MOST_LIVES} pods: look at a shorter time, or at fewer watches"
            )));
        }
        let (first, last) = self.0.entry(key).or_insert((sampled, sampled));
        *first = sampled.min(*first);
        *last = sampled.max(*last);
        Ok(())
    }

    pub(super) fn all(self) -> Vec<Life> {
        let lives = self.0.into_iter();
        lives
            .map(|(key, (first, last))| Life {
                namespace: key.namespace,
                pod: PodName(key.pod),
                arm: key.arm,
                first,
                last,
            })
            .collect()
    }
}

/// In whole seconds, at least one.
pub(super) fn step(query: &RangeQuery) -> i64 {
    query.step.as_secs().max(1)
}

pub(super) fn moment(second: i64) -> Result<Timestamp, Fault> {
    Timestamp::from_second(second)
        .map_err(|_| Fault::malformed("was asked about an impossible time"))
}

/// The first and the last moment, in whole steps.
pub(super) fn moments(from: Timestamp, to: Timestamp, step: i64) -> (i64, i64) {
    let last = to.as_second().div_euclid(step) * step;
    let first = (from.as_second() + step - 1).div_euclid(step) * step;
    (first.max(last - (MOST_MOMENTS - 1) * step), last)
}

/// The names of pods that rows are of, by namespace.
fn pods_of<'r>(
    rows: impl Iterator<Item = &'r Row>,
    grouping: &Grouping,
) -> BTreeMap<&'r str, BTreeSet<&'r str>> {
    let mut names: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for row in rows {
        let value = |label: Option<&str>| label.and_then(|label| row.labels.get(label));
        if let Some(pod) = value(Some(&grouping.pod)) {
            let namespace = value(grouping.namespace.as_deref());
            let namespace = namespace.map_or("", String::as_str);
            names.entry(namespace).or_default().insert(pod);
        }
    }
    names
}

/// The targets with the pods that an answer shows to have been theirs.
pub(super) fn with_gone_pods(
    targets: &[RangeTarget],
    grouping: &Grouping,
    names: &BTreeMap<&str, BTreeSet<&str>>,
) -> Vec<QueryTarget> {
    let mut with = Vec::with_capacity(targets.len());
    for RangeTarget { target, revisions } in targets {
        let mut target = target.clone();
        let namespace = match grouping.namespace {
            Some(_) => target.id.namespace.as_str(),
            None => "",
        };
        let mut gone = Vec::new();
        let known: BTreeSet<&PodName> = target.pods.iter().map(|pod| &pod.name).collect();
        for name in names.get(namespace).into_iter().flatten() {
            let name = PodName((*name).to_owned());
            if gone.len() >= MOST_GONE || known.contains(&name) {
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
        assert_eq!(moments(at(11), at(29), 5), (15, 25));
        assert_eq!(moments(at(15), at(25), 5), (15, 25));
        assert_eq!(moments(at(16), at(19), 5), (20, 15), "none");
        assert_eq!(moments(at(16), at(60), 15), (30, 60));
        let (first, last) = moments(at(0), at(1_000_000), 5);
        assert_eq!((last - first) / 5 + 1, MOST_MOMENTS);
    }
}
