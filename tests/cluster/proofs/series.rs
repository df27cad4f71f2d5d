//! The series beside the services' own: Istio's, cAdvisor's, those of kube-state-metrics, and what a test sets.

use std::time::Duration;

use serde_json::json;

use crate::bed::Bed;
use crate::case::run;
use crate::cluster_metrics::{ClusterMetrics, Usage};
use crate::manifests;
use crate::services::Line;
use crate::wait::wait_for;

const WITHIN: Duration = Duration::from_secs(30);

#[test]
fn prometheus_sees_the_mesh_the_containers_and_what_tests_set() {
    run(async {
        let ns = Bed::get().await.namespace("series").await;
        let mut deployment = manifests::deployment("checkout", "v1", 1);
        let container = &mut deployment["spec"]["template"]["spec"]["containers"][0];
        container["resources"] = json!({"limits": {"cpu": "500m", "memory": "256Mi"}});
        ns.apply(&deployment).await;
        ns.wait_complete("checkout", "v1").await;
        let metrics = ClusterMetrics::start(&ns).await;
        let usage = Usage {
            memory_bytes: Line::growing(128e6, 1e6, 250e6),
            cpu_seconds: Line::growing(0.0, 0.4, f64::INFINITY),
        };
        metrics.set("v1", usage);
        ns.set_metric("v1", r#"queue_length{queue="mail"}"#, Line::flat(101.0));
        let prometheus = ns.prometheus_beside(&metrics).await;
        let traffic = ns.traffic("checkout", 40.0);
        traffic.next(40, WITHIN).await;
        let seen = |query: &'static str, holds: fn(f64) -> bool| {
            let prometheus = &prometheus;
            wait_for(query, WITHIN, move || async move {
                let vector = prometheus.query(query).await?;
                match &vector[..] {
                    [(_, value)] if holds(*value) => Ok(()),
                    _ => Err(format!("{vector:?}")),
                }
            })
        };

        // The users' own query, and that its two halves are about the same requests.
        let mesh = r#"sum(istio_requests_total{reporter="destination",destination_service_name="checkout"}) / sum(http_requests_total)"#;
        seen(mesh, |ratio| (ratio - 1.0).abs() < 1e-9).await;
        let latency = r#"histogram_quantile(0.95, sum(rate(istio_request_duration_milliseconds_bucket{destination_service_name="checkout"}[5m])) by (le))"#;
        seen(latency, |milliseconds| {
            (20.0..500.0).contains(&milliseconds)
        })
        .await;

        // As people write it: the pod's total and its pause container have to be left out.
        let memory = r#"sum by (namespace, pod, container) (container_memory_working_set_bytes{container!="", container!="POD"}) / sum by (namespace, pod, container) (kube_pod_container_resource_limits{resource="memory"})"#;
        seen(memory, |share| (0.48..0.96).contains(&share)).await;
        let cpu = r#"sum by (namespace, pod, container) (rate(container_cpu_usage_seconds_total{container!="", container!="POD"}[10s])) / sum by (namespace, pod, container) (kube_pod_container_resource_limits{resource="cpu"})"#;
        seen(cpu, |share| (0.75..0.85).contains(&share)).await;
        let queue = r#"max(queue_length{queue="mail"})"#;
        seen(queue, |length| (length - 101.0).abs() < 1e-9).await;

        let pod = ns
            .pods("checkout")
            .await
            .remove(0)
            .metadata
            .name
            .expect("a name");
        ns.oom_kill(&pod).await;
        let restarts = "sum(kube_pod_container_status_restarts_total)";
        seen(restarts, |count| (count - 1.0).abs() < 1e-9).await;
        let killed =
            r#"count(kube_pod_container_status_last_terminated_reason{reason="OOMKilled"})"#;
        seen(killed, |count| (count - 1.0).abs() < 1e-9).await;

        ns.forget_metric("v1", r#"queue_length{queue="mail"}"#);
        wait_for("the queue's series to end", WITHIN, || async {
            let vector = prometheus.query(queue).await?;
            if vector.is_empty() {
                Ok(())
            } else {
                Err(format!("{vector:?}"))
            }
        })
        .await;
    });
}
