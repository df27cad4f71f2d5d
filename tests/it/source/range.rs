//! The past, from a real Prometheus with a history, and from servers that do not tell it.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use recant::source::prometheus::{Prometheus, PrometheusOptions};
use recant::source::scrape::{Scrape, ScrapeOptions};
use recant::source::{Past, RangeQuery, RangeTarget, Source};
use recant_core::ids::RevisionHash;
use recant_core::measurement::{Counts, KnownPods, Measurement, RatioCounts};
use recant_core::observation::{Observation, SeriesKey};
use recant_core::rule::{Level, MatchOp, Promql, Question, What};
use recant_core::target::Revision;
use serde_json::json;
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::fixture::{clock, errors, pod, selector, target};
use super::same_counts::binary;

/// Seconds between samples, and when they begin before now.
const SCRAPE: i64 = 15;
const BEGIN: i64 = 600;

fn revision(hash: &str, created: Timestamp) -> Revision {
    Revision {
        hash: RevisionHash::from(hash),
        number: 1,
        images: Vec::new(),
        created,
    }
}

fn query(now: Timestamp, minutes: i64) -> RangeQuery {
    let server = "127.0.0.1:1".parse().expect("is an address");
    let created = now - SignedDuration::from_secs(300);
    RangeQuery {
        question: errors(),
        targets: vec![RangeTarget {
            // Only the new pod is there; the old one is known by its revision.
            target: target("web", vec![pod("web-bbbbb-22222", created, server)]),
            revisions: vec![
                revision("aaaaa", now - SignedDuration::from_hours(24)),
                revision("bbbbb", created),
            ],
        }],
        from: now - SignedDuration::from_mins(minutes),
        to: now,
        step: SignedDuration::from_secs(5),
    }
}

/// An old pod that serves until five minutes ago, and a new one from then on; a stranger all the time.
fn history(now: Timestamp) -> String {
    let mut text = String::from("# TYPE http_requests counter\n");
    let mut series = |pod: &str, from: i64, to: i64, code: &str, per_sample: i64| {
        for (count, back) in (to..=from).rev().step_by(15).enumerate() {
            let count = i64::try_from(count).expect("few") + 1;
            writeln!(
                text,
                "http_requests_total{{namespace=\"shop\",pod=\"{pod}\",code=\"{code}\"}} {} {}",
                count * per_sample,
                now.as_second() - back
            )
            .expect("a String takes everything");
        }
    };
    series("web-aaaaa-11111", BEGIN, 300, "200", 10);
    series("web-bbbbb-22222", 285, 0, "200", 7);
    series("web-bbbbb-22222", 285, 0, "500", 3);
    series("web-aaaaa-extra-33333", BEGIN, 0, "200", 1000);
    text + "# EOF\n"
}

