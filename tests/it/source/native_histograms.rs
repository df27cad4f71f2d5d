//! Native histograms, from services that expose protobuf, through a real Prometheus, to the rules that judge them.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use jiff::{SignedDuration, Timestamp};

use recant::source::prometheus::{Prometheus, PrometheusOptions};
use recant::source::{Query, RangeQuery, RangeTarget, Source as _};
use recant_core::ids::PodName;
use recant_core::judge::{Arms, Before, Beginning, Evidence, Pace, Phase};
use recant_core::measurement::{Counts, HistogramCounts, Increases, KnownPods, Measurement};
use recant_core::observation::{Cumulative, Observation, SeriesKey};
use recant_core::rule::{
    ArmsBy, Check, Compare, CountsCheck, HistogramMetric, Judging, Metric, Rule, Unit,
};
use recant_core::target::Pod;

use super::fixture::{clock, latency, pod, selector, series, target};
use super::same_counts::RealPrometheus;

const PODS: [&str; 2] = ["web-a", "web-b"];
const PROTOBUF: &str =
    "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited";

/// A native histogram as a client library keeps it.
#[derive(Debug, Clone)]
struct Shown {
    schema: i32,
    zero: u64,
    buckets: BTreeMap<i32, u64>,
}

impl Shown {
    fn new(schema: i32) -> Self {
        Self {
            schema,
            zero: 0,
            buckets: BTreeMap::new(),
        }
    }

    fn observe(&mut self, seconds: f64, times: u64) {
        let index = (seconds.log2() * f64::from(self.schema).exp2()).ceil();
        let index: i32 = format!("{index}").parse().expect("a small whole number");
        *self.buckets.entry(index).or_default() += times;
    }

    /// What clients do that have too many buckets.
    fn halve(&mut self) {
        self.schema -= 1;
        let mut merged = BTreeMap::new();
        for (index, count) in &self.buckets {
            *merged.entry((index + 1).div_euclid(2)).or_default() += count;
        }
        self.buckets = merged;
    }

    /// The message `Histogram` of the exposition format.
    fn message(&self) -> Vec<u8> {
        let mut message = Vec::new();
        let count = self.buckets.values().sum::<u64>() + self.zero;
        number(&mut message, 1, count);
        double(&mut message, 2, 1.0);
        number(&mut message, 5, zigzag(self.schema.into()));
        double(&mut message, 6, (-128.0_f64).exp2());
        number(&mut message, 7, self.zero);
        let (mut next, mut before) = (0, 0);
        for index in self.buckets.keys() {
            let mut span = Vec::new();
            number(&mut span, 1, zigzag(i64::from(index - next)));
            number(&mut span, 2, 1);
            bytes(&mut message, 12, &span);
            next = index + 1;
        }
        for count in self.buckets.values() {
            let count = i64::try_from(*count).expect("few");
            number(&mut message, 13, zigzag(count - before));
            before = count;
        }
        message
    }
}

fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(u8::try_from(value & 0x7f).expect("seven bits") | 0x80);
        value >>= 7;
    }
    out.push(u8::try_from(value).expect("seven bits"));
}

fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)).cast_unsigned()
}

fn number(out: &mut Vec<u8>, field: u64, value: u64) {
    varint(out, field << 3);
    varint(out, value);
}

fn double(out: &mut Vec<u8>, field: u64, value: f64) {
    varint(out, field << 3 | 1);
    out.extend(value.to_le_bytes());
}

fn bytes(out: &mut Vec<u8>, field: u64, value: &[u8]) {
    varint(out, field << 3 | 2);
    varint(out, u64::try_from(value.len()).expect("short"));
    out.extend(value);
}

