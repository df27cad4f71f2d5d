#![allow(
    clippy::float_cmp,
    reason = "counts are whole numbers and must be exact"
)]

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::*;
use crate::ids::{PodName, RevisionHash, TargetId, TargetKind};
use crate::observation::{HistogramCounters, Reading};
use crate::target::Pod;

mod labels;
mod properties;
mod unusable;

/// Seconds after the fixed beginning of all tests.
fn at(seconds: i64) -> Timestamp {
    let begin: Timestamp = "2026-01-01T00:00:00Z".parse().expect("is a timestamp");
    begin + SignedDuration::from_secs(seconds)
}

fn pods(list: &[(&str, i64)]) -> KnownPods {
    let target = TargetId {
        namespace: "shop".into(),
        kind: TargetKind::Deployment,
        name: "checkout".into(),
    };
    let pods: Vec<Pod> = list
        .iter()
        .map(|(name, created)| Pod {
            name: PodName::from(*name),
            hash: RevisionHash::from("v1"),
            created: at(*created),
            ready: true,
            terminating: false,
            ip: None,
            metrics: None,
            unready_reason: None,
        })
        .collect();
    KnownPods::new(&target, &pods)
}

fn key(pod: &str) -> SeriesKey {
    SeriesKey::Pod {
        namespace: "shop".into(),
        pod: pod.into(),
    }
}

fn series(key: SeriesKey, seconds: i64, value: Cumulative) -> SeriesReading {
    SeriesReading {
        key,
        member: None,
        at: at(seconds),
        value,
    }
}

/// A ratio whose part has the shape that was asked for.
fn ratio(pod: &str, seconds: i64, part: Option<f64>, total: f64) -> SeriesReading {
    series(
        key(pod),
        seconds,
        Cumulative::Ratio {
            part,
            total: Some(total),
            part_shape: true,
        },
    )
}

fn histogram(pod: &str, seconds: i64, bounds: &[f64], counters: &[f64]) -> SeriesReading {
    series(
        key(pod),
        seconds,
        Cumulative::Histogram(HistogramCounters {
            bounds: bounds.into(),
            counters: counters.to_vec(),
        }),
    )
}

/// A measurement with the pods it knows.
struct Bench {
    measurement: Measurement,
    known: KnownPods,
}

impl Bench {
    fn new(known: &[(&str, i64)]) -> Self {
        Self {
            measurement: Measurement::new(),
            known: pods(known),
        }
    }

    fn look(&mut self, now: i64, series: Vec<SeriesReading>) -> Increases<'static> {
        let observation = Observation::Reading(Reading { series });
        let increases = self.measurement.advance(at(now), &observation, &self.known);
        increases.into_owned()
    }

    fn nothing(&mut self, now: i64) -> Increases<'static> {
        let observation = Observation::NoData {
            reason: "no series".into(),
        };
        let increases = self.measurement.advance(at(now), &observation, &self.known);
        increases.into_owned()
    }
}

/// Events and part of one pod; `None` when it had no counts.
fn counted(increases: &Increases<'_>, pod: &str) -> Option<(f64, f64)> {
    ratio_of(increases, &key(pod))
}

fn ratio_of(increases: &Increases<'_>, key: &SeriesKey) -> Option<(f64, f64)> {
    match &increases.series.get(key)?.counts {
        Counts::Ratio(ratio) => Some((ratio.events, ratio.part)),
        Counts::Histogram(_) => None,
    }
}

#[test]
fn a_pod_that_ran_before_recant_counts_from_the_first_look() {
    let mut bench = Bench::new(&[("a", -3600)]);
    let first = bench.look(0, vec![ratio("a", 0, Some(70.0), 1000.0)]);
    assert!(first.series.is_empty(), "{first:?}");
    let second = bench.look(5, vec![ratio("a", 5, Some(71.0), 1010.0)]);
    assert_eq!(counted(&second, "a"), Some((10.0, 1.0)));
    let increase = &second.series[&key("a")];
    assert_eq!((increase.since, increase.at), (at(0), at(5)));
}

