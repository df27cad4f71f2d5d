//! What one pod's page says to each question: the sums that Prometheus would make of it, from one pass over the text.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use jiff::Timestamp;

use recant_core::ids::PodName;
use recant_core::observation::{Cumulative, LevelReading, Levels, SeriesKey, SeriesReading};
use recant_core::rule::What;

use super::matching::{Asked, PodLabels, Role, value_of};
use crate::source::buckets::histogram;
use crate::source::exposition::{Format, Sample, parse};

/// Sums of one question for one value of the label that tells the arms apart (empty: no label).
#[derive(Debug, Default)]
struct Sums {
    part: Option<f64>,
    total: Option<f64>,
    shape: bool,
    /// By the text of `le`.
    buckets: BTreeMap<String, f64>,
    /// Values as they stand, each with its series: there should be one.
    values: Vec<(String, f64)>,
    /// The newest time that the page itself gives.
    exposed: Option<Timestamp>,
}

/// What a page says to one question.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Told {
    pub(super) series: Vec<SeriesReading>,
    pub(super) levels: Levels,
}

/// Series that are named when there are too many.
const MOST_NAMED: usize = 2;

/// The series of one pod, for each question in its order; `at` is when the page came.
pub(super) fn read(
    text: &str,
    format: Format,
    pod: PodLabels<'_>,
    at: Timestamp,
    asked: &[Arc<Asked>],
) -> Result<Vec<Told>, String> {
    // Never iterated, so that its order does not matter.
    let mut wanted: HashMap<&str, Vec<(usize, Role, usize)>> = HashMap::new();
    for (index, question) in asked.iter().enumerate() {
        for (place, (role, selector)) in question.selectors.iter().enumerate() {
            let roles = wanted.entry(selector.name.as_str()).or_default();
            roles.push((index, *role, place));
        }
    }
    let mut sums: Vec<BTreeMap<String, Sums>> = asked.iter().map(|_| BTreeMap::new()).collect();
    let mut seen: BTreeSet<String> = BTreeSet::new();
    parse(text, format, |sample| {
        let Some(roles) = wanted.get(&*sample.name) else {
            return Ok(());
        };
        let mut kept = false;
        for (index, role, place) in roles {
            let (Some(question), Some(sums)) = (asked.get(*index), sums.get_mut(*index)) else {
                continue;
            };
            let Some((_, selector)) = question.selectors.get(*place) else {
                continue;
            };
            if selector.selects(sample.labels, pod) {
                kept = true;
                let arm = question
                    .question
                    .label
                    .as_deref()
                    .map_or("", |label| value_of(sample.labels, label));
                sums.entry(arm.to_owned()).or_default().add(*role, sample);
            }
        }
        if kept {
            let identity = identity(sample);
            if seen.contains(&identity) {
                return Err(format!("two samples of one series: {identity}"));
            }
            seen.insert(identity);
        }
        Ok(())
    })
    .map_err(|error| error.to_string())?;
    Ok(asked
        .iter()
        .zip(sums)
        .map(|(question, sums)| {
            let mut told = Told::default();
            for (arm, sums) in sums {
                let at = sums.exposed.unwrap_or(at);
                let (key, member) = series(question, arm, pod);
                match sums.value(pod) {
                    Some(Ok(value)) => told.levels.readings.push(LevelReading {
                        key: key.clone(),
                        at,
                        value,
                    }),
                    Some(Err(reason)) => told.levels.unusable.push(reason),
                    None => {}
                }
                if let Some(value) = sums.counters(&question.question.what) {
                    told.series.push(SeriesReading {
                        key,
                        member,
                        at,
                        value,
                    });
                }
            }
            told
        })
        .collect())
}

fn series(asked: &Asked, arm: String, pod: PodLabels<'_>) -> (SeriesKey, Option<PodName>) {
    let name = PodName(pod.pod.to_owned());
    match &asked.question.label {
        None => {
            let key = SeriesKey::Pod {
                namespace: pod.namespace.to_owned(),
                pod: name,
            };
            (key, None)
        }
        Some(_) if arm.is_empty() => (SeriesKey::Whole, Some(name)),
        Some(_) => (SeriesKey::Label(arm), Some(name)),
    }
}

impl Sums {
    fn add(&mut self, role: Role, sample: &Sample<'_, '_>) {
        let add = |sum: &mut Option<f64>| *sum = Some(sum.unwrap_or(0.0) + sample.value);
        match role {
            Role::Part => add(&mut self.part),
            Role::Total => add(&mut self.total),
            Role::Shape => self.shape = true,
            Role::Value => self.values.push((identity(sample), sample.value)),
            Role::Bucket => {
                let bound = value_of(sample.labels, "le");
                match self.buckets.get_mut(bound) {
                    Some(sum) => *sum += sample.value,
                    None => {
                        self.buckets.insert(bound.to_owned(), sample.value);
                    }
                }
            }
        }
        if matches!(role, Role::Total | Role::Bucket | Role::Value) {
            self.exposed = self.exposed.max(sample.timestamp);
        }
    }

    /// The one value, or why there is none that can be used; `None`: nothing was asked, or nothing is there.
    fn value(&self, pod: PodLabels<'_>) -> Option<Result<f64, String>> {
        match self.values.as_slice() {
            [] => None,
            [(_, value)] if value.is_finite() => Some(Ok(*value)),
            [(name, value)] => Some(Err(format!(
                "`{name}` of pod `{}` is {value}, which is no number",
                pod.pod
            ))),
            several => {
                let named: Vec<String> = several
                    .iter()
                    .take(MOST_NAMED)
                    .map(|(name, _)| format!("`{name}`"))
                    .collect();
                Some(Err(format!(
                    "pod `{}` has {} series where one is expected, such as {}: narrow it by a matcher",
                    pod.pod,
                    several.len(),
                    named.join(" and ")
                )))
            }
        }
    }

    fn counters(&self, what: &What) -> Option<Cumulative> {
        match what {
            What::Ratio { .. } => {
                (self.part.is_some() || self.total.is_some()).then_some(Cumulative::Ratio {
                    part: self.part,
                    total: self.total,
                    part_shape: self.shape,
                })
            }
            What::Level(_) => None,
            What::Histogram { .. } => {
                if self.buckets.is_empty() {
                    return None;
                }
                let buckets = self.buckets.iter().map(|(bound, sum)| (&**bound, *sum));
                Some(histogram(buckets).map_or_else(
                    |reason| Cumulative::Unusable { reason },
                    Cumulative::Histogram,
                ))
            }
        }
    }
}

/// A sample's series: name and labels in order, without the empty ones.
fn identity(sample: &Sample<'_, '_>) -> String {
    let mut labels: Vec<(&str, &str)> = sample
        .labels
        .iter()
        .map(|(name, value)| (&**name, &**value))
        .filter(|(_, value)| !value.is_empty())
        .collect();
    labels.sort_unstable();
    let labels: Vec<String> = labels
        .into_iter()
        .map(|(name, value)| format!("{name}={value:?}"))
        .collect();
    format!("{}{{{}}}", sample.name, labels.join(","))
}