/// A page with one metric family: one histogram for each path.
fn page(paths: &BTreeMap<String, Shown>) -> Vec<u8> {
    let mut family = Vec::new();
    bytes(&mut family, 1, b"http_request_duration_seconds");
    number(&mut family, 3, 4);
    for (path, shown) in paths {
        let mut label = Vec::new();
        bytes(&mut label, 1, b"path");
        bytes(&mut label, 2, path.as_bytes());
        let mut metric = Vec::new();
        bytes(&mut metric, 1, &label);
        bytes(&mut metric, 7, &shown.message());
        bytes(&mut family, 4, &metric);
    }
    let mut page = Vec::new();
    varint(&mut page, u64::try_from(family.len()).expect("short"));
    page.extend(family);
    page
}

/// What each pod shows for each path, and how often it was asked since that changed.
#[derive(Debug, Default)]
struct Pages {
    pods: BTreeMap<String, BTreeMap<String, Shown>>,
    asked: BTreeMap<String, usize>,
}

#[derive(Debug, Clone, Default)]
struct Service(Arc<Mutex<Pages>>);

impl Service {
    async fn start() -> (Self, SocketAddr) {
        let service = Self::default();
        let router = Router::new()
            .route("/{pod}/metrics", get(Self::metrics))
            .with_state(service.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a free port");
        let address = listener.local_addr().expect("is bound");
        // Ends with the test's runtime.
        tokio::spawn(async move { axum::serve(listener, router).await });
        (service, address)
    }

    #[expect(clippy::unused_async, reason = "axum's handlers are")]
    async fn metrics(
        State(Self(pages)): State<Self>,
        Path(pod): Path<String>,
        headers: HeaderMap,
    ) -> Response {
        let accepts = headers
            .get(header::ACCEPT)
            .and_then(|accept| accept.to_str().ok())
            .is_some_and(|accept| accept.contains("application/vnd.google.protobuf"));
        let mut pages = pages.lock().expect("no panic");
        *pages.asked.entry(pod.clone()).or_default() += 1;
        match pages.pods.get(&pod) {
            Some(paths) if accepts => {
                ([(header::CONTENT_TYPE, PROTOBUF)], page(paths)).into_response()
            }
            Some(_) | None => StatusCode::NOT_ACCEPTABLE.into_response(),
        }
    }

    /// Changes what is shown, and waits until Prometheus has taken it in: when it asks a second time, the first is
    /// stored.
    async fn change(&self, change: impl Fn(&mut BTreeMap<String, BTreeMap<String, Shown>>)) {
        {
            let mut pages = self.0.lock().expect("no panic");
            change(&mut pages.pods);
            pages.asked.clear();
        }
        let begun = Instant::now();
        loop {
            let asked = self.0.lock().expect("no panic").asked.clone();
            if PODS
                .iter()
                .all(|pod| asked.get(*pod).is_some_and(|times| *times >= 2))
            {
                return;
            }
            assert!(begun.elapsed() < Duration::from_secs(15), "{asked:?}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

/// Both paths of a pod see the same.
fn observe(pods: &mut BTreeMap<String, BTreeMap<String, Shown>>, pod: &str, events: &[(f64, u64)]) {
    for shown in pods.get_mut(pod).into_iter().flat_map(BTreeMap::values_mut) {
        for (seconds, times) in events {
            shown.observe(*seconds, *times);
        }
    }
}

fn key(pod: &str) -> SeriesKey {
    SeriesKey::Pod {
        namespace: "shop".into(),
        pod: PodName::from(pod),
    }
}

/// The source with what was measured through it.
struct Measured {
    source: Prometheus,
    pods: Vec<Pod>,
    measurement: Measurement,
}

impl Measured {
    async fn read(&self) -> Observation {
        let query = Query {
            question: latency(),
            targets: vec![target("web", self.pods.clone())],
        };
        self.source.read(&[query]).await.remove(0).remove(0)
    }

    /// The counts since the last look, and which pods began anew.
    async fn look(&mut self) -> (BTreeMap<SeriesKey, HistogramCounts>, Vec<SeriesKey>) {
        let observation = self.read().await;
        let known = KnownPods::new(&target("web", Vec::new()).id, &self.pods);
        let increases: Increases<'_> =
            self.measurement
                .advance(Timestamp::now(), &observation, &known);
        assert_eq!(increases.unusable, []);
        let counts = increases.series.iter().map(|(key, increase)| {
            let Counts::Histogram(histogram) = &increase.counts else {
                panic!("{key:?} is no histogram");
            };
            (key.clone().into_owned(), histogram.clone())
        });
        (counts.collect(), increases.resets.clone())
    }
}

fn above(counts: &HistogramCounts, limit: f64) -> String {
    counts.surely_above(limit).to_string()
}

fn rule(max: Option<f64>) -> Rule {
    Rule {
        name: "http/latency".into(),
        arms: ArmsBy::Pod,
        lasting: Duration::ZERO,
        dry_run: false,
        judging: Judging::default(),
        check: Check::Counts(CountsCheck {
            metric: Metric::Histogram(HistogramMetric {
                histogram: selector("http_request_duration_seconds", &[]),
                quantile_millionths: 950_000,
                unit: Unit::Seconds,
            }),
            max,
            min: None,
            compare: max.is_none().then_some(Compare {
                margin: 0.5,
                plus: 0.005,
            }),
            least: 20,
        }),
    }
}

#[tokio::test]
async fn native_histograms_are_counted_and_judged_as_others_are() {
    let clock = clock();
    let (service, address) = Service::start().await;
    let (a, b) = (PODS[0], PODS[1]);
    let real = RealPrometheus::start_with(address, &PODS, "scrape_native_histograms: true").await;
    service
        .change(|pods| {
            for (pod, schema) in [(a, 3), (b, 5)] {
                let paths = ["/", "/pay"].map(|path| (path.to_owned(), Shown::new(schema)));
                pods.insert(pod.to_owned(), paths.into());
                observe(pods, pod, &[(0.1, 7)]);
            }
        })
        .await;
    real.reads(2).await;
    let hour_ago = Timestamp::now() - SignedDuration::from_hours(1);
    let source = Prometheus::new(PrometheusOptions::new(&*real.url), Arc::clone(&clock));
    let mut measured = Measured {
        source: source.expect("is good"),
        pods: PODS.map(|name| pod(name, hour_ago, address)).into(),
        measurement: Measurement::new(),
    };
    let (counts, _) = measured.look().await;
    assert!(counts.is_empty(), "the first look is where it begins");

    // New buckets appear in between, at both ends.
    service
        .change(|pods| {
            observe(pods, a, &[(0.02, 5), (0.3, 11), (3.0, 2)]);
            observe(pods, b, &[(0.3, 1)]);
        })
        .await;
    let (counts, resets) = measured.look().await;
    assert_eq!(resets, []);
    let of_a = &counts[&key(a)];
    // Two paths each.
    assert_eq!(
        (of_a.total().to_string(), above(of_a, 0.25)),
        ("36".into(), "26".into())
    );
    assert_eq!(above(of_a, 2.0), "4");
    assert_eq!(counts[&key(b)].total().to_string(), "2");

    // One client after the other halves its resolution, which nobody notices.
    service
        .change(|pods| {
            for pod in [a, b] {
                pods.get_mut(pod)
                    .into_iter()
                    .flat_map(BTreeMap::values_mut)
                    .for_each(Shown::halve);
            }
            observe(pods, a, &[(0.02, 1), (0.3, 3), (3.0, 1)]);
        })
        .await;
    let (counts, resets) = measured.look().await;
    assert_eq!(resets, []);
    let of_a = &counts[&key(a)];
    assert_eq!(
        (of_a.total().to_string(), above(of_a, 0.25)),
        ("10".into(), "8".into())
    );
    assert_eq!(counts[&key(b)].total().to_string(), "0");

    // Far coarser than four buckets for each doubling: the counters begin at that look, and no count is made up.
    service
        .change(|pods| {
            for shown in pods.get_mut(a).into_iter().flat_map(BTreeMap::values_mut) {
                shown.halve();
                shown.halve();
                shown.halve();
            }
        })
        .await;
    let observation = measured.read().await;
    let known = KnownPods::new(&target("web", Vec::new()).id, &measured.pods);
    let now = Timestamp::now();
    let increases = measured.measurement.advance(now, &observation, &known);
    assert!(
        increases
            .unusable
            .iter()
            .any(|unusable| unusable.reason.contains("bounds changed")),
        "{increases:?}"
    );
    service
        .change(|pods| {
            observe(pods, a, &[(0.02, 2), (3.0, 4)]);
            observe(pods, b, &[(0.02, 2), (3.0, 4)]);
        })
        .await;
    let (counts, _) = measured.look().await;
    let mut both = counts[&key(a)].clone();
    both.add(&counts[&key(b)]);
    // The bounds that both have: powers of four.
    assert_eq!(
        (both.total().to_string(), above(&both, 1.0)),
        ("24".into(), "16".into())
    );

    // A process begins anew.
    service
        .change(|pods| {
            let paths = ["/", "/pay"].map(|path| (path.to_owned(), Shown::new(3)));
            pods.insert(a.to_owned(), paths.into());
            observe(pods, a, &[(0.1, 1)]);
        })
        .await;
    let observation = measured.read().await;
    let increases = measured
        .measurement
        .advance(Timestamp::now(), &observation, &known);
    let begun = increases.resets.contains(&key(a)) || !increases.unusable.is_empty();
    assert!(
        begun && !increases.series.contains_key(&key(a)),
        "{increases:?}"
    );

    // The same, judged: the canary answers one request in four in a second and a half.
    let rules = [rule(Some(0.5)), rule(None)];
    let began = Timestamp::now();
    let mut evidence = rules.each_ref().map(|rule| {
        let beginning = Beginning {
            phase: Phase::Beside,
            pace: Pace {
                watch: Duration::from_mins(10),
                tick: Duration::from_millis(200),
                false_alarms: 0.01,
            },
            ticks: Vec::new(),
        };
        Evidence::after(rule, Before::Counts(None), Some(beginning))
    });
    let mut ticks = 0;
    loop {
        service
            .change(|pods| {
                observe(pods, b, &[(0.04, 300), (1.5, 100)]);
                observe(pods, a, &[(0.04, 396), (1.5, 4)]);
            })
            .await;
        let (counts, _) = measured.look().await;
        let now = Timestamp::now();
        let arm = |pod: &str| counts.get(&key(pod)).cloned().map(Counts::Histogram);
        let mut against = Vec::new();
        for (rule, evidence) in rules.iter().zip(&mut evidence) {
            let tick = Arms {
                at: now,
                canary: arm(b),
                baseline: arm(a),
            };
            evidence.update_counts(rule, tick);
            evidence.tick(rule, Phase::Beside, now);
            let release = evidence.release().expect("a release is judged");
            let Check::Counts(check) = &rule.check else {
                panic!("a rule about counts");
            };
            against.push(release.reading(check).log_bad);
        }
        ticks += 1;
        if against.iter().all(|log| *log >= 100.0_f64.ln()) {
            break;
        }
        assert!(ticks < 20, "limit and comparison say only {against:?}");
    }

    // The past of it, as a restart reads it: at whole steps of five seconds.
    let begun = Instant::now();
    loop {
        let range = RangeQuery {
            question: latency(),
            targets: vec![RangeTarget {
                target: target("web", measured.pods.clone()),
                revisions: Vec::new(),
            }],
            from: began - SignedDuration::from_secs(5),
            to: Timestamp::now(),
            step: SignedDuration::from_secs(5),
        };
        let past = measured.source.read_range(&range).await;
        let past = past.expect("Prometheus has a past");
        let readings = past.iter().flat_map(|moment| &moment.observations);
        let seen = readings
            .filter(|it| matches!(it, Observation::Reading(_)))
            .flat_map(series)
            .filter(|series| matches!(&series.value, Cumulative::Histogram(_)))
            .count();
        if seen >= 2 {
            break;
        }
        assert!(begun.elapsed() < Duration::from_secs(15), "{past:?}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}
