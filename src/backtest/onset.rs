//! Since when a release was bad, in its samples: nothing is decided by it, it only says how long the verdict took.
//!
//! The first bad sample is the one after which more went wrong than is allowed, up to the verdict: where the sum of bad
//! events less the allowed ones was at its lowest (the change point of a CUSUM; Page 1954).

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;

use recant_core::ids::{PodName, RevisionHash, RuleName};
use recant_core::judge::Finding;
use recant_core::observation::{Cumulative, Observation, SeriesKey, SeriesReading};
use recant_core::rule::{ArmsBy, Check, LevelLimit, Metric, Part, Question, Rule, Sampled, Watch};

use super::releases::PodLife;

/// What is remembered of one rule: more than a day of looks of a second.
const MOST: usize = 100_000;

/// The samples of the canary, for each rule.
#[derive(Debug)]
pub(super) struct Onset {
    rules: Vec<(Arc<Rule>, Arc<Question>)>,
    samples: BTreeMap<RuleName, Vec<Sample>>,
    last: BTreeMap<(Arc<Question>, SeriesKey, Option<PodName>), Last>,
}

#[derive(Debug, Clone, Copy)]
struct Sample {
    at: Timestamp,
    bad: f64,
    events: f64,
}

/// Where the counters of a series stood.
#[derive(Debug)]
struct Last {
    at: Timestamp,
    value: Cumulative,
}

impl Onset {
    pub(super) fn new(watch: &Watch) -> Self {
        let rules = watch.rules.iter();
        Self {
            rules: rules
                .map(|rule| (rule.clone(), Arc::new(Question::of(rule))))
                .collect(),
            samples: BTreeMap::new(),
            last: BTreeMap::new(),
        }
    }

    /// Another release begins.
    pub(super) fn clear(&mut self) {
        self.samples.clear();
        self.last.clear();
    }

    /// Takes in what was answered of the canary.
    pub(super) fn see(
        &mut self,
        question: &Arc<Question>,
        observation: &Observation,
        canary: &RevisionHash,
        pods: &BTreeMap<PodName, PodLife>,
    ) {
        let asking: Vec<Arc<Rule>> = self
            .rules
            .iter()
            .filter(|(_, of)| of == question)
            .map(|(rule, _)| rule.clone())
            .collect();
        match observation {
            Observation::Reading(reading) => {
                for series in &reading.series {
                    self.count(question, series, &asking, canary, pods);
                }
            }
            Observation::Levels(levels) => {
                for reading in &levels.readings {
                    for rule in &asking {
                        if is_canary(&reading.key, &rule.arms, canary, pods)
                            && let Some(beyond) = beyond(rule, reading.value)
                        {
                            self.add(rule, reading.at, f64::from(beyond), 1.0);
                        }
                    }
                }
            }
            Observation::NoData { .. } | Observation::Unavailable { .. } => {}
        }
    }

    fn count(
        &mut self,
        question: &Arc<Question>,
        series: &SeriesReading,
        asking: &[Arc<Rule>],
        canary: &RevisionHash,
        pods: &BTreeMap<PodName, PodLife>,
    ) {
        let mine = |rule: &&Arc<Rule>| is_canary(&series.key, &rule.arms, canary, pods);
        if !asking.iter().any(|rule| mine(&rule)) {
            return;
        }
        let key = (question.clone(), series.key.clone(), series.member.clone());
        let now = Last {
            at: series.at,
            value: series.value.clone(),
        };
        if self.last.get(&key).is_some_and(|last| last.at >= now.at) {
            return;
        }
        let last = self.last.insert(key, now);
        let last = last.as_ref().map(|last| &last.value);
        for rule in asking.iter().filter(mine) {
            if let Some((bad, events)) = counted(rule, last, &series.value) {
                self.add(rule, series.at, bad, events);
            }
        }
    }

    fn add(&mut self, rule: &Rule, at: Timestamp, bad: f64, events: f64) {
        let samples = self.samples.entry(rule.name.clone()).or_default();
        let full = samples.len() >= MOST;
        match samples.last_mut().filter(|last| last.at == at) {
            Some(last) => {
                last.bad += bad;
                last.events += events;
            }
            None if !full => samples.push(Sample { at, bad, events }),
            None => {}
        }
    }

