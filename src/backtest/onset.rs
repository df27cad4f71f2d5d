//! Since when a release was bad, in its samples: nothing is decided by it, it only says how long the verdict took.
//!
//! The first bad sample is the one after which more went wrong than is allowed, up to the verdict: where the sum of bad
//! events less the allowed ones was at its lowest (the change point of a CUSUM; Page 1954).

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;

use recant_core::ids::{PodName, RevisionHash};
use recant_core::judge::Finding;
use recant_core::observation::{Cumulative, Observation, SeriesKey, SeriesReading};
use recant_core::rule::{ArmsBy, Check, LevelLimit, Metric, Part, Question, Rule, Sampled, Watch};

use super::releases::PodLife;

/// What is remembered of one rule: more than a day of looks of a second.
const MOST: usize = 100_000;

/// The samples of the canary, for each rule.
#[derive(Debug)]
pub(super) struct Onset {
    rules: Vec<OfRule>,
    questions: Vec<OfQuestion>,
}

#[derive(Debug)]
struct OfRule {
    rule: Arc<Rule>,
    samples: Vec<Sample>,
}

/// What is asked once for several rules.
#[derive(Debug)]
struct OfQuestion {
    /// Places of the rules.
    rules: Vec<usize>,
    last: BTreeMap<SeriesKey, BTreeMap<Option<PodName>, Last>>,
}

#[derive(Debug, Clone, Copy)]
struct Sample {
    at: Timestamp,
    bad: f64,
    events: f64,
}

/// Where a series stood: bad events and all events, as each rule of its question counts them.
#[derive(Debug)]
struct Last {
    at: Timestamp,
    stood: Vec<Option<(f64, f64)>>,
}

impl Onset {
    /// For the rules of a watch; questions are known by their places in `questions`.
    pub(super) fn new(watch: &Watch, questions: &[Arc<Question>]) -> Self {
        let rules = watch.rules.iter().map(|rule| OfRule {
            rule: rule.clone(),
            samples: Vec::new(),
        });
        let asks = |rule: &Arc<Rule>, question: &Arc<Question>| Question::of(rule) == **question;
        let questions = questions.iter().map(|question| OfQuestion {
            rules: (0..watch.rules.len())
                .filter(|place| {
                    let rule = watch.rules.get(*place);
                    rule.is_some_and(|rule| asks(rule, question))
                })
                .collect(),
            last: BTreeMap::new(),
        });
        Self {
            rules: rules.collect(),
            questions: questions.collect(),
        }
    }

    /// Another release begins. Where series that go on stand is still known.
    pub(super) fn clear(&mut self) {
        for rule in &mut self.rules {
            rule.samples.clear();
        }
        for question in &mut self.questions {
            let of_pod = |key: &SeriesKey| matches!(key, SeriesKey::Pod { .. });
            question.last.retain(|key, _| !of_pod(key));
        }
    }

    /// Takes in what was answered of the canary to the question at this place; `None`: no release is judged.
    pub(super) fn see(
        &mut self,
        place: usize,
        observation: &Observation,
        canary: Option<&RevisionHash>,
        pods: &BTreeMap<PodName, PodLife>,
    ) {
        let Some(question) = self.questions.get_mut(place) else {
            return;
        };
        match observation {
            Observation::Reading(reading) => {
                for series in &reading.series {
                    question.count(&mut self.rules, series, canary, pods);
                }
            }
            Observation::Levels(levels) => {
                for reading in &levels.readings {
                    for place in &question.rules {
                        let Some(of_rule) = self.rules.get_mut(*place) else {
                            continue;
                        };
                        if canary.is_some()
                            && is_canary(&reading.key, &of_rule.rule.arms, canary, pods)
                            && let Some(beyond) = beyond(&of_rule.rule, reading.value)
                        {
                            of_rule.add(reading.at, f64::from(beyond), 1.0);
                        }
                    }
                }
            }
            Observation::NoData { .. } | Observation::Unavailable { .. } => {}
        }
    }

