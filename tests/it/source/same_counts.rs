//! The same pages through a real Prometheus and through our own scrapes: the same counts, step by step.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use jiff::{SignedDuration, Timestamp};
use tokio::process::{Child, Command};

use recant::source::prometheus::{Prometheus, PrometheusOptions};
use recant::source::scrape::{Scrape, ScrapeOptions};
use recant::source::{Query, Source};
use recant_core::ids::PodName;
use recant_core::measurement::{Counts, Increases, KnownPods, Look, Measurement, RatioCounts};
use recant_core::observation::SeriesKey;
use recant_core::rule::Question;
use recant_core::target::Pod;

use super::fixture::{clock, errors, latency, pod, target};

const PODS: [&str; 4] = ["web-a", "web-b", "web-c", "web-d"];
const STEPS: usize = 12;

/// Content type and text of a pod's page in a step.
type Pages = BTreeMap<(usize, String), (String, String)>;

fn recording() -> Pages {
    let mut pages = Pages::new();
    let mut current: Option<(usize, String)> = None;
    for line in include_str!("recording.txt").lines() {
        if let Some(title) = line.strip_prefix("=== ") {
            let mut words = title.splitn(3, ' ');
            let step = words
                .next()
                .and_then(|step| step.parse().ok())
                .expect("a step");
            let pod = words.next().expect("a pod").to_owned();
            let content_type = words.next().expect("a content type").to_owned();
            pages.insert((step, pod.clone()), (content_type, String::new()));
            current = Some((step, pod));
        } else if let Some((_, text)) = current.as_ref().and_then(|key| pages.get_mut(key)) {
            text.push_str(line);
            text.push('\n');
        }
    }
    pages
}

/// The server that shows the pages of the current step.
#[derive(Clone)]
struct Player {
    pages: Arc<Pages>,
    state: Arc<Mutex<PlayerState>>,
}

#[derive(Default)]
struct PlayerState {
    step: usize,
    /// How often Prometheus asked for each pod since the step began.
    asked: BTreeMap<String, usize>,
}

