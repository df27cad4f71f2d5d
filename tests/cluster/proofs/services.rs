//! The services do what their image's tag and the test say, and keep the truth about it.

use std::time::Duration;

use jiff::Timestamp;

use crate::bed::Bed;
use crate::case::run;
use crate::namespace::Namespace;
use crate::services::Behaviour;
use crate::wait::wait_for;

const WITHIN: Duration = Duration::from_secs(30);

#[test]
fn a_fault_can_begin_while_a_version_runs() {
    run(async {
        let ns = Bed::get().await.namespace("late").await;
        ns.behave(
            "v4",
            Behaviour {
                errors: 0.0,
                ..Behaviour::GOOD
            },
        );
        ns.deployment("checkout", "v4", 1).await;
        let traffic = ns.traffic("checkout", 50.0);
        traffic.next(50, WITHIN).await;
        assert_eq!(ns.first_bad("v4"), None);

        let begun = Timestamp::now();
        ns.behave("v4", Behaviour::FAILING);
        let faulty = traffic.next(100, WITHIN).await;
        assert!((0.1..0.5).contains(&faulty.error_rate()), "{faulty:?}");
        let first_bad = ns.first_bad("v4").expect("bad answers were given");
        assert!(
            begun <= first_bad && first_bad <= Timestamp::now(),
            "{begun} {first_bad}"
        );

        ns.kubectl(&["delete", "deployment", "checkout"]).await;
        let end = traffic.stop().await;
        let [service] = ns.services().try_into().expect("there was one pod");
        // Deleting returns before the garbage collector has come to the pods.
        wait_for("the service to stop", WITHIN, || async {
            if service.listening() {
                Err("it listens".to_owned())
            } else {
                Ok(())
            }
        })
        .await;
        assert_eq!(
            service.ledger().errors(),
            end.errors,
            "the truth outlives the pod"
        );
    });
}

#[test]
fn a_slow_version_takes_four_times_as_long() {
    run(async {
        let ns = Bed::get().await.namespace("slow").await;
        ns.deployment("checkout", "v1", 1).await;
        let good = mean_seconds(&ns).await;
        assert_eq!(ns.first_bad("slow"), None);
        ns.set_image("checkout", "slow").await;
        ns.wait_complete("checkout", "slow").await;
        let slow = mean_seconds(&ns).await;
        assert!(
            (2.5..6.0).contains(&(slow / good)),
            "{good} s, then {slow} s"
        );
        assert!(
            ns.first_bad("slow").is_some(),
            "a slowed answer is a bad one"
        );
    });
}

/// From what the pod that serves now says in `/metrics`, which must be as a scraper wants it.
async fn mean_seconds(ns: &Namespace) -> f64 {
    let traffic = ns.traffic("checkout", 50.0);
    traffic.next(60, WITHIN).await;
    traffic.stop().await;
    let [service] = ns.ready("checkout").try_into().expect("one pod serves");
    let url = format!("http://{}/metrics", service.address);
    let answer = Bed::get()
        .await
        .http()
        .get(url)
        .send()
        .await
        .expect("it answers");
    let format = answer.headers()["content-type"]
        .to_str()
        .expect("text")
        .to_owned();
    assert!(format.starts_with("text/plain; version=0.0.4"), "{format}");
    let text = answer.text().await.expect("text");
    let sum_of = |name: &str| -> f64 {
        let lines = text.lines().filter(|line| line.starts_with(name));
        lines
            .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
            .sum()
    };
    let count = sum_of("http_request_duration_seconds_count");
    assert!(count >= 60.0, "{text}");
    sum_of("http_request_duration_seconds_sum") / count
}