#[test]
fn an_old_pod_whose_series_come_late_counts_from_their_first_sample() {
    let mut bench = Bench::new(&[("a", -3600), ("b", -3600)]);
    bench.look(0, vec![ratio("a", 0, None, 5.0)]);
    let late = bench.look(5, vec![ratio("b", 5, Some(900.0), 1000.0)]);
    assert_eq!(counted(&late, "b"), None);
    let next = bench.look(10, vec![ratio("b", 10, Some(901.0), 1003.0)]);
    assert_eq!(counted(&next, "b"), Some((3.0, 1.0)));
}

#[test]
fn a_new_pod_counts_from_zero() {
    let mut bench = Bench::new(&[("a", -3600), ("b", 3)]);
    bench.look(0, vec![ratio("a", 0, None, 5.0)]);
    let second = bench.look(10, vec![ratio("b", 9, Some(4.0), 20.0)]);
    assert_eq!(counted(&second, "b"), Some((20.0, 4.0)));
    assert_eq!(second.series[&key("b")].since, at(3));
}

#[test]
fn an_empty_answer_is_a_look_but_no_answer_is_none() {
    let mut looked = Bench::new(&[("a", 5)]);
    looked.nothing(0);
    let first = looked.look(10, vec![ratio("a", 10, Some(1.0), 7.0)]);
    assert_eq!(counted(&first, "a"), Some((7.0, 1.0)));

    let mut blind = Bench::new(&[("a", 5)]);
    let down = Observation::Unavailable {
        cause: Cause::Down,
        reason: "503".into(),
    };
    let answer = blind.measurement.advance(at(0), &down, &blind.known);
    assert!(
        matches!(
            answer.look,
            Look::Unavailable {
                cause: Cause::Down,
                ..
            }
        ),
        "{answer:?}"
    );
    let first = blind.look(10, vec![ratio("a", 10, Some(1.0), 7.0)]);
    assert_eq!(counted(&first, "a"), None);
}

#[test]
fn the_first_error_of_a_new_series_is_counted() {
    // `rate` and `increase` see a series with one sample here, and say nothing.
    let mut bench = Bench::new(&[("a", -3600)]);
    bench.look(0, vec![ratio("a", 0, None, 1000.0)]);
    let quiet = bench.look(5, vec![ratio("a", 5, None, 1010.0)]);
    assert_eq!(counted(&quiet, "a"), Some((10.0, 0.0)));
    let first = bench.look(10, vec![ratio("a", 10, Some(1.0), 1020.0)]);
    assert_eq!(counted(&first, "a"), Some((10.0, 1.0)));
}

#[test]
fn an_absent_part_is_zero_only_once_its_shape_was_seen_on_some_pod() {
    let shapeless = |pod, seconds, part, total| {
        series(
            key(pod),
            seconds,
            Cumulative::Ratio {
                part,
                total: Some(total),
                part_shape: false,
            },
        )
    };
    let mut bench = Bench::new(&[("a", -3600), ("b", -3600)]);
    bench.look(0, vec![shapeless("a", 0, None, 10.0)]);
    let blind = bench.look(5, vec![shapeless("a", 5, None, 20.0)]);
    assert!(blind.part_never_seen());
    // A rule that says absent is zero uses the counts all the same.
    assert_eq!(counted(&blind, "a"), Some((10.0, 0.0)));

    // The first error, on any pod, shows that nothing was misspelt; and it is counted.
    let seen = bench.look(10, vec![shapeless("a", 10, Some(3.0), 30.0)]);
    assert_eq!(counted(&seen, "a"), Some((10.0, 3.0)));
    assert!(!seen.part_never_seen());
    bench.look(15, vec![shapeless("b", 15, None, 5.0)]);
    let other = bench.look(20, vec![shapeless("b", 20, None, 6.0)]);
    assert!(!other.part_never_seen());
    assert!(bench.measurement.shape_seen());
}

#[test]
fn the_shape_of_foreign_pods_does_not_count() {
    let mut bench = Bench::new(&[("a", -3600)]);
    bench.look(0, vec![ratio("stranger", 0, Some(1.0), 10.0)]);
    assert!(!bench.measurement.shape_seen());
}