impl Player {
    async fn start() -> (Self, SocketAddr) {
        let player = Self {
            pages: Arc::new(recording()),
            state: Arc::default(),
        };
        let router = Router::new()
            .route("/{pod}/metrics", get(Self::page))
            .with_state(player.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a free port");
        let address = listener.local_addr().expect("is bound");
        // Ends with the test's runtime.
        tokio::spawn(async move { axum::serve(listener, router).await });
        (player, address)
    }

    #[expect(clippy::unused_async, reason = "axum's handlers are")]
    async fn page(
        extract::State(player): extract::State<Self>,
        extract::Path(pod): extract::Path<String>,
        headers: HeaderMap,
    ) -> Response {
        let by_prometheus = headers
            .get(header::USER_AGENT)
            .and_then(|agent| agent.to_str().ok())
            .is_some_and(|agent| agent.starts_with("Prometheus/"));
        let mut state = player.state.lock().expect("no panic");
        if by_prometheus {
            *state.asked.entry(pod.clone()).or_default() += 1;
        }
        match player.pages.get(&(state.step, pod)) {
            Some((content_type, text)) => {
                ([(header::CONTENT_TYPE, content_type.clone())], text.clone()).into_response()
            }
            None => StatusCode::SERVICE_UNAVAILABLE.into_response(),
        }
    }

    /// How many pods have a page in this step.
    fn readable(&self, step: usize) -> usize {
        self.pages.keys().filter(|(of, _)| *of == step).count()
    }

    /// Turns to a step, and waits until Prometheus has taken it in: when it asks a second time, the first is stored.
    async fn turn_to(&self, step: usize) {
        *self.state.lock().expect("no panic") = PlayerState {
            step,
            asked: BTreeMap::new(),
        };
        let begun = Instant::now();
        loop {
            let asked = self.state.lock().expect("no panic").asked.clone();
            if PODS
                .iter()
                .all(|pod| asked.get(*pod).is_some_and(|times| *times >= 2))
            {
                return;
            }
            assert!(
                begun.elapsed() < Duration::from_secs(15),
                "Prometheus did not scrape step {step} in time; it asked {asked:?}"
            );
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

/// The Prometheus of the test-bed.
pub(crate) fn binary() -> PathBuf {
    let build = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/testbed/build");
    let output = std::process::Command::new(&build)
        .arg("--path")
        .output()
        .expect("`tests/testbed/build --path` runs");
    let cache = String::from_utf8(output.stdout).expect("a path");
    let binary = Path::new(cache.trim()).join("bin/prometheus");
    assert!(
        binary.exists(),
        "`{}` is missing: run `tests/testbed/build`, which builds it",
        binary.display()
    );
    binary
}

/// A Prometheus that scrapes pods of one server every 200 ms; killed when dropped.
pub(super) struct RealPrometheus {
    pub(super) url: String,
    _process: Child,
    _data: tempfile::TempDir,
}

impl RealPrometheus {
    /// Scrapes these pods, each at `/<pod>/metrics` of the server.
    pub(super) async fn start(server: SocketAddr, pods: &[&str]) -> Self {
        Self::start_with(server, pods, "scrape_native_histograms: false").await
    }

    /// The same with another setting of all scrapes.
    pub(super) async fn start_with(server: SocketAddr, pods: &[&str], setting: &str) -> Self {
        let data = tempfile::tempdir().expect("a folder");
        let mut config = format!(
            "global: {{scrape_interval: 200ms, scrape_timeout: 200ms, {setting}}}\nscrape_configs:\n- job_name: pods\n  static_configs:\n",
        );
        for pod in pods {
            let line = format!(
                "  - {{targets: ['{server}'], labels: {{namespace: shop, pod: {pod}, __metrics_path__: /{pod}/metrics}}}}\n"
            );
            config.push_str(&line);
        }
        let file = data.path().join("prometheus.yml");
        std::fs::write(&file, config).expect("is written");
        let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = free.local_addr().expect("is bound");
        drop(free);
        let log = std::fs::File::create(data.path().join("log")).expect("a log");
        let process = Command::new(binary())
            .arg(format!("--config.file={}", file.display()))
            .arg(format!(
                "--storage.tsdb.path={}",
                data.path().join("data").display()
            ))
            .arg(format!("--web.listen-address={address}"))
            .args(["--scrape.discovery-reload-interval=1s", "--log.level=warn"])
            .stdout(Stdio::null())
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .expect("Prometheus starts");
        let url = format!("http://{address}");
        let begun = Instant::now();
        loop {
            let ready = reqwest::get(format!("{url}/-/ready")).await;
            if ready.is_ok_and(|ready| ready.status().is_success()) {
                break;
            }
            assert!(
                begun.elapsed() < Duration::from_secs(15),
                "Prometheus did not become ready; it said: {}",
                std::fs::read_to_string(data.path().join("log")).unwrap_or_default()
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Self {
            url,
            _process: process,
            _data: data,
        }
    }

    /// Waits until it reads this many pods: on a busy machine a scrape may come too late.
    pub(super) async fn reads(&self, pods: usize) {
        let begun = Instant::now();
        loop {
            let up = self.value("sum(up)").await;
            if up.is_some_and(|up| up.to_string() == pods.to_string()) {
                return;
            }
            assert!(
                begun.elapsed() < Duration::from_secs(15),
                "Prometheus reads {up:?} pods instead of {pods}"
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// The value of an expression with one element; `None` when it has none.
    pub(super) async fn value(&self, promql: &str) -> Option<f64> {
        let client = prometheus_http_query::Client::from(reqwest::Client::new(), &self.url)
            .expect("an address");
        let answer = client.query(promql).get().await.expect("an answer");
        let vector = answer.data().as_vector().expect("a vector");
        vector.first().map(|element| element.sample().value())
    }
}

/// A source with what was measured through it.
struct Measured {
    source: Box<dyn Source>,
    ratio: Measurement,
    histogram: Measurement,
    by_path: Measurement,
    sums: BTreeMap<SeriesKey, Counts>,
    slow: BTreeMap<SeriesKey, Counts>,
    paths: BTreeMap<SeriesKey, Counts>,
}

impl Measured {
    fn new(source: impl Source + 'static) -> Self {
        Self {
            source: Box::new(source),
            ratio: Measurement::new(),
            histogram: Measurement::new(),
            by_path: Measurement::new(),
            sums: BTreeMap::new(),
            slow: BTreeMap::new(),
            paths: BTreeMap::new(),
        }
    }

    /// Looks once, and gives counts and resets of each question.
    async fn look(&mut self, pods: &[Pod]) -> Vec<(BTreeMap<SeriesKey, Counts>, Vec<SeriesKey>)> {
        let target = target("web", pods.to_vec());
        let known = KnownPods::new(&target.id, pods);
        let ask = |question: Question| Query {
            question,
            targets: vec![target.clone()],
        };
        let by_path = Question {
            label: Some("path".into()),
            ..errors()
        };
        let queries = [ask(errors()), ask(latency()), ask(by_path)];
        let answers = self.source.read(&queries).await;
        let now = Timestamp::now();
        let mut looks = Vec::new();
        for (answer, measurement, sums) in [
            (&answers[0][0], &mut self.ratio, &mut self.sums),
            (&answers[1][0], &mut self.histogram, &mut self.slow),
            (&answers[2][0], &mut self.by_path, &mut self.paths),
        ] {
            let increases = measurement.advance(now, answer, &known);
            assert_eq!(increases.look, Look::Measured);
            let counts = counts_of(&increases);
            for (key, counts) in &counts {
                sums.entry(key.clone())
                    .and_modify(|sum| sum.add(counts))
                    .or_insert_with(|| counts.clone());
            }
            let mut resets = increases.resets;
            resets.sort();
            looks.push((counts, resets));
        }
        looks
    }
}

fn counts_of(increases: &Increases<'_>) -> BTreeMap<SeriesKey, Counts> {
    increases
        .series
        .iter()
        .map(|(key, increase)| (key.clone().into_owned(), increase.counts.clone()))
        .collect()
}

fn key(pod: &str) -> SeriesKey {
    SeriesKey::Pod {
        namespace: "shop".into(),
        pod: PodName::from(pod),
    }
}

#[tokio::test]
async fn both_sources_count_the_same() {
    let clock = clock();
    let (player, address) = Player::start().await;
    let real = RealPrometheus::start(address, &PODS).await;
    let prometheus = Prometheus::new(PrometheusOptions::new(&*real.url), Arc::clone(&clock));
    let mut by_query = Measured::new(prometheus.expect("is good"));
    let scrape = Scrape::new(ScrapeOptions::default(), clock);
    let mut by_scrape = Measured::new(scrape.expect("is good"));

    let hour_ago = Timestamp::now() - SignedDuration::from_hours(1);
    let mut pods = vec![
        pod("web-a", hour_ago, address),
        pod("web-b", hour_ago, address),
    ];
    for step in 0..STEPS {
        match step {
            4 => pods.push(pod("web-c", Timestamp::now(), address)),
            8 => pods.push(pod("web-d", Timestamp::now(), address)),
            _ => {}
        }
        player.turn_to(step).await;
        real.reads(player.readable(step)).await;
        let queried = by_query.look(&pods).await;
        let scraped = by_scrape.look(&pods).await;
        assert_eq!(queried, scraped, "step {step}");
        let (errors, resets) = &queried[0];
        let pods_with_counts = errors.len();
        // The first look counts nothing, one pod cannot be read in step 6, one restarts, one goes.
        let expected = [0, 2, 2, 2, 3, 3, 2, 2, 4, 3, 3, 3][step];
        assert_eq!(pods_with_counts, expected, "step {step}: {errors:?}");
        let restarted = if step == 7 {
            vec![key("web-a")]
        } else {
            vec![]
        };
        assert_eq!(*resets, restarted, "step {step}");
        if step == 3 {
            let first_error = Counts::Ratio(RatioCounts {
                events: 20.0,
                part: 1.0,
            });
            assert_eq!(errors[&key("web-a")], first_error);
            // This is why the differencing is ours.
            let theirs = real
                .value("increase(http_requests_total{pod=\"web-a\",code=\"500\"}[1m])")
                .await;
            assert_eq!(
                theirs.unwrap_or_default().to_string(),
                "0",
                "Prometheus sees it too"
            );
        }
    }

    // What the processes counted, less what happened before the first look and in the step of the restart.
    let expected = [
        ("web-a", 180.0, 13.0),
        ("web-b", 116.0, 5.0),
        ("web-c", 96.0, 29.0),
        ("web-d", 60.0, 9.0),
    ];
    for (pod, events, part) in expected {
        let sum = Counts::Ratio(RatioCounts { events, part });
        assert_eq!(by_query.sums[&key(pod)], sum, "{pod}");
        assert!(
            (by_query.slow[&key(pod)].total() - events).abs() < 0.5,
            "{pod}"
        );
    }
    assert_eq!(by_query.sums, by_scrape.sums);
    assert_eq!(by_query.slow, by_scrape.slow);
    assert_eq!(by_query.paths, by_scrape.paths);
    // Told apart by another label, the events are the same.
    let all = |sums: &BTreeMap<SeriesKey, Counts>| sums.values().map(Counts::total).sum::<f64>();
    assert_eq!(
        all(&by_query.paths).to_string(),
        all(&by_query.sums).to_string()
    );

    // `web-d` was counted from zero, so that its counters are its counts.
    let Counts::Histogram(histogram) = &by_query.slow[&key("web-d")] else {
        panic!("no histogram: {:?}", by_query.slow);
    };
    for q in [0.05, 0.5, 0.9, 0.95, 0.99, 1.0] {
        let ours = histogram.quantile(q).expect("has events");
        let theirs = real
            .value(&format!(
                "histogram_quantile({q}, sum by (le) (http_request_duration_seconds_bucket{{pod=\"web-d\"}}))"
            ))
            .await
            .expect("has events");
        assert!(
            (ours - theirs).abs() < 1e-9,
            "{q}: {ours} here, {theirs} there"
        );
    }
}
