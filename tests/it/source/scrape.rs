//! The scrape source against pods that answer, and pods that do not.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use tokio::net::TcpListener;
use wiremock::matchers::path;
use wiremock::{Mock, MockServer, ResponseTemplate};

use recant::source::scrape::{Scrape, ScrapeOptions};
use recant::source::{Query, Source as _};
use recant_core::ids::PodName;
use recant_core::observation::{Cause, Cumulative, Observation, SeriesKey};
use recant_core::rule::{Question, ScrapeEndpoint};
use recant_core::target::Pod;

use super::fixture::{clock, errors, latency, pod, selector, series, target, unavailable};

const PAGE: &str = "http_requests_total{code=\"200\"} 9\nhttp_requests_total{code=\"500\"} 1\n";

/// What `gzip -9n` makes of [`PAGE`].
const GZIPPED_PAGE: &[u8] = &[
    0x1f, 0x8b, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x02, 0x03, 0xcb, 0x28, 0x29, 0x29, 0x88, 0x2f,
    0x4a, 0x2d, 0x2c, 0x4d, 0x2d, 0x2e, 0x29, 0x8e, 0x2f, 0xc9, 0x2f, 0x49, 0xcc, 0xa9, 0x4e, 0xce,
    0x4f, 0x49, 0xb5, 0x55, 0x32, 0x32, 0x30, 0x50, 0xaa, 0x55, 0xb0, 0xe4, 0xca, 0xc0, 0xa9, 0xc2,
    0x14, 0xac, 0xc2, 0x90, 0x0b, 0x00, 0xf5, 0x59, 0xc7, 0x42, 0x44, 0x00, 0x00, 0x00,
];

/// A deflate block of 50 000 lines `#`, closed by a full flush so that it can be repeated.
const DEFLATED_COMMENTS: &[u8] = &[
    0xec, 0xc2, 0x31, 0x0d, 0x00, 0x00, 0x00, 0x02, 0xa0, 0xdf, 0x1a, 0xf6, 0xef, 0x68, 0x0d, 0x0f,
    0x06, 0x4d, 0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
    0x00, 0x00, 0x80, 0x53, 0x03, 0x00, 0x00, 0xff, 0xff,
];

fn source() -> Scrape {
    let options = ScrapeOptions {
        pod_timeout: Duration::from_millis(500),
        ..ScrapeOptions::default()
    };
    Scrape::new(options, clock()).expect("is good")
}

/// Serves each page at `/<pod>/metrics`, and gives the pods.
async fn pods(pages: Vec<(&str, ResponseTemplate)>) -> (MockServer, Vec<Pod>) {
    let server = MockServer::start().await;
    let mut pods = Vec::new();
    for (name, page) in pages {
        Mock::given(path(format!("/{name}/metrics")))
            .respond_with(page)
            .mount(&server)
            .await;
        pods.push(pod(name, Timestamp::UNIX_EPOCH, *server.address()));
    }
    (server, pods)
}

async fn ask(pods: Vec<Pod>, question: Question) -> Observation {
    let query = Query {
        question,
        targets: vec![target("checkout", pods)],
    };
    source().read(&[query]).await.remove(0).remove(0)
}

fn page(body: &str) -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_string(body)
}

/// Part and total of a pod, or why it is unusable.
fn of(observation: &Observation, pod: &str) -> Option<Result<(f64, f64), String>> {
    let found = series(observation).iter().find(|series| {
        matches!(&series.key, SeriesKey::Pod { pod: name, .. } if *name == PodName::from(pod))
    })?;
    Some(match &found.value {
        Cumulative::Ratio { part, total, .. } => Ok((part.unwrap_or(0.0), total.unwrap_or(0.0))),
        Cumulative::Unusable { reason } => Err(reason.clone()),
        Cumulative::Histogram(_) => panic!("a histogram: {found:?}"),
    })
}

