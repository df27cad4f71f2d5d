//! From the series of an answer to an observation for each target: whose series is it?
//!
//! A series that could be of two targets is given to neither. Guessing would judge one service by another's errors.

use std::collections::{BTreeMap, BTreeSet};

use recant_core::ids::PodName;
use recant_core::observation::{
    Cause, LevelReading, Levels, Observation, Reading, SeriesKey, SeriesReading,
};
use recant_core::rule::{Level, Question, What};

use super::collect::{Collected, RowKey};
use super::expression;
use super::query::{Grouping, asked};
use crate::source::QueryTarget;
use crate::source::http::Fault;

/// Reasons that are kept for one target.
const MOST_UNUSABLE: usize = 20;

/// What one answer means for one target, so far.
#[derive(Debug, Default)]
pub(super) struct Share {
    series: Vec<SeriesReading>,
    pub(super) levels: Levels,
    fault: Option<Fault>,
}

/// One observation for each target, in their order.
pub(super) fn deliver(
    answer: &BTreeMap<RowKey, Collected>,
    grouping: &Grouping,
    question: &Question,
    targets: &[&QueryTarget],
) -> Vec<Observation> {
    if let What::Level(Level::Promql(_)) = &question.what {
        return expression::deliver(answer, question, targets);
    }
    let mut shares: Vec<Share> = targets.iter().map(|_| Share::default()).collect();
    let owners = Owners::new(grouping, targets);
    let namespaces_with_pods: BTreeSet<&str> = answer
        .iter()
        .filter(|(key, _)| !key.pod.is_empty())
        .map(|(key, _)| key.namespace.as_str())
        .collect();
    let mut unclaimed: Vec<(&RowKey, &Collected)> = Vec::new();
    let mut claimed_in: BTreeSet<&str> = BTreeSet::new();
    for (key, collected) in answer {
        let mine: Vec<usize> = match &grouping.arm {
            None if key.pod.is_empty() => {
                // Where pods have the label, series without it are about something else.
                if namespaces_with_pods.contains(key.namespace.as_str()) {
                    continue;
                }
                owners.in_namespace(key).to_vec()
            }
            None => owners.of_pod(key),
            Some(_) => match owners.in_namespace(key) {
                [_, _, ..] => {
                    let by_value = owners.of_arm(key);
                    if by_value.is_empty() {
                        unclaimed.push((key, collected));
                        continue;
                    }
                    by_value
                }
                one_or_none => one_or_none.to_vec(),
            },
        };
        claimed_in.insert(key.namespace.as_str());
        give(
            &mut shares,
            &mine,
            key,
            collected,
            grouping,
            question,
            targets,
        );
    }
    for (key, collected) in unclaimed {
        // Beside series that say whose they are, one that does not is a stranger's, or of a revision long gone.
        if !claimed_in.contains(key.namespace.as_str()) {
            let candidates = owners.in_namespace(key);
            give(
                &mut shares,
                candidates,
                key,
                collected,
                grouping,
                question,
                targets,
            );
        }
    }
    shares
        .into_iter()
        .zip(targets)
        .map(|(share, target)| observation(share, question, target))
        .collect()
}

/// Gives a series to its one target, or tells all that could have it why they do not get it.
fn give(
    shares: &mut [Share],
    mine: &[usize],
    key: &RowKey,
    collected: &Collected,
    grouping: &Grouping,
    question: &Question,
    targets: &[&QueryTarget],
) {
    let fault = match (mine, &collected.doubled) {
        ([], _) => return,
        (_, Some(doubled)) => Fault::malformed(doubled.clone()),
        ([one], None) => {
            if let (What::Level(_), Some(share)) = (&question.what, shares.get_mut(*one)) {
                let key = series_key(key, grouping, targets.get(*one));
                share.take(&key, collected, question);
                return;
            }
            let Some((at, value)) = collected.counters(question) else {
                return;
            };
            if let Some(share) = shares.get_mut(*one) {
                share.series.push(SeriesReading {
                    key: series_key(key, grouping, targets.get(*one)),
                    member: (grouping.arm.is_some() && !key.pod.is_empty())
                        .then(|| PodName(key.pod.clone())),
                    at,
                    value,
                });
            }
            return;
        }
        (several, None) => ambiguous(several, grouping, question, targets),
    };
    for index in mine {
        if let Some(share) = shares.get_mut(*index) {
            share.fault = Some(fault.clone());
        }
    }
}

fn series_key(key: &RowKey, grouping: &Grouping, target: Option<&&QueryTarget>) -> SeriesKey {
    match &grouping.arm {
        Some(_) if key.arm.is_empty() => SeriesKey::Whole,
        Some(_) => SeriesKey::Label(key.arm.clone()),
        None if key.pod.is_empty() => SeriesKey::Whole,
        None => SeriesKey::Pod {
            namespace: target.map_or_else(
                || key.namespace.clone(),
                |target| target.id.namespace.clone(),
            ),
            pod: PodName(key.pod.clone()),
        },
    }
}

