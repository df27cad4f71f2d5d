//! A plain `kubectl rollout undo` takes a bad version back, and the traffic says so.

use std::time::Duration;

use k8s_openapi::api::apps::v1::Deployment;

use crate::bed::Bed;
use crate::case::run;
use crate::services::Behaviour;

const WITHIN: Duration = Duration::from_secs(30);

#[test]
fn kubectl_rollout_undo_brings_the_template_back_and_the_errors_stop() {
    run(async {
        let ns = Bed::get().await.namespace("undo").await;
        ns.behave(
            "v1",
            Behaviour {
                errors: 0.0,
                ..Behaviour::GOOD
            },
        );
        ns.deployment("checkout", "v1", 2).await;
        let before = template(&ns.api().get("checkout").await.expect("it is there"));
        let traffic = ns.traffic("checkout", 50.0);
        assert_eq!(traffic.next(50, WITHIN).await.errors, 0);

        ns.set_image("checkout", "v2").await;
        ns.wait_complete("checkout", "v2").await;
        let bad = traffic.next(200, WITHIN).await;
        assert!((0.15..0.45).contains(&bad.error_rate()), "{bad:?}");
        let first_bad = ns.first_bad("v2").expect("v2 gave bad answers");

        ns.kubectl(&["rollout", "undo", "deployment/checkout"])
            .await;
        let undone = ns.wait_template("checkout", "v1", WITHIN).await;
        assert!(first_bad < undone, "{first_bad} {undone}");
        ns.wait_complete("checkout", "v1").await;
        let after = traffic.next(100, WITHIN).await;
        // An answer of v2 may have been under way.
        assert!(after.errors <= 2, "{after:?}");
        assert_eq!(traffic.next(100, WITHIN).await.errors, 0);
        let end = traffic.stop().await;
        assert!(
            end.broken <= 2,
            "pods come and go without broken requests: {end:?}"
        );
        let after = template(&ns.api().get("checkout").await.expect("it is there"));
        assert_eq!(before, after);
    });
}

fn template(deployment: &Deployment) -> serde_json::Value {
    serde_json::to_value(&deployment.spec).expect("a spec is JSON")["template"].clone()
}
