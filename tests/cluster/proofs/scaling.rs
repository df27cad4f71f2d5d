//! Whoever scales by hand meets the autoscaler, and the autoscaler its own bounds.

use std::time::Duration;

use crate::autoscaler::Autoscaler;
use crate::bed::Bed;
use crate::case::run;
use crate::manifests;

const WITHIN: Duration = Duration::from_secs(20);

#[test]
fn the_autoscaler_undoes_what_is_scaled_by_hand_and_keeps_its_bounds() {
    run(async {
        let ns = Bed::get().await.namespace("scaling").await;
        let workers = "deployment/workers";
        ns.deployment("workers", "v1", 1).await;
        ns.scale(workers, 2).await;
        assert_eq!(ns.replicas(workers).await, 2);

        ns.apply(&manifests::autoscaler("workers", 1, 3)).await;
        let autoscaler = Autoscaler::start(&ns, "workers", 1);
        ns.wait_replicas(workers, 1, WITHIN).await;
        ns.scale(workers, 3).await;
        ns.wait_replicas(workers, 1, WITHIN).await;
        autoscaler.want(9);
        ns.wait_replicas(workers, 3, WITHIN).await;
        let patch = r#"{"spec": {"minReplicas": 2}}"#;
        ns.kubectl(&["patch", "hpa", "workers", "--type=merge", "-p", patch])
            .await;
        autoscaler.want(1);
        ns.wait_replicas(workers, 2, WITHIN).await;
        let seen = ns.kubectl(&[
            "get",
            "hpa",
            "workers",
            "-o",
            "jsonpath={.status.desiredReplicas}",
        ]);
        assert_eq!(seen.await, "2");
    });
}