fn ambiguous(
    several: &[usize],
    grouping: &Grouping,
    question: &Question,
    targets: &[&QueryTarget],
) -> Fault {
    let names: Vec<String> = several
        .iter()
        .filter_map(|index| targets.get(*index))
        .map(|target| format!("{}", target.id))
        .take(5)
        .collect();
    let advice = match &grouping.arm {
        None => format!(
            "they have no label `{}`. Say `arms: {{label: …}}` with the label that tells the versions apart, \
             and a selector that names the service",
            grouping.pod
        ),
        Some(label) => format!(
            "their label `{label}` does not say either. Add a matcher to the selector that names the service"
        ),
    };
    Fault::malformed(format!(
        "gives series of `{}` that could be of {} watched targets ({}): {advice}",
        asked(question),
        several.len(),
        names.join(", ")
    ))
}

impl Share {
    /// Takes values in, or why they cannot be used.
    pub(super) fn take(&mut self, key: &SeriesKey, collected: &Collected, question: &Question) {
        match collected.values(question) {
            Ok(values) => {
                let readings = values.into_iter().map(|(at, value)| LevelReading {
                    key: key.clone(),
                    at,
                    value,
                });
                self.levels.readings.extend(readings);
            }
            Err(reason) if self.levels.unusable.len() < MOST_UNUSABLE => {
                self.levels.unusable.push(format!("Prometheus: {reason}"));
            }
            Err(_) => {}
        }
    }
}

/// One target's part of an answer as it is told.
pub(super) fn observation(share: Share, question: &Question, target: &QueryTarget) -> Observation {
    if let Some(fault) = share.fault {
        return Observation::Unavailable {
            cause: fault.cause,
            reason: format!("Prometheus {}", fault.reason),
        };
    }
    let Levels { readings, unusable } = &share.levels;
    if !(readings.is_empty() && unusable.is_empty()) {
        return Observation::Levels(share.levels);
    }
    if share.series.is_empty() {
        return Observation::NoData {
            reason: no_data(question, target),
        };
    }
    Observation::Reading(Reading {
        series: share.series,
    })
}

/// Why there is nothing.
pub(super) fn no_data(question: &Question, target: &QueryTarget) -> String {
    format!(
        "Prometheus has no series of `{}` for {}",
        asked(question),
        target.id
    )
}

/// Who could own a series: places in the list of targets.
struct Owners<'a> {
    by_pod: BTreeMap<(&'a str, &'a str), Vec<usize>>,
    by_hash: BTreeMap<(&'a str, &'a str), Vec<usize>>,
    by_namespace: BTreeMap<&'a str, Vec<usize>>,
}

impl<'a> Owners<'a> {
    fn new(grouping: &Grouping, targets: &[&'a QueryTarget]) -> Self {
        let mut owners = Self {
            by_pod: BTreeMap::new(),
            by_hash: BTreeMap::new(),
            by_namespace: BTreeMap::new(),
        };
        for (index, target) in targets.iter().enumerate() {
            // Without the label all series are in the namespace of the empty name.
            let namespace = match grouping.namespace {
                Some(_) => target.id.namespace.as_str(),
                None => "",
            };
            owners
                .by_namespace
                .entry(namespace)
                .or_default()
                .push(index);
            for pod in &target.pods {
                let by_pod = owners.by_pod.entry((namespace, pod.name.as_str()));
                by_pod.or_default().push(index);
                let by_hash = owners.by_hash.entry((namespace, pod.hash.as_str()));
                let by_hash = by_hash.or_default();
                if by_hash.last() != Some(&index) {
                    by_hash.push(index);
                }
            }
        }
        owners
    }

    fn of_pod(&self, key: &RowKey) -> Vec<usize> {
        let pod = (key.namespace.as_str(), key.pod.as_str());
        self.by_pod.get(&pod).cloned().unwrap_or_default()
    }

    fn in_namespace(&self, key: &RowKey) -> &[usize] {
        self.by_namespace
            .get(key.namespace.as_str())
            .map_or(&[], Vec::as_slice)
    }

    /// Those whose pod the series is of; else those whose pod-template hash it names.
    fn of_arm(&self, key: &RowKey) -> Vec<usize> {
        let of_pod = self.of_pod(key);
        if !of_pod.is_empty() {
            return of_pod;
        }
        let hash = (key.namespace.as_str(), key.arm.as_str());
        self.by_hash.get(&hash).cloned().unwrap_or_default()
    }
}

/// The same fault for every target.
pub(super) fn unavailable(cause: Cause, reason: &str, targets: usize) -> Vec<Observation> {
    vec![
        Observation::Unavailable {
            cause,
            reason: reason.to_owned(),
        };
        targets
    ]
}
