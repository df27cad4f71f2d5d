//! Values through a real Prometheus and through our own scrapes: the same readings; and expressions of every shape.

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::extract::Path;
use axum::routing::get;
use jiff::Timestamp;

use recant::source::prometheus::{Prometheus, PrometheusOptions};
use recant::source::scrape::{Scrape, ScrapeOptions};
use recant::source::{Query, Source};
use recant_core::ids::PodName;
use recant_core::observation::{Cause, Cumulative, LevelReading, Observation, SeriesKey};
use recant_core::rule::{
    ArmsBy, Check, Judging, Level, LevelCheck, LevelLimit, LevelMetric, LevelUnit, MatchOp, Over,
    Promql, PromqlRange, Question, Rule, Sampled, Selector, What,
};
use recant_core::target::Pod;

use super::fixture::{clock, pod, selector, series, target, unavailable};
use super::same_counts::RealPrometheus;

const PODS: [&str; 3] = ["web-a", "web-b", "web-c"];

/// What each pod exposes; its number is in some of the values.
fn page(pod: &str) -> String {
    let number = PODS
        .iter()
        .position(|name| *name == pod)
        .unwrap_or_default()
        + 1;
    format!(
        "# TYPE queue_length gauge\nqueue_length{{queue=\"mail\"}} {number}0\n\
         queue_length{{queue=\"bills\"}} {number}\n\
         memory_bytes {number}e8\n\
         broken NaN\n\
         # TYPE jobs_total counter\njobs_total{{state=\"failed\"}} {number}\njobs_total{{state=\"done\"}} 7\n"
    )
}

async fn pods() -> (SocketAddr, Vec<Pod>) {
    let router = Router::new().route(
        "/{pod}/metrics",
        get(|Path(pod): Path<String>| async move { page(&pod) }),
    );
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a free port");
    let server = listener.local_addr().expect("is bound");
    // Ends with the test's runtime.
    tokio::spawn(async move { axum::serve(listener, router).await });
    let pods = PODS
        .iter()
        .map(|name| pod(name, Timestamp::UNIX_EPOCH, server))
        .collect();
    (server, pods)
}

fn level(level: Level) -> Question {
    Question {
        what: What::Level(level),
        label: None,
    }
}

fn gauge(metric: &str, matchers: &[(&str, MatchOp, &str)]) -> Question {
    level(Level::Gauge(selector(metric, matchers)))
}

fn promql(query: &str) -> Question {
    level(Level::Promql(Promql {
        query: query.to_owned(),
        range: None,
    }))
}

/// The question of a rule about at most so many in so long.
fn rate(counter: Selector) -> Question {
    Question::of(&Rule {
        name: "shop/failures".into(),
        arms: ArmsBy::Pod,
        lasting: Duration::ZERO,
        dry_run: false,
        judging: Judging::default(),
        check: Check::Level(LevelCheck {
            metric: LevelMetric {
                sampled: Sampled::Rate {
                    counter,
                    per: Duration::from_mins(5),
                },
                over: Over::Sum,
                unit: LevelUnit::Number,
            },
            limit: LevelLimit::Max(10.0),
            compare: None,
        }),
    })
}

async fn ask(source: &dyn Source, pods: &[Pod], question: &Question) -> Observation {
    let query = Query {
        question: question.clone(),
        targets: vec![target("web", pods.to_vec())],
    };
    source.read(&[query]).await.remove(0).remove(0)
}

#[track_caller]
fn readings(observation: &Observation) -> &[LevelReading] {
    match observation {
        Observation::Levels(levels) => {
            assert!(levels.unusable.is_empty(), "{:?}", levels.unusable);
            &levels.readings
        }
        other => panic!("no values: {other:?}"),
    }
}

/// Values by pod, in the order of pods; the sample is fresh.
#[track_caller]
fn by_pod(observation: &Observation) -> Vec<(String, f64)> {
    let mut found: Vec<(String, f64)> = readings(observation)
        .iter()
        .map(|reading| {
            let age = reading.at.duration_until(Timestamp::now()).as_secs_f64();
            assert!((-1.0..30.0).contains(&age), "{age} s old");
            match &reading.key {
                SeriesKey::Pod { namespace, pod } if namespace == "shop" => {
                    (pod.to_string(), reading.value)
                }
                other => panic!("no pod of ours: {other:?}"),
            }
        })
        .collect();
    found.sort_by(|a, b| a.0.cmp(&b.0));
    found
}

#[track_caller]
fn of_whole(observation: &Observation) -> f64 {
    match readings(observation) {
        [
            LevelReading {
                key: SeriesKey::Whole,
                value,
                ..
            },
        ] => *value,
        other => panic!("not one value: {other:?}"),
    }
}

#[track_caller]
fn unusable(observation: &Observation) -> &str {
    match observation {
        Observation::Levels(levels) if levels.readings.is_empty() => {
            levels.unusable.first().map_or("", String::as_str)
        }
        other => panic!("can be used: {other:?}"),
    }
}

