//! Values of several pods become one: a sample of an arm for each time at which it was read.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::pods::KnownPods;
use super::{FUTURE, of_pod};
use crate::observation::{LevelReading, Levels, SeriesKey};
use crate::rule::Over;

/// A value that is older than the newest of its arm by more than this is not of the same time, while the interval
/// between samples is not known.
const APART: SignedDuration = SignedDuration::from_mins(2);
const LEAST_APART: SignedDuration = SignedDuration::from_secs(60);
const MOST_APART: SignedDuration = SignedDuration::from_mins(10);

/// How far apart the values of several pods may be that become one: three samples.
pub fn apart(interval: Option<std::time::Duration>) -> SignedDuration {
    interval
        .and_then(|interval| SignedDuration::try_from(interval).ok())
        .and_then(|interval| interval.checked_mul(3))
        .map_or(APART, |three| three.clamp(LEAST_APART, MOST_APART))
}

/// Readings that can be used: numbers of known pods, or of no pod, that are not of the future.
pub(super) fn usable<'l>(
    now: Timestamp,
    levels: &'l Levels,
    known: &KnownPods,
) -> impl Iterator<Item = &'l LevelReading> {
    levels.readings.iter().filter(move |reading| {
        reading.value.is_finite()
            && now.duration_until(reading.at) <= FUTURE
            && (!of_pod(&reading.key) || known.of(&reading.key).is_some())
    })
}

/// The samples of an arm, oldest first: one for each time of the series that was read most often, with what the
/// others showed last at that time, not further [`apart`].
///
/// An instant query shows each pod once, so that is one sample; the history of a range query gives many.
pub fn combined(
    levels: &Levels,
    over: Over,
    now: Timestamp,
    known: &KnownPods,
    apart: SignedDuration,
    belongs: impl Fn(&SeriesKey) -> bool,
) -> Vec<(Timestamp, f64)> {
    let mut by_key: BTreeMap<&SeriesKey, Vec<(Timestamp, f64)>> = BTreeMap::new();
    for reading in usable(now, levels, known).filter(|reading| belongs(&reading.key)) {
        let series = by_key.entry(&reading.key).or_default();
        // Ascending, as the seam promises: what is not would be a source's fault, and is left out.
        if series.last().is_none_or(|(at, _)| *at < reading.at) {
            series.push((reading.at, reading.value));
        }
    }
    let Some(longest) = by_key
        .values()
        .max_by_key(|series| (series.len(), series.last().map(|(at, _)| *at)))
    else {
        return Vec::new();
    };
    // The beginning of a history is not judged by the pods that happen to be shown first.
    let firsts = || {
        by_key
            .values()
            .filter_map(|series| series.first())
            .map(|(at, _)| *at)
    };
    let first = firsts().min();
    let start = firsts().filter(|at| first.is_some_and(|first| first.duration_until(*at) <= apart));
    let start = start.max();
    let several = longest.len() > 1;
    longest
        .iter()
        .map(|(at, _)| *at)
        .filter(|at| !several || start.is_none_or(|start| *at >= start))
        .filter_map(|at| {
            let values: Vec<f64> = by_key
                .values()
                .filter_map(|series| series.iter().rev().find(|(when, _)| *when <= at))
                .filter(|(when, _)| when.duration_until(at) <= apart)
                .map(|(_, value)| *value)
                .collect();
            Some((at, one_of(&values, over)?))
        })
        .collect()
}

/// Several values as one; `None` without any.
fn one_of(values: &[f64], over: Over) -> Option<f64> {
    if values.is_empty() {
        return None;
    }
    let sum: f64 = values.iter().sum();
    let one = match over {
        Over::Max => values.iter().copied().fold(f64::NEG_INFINITY, f64::max),
        Over::Min => values.iter().copied().fold(f64::INFINITY, f64::min),
        Over::Mean => sum / values.len() as f64,
        Over::Sum => sum,
    };
    one.is_finite().then_some(one)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{PodName, RevisionHash, TargetId, TargetKind};
    use crate::target::Pod;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).expect("a time")
    }

    fn key(pod: &str) -> SeriesKey {
        SeriesKey::Pod {
            namespace: "shop".to_owned(),
            pod: PodName(pod.to_owned()),
        }
    }

    fn known(pods: &[&str]) -> KnownPods {
        let target = TargetId {
            namespace: "shop".to_owned(),
            kind: TargetKind::Deployment,
            name: "checkout".to_owned(),
        };
        let pods: Vec<Pod> = pods
            .iter()
            .map(|name| Pod {
                name: PodName((*name).to_owned()),
                hash: RevisionHash("v1".to_owned()),
                created: at(0),
                ready: true,
                terminating: false,
                ip: None,
                metrics: None,
                unready_reason: None,
            })
            .collect();
        KnownPods::new(&target, &pods)
    }

    fn levels(readings: &[(&str, i64, f64)]) -> Levels {
        Levels {
            readings: readings
                .iter()
                .map(|(pod, second, value)| LevelReading {
                    key: key(pod),
                    at: at(*second),
                    value: *value,
                })
                .collect(),
            unusable: Vec::new(),
        }
    }

    fn samples(readings: &[(&str, i64, f64)], over: Over) -> Vec<(i64, f64)> {
        let known = known(&["a", "b", "c"]);
        let found = combined(
            &levels(readings),
            over,
            at(100),
            &known,
            apart(None),
            |_| true,
        );
        found
            .into_iter()
            .map(|(when, value)| (when.as_second() - at(0).as_second(), value))
            .collect()
    }

    #[test]
    fn an_instant_is_one_sample_of_all_pods() {
        let pods = [("a", 10, 1.0), ("b", 12, 5.0), ("c", 11, 3.0)];
        for (over, value) in [
            (Over::Max, 5.0),
            (Over::Min, 1.0),
            (Over::Mean, 3.0),
            (Over::Sum, 9.0),
        ] {
            assert_eq!(samples(&pods, over), [(12, value)], "{over:?}");
        }
    }

    #[test]
    fn a_history_is_one_sample_for_each_time() {
        let history = [
            ("a", 0, 1.0),
            ("a", 10, 2.0),
            ("a", 20, 9.0),
            ("b", 5, 4.0),
            ("b", 15, 8.0),
        ];
        // At 0 only one of the two was shown yet.
        assert_eq!(samples(&history, Over::Max), [(10, 4.0), (20, 9.0)]);
        assert_eq!(samples(&history, Over::Sum), [(10, 6.0), (20, 17.0)]);
    }

    #[test]
    fn strangers_nonsense_and_what_is_long_gone_count_for_nothing() {
        assert!(samples(&[("stranger", 10, 1.0)], Over::Max).is_empty());
        assert!(samples(&[("a", 10, f64::NAN)], Over::Max).is_empty());
        assert!(samples(&[("a", 10, f64::INFINITY)], Over::Max).is_empty());
        assert!(
            samples(&[("a", 1_000, 7.0)], Over::Max).is_empty(),
            "of the future"
        );
        let stale = [("a", -500, 99.0), ("b", 10, 1.0)];
        assert_eq!(samples(&stale, Over::Max), [(10, 1.0)]);
        assert!(samples(&[], Over::Sum).is_empty());
    }
}