#[tokio::test]
async fn each_pod_is_asked_once_however_many_questions_there_are() {
    let (server, pods) = pods(vec![("a", page(PAGE)), ("b", page(PAGE))]).await;
    let queries: Vec<Query> = [errors(), latency(), errors()]
        .into_iter()
        .map(|question| Query {
            question,
            targets: vec![target("checkout", pods.clone())],
        })
        .collect();
    let answers = source().read(&queries).await;
    assert_eq!(of(&answers[0][0], "a"), Some(Ok((1.0, 10.0))));
    assert_eq!(of(&answers[2][0], "b"), Some(Ok((1.0, 10.0))));
    assert!(
        matches!(answers[1][0], Observation::NoData { .. }),
        "{answers:?}"
    );
    let requests = server.received_requests().await.expect("are recorded");
    assert_eq!(requests.len(), 2);
}

#[tokio::test]
async fn nothing_of_one_pod_stops_the_others() {
    let mut garbage = Vec::with_capacity(5_000_000);
    while garbage.len() < 5_000_000 {
        garbage.extend((0..=255u8).map(|byte| byte.wrapping_mul(37)));
    }
    let prose = "all work and no play ".repeat(240_000);
    let cases = [
        (
            "bytes",
            ResponseTemplate::new(200).set_body_bytes(garbage),
            "no text (byte 4)",
        ),
        (
            "prose",
            page(&prose),
            "line 1: a value is expected where \"work and",
        ),
        (
            "twice",
            page("http_requests_total{code=\"200\"} 9\nhttp_requests_total{code=\"200\"} 8\n"),
            "line 2: two samples of one series: http_requests_total{code=\"200\"}",
        ),
        (
            "cut",
            ResponseTemplate::new(200).set_body_raw(PAGE, "application/openmetrics-text"),
            "`# EOF` is missing",
        ),
        (
            "huge",
            page(&format!("{PAGE}{}", "#\n".repeat(3_000_000))),
            "larger than 5 MiB",
        ),
        ("down", ResponseTemplate::new(500), "answered 500"),
        (
            "hangs",
            page(PAGE).set_delay(Duration::from_mins(1)),
            "did not answer within 500ms",
        ),
        (
            "elsewhere",
            ResponseTemplate::new(302).insert_header("Location", "http://evil.example/metrics"),
            "redirect to `http://evil.example/metrics`, which is not followed",
        ),
    ];
    let mut pages: Vec<(&str, ResponseTemplate)> = cases
        .iter()
        .map(|(name, page, _)| (*name, page.clone()))
        .collect();
    pages.push(("good", page(PAGE)));
    let (_server, pods) = pods(pages).await;
    let begun = Instant::now();
    let observation = ask(pods, errors()).await;
    assert!(
        begun.elapsed() < Duration::from_secs(5),
        "{:?}",
        begun.elapsed()
    );
    assert_eq!(of(&observation, "good"), Some(Ok((1.0, 10.0))));
    for (name, _, said) in cases {
        let reason = of(&observation, name)
            .expect("is told")
            .expect_err("is unusable");
        assert!(reason.contains(said), "{name}: `{reason}` lacks `{said}`");
    }
}

#[tokio::test]
async fn when_every_ready_pod_fails_nothing_is_known() {
    let down = || ResponseTemplate::new(503);
    let (_server, mut failing) = pods(vec![("a", down()), ("b", down()), ("c", down())]).await;
    failing[2].ready = false;
    let observation = ask(failing.clone(), errors()).await;
    let (cause, reason) = unavailable(&observation);
    assert_eq!(cause, Cause::Down);
    assert_eq!(
        reason,
        "all 2 Ready pods failed to give its metrics: `a` answered 503"
    );

    for pod in &mut failing {
        pod.ready = false;
    }
    let observation = ask(failing, errors()).await;
    let Observation::NoData { reason } = observation else {
        panic!("not without data: {observation:?}");
    };
    assert_eq!(reason, "Deployment shop/checkout has no pod that is Ready");
}

