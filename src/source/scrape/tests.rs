use recant_core::ids::TargetKind;
use recant_core::ids::{PodName, RevisionHash};
use recant_core::observation::HistogramCounters;
use recant_core::rule::{MatchOp, Matcher, ScrapeEndpoint, Selector, What};

use super::*;

fn selector(metric: &str, matchers: &[(&str, &str)]) -> Selector {
    Selector {
        metric: metric.into(),
        matchers: matchers
            .iter()
            .map(|(label, value)| Matcher {
                label: (*label).into(),
                op: MatchOp::Regex,
                value: (*value).into(),
            })
            .collect(),
    }
}

fn errors(label: Option<&str>) -> Question {
    Question {
        what: What::Ratio {
            part: selector("http_requests_total", &[("status", "5..")]),
            total: selector("http_requests_total", &[]),
        },
        label: label.map(str::to_owned),
    }
}

fn latency() -> Question {
    Question {
        what: What::Histogram {
            histogram: selector("latency_seconds", &[]),
        },
        label: None,
    }
}

const POD: PodLabels<'_> = PodLabels {
    namespace: "shop",
    pod: "checkout-1",
};

fn now() -> Timestamp {
    Timestamp::from_second(1_767_225_600).expect("is a time")
}

fn read(text: &str, questions: &[Question]) -> Result<Vec<Vec<SeriesReading>>, String> {
    let asked: Vec<Arc<Asked>> = questions
        .iter()
        .map(|question| Arc::new(Asked::new(question).expect("compiles")))
        .collect();
    let told = page::read(text, Format::Text, POD, now(), &asked)?;
    Ok(told.into_iter().map(|told| told.series).collect())
}

const PAGE: &str = r#"
http_requests_total{status="200",path="/"} 90
http_requests_total{status="200",path="/pay"} 5
http_requests_total{status="500",path="/pay"} 3
http_requests_total{status="503",path="/"} 2
process_start_time_seconds 1.7e9
latency_seconds_bucket{path="/",le="0.5"} 3
latency_seconds_bucket{path="/pay",le="0.5"} 4
latency_seconds_bucket{path="/",le="+Inf"} 10
latency_seconds_bucket{path="/pay",le="+Inf"} 20
latency_seconds_sum 4.5
latency_seconds_count 30
"#;

#[test]
fn sums_are_those_that_prometheus_would_make() {
    let read = read(PAGE, &[errors(None), latency()]).expect("is an exposition");
    assert_eq!(
        read[0],
        vec![SeriesReading {
            key: SeriesKey::Pod {
                namespace: "shop".into(),
                pod: "checkout-1".into()
            },
            member: None,
            at: now(),
            value: Cumulative::Ratio {
                part: Some(5.0),
                total: Some(100.0),
                part_shape: true
            },
        }]
    );
    assert_eq!(
        read[1][0].value,
        Cumulative::Histogram(HistogramCounters {
            bounds: [0.5].into(),
            counters: vec![7.0, 30.0],
        })
    );
}

#[test]
fn an_absent_part_is_told_from_a_misspelt_one() {
    let shape =
        |text: &str| match &read(text, &[errors(None)]).expect("is an exposition")[0][0].value {
            Cumulative::Ratio {
                part, part_shape, ..
            } => (*part, *part_shape),
            other => panic!("no ratio: {other:?}"),
        };
    assert_eq!(shape("http_requests_total{status=\"200\"} 1"), (None, true));
    assert_eq!(shape("http_requests_total{code=\"200\"} 1"), (None, false));
}

