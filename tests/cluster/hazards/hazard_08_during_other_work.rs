//! A rollback while something else is under way: a migration is waited for; a disruption budget without any room, an
//! autoscaler and pods that fit nowhere do not keep a bad version in place.

use k8s_openapi::api::apps::v1::Deployment;
use recant_core::guard::Guard;
use recant_core::notice::NoticeKind;
use serde_json::json;

use super::{WITHIN, held, target, watched};
use crate::bed::{Bed, NODE};
use crate::case::run;
use crate::manifests;

#[test]
fn hazard_08_a_migration_is_waited_for() {
    run(async {
        let bed = Bed::get().await;
        let ns = bed.namespace("hazard-08").await;
        ns.deployment("checkout", "v1", 2).await;
        let (agent, _traffic) = watched(&ns).await;
        // It is never scheduled, so it runs for as long as the test likes.
        ns.apply(&json!({
            "apiVersion": "batch/v1", "kind": "Job",
            "metadata": {"name": "migrate", "annotations": {"recant.dev/migration-of": "checkout"}},
            "spec": {"template": {"spec": {
                "restartPolicy": "Never",
                "containers": [{"name": "migrate", "image": "shop/migrate:v2"}],
            }}},
        }))
        .await;
        ns.set_image("checkout", "v2").await;
        let why = "Job `migrate` of this release has not ended yet";
        held(&agent, &ns, Guard::Migration, why).await;
        ns.kubectl(&["delete", "job", "migrate"]).await;
        ns.wait_template("checkout", "v1", WITHIN).await;
    });
}

#[test]
fn hazard_08_neither_budget_nor_autoscaler_keeps_a_bad_version() {
    run(async {
        let bed = Bed::get().await;
        let ns = bed.namespace("hazard-08").await;
        ns.deployment("checkout", "v1", 2).await;
        ns.apply(&json!({
            "apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": "all"},
            "spec": {"minAvailable": "100%", "selector": {"matchLabels": {"app": "checkout"}}},
        }))
        .await;
        ns.apply(&manifests::autoscaler("checkout", 2, 9)).await;
        let (agent, _traffic) = watched(&ns).await;
        // Somebody, or the autoscaler, has set another number by now: it stays.
        ns.set_image("checkout", "v2").await;
        ns.kubectl(&["scale", "deployment", "checkout", "--replicas=3"])
            .await;
        ns.wait_template("checkout", "v1", WITHIN).await;
        let notice = agent
            .wait_notice(NoticeKind::RollingBack, Some(&target(&ns)), WITHIN)
            .await;
        let said = format!("{notice:?}");
        for told in [
            "HorizontalPodAutoscaler `checkout` scales the Deployment",
            "PodDisruptionBudget `all` allows no eviction now",
        ] {
            assert!(said.contains(told), "{told}: {said}");
        }
        ns.wait_complete("checkout", "v1").await;
        let deployment = ns.api::<Deployment>().get("checkout").await;
        let spec = deployment.expect("it is there").spec.expect("a spec");
        assert_eq!(spec.replicas, Some(3), "replicas are not ours");
        let node = spec.template.spec.and_then(|spec| spec.node_name);
        assert_eq!(node.as_deref(), Some(NODE));
    });
}
