//! How long a month of history takes: 30 days, 10 rules, a look every 15 s, on one thread.
//!
//! `cargo bench --bench backtest` measures; `cargo test` runs one day once. The engine and its judges are timed apart
//! from the reading of recorded series that are in memory, and that apart from the reading of text.

#![allow(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a bench tells what it measured, and takes the time"
)]

use std::fmt::Write as _;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use recant::backtest::{self, Outcome, Task};
use recant::source::prometheus::recorded::{Recorded, Recorder};
use recant::source::{Life, NoRange, Past, Query, RangeQuery, Source};
use recant_core::guard::GuardSettings;
use recant_core::observation::Observation;
use recant_core::rule::Watch;
use recant_core::spec::{self, SourceFile};

const BEGIN: i64 = 1_767_225_600;
const DAY: i64 = 86_400;
/// Seconds between two samples, and two looks.
const STEP: i64 = 15;
/// Pods of a revision.
const PODS: usize = 2;
/// Requests of one pod between two samples.
const REQUESTS: f64 = 300.0;
const RATIOS: usize = 7;
const HISTOGRAMS: usize = 3;
const BOUNDS: [&str; 9] = [
    "0.01", "0.025", "0.05", "0.1", "0.25", "0.5", "1", "2.5", "+Inf",
];

fn main() {
    let measuring = std::env::args().any(|argument| argument == "--bench");
    let days = if measuring { 30 } else { 1 };
    let rounds = if measuring { 3 } else { 1 };
    text(if measuring { 200_000 } else { 2_000 });
    let begun = Instant::now();
    let recorded = recorded(days);
    let (series, samples) = recorded.size();
    println!(
        "{days} days, {} rules: {series} series, {samples} samples made in memory in {:.1} s",
        RATIOS + HISTOGRAMS,
        begun.elapsed().as_secs_f64()
    );
    for (name, watch) in [
        ("a release a day, watched for 30m", "30m"),
        ("judged all the time", "24h"),
    ] {
        let mut took: Vec<(Duration, Duration)> = (0..rounds)
            .map(|_| replayed(&recorded, days, watch))
            .collect();
        took.sort_unstable();
        let (whole, reading) = took[took.len() / 2];
        println!(
            "BACKTEST {days} days x {} rules, {name}: {:.2} s, of which the engine and its judges {:.2} s",
            RATIOS + HISTOGRAMS,
            whole.as_secs_f64(),
            whole.saturating_sub(reading).as_secs_f64()
        );
    }
}

/// Replays all, once: the whole time, and how much of it went into reading.
fn replayed(recorded: &Recorded, days: i64, watch: &str) -> (Duration, Duration) {
    let timed = Timed {
        inner: recorded,
        took: Mutex::new(Duration::ZERO),
    };
    let at = |second| Timestamp::from_second(second).expect("in range");
    let task = Task {
        watches: watches(watch),
        from: at(BEGIN),
        to: at(BEGIN + days * DAY - STEP),
        step: SignedDuration::from_secs(STEP),
        guards: GuardSettings::only(SignedDuration::from_mins(10), 10),
        evidence: false,
        given: Vec::new(),
    };
    let begun = Instant::now();
    let report = futures::executor::block_on(backtest::run(&timed, &task)).expect("it is replayed");
    let whole = begun.elapsed();
    let good = |outcome: &Outcome| {
        matches!(
            outcome,
            Outcome::Passed | Outcome::Unfinished | Outcome::Superseded { .. }
        )
    };
    let found = i64::try_from(report.releases.len()).expect("few");
    assert_eq!(found, days, "a release a day");
    let bad = report
        .releases
        .iter()
        .find(|release| !good(&release.outcome));
    assert!(bad.is_none(), "{bad:?}");
    let reading = *timed.took.lock().expect("nobody panicked");
    (whole, reading)
}

/// A source that remembers how long it took.
struct Timed<'s> {
    inner: &'s Recorded,
    took: Mutex<Duration>,
}

#[async_trait]
impl Source for Timed<'_> {
    async fn read(&self, queries: &[Query]) -> Vec<Vec<Observation>> {
        self.inner.read(queries).await
    }

    async fn read_range(&self, query: &RangeQuery) -> Result<Vec<Past>, NoRange> {
        let begun = Instant::now();
        let read = self.inner.read_range(query).await;
        *self.took.lock().expect("nobody panicked") += begun.elapsed();
        read
    }

    async fn read_lives(&self, query: &RangeQuery) -> Result<Vec<Life>, NoRange> {
        let begun = Instant::now();
        let read = self.inner.read_lives(query).await;
        *self.took.lock().expect("nobody panicked") += begun.elapsed();
        read
    }
}

