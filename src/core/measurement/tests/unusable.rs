//! Broken samples: each is named, loses nothing, and stops none of the others.

use super::*;

/// The broken sample in the middle is reported with `reason`; the next good one counts all since the first.
fn check(broken: &SeriesReading, reason: &str) {
    let mut bench = Bench::new(&[("a", -3600), ("b", -3600)]);
    let good = |pod, seconds, part: f64, total| match &broken.value {
        Cumulative::Histogram(_) | Cumulative::Unusable { .. } => {
            histogram(pod, seconds, &[0.1, 0.5], &[part, part, total])
        }
        Cumulative::Ratio { .. } => ratio(pod, seconds, Some(part), total),
    };
    bench.look(0, vec![good("a", 0, 1.0, 10.0), good("b", 0, 1.0, 10.0)]);
    let middle = bench.look(5, vec![broken.clone(), good("b", 5, 1.0, 11.0)]);
    assert_eq!(middle.unusable.len(), 1, "{broken:?}: {middle:?}");
    let said = &middle.unusable[0];
    assert_eq!(said.key, key("a"));
    assert!(
        said.reason.contains(reason),
        "{} lacks `{reason}`",
        said.reason
    );
    assert!(!middle.series.contains_key(&key("a")));
    assert_eq!(middle.series[&key("b")].counts.total(), 1.0);
    let after = bench.look(10, vec![good("a", 10, 2.0, 30.0)]);
    assert_eq!(after.series[&key("a")].counts.total(), 20.0);
}

#[test]
fn broken_ratios_are_named_and_lose_nothing() {
    check(&ratio("a", 5, Some(1.0), f64::NAN), "the total is NaN");
    check(&ratio("a", 5, Some(f64::NAN), 20.0), "the part is NaN");
    check(&ratio("a", 5, Some(1.0), f64::INFINITY), "too large");
    check(&ratio("a", 5, Some(-1.0), 20.0), "negative");
    check(&ratio("a", 5, Some(1.0), f64::NEG_INFINITY), "negative");
    check(&ratio("a", 5, Some(1.5), 20.0), "no whole number (1.5)");
    check(&ratio("a", 5, Some(1.0), 1e300), "too large");
    let no_total = Cumulative::Ratio {
        part: Some(1.0),
        total: None,
        part_shape: true,
    };
    check(&series(key("a"), 5, no_total), "the total has none");
}

#[test]
fn broken_histograms_are_named_and_lose_nothing() {
    let bounds = [0.1, 0.5];
    check(
        &histogram("a", 5, &bounds, &[3.0, 2.0, 20.0]),
        "the bucket `0.5` has fewer events",
    );
    check(
        &histogram("a", 5, &bounds, &[1.0, 3.0, 2.0]),
        "the bucket `+Inf` has fewer",
    );
    check(
        &histogram("a", 5, &bounds, &[1.0, f64::NAN, 20.0]),
        "the bucket `0.5` is NaN",
    );
    check(
        &histogram("a", 5, &bounds, &[-1.0, 2.0, 20.0]),
        "the bucket `0.1` is negative",
    );
    check(
        &histogram("a", 5, &bounds, &[1.0, 2.0]),
        "2 bounds and 2 counters",
    );
    check(
        &histogram("a", 5, &[0.5, 0.1], &[1.0, 2.0, 20.0]),
        "not in order",
    );
    check(
        &histogram("a", 5, &[0.1, f64::NAN], &[1.0, 2.0, 20.0]),
        "no finite number",
    );
    let no_inf = Cumulative::Unusable {
        reason: "its bucket `+Inf` is missing".into(),
    };
    check(&series(key("a"), 5, no_inf), "`+Inf` is missing");
}

#[test]
fn more_part_than_total_is_cut_and_counted_when_the_total_follows() {
    let mut bench = Bench::new(&[("a", -3600)]);
    bench.look(0, vec![ratio("a", 0, Some(0.0), 10.0)]);
    // Read between the two increments of one event.
    let early = bench.look(5, vec![ratio("a", 5, Some(3.0), 12.0)]);
    assert_eq!(counted(&early, "a"), Some((2.0, 2.0)));
    assert!(early.unusable.is_empty());
    let late = bench.look(10, vec![ratio("a", 10, Some(3.0), 14.0)]);
    assert_eq!(counted(&late, "a"), Some((2.0, 1.0)));
}

#[test]
fn more_part_than_total_for_long_is_said() {
    let mut bench = Bench::new(&[("a", -3600)]);
    bench.look(0, vec![ratio("a", 0, Some(0.0), 0.0)]);
    let mut said = Vec::new();
    for tick in 1..5 {
        let look = bench.look(
            tick,
            vec![ratio("a", tick, Some(tick as f64 * 5.0), tick as f64)],
        );
        assert_eq!(counted(&look, "a"), Some((1.0, 1.0)));
        said.push(look.unusable.len());
    }
    assert_eq!(said, vec![0, 0, 1, 1]);
}

#[test]
fn a_sample_of_another_kind_begins_anew() {
    let mut bench = Bench::new(&[("a", -3600)]);
    bench.look(0, vec![ratio("a", 0, None, 10.0)]);
    let other = bench.look(5, vec![histogram("a", 5, &[0.1], &[1.0, 20.0])]);
    assert!(
        other.unusable[0].reason.contains("another kind"),
        "{other:?}"
    );
}
