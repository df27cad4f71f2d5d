//! Prometheus finds the pods by itself, and what it has counted is what the services did.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::bed::Bed;
use crate::case::run;
use crate::services::Behaviour;
use crate::wait::wait_for;

const WITHIN: Duration = Duration::from_secs(30);

#[test]
fn prometheus_counts_what_the_services_did() {
    run(async {
        let ns = Bed::get().await.namespace("counts").await;
        ns.behave(
            "v1",
            Behaviour {
                errors: 0.1,
                ..Behaviour::GOOD
            },
        );
        ns.deployment("checkout", "v1", 2).await;
        let prometheus = ns.prometheus().await;
        prometheus.wait_scraping(2).await;
        let traffic = ns.traffic("checkout", 50.0);
        traffic.next(150, WITHIN).await;
        let sent = traffic.stop().await;

        let truth = |count: fn(&crate::services::Service) -> u64| -> BTreeMap<String, u64> {
            let services = ns.services();
            services
                .iter()
                .map(|service| (service.pod.clone(), count(service)))
                .collect()
        };
        let requests = truth(|service| service.ledger().requests());
        let errors = truth(|service| service.ledger().errors());
        assert_eq!(requests.values().sum::<u64>(), sent.answered(), "{sent:?}");
        assert_eq!(errors.values().sum::<u64>(), sent.errors);
        assert!(sent.errors > 0, "{sent:?}");

        let queries = [
            (
                "sum by (namespace, pod) (http_requests_total)",
                requests.clone(),
            ),
            (
                r#"sum by (namespace, pod) (http_requests_total{status=~"5.."})"#,
                errors,
            ),
            (
                "sum by (namespace, pod) (http_request_duration_seconds_count)",
                requests,
            ),
        ];
        for (query, wanted) in queries {
            wait_for(query, Duration::from_secs(10), || async {
                let mut counted = BTreeMap::new();
                for (labels, value) in prometheus.query(query).await? {
                    assert_eq!(labels["namespace"], ns.name());
                    counted.insert(labels["pod"].clone(), whole(value));
                }
                if counted == wanted {
                    Ok(())
                } else {
                    Err(format!("{counted:?}, not {wanted:?}"))
                }
            })
            .await;
        }
    });
}

#[test]
fn a_new_pod_is_scraped_within_seconds_and_a_gone_one_is_not() {
    run(async {
        let ns = Bed::get().await.namespace("discovery").await;
        ns.deployment("checkout", "v1", 1).await;
        let mut prometheus = ns.prometheus().await;
        prometheus.wait_scraping(1).await;
        ns.set_image("checkout", "v3").await;
        ns.wait_complete("checkout", "v3").await;
        let services = ns.services();
        let newest = services.last().expect("v3 serves");
        let query = format!(r#"up{{pod="{}"}} == 1"#, newest.pod);
        wait_for(
            "the new pod to be scraped",
            Duration::from_secs(8),
            || async {
                let up = prometheus.query(&query).await?;
                if up.len() == 1 {
                    Ok(())
                } else {
                    Err(format!("{up:?}"))
                }
            },
        )
        .await;
        prometheus.wait_scraping(1).await;

        prometheus.stop();
        prometheus.query("up").await.expect_err("it is stopped");
        prometheus.start_again().await;
        prometheus.wait_scraping(1).await;
    });
}

/// A cast would hide a fraction.
fn whole(value: f64) -> u64 {
    let text = value.to_string();
    text.parse()
        .unwrap_or_else(|_| panic!("a counter of requests is whole, not {text}"))
}