/// Rules that ask ten questions: shares with a comparison, and quantiles.
fn watches(watch: &str) -> Vec<Watch> {
    let mut text =
        "apiVersion: recant.dev/v1alpha1\nkind: RuleSet\nmetadata: {name: all}\nrules:\n"
            .to_owned();
    for index in 0..RATIOS {
        writeln!(
            text,
            "- name: errors-{index}\n  ratio: {{bad: 'calls_{index}_total{{status=~\"5..\"}}', total: \
             calls_{index}_total}}\n  max: 2%\n  compare: {{margin: 50%, plus: 1%}}"
        )
        .expect("a String takes text");
    }
    for index in 0..HISTOGRAMS {
        writeln!(
            text,
            "- name: latency-{index}\n  histogram: wait_{index}_seconds\n  quantile: 95%\n  max: 500ms"
        )
        .expect("a String takes text");
    }
    write!(
        text,
        "---\napiVersion: recant.dev/v1alpha1\nkind: Watch\nmetadata: {{name: web, namespace: shop}}\n\
         target: {{kind: Deployment, name: web}}\nrules: [all]\nrelease: {{watch: {watch}}}\nonFail: [{{rollback: \
         {{}}}}]\n"
    )
    .expect("a String takes text");
    let file = SourceFile {
        name: "bench.yaml".to_owned(),
        text,
    };
    let loaded = spec::load(&[file], &[]);
    let book = loaded
        .book
        .unwrap_or_else(|| panic!("{:?}", loaded.diagnostics));
    let (watches, left_out) = backtest::prepare(&book, false);
    assert!(left_out.is_empty(), "{left_out:?}");
    watches
}

/// A Deployment with a release every day at 10 o'clock, all of them good.
fn recorded(days: i64) -> Recorded {
    let mut recorder = Recorder::new(std::collections::BTreeSet::new(), "pod", Some("namespace"));
    for revision in 0..=days {
        let begin = if revision == 0 {
            0
        } else {
            (revision - 1) * DAY + 36_000
        };
        let end = (revision * DAY + 36_060).min(days * DAY - STEP);
        for pod in 0..PODS {
            let name = format!("web-r{revision:04}-{pod}aaaa");
            let pod = pod as f64;
            for index in 0..RATIOS {
                let metric = format!("calls_{index}_total");
                let status = |status: &str| labels(&name, Some(("status", status)));
                counter(
                    &mut recorder,
                    &metric,
                    &status("200"),
                    (begin, end),
                    REQUESTS - 1.0 - pod,
                );
                counter(&mut recorder, &metric, &status("500"), (begin, end), 1.0);
            }
            for index in 0..HISTOGRAMS {
                let metric = format!("wait_{index}_seconds_bucket");
                for (place, bound) in BOUNDS.iter().enumerate() {
                    let labels = labels(&name, Some(("le", bound)));
                    let share = [0.2, 0.5, 0.8, 0.9, 0.96, 0.98, 0.99, 1.0, 1.0][place];
                    let each = (REQUESTS * share).round();
                    counter(&mut recorder, &metric, &labels, (begin, end), each);
                }
            }
        }
    }
    recorder.finish()
}

fn labels(pod: &str, more: Option<(&str, &str)>) -> Vec<(String, String)> {
    let own = [("namespace", "shop"), ("pod", pod)];
    let mut labels: Vec<(String, String)> = own
        .into_iter()
        .chain(more)
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    labels.sort();
    labels
}

/// A counter that grows by `each` from one sample to the next.
fn counter(
    recorder: &mut Recorder,
    metric: &str,
    labels: &[(String, String)],
    (begin, end): (i64, i64),
    each: f64,
) {
    let mut value = 0.0;
    let mut second = begin;
    while second <= end {
        value += each;
        recorder
            .push(metric, labels, (BEGIN + second) * 1000, value)
            .expect("is in order");
        second += STEP;
    }
}

/// How fast text is read.
fn text(lines: i64) {
    let mut text = String::new();
    for line in 0..lines {
        writeln!(
            text,
            "http_requests_total{{namespace=\"shop\",pod=\"web-5d8b9c7f6-x2x4z\",status=\"200\"}} {line} {}.25",
            BEGIN + line * STEP
        )
        .expect("a String takes text");
    }
    text.push_str("# EOF\n");
    let metrics = ["http_requests_total".to_owned()].into();
    let mut recorder = Recorder::new(metrics, "pod", Some("namespace"));
    let begun = Instant::now();
    recorder.read(&mut text.as_bytes()).expect("it can be read");
    let took = begun.elapsed().as_secs_f64();
    println!(
        "TEXT {lines} samples: {:.1} million a second, {:.0} MB/s",
        lines as f64 / took / 1e6,
        text.len() as f64 / took / 1e6
    );
}