#[test]
fn a_reset_leaves_out_the_pods_tick_and_not_that_of_the_others() {
    let mut bench = Bench::new(&[("a", -3600), ("b", -3600)]);
    bench.look(
        0,
        vec![ratio("a", 0, Some(5.0), 100.0), ratio("b", 0, None, 100.0)],
    );
    let reset = bench.look(
        5,
        vec![ratio("a", 5, Some(5.0), 40.0), ratio("b", 5, None, 110.0)],
    );
    assert_eq!(reset.resets, vec![key("a")]);
    assert_eq!(counted(&reset, "a"), None);
    assert_eq!(counted(&reset, "b"), Some((10.0, 0.0)));
    let next = bench.look(10, vec![ratio("a", 10, Some(6.0), 50.0)]);
    assert_eq!(counted(&next, "a"), Some((10.0, 1.0)));
}

#[test]
fn a_drop_of_the_part_alone_is_a_reset() {
    let mut bench = Bench::new(&[("a", -3600)]);
    bench.look(0, vec![ratio("a", 0, Some(50.0), 100.0)]);
    let reset = bench.look(5, vec![ratio("a", 5, Some(2.0), 130.0)]);
    assert_eq!(reset.resets, vec![key("a")]);
    assert!(reset.series.is_empty());
}

#[test]
fn a_part_that_goes_and_comes_back_is_not_counted_twice() {
    let mut bench = Bench::new(&[("a", -3600)]);
    bench.look(0, vec![ratio("a", 0, Some(50.0), 100.0)]);
    let went = bench.look(5, vec![ratio("a", 5, None, 110.0)]);
    assert_eq!(went.resets, vec![key("a")]);
    let quiet = bench.look(10, vec![ratio("a", 10, None, 120.0)]);
    assert_eq!(counted(&quiet, "a"), Some((10.0, 0.0)));
    let back = bench.look(15, vec![ratio("a", 15, Some(51.0), 130.0)]);
    assert_eq!(back.resets, vec![key("a")]);
    let next = bench.look(20, vec![ratio("a", 20, Some(52.0), 140.0)]);
    assert_eq!(counted(&next, "a"), Some((10.0, 1.0)));
}

#[test]
fn after_a_restart_the_first_error_is_counted_again() {
    let mut bench = Bench::new(&[("a", -3600)]);
    bench.look(0, vec![ratio("a", 0, Some(50.0), 100.0)]);
    bench.look(5, vec![ratio("a", 5, None, 3.0)]);
    let first = bench.look(10, vec![ratio("a", 10, Some(1.0), 9.0)]);
    assert_eq!(counted(&first, "a"), Some((6.0, 1.0)));
}

#[test]
fn an_old_sample_is_not_taken_for_a_new_one() {
    let mut bench = Bench::new(&[("a", -3600)]);
    bench.look(0, vec![ratio("a", 0, None, 100.0)]);
    bench.look(5, vec![ratio("a", 5, None, 110.0)]);
    for now in 6..15 {
        let stale = bench.look(now, vec![ratio("a", 5, None, 110.0)]);
        assert!(stale.series.is_empty(), "{stale:?}");
    }
    let next = bench.look(15, vec![ratio("a", 15, None, 111.0)]);
    assert_eq!(counted(&next, "a"), Some((1.0, 0.0)));
}

#[test]
fn pods_that_are_not_known_yet_lose_nothing() {
    let mut bench = Bench::new(&[("a", -3600)]);
    bench.look(0, vec![ratio("a", 0, None, 1.0)]);
    let unknown = bench.look(10, vec![ratio("b", 10, Some(1.0), 10.0)]);
    assert_eq!((unknown.unknown_pods, unknown.series.len()), (1, 0));
    bench.known = pods(&[("a", -3600), ("b", 6)]);
    let known = bench.look(15, vec![ratio("b", 15, Some(2.0), 15.0)]);
    assert_eq!(counted(&known, "b"), Some((15.0, 2.0)));
}

#[test]
fn pods_of_other_namespaces_are_not_known() {
    let mut bench = Bench::new(&[("a", -3600)]);
    let mut foreign = ratio("a", 0, None, 1.0);
    foreign.key = SeriesKey::Pod {
        namespace: "bank".into(),
        pod: "a".into(),
    };
    assert_eq!(bench.look(0, vec![foreign]).unknown_pods, 1);
}

