//! Series that are told apart by a label, or not at all.

use super::*;

fn label(value: &str) -> SeriesKey {
    SeriesKey::Label(value.into())
}

fn sum(key: SeriesKey, member: Option<&str>, seconds: i64, part: f64, total: f64) -> SeriesReading {
    SeriesReading {
        key,
        member: member.map(PodName::from),
        at: at(seconds),
        value: Cumulative::Ratio {
            part: Some(part),
            total: Some(total),
            part_shape: true,
        },
    }
}

#[test]
fn labels_and_the_whole_count_from_the_first_look() {
    for key in [label("v1"), SeriesKey::Whole] {
        let mut bench = Bench::new(&[]);
        let first = bench.look(0, vec![sum(key.clone(), None, 0, 5.0, 100.0)]);
        assert!(first.series.is_empty());
        let next = bench.look(5, vec![sum(key.clone(), None, 5, 6.0, 110.0)]);
        assert_eq!(ratio_of(&next, &key), Some((10.0, 1.0)));
    }
}

#[test]
fn a_label_value_that_appears_later_counts_from_zero() {
    let mut bench = Bench::new(&[]);
    bench.look(0, vec![sum(label("v1"), None, 0, 5.0, 100.0)]);
    let next = bench.look(5, vec![sum(label("v2"), None, 5, 3.0, 10.0)]);
    assert_eq!(ratio_of(&next, &label("v2")), Some((10.0, 3.0)));
}

#[test]
fn after_empty_answers_label_values_are_not_taken_for_new() {
    // A Prometheus that has just started knows nothing for a while.
    let mut bench = Bench::new(&[]);
    bench.nothing(0);
    let first = bench.look(5, vec![sum(label("v1"), None, 5, 500.0, 100_000.0)]);
    assert!(first.series.is_empty(), "{first:?}");
}

#[test]
fn members_are_added_up() {
    let mut bench = Bench::new(&[]);
    let look = |bench: &mut Bench, now, a, b| {
        let series = vec![
            sum(label("v1"), Some("gate-a"), now, 0.0, a),
            sum(label("v1"), Some("gate-b"), now - 1, 0.0, b),
        ];
        bench.look(now, series)
    };
    look(&mut bench, 1, 100.0, 1000.0);
    let next = look(&mut bench, 6, 103.0, 1004.0);
    assert_eq!(ratio_of(&next, &label("v1")), Some((7.0, 0.0)));
    let increase = &next.series[&label("v1")];
    assert_eq!((increase.since, increase.at), (at(0), at(6)));
}

#[test]
fn a_member_that_vanishes_and_comes_back_is_no_leap() {
    let mut bench = Bench::new(&[]);
    let a = |now, total| sum(label("v1"), Some("gate-a"), now, 0.0, total);
    let b = |now, total| sum(label("v1"), Some("gate-b"), now, 9.0, total);
    bench.look(0, vec![a(0, 100.0), b(0, 1000.0)]);
    let alone = bench.look(5, vec![a(5, 101.0)]);
    assert_eq!(ratio_of(&alone, &label("v1")), Some((1.0, 0.0)));
    let back = bench.look(10, vec![a(10, 102.0), b(10, 1003.0)]);
    assert_eq!(ratio_of(&back, &label("v1")), Some((4.0, 0.0)));
}

#[test]
fn a_member_that_was_never_seen_may_show_its_past() {
    let mut bench = Bench::new(&[]);
    bench.look(0, vec![sum(label("v1"), Some("gate-a"), 0, 0.0, 100.0)]);
    let late = bench.look(5, vec![sum(label("v1"), Some("gate-b"), 5, 70.0, 1000.0)]);
    assert_eq!(ratio_of(&late, &label("v1")), None);
}

#[test]
fn a_member_seen_before_counts_a_new_label_value_from_zero() {
    let mut bench = Bench::new(&[]);
    let old = |now| sum(label("v1"), Some("gate-a"), now, 0.0, 100.0);
    bench.look(
        0,
        vec![old(0), sum(label("v2"), Some("gate-b"), 0, 0.0, 50.0)],
    );
    // `v2` is known from the other gate; to this one it is new.
    let next = bench.look(
        5,
        vec![old(5), sum(label("v2"), Some("gate-a"), 5, 2.0, 8.0)],
    );
    assert_eq!(ratio_of(&next, &label("v2")), Some((8.0, 2.0)));
}

#[test]
fn members_that_are_pods_of_the_target_count_as_pods_do() {
    let mut bench = Bench::new(&[("old", -3600), ("new", 3)]);
    bench.look(0, vec![sum(label("v1"), Some("other"), 0, 0.0, 1.0)]);
    let next = bench.look(
        5,
        vec![
            sum(label("v0"), Some("old"), 5, 7.0, 700.0),
            sum(label("v1"), Some("new"), 5, 1.0, 10.0),
        ],
    );
    assert_eq!(ratio_of(&next, &label("v0")), None);
    assert_eq!(ratio_of(&next, &label("v1")), Some((10.0, 1.0)));
}

#[test]
fn a_member_that_becomes_known_is_not_counted_twice() {
    let mut bench = Bench::new(&[]);
    bench.look(0, vec![sum(label("v1"), None, 0, 0.0, 1.0)]);
    let born = bench.look(5, vec![sum(label("v2"), Some("new"), 5, 1.0, 10.0)]);
    assert_eq!(ratio_of(&born, &label("v2")), Some((10.0, 1.0)));
    bench.known = pods(&[("new", 3)]);
    let next = bench.look(10, vec![sum(label("v2"), Some("new"), 10, 1.0, 12.0)]);
    assert_eq!(ratio_of(&next, &label("v2")), Some((2.0, 0.0)));
}

#[test]
fn a_forgotten_label_value_is_not_taken_for_a_new_one() {
    let day = 24 * 3600;
    let mut bench = Bench::new(&[]);
    bench.look(
        0,
        vec![
            sum(label("v1"), None, 0, 0.0, 1.0),
            sum(label("v2"), None, 0, 1.0, 2.0),
        ],
    );
    bench.look(day, vec![sum(label("v1"), None, day, 0.0, 5.0)]);
    bench.look(day + 1, vec![sum(label("v1"), None, day + 1, 0.0, 5.0)]);
    let back = bench.look(day + 5, vec![sum(label("v2"), None, day + 5, 50.0, 600.0)]);
    assert!(back.series.is_empty(), "{back:?}");
}

#[test]
fn the_newest_time_of_a_sum_may_go_back() {
    // Of two processes behind one service the one that was sampled last goes away.
    let mut bench = Bench::new(&[]);
    bench.look(10, vec![sum(SeriesKey::Whole, None, 10, 0.0, 100.0)]);
    let back = bench.look(11, vec![sum(SeriesKey::Whole, None, 4, 0.0, 60.0)]);
    assert_eq!(back.look, Look::Measured);
    let next = bench.look(20, vec![sum(SeriesKey::Whole, None, 19, 0.0, 61.0)]);
    assert_eq!(next.resets, vec![SeriesKey::Whole]);
}
