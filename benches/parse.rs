//! How long a megabyte takes to read: a pod's metrics page, and an answer of Prometheus, each to its observations.
//!
//! The page is parsed by itself, too; the other two come over loopback, as they do from a pod and a server, so that
//! what a look costs is measured whole.
#![allow(clippy::print_stdout, reason = "a bench tells what it measured")]

use std::fmt::Write as _;
use std::hint::black_box;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use criterion::{Criterion, Throughput};
use jiff::Timestamp;
use recant::source::exposition::{self, Format};
use recant::source::prometheus::{Prometheus, PrometheusOptions};
use recant::source::scrape::{Scrape, ScrapeOptions};
use recant::source::{Query, QueryTarget, Source};
use recant_core::ids::{TargetId, TargetKind};
use recant_core::observation::Observation;
use recant_core::rule::Question;
use recant_core::spec::{self, SourceFile};
use recant_core::target::Pod;

const SIZE: usize = 1 << 20;
const NOW: i64 = 1_800_000_000;

const RULES: &str = "
apiVersion: recant.dev/v1alpha1
kind: RuleSet
metadata: {name: big}
rules:
- name: errors
  ratio: {bad: 'http_requests_total{status=~\"5..\"}', total: http_requests_total}
  max: 5%
---
apiVersion: recant.dev/v1alpha1
kind: Watch
metadata: {name: big, namespace: shop}
target: {kind: Deployment, name: big}
rules: [big]
release: {watch: 30m}
onFail: [{rollback: {}}]
";

fn main() {
    recant::tls::install();
    let measuring = std::env::args().any(|argument| argument == "--bench");
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let mut criterion = Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_secs(1))
        .measurement_time(Duration::from_secs(3))
        .configure_from_args();
    let page = page();
    let (answer, targets) = answer();
    let mut group = criterion.benchmark_group("a megabyte");

    group.throughput(Throughput::Bytes(page.len() as u64));
    group.bench_function("scrape page, parsed", |bencher| {
        bencher.iter(|| {
            let mut samples = 0_usize;
            let parsed = exposition::parse(black_box(&page), Format::of(None), |_| {
                samples += 1;
                Ok(())
            });
            assert!(parsed.is_ok() && samples > 5_000, "{parsed:?} {samples}");
        });
    });

    let clock: recant::clock::Clock = Arc::new(|| Timestamp::from_second(NOW).expect("is a time"));
    let at = serve(page.clone(), "text/plain; version=0.0.4");
    let scrape = Scrape::new(ScrapeOptions::default(), clock.clone()).expect("a source");
    let queries = [Query {
        question: question(),
        targets: vec![target("big", vec![pod("big-0", Some(at))])],
    }];
    group.bench_function("scrape page, from a pod to observations", |bencher| {
        bencher.iter(|| check(&runtime.block_on(scrape.read(&queries)), 1));
    });

    group.throughput(Throughput::Bytes(answer.len() as u64));
    let at = serve(answer, "application/json");
    let prometheus =
        Prometheus::new(PrometheusOptions::new(format!("http://{at}")), clock).expect("a source");
    let count = targets.len();
    let queries = [Query {
        question: question(),
        targets,
    }];
    group.bench_function(
        "Prometheus answer, from the server to observations",
        |bencher| {
            bencher.iter(|| check(&runtime.block_on(prometheus.read(&queries)), count));
        },
    );
    group.finish();
    criterion.final_summary();
    if !measuring {
        println!("parse: every megabyte became observations");
    }
}

/// Every target got its counters: a quick refusal is no measurement.
fn check(observations: &[Vec<Observation>], targets: usize) {
    let [of_targets] = observations else {
        panic!("there is one question: {observations:?}");
    };
    assert_eq!(of_targets.len(), targets);
    for observation in of_targets {
        match observation {
            Observation::Reading(reading) => assert!(!reading.series.is_empty(), "{reading:?}"),
            other => panic!("{other:?}"),
        }
    }
    black_box(observations);
}