#[test]
fn a_pod_made_anew_under_its_old_name_counts_from_zero() {
    let mut bench = Bench::new(&[("a", -3600)]);
    bench.look(0, vec![ratio("a", 0, None, 10.0)]);
    bench.known = pods(&[("a", 8)]);
    let anew = bench.look(10, vec![ratio("a", 10, Some(2.0), 30.0)]);
    assert!(anew.resets.is_empty());
    assert_eq!(counted(&anew, "a"), Some((30.0, 2.0)));
}

#[test]
fn the_last_sample_of_the_pod_before_is_not_counted_for_the_one_that_took_its_name() {
    let mut bench = Bench::new(&[("a", -3600)]);
    bench.look(0, vec![ratio("a", 0, Some(40.0), 1000.0)]);
    // The pod was replaced; the source still shows the last sample of the old one.
    bench.known = pods(&[("a", 8)]);
    for last in [5, 8] {
        let old = bench.look(9, vec![ratio("a", last, Some(50.0), 1200.0)]);
        assert_eq!(counted(&old, "a"), None, "{last}");
    }
    let anew = bench.look(10, vec![ratio("a", 10, Some(2.0), 30.0)]);
    assert_eq!(counted(&anew, "a"), Some((30.0, 2.0)));
    // Of a series that is new to us, too.
    let mut bench = Bench::new(&[("b", 8)]);
    bench.look(0, vec![]);
    let old = bench.look(9, vec![ratio("b", 5, Some(50.0), 1200.0)]);
    assert_eq!(counted(&old, "b"), None);
}

#[test]
fn histograms_are_counted_per_bucket() {
    let mut bench = Bench::new(&[("a", -3600), ("b", 2)]);
    let bounds = [0.1, 0.5];
    bench.look(0, vec![histogram("a", 0, &bounds, &[10.0, 15.0, 16.0])]);
    let next = bench.look(
        5,
        vec![
            histogram("a", 5, &bounds, &[13.0, 19.0, 21.0]),
            histogram("b", 5, &bounds, &[1.0, 1.0, 4.0]),
        ],
    );
    let counts = |pod| match &next.series[&key(pod)].counts {
        Counts::Histogram(histogram) => histogram.counts.clone(),
        Counts::Ratio(_) => vec![],
    };
    assert_eq!(counts("a"), vec![3.0, 1.0, 1.0]);
    assert_eq!(counts("b"), vec![1.0, 0.0, 3.0]);
}

#[test]
fn a_drop_of_any_bucket_is_a_reset() {
    let bounds = [0.1, 0.5];
    let drops: [&[f64]; 2] = [
        // The narrow bucket dropped, the total did not.
        &[2.0, 20.0, 30.0],
        // No counter dropped, but the narrow bucket grew by more than the wider one.
        &[14.0, 15.0, 16.0],
    ];
    for after in drops {
        let mut bench = Bench::new(&[("a", -3600)]);
        bench.look(0, vec![histogram("a", 0, &bounds, &[10.0, 15.0, 16.0])]);
        let reset = bench.look(5, vec![histogram("a", 5, &bounds, after)]);
        assert_eq!(reset.resets, vec![key("a")], "{after:?}");
        assert!(reset.series.is_empty());
        let next: Vec<f64> = after.iter().map(|value| value + 1.0).collect();
        let next = bench.look(10, vec![histogram("a", 10, &bounds, &next)]);
        assert_eq!(next.series[&key("a")].counts.total(), 1.0);
    }
}

#[test]
fn bounds_that_change_begin_anew() {
    let mut bench = Bench::new(&[("a", -3600)]);
    bench.look(0, vec![histogram("a", 0, &[0.1], &[1.0, 2.0])]);
    let changed = bench.look(5, vec![histogram("a", 5, &[0.2], &[5.0, 9.0])]);
    assert!(changed.series.is_empty());
    assert_eq!(changed.unusable[0].reason, "its bounds changed");
    let next = bench.look(10, vec![histogram("a", 10, &[0.2], &[6.0, 10.0])]);
    assert_eq!(next.series[&key("a")].counts.total(), 1.0);
}