    /// The first bad sample of the rule that decided; `None`: it cannot be told.
    pub(super) fn first_bad(&self, finding: &Finding) -> Option<Timestamp> {
        let (rule, _) = self
            .rules
            .iter()
            .find(|(rule, _)| rule.name == finding.rule)?;
        let baseline = finding.baseline.and_then(|baseline| baseline.value);
        let allowed = allowed_share(rule, baseline)?;
        let mut samples = self.samples.get(&finding.rule)?.clone();
        samples.sort_by_key(|sample| sample.at);
        let (mut sum, mut lowest, mut first) = (0.0_f64, 0.0_f64, 0);
        for (index, sample) in samples.iter().enumerate() {
            sum += sample.bad - allowed * sample.events;
            if sum <= lowest {
                lowest = sum;
                first = index + 1;
            }
        }
        samples.get(first).map(|sample| sample.at)
    }
}

fn is_canary(
    key: &SeriesKey,
    arms: &ArmsBy,
    canary: &RevisionHash,
    pods: &BTreeMap<PodName, PodLife>,
) -> bool {
    match (key, arms) {
        (SeriesKey::Pod { pod, .. }, _) => {
            pods.get(pod).is_some_and(|life| life.revision == *canary)
        }
        (SeriesKey::Label(value), ArmsBy::HashLabel(_)) => *value == canary.as_str(),
        (SeriesKey::Label(value), ArmsBy::NamedLabel { canary, .. }) => value == canary,
        (SeriesKey::Whole, _) => true,
        (SeriesKey::Label(_), ArmsBy::Pod) => false,
    }
}

/// Bad events and all events since the sample before; a counter that fell has begun anew.
fn counted(rule: &Rule, last: Option<&Cumulative>, now: &Cumulative) -> Option<(f64, f64)> {
    let since = |last: f64, now: f64| if now >= last { now - last } else { now };
    match (&rule.check, now) {
        (Check::Counts(check), Cumulative::Ratio { part, total, .. }) => {
            let Metric::Ratio(metric) = &check.metric else {
                return None;
            };
            let (last_part, last_total) = match last {
                Some(Cumulative::Ratio { part, total, .. }) => {
                    (part.unwrap_or(0.0), total.unwrap_or(0.0))
                }
                Some(Cumulative::Histogram(_) | Cumulative::Unusable { .. }) | None => (0.0, 0.0),
            };
            let part = since(last_part, part.unwrap_or(0.0));
            let events = since(last_total, total.unwrap_or(0.0));
            let bad = match metric.part_is {
                Part::Bad => part,
                Part::Good => events - part,
            };
            Some((bad, events))
        }
        (Check::Counts(check), Cumulative::Histogram(now)) => {
            let limit = check.max?;
            let above = |counters: &[f64]| -> Option<(f64, f64)> {
                let place = now.bounds.partition_point(|bound| *bound < limit);
                let all = *counters.last()?;
                Some((all - counters.get(place)?, all))
            };
            let (bad, events) = above(&now.counters)?;
            let last = match last {
                Some(Cumulative::Histogram(last)) if last.bounds == now.bounds => {
                    above(&last.counters)
                }
                Some(_) | None => None,
            };
            let (last_bad, last_events) = last.unwrap_or((0.0, 0.0));
            Some((since(last_bad, bad), since(last_events, events)))
        }
        (Check::Counts(_), Cumulative::Unusable { .. }) | (Check::Level(_), _) => None,
    }
}

fn beyond(rule: &Rule, value: f64) -> Option<bool> {
    match &rule.check {
        Check::Level(check) => match (&check.metric.sampled, check.limit) {
            (Sampled::Level(_), LevelLimit::Max(most)) => Some(value > most),
            (Sampled::Level(_), LevelLimit::Min(least)) => Some(value < least),
            (Sampled::Rate { .. }, _) => None,
        },
        Check::Counts(_) => None,
    }
}

/// The share of bad events that is allowed beside such a baseline.
fn allowed_share(rule: &Rule, baseline: Option<f64>) -> Option<f64> {
    let check = match &rule.check {
        // A value is bad at each sample beyond its limit: what counts is since when more often than not.
        Check::Level(_) => return Some(0.5),
        Check::Counts(check) => check,
    };
    match &check.metric {
        Metric::Histogram(histogram) => check.max.map(|_| 1.0 - histogram.quantile()),
        Metric::Ratio(ratio) => {
            let bad = |share: f64| match ratio.part_is {
                Part::Bad => share,
                Part::Good => 1.0 - share,
            };
            let limit = match ratio.part_is {
                Part::Bad => check.max,
                Part::Good => check.min.map(|min| 1.0 - min),
            };
            let compared = check
                .compare
                .zip(baseline)
                .map(|(compare, share)| bad(share) * (1.0 + compare.margin) + compare.plus);
            match (limit, compared) {
                (Some(limit), Some(compared)) => Some(limit.min(compared)),
                (limit, compared) => limit.or(compared),
            }
        }
    }
}
