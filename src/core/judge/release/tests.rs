//! Releases in counts: how soon a bad one is called, that a good one is not, and what changes with the phase.

use super::*;
use crate::measurement::{HistogramCounts, RatioCounts};
use crate::rule::{Compare, HistogramMetric, Metric, Part, RatioMetric, Selector, Unit};

const LEVEL: f64 = 4.605_170_185_988_091;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).expect("a time")
}

fn selector(name: &str) -> Selector {
    Selector {
        metric: name.to_owned(),
        matchers: Vec::new(),
    }
}

fn errors(max: Option<f64>, compare: Option<Compare>) -> CountsCheck {
    CountsCheck {
        metric: Metric::Ratio(RatioMetric {
            part: selector("errors"),
            part_is: Part::Bad,
            total: selector("requests"),
            absent_is_zero: false,
        }),
        max,
        min: None,
        compare,
        least: 20,
    }
}

fn latency(max: Option<f64>, compare: Option<Compare>) -> CountsCheck {
    CountsCheck {
        metric: Metric::Histogram(HistogramMetric {
            histogram: selector("duration_seconds"),
            quantile_millionths: 950_000,
            unit: Unit::Seconds,
        }),
        max,
        min: None,
        compare,
        least: 20,
    }
}

const COMPARE: Compare = Compare {
    margin: 0.5,
    plus: 0.001,
};

fn pace(tick: u64) -> Pace {
    Pace {
        watch: Duration::from_mins(30),
        tick: Duration::from_secs(tick),
        false_alarms: 0.01,
    }
}

fn share(events: f64, part: f64) -> Counts {
    Counts::Ratio(RatioCounts { events, part })
}

fn buckets(counts: [f64; 4]) -> Counts {
    Counts::Histogram(HistogramCounts {
        bounds: [0.1, 0.25, 0.5].into(),
        counts: counts.to_vec(),
    })
}

/// A release whose counts come every second.
struct Release {
    check: CountsCheck,
    evidence: ReleaseEvidence,
    now: i64,
}

impl Release {
    fn new(check: CountsCheck, phase: Phase, past: Past) -> Self {
        let judging = Judging::default();
        let evidence = ReleaseEvidence::new(&check, judging, phase, pace(1), past);
        Self {
            check,
            evidence,
            now: 0,
        }
    }

    fn second(
        &mut self,
        phase: Phase,
        canary: impl Into<Option<Counts>>,
        baseline: impl Into<Option<Counts>>,
    ) -> f64 {
        self.now += 1;
        let arms = Arms {
            at: at(self.now),
            canary: canary.into(),
            baseline: baseline.into(),
        };
        self.evidence.take(&self.check, Judging::default(), &arms);
        self.evidence.tick(&self.check, phase, at(self.now));
        self.evidence.reading(&self.check).log_bad
    }
}

#[test]
fn an_outage_beside_a_baseline_is_called_within_seconds() {
    for compare in [None, Some(COMPARE)] {
        let mut release = Release::new(errors(Some(0.05), compare), Phase::Beside, Past::default());
        let took = (1..=20)
            .find(|_| release.second(Phase::Beside, share(20.0, 6.0), share(20.0, 0.0)) >= LEVEL);
        assert!(took.is_some_and(|took| (3..=6).contains(&took)), "{took:?}");
    }
}

#[test]
fn an_outage_that_the_baseline_shares_is_not() {
    let mut release = Release::new(errors(Some(0.05), None), Phase::Beside, Past::default());
    for second in 0..300 {
        let log_bad = release.second(Phase::Beside, share(20.0, 6.0), share(20.0, 6.0));
        assert!(log_bad < LEVEL, "{log_bad}");
        if second == 20 {
            assert_eq!(release.evidence.doubt(), Some(Doubt::BaselineAlsoBad));
        }
    }
    // By then it is surely no worse than its baseline.
    assert_eq!(release.evidence.doubt(), None);
}

#[test]
fn alone_the_limit_decides_from_zero_when_the_baseline_goes() {
    let mut release = Release::new(errors(Some(0.05), None), Phase::Beside, Past::default());
    for _ in 0..60 {
        release.second(Phase::Beside, share(20.0, 6.0), share(20.0, 6.0));
    }
    let before = release.evidence.reading(&release.check).log_bad;
    assert!(before < LEVEL);
    let took = (1..=20).find(|_| release.second(Phase::Alone, share(20.0, 6.0), None) >= LEVEL);
    assert!(took.is_some_and(|took| took >= 3), "not at once: {took:?}");
}