async fn prometheus(folder: &Path, now: Timestamp) -> (String, tokio::process::Child) {
    let file = folder.join("history.txt");
    std::fs::write(&file, history(now)).expect("is written");
    let data = folder.join("data");
    let made = tokio::process::Command::new(binary().with_file_name("promtool"))
        .args(["tsdb", "create-blocks-from", "openmetrics"])
        .arg(&file)
        .arg(&data)
        .output()
        .await
        .expect("promtool runs");
    assert!(made.status.success(), "{made:?}");
    let config = folder.join("prometheus.yml");
    std::fs::write(&config, "global: {scrape_interval: 15s}\n").expect("is written");
    let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = free.local_addr().expect("is bound");
    drop(free);
    let process = tokio::process::Command::new(binary())
        .arg(format!("--config.file={}", config.display()))
        .arg(format!("--storage.tsdb.path={}", data.display()))
        .arg(format!("--web.listen-address={address}"))
        .arg("--log.level=error")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .expect("Prometheus starts");
    let url = format!("http://{address}");
    let begun = Instant::now();
    loop {
        let ready = reqwest::get(format!("{url}/-/ready")).await;
        if ready.is_ok_and(|ready| ready.status().is_success()) {
            return (url, process);
        }
        assert!(begun.elapsed() < Duration::from_secs(20), "it is not ready");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// What the past adds up to, by pod.
fn counted(past: &[Past], query: &RangeQuery) -> Vec<(String, f64, f64)> {
    let RangeTarget { target, revisions } = &query.targets[0];
    let known = KnownPods::with_revisions(&target.id, &target.pods, revisions);
    let mut measurement = Measurement::new();
    let mut sums: std::collections::BTreeMap<String, (f64, f64)> =
        std::collections::BTreeMap::new();
    for moment in past {
        let increases = measurement.advance(moment.at, &moment.observations[0], &known);
        assert!(increases.unusable.is_empty(), "{increases:?}");
        for (key, increase) in increases.series {
            let (SeriesKey::Pod { pod, .. }, Counts::Ratio(RatioCounts { events, part })) =
                (key.into_owned(), increase.counts)
            else {
                panic!("counts of pods");
            };
            let sum = sums.entry(pod.to_string()).or_default();
            *sum = (sum.0 + events, sum.1 + part);
        }
    }
    let sums = sums.into_iter();
    sums.map(|(pod, (events, part))| (pod, events, part))
        .collect()
}

#[tokio::test]
async fn the_past_is_counted_exactly_with_pods_that_are_gone() {
    let clock = clock();
    let folder = tempfile::tempdir().expect("a folder");
    let now = Timestamp::from_second(Timestamp::now().as_second()).expect("in range");
    let (url, _process) = prometheus(folder.path(), now).await;
    let source = Prometheus::new(PrometheusOptions::new(&*url), clock).expect("is good");
    let query = query(now, 11);
    let past = source.read_range(&query).await.expect("it has a history");
    // Every five seconds, also before the first sample: what is born later is counted from zero.
    assert_eq!(past.len(), 11 * 12 + usize::from(now.as_second() % 5 == 0));
    assert!(matches!(
        past[0].observations[0],
        Observation::NoData { .. }
    ));
    let counted = counted(&past, &query);
    // The old pod ran before: its first sample is where its count begins. All of the new one is counted.
    let samples = |seconds: i64| (seconds / SCRAPE) as f64;
    let last = (now.as_second() % 5) as f64;
    let expected_new = samples(285) + 1.0;
    assert_eq!(counted.len(), 2, "{counted:?}");
    assert_eq!(
        counted[0],
        ("web-aaaaa-11111".to_owned(), samples(300) * 10.0, 0.0)
    );
    // The very last sample may lie behind the last whole step.
    let seen = if last > 0.0 {
        expected_new - 1.0
    } else {
        expected_new
    };
    assert_eq!(
        counted[1],
        ("web-bbbbb-22222".to_owned(), seen * 10.0, seen * 3.0)
    );
}

/// The values of the target's pods at one moment.
fn values(past: &Past) -> Vec<(String, f64)> {
    match &past.observations[0] {
        Observation::Levels(levels) => levels
            .readings
            .iter()
            .map(|reading| match &reading.key {
                SeriesKey::Pod { pod, .. } => (pod.to_string(), reading.value),
                other => (format!("{other:?}"), reading.value),
            })
            .collect(),
        Observation::NoData { .. } => Vec::new(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn values_have_a_past_too_with_pods_that_are_gone() {
    let folder = tempfile::tempdir().expect("a folder");
    let now = Timestamp::from_second(Timestamp::now().as_second()).expect("in range");
    let (url, _process) = prometheus(folder.path(), now).await;
    let source = Prometheus::new(PrometheusOptions::new(&*url), clock()).expect("is good");
    let ask = async |what: Level| {
        let query = RangeQuery {
            question: Question {
                what: What::Level(what),
                label: None,
            },
            ..query(now, 11)
        };
        source.read_range(&query).await.expect("it has a history")
    };
    let at = |past: &[Past], ago: i64| {
        let then = now.as_second() - ago;
        let found = past.iter().find(|past| past.at.as_second() >= then);
        values(found.expect("it is in the range"))
    };
    let gauge = ask(Level::Gauge(selector(
        "http_requests_total",
        &[("code", MatchOp::Equal, "200")],
    )))
    .await;
    let old = |value| ("web-aaaaa-11111".to_owned(), value);
    let new = |value| ("web-bbbbb-22222".to_owned(), value);
    assert_eq!(at(&gauge, 650), []);
    let [(pod, value)] = &at(&gauge, 400)[..] else {
        panic!("{gauge:?}");
    };
    assert_eq!((pod, value % 10.0), (&old(0.0).0, 0.0), "{value}");
    assert!((100.0..200.0).contains(value), "{value}");
    // Twenty samples of seven; the very last may lie behind the last whole step.
    let shows = |past: &[Past], more: f64| {
        let last = values(past.last().expect("has a last"));
        last.contains(&new(140.0 + more)) || last.contains(&new(133.0 + more))
    };
    assert!(shows(&gauge, 0.0), "{gauge:?}");

    let query = "max by (pod) (http_requests_total{code='200'}) + 1".to_owned();
    let promql = ask(Level::Promql(Promql { query, range: None })).await;
    assert!(shows(&promql, 1.0), "{promql:?}");
    let query = "sum(http_requests_total{namespace='${namespace}'}) * 0 + 5".to_owned();
    let promql = ask(Level::Promql(Promql { query, range: None })).await;
    assert_eq!(at(&promql, 300), [("Whole".to_owned(), 5.0)]);
}

#[tokio::test]
async fn a_part_of_the_past_is_none() {
    let now = Timestamp::now();
    let server = MockServer::start().await;
    let good = json!({"status": "success", "data": {"resultType": "matrix", "result": []}});
    Mock::given(any())
        .respond_with(ResponseTemplate::new(200).set_body_json(good))
        .up_to_n_times(1)
        .mount(&server)
        .await;
    Mock::given(any())
        .respond_with(ResponseTemplate::new(503).set_body_string("store is away"))
        .mount(&server)
        .await;
    let source = Prometheus::new(PrometheusOptions::new(server.uri()), clock()).expect("is good");
    // Twenty minutes are two queries.
    let error = source
        .read_range(&query(now, 20))
        .await
        .expect_err("is faulty");
    assert!(error.reason.contains("store is away"), "{error}");
    let scrape = Scrape::new(ScrapeOptions::default(), clock()).expect("is good");
    let error = scrape
        .read_range(&query(now, 5))
        .await
        .expect_err("it cannot");
    assert!(error.reason.contains("keeps no history"), "{error}");
}