    /// The first bad sample of the rule that decided; `None`: it cannot be told.
    pub(super) fn first_bad(&self, finding: &Finding) -> Option<Timestamp> {
        let mut rules = self.rules.iter();
        let of_rule = rules.find(|of_rule| of_rule.rule.name == finding.rule)?;
        let baseline = finding.baseline.and_then(|baseline| baseline.value);
        let allowed = allowed_share(&of_rule.rule, baseline)?;
        let mut samples = of_rule.samples.clone();
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

impl OfQuestion {
    fn count(
        &mut self,
        rules: &mut [OfRule],
        series: &SeriesReading,
        canary: Option<&RevisionHash>,
        pods: &BTreeMap<PodName, PodLife>,
    ) {
        let mine = |rule: &OfRule| is_canary(&series.key, &rule.rule.arms, canary, pods);
        let asking = |place: &usize| rules.get(*place).is_some_and(mine);
        if !self.rules.iter().any(asking) {
            return;
        }
        let members = self.last.get(&series.key);
        let last = members.and_then(|members| members.get(&series.member));
        if last.is_some_and(|last| last.at >= series.at) {
            return;
        }
        let mut stood = Vec::with_capacity(self.rules.len());
        for (index, place) in self.rules.iter().enumerate() {
            let Some(of_rule) = rules.get_mut(*place) else {
                continue;
            };
            let now = counters(&of_rule.rule, &series.value);
            stood.push(now);
            let before = match last {
                Some(last) => last.stood.get(index).copied().flatten(),
                // A pod begins to count when it comes; what others counted before is not known.
                None => matches!(series.key, SeriesKey::Pod { .. }).then_some((0.0, 0.0)),
            };
            if canary.is_some()
                && let (Some((bad, events)), Some((bad_before, events_before))) = (now, before)
                && is_canary(&series.key, &of_rule.rule.arms, canary, pods)
            {
                of_rule.add(
                    series.at,
                    since(bad_before, bad),
                    since(events_before, events),
                );
            }
        }
        let now = Last {
            at: series.at,
            stood,
        };
        let there = self.last.get_mut(&series.key);
        let there = there.and_then(|members| members.get_mut(&series.member));
        if let Some(last) = there {
            *last = now;
        } else {
            let members = self.last.entry(series.key.clone()).or_default();
            members.insert(series.member.clone(), now);
        }
    }
}

impl OfRule {
    fn add(&mut self, at: Timestamp, bad: f64, events: f64) {
        let full = self.samples.len() >= MOST;
        match self.samples.last_mut().filter(|last| last.at == at) {
            Some(last) => {
                last.bad += bad;
                last.events += events;
            }
            None if !full => self.samples.push(Sample { at, bad, events }),
            None => {}
        }
    }
}

/// A counter that fell has begun anew.
fn since(last: f64, now: f64) -> f64 {
    if now >= last { now - last } else { now }
}

fn is_canary(
    key: &SeriesKey,
    arms: &ArmsBy,
    revision: Option<&RevisionHash>,
    pods: &BTreeMap<PodName, PodLife>,
) -> bool {
    match (key, arms) {
        (SeriesKey::Pod { pod, .. }, _) => {
            let of = pods.get(pod).map(|life| &life.revision);
            of.is_some() && of == revision
        }
        (SeriesKey::Label(value), ArmsBy::HashLabel(_)) => {
            revision.is_some_and(|revision| value == revision.as_str())
        }
        (SeriesKey::Label(value), ArmsBy::NamedLabel { canary, .. }) => value == canary,
        (SeriesKey::Whole, _) => true,
        (SeriesKey::Label(_), ArmsBy::Pod) => false,
    }
}

/// Bad events and all events so far, as a rule counts them.
fn counters(rule: &Rule, value: &Cumulative) -> Option<(f64, f64)> {
    let Check::Counts(check) = &rule.check else {
        return None;
    };
    match (value, &check.metric) {
        (Cumulative::Ratio { part, total, .. }, Metric::Ratio(metric)) => {
            let (part, events) = (part.unwrap_or(0.0), total.unwrap_or(0.0));
            let bad = match metric.part_is {
                Part::Bad => part,
                Part::Good => events - part,
            };
            Some((bad, events))
        }
        (Cumulative::Histogram(histogram), Metric::Histogram(_)) => {
            let limit = check.max?;
            let place = histogram.bounds.partition_point(|bound| *bound < limit);
            let all = *histogram.counters.last()?;
            Some((all - histogram.counters.get(place)?, all))
        }
        (Cumulative::Ratio { .. } | Cumulative::Histogram(_) | Cumulative::Unusable { .. }, _) => {
            None
        }
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