#[test]
fn a_label_tells_the_arms_apart_within_a_pod() {
    let text = "http_requests_total{v=\"a\"} 1\nhttp_requests_total{v=\"b\",status=\"500\"} 2\nhttp_requests_total 4";
    let read = read(text, &[errors(Some("v"))]).expect("is an exposition");
    let keys: Vec<(&SeriesKey, Option<&PodName>)> = read[0]
        .iter()
        .map(|series| (&series.key, series.member.as_ref()))
        .collect();
    let me = PodName::from("checkout-1");
    assert_eq!(
        keys,
        vec![
            (&SeriesKey::Whole, Some(&me)),
            (&SeriesKey::Label("a".into()), Some(&me)),
            (&SeriesKey::Label("b".into()), Some(&me)),
        ]
    );
}

#[test]
fn the_time_is_the_pages_own_when_it_gives_one() {
    let text = "http_requests_total{status=\"200\"} 1 1767225590000\nhttp_requests_total{status=\"500\"} 1 1767225591000";
    let read = read(text, &[errors(None)]).expect("is an exposition");
    assert_eq!(read[0][0].at.as_second(), 1_767_225_591);
}

#[test]
fn two_samples_of_one_series_are_named() {
    let text =
        "http_requests_total{a=\"1\",b=\"2\"} 1\nhttp_requests_total{b=\"2\",a=\"1\",c=\"\"} 1";
    let said = read(text, &[errors(None)]).expect_err("is doubled");
    assert_eq!(
        said,
        "line 2: two samples of one series: http_requests_total{a=\"1\",b=\"2\"}"
    );
    // Nobody asks for these.
    assert!(read("up 1\nup 1", &[errors(None)]).is_ok());
}

#[test]
fn a_histogram_without_the_last_bucket_is_unusable() {
    let read = read("latency_seconds_bucket{le=\"1\"} 3", &[latency()]).expect("is an exposition");
    assert!(
        matches!(&read[0][0].value, Cumulative::Unusable { reason } if reason.contains("`+Inf`")),
        "{read:?}"
    );
}

fn pod(ip: &str, metrics: Option<(u16, &str)>) -> Pod {
    Pod {
        name: PodName::from("checkout-1"),
        hash: RevisionHash::from("a"),
        created: Timestamp::UNIX_EPOCH,
        ready: true,
        terminating: false,
        ip: Some(ip.parse().expect("is an address")),
        metrics: metrics.map(|(port, path)| (port, path.to_owned())),
        unready_reason: None,
    }
}

fn target(scrape: Option<ScrapeEndpoint>) -> QueryTarget {
    QueryTarget {
        id: TargetId {
            namespace: "shop".into(),
            kind: TargetKind::Deployment,
            name: "checkout".into(),
        },
        pods: vec![],
        scrape,
    }
}

#[test]
fn the_watch_says_where_the_metrics_are_or_the_pod_does() {
    let url = |scrape, pod: &Pod| page_url(&target(scrape), pod).map(|url| url.to_string());
    let said = ScrapeEndpoint {
        port: 9000,
        path: "/m".into(),
    };
    let annotated = pod("10.0.0.1", Some((8080, "/metrics")));
    assert_eq!(
        url(None, &annotated),
        Ok("http://10.0.0.1:8080/metrics".into())
    );
    assert_eq!(
        url(Some(said), &annotated),
        Ok("http://10.0.0.1:9000/m".into())
    );
    let six = pod("fd00::1", Some((8080, "/metrics?x=1")));
    assert_eq!(
        url(None, &six),
        Ok("http://[fd00::1]:8080/metrics?x=1".into())
    );
    let silent = url(None, &pod("10.0.0.1", None)).expect_err("says nowhere");
    assert!(silent.reason.contains("scrape: {port: …, path: …}"));
}

#[test]
fn no_path_leads_to_another_host() {
    for path in [
        "@evil.example/",
        "//evil.example/",
        "/../..",
        "http://evil.example/",
    ] {
        let url = page_url(&target(None), &pod("10.0.0.1", Some((8080, path)))).expect("is a URL");
        assert_eq!(url.host_str(), Some("10.0.0.1"), "{path}");
        assert_eq!(url.port(), Some(8080), "{path}");
    }
}