#[tokio::test]
async fn values_are_the_same_by_prometheus_and_by_scrape() {
    let (server, pods) = pods().await;
    let real = RealPrometheus::start(server, &PODS).await;
    real.reads(PODS.len()).await;
    let prometheus = Prometheus::new(PrometheusOptions::new(&*real.url), clock()).expect("is good");
    let scrape = Scrape::new(ScrapeOptions::default(), clock()).expect("is good");
    let both: [(&str, &dyn Source); 2] = [("prometheus", &prometheus), ("scrape", &scrape)];
    let wanted = |values: [f64; 3]| -> Vec<(String, f64)> {
        PODS.iter()
            .map(|pod| (*pod).to_owned())
            .zip(values)
            .collect()
    };

    for (name, source) in both {
        let mail = gauge("queue_length", &[("queue", MatchOp::Equal, "mail")]);
        let answer = ask(source, &pods, &mail).await;
        assert_eq!(by_pod(&answer), wanted([10.0, 20.0, 30.0]), "{name}");
        let answer = ask(source, &pods, &gauge("memory_bytes", &[])).await;
        assert_eq!(by_pod(&answer), wanted([1e8, 2e8, 3e8]), "{name}");

        // Two series for one pod are named, both of them.
        let answer = ask(source, &pods, &gauge("queue_length", &[])).await;
        let reason = unusable(&answer);
        for part in ["2 series", "mail", "bills", "narrow it by a matcher"] {
            assert!(reason.contains(part), "{name}: `{reason}` lacks `{part}`");
        }
        let answer = ask(source, &pods, &gauge("broken", &[])).await;
        assert!(
            unusable(&answer).contains("no number"),
            "{name}: {answer:?}"
        );
        let answer = ask(source, &pods, &gauge("absent", &[])).await;
        assert!(
            matches!(answer, Observation::NoData { .. }),
            "{name}: {answer:?}"
        );

        // A rate is counted from the counter and all series of its shape.
        let failed = selector("jobs_total", &[("state", MatchOp::Equal, "failed")]);
        let answer = ask(source, &pods, &rate(failed)).await;
        let web_b = series(&answer)
            .iter()
            .find(|series| {
                matches!(&series.key, SeriesKey::Pod { pod, .. } if *pod == PodName::from("web-b"))
            })
            .map(|series| series.value.clone());
        let counters = Cumulative::Ratio {
            part: Some(2.0),
            total: Some(9.0),
            part_shape: true,
        };
        assert_eq!(web_b, Some(counters), "{name}");
    }

    // Pods that are not the target's are nobody's.
    let one = &pods[..1];
    let mail = gauge("queue_length", &[("queue", MatchOp::Equal, "mail")]);
    let answer = ask(&prometheus, one, &mail).await;
    assert_eq!(by_pod(&answer), wanted([10.0, 0.0, 0.0])[..1]);

    expressions(&prometheus, &pods).await;
    let answer = ask(&scrape, &pods, &promql("up")).await;
    let (cause, reason) = unavailable(&answer);
    assert_eq!(cause, Cause::Malformed);
    assert!(reason.contains("that takes a Prometheus"), "{reason}");
}

async fn expressions(source: &Prometheus, pods: &[Pod]) {
    let ask = |query: &str| {
        let question = promql(query);
        async move { ask(source, pods, &question).await }
    };
    // Series of pods, with and without their namespace.
    let pairs = |answer: &Observation| -> Vec<f64> {
        by_pod(answer).into_iter().map(|(_, value)| value).collect()
    };
    assert_eq!(pairs(&ask("memory_bytes / 1e8").await), [1.0, 2.0, 3.0]);
    assert_eq!(
        pairs(&ask("max by (pod) (queue_length)").await),
        [10.0, 20.0, 30.0]
    );
    // One for the service: a vector, and a scalar.
    assert!((of_whole(&ask("sum(queue_length)").await) - 66.0).abs() < 1e-9);
    assert!((of_whole(&ask("scalar(sum(queue_length)) + 1").await) - 67.0).abs() < 1e-9);
    let named = "sum(queue_length{namespace=\"${namespace}\",pod=~\"${name}-.*\"})";
    assert!((of_whole(&ask(named).await) - 66.0).abs() < 1e-9);
    let stranger = "sum(queue_length{pod=~\"${name}-x.*\"})";
    assert!(matches!(ask(stranger).await, Observation::NoData { .. }));

    // Shapes that are no value.
    let answer = ask("sum by (queue) (queue_length)").await;
    let reason = unusable(&answer);
    assert!(
        reason.contains("mail") && reason.contains("bills"),
        "{reason}"
    );
    for (query, said) in [
        ("\"text\"", "`string`"),
        ("queue_length[1m]", "`matrix`"),
        ("sum(queue_length", "answered 400"),
    ] {
        let answer = ask(query).await;
        let (_, reason) = unavailable(&answer);
        assert!(
            reason.contains(said),
            "`{query}`: `{reason}` lacks `{said}`"
        );
    }
    assert!(unusable(&ask("sum(queue_length) / 0 * 0").await).contains("no number"));

    // A range: several samples of each pod, oldest first, at whole steps.
    let range = level(Level::Promql(Promql {
        query: "memory_bytes".to_owned(),
        range: Some(PromqlRange {
            range: Duration::from_mins(1),
            step: Duration::from_secs(1),
        }),
    }));
    let begun = std::time::Instant::now();
    loop {
        let answer = self::ask(source, pods, &range).await;
        if let Observation::Levels(levels) = &answer {
            let of_b: Vec<&LevelReading> = levels
                .readings
                .iter()
                .filter(|reading| {
                    matches!(&reading.key, SeriesKey::Pod { pod, .. } if *pod == PodName::from("web-b"))
                })
                .collect();
            if of_b.len() >= 2 {
                for pair in of_b.windows(2) {
                    let apart = pair[0].at.duration_until(pair[1].at);
                    assert_eq!(apart.as_millis(), 1000, "{answer:?}");
                }
                assert!(of_b.iter().all(|reading| (reading.value - 2e8).abs() < 1.0));
                break;
            }
        }
        assert!(begun.elapsed() < Duration::from_secs(15), "{answer:?}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}