#[test]
fn two_servers_behind_one_address_are_seen_and_nothing_is_lost() {
    let mut bench = Bench::new(&[("a", -3600)]);
    bench.look(0, vec![ratio("a", 0, None, 100.0)]);
    bench.look(15, vec![ratio("a", 15, None, 115.0)]);
    // The other server sampled four seconds before.
    let other = bench.look(16, vec![ratio("a", 11, None, 111.0)]);
    let Look::Unavailable { cause, reason } = &other.look else {
        panic!("went unseen: {other:?}");
    };
    assert_eq!(*cause, Cause::Clock);
    assert!(reason.contains("Pin one"), "{reason}");
    // In between the times go forward: still nothing is decided.
    let between = bench.look(20, vec![ratio("a", 15, None, 115.0)]);
    assert!(matches!(between.look, Look::Unavailable { .. }));
    // Nor is an answer without any series the end of the trouble.
    let empty = bench.nothing(21);
    assert!(matches!(empty.look, Look::Unavailable { .. }), "{empty:?}");
    // Pinned: after a minute without a step back it goes on, and counts what happened meanwhile.
    let later = bench.look(90, vec![ratio("a", 90, Some(2.0), 190.0)]);
    assert_eq!(later.look, Look::Measured);
    assert_eq!(counted(&later, "a"), Some((75.0, 2.0)));
}

#[test]
fn jitter_of_one_server_is_no_clock_fault() {
    let mut bench = Bench::new(&[("a", -3600)]);
    bench.look(10, vec![ratio("a", 10, None, 100.0)]);
    let mut back = ratio("a", 10, None, 100.0);
    back.at -= SignedDuration::from_millis(300);
    assert_eq!(bench.look(11, vec![back]).look, Look::Measured);
}

#[test]
fn a_sample_from_the_future_is_not_believed() {
    let mut bench = Bench::new(&[("a", -3600)]);
    bench.look(0, vec![ratio("a", 0, None, 100.0)]);
    let future = bench.look(5, vec![ratio("a", 3600, None, 900.0)]);
    assert!(future.unusable[0].reason.contains("future"), "{future:?}");
    let next = bench.look(10, vec![ratio("a", 10, None, 101.0)]);
    assert_eq!(counted(&next, "a"), Some((1.0, 0.0)));
}

#[test]
fn the_scrape_interval_is_measured() {
    let mut bench = Bench::new(&[("a", -3600)]);
    for now in 0..80 {
        let sample = now / 15 * 15;
        bench.look(now, vec![ratio("a", sample, None, 100.0)]);
    }
    assert_eq!(bench.measurement.interval(), Some(Duration::from_secs(15)));
}

#[test]
fn series_of_pods_long_gone_are_forgotten() {
    let mut bench = Bench::new(&[("a", -3600), ("b", -3600)]);
    bench.look(0, vec![ratio("a", 0, None, 1.0), ratio("b", 0, None, 1.0)]);
    bench.known = pods(&[("b", -3600)]);
    bench.look(600, vec![ratio("b", 600, None, 2.0)]);
    assert_eq!(bench.measurement.series.len(), 2);
    bench.look(1000, vec![ratio("b", 1000, None, 3.0)]);
    assert_eq!(bench.measurement.series.len(), 1);
}

#[test]
fn a_checkpoint_goes_on_where_it_stood() {
    let mut bench = Bench::new(&[("a", -3600), ("b", 2)]);
    bench.look(0, vec![ratio("a", 0, Some(1.0), 10.0)]);
    bench.look(
        5,
        vec![
            ratio("a", 5, Some(1.0), 20.0),
            histogram("b", 5, &[0.1], &[1.0, 2.0]),
        ],
    );
    let text = serde_json::to_string(&bench.measurement).expect("is serialisable");
    let restored: Measurement = serde_json::from_str(&text).expect("is what was written");
    assert_eq!(restored, bench.measurement);
    bench.measurement = restored;
    let next = bench.look(10, vec![ratio("a", 10, Some(4.0), 30.0)]);
    assert_eq!(counted(&next, "a"), Some((10.0, 3.0)));
}