fn question() -> Question {
    let file = SourceFile {
        name: "big.yaml".to_owned(),
        text: RULES.to_owned(),
    };
    let book = spec::load(&[file], &[]).book.expect("the rules are good");
    Question::of(&book.watches[0].rules[0])
}

fn target(name: &str, pods: Vec<Pod>) -> QueryTarget {
    QueryTarget {
        id: TargetId {
            namespace: "shop".to_owned(),
            kind: TargetKind::Deployment,
            name: name.to_owned(),
        },
        pods,
        scrape: None,
    }
}

fn pod(name: &str, at: Option<SocketAddr>) -> Pod {
    Pod {
        name: name.into(),
        hash: "new".into(),
        created: Timestamp::from_second(NOW - 3600).expect("is a time"),
        ready: true,
        terminating: false,
        ip: at.map(|at| at.ip()),
        metrics: at.map(|at| (at.port(), "/metrics".to_owned())),
        unready_reason: None,
    }
}

/// A page as a busy service with many routes has it: requests by status, and latency by bucket.
fn page() -> String {
    let mut page = String::from("# TYPE http_requests_total counter\n");
    let mut route = 0;
    while page.len() < SIZE {
        route += 1;
        for status in [200, 404, 500] {
            writeln!(
                page,
                "http_requests_total{{method=\"GET\",route=\"/api/v1/items/{route}\",status=\"{status}\"}} {}",
                route * status
            )
            .expect("a String takes text");
        }
        for bound in ["0.05", "0.1", "0.5", "1", "+Inf"] {
            writeln!(
                page,
                "http_request_duration_seconds_bucket{{route=\"/api/v1/items/{route}\",le=\"{bound}\"}} {route}"
            )
            .expect("a String takes text");
        }
    }
    page
}

/// An answer about five pods of each of many targets.
fn answer() -> (String, Vec<QueryTarget>) {
    let mut rows = Vec::new();
    let mut targets = Vec::new();
    let mut size = 0;
    while size < SIZE {
        let name = format!("service-{:04}", targets.len());
        let pods: Vec<Pod> = (0..5)
            .map(|pod_| pod(&format!("{name}-{pod_}"), None))
            .collect();
        for pod in &pods {
            for (mark, value) in [
                ("part", "3"),
                ("total", "1200"),
                ("shape", "1"),
                ("time", "1800000000"),
            ] {
                let row = format!(
                    "{{\"metric\":{{\"namespace\":\"shop\",\"pod\":\"{}\",\"recant\":\"{mark}\"}},\"value\":[{NOW},\"{value}\"]}}",
                    pod.name
                );
                size += row.len() + 1;
                rows.push(row);
            }
        }
        targets.push(target(&name, pods));
    }
    let text = format!(
        "{{\"status\":\"success\",\"data\":{{\"resultType\":\"vector\",\"result\":[{}]}}}}",
        rows.join(",")
    );
    (text, targets)
}

/// Answers every request on loopback with `body`, until the process ends.
fn serve(body: String, content_type: &'static str) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    std::thread::spawn(move || {
        let head = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: {content_type}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
            body.len()
        );
        for stream in listener.incoming().flatten() {
            let mut stream = stream;
            let mut request = [0_u8; 16_384];
            let mut read = 0;
            // To the end of the request: its head, and as much of a body as it says.
            while let Ok(more) = stream.read(&mut request[read..]) {
                read += more;
                if more == 0 || whole(&request[..read]) {
                    break;
                }
            }
            let written = stream
                .write_all(head.as_bytes())
                .and_then(|()| stream.write_all(body.as_bytes()));
            // A client that went away is its own business.
            drop(written);
        }
    });
    address
}

fn whole(request: &[u8]) -> bool {
    let text = String::from_utf8_lossy(request);
    let Some((head, body)) = text.split_once("\r\n\r\n") else {
        return false;
    };
    let length = head
        .lines()
        .find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case("content-length")
                .then(|| value.trim().parse::<usize>().ok())?
        })
        .unwrap_or(0);
    body.len() >= length
}