#[test]
fn a_comparison_without_a_baseline_needs_what_was_before() {
    let check = errors(None, Some(COMPARE));
    let mut blind = Release::new(check.clone(), Phase::Alone, Past::default());
    for _ in 0..60 {
        assert!(blind.second(Phase::Alone, share(20.0, 6.0), None).abs() < 1e-12);
    }
    assert_eq!(blind.evidence.doubt(), Some(Doubt::NoData));

    let ticks = (0..300).map(|_| share(20.0, 0.0)).collect();
    let past = Past::new(ticks, Some(share(12_000.0, 3.0)));
    let mut release = Release::new(check, Phase::Alone, past);
    let took = (1..=20).find(|_| release.second(Phase::Alone, share(20.0, 6.0), None) >= LEVEL);
    assert!(took.is_some_and(|took| took <= 6), "{took:?}");
}

#[test]
fn slow_answers_are_called_and_the_buckets_may_come_late() {
    let slow = || buckets([0.0, 2.0, 3.0, 15.0]);
    let quick = || buckets([18.0, 2.0, 0.0, 0.0]);
    for check in [
        latency(Some(0.25), None),
        latency(
            None,
            Some(Compare {
                margin: 0.5,
                plus: 0.005,
            }),
        ),
    ] {
        let mut release = Release::new(check, Phase::Beside, Past::default());
        for _ in 0..5 {
            assert!(release.second(Phase::Beside, None, None).abs() < 1e-12);
        }
        let took = (1..=20).find(|_| release.second(Phase::Beside, slow(), quick()) >= LEVEL);
        assert!(took.is_some_and(|took| took <= 8), "{took:?}");
    }
}

#[test]
fn buckets_that_change_between_ticks_say_nothing_unless_the_bounds_are_among_them() {
    let mut release = Release::new(latency(Some(0.25), None), Phase::Alone, Past::default());
    release.second(Phase::Alone, buckets([18.0, 2.0, 0.0, 0.0]), None);
    let finer = Some(Counts::Histogram(HistogramCounts {
        bounds: [0.05, 0.1, 0.25, 0.5].into(),
        counts: vec![0.0, 0.0, 2.0, 3.0, 15.0],
    }));
    let before = release.evidence.events();
    release.second(Phase::Alone, finer, None);
    assert!((release.evidence.events() - before - 20.0).abs() < 1e-9);
    let other = Some(Counts::Histogram(HistogramCounts {
        bounds: [0.3, 0.9].into(),
        counts: vec![0.0, 0.0, 20.0],
    }));
    let reading = release.evidence.reading(&release.check);
    release.second(Phase::Alone, other, None);
    assert_eq!(release.evidence.reading(&release.check), reading);
}

#[test]
fn too_few_events_decide_nothing_either_way() {
    let check = CountsCheck {
        least: 1_000,
        ..errors(Some(0.05), None)
    };
    let mut release = Release::new(check, Phase::Alone, Past::default());
    for _ in 0..40 {
        assert!(release.second(Phase::Alone, share(20.0, 20.0), None) <= 0.0);
    }
    let took = (1..=20).find(|_| release.second(Phase::Alone, share(20.0, 20.0), None) >= LEVEL);
    assert!(took.is_some());
}

#[test]
fn looks_between_two_samples_make_one_tick() {
    let check = errors(Some(0.05), None);
    let judging = Judging::default();
    let mut evidence =
        ReleaseEvidence::new(&check, judging, Phase::Alone, pace(15), Past::default());
    let mut judged = 0;
    for second in 1..=60 {
        let arms = Arms {
            at: at(second),
            canary: Some(share(1.0, 1.0)),
            baseline: None,
        };
        evidence.take(&check, judging, &arms);
        judged += usize::from(evidence.tick(&check, Phase::Alone, at(second)));
    }
    assert!((3..=4).contains(&judged), "{judged}");
}

#[test]
fn it_is_restored_to_the_same_bits() {
    let mut release = Release::new(
        errors(Some(0.05), Some(COMPARE)),
        Phase::Beside,
        Past::default(),
    );
    for second in 0..37 {
        release.second(
            Phase::Beside,
            share(17.0, f64::from(second % 3)),
            share(20.0, f64::from(second % 2)),
        );
    }
    let text = serde_json::to_string(&release.evidence).expect("is JSON");
    let back: ReleaseEvidence = serde_json::from_str(&text).expect("is read back");
    let mut other = Release {
        check: release.check.clone(),
        evidence: back,
        now: release.now,
    };
    for _ in 0..20 {
        let one = release.second(Phase::Beside, share(13.0, 1.0), share(11.0, 1.0));
        let two = other.second(Phase::Beside, share(13.0, 1.0), share(11.0, 1.0));
        assert_eq!(one.to_bits(), two.to_bits());
    }
}
