//! A thousand analyses live: how many verdicts a second the API port gives, and how late the latest of a hundred is.

use std::io::Write as _;
use std::time::{Duration, Instant};

use recant::http::api::Access;
use serde_json::Value;

use super::bed::{Bed, with};

const ANALYSES: usize = 1000;
const REQUESTS: usize = 2000;
const CLIENTS: usize = 4;

/// This is the debug build, with its clients, on a machine that does other things: the bound says no more than that a
/// verdict costs no source and no wait. The line that it prints is the measurement.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn verdicts_are_given_from_the_snapshot_at_once() {
    let path = |name: &str| format!("/argo/v1/analysis?namespace=shop&name={name}&hash=new");
    measure("web", path, |answer, passing| {
        let phase = if passing { "Successful" } else { "Running" };
        assert_eq!(answer["data"]["phase"], phase);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn so_are_those_of_a_prometheus() {
    let path = |name: &str| {
        format!(
            "/prometheus/api/v1/query?query=recant_verdict{{namespace=\"shop\",name=\"{name}\",hash=\"new\"}}"
        )
    };
    measure("prometheus", path, |answer, passing| {
        let value = if passing { "1" } else { "0" };
        assert_eq!(answer["data"]["result"][0]["value"][1], value, "{answer}");
    })
    .await;
}

async fn measure(
    provider: &str,
    path: impl Fn(&str) -> String + Copy,
    check: impl Fn(&Value, bool) + Copy,
) {
    let bed = Bed::start(Access::default()).await;
    let name = |number: usize| format!("service-{number}");
    bed.show(
        (0..ANALYSES)
            .map(|number| {
                with(&name(number), |analysis| {
                    analysis.passing = number.is_multiple_of(2);
                })
            })
            .collect(),
    );
    let begun = Instant::now();
    let clients = (0..CLIENTS).map(|client| {
        let (http, bed) = (bed.http.clone(), &bed);
        async move {
            let mut took = Vec::new();
            for request in (client..REQUESTS).step_by(CLIENTS) {
                let number = request % ANALYSES;
                let path = path(&name(number));
                let asked = Instant::now();
                let answer = super::bed::read(http.get(bed.url(&path))).await;
                took.push(asked.elapsed());
                check(&answer.json(), number.is_multiple_of(2));
            }
            took
        }
    });
    let mut took = futures::future::join_all(clients).await.concat();
    let all = begun.elapsed();
    took.sort_unstable();
    let p99 = took[took.len() * 99 / 100];
    let rate = REQUESTS as f64 / all.as_secs_f64();
    let line = format!(
        "TIMING {provider} provider, {ANALYSES} analyses: {rate:.0} requests/s, p99 {p99:?}\n"
    );
    std::io::stderr()
        .write_all(line.as_bytes())
        .expect("a line can be printed");
    assert_eq!(took.len(), REQUESTS);
    assert!(p99 < Duration::from_millis(250), "{line}");
}
