//! The real Argo Rollouts controller: a canary in flight is aborted, and the stable version serves alone.

use std::time::Duration;

use kube::api::{Patch, PatchParams};
use serde_json::json;

use crate::bed::Bed;
use crate::case::run;

const WITHIN: Duration = Duration::from_secs(30);

#[test]
fn an_aborted_canary_goes_and_the_stable_version_serves_alone() {
    run(async {
        let ns = Bed::get().await.namespace("abort").await;
        let steps = json!([{"setWeight": 50}, {"pause": {}}, {"setWeight": 100}]);
        ns.rollout("checkout", "v1", 2, &steps).await;
        let traffic = ns.traffic("checkout", 50.0);
        traffic.next(20, WITHIN).await;

        ns.set_rollout_image("checkout", "v2").await;
        ns.wait_phase("checkout", "Paused").await;
        let during = traffic.next(100, WITHIN).await;
        assert!(
            (0.03..0.3).contains(&during.error_rate()),
            "half of the pods fail: {during:?}"
        );
        let mut tags: Vec<String> = ns
            .ready("checkout")
            .iter()
            .map(|pod| pod.tag.clone())
            .collect();
        tags.sort();
        assert_eq!(tags, ["v1", "v2"]);

        // What `kubectl argo rollouts abort` sends.
        let abort = json!({"status": {"abort": true}});
        ns.rollouts()
            .patch_status("checkout", &PatchParams::default(), &Patch::Merge(abort))
            .await
            .expect("an administrator may abort");
        ns.wait_phase("checkout", "Degraded").await;
        ns.wait_serving("checkout", "v1").await;
        let after = traffic.next(100, WITHIN).await;
        assert!(after.error_rate() < 0.05, "{after:?}");
        let rollout = ns.rollouts().get("checkout").await.expect("it is there");
        let image = &rollout.data["spec"]["template"]["spec"]["containers"][0]["image"];
        assert_eq!(
            image, "shop/checkout:v2",
            "an abort leaves the spec as it is"
        );
    });
}