#[tokio::test]
async fn a_pod_that_is_not_there_is_told() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("is bound");
    drop(listener);
    let observation = ask(vec![pod("a", Timestamp::UNIX_EPOCH, address)], errors()).await;
    let (_, reason) = unavailable(&observation);
    assert!(reason.contains("the only Ready pod failed"), "{reason}");
    assert!(reason.to_lowercase().contains("refused"), "{reason}");
}

#[tokio::test]
async fn pods_that_go_are_not_asked() {
    let (server, mut pods) = pods(vec![("a", page(PAGE)), ("b", page(PAGE))]).await;
    pods[0].terminating = true;
    let observation = ask(pods, errors()).await;
    assert_eq!(of(&observation, "a"), None);
    assert_eq!(of(&observation, "b"), Some(Ok((1.0, 10.0))));
    let requests = server.received_requests().await.expect("are recorded");
    assert_eq!(requests.len(), 1);
}

#[tokio::test]
async fn the_watch_may_say_where_the_metrics_are() {
    let server = MockServer::start().await;
    Mock::given(path("/internal/stats"))
        .respond_with(page(PAGE))
        .mount(&server)
        .await;
    let mut silent = pod("a", Timestamp::UNIX_EPOCH, *server.address());
    silent.metrics = None;
    let said = ScrapeEndpoint {
        port: server.address().port(),
        path: "/internal/stats".into(),
    };
    let mut target = target("checkout", vec![silent]);
    let read = |target| async move {
        let query = Query {
            question: errors(),
            targets: vec![target],
        };
        source().read(&[query]).await.remove(0).remove(0)
    };
    let observation = read(target.clone()).await;
    let (_, reason) = unavailable(&observation);
    assert!(
        reason.contains("set `scrape: {port: …, path: …}` in the Watch"),
        "{reason}"
    );
    target.scrape = Some(said);
    assert_eq!(of(&read(target).await, "a"), Some(Ok((1.0, 10.0))));
}

#[tokio::test]
async fn compressed_pages_are_read() {
    let small = ResponseTemplate::new(200)
        .set_body_bytes(GZIPPED_PAGE)
        .insert_header("Content-Encoding", "gzip");
    let (_server, pods) = pods(vec![("a", small)]).await;
    assert_eq!(of(&ask(pods, errors()).await, "a"), Some(Ok((1.0, 10.0))));
}

#[tokio::test]
async fn what_a_compressed_page_unpacks_to_is_bounded() {
    let mut bomb = GZIPPED_PAGE.get(..10).expect("has a header").to_vec();
    // 12 KB that unpack to 10 MB.
    bomb.extend(DEFLATED_COMMENTS.repeat(100));
    let page = ResponseTemplate::new(200)
        .set_body_bytes(bomb)
        .insert_header("Content-Encoding", "gzip");
    let (_server, pods) = pods(vec![("a", page)]).await;
    let observation = ask(pods, errors()).await;
    let (cause, reason) = unavailable(&observation);
    assert_eq!(cause, Cause::Malformed);
    assert!(reason.contains("larger than 5 MiB"), "{reason}");
}

#[tokio::test]
async fn a_pattern_that_is_none_stops_only_its_own_question() {
    let (_server, pods) = pods(vec![("a", page(PAGE))]).await;
    let broken = Question {
        what: recant_core::rule::What::Histogram {
            histogram: selector("x", &[("code", recant_core::rule::MatchOp::Regex, "(")]),
        },
        label: None,
    };
    let queries = [broken, errors()].map(|question| Query {
        question,
        targets: vec![target("checkout", pods.clone())],
    });
    let answers = source().read(&queries).await;
    let (cause, reason) = unavailable(&answers[0][0]);
    assert_eq!(cause, Cause::Malformed);
    assert!(
        reason.contains("the pattern `(` for label `code`"),
        "{reason}"
    );
    assert_eq!(of(&answers[1][0], "a"), Some(Ok((1.0, 10.0))));
}
