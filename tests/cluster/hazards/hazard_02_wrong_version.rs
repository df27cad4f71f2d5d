//! Rolling to a bad or wrong version: the way back is what was recorded healthy, not merely the revision before.

use recant_core::record::{Record, Standing};

use super::{WITHIN, image, target, watched};
use crate::bed::Bed;
use crate::case::run;
use crate::manifests;

#[test]
fn hazard_02_back_to_what_was_healthy_and_not_to_the_revision_before() {
    run(async {
        let bed = Bed::get().await;
        let ns = bed.namespace("hazard-02").await;
        ns.deployment("checkout", "v1", 2).await;
        let (agent, _traffic) = watched(&ns).await;
        // The first bad version fails; a person ships the next one over it while nothing may be written.
        let switch = ["annotate", "deployment", "checkout", "--overwrite"];
        let set = |on: &'static str| [switch.as_slice(), &[on]].concat();
        ns.kubectl(&set("recant.dev/kill-switch=true")).await;
        ns.set_image("checkout", "v2").await;
        let target = target(&ns);
        agent
            .wait_target("v2 to fail", &target, WITHIN, |known| {
                matches!(
                    known.standings.get(&known.current),
                    Some(Standing::Failed { .. })
                )
            })
            .await;
        let mut second = manifests::deployment("checkout", "v2", 2);
        second["spec"]["template"]["metadata"]["annotations"]["try"] = "again".into();
        second["metadata"]["annotations"] = serde_json::json!({"recant.dev/kill-switch": "false"});
        ns.apply(&second).await;
        let plan = agent
            .wait_record("the rollback", WITHIN, |entry| match &entry.record {
                Record::PlanBegan { plan } => Some(plan.clone()),
                _ => None,
            })
            .await;
        ns.wait_complete("checkout", "v1").await;
        assert_eq!(image(&ns).await, manifests::image("checkout", "v1"));
        let sets = ns
            .kubectl(&[
                "get",
                "replicaset",
                "-o",
                "jsonpath={.items[*].metadata.name}",
            ])
            .await;
        assert_eq!(sets.split_whitespace().count(), 3, "{sets}");
        let ledger = agent.ledger();
        let known = &ledger.targets[&target];
        assert!(!known.has_failed(&plan.to.revision), "{known:#?}");
    });
}
