//! The proxy breaks Prometheus' answers in every way it names, and mends them.

use std::time::Duration;

use jiff::Timestamp;
use jiff::fmt::rfc2822;
use serde_json::Value;

use crate::bed::Bed;
use crate::case::run;
use crate::fault_proxy::{Fault, FaultProxy};
use crate::prometheus::{Prometheus, ask};

#[test]
fn the_proxy_breaks_answers_as_told() {
    run(async {
        let bed = Bed::get().await;
        let ns = bed.namespace("proxy").await;
        ns.deployment("checkout", "v1", 1).await;
        let prometheus = ns.prometheus().await;
        prometheus.wait_scraping(1).await;
        let proxy = FaultProxy::start(bed, &[prometheus.url()]).await;
        let value = |answer: Result<Value, String>| {
            answer.map(|answer| answer.pointer("/data/result/0/value/1").cloned())
        };
        let one = Ok(Some(Value::from("1")));
        let asked = || ask(bed, proxy.url(), "up");
        assert_eq!(value(asked().await), one);

        proxy.set(Fault::Unavailable);
        let said = asked().await.expect_err("an error");
        assert!(said.starts_with("503"), "{said}");
        proxy.set(Fault::NotANumber);
        assert_eq!(value(asked().await), Ok(Some(Value::from("NaN"))));
        proxy.set(Fault::Empty);
        assert_eq!(value(asked().await), Ok(None));
        proxy.set(Fault::Garbage);
        asked().await.expect_err("no JSON");
        proxy.set(Fault::Redirect);
        asked().await.expect_err("no end of redirections");
        assert!(proxy.questions() > 1, "the client follows");
        proxy.set(Fault::Partial);
        let partial = asked().await.expect("an answer");
        assert!(partial["warnings"][0].is_string(), "{partial}");
        assert_eq!(value(Ok(partial)), one);
        proxy.set(Fault::Ahead);
        let query = format!("{}/api/v1/query?query=up", proxy.url());
        let answer = bed.http().get(query).send().await.expect("an answer");
        let date = answer.headers()["date"].to_str().expect("text");
        let date = rfc2822::parse(date).expect("a date").timestamp();
        let ahead = date.duration_since(Timestamp::now()).as_secs();
        assert!((50..70).contains(&ahead), "{ahead} s");
        proxy.set(Fault::Hang);
        let hung = tokio::time::timeout(Duration::from_millis(500), asked()).await;
        assert!(hung.is_err(), "{hung:?}");
        assert_eq!(proxy.questions(), 1);

        proxy.set(Fault::None);
        assert_eq!(value(asked().await), one);
    });
}

#[test]
fn the_proxy_asks_a_pair_in_turn() {
    run(async {
        let bed = Bed::get().await;
        let ns = bed.namespace("pair").await;
        let pair = [ns.prometheus().await, ns.prometheus().await];
        let proxy = FaultProxy::start(bed, &pair.each_ref().map(Prometheus::url)).await;
        let mut starts = Vec::new();
        for _ in 0..4 {
            let url = format!("{}/api/v1/status/runtimeinfo", proxy.url());
            let answer = bed.http().get(url).send().await.expect("an answer");
            let answer: Value = answer.json().await.expect("JSON");
            starts.push(answer["data"]["CWD"].clone());
            starts.push(answer["data"]["startTime"].clone());
        }
        assert_eq!(starts[..4], starts[4..]);
        assert_ne!(
            starts[..2],
            starts[2..4],
            "two servers, started one after the other"
        );
    });
}
